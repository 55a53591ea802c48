//! The Partner Central Selling API, AWS JSON 1.0.

pub mod engagements;
pub mod errors;
pub mod events;
pub mod invitations;
pub mod lifecycle;
pub mod operations;
mod paging;
mod spend;
mod store;
pub mod table;
mod tasks;
pub mod text;
mod validation;
pub mod views;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::weather::Refusal;
use crate::wire::{self, Answer, Line};
use crate::world::{Face, State, World};
use errors::ApiError;
pub use store::{Class, Opportunity, Store};
pub use views::RELATED;

const TARGET: &str = "AWSPartnerCentralSelling.";

/// The face's one route.
pub fn router(world: Arc<World>) -> Router {
    Router::new().route("/", post(handle)).layer(DefaultBodyLimit::max(10 << 20)).with_state(world)
}

/// A JSON answer with the headers AWS sends.
pub fn answer(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

async fn handle(
    Shared(world): Shared<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Line>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let operation = target.strip_prefix(TARGET).unwrap_or_default();
    let act = |state: &mut State, now| match accept(&headers, &body) {
        Ok(request) => {
            let outcome = call(state, operation, &request, now);
            Answer { target_id: target_of(&request, outcome.as_ref().ok()), ..worded(outcome) }
        }
        Err(error) => worded(Err(error)),
    };
    wire::answer(&world, &line, (Face::PartnerCentral, operation), act, |refusal| worded(Err(refused(refusal)))).await
}

fn worded(outcome: Result<Value, ApiError>) -> Answer {
    match outcome {
        Ok(body) => Answer { response: answer(StatusCode::OK, &body), ..Answer::default() },
        Err(error) => Answer { error: Some(error.kind.clone()), response: error.into_response(), target_id: None },
    }
}

fn accept(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>, ApiError> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return Err(ApiError::new(403, "MissingAuthenticationTokenException", "Missing Authentication Token"));
    }
    serde_json::from_slice(body)
        .map_err(|_| ApiError::new(400, "SerializationException", "the body is not a JSON object"))
}

fn refused(refusal: &Refusal) -> ApiError {
    let Refusal::Error { status, code } = refusal else { return ApiError::throttled() };
    let usual = match status {
        400 => "ValidationException",
        403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        429 => "ThrottlingException",
        500 => "InternalServerException",
        _ => "ServiceUnavailableException",
    };
    let kind = code.as_deref().unwrap_or(usual);
    ApiError::new(*status, kind, "a failure that the sandbox was told to act out")
}

fn target_of(request: &Map<String, Value>, answer: Option<&Value>) -> Option<String> {
    ["Identifier", "OpportunityIdentifier", "RelatedOpportunityIdentifier", "EngagementIdentifier"]
        .iter()
        .find_map(|key| request.get(*key)?.as_str())
        .or_else(|| answer?.get("Id")?.as_str())
        .map(str::to_owned)
}

/// Runs one operation on the state.
pub fn call(
    state: &mut State,
    operation: &str,
    request: &Map<String, Value>,
    now: Timestamp,
) -> Result<Value, ApiError> {
    let Some(rows) = table::TABLE.requests.get(operation) else {
        return Err(ApiError::new(400, "UnknownOperationException", "not implemented by the sandbox"));
    };
    if state.switches.enforce_quotas {
        state.partner_central.spend_quota(operation, now)?;
    }
    let problems = table::check(rows, request)?;
    if !problems.is_empty() {
        return Err(ApiError::request(problems));
    }
    if request.get("Catalog") != Some(&json!(state.settings.catalog)) {
        return Err(ApiError::not_found("Catalog"));
    }
    match operation {
        "GetOpportunity" => operations::get_opportunity(state, request),
        "GetAwsOpportunitySummary" => operations::get_summary(state, request),
        "ListOpportunities" => operations::list_opportunities(state, request),
        "CreateOpportunity" => operations::create(state, request, now),
        "UpdateOpportunity" => operations::update(state, request, now),
        "AssociateOpportunity" => operations::associate(state, request, now),
        "DisassociateOpportunity" => operations::disassociate(state, request, now),
        "AssignOpportunity" => operations::assign(state, request, now),
        "SubmitOpportunity" => operations::submit(state, request, now),
        "StartEngagementFromOpportunityTask" => operations::start_engagement(state, request, now),
        "ListEngagementFromOpportunityTasks" => tasks::list(state, &tasks::SUBMISSION, request),
        "ListEngagementByAcceptingInvitationTasks" => tasks::list(state, &tasks::ACCEPTANCE, request),
        "ListOpportunityFromEngagementTasks" => tasks::list(state, &tasks::CONVERSION, request),
        "ListSolutions" => operations::list_solutions(state, request),
        "GetEngagementInvitation" => invitations::get(state, request),
        "ListEngagementInvitations" => invitations::list(state, request),
        "StartEngagementByAcceptingInvitationTask" => invitations::start_accepting(state, request, now),
        "AcceptEngagementInvitation" => invitations::accept(state, request, now),
        "RejectEngagementInvitation" => invitations::reject(state, request, now),
        "GetEngagement" => engagements::get(state, request),
        "ListEngagements" => engagements::list(state, request),
        "ListEngagementResourceAssociations" => engagements::associations(state, request),
        "UpdateEngagementContext" => engagements::update_context(state, request, now),
        "StartOpportunityFromEngagementTask" => engagements::start_opportunity(state, request, now),
        _ => Err(ApiError::new(400, "UnknownOperationException", "not implemented by the sandbox")),
    }
}

#[cfg(test)]
mod tests;
