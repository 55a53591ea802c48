use cosell_model::{Kind, PayloadVersion};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::folder_to_aws;
use crate::{Link, LinkKey};

/// What is in a file to AWS, stored before the file is sent: by it AWS's answer is understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The file's key in AWS's bucket.
    pub key: String,
    /// What its records are.
    pub kind: Kind,
    /// Its payload version.
    pub version: PayloadVersion,
    /// When it was made.
    pub made_at: Timestamp,
    /// When AWS's bucket had it for certain.
    #[serde(default)]
    pub sent_at: Option<Timestamp>,
    /// Whether somebody was told that AWS does not answer.
    #[serde(default)]
    pub missed: bool,
    /// When AWS's answer was settled, or nobody waited for it any more.
    #[serde(default)]
    pub answered_at: Option<Timestamp>,
    /// Whether its records were sent again in its place.
    #[serde(default)]
    pub resent: bool,
    /// Its records, in order.
    pub records: Vec<Shipped>,
}

/// One record of a file to AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipped {
    /// Its link.
    pub link: LinkKey,
    /// The CRM's identifier, by which AWS's answer names it.
    pub crm_id: Option<String>,
    /// AWS's, if it has one.
    pub ace_id: Option<String>,
}

impl From<&Link> for Shipped {
    fn from(link: &Link) -> Self {
        Self {
            link: link.born_as.clone(),
            crm_id: link.crm().map(|record| record.id.clone()),
            ace_id: link.ace_id().map(str::to_owned),
        }
    }
}

impl Manifest {
    /// The manifest of a new file. No two files have one name, whoever makes them: AWS refuses a name that it has seen.
    pub fn new(kind: Kind, version: PayloadVersion, records: Vec<Shipped>, now: Timestamp) -> Self {
        let key =
            format!("{}cosell-{}_{}.json", folder_to_aws(kind), Uuid::new_v4().simple(), now.strftime("%m%d%Y%H%M%S"));
        Self {
            key,
            kind,
            version,
            made_at: now,
            sent_at: None,
            missed: false,
            answered_at: None,
            resent: false,
            records,
        }
    }

    /// Whether AWS has let pass these hours without an answer.
    pub fn is_late(&self, answer_hours: u32, now: Timestamp) -> bool {
        let late = |sent: Timestamp| sent.checked_add(SignedDuration::from_hours(answer_hours.into())).ok();
        self.answered_at.is_none() && self.sent_at.and_then(late).is_some_and(|late| late < now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_aws_wants_them_and_never_the_same() {
        let now = "2026-03-09T14:05:06.7Z".parse().unwrap();
        let names: Vec<_> =
            (0..2).map(|_| Manifest::new(Kind::Lead, PayloadVersion::V2, Vec::new(), now).key).collect();
        assert!(
            names[0].starts_with("lead-inbound/cosell-") && names[0].ends_with("_03092026140506.json"),
            "{names:?}"
        );
        assert_ne!(names[0], names[1]);
    }
}
