use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{Direction, Entry, Status};

/// What entries are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of<'q> {
    /// An ACE or CRM identifier, or a file.
    Record(&'q str),
    /// A run.
    Run(&'q str),
    /// Anything.
    Any,
}

/// Which part of the sync log. Each is found by its key: nothing reads what it does not ask for, but for the other entries
/// of the same record or run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'q> {
    /// What about.
    pub of: Of<'q>,
    /// Which way; both without.
    pub direction: Option<Direction>,
    /// How it ended; anyhow without.
    pub status: Option<Status>,
    /// Not before.
    pub since: Timestamp,
    /// Before this moment.
    pub until: Timestamp,
}

impl<'q> Query<'q> {
    /// Everything about something.
    pub fn of(of: Of<'q>) -> Self {
        Self { of, direction: None, status: None, since: Timestamp::UNIX_EPOCH, until: Timestamp::MAX }
    }

    /// Whether an entry is meant.
    pub fn fits(&self, entry: &Entry) -> bool {
        let about = match self.of {
            Of::Record(id) => entry.names().any(|name| name == id),
            Of::Run(id) => entry.run.as_deref() == Some(id),
            Of::Any => true,
        };
        let direction = self.direction.is_none_or(|direction| direction == entry.direction);
        let status = self.status.is_none_or(|status| status == entry.status);
        about && direction && status && (self.since..self.until).contains(&entry.at)
    }

    /// The days that it covers, UTC, the last one first.
    pub fn days(&self) -> impl Iterator<Item = Date> {
        let date = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
        let (first, last) = (date(self.since), date(self.until));
        std::iter::successors(Some(last), move |day| day.yesterday().ok().filter(|day| *day >= first))
    }

    /// The directions that it covers.
    pub fn directions(&self) -> impl Iterator<Item = Direction> + Clone {
        let wanted = self.direction;
        Direction::ALL.into_iter().filter(move |direction| wanted.is_none_or(|wanted| wanted == *direction))
    }

    /// The statuses that it covers.
    pub fn statuses(&self) -> impl Iterator<Item = Status> + Clone {
        let wanted = self.status;
        Status::ALL.into_iter().filter(move |status| wanted.is_none_or(|wanted| wanted == *status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Purpose;

    #[test]
    fn a_query_knows_its_entries_and_its_days() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let mut entry =
            Entry::new(at("2026-03-09T12:00:00Z"), Direction::ToAws, Purpose::Push, Status::Error, String::new());
        (entry.crm_id, entry.run) = (Some("006A".into()), Some("r".into()));
        for (of, fits) in [
            (Of::Any, true),
            (Of::Record("006A"), true),
            (Of::Record("006B"), false),
            (Of::Record(""), false),
            (Of::Run("r"), true),
            (Of::Run("s"), false),
        ] {
            assert_eq!(Query::of(of).fits(&entry), fits, "{of:?}");
        }
        let query =
            Query { since: at("2026-03-08T23:00:00Z"), until: at("2026-03-10T00:00:00Z"), ..Query::of(Of::Any) };
        assert!(query.fits(&entry));
        assert!(!Query { status: Some(Status::Partial), ..query }.fits(&entry));
        assert!(!Query { direction: Some(Direction::FromAws), ..query }.fits(&entry));
        assert!(!Query { until: entry.at, ..query }.fits(&entry));
        assert!(Query { since: entry.at, ..query }.fits(&entry));
        let days: Vec<_> = query.days().map(|day| day.to_string()).collect();
        assert_eq!(days, ["2026-03-10", "2026-03-09", "2026-03-08"]);
    }
}
