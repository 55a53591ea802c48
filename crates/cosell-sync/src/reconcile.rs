//! Finds what events missed: they are best effort. What is new or newer than we know rings the same queues again.

use cosell_mapping::Mapping;
use cosell_model::{Catalog, EngagementId, InvitationId, OpportunityId};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;

use crate::{
    Link, LinkKey, SyncError,
    again::Again,
    log::{Open, OpenRecord},
    ports::{Ledger, Message, PartnerCentral, Queue, SyncLog},
};

/// Compares AWS's lists with the links.
pub struct Reconcile {
    /// Partner Central.
    pub partner_central: Box<dyn PartnerCentral>,
    /// cosell's memory.
    pub ledger: Box<dyn Ledger>,
    /// What is known of records that were refused.
    pub sync_log: Box<dyn SyncLog>,
    /// The queue to AWS.
    pub to_aws: Box<dyn Queue>,
    /// The queue of opportunity events.
    pub opportunities: Box<dyn Queue>,
    /// The queue of invitation events.
    pub invitations: Box<dyn Queue>,
    /// Which world of Partner Central this deployment serves.
    pub catalog: Catalog,
    /// How records correspond: how long before the end of a referral somebody is to be warned.
    pub mapping: Mapping,
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
    /// Invitations that wait for an answer, at AWS or as far as we know.
    pub invitations: usize,
    /// Those that no event had brought, or whose end no event had told.
    pub invitations_missed: usize,
    /// Those whose time is nearly over.
    pub invitations_expiring: usize,
    /// Opportunities that AWS works on and that were read again because that was long ago: changes of AWS's own view do
    /// not show in its list.
    pub refreshed: usize,
    /// Records that were refused and are tried again.
    pub retried: usize,
    /// Whether there is more for the next run.
    pub unfinished: bool,
}

/// The source of events that reconciliation makes in place of lost ones.
pub const SOURCE: &str = "cosell.reconcile";

const CHANGED: &str = "reconcile";
/// The cursor that every good run moves.
pub const RAN: &str = "reconcile:ran";
/// The cursor that is moved once a day, when everything that AWS works on was looked at.
const REFRESHED: &str = "reconcile:refreshed";

/// How far back the very first run looks.
const FIRST_LOOK: SignedDuration = SignedDuration::from_hours(1);
/// How much of what was seen is looked at again: AWS may list a change late. It costs a look into the ledger.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);
/// How old our last look at a record may be that AWS works on.
const STALE: SignedDuration = SignedDuration::from_hours(24);

impl Reconcile {
    /// Goes through AWS's lists once, as far as `go_on` lets it. A run that ends early or dies goes on where it stored
    /// that it was.
    pub async fn run(&self, go_on: impl Fn() -> bool) -> Result<Reconciled, SyncError> {
        let mut found = Reconciled::default();
        let mut objects = self.mapping.objects().filter(|object| !object.goes_by_file());
        if objects.any(|object| object.referral.is_some()) {
            self.invitations(&mut found).await?;
        }
        // What comes by files is asked of nobody: a partner of files may have no right to ask.
        if !self.mapping.opportunity.goes_by_file() {
            self.changed(&go_on, &mut found).await?;
            self.stale(&go_on, &mut found).await?;
        }
        self.left_open(&go_on, &mut found).await?;
        metrics::counter!("missed_events").increment((found.opportunities_missed + found.invitations_missed) as u64);
        self.ledger.set_cursor(RAN, &(self.now)().to_string()).await?;
        Ok(found)
    }

    /// Records of which something is left to do: says how many there are, and tries again what may go now.
    async fn left_open(&self, go_on: impl Fn() -> bool, found: &mut Reconciled) -> Result<(), SyncError> {
        let now = (self.now)();
        let open = self.ledger.open_records().await?;
        let (held, refused): (Vec<_>, Vec<_>) = open.into_iter().partition(|record| record.what == Open::Held);
        let oldest = |records: &[OpenRecord]| {
            let ages = records.iter().map(|record| now.duration_since(record.since).as_secs_f64());
            ages.fold(0.0, f64::max)
        };
        let count = |records: &[OpenRecord]| u32::try_from(records.len()).unwrap_or(u32::MAX);
        metrics::gauge!("held_back_records").set(count(&held));
        metrics::gauge!("held_back_oldest_seconds").set(oldest(&held));
        metrics::gauge!("refused_records").set(count(&refused));
        metrics::gauge!("refused_oldest_seconds").set(oldest(&refused));
        for record in refused.iter().filter(|record| record.is_due(self.mapping.retry, now)) {
            if !go_on() {
                found.unfinished = true;
                break;
            }
            let Some(entry) = self.sync_log.entry(record.entry).await? else { continue };
            match Again::of(&entry, &self.mapping, self.catalog, now)? {
                Some(Again::Opportunities(message)) => self.opportunities.send(&[message]).await?,
                Some(Again::Invitations(message)) => self.invitations.send(&[message]).await?,
                Some(Again::ToAws(message)) => self.to_aws.send(&[message]).await?,
                // The poll of files sees to it.
                Some(Again::File(_)) | None => continue,
            }
            self.ledger.tried_again(record, now).await?;
            found.retried += 1;
        }
        Ok(())
    }

    /// Opportunities that changed since the last run. Only AWS's own timestamps are good watermarks.
    async fn changed(&self, go_on: impl Fn() -> bool, found: &mut Reconciled) -> Result<(), SyncError> {
        // The first run has no mark: it looks back a little and leaves the existing pipeline alone, which somebody has to
        // match first.
        let first = || (self.now)().saturating_sub(FIRST_LOOK).unwrap_or(Timestamp::MIN).to_string();
        let mark = self.ledger.cursor(CHANGED).await?.unwrap_or_else(first);
        let since = mark.parse().ok().and_then(|mark: Timestamp| mark.checked_sub(OVERLAP).ok());
        let since = since.map_or_else(|| mark.clone(), |since| format!("{since:.3}"));
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
            found.opportunities += listed.items.len();
            found.opportunities_missed += missed.len();
            if let Some(line) = listed.items.last().filter(|line| line.last_modified > mark) {
                self.ledger.set_cursor(CHANGED, &line.last_modified).await?;
            }
            page = listed.next;
            if page.is_none() {
                return Ok(());
            }
            if !go_on() {
                found.unfinished = true;
                return Ok(());
            }
        }
    }

    /// Invitations that wait, as AWS lists them and as we remember them. One that waits on one side only, or not long
    /// any more, rings.
    async fn invitations(&self, found: &mut Reconciled) -> Result<(), SyncError> {
        let lead_time =
            self.mapping.objects().filter_map(|object| Some(object.referral.as_ref()?.warn_before_hours)).max();
        let lead_time = SignedDuration::from_hours(lead_time.unwrap_or(0).into());
        let soon = (self.now)().saturating_add(lead_time).unwrap_or(Timestamp::MAX);
        let mut remembered = self.ledger.open_invitations().await?;
        let mut rings = Vec::new();
        let (mut open, mut expiring) = (0_usize, 0_usize);
        let mut page = None;
        loop {
            let listed = self.partner_central.pending_invitations(page.as_deref()).await?;
            found.invitations += listed.items.len();
            for invited in listed.items {
                remembered.retain(|id| *id != invited.id);
                let link = self.ledger.link(&LinkKey::Invitation(invited.id.clone())).await?;
                let warned = |link: &Link| link.referral.as_ref().is_some_and(|referral| referral.warned);
                let ends_soon = invited.expires.is_some_and(|expires| expires <= soon);
                (open, expiring) = (open + 1, expiring + usize::from(ends_soon));
                if link.is_none() {
                    found.invitations_missed += 1;
                } else if ends_soon && !link.is_some_and(|link| warned(&link)) {
                    found.invitations_expiring += 1;
                } else {
                    continue;
                }
                rings.push(invitation_ring(self.catalog, &invited.id));
            }
            page = listed.next;
            if page.is_none() {
                break;
            }
        }
        metrics::gauge!("invitations_open").set(u32::try_from(open).unwrap_or(u32::MAX));
        metrics::gauge!("invitations_expiring").set(u32::try_from(expiring).unwrap_or(u32::MAX));
        found.invitations += remembered.len();
        found.invitations_missed += remembered.len();
        rings.extend(remembered.iter().map(|id| invitation_ring(self.catalog, id)));
        Ok(self.invitations.send(&rings).await?)
    }

    /// Once a day: records that AWS works on and that nobody has read for long.
    async fn stale(&self, go_on: impl Fn() -> bool, found: &mut Reconciled) -> Result<(), SyncError> {
        let now = (self.now)();
        let long_ago = now.saturating_sub(STALE).unwrap_or(Timestamp::MIN);
        let last: Option<Timestamp> = self.ledger.cursor(REFRESHED).await?.and_then(|at| at.parse().ok());
        if last.is_some_and(|last| last > long_ago) {
            return Ok(());
        }
        let mut page = None;
        loop {
            let listed = self.partner_central.open_opportunities(page.as_deref()).await?;
            let mut stale = Vec::new();
            for line in &listed.items {
                // Without a link it is one that the CRM does not want, or one to be found as changed.
                let link = self.ledger.link(&LinkKey::Opportunity(line.id.clone())).await?;
                if link.is_some_and(|link| link.crm().is_some() && link.read_at.is_none_or(|at| at < long_ago)) {
                    stale.push(opportunity_ring(self.catalog, &line.id));
                }
            }
            self.opportunities.send(&stale).await?;
            found.refreshed += stale.len();
            page = listed.next;
            if page.is_none() {
                return Ok(self.ledger.set_cursor(REFRESHED, &now.to_string()).await?);
            }
            if !go_on() {
                // From its beginning at the next run: what was read meanwhile is not stale any more.
                found.unfinished = true;
                return Ok(());
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

/// The message by which the present state of a lead that AWS shares by an engagement comes into the CRM.
pub fn lead_ring(catalog: Catalog, id: &EngagementId) -> Message {
    let engagement = json!({"engagementId": id.as_str(), "ContextTypes": ["Lead"]});
    event("Engagement Updated", &json!({"catalog": catalog.as_str(), "engagement": engagement}))
}

fn event(detail_type: &str, detail: &serde_json::Value) -> Message {
    let body = json!({"source": SOURCE, "detail-type": detail_type, "detail": detail}).to_string();
    Message { body, group: None }
}
