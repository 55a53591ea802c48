//! The control API: AWS's people, the weather, and a look behind the scenes.

mod files;
mod samples;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State as Shared};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::files::bucket::Bucket;
use crate::files::opportunities::{Referral, Side};
use crate::partner_central::errors::{ApiError, Problem};
use crate::partner_central::table::{Rows, TABLE, check};
use crate::partner_central::{Opportunity, RELATED, operations, text};
use crate::weather::{Forecast, Weather};
use crate::world::{Face, Fault, State, World};
use crate::{calls, salesforce};

/// Most opportunities that one request makes.
const MOST_AT_ONCE: u64 = 10_000;

type Body = Map<String, Value>;
type Answer = Result<(StatusCode, Value), Refusal>;

#[derive(Clone)]
struct Control {
    world: Arc<World>,
    bucket: Option<Bucket>,
}

/// A refused control request.
struct Refusal {
    status: StatusCode,
    message: String,
    problems: Vec<Problem>,
}

impl Refusal {
    fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into(), problems: Vec::new() }
    }

    fn absent(what: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: format!("no such {what}"), problems: Vec::new() }
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        let status = match error.kind.as_str() {
            "ResourceNotFoundException" => StatusCode::NOT_FOUND,
            "ConflictException" => StatusCode::CONFLICT,
            _ => StatusCode::BAD_REQUEST,
        };
        Self { status, message: error.message, problems: error.problems }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problems: Vec<Value> = self
            .problems
            .iter()
            .map(|problem| json!({"code": problem.code.name(), "message": problem.message}))
            .collect();
        respond(self.status, &json!({"error": self.message, "problems": problems}))
    }
}

fn respond(status: StatusCode, body: &Value) -> Response {
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

fn answered(answer: Answer) -> Response {
    match answer {
        Ok((status, body)) => respond(status, &body),
        Err(refusal) => refusal.into_response(),
    }
}

fn ok(body: Value) -> (StatusCode, Value) {
    (StatusCode::OK, body)
}

/// The control API's routes.
pub fn router(world: Arc<World>, bucket: Option<Bucket>) -> Router {
    Router::new()
        .route("/health", get(async || respond(StatusCode::OK, &json!({"status": "ok"}))))
        .route("/state", get(view_state))
        .route("/calls", get(list_calls))
        .route("/calls/summary", get(summarize_calls))
        .route("/calls/reset", post(reset_calls))
        .route("/events", get(events).post(put_event))
        .route("/events/bulk", post(put_events))
        .route("/opportunities", get(list_opportunities).post(create_opportunity))
        .route("/opportunities/bulk", post(create_opportunities))
        .route("/opportunities/{id}", get(view_opportunity).patch(edit_opportunity))
        .route("/opportunities/{id}/summary", patch(edit_summary))
        .route("/opportunities/{id}/review", post(review))
        .route("/opportunities/{id}/ring", post(ring))
        .route("/invitations", post(create_invitation))
        .route("/invitations/{id}/decide", post(decide))
        .route("/engagements/{id}", get(view_engagement).patch(edit_engagement))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/weather", get(weather).post(set_weather).delete(clear_weather))
        .route("/latency", post(set_latency))
        .route("/switches", get(switches).post(set_switches))
        .route("/salesforce/{object}", get(rows))
        .route("/files", get(files::list))
        .route("/files/drop", post(files::drop_file))
        .route("/files/export", post(files::export))
        .route("/leads", get(files::list_leads).post(files::create_leads))
        .route("/leads/{id}", get(files::view_lead).patch(files::edit_lead))
        .fallback(no_route)
        .method_not_allowed_fallback(no_route)
        .layer(DefaultBodyLimit::max(50 << 20))
        .with_state(Control { world, bucket })
}

async fn no_route(method: Method, uri: Uri) -> Response {
    let message = format!("no such route: {method} {}", uri.path());
    Refusal { status: StatusCode::NOT_FOUND, message, problems: Vec::new() }.into_response()
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Refusal::bad(format!("the body does not fit: {error}")))
}

async fn view_state(Shared(control): Shared<Control>) -> Response {
    answered(Ok(ok(control.world.with(|state, _| {
        json!({
            "opportunities": state.partner_central.opportunities.len(),
            "invitations": state.partner_central.invitations.len(),
            "engagements": state.partner_central.engagements.len(),
            "tasks": state.partner_central.tasks.len(),
            "rows": salesforce::counts(&state.salesforce),
            "events": state.events.len(),
            "events_waiting": state.waiting,
            "emitted": state.emitted,
            "emit_failures": state.emit_failures,
            "calls": state.calls.len(),
            "faults": state.faults.len(),
            "catalog": state.settings.catalog,
            "spms_id": state.settings.spms_id,
            "ace_bucket": state.settings.ace_bucket,
        })
    }))))
}

async fn list_calls(Shared(control): Shared<Control>) -> Response {
    answered(Ok(ok(control.world.with(|state, _| json!(state.calls)))))
}

async fn summarize_calls(Shared(control): Shared<Control>) -> Response {
    answered(Ok(ok(control.world.with(|state, _| calls::summary(&state.calls)))))
}

async fn reset_calls(Shared(control): Shared<Control>) -> Response {
    control.world.with(|state, _| state.calls.clear());
    answered(Ok(ok(json!({}))))
}

async fn events(Shared(control): Shared<Control>) -> Response {
    answered(Ok(ok(control.world.with(|state, _| json!(state.events)))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutEvent {
    #[serde(rename = "detail-type")]
    detail_type: String,
    detail: Value,
}

async fn put_event(Shared(control): Shared<Control>, body: Bytes) -> Response {
    answered(read::<PutEvent>(&body).map(|event| {
        control.world.with(|state, now| state.emit(&event.detail_type, event.detail, now));
        ok(json!({}))
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutEvents {
    events: Vec<PutEvent>,
}

async fn put_events(Shared(control): Shared<Control>, body: Bytes) -> Response {
    answered(read::<PutEvents>(&body).map(|given| {
        let count = given.events.len();
        control.world.with(|state, now| {
            for event in given.events {
                state.emit(&event.detail_type, event.detail, now);
            }
        });
        ok(json!({"count": count}))
    }))
}

fn checked(rows: &Rows, body: &Body) -> Result<(), Refusal> {
    let problems = check(rows, body)?;
    if problems.is_empty() {
        return Ok(());
    }
    Err(Refusal { problems, ..Refusal::bad("the record does not fit") })
}

/// The members of a control request that are not part of the record's body.
#[derive(Clone, Default)]
struct Extras {
    ring: bool,
    origin: Option<String>,
    team: Option<Vec<Value>>,
    related: Option<Body>,
    summary: Option<Body>,
    referral: Option<NewReferral>,
}

/// A referral that is answered by file.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewReferral {
    #[serde(default = "two_weeks")]
    expires_in_seconds: u32,
}

fn two_weeks() -> u32 {
    14 * 24 * 3600
}

/// Whether events tell of the change, as they do unless somebody says otherwise.
fn take_ring(body: &mut Body) -> Result<bool, Refusal> {
    match body.shift_remove("ring") {
        None => Ok(true),
        Some(ring) => ring.as_bool().ok_or_else(|| Refusal::bad("ring must be true or false")),
    }
}

fn take_extras(body: &mut Body) -> Result<Extras, Refusal> {
    let mut extras = Extras { ring: take_ring(body)?, ..Extras::default() };
    let object = |key: &str, value: Value| match value {
        Value::Object(object) => Ok(object),
        _ => Err(Refusal::bad(format!("{key} must be an object"))),
    };
    if let Some(value) = body.shift_remove("Origin") {
        let known = value.as_str().filter(|origin| ["AWS Referral", "Partner Referral"].contains(origin));
        let origin = known.ok_or_else(|| Refusal::bad("Origin must be AWS Referral or Partner Referral"))?;
        extras.origin = Some(origin.to_owned());
    }
    if let Some(value) = body.shift_remove("ReviewStatus") {
        text::set(body, "LifeCycle.ReviewStatus", value);
    }
    if let Some(value) = body.shift_remove("OpportunityTeam") {
        extras.team = Some(value.as_array().cloned().ok_or_else(|| Refusal::bad("OpportunityTeam must be a list"))?);
    }
    if let Some(value) = body.shift_remove("RelatedEntityIdentifiers") {
        extras.related = Some(object("RelatedEntityIdentifiers", value)?);
    }
    if let Some(value) = body.shift_remove("Referral") {
        let referral = serde_json::from_value(value).map_err(|error| Refusal::bad(format!("Referral: {error}")))?;
        if extras.origin.as_deref().is_some_and(|origin| origin != "AWS Referral") {
            return Err(Refusal::bad("Referral is for Origin AWS Referral"));
        }
        extras.referral = Some(referral);
    }
    if let Some(value) = body.shift_remove("Summary") {
        let summary = object("Summary", value)?;
        checked(&TABLE.summary, &summary)?;
        extras.summary = Some(summary);
    }
    Ok(extras)
}

fn apply_extras(state: &mut State, id: &str, extras: Extras) -> Result<(), Refusal> {
    let opportunity = state.partner_central.opportunities.get_mut(id).ok_or_else(|| Refusal::absent("opportunity"))?;
    if let Some(origin) = extras.origin {
        opportunity.origin = origin;
    }
    if let Some(team) = extras.team {
        opportunity.team = team;
    }
    for (kind, ids) in extras.related.unwrap_or_default() {
        if !RELATED.contains(&kind.as_str()) {
            return Err(Refusal::bad(format!("RelatedEntityIdentifiers takes only {}", RELATED.join(", "))));
        }
        let ids: Vec<String> = serde_json::from_value(ids)
            .map_err(|_| Refusal::bad(format!("RelatedEntityIdentifiers.{kind} must be a list of texts")))?;
        opportunity.related.insert(kind, ids);
    }
    if let Some(summary) = extras.summary {
        text::merge(opportunity.summary.get_or_insert_default(), &summary);
    }
    Ok(())
}

async fn create_opportunity(Shared(control): Shared<Control>, body: Bytes) -> Response {
    answered(read::<Body>(&body).and_then(|mut given| {
        let extras = take_extras(&mut given)?;
        control.world.with(|state, now| {
            let body = new_body(&given, now)?;
            Ok((StatusCode::CREATED, json!({"Id": put_opportunity(state, &body, extras, now)?})))
        })
    }))
}

/// Many at once, told apart by the numbers behind their titles.
async fn create_opportunities(Shared(control): Shared<Control>, body: Bytes) -> Response {
    answered(read::<Body>(&body).and_then(|mut given| {
        let count = given.shift_remove("count").and_then(|count| count.as_u64());
        let count = count
            .filter(|count| (1..=MOST_AT_ONCE).contains(count))
            .ok_or_else(|| Refusal::bad(format!("count must be 1 to {MOST_AT_ONCE}")))?;
        let extras = take_extras(&mut given)?;
        control.world.with(|state, now| {
            let path = "Project.Title";
            let body = new_body(&given, now)?;
            let title = text::str_at(&body, path).unwrap_or_default();
            let numbered = |number: u64| {
                let mut body = body.clone();
                text::set(&mut body, path, json!(format!("{title} {number}")));
                body
            };
            // The last title is the longest: either all fit or none is made.
            checked(&TABLE.opportunity, &numbered(count))?;
            let ids: Result<Vec<String>, Refusal> =
                (1..=count).map(|number| put_opportunity(state, &numbered(number), extras.clone(), now)).collect();
            Ok((StatusCode::CREATED, json!({"Ids": ids?})))
        })
    }))
}

/// The body that is asked for, completed by the sample's.
fn new_body(given: &Body, now: Timestamp) -> Result<Body, Refusal> {
    let mut body = samples::opportunity(now);
    text::merge(&mut body, given);
    checked(&TABLE.opportunity, &body)?;
    Ok(text::normal_object(&body))
}

fn put_opportunity(state: &mut State, body: &Body, extras: Extras, now: Timestamp) -> Result<String, Refusal> {
    let (ring, referral) = (extras.ring, extras.referral);
    let origin = extras.origin.as_deref().unwrap_or("AWS Referral");
    let opportunity = operations::new_opportunity(state, body.clone(), origin, now);
    let id = opportunity.id.clone();
    if opportunity.review_status() != "Pending Submission" {
        opportunity.share("Co-Sell", "Full");
        if opportunity.review_status() == "Approved" {
            opportunity.engage();
        }
    }
    if let Err(refusal) = apply_extras(state, &id, extras) {
        state.partner_central.opportunities.remove(&id);
        return Err(refusal);
    }
    if let Some(referral) = referral {
        // Until it is accepted it is one of the files only.
        if let Some(opportunity) = state.partner_central.opportunities.get_mut(&id) {
            opportunity.hidden = true;
        }
        let accept_by = now + SignedDuration::from_secs(i64::from(referral.expires_in_seconds));
        state.files.sides.insert(id.clone(), Side::of(Referral::open(accept_by)));
    } else if ring {
        state.ring_opportunity("Opportunity Created", &id, now);
    }
    Ok(id)
}

async fn list_opportunities(Shared(control): Shared<Control>) -> Response {
    answered(Ok(ok(control.world.with(|state, now| {
        state.partner_central.opportunities.values().map(|known| behind(state, known, now)).collect()
    }))))
}

async fn view_opportunity(Shared(control): Shared<Control>, Path(id): Path<String>) -> Response {
    answered(control.world.with(|state, now| {
        let known = state.partner_central.opportunities.get(&id).ok_or_else(|| Refusal::absent("opportunity"))?;
        Ok(ok(behind(state, known, now)))
    }))
}

/// An opportunity as it is stored.
fn behind(state: &State, known: &Opportunity, now: Timestamp) -> Value {
    let referral = state.files.sides.get(&known.id).and_then(|side| side.referral.as_ref()).map(|referral| {
        json!({
            "acceptBy": text::millis(referral.accept_by),
            "answer": referral.answer(now),
            "rejectionReason": referral.reason,
        })
    });
    json!({
        "Id": known.id,
        "Origin": known.origin,
        "hidden": known.hidden,
        "LastModifiedDate": text::millis(known.modified),
        "body": known.body,
        "OpportunityTeam": known.team,
        "RelatedEntityIdentifiers": known.related,
        "Summary": known.summary,
        "Referral": referral,
    })
}

async fn edit_opportunity(Shared(control): Shared<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    answered(read::<Body>(&body).and_then(|mut given| {
        let extras = take_extras(&mut given)?;
        if extras.referral.is_some() {
            return Err(Refusal::bad("Referral is for a new opportunity"));
        }
        control.world.with(|state, now| {
            let known = state.partner_central.opportunities.get(&id).ok_or_else(|| Refusal::absent("opportunity"))?;
            let mut body = known.body.clone();
            text::merge(&mut body, &given);
            checked(&TABLE.opportunity, &body)?;
            let ring = extras.ring;
            apply_extras(state, &id, extras)?;
            let stamp = state.partner_central.stamp(now);
            if let Some(known) = state.partner_central.opportunities.get_mut(&id) {
                known.body = text::normal_object(&body);
                known.modified = stamp;
            }
            if ring {
                state.ring_opportunity("Opportunity Updated", &id, now);
            }
            Ok(ok(json!({"Id": id, "LastModifiedDate": text::millis(stamp)})))
        })
    }))
}

async fn edit_summary(Shared(control): Shared<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    answered(read::<Body>(&body).and_then(|mut given| {
        let extras = take_extras(&mut given)?;
        if let Some(team) = extras.team {
            given.insert("OpportunityTeam".to_owned(), Value::Array(team));
        }
        control.world.with(|state, now| {
            let known =
                state.partner_central.opportunities.get_mut(&id).ok_or_else(|| Refusal::absent("opportunity"))?;
            let mut summary = known.summary.clone().unwrap_or_default();
            text::merge(&mut summary, &given);
            checked(&TABLE.summary, &summary)?;
            known.summary = Some(summary);
            if let Some(origin) = extras.origin {
                known.origin = origin;
            }
            if extras.ring {
                state.ring_opportunity("Opportunity Updated", &id, now);
            }
            Ok(ok(json!({"Id": id})))
        })
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Review {
    status: String,
    comments: Option<String>,
    reason: Option<String>,
}

async fn review(Shared(control): Shared<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    answered(read::<Review>(&body).and_then(|review| {
        control.world.with(|state, now| {
            let stamp = decided_by_aws(state, &id, review, now)?;
            Ok(ok(json!({"Id": id, "LastModifiedDate": text::millis(stamp)})))
        })
    }))
}

/// AWS decides on an opportunity, and with it on the invitation that was sent with it.
fn decided_by_aws(state: &mut State, id: &str, review: Review, now: Timestamp) -> Result<Timestamp, Refusal> {
    let stamp = state.partner_central.stamp(now);
    let known = state.partner_central.opportunities.get_mut(id).ok_or_else(|| Refusal::absent("opportunity"))?;
    let mut body = known.body.clone();
    for (path, value) in [
        ("LifeCycle.ReviewStatus", Some(review.status)),
        ("LifeCycle.ReviewComments", review.comments),
        ("LifeCycle.ReviewStatusReason", review.reason),
    ] {
        match value {
            Some(value) => text::set(&mut body, path, json!(value)),
            None => text::remove(&mut body, path),
        }
    }
    checked(&TABLE.opportunity, &body)?;
    known.body = body;
    known.modified = stamp;
    if known.summary.is_none() && known.review_status() != "Pending Submission" {
        known.share("Co-Sell", "Full");
    }
    state.reviewed(id, now);
    state.ring_opportunity("Opportunity Updated", id, now);
    Ok(stamp)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ring {
    #[serde(rename = "detail-type", default = "updated")]
    detail_type: String,
}

fn updated() -> String {
    "Opportunity Updated".to_owned()
}

async fn ring(Shared(control): Shared<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    answered(read::<Ring>(&body).and_then(|ring| {
        control.world.with(|state, now| {
            if !state.partner_central.opportunities.contains_key(&id) {
                return Err(Refusal::absent("opportunity"));
            }
            state.ring_opportunity(&ring.detail_type, &id, now);
            Ok(ok(json!({"Id": id})))
        })
    }))
}

async fn create_invitation(Shared(control): Shared<Control>, body: Bytes) -> Response {
    answered(read::<samples::NewInvitation>(&body).and_then(|given| {
        control.world.with(|state, now| {
            let ring = given.ring.unwrap_or(true);
            let invitation = samples::invitation(given, now)?;
            let (id, engagement) = (invitation.id.clone(), invitation.engagement.clone());
            let expires = text::nanos(invitation.expires);
            state.ringing(ring, |state| state.receive_invitation(invitation, now));
            Ok((StatusCode::CREATED, json!({"Id": id, "EngagementId": engagement, "ExpirationDate": expires})))
        })
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decide {
    status: Decision,
    reason: Option<String>,
    ring: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Decision {
    Accepted,
    Rejected,
    Expired,
}

/// The receiver's people decide in their own pages: no task tells of it.
async fn decide(Shared(control): Shared<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    answered(read::<Decide>(&body).and_then(|given| {
        control.world.with(|state, now| {
            state.ringing(given.ring.unwrap_or(true), |state| decided(state, &id, given.status, given.reason, now))?;
            let known = state.partner_central.invitation(&id)?;
            let of = |opportunity: &&Opportunity| opportunity.engagement.as_ref() == Some(&known.engagement);
            let opportunity = state.partner_central.opportunities.values().find(of);
            Ok(ok(json!({
                "Id": id,
                "Status": known.status,
                "EngagementId": known.engagement,
                "OpportunityId": opportunity.map(|opportunity| &opportunity.id),
            })))
        })
    }))
}

fn decided(
    state: &mut State,
    id: &str,
    decision: Decision,
    reason: Option<String>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let known = state.partner_central.invitation(id)?.open()?;
    let submitted = known.opportunity.clone().filter(|_| known.ours);
    let referral = known.payload_type == "OpportunityInvitation";
    match (decision, submitted) {
        (Decision::Expired, _) => state.expire_invitation(id, now)?,
        (Decision::Accepted, Some(opportunity)) => {
            let review = Review { status: "Approved".to_owned(), comments: None, reason: None };
            decided_by_aws(state, &opportunity, review, now)?;
        }
        (Decision::Rejected, Some(opportunity)) => {
            let review = Review { status: "Rejected".to_owned(), comments: None, reason };
            decided_by_aws(state, &opportunity, review, now)?;
        }
        (Decision::Accepted, None) if referral => {
            state.accept_referral(id, now)?;
        }
        (Decision::Accepted, None) => {
            state.join_invited(id, now)?;
        }
        (Decision::Rejected, None) => state.reject_invited(id, reason, now)?,
    }
    Ok(())
}

async fn view_engagement(Shared(control): Shared<Control>, Path(id): Path<String>) -> Response {
    answered(control.world.with(|state, _| {
        let known = state.partner_central.engagements.get(&id).ok_or_else(|| Refusal::absent("engagement"))?;
        let mut view = known.full(state);
        view["members"] = json!(known.members);
        Ok(ok(view))
    }))
}

async fn edit_engagement(Shared(control): Shared<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    answered(read::<Body>(&body).and_then(|mut given| {
        let ring = take_ring(&mut given)?;
        control.world.with(|state, now| {
            let known = state.partner_central.engagements.get_mut(&id).ok_or_else(|| Refusal::absent("engagement"))?;
            known.edit(given, now)?;
            let modified = text::nanos(known.modified);
            // Whoever is not in an engagement hears nothing of it.
            let heard = known.members.contains(&state.settings.account);
            if ring && heard {
                state.ring_engagement("Updated", &id, now);
            }
            Ok(ok(json!({"Id": id, "ModifiedAt": modified})))
        })
    }))
}

async fn faults(Shared(control): Shared<Control>) -> Response {
    answered(Ok(ok(control.world.with(|state, _| json!(state.faults)))))
}

async fn add_fault(Shared(control): Shared<Control>, body: Bytes) -> Response {
    answered(read::<Fault>(&body).and_then(|fault| {
        if !(400..=599).contains(&fault.status) {
            return Err(Refusal::bad("status must be an HTTP error: 400 to 599"));
        }
        control.world.with(|state, now| state.add_fault(fault, now));
        Ok(ok(json!({})))
    }))
}

async fn clear_faults(Shared(control): Shared<Control>) -> Response {
    control.world.with(|state, _| state.faults.clear());
    answered(Ok(ok(json!({}))))
}

async fn weather(Shared(control): Shared<Control>) -> Response {
    answered(Ok(ok(control.world.with(|state, _| seen(&state.weather)))))
}

fn seen(weather: &BTreeMap<Face, Weather>) -> Value {
    weather.values().map(|weather| json!(weather)).collect()
}

async fn set_weather(Shared(control): Shared<Control>, body: Bytes) -> Response {
    answered(read::<Forecast>(&body).and_then(|forecast| {
        if !(0.0..=100.0).contains(&forecast.percent) {
            return Err(Refusal::bad("percent must be 0 to 100"));
        }
        if forecast.kinds.is_empty() {
            return Err(Refusal::bad("kinds must name at least one kind"));
        }
        control.world.with(|state, _| state.weather.insert(forecast.face, Weather::new(forecast)));
        Ok(ok(json!({})))
    }))
}

async fn clear_weather(Shared(control): Shared<Control>) -> Response {
    answered(Ok(ok(seen(&control.world.with(|state, _| std::mem::take(&mut state.weather))))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Latency {
    face: Face,
    millis: u64,
}

async fn set_latency(Shared(control): Shared<Control>, body: Bytes) -> Response {
    answered(read::<Latency>(&body).map(|latency| {
        control.world.with(|state, _| state.latency.insert(latency.face, latency.millis));
        ok(json!({}))
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetSwitches {
    escape_text: Option<bool>,
    enforce_quotas: Option<bool>,
    file_exports: Option<bool>,
    file_results: Option<bool>,
}

async fn switches(Shared(control): Shared<Control>) -> Response {
    answered(Ok(ok(control.world.with(|state, _| json!(state.switches)))))
}

async fn set_switches(Shared(control): Shared<Control>, body: Bytes) -> Response {
    answered(read::<SetSwitches>(&body).and_then(|given| {
        control.world.with(|state, _| {
            let switches = &mut state.switches;
            switches.escape_text = given.escape_text.unwrap_or(switches.escape_text);
            switches.enforce_quotas = given.enforce_quotas.unwrap_or(switches.enforce_quotas);
            switches.file_exports = given.file_exports.unwrap_or(switches.file_exports);
            switches.file_results = given.file_results.unwrap_or(switches.file_results);
            Ok(ok(json!(switches)))
        })
    }))
}

async fn rows(Shared(control): Shared<Control>, Path(object): Path<String>) -> Response {
    answered(control.world.with(|state, _| {
        let rows = salesforce::all(&state.salesforce, &object).ok_or_else(|| Refusal::absent("object"))?;
        Ok(ok(json!(rows)))
    }))
}
