//! What operators order, against the ports in memory, in earnest and rehearsed.

use cosell_model::catalog::Entity;
use cosell_sync::{
    dry::{To, rehearsal},
    order::{Deed, Order, Outcome, Why},
};
use serde_json::{Value as Json, json};

use crate::memory::{Shared, shareable};

const DEAL: &str = "006A";

/// A deal that is complete, and nobody shares it.
fn world() -> Shared {
    let world = Shared::default();
    world.rep_edits("Opportunity", DEAL, &shareable()[1..]);
    world
}

const WRITES: [&str; 10] = [
    "CreateOpportunity",
    "UpdateOpportunity",
    "AssociateOpportunity",
    "DisassociateOpportunity",
    "AssignOpportunity",
    "StartEngagementFromOpportunityTask",
    "RejectEngagementInvitation",
    "upsert",
    "update",
    "create",
];

/// Rehearses, makes sure that nothing was written, does it, and makes sure that it was the same.
async fn ordered(world: &Shared, id: &str, order: Order) -> Outcome {
    let state = || {
        world
            .mutate(|w| (w.opportunities.clone(), w.invitations.clone(), w.crm.clone(), w.log.clone(), w.links.clone()))
    };
    let before = state();
    let (deliver, notes) = rehearsal(world.deliver());
    let rehearsed = deliver.carry_out(id, &order).await.unwrap();
    assert!(state() == before, "{order:?}: a rehearsal writes nothing");
    let seen = |to: &To| matches!(to, To::PartnerCentral | To::Crm);
    let rehearsals: Vec<_> =
        notes.take().into_iter().filter(|note| seen(&note.to)).map(|note| note.operation).collect();

    world.mutate(|w| w.calls.clear());
    let done = world.deliver().carry_out(id, &order).await.unwrap();
    let mut calls = world.mutate(|w| w.calls.clone());
    calls.retain(|call| WRITES.contains(&call.as_str()));
    assert_eq!(rehearsals, calls, "{order:?}: what is rehearsed is what is done");
    assert_eq!((rehearsed.deed, &rehearsed.why), (done.deed, &done.why), "{order:?}");
    assert_eq!(rehearsed.problems, done.problems, "{order:?}");
    done
}

fn field(world: &Shared, pointer: &str) -> Json {
    world.mutate(|w| w.opportunities.values().next().and_then(|it| it.pointer(pointer)).cloned().unwrap_or_default())
}

#[tokio::test]
async fn a_deal_is_shared_once_and_changed_and_closed() {
    let world = world();
    let done = ordered(&world, DEAL, Order::Share).await;
    assert_eq!((done.deed, done.ace_id.as_deref()), (Deed::Done, Some("O9000001")), "{done:?}");
    assert_eq!(world.mutate(|w| w.opportunities.len()), 1);
    let again = ordered(&world, "O9000001", Order::Share).await;
    assert_eq!((again.deed, again.why), (Deed::Unchanged, Some(Why::Shared)));

    let held = ordered(&world, DEAL, Order::Lose("Customer Deficiency".into())).await;
    assert_eq!((held.deed, held.why), (Deed::HeldBack, Some(Why::HeldBack)), "AWS reviews");
    world.aws_edits("O9000001", "/LifeCycle/ReviewStatus", json!("Approved"));
    let solution = || (Entity::Solution, "S-0000003".to_owned());
    let (entity, id) = solution();
    assert_eq!(ordered(&world, DEAL, Order::Associate(entity, id)).await.deed, Deed::Done);
    assert_eq!(field(&world, "/LifeCycle/Stage"), "Closed Lost", "what was held back goes along");
    assert_eq!(field(&world, "/RelatedEntityIdentifiers/Solutions"), json!(["S-0000001", "S-0000002", "S-0000003"]));
    assert_eq!(world.crm_text(DEAL, "ACE_Solutions__c").as_deref(), Some("S-0000001;S-0000002;S-0000003"));
    assert_eq!(ordered(&world, DEAL, Order::Update).await.deed, Deed::Unchanged);
}

#[tokio::test]
async fn what_cannot_be_done_says_why_and_how_to_mend_it() {
    let world = world();
    for (id, order, why) in [
        ("006X", Order::Share, Why::Unknown),
        (DEAL, Order::Update, Why::NotShared),
        (DEAL, Order::Accept, Why::NoReferral),
        (DEAL, Order::Assign("jane@partner.example".into()), Why::NotShared),
    ] {
        let refused = ordered(&world, id, order).await;
        assert_eq!((refused.deed, refused.why), (Deed::Refused, Some(why)));
    }
    world.rep_edits("Opportunity", DEAL, &[("ACE_Industry__c", json!(null))]);
    let refused = ordered(&world, DEAL, Order::Share).await;
    assert_eq!(refused.deed, Deed::Refused);
    assert!(refused.problems.iter().any(|it| it.field.as_deref() == Some("ACE_Industry__c (industry)")), "{refused:?}");

    world.rep_edits("Opportunity", DEAL, &[("ACE_Industry__c", json!("Energy - Oil and Gas"))]);
    ordered(&world, DEAL, Order::Share).await;
    let refused = ordered(&world, DEAL, Order::Associate(Entity::Offer, "offer-1".into())).await;
    assert_eq!(refused.why, Some(Why::NotMapped("offers".into())));
}

#[tokio::test]
async fn a_referral_is_rejected_in_the_reps_place() {
    let world = Shared::default();
    let id = "engi-0123456789abc";
    world.mutate(|w| {
        w.invitations.insert(
            id.into(),
            json!({"Id": id, "Status": "PENDING", "PayloadType": "OpportunityInvitation",
                "ExpirationDate": "2027-03-24T01:50:25Z", "EngagementId": "eng-0123456789abcd",
                "Payload": {"OpportunityInvitation": {"Customer": {"CompanyName": "Nordlicht", "CountryCode": "DE"},
                    "Project": {"Title": "Lake"}}}}),
        );
    });
    let order = || Order::Reject("Unable to support".into());
    let done = ordered(&world, id, order()).await;
    assert_eq!(done.deed, Deed::Done, "no event had brought it: {done:?}");
    assert_eq!(world.mutate(|w| w.invitations[id]["Status"].clone()), "REJECTED");
    let deal = done.crm_id.unwrap();
    assert_eq!(world.crm_text(&deal, "ACE_Response__c").as_deref(), Some("Reject"));
    assert_eq!(world.crm_text(&deal, "ACE_Rejection_Reason__c").as_deref(), Some("Unable to support"));
    assert_eq!(ordered(&world, &deal, order()).await.deed, Deed::Unchanged);
    assert_eq!(ordered(&world, id, Order::Accept).await.deed, Deed::Refused);
}
