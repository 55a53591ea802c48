//! What cosell tells others on the event bus: identifiers and states, no values. Whoever wants mails or chat messages
//! writes a rule on `source: cosell`.

use cosell_model::{Catalog, Kind};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{Link, log::Direction, ports::Rejection};

/// The source of cosell's own events.
pub const SOURCE: &str = "cosell";

/// Something that people or programs may want to hear of. The same may be told twice; what became of a record is in the
/// sync log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Notice {
    /// A record went from one side to the other.
    Synced {
        /// Which way.
        direction: Direction,
        /// ACE fields that were written.
        fields: Vec<String>,
    },
    /// AWS refers an opportunity or a lead to us.
    ReferralReceived {
        /// Until when it can be answered.
        expires_at: Option<Timestamp>,
    },
    /// Nobody has answered a referral, and the time is nearly over.
    ReferralExpiring {
        /// Until when it can be answered.
        expires_at: Option<Timestamp>,
    },
    /// AWS's review went on.
    ReviewStatusChanged {
        /// Where it stood.
        previous: String,
        /// Where it stands.
        review_status: String,
    },
    /// AWS's reviewer wants changes; what, is on the CRM's record.
    ActionRequired,
    /// A record could not go on; why, is in the sync log and on the CRM's record.
    SyncFailed {
        /// Which way.
        direction: Direction,
        /// The codes of what is wrong.
        codes: Vec<String>,
    },
}

/// An event for the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its detail type.
    pub detail_type: &'static str,
    /// Its detail.
    pub detail: Json,
}

/// What every notice says besides its own.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'n> {
    schema_version: &'static str,
    catalog: Catalog,
    at: Timestamp,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ace_id: Option<&'n str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation_id: Option<&'n str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crm_object: Option<&'n str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crm_id: Option<&'n str>,
    #[serde(flatten)]
    notice: &'n Notice,
}

impl Notice {
    /// A failure, by the codes of its problems.
    pub fn failed(direction: Direction, problems: &[Rejection]) -> Self {
        let mut codes: Vec<String> = problems.iter().map(|problem| problem.code.clone()).collect();
        codes.sort();
        codes.dedup();
        Self::SyncFailed { direction, codes }
    }

    fn detail_type(&self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Synced { .. }, Kind::Opportunity) => "Opportunity Synced",
            (Self::Synced { .. }, Kind::Lead) => "Lead Synced",
            (Self::ReferralReceived { .. }, _) => "Referral Received",
            (Self::ReferralExpiring { .. }, _) => "Referral Expiring",
            (Self::ReviewStatusChanged { .. }, _) => "Review Status Changed",
            (Self::ActionRequired, _) => "Action Required",
            (Self::SyncFailed { .. }, _) => "Sync Failed",
        }
    }

    /// The event that says so of a link's records.
    pub fn event(&self, catalog: Catalog, kind: Kind, link: &Link, at: Timestamp) -> Event {
        let crm = link.crm();
        let detail = Detail {
            schema_version: "1",
            catalog,
            at,
            kind: kind.as_str(),
            ace_id: link.ace_id(),
            invitation_id: link.invitation().map(cosell_model::InvitationId::as_str),
            crm_object: crm.map(|record| record.object.as_str()),
            crm_id: crm.map(|record| record.id.as_str()),
            notice: self,
        };
        Event { detail_type: self.detail_type(kind), detail: json!(detail) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CrmRef, LinkKey};

    #[test]
    fn a_notice_names_records_and_no_values() {
        let mut link = Link::new(LinkKey::Opportunity("O1234567".parse().unwrap()));
        link.also(LinkKey::Crm(CrmRef { object: "Opportunity".into(), id: "006A".into() }));
        let at = "2026-03-09T02:00:00Z".parse().unwrap();
        let problem = Rejection { field: Some("Name".into()), code: "REQUIRED".into(), message: "Jane".into() };
        let notice = Notice::failed(Direction::ToAws, &[problem.clone(), problem]);
        let Event { detail_type, detail } = notice.event(Catalog::Sandbox, Kind::Opportunity, &link, at);
        assert_eq!(detail_type, "Sync Failed");
        assert_eq!(
            detail,
            json!({"schemaVersion": "1", "catalog": "Sandbox", "at": "2026-03-09T02:00:00Z", "kind": "opportunity",
                "aceId": "O1234567", "crmObject": "Opportunity", "crmId": "006A", "direction": "to_aws", "codes": ["REQUIRED"]})
        );
    }
}
