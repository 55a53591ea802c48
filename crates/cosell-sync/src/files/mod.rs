//! The file exchange. From AWS: files are fetched from AWS's bucket into our landing bucket, settled record by record,
//! and only then removed at AWS's side. To AWS: records that wait are collected into files, each with a manifest that is
//! stored before the file is sent, and AWS's answers are matched to it.

mod answers;
mod look;
mod manifest;
mod poll;
mod resend;
mod send;
mod settle;

pub use look::{Carried, Look, Passage, Shown, Whereabouts};
pub use manifest::{Manifest, Shipped};
pub use poll::{POLLED, Poll, Polled, land_again};
pub use resend::{Refusal, Resend, Resent};
pub use send::{DISPATCHED, Dispatched, Send};
pub use settle::Settle;
pub(crate) use settle::landed;

use cosell_model::Kind;

use crate::ports::AceFile;

/// The folders in which AWS leaves files for the partner. Its guide has two names for those of answers.
const FOLDERS: [&str; 6] = [
    "opportunity-outbound/",
    "lead-outbound/",
    "opportunity-inbound-processed-results/",
    "lead-inbound-processed-results/",
    "opportunity-inbound-results/",
    "lead-inbound-results/",
];

/// Where copies land. The rest of a key is `<folder>/<version>/<name>`.
pub const LANDING: &str = "landing/";

/// Where copies of what was sent are kept. The rest of a key is the key in AWS's bucket.
pub const SENT: &str = "sent/";

/// Records of one file that are settled at the same time: the CRM's adapter makes one request of what they ask for.
const ABREAST: usize = 200;

/// The folder in which AWS looks for the partner's files.
fn folder_to_aws(kind: Kind) -> &'static str {
    match kind {
        Kind::Opportunity => "opportunity-inbound/",
        Kind::Lead => "lead-inbound/",
    }
}

/// The folder in which AWS leaves records for the partner.
fn folder_from_aws(kind: Kind) -> &'static str {
    match kind {
        Kind::Opportunity => "opportunity-outbound/",
        Kind::Lead => "lead-outbound/",
    }
}

/// The file to AWS that a file of answers is about, by the answer's name; none for other files.
fn answered_by(key: &str) -> Option<String> {
    let (folder, name) = key.rsplit_once('/')?;
    let kind = [Kind::Opportunity, Kind::Lead]
        .into_iter()
        .find(|kind| folder.starts_with(folder_to_aws(*kind).trim_end_matches('/')))?;
    let stem = name.strip_suffix("_result.json").or_else(|| name.strip_suffix(".error.json")).unwrap_or(name);
    Some(format!("{}{stem}.json", folder_to_aws(kind)))
}

fn landing_key(file: &AceFile) -> String {
    let (folder, name) = file.key.rsplit_once('/').unwrap_or(("", &file.key));
    format!("{LANDING}{folder}/{}/{name}", file.version)
}

pub(crate) fn from_landing_key(key: &str) -> Option<AceFile> {
    let (folder, rest) = key.strip_prefix(LANDING)?.split_once('/')?;
    let (version, name) = rest.split_once('/')?;
    Some(AceFile { key: format!("{folder}/{name}"), version: version.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_landing_key_leads_back_to_its_file() {
        for key in ["lead-outbound/a.json", "opportunity-outbound/b c+d.json"] {
            let file = AceFile { key: key.to_owned(), version: "9f-2".to_owned() };
            assert_eq!(from_landing_key(&landing_key(&file)), Some(file));
        }
        assert_eq!(from_landing_key("config/mapping.toml"), None);
        assert_eq!(from_landing_key("landing/short"), None);
    }

    #[test]
    fn an_answer_names_the_file_that_it_is_about() {
        for (answer, file) in [
            ("lead-inbound-processed-results/a_1_result.json", Some("lead-inbound/a_1.json")),
            ("opportunity-inbound-results/a.error.json", Some("opportunity-inbound/a.json")),
            ("opportunity-outbound/a.json", None),
        ] {
            assert_eq!(answered_by(answer).as_deref(), file, "{answer}");
        }
    }
}
