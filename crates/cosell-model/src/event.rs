//! What an EventBridge event of Partner Central is about. Events are doorbells: they name a record and say no more.

use serde_json::Value as Json;

use crate::{Catalog, EngagementId, InvalidId, InvitationId, OpportunityId};

/// What rang.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ring {
    /// An opportunity was created or changed, at either side.
    Opportunity(OpportunityId),
    /// An invitation that we received was created, accepted, rejected or expired.
    Invitation(InvitationId),
    /// A lead that AWS shares changed.
    Lead(EngagementId),
    /// Nothing to do, and why.
    Nothing(&'static str),
}

/// Why an event cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnusableEvent {
    /// A detail-type that this version does not know.
    #[error("the detail-type `{0}` is not known")]
    UnknownType(String),
    /// The detail names no catalog.
    #[error("the event names no usable catalog")]
    Catalog(#[source] InvalidId),
    /// The detail names no record.
    #[error("the event of type `{detail_type}` names no usable record at `{path}`")]
    Record {
        /// The event's type.
        detail_type: String,
        /// Where the identifier should be.
        path: &'static str,
        /// What is wrong with it.
        #[source]
        cause: InvalidId,
    },
}

/// Reads an event's `detail-type` and `detail`.
///
/// The developer guide and the EventBridge reference disagree about some names: both are known here.
pub fn read(detail_type: &str, detail: &Json) -> Result<(Catalog, Ring), UnusableEvent> {
    let text = |path: &str| detail.pointer(path).and_then(Json::as_str).unwrap_or_default();
    let unusable = |path, cause| UnusableEvent::Record { detail_type: detail_type.to_owned(), path, cause };
    let ring = match detail_type {
        "Opportunity Created" | "Opportunity Updated" | "Opportunity Accepted" | "Opportunity Rejected" => {
            let path = "/opportunity/identifier";
            Ring::Opportunity(text(path).parse().map_err(|cause| unusable(path, cause))?)
        }
        "Engagement Invitation Created"
        | "Engagement Invitation Accepted"
        | "Engagement Invitation Rejected"
        | "Engagement Invitation Expired" => {
            let path = "/engagementInvitation/id";
            let id = InvitationId::from_id_or_arn(text(path)).map_err(|cause| unusable(path, cause))?;
            // Both spellings occur. As sender it is our own submission, whose opportunity rings too.
            if text("/engagementInvitation/participantType").eq_ignore_ascii_case("SENDER") {
                Ring::Nothing("our own submission")
            } else {
                Ring::Invitation(id)
            }
        }
        "Engagement Created" | "Engagement Updated" => {
            let path = "/engagement/engagementId";
            let contexts = detail.pointer("/engagement/ContextTypes").and_then(Json::as_array);
            if contexts.is_some_and(|contexts| contexts.iter().any(|context| context == "Lead")) {
                Ring::Lead(EngagementId::from_id_or_arn(text(path)).map_err(|cause| unusable(path, cause))?)
            } else {
                Ring::Nothing("no lead: its opportunity or its invitation rings too")
            }
        }
        "Engagement Member Added" | "Engagement Member Joined" => {
            Ring::Nothing("who takes part is not shown in the CRM")
        }
        "Engagement Resource Snapshot Created" | "Resource Snapshot Created" => {
            Ring::Nothing("a copy for others of an opportunity that rings too")
        }
        other => return Err(UnusableEvent::UnknownType(other.to_owned())),
    };
    Ok((text("/catalog").parse().map_err(UnusableEvent::Catalog)?, ring))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rings_are_told_apart() {
        let opportunity = json!({"schemaVersion": "1", "catalog": "Sandbox", "opportunity": {"identifier": "O1"}});
        let invitation = |who: &str| json!({"catalog": "AWS", "engagementInvitation": {"id": "engi-0123456789abc", "participantType": who}});
        assert_eq!(
            read("Opportunity Updated", &opportunity),
            Ok((Catalog::Sandbox, Ring::Opportunity("O1".parse().unwrap())))
        );
        let id = "engi-0123456789abc".parse().unwrap();
        assert_eq!(
            read("Engagement Invitation Created", &invitation("Receiver")),
            Ok((Catalog::Aws, Ring::Invitation(id)))
        );
        assert!(matches!(read("Engagement Invitation Created", &invitation("SENDER")), Ok((_, Ring::Nothing(_)))));
        let engagement = |context: &str| json!({"catalog": "AWS", "engagement": {"engagementId": "eng-0123456789abcd", "ContextTypes": [context]}});
        let id = "eng-0123456789abcd".parse().unwrap();
        assert_eq!(read("Engagement Updated", &engagement("Lead")), Ok((Catalog::Aws, Ring::Lead(id))));
        assert!(matches!(read("Engagement Created", &engagement("CustomerProject")), Ok((_, Ring::Nothing(_)))));
        for none in ["Engagement Created", "Engagement Member Added", "Resource Snapshot Created"] {
            assert!(matches!(read(none, &json!({"catalog": "AWS"})), Ok((_, Ring::Nothing(_)))));
        }
    }

    #[test]
    fn unusable_events_say_why() {
        let shown = |detail_type, detail| read(detail_type, &detail).unwrap_err().to_string();
        assert_eq!(shown("Opportunity Exploded", json!({})), "the detail-type `Opportunity Exploded` is not known");
        assert_eq!(
            shown("Opportunity Updated", json!({"catalog": "AWS"})),
            "the event of type `Opportunity Updated` names no usable record at `/opportunity/identifier`"
        );
        assert_eq!(
            shown("Opportunity Updated", json!({"opportunity": {"identifier": "O1"}})),
            "the event names no usable catalog"
        );
    }
}
