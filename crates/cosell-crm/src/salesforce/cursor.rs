//! Where a search for changes goes on.
//!
//! `SystemModstamp` is set when a transaction writes, not when it commits: a row may appear with a time that a search
//! has already passed. What lies less than [`OVERLAP`] before a search is therefore searched again by the next pass.
//! The bound is the organization's clock, as far as it is not ahead of ours, and not the last row's time: where nothing
//! changes, it moves on and the last row does not come for ever.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How late a transaction may commit and still be seen.
pub const OVERLAP: Duration = Duration::from_mins(5);

/// How far back the very first search begins. A first load of older records is not the business of a search for
/// changes, and the beginning of time would put every record of the organization on the queue.
pub const FIRST_SEARCH: Duration = Duration::from_hours(1);

/// A text that is not a cursor of this adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored cursor is not one of the Salesforce adapter's")]
pub struct InvalidCursor;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cursor {
    /// The time of the last row, or where a pass begins.
    pub(super) at: Timestamp,
    /// The last row; none where a pass begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    /// Where the next pass must begin because this one went through times that were still open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    again: Option<Timestamp>,
}

impl Cursor {
    pub(super) fn starting(at: Timestamp) -> Self {
        Self { at, id: None, again: None }
    }

    pub(super) fn parse(text: &str) -> Result<Self, InvalidCursor> {
        serde_json::from_str(text).map_err(|_| InvalidCursor)
    }

    /// Where to go on after a page that was full and ended with the row `id` of the time `at`.
    pub(super) fn after(&self, at: Timestamp, id: &str, searched: Timestamp) -> Self {
        let settled = settled(searched);
        let again = self.again.or_else(|| (at > settled).then_some(settled));
        Self { at, id: Some(id.to_owned()), again }
    }

    /// Where the next pass begins after a page that was the last one.
    pub(super) fn caught_up(&self, searched: Timestamp) -> Self {
        Self::starting(self.again.unwrap_or_else(|| settled(searched)))
    }
}

/// Until when nothing new will appear, seen from a search at this time.
fn settled(searched: Timestamp) -> Timestamp {
    let settled = searched.checked_sub(OVERLAP).unwrap_or(Timestamp::MIN);
    Timestamp::from_second(settled.as_second()).unwrap_or(settled)
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| std::fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        format!("2026-11-22T{text}Z").parse().expect("a timestamp")
    }

    /// An organization whose rows become visible at their commit, which may be later than their time.
    struct Org {
        rows: Vec<(Timestamp, Timestamp, String)>,
    }

    impl Org {
        /// What `Select::changed_since` means.
        fn search(&self, cursor: &Cursor, limit: usize, now: Timestamp) -> (Vec<String>, Cursor, bool) {
            let mut found: Vec<_> = self.rows.iter().filter(|(_, committed, _)| *committed <= now).collect();
            found.sort();
            found.retain(|(at, _, id)| match &cursor.id {
                None => *at >= cursor.at,
                Some(last) => *at > cursor.at || (*at == cursor.at && id > last),
            });
            found.sort_by_key(|(at, _, id)| (*at, id.clone()));
            let full = found.len() >= limit;
            found.truncate(limit);
            let next = match found.last() {
                Some((at, _, id)) if full => cursor.after(*at, id, now),
                _ => cursor.caught_up(now),
            };
            (found.into_iter().map(|(_, _, id)| id.clone()).collect(), next, !full)
        }
    }

    #[test]
    fn an_idle_organization_repeats_nothing_for_ever() {
        let org = Org { rows: vec![(time("10:00:00"), time("10:00:00"), "a".to_owned())] };
        let mut cursor = Cursor::starting(time("09:00:00"));
        let mut seen = Vec::new();
        for now in ["10:00:10", "10:02:40", "10:05:10", "10:10:10", "10:15:10", "12:00:00"] {
            let (ids, next, caught_up) = org.search(&cursor, 10, time(now));
            assert!(caught_up);
            assert!(next.at >= cursor.at, "time goes forward");
            seen.push(ids.len());
            cursor = next;
        }
        assert_eq!(seen, [1, 1, 1, 0, 0, 0]);
    }

    #[test]
    fn a_row_that_is_committed_late_is_seen() {
        let org = Org {
            rows: vec![
                (time("10:00:30"), time("10:00:30"), "newer".to_owned()),
                (time("10:00:00"), time("10:00:50"), "late".to_owned()),
            ],
        };
        let (ids, cursor, _) = org.search(&Cursor::starting(time("09:00:00")), 10, time("10:00:40"));
        assert_eq!(ids, ["newer"]);
        let (ids, ..) = org.search(&cursor, 10, time("10:05:00"));
        assert_eq!(ids, ["late", "newer"]);
    }

    #[test]
    fn a_row_that_is_committed_late_is_seen_even_when_full_pages_went_past_it() {
        let mut org = Org { rows: vec![(time("10:00:25"), time("10:00:50"), "late".to_owned())] };
        for n in 0..6 {
            org.rows.push((time(&format!("10:00:3{n}")), time("10:00:36"), format!("r{n}")));
        }
        // The first page ends inside the overlap, the others come minutes later.
        let (ids, mut cursor, caught_up) = org.search(&Cursor::starting(time("10:00:00")), 3, time("10:00:40"));
        assert_eq!((ids.len(), caught_up), (3, false));
        let mut all = Vec::new();
        for minute in 5..12 {
            let (ids, next, _) = org.search(&cursor, 3, time(&format!("10:{minute:02}:00")));
            all.extend(ids);
            cursor = next;
        }
        assert_eq!(all.iter().filter(|id| *id == "late").count(), 1);
        assert!(org.search(&cursor, 3, time("10:13:00")).0.is_empty(), "and it comes to rest");
    }

    #[test]
    fn a_page_of_one_moment_is_passed() {
        let rows = (0..5).map(|n| (time("10:00:00"), time("10:00:00"), format!("r{n}"))).collect();
        let org = Org { rows };
        let mut cursor = Cursor::starting(time("10:00:00"));
        let mut all = Vec::new();
        loop {
            let (ids, next, caught_up) = org.search(&cursor, 2, time("10:00:01"));
            all.extend(ids);
            cursor = next;
            if caught_up {
                break;
            }
        }
        assert_eq!(all, ["r0", "r1", "r2", "r3", "r4"]);
    }

    #[test]
    fn cursors_survive_their_text() {
        let cursor = Cursor::starting(time("10:00:00"));
        assert_eq!(cursor.to_string(), r#"{"at":"2026-11-22T10:00:00Z"}"#);
        let cursor = cursor.after(time("10:00:05.5"), "006000000000001AAA", time("10:00:06"));
        assert_eq!(
            cursor.to_string(),
            r#"{"at":"2026-11-22T10:00:05.5Z","id":"006000000000001AAA","again":"2026-11-22T09:55:06Z"}"#
        );
        assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor));
        for text in ["", "{}", "2026-11-22T10:00:00Z", r#"{"at":"yesterday"}"#, r#"{"after":"100"}"#] {
            assert_eq!(Cursor::parse(text), Err(InvalidCursor), "{text}");
        }
    }
}
