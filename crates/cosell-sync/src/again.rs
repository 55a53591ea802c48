//! Working off a record once more that an entry of the sync log is about: because it was corrected, or because what the far
//! side refuses may change.

use cosell_mapping::{Mapping, Retry};
use cosell_model::{Catalog, EngagementId, InvitationId, OpportunityId};
use jiff::{SignedDuration, Timestamp};

use crate::{
    SyncError,
    log::{Direction, Entry, Open, OpenRecord, Payload},
    ports::Message,
    push::Changed,
    reconcile::{invitation_ring, lead_ring, opportunity_ring},
};

/// The wait before the first retry; each further one is four times as long.
const FIRST_WAIT: SignedDuration = SignedDuration::from_hours(1);

/// How a record is worked off once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// By the queue of opportunity events.
    Opportunities(Message),
    /// By the queue of invitation events.
    Invitations(Message),
    /// By the queue to AWS.
    ToAws(Message),
    /// By a file of its own: AWS is not asked for what it sends in files.
    File(Payload),
}

impl Again {
    /// The way of an entry's record; none where the entry names none.
    pub fn of(entry: &Entry, mapping: &Mapping, catalog: Catalog, now: Timestamp) -> Result<Option<Self>, SyncError> {
        if entry.direction == Direction::ToAws {
            let kind = entry.payload.as_ref().map(|payload| payload.kind);
            let object = kind.map_or(Some(&mapping.opportunity), |kind| mapping.of(kind));
            let Some((object, id)) = object.zip(entry.crm_id.as_deref()) else { return Ok(None) };
            return Ok(Some(Self::ToAws(Changed::again(object, id, now).message()?)));
        }
        if entry.file.is_some() {
            return Ok(entry.payload.clone().map(Self::File));
        }
        let id = entry.ace_id.as_deref().unwrap_or_default();
        let opportunity = || id.parse::<OpportunityId>().ok().map(|id| opportunity_ring(catalog, &id));
        let invitation = || id.parse::<InvitationId>().ok().map(|id| invitation_ring(catalog, &id));
        let lead = || id.parse::<EngagementId>().ok().map(|id| lead_ring(catalog, &id));
        let by_invitations = || invitation().or_else(lead).map(Self::Invitations);
        Ok(opportunity().map(Self::Opportunities).or_else(by_invitations))
    }
}

impl OpenRecord {
    /// Whether it is tried again now, without being asked.
    pub fn is_due(&self, retry: Retry, now: Timestamp) -> bool {
        let last = self.since.saturating_add(SignedDuration::from_hours(24 * i64::from(retry.days)));
        let wait = FIRST_WAIT * 4_i32.saturating_pow(self.retries.min(8));
        let due = self.last_at.saturating_add(wait);
        let may = self.what == Open::Refused && self.retries < retry.times;
        may && last.is_ok_and(|last| now <= last) && due.is_ok_and(|due| due <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_far_side_refused_is_tried_a_few_times() {
        let at = |hours: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let open = |what, retries, last: i64| OpenRecord {
            direction: Direction::ToAws,
            name: "006A".into(),
            what,
            since: at(0),
            entry: uuid::Uuid::nil(),
            retries,
            last_at: at(last),
        };
        let retry = Retry { times: 3, days: 5 };
        for (record, now, due) in [
            (open(Open::Refused, 0, 0), 0, false),
            (open(Open::Refused, 0, 0), 1, true),
            (open(Open::Refused, 1, 1), 4, false),
            (open(Open::Refused, 1, 1), 5, true),
            (open(Open::Refused, 2, 5), 21, true),
            (open(Open::Refused, 3, 21), 100, false),
            (open(Open::Refused, 0, 0), 5 * 24 + 1, false),
            (open(Open::Wrong, 0, 0), 1, false),
            (open(Open::Held, 0, 0), 1, false),
        ] {
            assert_eq!(record.is_due(retry, at(now)), due, "{record:?} at {now}");
        }
    }
}
