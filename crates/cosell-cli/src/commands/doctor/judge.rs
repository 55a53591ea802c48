//! From what was found to what is said of it. Nothing here asks anybody.

use std::{collections::BTreeMap, error::Error, iter::successors};

use cosell_aws::{BucketSettings, DeployedResource, QueueDepth, TableSettings};
use cosell_mapping::{Finding, Severity};
use cosell_sync::ports::{PortError, Rejection};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, and somebody should know or choose.
    Warning,
    /// It does not work.
    Failed,
    /// What it needs failed before.
    Skipped,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How it ended.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub mend: Option<String>,
}

impl Verdict {
    pub fn ok(found: impl Into<String>) -> Self {
        Self { status: Status::Ok, found: found.into(), mend: None }
    }

    pub fn warning(found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { status: Status::Warning, found: found.into(), mend: Some(mend.into()) }
    }

    pub fn failed(found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { status: Status::Failed, found: found.into(), mend: Some(mend.into()) }
    }

    pub fn skipped(because: &str) -> Self {
        Self { status: Status::Skipped, found: format!("because {because}"), mend: None }
    }
}

/// The outputs that this version asks a stack for.
pub const OUTPUTS: [&str; 21] = [
    "Catalog",
    "Table",
    "ReadsPerSecond",
    "ReadsPerDay",
    "WritesPerSecond",
    "WritesPerDay",
    "LandingBucket",
    "ConfigBucket",
    "LogRetentionDays",
    "SalesforceEndpoint",
    "CrmSecretArn",
    "FnOpportunityQueue",
    "FnOpportunityDeadLetters",
    "FnInvitationQueue",
    "FnInvitationDeadLetters",
    "FnOutboundFileQueue",
    "FnOutboundFileDeadLetters",
    "FnDeliverQueue",
    "FnDeliverDeadLetters",
    "FnChangedQueue",
    "FnChangedDeadLetters",
];

/// The functions of this version, by their names in the template.
pub const FUNCTIONS: [&str; 10] = [
    "FnOpportunity",
    "FnInvitation",
    "FnOutboundFile",
    "FnDeliver",
    "FnPush",
    "FnChanged",
    "FnFilePoll",
    "FnFileSend",
    "FnReconcile",
    "FnReplay",
];

/// A schedule, by its name in the template, and what says whether it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheduled {
    /// The schedule.
    pub name: &'static str,
    /// The parameter that pauses it alone.
    pub own: Option<&'static str>,
    /// Whether it is off where there is no bucket of AWS's.
    pub of_files: bool,
}

/// The schedules of this version.
pub const SCHEDULES: [Scheduled; 6] = [
    Scheduled { name: "FnPushSchedule", own: Some("PushState"), of_files: false },
    Scheduled { name: "FnPushLeadsSchedule", own: Some("LeadPushState"), of_files: false },
    Scheduled { name: "FnFilePollSchedule", own: None, of_files: true },
    Scheduled { name: "FnFileSendSchedule", own: None, of_files: true },
    Scheduled { name: "FnReconcileSchedule", own: None, of_files: false },
    Scheduled { name: "FnReplaySchedule", own: None, of_files: false },
];

/// What an error and its causes say.
pub fn told(error: &(dyn Error + 'static)) -> String {
    successors(Some(error), |error| Error::source(*error)).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What kept an answer away. The mend is for when somebody answered, and refused.
pub fn refusal(error: &PortError, mend: &str) -> Verdict {
    match error {
        PortError::Throttled { .. } => {
            Verdict::warning(told(error), "too much was asked at once: try again in a minute")
        }
        PortError::Conflict { .. } => Verdict::warning(told(error), "something else was faster: try again"),
        PortError::Unavailable { .. } => Verdict::failed(
            told(error),
            "see whether the address is right, can be reached from here and is up; then try again",
        ),
        PortError::Rejected { problems, .. } => {
            let said = problems.iter().map(|Rejection { code, message, .. }| format!("{code}: {message}"));
            Verdict::failed(format!("{}: {}", told(error), said.collect::<Vec<_>>().join("; ")), mend)
        }
        PortError::Unauthorized { .. } | PortError::NotFound { .. } => Verdict::failed(told(error), mend),
    }
}

/// The state of a stack.
pub fn stack_state(status: &str) -> Verdict {
    let has = |end: &str| status.ends_with(end);
    match () {
        () if has("ROLLBACK_COMPLETE") && status.starts_with("UPDATE") => Verdict::warning(
            format!("{status}: the last deployment failed and was undone"),
            "read the stack's events in CloudFormation, mend the cause, and `make deploy` again",
        ),
        () if has("ROLLBACK_COMPLETE") || status.starts_with("DELETE") => Verdict::failed(
            format!("{status}: nothing of it runs"),
            "delete the stack (its table and buckets stay) and `make deploy` again",
        ),
        () if has("_COMPLETE") => Verdict::ok(status),
        () if has("_IN_PROGRESS") => {
            Verdict::warning(format!("{status}: it is being deployed"), "wait until that is over, and try again")
        }
        () => Verdict::failed(
            status,
            "read the stack's events in CloudFormation, mend the cause, and `make deploy` again",
        ),
    }
}

/// Whether a stack has what this version asks for.
pub fn outputs(present: &BTreeMap<String, String>) -> Verdict {
    let missing: Vec<_> = OUTPUTS.into_iter().filter(|name| !present.contains_key(*name)).collect();
    if missing.is_empty() {
        return Verdict::ok(format!("all {} outputs of this version", OUTPUTS.len()));
    }
    Verdict::failed(
        format!("no output {}", missing.join(", ")),
        "the stack is from another version of infra/template.yaml: `make deploy` from the version of this command",
    )
}

/// How far somebody's clock is from ours.
pub fn clock(ahead: Option<SignedDuration>) -> Verdict {
    const NOTABLE: SignedDuration = SignedDuration::from_mins(1);
    const TOO_MUCH: SignedDuration = SignedDuration::from_mins(5);
    let Some(ahead) = ahead else { return Verdict::ok("the answer has no date") };
    let found = match (ahead.abs().as_secs(), ahead.is_negative()) {
        (0 | 1, _) => "the same as here".to_owned(),
        (seconds, false) => format!("{seconds} s ahead of here"),
        (seconds, true) => format!("{seconds} s behind here"),
    };
    let mend = "set this machine's clock (NTP): AWS refuses what is signed at another time, and deadlines shift";
    match ahead.abs() {
        skew if skew >= TOO_MUCH => Verdict::failed(found, mend),
        skew if skew >= NOTABLE => Verdict::warning(found, mend),
        _ => Verdict::ok(found),
    }
}

/// What is used of a day's quota.
pub fn quota(what: &str, used: u64, per_day: u32) -> Verdict {
    let per_day = u64::from(per_day).max(1);
    let found = format!("{used} of {per_day} {what} in 24 hours ({} %)", used * 100 / per_day);
    if used >= per_day {
        Verdict::failed(
            found,
            "nothing goes until an hour of yesterday's is over: ask AWS for more, then raise the stack's parameter",
        )
    } else if used * 10 >= per_day * 8 {
        Verdict::warning(found, "ask AWS for more, then raise the stack's parameter; or poll and reconcile more rarely")
    } else {
        Verdict::ok(found)
    }
}

/// The mapping that is deployed, and the one that was checked last.
pub fn mapping(deployed: Option<&str>, wrong: &[Finding], checked: Option<&str>) -> Verdict {
    const PUSH: &str = "`cosell config push mapping.toml` checks it and puts it there";
    if deployed.is_none() {
        return Verdict::failed("there is no mapping.toml in the ConfigBucket: no function can work", PUSH);
    }
    if let Some(first) = wrong.first() {
        let rest = match wrong.len() {
            1 => String::new(),
            count => format!(", and {} more", count - 1),
        };
        let runs =
            if checked.is_some() { "the functions go on with the last good one" } else { "no function can work" };
        return Verdict::failed(
            format!("it cannot be used, and {runs}: {first}{rest}"),
            "`cosell mapping check mapping.toml` says everything; mend it and `cosell config push` it",
        );
    }
    if checked != deployed {
        return Verdict::warning("it was put there without a check: it is not the one that was checked last", PUSH);
    }
    Verdict::ok("it is the one that was checked last")
}

/// Something that does not fit between the mapping and the CRM.
pub fn finding(finding: &Finding) -> Verdict {
    let mend = "mend it in the CRM, or in the mapping and `cosell config push` it";
    match finding.severity {
        Severity::Error => Verdict::failed(finding.to_string(), mend),
        Severity::Warning => Verdict::warning(finding.to_string(), mend),
    }
}

/// How the ledger's table is set: what to call it, and what it is.
pub fn table(TableSettings { forgets, recoverable }: TableSettings) -> [(&'static str, Verdict); 2] {
    const DEPLOY: &str = "somebody changed the table: set it back, or let CloudFormation detect the drift and deploy";
    let judge = |set: bool, good: &str, bad: &str| {
        if set { Verdict::ok(good) } else { Verdict::warning(bad, DEPLOY) }
    };
    [
        ("time to live", judge(forgets, "on", "off: the sync log grows for ever")),
        (
            "point-in-time recovery",
            judge(recoverable, "on", "off: lost links could not be restored, and everything would be created again"),
        ),
    ]
}

/// How a bucket of ours is set.
pub fn bucket(settings: BucketSettings, must_announce: bool) -> Verdict {
    let BucketSettings { versioned, encrypted, announces } = settings;
    if must_announce && !announces {
        return Verdict::failed(
            "it does not tell EventBridge of new files: FnOutboundFile never hears of them",
            "turn on EventBridge under the bucket's event notifications, as the template has it",
        );
    }
    let lacks: Vec<_> = [(versioned, "versioning"), (encrypted, "encryption")]
        .into_iter()
        .filter_map(|(set, name)| (!set).then_some(name))
        .collect();
    if lacks.is_empty() {
        return Verdict::ok("it is there, versioned and encrypted");
    }
    Verdict::warning(format!("without {}", lacks.join(" and ")), "turn it on, as the template has it")
}

/// A queue, looked at twice where nobody seemed to work on it.
pub fn queue(first: QueueDepth, again: Option<QueueDepth>) -> Verdict {
    const MANY: u64 = 1_000;
    let found = |depth: QueueDepth| format!("{} waiting, {} in flight", depth.waiting, depth.in_flight);
    let idle = |depth: QueueDepth| depth.waiting > 0 && depth.in_flight == 0;
    match again {
        Some(again) if idle(first) && idle(again) && again.waiting >= first.waiting => Verdict::warning(
            format!("{}: nobody works on it", found(again)),
            "look into its function's log, and whether the function's trigger is enabled",
        ),
        _ if first.waiting >= MANY => Verdict::warning(
            found(first),
            "a burst passes by itself; if it does not, the function's log and the quotas above say what it waits for",
        ),
        _ => Verdict::ok(found(first)),
    }
}

/// A dead-letter queue. Of schedules: runs that could not start or failed, which nobody replays.
pub fn dead_letters(depth: QueueDepth, of_schedules: bool) -> Verdict {
    match depth.waiting + depth.in_flight {
        0 => Verdict::ok("empty"),
        count if of_schedules => Verdict::warning(
            format!("{count} scheduled run(s) failed or could not start"),
            "the function's log says why; the next run does the same work, so purge the queue once it is mended",
        ),
        count => Verdict::warning(
            format!("{count} message(s) could not be worked off"),
            "`cosell dlq list` shows them with their cause; what heals by itself, FnReplay sends back",
        ),
    }
}

/// What a stack's parameters want of a schedule: whether it runs, and which parameter says so.
fn chosen<'p>(schedule: Scheduled, parameters: &'p BTreeMap<String, String>) -> (bool, &'static str) {
    let parameter = |name: &str| parameters.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let runs = |value: Option<&'p str>| value.is_none_or(|value| value == "ENABLED");
    if schedule.of_files && parameter("AceBucketName").is_none() {
        return (false, "AceBucketName");
    }
    match schedule.own.filter(|own| parameter(own).is_some()) {
        Some(own) => (runs(parameter(own)), own),
        None => (runs(parameter("ScheduleState")), "ScheduleState"),
    }
}

/// A schedule: as it is, and as the stack's parameters want it.
pub fn schedule(schedule: Scheduled, enabled: bool, parameters: &BTreeMap<String, String>) -> Verdict {
    match (enabled, chosen(schedule, parameters)) {
        (true, (true, _)) => Verdict::ok("ENABLED"),
        (false, (false, "AceBucketName")) => Verdict::ok("off: no files are exchanged (AceBucketName is empty)"),
        (false, (false, by)) => Verdict::warning(
            format!("DISABLED by the stack's parameter {by}"),
            format!("deploy with {by}=ENABLED when it is to run"),
        ),
        (false, (true, by)) => Verdict::failed(
            format!("DISABLED by hand, and the stack's parameter {by} says ENABLED"),
            "enable it in EventBridge Scheduler, or deploy with the parameter DISABLED",
        ),
        (true, (false, by)) => Verdict::warning(
            format!("ENABLED by hand, and the stack's parameter {by} wants it off"),
            "the next deployment turns it off: choose which it is to be",
        ),
    }
}

/// The time between two runs of `rate(5 minutes)`; none for what is no rate.
pub fn period(expression: &str) -> Option<SignedDuration> {
    let (count, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let hours = match unit.trim_end_matches('s') {
        "minute" => return Some(SignedDuration::from_mins(count.parse().ok()?)),
        "hour" => 1,
        "day" => 24,
        _ => return None,
    };
    Some(SignedDuration::from_hours(count.parse::<i64>().ok()?.checked_mul(hours)?))
}

/// When something that leaves a mark at every good run left it, and how old that may be.
pub fn last_run(marked: Option<Timestamp>, longest: SignedDuration, now: Timestamp) -> Verdict {
    const MEND: &str = "its log and ScheduleDeadLetters say why; `cosell doctor` again once a run is over";
    let Some(marked) = marked else { return Verdict::warning("no run has succeeded yet", MEND) };
    let age = now.duration_since(marked);
    let found = format!("the last good run was {} min ago", age.as_mins().max(0));
    if age > longest { Verdict::warning(found, MEND) } else { Verdict::ok(found) }
}

/// The functions, as CloudFormation made them.
pub fn functions(resources: &BTreeMap<String, DeployedResource>) -> Verdict {
    let wrong: Vec<String> = FUNCTIONS
        .into_iter()
        .filter_map(|name| match resources.get(name) {
            None => Some(format!("{name} is not there")),
            Some(resource) if !resource.status.ends_with("_COMPLETE") || resource.status.starts_with("DELETE") => {
                Some(format!("{name} is {}", resource.status))
            }
            Some(_) => None,
        })
        .collect();
    if wrong.is_empty() {
        return Verdict::ok(format!("all {} are deployed; the queues above tell whether they work", FUNCTIONS.len()));
    }
    Verdict::failed(wrong.join(", "), "read the stack's events in CloudFormation, and `make deploy` again")
}

/// Files to AWS that it has not answered: how many, and how many of them for too long.
pub fn unanswered(files: usize, late: usize) -> Verdict {
    match (files, late) {
        (0, _) => Verdict::ok("AWS has answered every file"),
        (files, 0) => Verdict::ok(format!("{files} file(s) on their way, none of them late")),
        (files, late) => Verdict::warning(
            format!("AWS has not answered {late} of {files} file(s) in time"),
            "`cosell files list` names them; ask AWS, then `cosell files resend KEY`",
        ),
    }
}

/// Files from AWS of which nobody knows what to make.
pub fn unusable(keys: &[String]) -> Verdict {
    if keys.is_empty() {
        return Verdict::ok("none that could not be read");
    }
    Verdict::warning(
        format!("{} cannot be read and stay(s) at AWS's side", keys.join(", ")),
        "`cosell log --record KEY` says why; tell AWS, who writes it again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Failed, Ok, Skipped, Warning};

    fn error(code: &str) -> PortError {
        let what = "ListOpportunities".to_owned();
        match code {
            "throttled" => PortError::Throttled { what, retry_after: None },
            "conflict" => PortError::Conflict { what },
            "unavailable" => PortError::Unavailable { what, cause: Some("HTTP 503".into()) },
            "unauthorized" => PortError::Unauthorized { what, cause: Some("AccessDenied".into()) },
            "rejected" => PortError::Rejected {
                what,
                problems: vec![Rejection { field: None, code: "Bad".into(), message: "no such stack".into() }],
            },
            _ => PortError::NotFound { what },
        }
    }

    #[test]
    fn a_refusal_has_the_mend_of_its_check_and_a_passing_one_that_of_patience() {
        for (code, status, own, found) in [
            ("throttled", Warning, false, "ListOpportunities was throttled"),
            ("conflict", Warning, false, "ListOpportunities met a newer version"),
            ("unavailable", Failed, false, "ListOpportunities did not get through: HTTP 503"),
            ("unauthorized", Failed, true, "ListOpportunities is not allowed: AccessDenied"),
            ("rejected", Failed, true, "ListOpportunities was refused (1 problem(s)): Bad: no such stack"),
            ("not_found", Failed, true, "ListOpportunities found nothing"),
        ] {
            let verdict = refusal(&error(code), "give the right");
            assert_eq!((verdict.status, verdict.found.as_str()), (status, found), "{code}");
            assert_eq!(verdict.mend.as_deref() == Some("give the right"), own, "{code}");
            assert!(verdict.mend.is_some(), "{code}");
        }
    }

    #[test]
    fn states_of_a_stack() {
        for (state, status) in [
            ("CREATE_COMPLETE", Ok),
            ("UPDATE_COMPLETE", Ok),
            ("IMPORT_COMPLETE", Ok),
            ("UPDATE_ROLLBACK_COMPLETE", Warning),
            ("UPDATE_IN_PROGRESS", Warning),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Warning),
            ("ROLLBACK_COMPLETE", Failed),
            ("DELETE_COMPLETE", Failed),
            ("DELETE_FAILED", Failed),
            ("CREATE_FAILED", Failed),
            ("UPDATE_ROLLBACK_FAILED", Failed),
            ("", Failed),
        ] {
            assert_eq!(stack_state(state).status, status, "{state}");
        }
    }

    #[test]
    fn the_template_has_what_is_asked_for() {
        let template = include_str!("../../../../../infra/template.yaml");
        let outputs = template.split_once("\nOutputs:\n").expect("outputs").1;
        assert!(
            OUTPUTS
                .iter()
                .all(|name| outputs.contains(&format!("\n  {name}: {{"))
                    || outputs.starts_with(&format!("  {name}: {{")))
        );
        let names: Vec<_> = FUNCTIONS.into_iter().chain(SCHEDULES.map(|schedule| schedule.name)).collect();
        assert!(names.iter().all(|name| template.contains(&format!("\n  {name}:\n    Type: "))), "{names:?}");
        let count = |kind: &str| template.matches(&format!("    Type: {kind}\n")).count();
        assert_eq!(
            (count("AWS::Serverless::Function"), count("AWS::Scheduler::Schedule")),
            (FUNCTIONS.len(), SCHEDULES.len())
        );
        let states: Vec<_> = SCHEDULES
            .into_iter()
            .filter_map(|schedule| schedule.own)
            .chain(["ScheduleState", "AceBucketName"])
            .collect();
        assert!(states.iter().all(|name| template.contains(&format!("\n  {name}:\n    Type: String"))), "{states:?}");
    }

    #[test]
    fn missing_outputs_are_named() {
        let mut all: BTreeMap<String, String> = OUTPUTS.map(|name| (name.to_owned(), "x".to_owned())).into();
        assert_eq!(outputs(&all).status, Ok);
        all.remove("FnChangedQueue");
        let verdict = outputs(&all);
        assert_eq!((verdict.status, verdict.found.as_str()), (Failed, "no output FnChangedQueue"));
    }

    #[test]
    fn clocks() {
        for (seconds, status, found) in [
            (0, Ok, "the same as here"),
            (-59, Ok, "59 s behind here"),
            (60, Warning, "60 s ahead of here"),
            (-299, Warning, "299 s behind here"),
            (300, Failed, "300 s ahead of here"),
        ] {
            let verdict = clock(Some(SignedDuration::from_secs(seconds)));
            assert_eq!((verdict.status, verdict.found.as_str()), (status, found));
        }
        assert_eq!(clock(None).status, Ok);
    }

    #[test]
    fn quotas() {
        for (used, status) in [(0, Ok), (79, Ok), (80, Warning), (99, Warning), (100, Failed), (130, Failed)] {
            assert_eq!(quota("reads", used, 100).status, status, "{used}");
        }
        assert_eq!(quota("writes", 5, 10_000).found, "5 of 10000 writes in 24 hours (0 %)");
    }

    #[test]
    fn mappings() {
        let wrong = |count: usize| {
            let finding =
                Finding { severity: Severity::Error, place: "opportunity".into(), message: "no `ace_id`".into() };
            vec![finding; count]
        };
        for (deployed, count, checked, status, says) in [
            (None, 0, Some("a"), Failed, "there is no mapping.toml"),
            (Some("b"), 1, Some("a"), Failed, "go on with the last good one: opportunity: no `ace_id`"),
            (Some("b"), 3, None, Failed, "no function can work: opportunity: no `ace_id`, and 2 more"),
            (Some("b"), 0, Some("a"), Warning, "without a check"),
            (Some("b"), 0, None, Warning, "without a check"),
            (Some("a"), 0, Some("a"), Ok, "checked last"),
        ] {
            let verdict = mapping(deployed, &wrong(count), checked);
            assert_eq!(verdict.status, status, "{says}");
            assert!(verdict.found.contains(says), "{}", verdict.found);
        }
    }

    #[test]
    fn settings_of_tables_and_buckets() {
        for (forgets, recoverable) in [(true, true), (false, true), (true, false)] {
            let status = table(TableSettings { forgets, recoverable }).map(|(_, verdict)| verdict.status == Ok);
            assert_eq!(status, [forgets, recoverable]);
        }
        for (versioned, encrypted, announces, must_announce, status) in [
            (true, true, false, false, Ok),
            (true, true, true, true, Ok),
            (true, true, false, true, Failed),
            (false, true, true, true, Warning),
            (false, false, false, false, Warning),
        ] {
            let settings = BucketSettings { versioned, encrypted, announces };
            assert_eq!(bucket(settings, must_announce).status, status, "{settings:?}");
        }
    }

    #[test]
    fn a_queue_is_stuck_when_nobody_works_on_it_twice() {
        let depth = |waiting, in_flight| QueueDepth { waiting, in_flight };
        for (first, again, status) in [
            (depth(0, 0), None, Ok),
            (depth(40, 10), None, Ok),
            (depth(3, 0), Some(depth(3, 0)), Warning),
            (depth(3, 0), Some(depth(7, 0)), Warning),
            (depth(3, 0), Some(depth(1, 0)), Ok),
            (depth(3, 0), Some(depth(0, 3)), Ok),
            (depth(1_000, 10), None, Warning),
        ] {
            assert_eq!(queue(first, again).status, status, "{first:?} {again:?}");
        }
        assert_eq!(dead_letters(depth(0, 0), false).status, Ok);
        let letters = dead_letters(depth(1, 1), false);
        assert!(letters.found.starts_with("2 ") && letters.mend.is_some_and(|mend| mend.contains("cosell dlq list")));
        assert_eq!(dead_letters(depth(1, 0), true).status, Warning);
    }

    #[test]
    fn a_schedule_is_as_its_parameter_says_or_somebody_is_told() {
        const FILES: &str = "AceBucketName=ace";
        for (at, parameters, enabled, status, says) in [
            (0, "", true, Ok, "ENABLED"),
            (0, "ScheduleState=ENABLED", true, Ok, "ENABLED"),
            (0, "ScheduleState=DISABLED", false, Warning, "parameter ScheduleState"),
            (0, "ScheduleState=DISABLED PushState=ENABLED", true, Ok, "ENABLED"),
            (0, "PushState=DISABLED", false, Warning, "parameter PushState"),
            (1, "PushState=DISABLED", true, Ok, "ENABLED"),
            (1, "LeadPushState=DISABLED", false, Warning, "parameter LeadPushState"),
            (2, "", false, Ok, "AceBucketName"),
            (2, FILES, true, Ok, "ENABLED"),
            (2, FILES, false, Failed, "by hand"),
            (4, "ScheduleState=ENABLED", false, Failed, "by hand"),
            (4, "ScheduleState=DISABLED", true, Warning, "by hand"),
        ] {
            let parameters = parameters.split(' ').filter_map(|pair| pair.split_once('='));
            let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let verdict = schedule(SCHEDULES[at], enabled, &parameters);
            assert_eq!(verdict.status, status, "{at} {parameters:?}");
            assert!(verdict.found.contains(says), "{}", verdict.found);
        }
    }

    #[test]
    fn rates_and_runs() {
        for (expression, minutes) in [
            ("rate(1 minute)", Some(1)),
            ("rate(15 minutes)", Some(15)),
            ("rate(2 hours)", Some(120)),
            ("rate(1 day)", Some(1440)),
            ("rate(1 fortnight)", None),
            ("cron(0 12 * * ? *)", None),
        ] {
            assert_eq!(period(expression), minutes.map(SignedDuration::from_mins), "{expression}");
        }
        let now: Timestamp = "2026-03-09T02:00:00Z".parse().unwrap();
        let hour = SignedDuration::from_hours(1);
        assert_eq!(last_run(None, hour, now).status, Warning);
        assert_eq!(last_run(Some(now - SignedDuration::from_mins(59)), hour, now).status, Ok);
        assert_eq!(last_run(Some(now - SignedDuration::from_mins(61)), hour, now).status, Warning);
        assert_eq!(
            last_run(Some(now + SignedDuration::from_mins(1)), hour, now).found,
            "the last good run was 0 min ago"
        );
    }

    #[test]
    fn functions_that_are_missing_or_half_deployed() {
        let resource = |status: &str| DeployedResource { id: None, status: status.to_owned() };
        let mut all: BTreeMap<_, _> = FUNCTIONS.map(|name| (name.to_owned(), resource("UPDATE_COMPLETE"))).into();
        assert_eq!(functions(&all).status, Ok);
        all.remove("FnPush");
        all.insert("FnReplay".to_owned(), resource("UPDATE_FAILED"));
        assert_eq!(functions(&all).found, "FnPush is not there, FnReplay is UPDATE_FAILED");
    }

    #[test]
    fn files() {
        for (count, late, status) in [(0, 0, Ok), (2, 0, Ok), (2, 1, Warning)] {
            assert_eq!(unanswered(count, late).status, status);
        }
        assert_eq!(unusable(&[]).status, Ok);
        assert!(unusable(&["lead-outbound/a.json".to_owned()]).found.starts_with("lead-outbound/a.json"));
        assert_eq!(Verdict::skipped("the login failed").status, Skipped);
    }
}
