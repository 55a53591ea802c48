//! Bodies of the API's requests that name a record and say one thing about it. Creations and updates carry a whole record:
//! [`create_body`](crate::api::create_body), [`update_body`](crate::api::update_body).

use serde_json::{Value as Json, json};

use crate::{Catalog, EngagementId, InvitationId, OpportunityId};

/// `AssociateOpportunity` and `DisassociateOpportunity`.
pub fn association(catalog: Catalog, id: &OpportunityId, entity_type: &str, entity: &str) -> Json {
    json!({
        "Catalog": catalog.as_str(), "OpportunityIdentifier": id.as_str(),
        "RelatedEntityType": entity_type, "RelatedEntityIdentifier": entity,
    })
}

/// `AssignOpportunity`.
pub fn assignment(catalog: Catalog, id: &OpportunityId, assignee: &Json) -> Json {
    json!({"Catalog": catalog.as_str(), "Identifier": id.as_str(), "Assignee": assignee})
}

/// `StartEngagementFromOpportunityTask`.
pub fn submission(catalog: Catalog, id: &OpportunityId, token: &str, involvement: &str, visibility: &str) -> Json {
    json!({
        "Catalog": catalog.as_str(), "ClientToken": token, "Identifier": id.as_str(),
        "AwsSubmission": {"InvolvementType": involvement, "Visibility": visibility},
    })
}

/// `StartEngagementByAcceptingInvitationTask`.
pub fn acceptance(catalog: Catalog, id: &InvitationId, token: &str) -> Json {
    json!({"Catalog": catalog.as_str(), "ClientToken": token, "Identifier": id.as_str()})
}

/// `AcceptEngagementInvitation`.
pub fn joining(catalog: Catalog, id: &InvitationId) -> Json {
    json!({"Catalog": catalog.as_str(), "Identifier": id.as_str()})
}

/// `RejectEngagementInvitation`.
pub fn rejection(catalog: Catalog, id: &InvitationId, reason: &str) -> Json {
    json!({"Catalog": catalog.as_str(), "Identifier": id.as_str(), "RejectionReason": reason})
}

/// `StartOpportunityFromEngagementTask`.
pub fn conversion(catalog: Catalog, id: &EngagementId, context: &str, token: &str) -> Json {
    json!({
        "Catalog": catalog.as_str(), "ClientToken": token, "Identifier": id.as_str(), "ContextIdentifier": context,
    })
}
