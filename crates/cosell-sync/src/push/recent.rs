use std::collections::{BTreeMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::ports::Message;

/// How much older than the newest change a change may be that a search lists once more.
const KEPT: SignedDuration = SignedDuration::from_mins(15);
/// How many are kept: an item of the ledger takes 400 KB.
const MOST: usize = 12_000;

/// What was queued lately, by when it changed. A search lists the last minutes once more, and the queue knows a message
/// again for five minutes only: a burst takes longer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Recent(BTreeMap<String, HashSet<u64>>);

fn digest(message: &Message) -> u64 {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, message.body.as_bytes()).as_u64_pair().0
}

impl Recent {
    /// Reads what an earlier run has left; what cannot be read is forgotten, which costs repetitions and nothing else.
    pub(super) fn read(text: Option<&str>) -> Self {
        Self(text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }

    /// Notes a message about a record that changed at this moment; false if it is known.
    pub(super) fn is_news(&mut self, modified_at: &str, message: &Message) -> bool {
        self.0.entry(modified_at.to_owned()).or_default().insert(digest(message))
    }

    /// What the next run is to know.
    pub(super) fn text(mut self) -> String {
        let moment = |text: &str| text.parse::<Timestamp>().ok();
        let newest = self.0.keys().filter_map(|at| moment(at)).max();
        let oldest = newest.and_then(|newest| newest.checked_sub(KEPT).ok());
        self.0.retain(|at, _| moment(at).is_some_and(|at| oldest.is_none_or(|oldest| at >= oldest)));
        let mut count: usize = self.0.values().map(HashSet::len).sum();
        while count > MOST
            && let Some((_, dropped)) = self.0.pop_first()
        {
            count -= dropped.len();
        }
        serde_json::to_string(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: usize) -> Message {
        Message { body: number.to_string(), group: None }
    }

    #[test]
    fn what_was_queued_is_known_until_it_is_old() {
        let mut recent = Recent::read(None);
        assert!(recent.is_news("2026-03-09T01:00:00Z", &message(1)));
        assert!(!recent.is_news("2026-03-09T01:00:00Z", &message(1)));
        let mut recent = Recent::read(Some(&recent.text()));
        assert!(!recent.is_news("2026-03-09T01:00:00Z", &message(1)));
        assert!(recent.is_news("2026-03-09T01:30:00Z", &message(1)), "a later change");
        let mut recent = Recent::read(Some(&recent.text()));
        assert!(recent.is_news("2026-03-09T01:00:00Z", &message(1)), "forgotten");
        assert_eq!(Recent::read(Some("what is this")), Recent::default());
    }

    #[test]
    fn a_burst_fits_into_the_ledger() {
        let mut recent = Recent::read(None);
        for number in 0..40_000 {
            recent.is_news(&format!("2026-03-09T01:00:{:02}Z", number / 1000), &message(number));
        }
        let text = recent.text();
        assert!(text.len() < 300_000, "{}", text.len());
        assert!(!Recent::read(Some(&text)).is_news("2026-03-09T01:00:39Z", &message(39_999)), "the newest are kept");
    }
}
