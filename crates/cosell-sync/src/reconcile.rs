//! Finds what events missed: they are best effort. What is new or newer than we know rings the same queues again.

use cosell_model::{Catalog, InvitationId, OpportunityId};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;

use crate::{
    LinkKey, SyncError,
    ports::{Ledger, Message, PartnerCentral, Queue},
};

/// Compares AWS's lists with the links.
pub struct Reconcile {
    /// Partner Central.
    pub partner_central: Box<dyn PartnerCentral>,
    /// cosell's memory.
    pub ledger: Box<dyn Ledger>,
    /// The queue of opportunity events.
    pub opportunities: Box<dyn Queue>,
    /// The queue of invitation events.
    pub invitations: Box<dyn Queue>,
    /// Which world of Partner Central this deployment serves.
    pub catalog: Catalog,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// What a run found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reconciled {
    /// Opportunities that AWS lists as changed since the last run.
    pub opportunities: usize,
    /// Those whose present state no event had brought.
    pub opportunities_missed: usize,
    /// Invitations that wait for an answer.
    pub invitations: usize,
    /// Those that no event had brought.
    pub invitations_missed: usize,
}

/// The source of events that reconciliation makes in place of lost ones.
pub const SOURCE: &str = "cosell.reconcile";

const CURSOR: &str = "reconcile";

/// How far back the very first run looks.
const FIRST_LOOK: SignedDuration = SignedDuration::from_hours(1);

impl Reconcile {
    /// Goes through both lists once.
    pub async fn run(&self) -> Result<Reconciled, SyncError> {
        let mut reconciled = Reconciled::default();
        // Only AWS's own timestamps are good watermarks; the last one is asked for again, which is harmless. The first run
        // has none: it looks back a little and leaves the existing pipeline alone, which somebody has to match first.
        let first = || (self.now)().saturating_sub(FIRST_LOOK).unwrap_or(Timestamp::MIN).to_string();
        let since = self.ledger.cursor(CURSOR).await?.unwrap_or_else(first);
        let mut page = None;
        loop {
            let listed = self.partner_central.opportunities(Some(&since), page.as_deref()).await?;
            let mut missed = Vec::new();
            for line in &listed.items {
                let link = self.ledger.link(&LinkKey::Opportunity(line.id.clone())).await?;
                if link.is_none_or(|link| link.last_modified.as_deref() != Some(&line.last_modified)) {
                    missed.push(opportunity_ring(self.catalog, &line.id));
                }
            }
            self.opportunities.send(&missed).await?;
            reconciled.opportunities += listed.items.len();
            reconciled.opportunities_missed += missed.len();
            if let Some(line) = listed.items.last() {
                self.ledger.set_cursor(CURSOR, &line.last_modified).await?;
            }
            page = listed.next;
            if page.is_none() {
                break;
            }
        }
        loop {
            let listed = self.partner_central.pending_invitations(page.as_deref()).await?;
            let mut missed = Vec::new();
            for id in &listed.items {
                if self.ledger.link(&LinkKey::Invitation(id.clone())).await?.is_none() {
                    missed.push(invitation_ring(self.catalog, id));
                }
            }
            self.invitations.send(&missed).await?;
            reconciled.invitations += listed.items.len();
            reconciled.invitations_missed += missed.len();
            page = listed.next;
            if page.is_none() {
                return Ok(reconciled);
            }
        }
    }
}

/// The message by which an opportunity's present state comes into the CRM.
pub fn opportunity_ring(catalog: Catalog, id: &OpportunityId) -> Message {
    event("Opportunity Updated", &json!({"catalog": catalog.as_str(), "opportunity": {"identifier": id.as_str()}}))
}

/// The message by which an invitation's present state comes into the CRM.
pub fn invitation_ring(catalog: Catalog, id: &InvitationId) -> Message {
    let invitation = json!({"id": id.as_str(), "participantType": "RECEIVER"});
    event("Engagement Invitation Created", &json!({"catalog": catalog.as_str(), "engagementInvitation": invitation}))
}

fn event(detail_type: &str, detail: &serde_json::Value) -> Message {
    let body = json!({"source": SOURCE, "detail-type": detail_type, "detail": detail}).to_string();
    Message { body, group: None }
}
