//! The Partner Central face against AWS's own Rust client, over a socket.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_partnercentralselling as selling;
use jiff::Timestamp;
use selling::config::{Credentials, retry::RetryConfig};
use selling::error::ProvideErrorMetadata;
use selling::types::{
    EngagementContextPayload, EngagementContextType, InvitationStatus, LeadCustomer, Payload, ReviewStatus, TaskStatus,
    UpdateEngagementContextPayload, UpdateLeadContext, ValidationExceptionReason,
};
use serde_json::{Map, json};

use crate::partner_central::invitations::Invitation;
use crate::partner_central::{self, call};
use crate::world::World;
use crate::world::tests::state;

async fn start() -> (Arc<World>, selling::Client) {
    let (sender, _) = tokio::sync::mpsc::unbounded_channel();
    let world = Arc::new(World::new(state(), Box::new(Timestamp::now), sender));
    let listener = crate::listen(0).await.expect("a free port");
    let endpoint = format!("http://127.0.0.1:{}", crate::port(&listener).expect("a port"));
    tokio::spawn(crate::wire::serve(listener, partner_central::router(Arc::clone(&world))));
    let config = selling::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .build();
    (world, selling::Client::from_conf(config))
}

fn invite(world: &World) -> String {
    world.with(|state, now| {
        let payload = json!({
            "Customer": {"CompanyName": "Example", "WebsiteUrl": "https://customer.example", "Industry": "Retail",
                         "CountryCode": "DE"},
            "Project": {"Title": "Referral", "BusinessProblem": "The data centre closes next year.",
                        "TargetCompletionDate": "2030-01-01", "ExpectedCustomerSpend": []},
        });
        let mut invitation =
            Invitation::new("OpportunityInvitation", payload.as_object().cloned().unwrap_or_default(), now);
        invitation.hidden =
            json!({"Customer": {"Contacts": [{"LastName": "Customer"}]}}).as_object().cloned().unwrap_or_default();
        let id = invitation.id.clone();
        state.receive_invitation(invitation, now);
        id
    })
}

#[tokio::test]
async fn the_sdk_reads_every_answer_of_a_referral() {
    let (world, client) = start().await;
    let id = invite(&world);
    let invitation = client.get_engagement_invitation().catalog("Sandbox").identifier(&id).send().await;
    let invitation = invitation.expect("it reads");
    assert_eq!(invitation.status(), Some(&InvitationStatus::Pending));
    let Some(Payload::OpportunityInvitation(shown)) = invitation.payload() else { panic!("an opportunity") };
    assert_eq!(shown.customer().map(selling::types::EngagementCustomer::company_name), Some("Example"));

    let task = client.start_engagement_by_accepting_invitation_task();
    let task = task.catalog("Sandbox").client_token("t").identifier(&id).send().await.expect("it reads");
    let opportunity = task.opportunity_id().expect("complete at once").to_owned();
    let full = client.get_opportunity().catalog("Sandbox").identifier(&opportunity).send().await.expect("it reads");
    assert_eq!(full.life_cycle().and_then(|cycle| cycle.review_status()), Some(&ReviewStatus::Approved));
    assert!(full.software_revenue().is_none(), "an explicit null reads as absent");
    let summary = client.get_aws_opportunity_summary().catalog("Sandbox");
    let summary = summary.related_opportunity_identifier(&opportunity).send().await.expect("it reads");
    assert_eq!(summary.origin().map(selling::types::OpportunityOrigin::as_str), Some("AWS Referral"));
    let list = client.list_opportunities().catalog("Sandbox").send().await.expect("it reads");
    assert_eq!(list.opportunity_summaries().len(), 1);
}

#[tokio::test]
async fn the_sdk_reads_every_answer_of_a_lead() {
    let (world, client) = start().await;
    let invitation = world.with(|state, now| {
        let lead = json!({"Customer": {"CompanyName": "Example"}, "Interaction": {"ContactBusinessTitle": "CTO"}});
        let contact = json!({"Email": "casey@customer.example", "FirstName": "Casey", "LastName": "Customer"});
        let mut invitation = Invitation::new("LeadInvitation", lead.as_object().cloned().unwrap_or_default(), now);
        let hidden = json!({"Interaction": {"Contact": contact}});
        invitation.hidden = hidden.as_object().cloned().unwrap_or_default();
        state.receive_invitation(invitation.clone(), now);
        invitation
    });
    let get = || client.get_engagement().catalog("Sandbox").identifier(&invitation.engagement).send();
    assert!(get().await.expect_err("not a member").into_service_error().is_resource_not_found_exception());
    let accept = client.accept_engagement_invitation().catalog("Sandbox").identifier(&invitation.id);
    accept.send().await.expect("it is open");

    let engagement = get().await.expect("it reads");
    let Some(EngagementContextPayload::Lead(lead)) = engagement.contexts()[0].payload() else { panic!("a lead") };
    let contact = lead.interactions()[0].contact().expect("it shows now");
    assert_eq!((contact.last_name(), contact.business_title()), ("Customer", "CTO"));
    let customer = LeadCustomer::builder().company_name("Example").build().expect("it is whole");
    let change = UpdateLeadContext::builder().qualification_status("Qualified").customer(customer).build();
    let update = client.update_engagement_context().catalog("Sandbox").context_identifier("1");
    let update = update.engagement_identifier(&invitation.engagement).r#type(EngagementContextType::Lead);
    let update = update.payload(UpdateEngagementContextPayload::Lead(change));
    let update = update.engagement_last_modified_at(*engagement.modified_at().expect("a moment"));
    // The client reads nanoseconds and writes microseconds: its callers have to write this body themselves.
    assert!(update.send().await.expect_err("digits are lost").into_service_error().is_conflict_exception());

    let task = client.start_opportunity_from_engagement_task().catalog("Sandbox").client_token("t");
    let task = task.identifier(&invitation.engagement).context_identifier("1").send().await.expect("it reads");
    assert_eq!(task.task_status(), Some(&TaskStatus::Complete));
    let opportunity = task.opportunity_id().expect("complete at once");
    let full = client.get_opportunity().catalog("Sandbox").identifier(opportunity).send().await.expect("it reads");
    assert_eq!(full.life_cycle().and_then(|cycle| cycle.review_status()), Some(&ReviewStatus::PendingSubmission));
    let engagement = get().await.expect("what a project lacks reads as absent");
    assert_eq!(engagement.contexts()[1].r#type(), &EngagementContextType::CustomerProject);
    let list = client.list_opportunity_from_engagement_tasks().catalog("Sandbox").send().await.expect("it reads");
    assert_eq!(list.task_summaries()[0].context_id(), Some("1"));
    let list = client.list_engagements().catalog("Sandbox").send().await.expect("it reads");
    assert_eq!(list.engagement_summary_list()[0].context_types().len(), 2);
}

#[tokio::test]
async fn the_sdk_recognizes_the_errors() {
    let (world, client) = start().await;
    let missing = client.get_opportunity().catalog("Sandbox").identifier("O1").send().await.expect_err("unknown");
    assert!(missing.into_service_error().is_resource_not_found_exception());
    let wrong = client.create_opportunity().catalog("Sandbox").client_token("t").send().await.expect_err("empty");
    let selling::operation::create_opportunity::CreateOpportunityError::ValidationException(wrong) =
        wrong.into_service_error()
    else {
        panic!("a validation exception")
    };
    assert_eq!(wrong.reason(), &ValidationExceptionReason::BusinessValidationFailed);
    assert!(wrong.error_list().iter().any(|entry| entry.field_name() == Some("project.title")));
    let lacking = client.list_resource_snapshot_jobs().catalog("Sandbox").send().await.expect_err("not implemented");
    assert_eq!(lacking.into_service_error().code(), Some("UnknownOperationException"));
    world.with(|state, now| {
        assert!(call(state, "ListResourceSnapshotJobs", &Map::new(), now).is_err());
    });
}
