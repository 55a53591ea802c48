use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_partnercentralselling::Client;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut},
            dyn_dispatch_hint,
        },
        orchestrator::HttpResponse,
        result::SdkError,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{body::SdkBody, config_bag::ConfigBag, error::metadata::ProvideErrorMetadata};
use backon::{ExponentialBuilder, Retryable};
use cosell_model::{
    Catalog, EngagementId, InvitationId, OpportunityId,
    life_cycle::{Acceptance, ReviewStatus, Stage, State},
    request,
};
use cosell_sync::ports::{
    Invited, Listed, Page, PartnerCentral, PortError, PortResult, Solution, Stored, Task, TaskState,
};
use serde_json::{Value as Json, json};

use crate::{
    budget::{Class, Pace},
    errors::{port_error, unavailable},
};

/// One call in Partner Central's own JSON. The SDK finds the endpoint, signs, retries, keeps the time and reads errors;
/// the body that it made of its typed input is replaced before it signs, and what AWS answered is kept as it came. So
/// members and values that the SDK does not know pass both ways, and an explicit null can be sent.
#[derive(Clone)]
struct Exchange(Arc<Bodies>);

struct Bodies {
    sent: Vec<u8>,
    answered: Mutex<Option<Vec<u8>>>,
}

impl Exchange {
    fn new(body: &Json) -> Self {
        Self(Arc::new(Bodies { sent: body.to_string().into_bytes(), answered: Mutex::new(None) }))
    }

    /// The answer in full; null where AWS answered success and nothing else.
    fn answer<T, E>(&self, what: String, sent: Result<T, SdkError<E, HttpResponse>>) -> PortResult<Json>
    where
        E: ProvideErrorMetadata,
    {
        // A success that the SDK's types cannot hold is still a success.
        let answered = self.0.answered.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (answered, sent) {
            (Some(body), _) if body.is_empty() => Ok(Json::Null),
            (Some(body), _) => serde_json::from_slice(&body).map_err(|_| unavailable(what, "the answer is not JSON")),
            (None, Err(error)) => Err(port_error(what, &error)),
            (None, Ok(_)) => Err(unavailable(what, "the answer was not kept")),
        }
    }
}

// Bodies hold personal data, and the SDK prints its interceptors into traces.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchange")
    }
}

#[dyn_dispatch_hint]
impl Intercept for Exchange {
    fn name(&self) -> &'static str {
        "Exchange"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        *request.body_mut() = SdkBody::from(self.0.sent.clone());
        request.headers_mut().insert("content-length", self.0.sent.len().to_string());
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if response.status().is_success() {
            let body = response.body().bytes().map(<[u8]>::to_vec);
            *self.0.answered.lock().unwrap_or_else(PoisonError::into_inner) = body;
        }
        Ok(())
    }
}

/// Each operation of the SDK has types of its own and no trait over them that others may name.
///
/// Every attempt is a call that AWS counts: so each waits for its moment in the budget, and the SDK's own repetitions,
/// which would not, are off.
macro_rules! exchange {
    ($self:ident, $class:ident, $operation:ident, $what:expr, $body:expr) => {{
        let (what, body): (String, &Json) = ($what, $body);
        let attempt = || async {
            $self.pace.wait(&what, Class::$class).await.map_err(Attempt::Unsent)?;
            let exchange = Exchange::new(body);
            let sent = $self.client.$operation().customize().interceptor(exchange.clone()).send().await;
            exchange.answer(what.clone(), sent).map_err(Attempt::Failed)
        };
        attempt.retry(RETRIES.with_jitter()).when(Attempt::may_pass).await.map_err(PortError::from)
    }};
}

/// How often a call that did not get through is tried again before the message is.
const RETRIES: ExponentialBuilder =
    ExponentialBuilder::new().with_min_delay(Duration::from_millis(200)).with_max_times(2);

/// Why a call has no answer.
enum Attempt {
    /// It has no moment in the budget soon enough.
    Unsent(PortError),
    /// It was sent.
    Failed(PortError),
}

impl Attempt {
    fn may_pass(&self) -> bool {
        matches!(self, Self::Failed(PortError::Throttled { .. } | PortError::Unavailable { .. }))
    }
}

impl From<Attempt> for PortError {
    fn from(attempt: Attempt) -> Self {
        let (Attempt::Unsent(error) | Attempt::Failed(error)) = attempt;
        error
    }
}

/// Partner Central's Selling API.
#[derive(Debug, Clone)]
pub struct PartnerCentralClient {
    client: Client,
    catalog: Catalog,
    pace: Arc<dyn Pace>,
}

impl PartnerCentralClient {
    pub(crate) fn new(client: Client, catalog: Catalog, pace: Arc<dyn Pace>) -> Self {
        Self { client, catalog, pace }
    }

    fn catalog(&self) -> &'static str {
        self.catalog.as_str()
    }

    /// Whether an invitation that was decided already was decided so: by an answer of ours that was lost, for one.
    async fn stands(&self, id: &InvitationId, status: Acceptance) -> PortResult<bool> {
        Ok(text(&self.invitation(id).await?, "Status") == Some(status.as_str()))
    }

    async fn listed(&self, mut body: Json, page: Option<&str>) -> PortResult<Page<Listed>> {
        if let Some(page) = page {
            body["NextToken"] = json!(page);
        }
        let answer = exchange!(self, Read, list_opportunities, "ListOpportunities".to_owned(), &body)?;
        let items = readable(list(&answer, "OpportunitySummaries"), |line| {
            let last_modified = text(line, "LastModifiedDate")?.to_owned();
            Some(Listed { id: text(line, "Id")?.parse().ok()?, last_modified })
        });
        Ok(Page { items, next: next(&answer) })
    }
}

fn text<'j>(json: &'j Json, member: &str) -> Option<&'j str> {
    json.get(member).and_then(Json::as_str)
}

fn list<'j>(json: &'j Json, member: &str) -> &'j [Json] {
    json.get(member).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

fn next(json: &Json) -> Option<String> {
    text(json, "NextToken").filter(|token| !token.is_empty()).map(str::to_owned)
}

fn stored(what: &str, answer: &Json) -> PortResult<Stored> {
    let id = text(answer, "Id").and_then(|id| id.parse().ok());
    match (id, text(answer, "LastModifiedDate")) {
        (Some(id), Some(last_modified)) => Ok(Stored { id, last_modified: last_modified.to_owned() }),
        _ => Err(unavailable(what, "the answer lacks a usable `Id` or `LastModifiedDate`")),
    }
}

fn task(answer: &Json) -> Task {
    let state = match text(answer, "TaskStatus") {
        Some("COMPLETE") => TaskState::Complete,
        Some("FAILED") => TaskState::Failed {
            reason: text(answer, "ReasonCode").unwrap_or("Unknown").to_owned(),
            message: text(answer, "Message").unwrap_or_default().to_owned(),
        },
        _ => TaskState::InProgress,
    };
    Task { state, opportunity: text(answer, "OpportunityId").and_then(|id| id.parse().ok()) }
}

/// The lines of a list that can be read. One that cannot must not hide the others for ever.
fn readable<T>(lines: &[Json], read: impl Fn(&Json) -> Option<T>) -> Vec<T> {
    let items: Vec<T> = lines.iter().filter_map(read).collect();
    if items.len() < lines.len() {
        tracing::warn!(unread = lines.len() - items.len(), "a list of Partner Central has lines that are not readable");
    }
    items
}

#[async_trait]
impl PartnerCentral for PartnerCentralClient {
    async fn opportunity(&self, id: &OpportunityId) -> PortResult<Json> {
        let body = json!({"Catalog": self.catalog(), "Identifier": id.as_str()});
        exchange!(self, Read, get_opportunity, format!("GetOpportunity {id}"), &body)
    }

    async fn summary(&self, id: &OpportunityId) -> PortResult<Option<Json>> {
        let body = json!({"Catalog": self.catalog(), "RelatedOpportunityIdentifier": id.as_str()});
        let what = format!("GetAwsOpportunitySummary {id}");
        match exchange!(self, Read, get_aws_opportunity_summary, what, &body) {
            Err(PortError::NotFound { .. }) => Ok(None),
            answer => answer.map(Some),
        }
    }

    async fn invitation(&self, id: &InvitationId) -> PortResult<Json> {
        let body = json!({"Catalog": self.catalog(), "Identifier": id.as_str()});
        exchange!(self, Read, get_engagement_invitation, format!("GetEngagementInvitation {id}"), &body)
    }

    async fn invitation_behind(&self, id: &OpportunityId) -> PortResult<Option<InvitationId>> {
        let body = json!({"Catalog": self.catalog(), "OpportunityIdentifier": [id.as_str()]});
        let what = format!("ListEngagementByAcceptingInvitationTasks {id}");
        let answer = exchange!(self, Write, list_engagement_by_accepting_invitation_tasks, what, &body)?;
        let ours = list(&answer, "TaskSummaries")
            .iter()
            .filter(|task| text(task, "OpportunityId") == Some(id.as_str()))
            .find_map(|task| InvitationId::from_id_or_arn(text(task, "EngagementInvitationId")?).ok());
        Ok(ours)
    }

    async fn engagement_of(&self, id: &OpportunityId) -> PortResult<Option<EngagementId>> {
        let body = json!({"Catalog": self.catalog(), "ResourceType": "Opportunity", "ResourceIdentifier": id.as_str()});
        let what = format!("ListEngagementResourceAssociations {id}");
        let answer = exchange!(self, Write, list_engagement_resource_associations, what, &body)?;
        let mut lines = list(&answer, "EngagementResourceAssociationSummaries").iter();
        Ok(lines.find_map(|line| EngagementId::from_id_or_arn(text(line, "EngagementId")?).ok()))
    }

    async fn opportunities(&self, since: Option<&str>, page: Option<&str>) -> PortResult<Page<Listed>> {
        let mut body = json!({
            "Catalog": self.catalog(), "MaxResults": 100,
            "Sort": {"SortBy": "LastModifiedDate", "SortOrder": "ASCENDING"},
        });
        if let Some(since) = since {
            body["LastModifiedDate"] = json!({"AfterLastModifiedDate": since});
        }
        self.listed(body, page).await
    }

    async fn open_opportunities(&self, page: Option<&str>) -> PortResult<Page<Listed>> {
        let stages: Vec<&str> =
            Stage::ALL.iter().filter(|(stage, _)| !stage.is_final()).map(|(_, name)| *name).collect();
        let body = json!({
            "Catalog": self.catalog(), "MaxResults": 100, "LifeCycleStage": stages,
            "LifeCycleReviewStatus": [ReviewStatus::Approved.as_str()],
            "Sort": {"SortBy": "Identifier", "SortOrder": "ASCENDING"},
        });
        self.listed(body, page).await
    }

    async fn pending_invitations(&self, page: Option<&str>) -> PortResult<Page<Invited>> {
        let mut body = json!({
            "Catalog": self.catalog(), "MaxResults": 100, "ParticipantType": "RECEIVER", "Status": ["PENDING"],
            "PayloadType": ["OpportunityInvitation", "LeadInvitation"],
        });
        if let Some(page) = page {
            body["NextToken"] = json!(page);
        }
        let what = "ListEngagementInvitations".to_owned();
        let answer = exchange!(self, Read, list_engagement_invitations, what, &body)?;
        let items = readable(list(&answer, "EngagementInvitationSummaries"), |line| {
            let expires = text(line, "ExpirationDate").and_then(|when| when.parse().ok());
            Some(Invited { id: InvitationId::from_id_or_arn(text(line, "Id")?).ok()?, expires })
        });
        Ok(Page { items, next: next(&answer) })
    }

    async fn solutions(&self, page: Option<&str>) -> PortResult<Page<Solution>> {
        let mut body = json!({
            "Catalog": self.catalog(), "MaxResults": 100, "Sort": {"SortBy": "Name", "SortOrder": "ASCENDING"},
        });
        if let Some(page) = page {
            body["NextToken"] = json!(page);
        }
        let answer = exchange!(self, Read, list_solutions, "ListSolutions".to_owned(), &body)?;
        let items = readable(list(&answer, "SolutionSummaries"), |line| {
            let member = |name| text(line, name).map(str::to_owned);
            Some(Solution {
                id: member("Id")?,
                name: member("Name")?,
                status: member("Status")?,
                category: member("Category"),
            })
        });
        Ok(Page { items, next: next(&answer) })
    }

    async fn engagement(&self, id: &EngagementId) -> PortResult<Json> {
        let body = json!({"Catalog": self.catalog(), "Identifier": id.as_str()});
        exchange!(self, Write, get_engagement, format!("GetEngagement {id}"), &body)
    }

    async fn create(&self, body: &Json) -> PortResult<Stored> {
        let what = match text(body, "PartnerOpportunityIdentifier") {
            Some(id) => format!("CreateOpportunity for {id}"),
            None => "CreateOpportunity".to_owned(),
        };
        let answer = exchange!(self, UrgentWrite, create_opportunity, what.clone(), body)?;
        stored(&what, &answer)
    }

    async fn update(&self, body: &Json) -> PortResult<Stored> {
        let what = format!("UpdateOpportunity {}", text(body, "Identifier").unwrap_or_default());
        let answer = exchange!(self, Write, update_opportunity, what.clone(), body)?;
        stored(&what, &answer)
    }

    async fn associate(&self, id: &OpportunityId, entity_type: &str, entity: &str) -> PortResult<()> {
        let body = request::association(self.catalog, id, entity_type, entity);
        match exchange!(self, UrgentWrite, associate_opportunity, format!("AssociateOpportunity {id} {entity}"), &body)
        {
            Err(PortError::Rejected { problems, .. })
                if problems.iter().all(|problem| problem.code == "DUPLICATE_KEY_VALUE") =>
            {
                Ok(())
            }
            answer => answer.map(drop),
        }
    }

    async fn disassociate(&self, id: &OpportunityId, entity_type: &str, entity: &str) -> PortResult<()> {
        let body = request::association(self.catalog, id, entity_type, entity);
        match exchange!(self, Write, disassociate_opportunity, format!("DisassociateOpportunity {id} {entity}"), &body)
        {
            Err(PortError::NotFound { .. }) => Ok(()),
            answer => answer.map(drop),
        }
    }

    async fn assign(&self, id: &OpportunityId, assignee: &Json) -> PortResult<()> {
        let body = request::assignment(self.catalog, id, assignee);
        exchange!(self, Write, assign_opportunity, format!("AssignOpportunity {id}"), &body).map(drop)
    }

    async fn submit(&self, id: &OpportunityId, token: &str, involvement: &str, visibility: &str) -> PortResult<Task> {
        let body = request::submission(self.catalog, id, token, involvement, visibility);
        let what = format!("StartEngagementFromOpportunityTask {id}");
        Ok(task(&exchange!(self, UrgentWrite, start_engagement_from_opportunity_task, what, &body)?))
    }

    async fn accept(&self, id: &InvitationId, token: &str) -> PortResult<Task> {
        let body = request::acceptance(self.catalog, id, token);
        let what = format!("StartEngagementByAcceptingInvitationTask {id}");
        Ok(task(&exchange!(self, UrgentWrite, start_engagement_by_accepting_invitation_task, what, &body)?))
    }

    async fn join(&self, id: &InvitationId) -> PortResult<()> {
        let body = request::joining(self.catalog, id);
        let what = format!("AcceptEngagementInvitation {id}");
        match exchange!(self, UrgentWrite, accept_engagement_invitation, what, &body) {
            Err(PortError::Conflict { .. }) if self.stands(id, Acceptance::Accepted).await? => Ok(()),
            answer => answer.map(drop),
        }
    }

    async fn convert(&self, id: &EngagementId, context: &str, token: &str) -> PortResult<Task> {
        let body = request::conversion(self.catalog, id, context, token);
        let what = format!("StartOpportunityFromEngagementTask {id}");
        Ok(task(&exchange!(self, UrgentWrite, start_opportunity_from_engagement_task, what, &body)?))
    }

    async fn reject(&self, id: &InvitationId, reason: &str) -> PortResult<()> {
        let body = request::rejection(self.catalog, id, reason);
        let what = format!("RejectEngagementInvitation {id}");
        match exchange!(self, UrgentWrite, reject_engagement_invitation, what, &body) {
            Err(PortError::Conflict { .. }) if self.stands(id, Acceptance::Rejected).await? => Ok(()),
            answer => answer.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use aws_config::{Region, retry::RetryConfig};
    use aws_sdk_partnercentralselling::config::{BehaviorVersion, Config, Credentials};
    use aws_smithy_runtime_api::{
        client::{
            http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
            orchestrator::HttpRequest,
        },
        http::StatusCode,
    };
    use cosell_sync::ports::Rejection;

    use super::*;

    /// The other side of the wire: what it was sent, and what it will answer.
    #[derive(Debug, Clone, Default)]
    struct Wire(Arc<Mutex<State>>);

    #[derive(Debug, Default)]
    struct State {
        sent: Vec<Sent>,
        answers: VecDeque<(u16, String)>,
    }

    #[derive(Debug, Clone)]
    struct Sent {
        target: String,
        length: String,
        authorization: String,
        body: Json,
    }

    impl HttpConnector for Wire {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let header = |name: &str| request.headers().get(name).unwrap_or_default().to_owned();
            let bytes = request.body().bytes().unwrap_or_default();
            assert_eq!(header("content-length"), bytes.len().to_string());
            let sent = Sent {
                target: header("x-amz-target"),
                length: header("content-length"),
                authorization: header("authorization"),
                body: serde_json::from_slice(bytes).unwrap(),
            };
            let mut state = self.0.lock().unwrap();
            state.sent.push(sent);
            let (status, body) = state.answers.pop_front().expect("an answer is prepared");
            let status = StatusCode::try_from(status).unwrap();
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
        }
    }

    /// Nobody else calls.
    #[derive(Debug)]
    struct Unhurried;

    #[async_trait]
    impl Pace for Unhurried {
        async fn wait(&self, _: &str, _: Class) -> PortResult<()> {
            Ok(())
        }
    }

    fn wire<B: ToString>(answers: impl IntoIterator<Item = (u16, B)>) -> (PartnerCentralClient, Wire) {
        let wire = Wire::default();
        wire.0.lock().unwrap().answers.extend(answers.into_iter().map(|(status, body)| (status, body.to_string())));
        let connector = SharedHttpConnector::new(wire.clone());
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "tests"))
            .retry_config(RetryConfig::disabled())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        (PartnerCentralClient::new(Client::from_conf(config), Catalog::Sandbox, Arc::new(Unhurried)), wire)
    }

    impl Wire {
        fn sent(&self) -> Vec<Sent> {
            self.0.lock().unwrap().sent.clone()
        }
    }

    fn id() -> OpportunityId {
        "O1234567".parse().unwrap()
    }

    #[tokio::test]
    async fn an_answer_is_handed_on_whole() {
        let answer = json!({
            "Id": "O1234567", "Catalog": "Sandbox", "LastModifiedDate": "2026-03-09T01:50:25.120Z", "NationalSecurity": null,
            "NewMember": {"Amount": "10.50", "Number": 1.10}, "OpportunityType": "A Type Of Tomorrow",
        });
        let (client, wire) = wire([(200, &answer)]);
        assert_eq!(client.opportunity(&id()).await.unwrap().to_string(), answer.to_string());
        let [sent] = &wire.sent()[..] else { panic!("one request") };
        assert_eq!(sent.target, "AWSPartnerCentralSelling.GetOpportunity");
        assert_eq!(sent.body, json!({"Catalog": "Sandbox", "Identifier": "O1234567"}));
        assert!(sent.authorization.contains("/us-east-1/partnercentral-selling/aws4_request"));
    }

    #[tokio::test]
    async fn an_answer_that_the_sdk_cannot_hold_is_still_one() {
        let answer = json!({"Id": "O1234567", "LastModifiedDate": "some day", "Project": "?"});
        let (client, wire) = wire([(200, &answer)]);
        assert_eq!(client.opportunity(&id()).await.unwrap(), answer);
        assert_eq!(wire.sent().len(), 1);
    }

    #[tokio::test]
    async fn a_body_is_sent_whole_and_again_on_a_retry() {
        let body = json!({
            "Catalog": "Sandbox", "Identifier": "O1234567", "LastModifiedDate": "2026-03-09T01:50:25.120Z",
            "Project": {"ExpectedContractDuration": null, "Title": "Förderung “Süd”", "NewMember": [1]},
        });
        let stored = json!({"Id": "O1234567", "LastModifiedDate": "2026-03-09T01:50:26.000Z"});
        let (client, wire) =
            wire([(500, json!({"__type": "InternalServerException", "Message": "no"})), (200, stored)]);
        let stored = client.update(&body).await.unwrap();
        assert_eq!(stored, Stored { id: id(), last_modified: "2026-03-09T01:50:26.000Z".to_owned() });
        let sent = wire.sent();
        assert_eq!(sent.len(), 2);
        for sent in sent {
            assert_eq!(sent.target, "AWSPartnerCentralSelling.UpdateOpportunity");
            assert_eq!(sent.body, body);
            assert_eq!(sent.length, body.to_string().len().to_string());
        }
    }

    #[tokio::test]
    async fn refusals_keep_every_problem() {
        let refusal = json!({
            "__type": "com.amazonaws.partnercentral#ValidationException", "Message": "no", "Reason": "BUSINESS_VALIDATION_FAILED",
            "ErrorList": [{"Code": "ACTION_NOT_PERMITTED", "FieldName": "lifeCycle.stage", "Message": "locked"}],
        });
        let (client, _) = wire([(400, refusal)]);
        let Err(PortError::Rejected { what, problems }) = client.update(&json!({"Identifier": "O1"})).await else {
            panic!("not rejected")
        };
        assert_eq!(what, "UpdateOpportunity O1");
        let field = Some("lifeCycle.stage".to_owned());
        let expected = Rejection { field, code: "ACTION_NOT_PERMITTED".to_owned(), message: "locked".to_owned() };
        assert_eq!(problems, [expected]);
    }

    #[tokio::test]
    async fn a_stale_lock_is_a_conflict() {
        let (client, _) = wire([(400, json!({"__type": "ConflictException", "Message": "stale"}))]);
        assert_eq!(client.update(&json!({})).await.unwrap_err().code(), "conflict");
    }

    #[tokio::test]
    async fn what_is_done_already_is_no_error() {
        let refusal = |code: &str| json!({"__type": "ValidationException", "Message": "no", "ErrorList": [{"Code": code, "Message": "no"}]});
        let missing = json!({"__type": "ResourceNotFoundException", "Message": "no"});
        let (client, wire) = wire([
            (200, json!({})),
            (400, refusal("DUPLICATE_KEY_VALUE")),
            (400, refusal("INVALID_VALUE")),
            (400, missing.clone()),
            (400, missing.clone()),
            (400, missing),
        ]);
        client.associate(&id(), "Solutions", "S-1").await.unwrap();
        client.associate(&id(), "Solutions", "S-1").await.unwrap();
        assert_eq!(client.associate(&id(), "Solutions", "S-1").await.unwrap_err().code(), "rejected");
        assert_eq!(client.associate(&id(), "Solutions", "S-1").await.unwrap_err().code(), "not_found");
        client.disassociate(&id(), "Solutions", "S-1").await.unwrap();
        assert_eq!(client.summary(&id()).await.unwrap(), None);
        assert_eq!(
            wire.sent()[0].body,
            json!({
                "Catalog": "Sandbox", "OpportunityIdentifier": "O1234567", "RelatedEntityType": "Solutions",
                "RelatedEntityIdentifier": "S-1"
            })
        );
    }

    #[tokio::test]
    async fn lists_keep_times_verbatim_and_pass_over_what_they_cannot_read() {
        let page = json!({
            "NextToken": "more",
            "OpportunitySummaries": [
                {"Id": "O1", "LastModifiedDate": "2026-03-09T01:50:25.100Z"},
                {"Id": "X1", "LastModifiedDate": "2026-03-09T01:50:25.100Z"},
                {"Id": "O2", "LastModifiedDate": "2026-03-09T01:50:25Z", "Customer": null},
            ],
        });
        let (client, wire) = wire([(200, page), (200, json!({"OpportunitySummaries": [], "NextToken": null}))]);
        let first = client.opportunities(Some("2026-03-01T00:00:00.000Z"), None).await.unwrap();
        let times: Vec<_> = first.items.iter().map(|line| (line.id.as_str(), line.last_modified.as_str())).collect();
        assert_eq!(times, [("O1", "2026-03-09T01:50:25.100Z"), ("O2", "2026-03-09T01:50:25Z")]);
        assert_eq!(
            client.opportunities(None, first.next.as_deref()).await.unwrap(),
            Page { items: vec![], next: None }
        );
        let sent = wire.sent();
        assert_eq!(sent[0].body["LastModifiedDate"]["AfterLastModifiedDate"], "2026-03-01T00:00:00.000Z");
        assert_eq!(sent[0].body.get("NextToken"), None);
        assert_eq!(sent[1].body["NextToken"], "more");
        assert_eq!(sent[1].body.get("LastModifiedDate"), None);
    }

    #[tokio::test]
    async fn tasks_say_how_far_they_are() {
        let (client, wire) = wire([
            (200, json!({"TaskStatus": "IN_PROGRESS", "TaskId": "task-0123456789abc"})),
            (200, json!({"TaskStatus": "COMPLETE", "OpportunityId": "O1234567", "ReasonCode": null})),
            (200, json!({"TaskStatus": "FAILED", "ReasonCode": "SnapshotJobNotReady", "Message": "later"})),
        ]);
        let running = client.submit(&id(), "token", "Co-Sell", "Full").await.unwrap();
        assert_eq!(running, Task { state: TaskState::InProgress, opportunity: None });
        let invitation = "engi-0123456789abc".parse().unwrap();
        let done = client.accept(&invitation, "token").await.unwrap();
        assert_eq!(done, Task { state: TaskState::Complete, opportunity: Some(id()) });
        let failed = client.accept(&invitation, "token").await.unwrap().state;
        let reason = "SnapshotJobNotReady".to_owned();
        assert_eq!(failed, TaskState::Failed { reason, message: "later".to_owned() });
        assert_eq!(wire.sent()[0].body["AwsSubmission"], json!({"InvolvementType": "Co-Sell", "Visibility": "Full"}));
    }

    #[tokio::test]
    async fn an_opportunity_leads_to_its_invitation() {
        let arn = "arn:aws:partnercentral:us-east-1::catalog/Sandbox/engagement-invitation/engi-0123456789abc";
        let tasks = json!({"TaskSummaries": [
            {"TaskStatus": "FAILED", "OpportunityId": null, "EngagementInvitationId": "engi-aaaaaaaaaaaaa"},
            {"TaskStatus": "COMPLETE", "OpportunityId": "O1234567", "EngagementInvitationId": arn},
        ]});
        let (client, _) = wire([(200, tasks), (200, json!({"TaskSummaries": []}))]);
        let found = client.invitation_behind(&id()).await.unwrap().map(String::from);
        assert_eq!(found.as_deref(), Some("engi-0123456789abc"));
        assert_eq!(client.invitation_behind(&id()).await.unwrap(), None);
    }

    #[test]
    fn bodies_are_not_printed() {
        assert_eq!(format!("{:?}", Exchange::new(&json!({"Email": "jane@example.com"}))), "Exchange");
    }
}
