//! What is asked, of whom, and in which order.

use std::{collections::BTreeMap, future::Future, time::Duration};

use cosell_aws::{Aws, AwsClock, DeployedResource, DynamoLedger, GOOD_MAPPING_KEY, MAPPING_KEY, QueueDepth};
use cosell_crm::{Salesforce, salesforce::Credentials};
use cosell_mapping::{Finding, Mapping, check};
use cosell_sync::{
    SyncError,
    files::{DISPATCHED, Look, POLLED, Passage},
    ports::{AceBucket, Crm, FileState, Files, Ledger, PartnerCentral, PortError, PortResult},
    push, reconcile,
};
use futures::{
    FutureExt,
    future::{LocalBoxFuture, join_all, ready, try_join_all},
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::error::Elapsed;

use super::{
    Line,
    judge::{self, SCHEDULES, Verdict, refusal},
};
use crate::{
    commands::mapping::objects,
    stack::{Error, Stack},
};

/// What a check may take.
const LIMIT: Duration = Duration::from_secs(20);
/// Between two looks at a queue that nobody seems to work on: functions collect for a second at most.
const SECOND_LOOK: Duration = Duration::from_secs(4);
/// What a run that is due may be late by.
const GRACE: SignedDuration = SignedDuration::from_mins(5);

const AWS: &str = "AWS";
const STACK: &str = "stack";
const PARTNER_CENTRAL: &str = "Partner Central";
const CRM: &str = "CRM";
const MAPPING: &str = "mapping";
const TABLE: &str = "table";
const BUCKETS: &str = "buckets";
const QUEUES: &str = "queues";
const SCHEDULED: &str = "schedules";
const FUNCTIONS: &str = "functions";
const FILES: &str = "files";

/// Every area that needs the stack.
const OF_THE_STACK: [&str; 9] = [PARTNER_CENTRAL, MAPPING, CRM, TABLE, BUCKETS, QUEUES, SCHEDULED, FUNCTIONS, FILES];

const RIGHTS: &str = "give yourself the right to it, and see whether account and region are the stack's";
const DEPLOY: &str = "somebody removed it, or you may not see it: deploy the stack again, or give yourself the right";

/// An answer in time.
fn within<'w, T: 'w>(
    what: &'w str,
    work: impl Future<Output = PortResult<T>> + 'w,
) -> LocalBoxFuture<'w, PortResult<T>> {
    let limited = tokio::time::timeout(LIMIT, work);
    let late = |late: Elapsed| Err(PortError::Unavailable { what: what.to_owned(), cause: Some(Box::new(late)) });
    limited.map(move |answer| answer.unwrap_or_else(late)).boxed_local()
}

/// Everything, in the order in which one thing needs the other.
pub async fn examine(name: &str) -> Vec<Line> {
    let aws = Aws::connect().await;
    let clock = AwsClock::default();
    let (caller, stack, resources) = tokio::join!(
        within("GetCallerIdentity", aws.caller(&clock)),
        within("DescribeStacks", Stack::of(&aws, name)),
        within("ListStackResources", aws.stack_resources(name)),
    );
    let identity = match caller {
        Ok(caller) => Verdict::ok(format!("{} in account {}", caller.arn, caller.account)),
        Err(error) => {
            refusal(&error, "log in to AWS (AWS_PROFILE, `aws sso login`), and see whether the clock is right")
        }
    };
    let mut lines = vec![Line::new(AWS, "who we are", identity), Line::new(AWS, "clock", judge::clock(clock.ahead()))];
    let skip = |lines: &mut Vec<Line>, because: &str| {
        lines.extend(OF_THE_STACK.map(|area| Line::new(area, "everything", Verdict::skipped(because))));
    };
    let stack = match stack {
        Ok(stack) => stack,
        Err(error) => {
            let mend = format!(
                "is `{name}` its name (--stack), and us-east-1 the region (AWS_REGION)? `make deploy` makes it"
            );
            lines.push(Line::new(STACK, name, refusal(&error, &mend)));
            skip(&mut lines, "there is no stack to be seen");
            return lines;
        }
    };
    let outputs = judge::outputs(&stack.deployed.outputs);
    let is_complete = outputs.mend.is_none();
    lines.push(Line::new(STACK, "state", judge::stack_state(&stack.deployed.status)));
    lines.push(Line::new(STACK, "outputs", outputs));
    if !is_complete {
        skip(&mut lines, "outputs are missing");
        return lines;
    }
    match examine_stack(&stack, resources).await {
        Ok(more) => lines.extend(more),
        // Outputs that are there and cannot be read.
        Err(error) => {
            lines.push(Line::new(STACK, "outputs", Verdict::failed(error.to_string(), "`make deploy` again")));
        }
    }
    lines
}

type Resources = PortResult<BTreeMap<String, DeployedResource>>;

async fn examine_stack(stack: &Stack, resources: Resources) -> Result<Vec<Line>, Error> {
    let (mapping, lines) = mapping(stack).await?;
    let mapping = mapping.as_ref();
    let areas = [
        partner_central(stack).boxed_local(),
        ready(Ok(lines)).boxed_local(),
        crm(stack, mapping).boxed_local(),
        table(stack).boxed_local(),
        buckets(stack).boxed_local(),
        queues(stack).boxed_local(),
        schedules(stack, &resources, mapping).boxed_local(),
        ready(Ok(functions(&resources))).boxed_local(),
        files(stack, mapping).boxed_local(),
    ];
    Ok(try_join_all(areas).await?.into_iter().flatten().collect())
}

fn functions(resources: &Resources) -> Vec<Line> {
    let verdict = match resources {
        Ok(resources) => judge::functions(resources),
        Err(error) => refusal(error, RIGHTS),
    };
    vec![Line::new(FUNCTIONS, "deployed", verdict)]
}

async fn partner_central(stack: &Stack) -> Result<Vec<Line>, Error> {
    let client = stack.partner_central()?;
    let catalog = stack.catalog()?;
    let (table, quotas) = (stack.output("Table")?, stack.quotas()?);
    // What has changed since now is one page, and a short one.
    let now = Timestamp::now().to_string();
    let answers = match within("ListOpportunities", client.opportunities(Some(&now), None)).await {
        Ok(_) => Verdict::ok("it answers"),
        Err(error) => refusal(
            &error,
            "link the account to Partner Central, and give yourself partnercentral:ListOpportunities in this catalog",
        ),
    };
    let mut lines = vec![Line::new(PARTNER_CENTRAL, format!("catalog {catalog}"), answers)];
    match within("the quota's book", stack.aws.quota_use(table, catalog, quotas)).await {
        Ok(used) => lines.extend([
            Line::new(PARTNER_CENTRAL, "quota of reads", judge::quota("reads", used.reads, quotas.reads_per_day)),
            Line::new(PARTNER_CENTRAL, "quota of writes", judge::quota("writes", used.writes, quotas.writes_per_day)),
        ]),
        Err(error) => lines.push(Line::new(PARTNER_CENTRAL, "quotas", refusal(&error, DEPLOY))),
    }
    Ok(lines)
}

/// The mapping that the functions use, and what is to be said of it.
async fn mapping(stack: &Stack) -> Result<(Option<Mapping>, Vec<Line>), Error> {
    let bucket = stack.aws.files(stack.output("ConfigBucket")?);
    let text = async |key: &str| match within(key, bucket.get(key)).await {
        // What is no text is no mapping either.
        Ok(content) => Ok(Some(String::from_utf8_lossy(&content).into_owned())),
        Err(PortError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    let (deployed, checked) = tokio::join!(text(MAPPING_KEY), text(GOOD_MAPPING_KEY));
    let (deployed, checked) = match (deployed, checked) {
        (Ok(deployed), Ok(checked)) => (deployed, checked),
        (Err(error), _) | (_, Err(error)) => {
            return Ok((None, vec![Line::new(MAPPING, MAPPING_KEY, refusal(&error, RIGHTS))]));
        }
    };
    let parsed = deployed.as_deref().map(Mapping::parse);
    let wrong: &[Finding] = match &parsed {
        Some(Err(invalid)) => &invalid.0,
        _ => &[],
    };
    let good = checked.as_deref().and_then(|text| Mapping::parse(text).ok());
    let verdict = judge::mapping(deployed.as_deref(), wrong, checked.as_deref().filter(|_| good.is_some()));
    let used = match parsed {
        Some(Ok(mapping)) => Some(mapping),
        Some(Err(_)) => good,
        None => None,
    };
    Ok((used, vec![Line::new(MAPPING, MAPPING_KEY, verdict)]))
}

const NO_MAPPING: &str = "there is no mapping that can be used";

async fn crm(stack: &Stack, mapping: Option<&Mapping>) -> Result<Vec<Line>, Error> {
    let (arn, endpoint) = (stack.output("CrmSecretArn")?, stack.output("SalesforceEndpoint")?);
    let rest = |mut lines: Vec<Line>, names: &[&str], because: &str| {
        lines.extend(names.iter().map(|name| Line::new(CRM, *name, Verdict::skipped(because))));
        lines
    };
    let secret = match within("the CRM secret", stack.aws.secret(arn)).await {
        Ok(secret) => secret,
        Err(error) => {
            let mend = "restore it, or make one and deploy with CrmSecretArn=its ARN, or give yourself secretsmanager:GetSecretValue";
            return Ok(rest(
                vec![Line::new(CRM, "secret", refusal(&error, mend))],
                &["login", "objects"],
                "the secret cannot be read",
            ));
        }
    };
    if let Err(invalid) = Credentials::from_secret(&secret) {
        let mend = "aws secretsmanager put-secret-value: {\"client_id\": \"…\", \"client_secret\": \"…\"}";
        let failed = Line::new(CRM, "secret", Verdict::failed(invalid.to_string(), mend));
        return Ok(rest(vec![failed], &["login", "objects"], "the secret holds no credentials"));
    }
    let mut lines = vec![Line::new(CRM, "secret", Verdict::ok("it has the shape that it must have"))];
    let salesforce = match Salesforce::connect(endpoint, &secret) {
        Ok(salesforce) => salesforce,
        Err(invalid) => {
            let mend = "deploy with SalesforceEndpoint=https://my-domain.my.salesforce.com";
            lines.push(Line::new(CRM, "login", Verdict::failed(invalid.to_string(), mend)));
            return Ok(rest(lines, &["objects"], "the address is none"));
        }
    };
    match within("the Salesforce login", salesforce.login()).await {
        Ok(ahead) => {
            lines
                .extend([Line::new(CRM, "login", Verdict::ok(endpoint)), Line::new(CRM, "clock", judge::clock(ahead))]);
        }
        Err(error) => {
            let mend = "put the client id and secret of the integration user's app into the secret, let the app's client \
                        credentials flow run as this user, and see whether SalesforceEndpoint is the org's own address";
            lines.push(Line::new(CRM, "login", refusal(&error, mend)));
            return Ok(rest(lines, &["objects"], "the login failed"));
        }
    }
    let Some(mapping) = mapping else { return Ok(rest(lines, &["objects"], NO_MAPPING)) };
    let mut descriptions = Vec::new();
    let asked = objects(mapping).into_iter().map(async |name| {
        let described = within("describe", salesforce.describe(&name)).await;
        (name, described)
    });
    for (name, described) in join_all(asked).await {
        let check = format!("object {name}");
        let verdict = match described {
            Ok(description) => {
                let found = format!("the integration user sees it, and {} fields", description.fields.len());
                descriptions.push(description);
                Verdict::ok(found)
            }
            Err(error) => {
                refusal(&error, "give the integration user the right to the object, or mend its name in the mapping")
            }
        };
        lines.push(Line::new(CRM, check, verdict));
    }
    let findings = check(mapping, &descriptions);
    let place = "what the mapping needs";
    if findings.is_empty() && !descriptions.is_empty() {
        lines.push(Line::new(CRM, place, Verdict::ok("every mapped field is there and takes what it gets")));
    }
    lines.extend(findings.iter().map(|finding| Line::new(CRM, place, judge::finding(finding))));
    Ok(lines)
}

async fn table(stack: &Stack) -> Result<Vec<Line>, Error> {
    let name = stack.output("Table")?;
    Ok(match within("the table", stack.aws.table_settings(name)).await {
        Ok(settings) => {
            let there = Line::new(TABLE, name, Verdict::ok("it answers"));
            let settings = judge::table(settings).map(|(check, verdict)| Line::new(TABLE, check, verdict));
            [there].into_iter().chain(settings).collect()
        }
        Err(error) => vec![Line::new(TABLE, name, refusal(&error, DEPLOY))],
    })
}

async fn buckets(stack: &Stack) -> Result<Vec<Line>, Error> {
    let (config, landing) = (stack.output("ConfigBucket")?, stack.output("LandingBucket")?);
    let look = async |name: &str, must_announce| {
        let verdict = match within("the bucket", stack.aws.bucket_settings(name)).await {
            Ok(settings) => judge::bucket(settings, must_announce),
            Err(error) => refusal(&error, DEPLOY),
        };
        Line::new(BUCKETS, name, verdict)
    };
    let (config, landing) = tokio::join!(look(config, false), look(landing, true));
    Ok(vec![config, landing])
}

async fn queues(stack: &Stack) -> Result<Vec<Line>, Error> {
    let outputs = stack.deployed.outputs.iter();
    let queues = outputs.filter(|(name, _)| name.ends_with("Queue") || name.ends_with("DeadLetters"));
    let looks = queues.map(async |(name, url)| {
        let depth = || within("the queue", stack.aws.queue_depth(url));
        let look = async || -> PortResult<Verdict> {
            let first = depth().await?;
            if name.ends_with("DeadLetters") {
                return Ok(judge::dead_letters(first, name == "ScheduleDeadLetters"));
            }
            let idle = matches!(first, QueueDepth { waiting: 1.., in_flight: 0 });
            let again = if idle {
                tokio::time::sleep(SECOND_LOOK).await;
                Some(depth().await?)
            } else {
                None
            };
            Ok(judge::queue(first, again))
        };
        Line::new(QUEUES, name, look().await.unwrap_or_else(|error| refusal(&error, DEPLOY)))
    });
    Ok(join_all(looks).await)
}

async fn schedules(stack: &Stack, resources: &Resources, mapping: Option<&Mapping>) -> Result<Vec<Line>, Error> {
    let resources = match resources {
        Ok(resources) => resources,
        Err(error) => return Ok(vec![Line::new(SCHEDULED, "everything", refusal(error, RIGHTS))]),
    };
    let ledger = &stack.ledger()?;
    let looks = SCHEDULES.map(async |scheduled| {
        let name = resources.get(scheduled.name).and_then(|resource| resource.id.as_deref());
        let Some(name) = name else {
            let missing =
                Verdict::failed("the stack has no such schedule", "`make deploy` from the version of this command");
            return vec![Line::new(SCHEDULED, scheduled.name, missing)];
        };
        let found = match within("the schedule", stack.aws.schedule(name)).await {
            Ok(found) => found,
            Err(error) => return vec![Line::new(SCHEDULED, scheduled.name, refusal(&error, DEPLOY))],
        };
        let verdict = judge::schedule(scheduled, found.enabled, &stack.deployed.parameters);
        let mut lines = vec![Line::new(SCHEDULED, scheduled.name, verdict)];
        if let Some((cursor, longest)) = mapping.and_then(|mapping| mark(scheduled.name, &found.expression, mapping))
            && found.enabled
        {
            let verdict = match within("the cursor", ledger.cursor_moved(&cursor)).await {
                Ok(marked) => judge::last_run(marked, longest, Timestamp::now()),
                Err(error) => refusal(&error, DEPLOY),
            };
            lines.push(Line::new(SCHEDULED, format!("{}'s last run", scheduled.name), verdict));
        }
        lines
    });
    Ok(join_all(looks).await.into_iter().flatten().collect())
}

/// The cursor that good runs of a schedule move, and how long it may stand still. Without a ledger, the replay leaves no mark:
/// its heartbeat's alarm watches it.
fn mark(schedule: &str, expression: &str, mapping: &Mapping) -> Option<(String, SignedDuration)> {
    let cursor = match schedule {
        "FnPushSchedule" => push::cursor(&mapping.opportunity.object),
        "FnReconcileSchedule" => reconcile::RAN.to_owned(),
        "FnFilePollSchedule" => POLLED.to_owned(),
        "FnFileSendSchedule" => DISPATCHED.to_owned(),
        _ => return None,
    };
    Some((cursor, judge::period(expression)? * 3 + GRACE))
}

async fn files(stack: &Stack, mapping: Option<&Mapping>) -> Result<Vec<Line>, Error> {
    let parameter =
        |name: &str| stack.deployed.parameters.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let Some(bucket) = parameter("AceBucketName") else {
        return Ok(vec![Line::new(
            FILES,
            "AWS's bucket",
            Verdict::ok("no files are exchanged (AceBucketName is empty)"),
        )]);
    };
    let ledger = stack.ledger()?;
    let (role, key) = (parameter("AceRoleArn"), parameter("AceKmsKeyArn"));
    let mut lines = ace_bucket(stack, &ledger, bucket, role, key).await;
    lines.push(match mapping {
        None => Line::new(FILES, "to AWS", Verdict::skipped(NO_MAPPING)),
        Some(mapping) => {
            let look = Look { ledger: Box::new(ledger), exchange: mapping.files, now: Timestamp::now };
            let verdict = match look.unanswered().await {
                Ok(files) => {
                    let late = files.iter().filter(|(_, passage)| *passage == Passage::Late).count();
                    judge::unanswered(files.len(), late)
                }
                Err(SyncError::Port(error)) => refusal(&error, DEPLOY),
                Err(error) => Verdict::failed(judge::told(&error), DEPLOY),
            };
            Line::new(FILES, "to AWS", verdict)
        }
    });
    Ok(lines)
}

/// The folders in which AWS leaves records.
const FROM_AWS: [&str; 2] = ["opportunity-outbound/", "lead-outbound/"];

async fn ace_bucket(
    stack: &Stack,
    ledger: &DynamoLedger,
    name: &str,
    role: Option<&str>,
    key: Option<&str>,
) -> Vec<Line> {
    let bucket = stack.aws.ace_bucket(name, role, key).await;
    let mut listed = Vec::new();
    for folder in FROM_AWS {
        match within("ListObjectsV2", bucket.list(folder)).await {
            Ok(files) => listed.extend(files),
            Err(error) => {
                let skipped = Line::new(FILES, "from AWS", Verdict::skipped("the bucket cannot be listed"));
                let verdict = match (within("HeadBucket", bucket.exists()).await, role) {
                    (Ok(false), _) => Verdict::failed(
                        "there is no bucket of this name",
                        "deploy with AceBucketName=the bucket that AWS named for you, or without, when no files are exchanged",
                    ),
                    (_, Some(_)) => {
                        refusal(&error, "let the role AceRoleArn trust this account, and AWS's bucket policy the role")
                    }
                    (_, None) => match (&error, refusal(&error, RIGHTS)) {
                        // AWS may well trust the functions and not us.
                        (PortError::Unauthorized { .. }, refused) => Verdict::warning(
                            format!("{}; the functions may be allowed what you are not", refused.found),
                            "ask AWS to allow the roles of FnFilePoll, FnFileSend and FnOutboundFile, or deploy with AceRoleArn",
                        ),
                        (_, refused) => refused,
                    },
                };
                return vec![Line::new(FILES, name, verdict), skipped];
            }
        }
    }
    let answers = Line::new(FILES, name, Verdict::ok(format!("{} file(s) from AWS are there", listed.len())));
    let states = listed.iter().map(async |file| {
        within("the state of a file", ledger.file(&file.key, &file.version)).await.map(|state| (file, state))
    });
    let states: PortResult<Vec<_>> = join_all(states).await.into_iter().collect();
    let unusable = match states {
        Ok(states) => {
            let unusable = states.into_iter().filter(|(_, state)| *state == Some(FileState::Unusable));
            judge::unusable(&unusable.map(|(file, _)| file.key.clone()).collect::<Vec<_>>())
        }
        Err(error) => refusal(&error, DEPLOY),
    };
    vec![answers, Line::new(FILES, "from AWS", unusable)]
}
