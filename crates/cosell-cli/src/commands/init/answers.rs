//! The questions, what a usable answer looks like, and what the answers become. Nothing here asks anybody.

use std::collections::BTreeMap;

use clap::Args;
use cosell_model::{Catalog, file};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::commands::doctor::judge;

/// What stands for "without": no leads, no files, no mails.
pub const NONE: &str = "none";

/// Answers that are there already. What is missing is asked for.
#[derive(Debug, Default, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// The catalog of Partner Central: `Sandbox` (the default) or `AWS`, which is for real.
    #[arg(long)]
    catalog: Option<String>,
    /// The CRM's own address: `https://my-domain.my.salesforce.com`.
    #[arg(long, value_name = "URL")]
    crm_endpoint: Option<String>,
    /// The secret with the integration user's `client_id` and `client_secret`. There is no option for these themselves: a
    /// terminal is asked for them and makes the secret.
    #[arg(long, value_name = "ARN")]
    crm_secret: Option<String>,
    /// The CRM's object for opportunities; `Opportunity` by default.
    #[arg(long, value_name = "OBJECT")]
    opportunity_object: Option<String>,
    /// The CRM's object for leads, or `none`; `Lead` by default.
    #[arg(long, value_name = "OBJECT")]
    lead_object: Option<String>,
    /// AWS's bucket of the file exchange, or `none`, the default.
    #[arg(long, value_name = "NAME")]
    ace_bucket: Option<String>,
    /// The role to reach that bucket with; `none` by default: the bucket trusts the functions' own roles.
    #[arg(long, value_name = "ARN")]
    ace_role: Option<String>,
    /// How often changed opportunities are looked for: `rate(1 minute)`, the default, to `rate(1 day)`.
    #[arg(long, value_name = "RATE")]
    push_rate: Option<String>,
    /// How often changed leads are looked for, likewise.
    #[arg(long, value_name = "RATE")]
    lead_push_rate: Option<String>,
    /// Who gets the alarms by e-mail; `none` by default.
    #[arg(long, value_name = "ADDRESS")]
    alarm_email: Option<String>,
}

/// A question: its name in a file of answers, the words, what stands without an answer, and what is wrong with one.
#[derive(Debug)]
pub struct Question {
    /// Its name, and with dashes that of its option.
    pub name: &'static str,
    /// For people.
    pub words: &'static str,
    /// The parameter of the stack that it becomes.
    pub parameter: Option<&'static str>,
    /// None where nobody can guess.
    pub default: Option<&'static str>,
    wrong: fn(&str) -> Option<&'static str>,
}

impl Question {
    /// What is wrong with an answer, as far as that can be seen.
    pub fn wrong(&self, answer: &str) -> Option<&'static str> {
        // The parameters' file goes through make, a shell and sam.
        let breaks_out = |letter: char| letter.is_control() || "'\"\\$`".contains(letter);
        if answer.is_empty() {
            return Some("it must not be empty");
        }
        if answer.contains(breaks_out) {
            return Some("it must have no quotes, dollars or backslashes");
        }
        (self.wrong)(answer)
    }
}

const fn question(
    name: &'static str,
    words: &'static str,
    parameter: Option<&'static str>,
    default: Option<&'static str>,
    wrong: fn(&str) -> Option<&'static str>,
) -> Question {
    Question { name, words, parameter, default, wrong }
}

pub const CATALOG: Question = question(
    "catalog",
    "Partner Central's catalog, Sandbox first or AWS",
    Some("Catalog"),
    Some("Sandbox"),
    |answer| answer.parse::<Catalog>().err().map(|_| "it is `Sandbox` or `AWS`"),
);
pub const CRM_ENDPOINT: Question =
    question("crm_endpoint", "The CRM's address", Some("SalesforceEndpoint"), None, |answer| {
        let host = answer.strip_prefix("https://").or_else(|| answer.strip_prefix("http://"));
        let is_host = host.is_some_and(|host| !host.is_empty() && !host.contains(['/', ' ']));
        (!is_host).then_some("it is the org's own address, https://my-domain.my.salesforce.com, and nothing after it")
    });
pub const CRM_SECRET: Question =
    question("crm_secret", "The ARN of the CRM's secret", Some("CrmSecretArn"), None, |answer| {
        let parts: Vec<_> = answer.splitn(7, ':').collect();
        let is_secret = matches!(parts[..], ["arn", _, "secretsmanager", _, account, "secret", name]
            if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty());
        (!is_secret).then_some("it is an ARN, arn:aws:secretsmanager:us-east-1:ACCOUNT:secret:NAME")
    });
pub const OPPORTUNITY_OBJECT: Question =
    question("opportunity_object", "The CRM's object for opportunities", None, Some("Opportunity"), |_| None);
pub const LEAD_OBJECT: Question =
    question("lead_object", "The CRM's object for leads, or none", None, Some("Lead"), |_| None);
pub const ACE_BUCKET: Question =
    question("ace_bucket", "AWS's bucket of the file exchange, or none", Some("AceBucketName"), Some(NONE), |answer| {
        (answer != NONE && file::partner_of(answer).is_none())
            .then_some("AWS's buckets are called ace-apn-NUMBER-beta-us-west-2 or ace-apn-NUMBER-prod-us-west-2")
    });
pub const ACE_ROLE: Question =
    question("ace_role", "The role for that bucket, or none", Some("AceRoleArn"), Some(NONE), |answer| {
        let is_role = answer.starts_with("arn:") && answer.contains(":role/");
        (answer != NONE && !is_role).then_some("it is an ARN, arn:aws:iam::ACCOUNT:role/NAME")
    });
pub const PUSH_RATE: Question =
    question("push_rate", "How often to look for changed opportunities", Some("PushSchedule"), Some(MINUTELY), rate);
pub const LEAD_PUSH_RATE: Question =
    question("lead_push_rate", "How often to look for changed leads", Some("LeadPushSchedule"), Some(MINUTELY), rate);
pub const ALARM_EMAIL: Question =
    question("alarm_email", "Who gets the alarms by e-mail, or none", Some("AlarmEmail"), Some(NONE), |answer| {
        let is_address = answer.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
        (answer != NONE && (!is_address || answer.contains(' '))).then_some("it is an e-mail address")
    });

/// All of them, in the order in which they are asked.
pub const QUESTIONS: [&Question; 10] = [
    &CATALOG,
    &CRM_ENDPOINT,
    &CRM_SECRET,
    &OPPORTUNITY_OBJECT,
    &LEAD_OBJECT,
    &ACE_BUCKET,
    &ACE_ROLE,
    &PUSH_RATE,
    &LEAD_PUSH_RATE,
    &ALARM_EMAIL,
];

const MINUTELY: &str = "rate(1 minute)";

fn rate(answer: &str) -> Option<&'static str> {
    let day = SignedDuration::from_hours(24);
    let fits = judge::period(answer).is_some_and(|period| period > SignedDuration::ZERO && period <= day);
    (!fits).then_some("it is a rate, from `rate(1 minute)` to `rate(1 day)`")
}

/// Answers by the names of their questions.
pub type Given = BTreeMap<String, String>;

/// A file's answers, and above them those of the command line.
pub fn given(file: Answers, line: Answers) -> Result<Given, serde_json::Error> {
    let texts = |answers: Answers| -> Result<BTreeMap<String, Option<String>>, _> {
        serde_json::from_value(serde_json::to_value(answers)?)
    };
    let all = texts(file)?.into_iter().chain(texts(line)?);
    Ok(all.filter_map(|(name, answer)| Some((name, answer?.trim().to_owned()))).collect())
}

/// Everything that keeps these answers from being enough by themselves.
pub fn lacking(given: &Given) -> Vec<String> {
    let lacks = QUESTIONS.into_iter().filter_map(|question| {
        let why = match given.get(question.name) {
            Some(answer) => question.wrong(answer)?,
            None if question.default.is_none() => "is missing",
            None => return None,
        };
        Some(format!("--{} (`{}` in a file): {why}", question.name.replace('_', "-"), question.name))
    });
    lacks.collect()
}

/// The parameters to deploy with, on one line, as `make deploy PARAMETERS=…` and `sam deploy --parameter-overrides` take
/// them. The schedules begin paused.
pub fn parameters(answers: &Given) -> String {
    let asked = QUESTIONS.into_iter().filter_map(|question| {
        let (parameter, answer) = (question.parameter?, answers.get(question.name)?);
        // What stands without an answer, the template says as well; which catalog it is should be read in the file.
        let plain = question.default == Some(answer.as_str()) && question.name != CATALOG.name;
        (!plain && answer != NONE).then(|| assigned(parameter, answer))
    });
    let mut all: Vec<String> = asked.collect();
    all.push(assigned("ScheduleState", "DISABLED"));
    all.join(" ")
}

/// sam wants double quotes around what has blanks, and the shell of make's recipe takes a pair of single ones away.
fn assigned(parameter: &str, value: &str) -> String {
    let is_plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:@+=,".contains(&byte));
    if is_plain { format!("{parameter}={value}") } else { format!("'{parameter}=\"{value}\"'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:us-east-1:111122223333:secret:cosell/crm-AbCdEf";

    fn answers(pairs: &[(&str, &str)]) -> Given {
        pairs.iter().map(|(name, answer)| ((*name).to_owned(), (*answer).to_owned())).collect()
    }

    #[test]
    fn the_questions_are_the_options() {
        assert!(given(Answers::default(), Answers::default()).unwrap().is_empty());
        let members = serde_json::to_value(Answers::default()).unwrap();
        let names: Vec<_> = members.as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, QUESTIONS.map(|question| question.name));
        let template = include_str!("../../../../../infra/template.yaml");
        for question in QUESTIONS {
            assert!(question.default.is_none_or(|default| question.wrong(default).is_none()), "{}", question.name);
            let parameter = question.parameter.map(|name| format!("\n  {name}:\n    Type: String\n"));
            assert!(parameter.is_none_or(|parameter| template.contains(&parameter)), "{}", question.name);
        }
    }

    #[test]
    fn what_is_usable() {
        for (question, usable, unusable) in [
            (&CATALOG, &["Sandbox", "AWS"][..], &["aws", ""][..]),
            (
                &CRM_ENDPOINT,
                &["https://acme.my.salesforce.com", "http://127.0.0.1:8080"],
                &["acme.my.salesforce.com", "https://acme.my.salesforce.com/", "https://", "https://a$b"],
            ),
            (&CRM_SECRET, &[ARN], &["cosell/crm", "arn:aws:secretsmanager:us-east-1:1:secret:x", "arn:aws:s3:::x"]),
            (&OPPORTUNITY_OBJECT, &["Deal__c"], &["", "De'al"]),
            (&ACE_BUCKET, &["none", "ace-apn-1234567-prod-us-west-2"], &["ace-apn-x-prod-us-west-2", "bucket"]),
            (&ACE_ROLE, &["none", "arn:aws:iam::111122223333:role/ace"], &["ace"]),
            (
                &PUSH_RATE,
                &["rate(1 minute)", "rate(12 hours)", "rate(1 day)"],
                &["rate(0 minutes)", "rate(2 days)", "cron(* * * * ? *)", "5 minutes"],
            ),
            (
                &ALARM_EMAIL,
                &["none", "ops@example.com"],
                &["ops", "ops@example", "o ps@example.com", "o'ps@example.com"],
            ),
        ] {
            for answer in usable {
                assert_eq!(question.wrong(answer), None, "{} {answer}", question.name);
            }
            for answer in unusable {
                assert!(question.wrong(answer).is_some(), "{} {answer}", question.name);
            }
        }
    }

    #[test]
    fn all_that_is_missing_or_wrong_is_said_at_once() {
        assert_eq!(
            lacking(&answers(&[("crm_endpoint", "https://acme.my.salesforce.com"), ("crm_secret", ARN)])),
            [""; 0]
        );
        assert_eq!(
            lacking(&answers(&[("catalog", "aws")])),
            [
                "--catalog (`catalog` in a file): it is `Sandbox` or `AWS`",
                "--crm-endpoint (`crm_endpoint` in a file): is missing",
                "--crm-secret (`crm_secret` in a file): is missing",
            ]
        );
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let answers = |catalog: &str, email: Option<&str>| Answers {
            catalog: Some(catalog.to_owned()),
            alarm_email: email.map(str::to_owned),
            ..Answers::default()
        };
        let all = given(answers("AWS", Some(" a@example.com ")), answers("Sandbox", None)).unwrap();
        assert_eq!((all["catalog"].as_str(), all["alarm_email"].as_str(), all.len()), ("Sandbox", "a@example.com", 2));
    }

    #[test]
    fn parameters_as_make_and_sam_take_them() {
        let all = answers(&[
            ("catalog", "Sandbox"),
            ("crm_endpoint", "https://acme.my.salesforce.com"),
            ("crm_secret", ARN),
            ("opportunity_object", "Opportunity"),
            ("ace_bucket", "none"),
            ("push_rate", "rate(5 minutes)"),
            ("lead_push_rate", "rate(1 minute)"),
            ("alarm_email", "ops+cosell@example.com"),
        ]);
        assert_eq!(
            parameters(&all),
            format!(
                "Catalog=Sandbox SalesforceEndpoint=https://acme.my.salesforce.com CrmSecretArn={ARN} \
                 'PushSchedule=\"rate(5 minutes)\"' AlarmEmail=ops+cosell@example.com ScheduleState=DISABLED"
            )
        );
    }
}
