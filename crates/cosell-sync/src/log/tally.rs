use std::{collections::BTreeMap, ops::AddAssign};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Direction, Entry, Status};
use crate::run::Run;

/// Codes are the far sides': what is none of a code's form is counted together.
const LONGEST_CODE: usize = 64;
const OTHER: &str = "OTHER";
/// The upper ends of the classes into which arrivals are sorted, in seconds.
const CLASSES: [u64; 14] = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 14_400, 86_400];

/// Why records were refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cause {
    /// Which way they went.
    pub direction: Direction,
    /// The far side's code, or our rule's name.
    pub code: String,
}

/// How long changes took to arrive, by class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arrivals(BTreeMap<u64, u64>);

impl Arrivals {
    /// How many arrived.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The end of the class, in seconds, within which this share of them arrived; [`u64::MAX`] beyond the last.
    pub fn within(&self, percent: u64) -> Option<u64> {
        let wanted = (self.count() * percent).div_ceil(100);
        let mut seen = 0;
        self.0.iter().find_map(|(class, count)| {
            seen += count;
            (seen >= wanted).then_some(*class)
        })
    }
}

/// What of some entries is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records by direction and end.
    pub records: BTreeMap<(Direction, Status), u64>,
    /// What records were refused for; one may have several causes.
    pub causes: BTreeMap<Cause, u64>,
    /// How long changes took.
    pub arrivals: BTreeMap<Direction, Arrivals>,
}

fn class(seconds: u64) -> u64 {
    CLASSES.into_iter().find(|class| seconds <= *class).unwrap_or(u64::MAX)
}

fn code(text: &str) -> &str {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if !text.is_empty() && text.len() <= LONGEST_CODE && text.chars().all(fits) { text } else { OTHER }
}

impl Entry {
    /// How long the change took from one side to the other.
    pub fn took(&self) -> Option<jiff::SignedDuration> {
        // Clocks differ, and CRMs keep whole seconds.
        self.changed_at.map(|changed| self.at.duration_since(changed).max(jiff::SignedDuration::ZERO))
    }

    /// Counts it.
    pub fn tally(&self) -> Tally {
        let Self { direction, status, .. } = *self;
        let mut tally = Tally::default();
        if self.ace_id.is_some() || self.crm_id.is_some() {
            tally.records.insert((direction, status), 1);
        }
        if status == Status::Error {
            let mut codes: Vec<&str> = self.problems.iter().map(|problem| code(&problem.code)).collect();
            codes.sort_unstable();
            codes.dedup();
            let cause = |code: &str| (Cause { direction, code: code.to_owned() }, 1);
            tally.causes.extend(codes.into_iter().map(cause));
        }
        if let Some(took) = self.took() {
            let class = class(took.as_secs().unsigned_abs());
            tally.arrivals.insert(direction, Arrivals([(class, 1)].into()));
        }
        tally
    }

    /// Tells the metrics of it.
    pub fn measure(&self) {
        for ((direction, status), count) in self.tally().records {
            metrics::counter!("records", "direction" => direction.code(), "status" => status.code()).increment(count);
        }
        if let Some(took) = self.took() {
            metrics::histogram!("arrival_seconds", "direction" => self.direction.code()).record(took.as_secs_f64());
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (name, count) in other.counters() {
            self.count(&name, count);
        }
    }
}

impl Tally {
    /// Every count under a name of its own, as a table keeps them.
    pub fn counters(&self) -> impl Iterator<Item = (String, u64)> {
        let records = self
            .records
            .iter()
            .map(|((direction, status), count)| (format!("record.{}.{}", direction.code(), status.code()), *count));
        let cause = |Cause { direction, code }: &Cause| format!("cause.{}.{code}", direction.code());
        let causes = self.causes.iter().map(move |(it, count)| (cause(it), *count));
        let arrivals = self.arrivals.iter().flat_map(|(direction, arrivals)| {
            arrivals.0.iter().map(|(class, count)| (format!("arrival.{}.{class}", direction.code()), *count))
        });
        records.chain(causes).chain(arrivals)
    }

    /// Adds what stands under a name; what is none of its names is left out.
    pub fn count(&mut self, name: &str, count: u64) {
        let mut parts = name.splitn(3, '.');
        let (Some(what), Some(direction), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { return };
        let Some(direction) = Direction::ALL.into_iter().find(|it| it.code() == direction) else { return };
        let counter = match what {
            "record" => {
                let status = Status::ALL.into_iter().find(|status| status.code() == rest);
                status.map(|status| self.records.entry((direction, status)).or_default())
            }
            "cause" => Some(self.causes.entry(Cause { direction, code: rest.to_owned() }).or_default()),
            "arrival" => {
                let arrivals = self.arrivals.entry(direction).or_default();
                rest.parse().ok().map(|class| arrivals.0.entry(class).or_default())
            }
            _ => None,
        };
        if let Some(counter) = counter {
            *counter += count;
        }
    }

    /// Records that went this way and ended so.
    pub fn of(&self, direction: Direction, status: Status) -> u64 {
        self.records.get(&(direction, status)).copied().unwrap_or_default()
    }
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// Which.
    pub run: Run,
    /// When it last wrote into the sync log.
    pub last_at: Timestamp,
    /// What it did.
    pub tally: Tally,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{log::Purpose, ports::Rejection};

    fn entry(status: Status, codes: &[&str], took: Option<i64>) -> Entry {
        let at = "2026-03-09T12:00:00Z".parse::<Timestamp>().unwrap();
        let mut entry = Entry::new(at, Direction::ToAws, Purpose::Push, status, String::new());
        entry.ace_id = Some("O1".into());
        entry.changed_at = took.map(|seconds| at - jiff::SignedDuration::from_secs(seconds));
        let problem = |code: &&str| Rejection { field: None, code: (*code).to_owned(), message: String::new() };
        entry.problems = codes.iter().map(problem).collect();
        entry
    }

    #[test]
    fn counts_are_kept_by_name() {
        let mut tally = Tally::default();
        for entry in [
            entry(Status::ApiSuccess, &["CONFLICT"], Some(3)),
            entry(Status::ApiSuccess, &[], Some(-1)),
            entry(Status::ApiSuccess, &[], Some(700)),
            entry(Status::ApiSuccess, &[], Some(1_000_000)),
            entry(Status::Error, &["A_B", "A_B", "x y", "ada@example.com"], None),
        ] {
            tally += entry.tally();
        }
        let named: Vec<_> = tally.counters().map(|(name, count)| format!("{name} {count}")).collect();
        let expected = [
            "record.to_aws.api_success 4",
            "record.to_aws.error 1",
            "cause.to_aws.A_B 1",
            "cause.to_aws.OTHER 1",
            "arrival.to_aws.1 1",
            "arrival.to_aws.5 1",
            "arrival.to_aws.1800 1",
            "arrival.to_aws.18446744073709551615 1",
        ];
        assert_eq!(named, expected);
        let mut read = Tally::default();
        tally.counters().for_each(|(name, count)| read.count(&name, count));
        for strange in ["pk", "record.x.y", "arrival.to_aws.long", "record.to_aws.odd"] {
            read.count(strange, 9);
        }
        assert_eq!(read, tally);
        let arrivals = &tally.arrivals[&Direction::ToAws];
        assert_eq!([25, 50, 75, 100].map(|percent| arrivals.within(percent)), [1, 5, 1800, u64::MAX].map(Some));
        assert_eq!(Arrivals::default().within(50), None);
    }

    #[test]
    fn a_file_is_no_record() {
        let mut about_a_file = entry(Status::Processed, &[], None);
        (about_a_file.ace_id, about_a_file.file) = (None, Some("a.json".into()));
        assert_eq!(about_a_file.tally(), Tally::default());
    }
}
