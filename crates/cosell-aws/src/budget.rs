//! Partner Central's quotas as a budget that all functions share. Each call books a moment in the ledger before it is
//! sent, so that any number of instances together stay within the quota; nobody asks first and is throttled.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use cosell_model::Catalog;
use cosell_sync::ports::{PortError, PortResult};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::errors::{setup_error, unavailable};

/// What AWS counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// What the documentation lists as reads.
    Read,
    /// Writes that can wait: changes of what AWS has already.
    Write,
    /// Writes that somebody waits for: new shares, answers to referrals. The end of the day's budget is kept for them.
    UrgentWrite,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write | Self::UrgentWrite => "write",
        }
    }
}

/// AWS's quotas of a partner account, as they are or were raised to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Reads in a second.
    pub reads_per_second: u32,
    /// Reads in 24 hours.
    pub reads_per_day: u32,
    /// Writes in a second.
    pub writes_per_second: u32,
    /// Writes in 24 hours.
    pub writes_per_day: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit {
    per_second: usize,
    second_millis: i64,
    per_day: u64,
}

impl Quotas {
    fn limit(self, class: Class) -> Limit {
        let (per_second, per_day) = match class {
            Class::Read => (self.reads_per_second, self.reads_per_day),
            // The last tenth of a day is for what somebody waits for.
            Class::Write => (self.writes_per_second, self.writes_per_day - self.writes_per_day / 10),
            Class::UrgentWrite => (self.writes_per_second, self.writes_per_day),
        };
        let second_millis = if class == Class::Read { SECOND_MILLIS.0 } else { SECOND_MILLIS.1 };
        Limit { per_second: per_second.max(1) as usize, second_millis, per_day: per_day.into() }
    }
}

/// AWS's second, and what the network may add to one call and not to another. A backlog of writes is to take no more than
/// five per cent longer than the quota says; reads have the time to be more careful.
const SECOND_MILLIS: (i64, i64) = (1_100, 1_040);
/// What may go at once when nothing went lately: an event has some reads, and need not wait between them.
const AT_ONCE: usize = 4;
/// Who wakes up later than this has lost its moment to the next one and books again.
const LATE: Duration = Duration::from_millis(30);
/// How often that may happen before a call goes all the same: a machine that is always late is not helped by waiting.
const OVERSLEPT: usize = 3;
const HOUR_MILLIS: i64 = 3_600_000;
/// AWS's day rolls: the hour that began 24 hours ago counts until it is over.
const DAY_HOURS: i64 = 24;
/// Whoever would wait longer comes again later, and costs nothing meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// What a booking is thought to take at most.
const LONGEST_BOOKING: Duration = Duration::from_millis(500);
/// How often a booking starts again because others booked at the same moment.
const TRIES: u32 = 40;

impl Limit {
    /// Between two calls of many: evenly, so that one that is late meets no crowd.
    fn pause_millis(self) -> i64 {
        self.second_millis / i64::try_from(self.per_second).unwrap_or(i64::MAX)
    }
}

/// What is booked of one class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Book {
    /// The moments of the last calls, as many as AWS takes in a second, in milliseconds.
    slots: VecDeque<i64>,
    /// Calls by hour.
    hours: BTreeMap<i64, u64>,
}

/// Why there is no moment to be had.
#[derive(Debug, PartialEq, Eq)]
struct Full(Duration);

impl Book {
    /// Books the next moment at which one more call keeps within the limit.
    fn book(&mut self, now: i64, limit: Limit) -> Result<i64, Full> {
        let hour = now / HOUR_MILLIS;
        self.forget(hour);
        if self.used() >= limit.per_day {
            return Err(Full(millis((hour + 1) * HOUR_MILLIS - now)));
        }
        let mut slot = now;
        if let Some(last) = self.slots.back() {
            let recent = self.slots.iter().filter(|slot| **slot > now.max(*last) - limit.second_millis).count();
            let pause = if recent < AT_ONCE.min(limit.per_second) { 0 } else { limit.pause_millis() };
            slot = slot.max(last + pause);
        }
        if let Some(first) = self.slots.len().checked_sub(limit.per_second).and_then(|at| self.slots.get(at)) {
            slot = slot.max(first + limit.second_millis);
        }
        if millis(slot - now) > LONGEST_WAIT {
            return Err(Full(millis(slot - now)));
        }
        self.slots.push_back(slot);
        while self.slots.len() > limit.per_second {
            self.slots.pop_front();
        }
        *self.hours.entry(hour).or_default() += 1;
        Ok(slot)
    }

    fn forget(&mut self, hour: i64) {
        self.hours.retain(|booked, _| *booked >= hour - DAY_HOURS);
    }

    /// Calls of the last day.
    fn used(&self) -> u64 {
        self.hours.values().sum()
    }
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// Whoever wants to call waits here first.
#[async_trait]
pub(crate) trait Pace: fmt::Debug + Send + Sync {
    /// Waits for the call's moment. [`PortError::Throttled`] when that is too far off.
    async fn wait(&self, what: &str, class: Class) -> PortResult<()>;
}

/// The budget in the ledger's table, one item a class: `pk` is the catalog and `quota`, `sk` the class.
#[derive(Debug)]
pub(crate) struct Budget {
    client: Client,
    table: String,
    catalog: Catalog,
    quotas: Quotas,
    /// Reads and writes. Also lets one call of this process book after the other.
    desks: [Mutex<Desk>; 2],
}

/// What this process knows of a class's bookings.
#[derive(Debug, Default)]
struct Desk {
    /// What was last read or written.
    book: Book,
    /// Its version.
    version: u64,
    /// What a booking takes: a moment that is over before it is booked is of no use.
    takes: Duration,
}

impl Budget {
    pub(crate) fn new(client: Client, table: String, catalog: Catalog, quotas: Quotas) -> Self {
        Self { client, table, catalog, quotas, desks: Default::default() }
    }

    fn key(&self, class: Class) -> [(&'static str, AttributeValue); 2] {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        [("pk", text(&format!("{}#quota", self.catalog))), ("sk", text(class.name()))]
    }

    async fn read(&self, what: &str, class: Class) -> PortResult<(u64, Book)> {
        let [(pk, of), (sk, name)] = self.key(class);
        let get = self.client.get_item().table_name(&self.table).key(pk, of).key(sk, name).consistent_read(true);
        let answer = get.send().await.map_err(|error| setup_error(what, &error))?;
        let Some(item) = answer.item else { return Ok((0, Book::default())) };
        let version = item.get("version").and_then(|it| it.as_n().ok()).and_then(|it| it.parse().ok());
        let book = item.get("doc").and_then(|it| it.as_s().ok()).and_then(|it| serde_json::from_str(it).ok());
        version.zip(book).ok_or_else(|| unavailable(what, "the stored item is not readable"))
    }

    /// Calls of the last day, whoever made them.
    pub(crate) async fn used(&self, class: Class) -> PortResult<u64> {
        let (_, mut book) = self.read("reading what is used of the quota", class).await?;
        book.forget(Timestamp::now().as_millisecond() / HOUR_MILLIS);
        Ok(book.used())
    }

    /// Stores a booking unless somebody else stored one since.
    async fn store(&self, what: &str, class: Class, read: u64, book: &Book) -> PortResult<bool> {
        let doc = serde_json::to_string(book).map_err(|_| unavailable(what, "a booking cannot be written"))?;
        let number = |number: u64| AttributeValue::N(number.to_string());
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("version", number(read + 1))
            .item("doc", AttributeValue::S(doc));
        for (name, value) in self.key(class) {
            put = put.item(name, value);
        }
        let put = if read == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("version = :read").expression_attribute_values(":read", number(read))
        };
        match put.send().await.map_err(|error| setup_error(what, &error)) {
            Ok(_) => Ok(true),
            Err(PortError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn slot(&self, what: &str, class: Class) -> PortResult<i64> {
        let booking = format!("booking {what}");
        let mut desk = self.desks[usize::from(class != Class::Read)].lock().await;
        for attempt in 0..TRIES {
            if desk.version == 0 || attempt > 0 {
                (desk.version, desk.book) = self.read(&booking, class).await?;
            }
            let began = Instant::now();
            let mut book = desk.book.clone();
            let earliest = Timestamp::now() + desk.takes;
            let slot = book.book(earliest.as_millisecond(), self.quotas.limit(class));
            let used = book.used();
            let slot = match slot {
                Ok(slot) => slot,
                // What this process remembers may be old.
                Err(_) if attempt == 0 => continue,
                Err(Full(wait)) => {
                    self.tell(class, used);
                    return Err(PortError::Throttled { what: what.to_owned(), retry_after: Some(wait) });
                }
            };
            let stored = self.store(&booking, class, desk.version, &book).await?;
            // Quick to fear the worst, slow to forget it.
            desk.takes = began.elapsed().max(desk.takes.mul_f64(0.9)).min(LONGEST_BOOKING);
            if stored {
                (desk.version, desk.book) = (desk.version + 1, book);
                self.tell(class, used);
                return Ok(slot);
            }
            tokio::time::sleep(Duration::from_millis(fastrand::u64(..5))).await;
        }
        Err(PortError::Throttled { what: booking, retry_after: None })
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    fn tell(&self, class: Class, used: u64) {
        let per_day = self.quotas.limit(if class == Class::Read { class } else { Class::UrgentWrite }).per_day;
        metrics::gauge!("quota_used_percent", "class" => class.name()).set(used as f64 * 100.0 / per_day as f64);
    }
}

#[async_trait]
impl Pace for Budget {
    async fn wait(&self, what: &str, class: Class) -> PortResult<()> {
        for _ in 0..=OVERSLEPT {
            let slot = self.slot(what, class).await?;
            tokio::time::sleep(millis(slot - Timestamp::now().as_millisecond())).await;
            if millis(Timestamp::now().as_millisecond() - slot) <= LATE {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: i64 = 1_773_057_600_000;

    fn limit(per_second: usize) -> Limit {
        Limit { per_second, second_millis: 1_040, per_day: 1_000_000 }
    }

    #[test]
    fn what_an_event_needs_goes_at_once_and_a_crowd_evenly() {
        let mut book = Book::default();
        let slots: Vec<i64> = (0..13).map(|_| book.book(NOON, limit(10)).unwrap() - NOON).collect();
        assert_eq!(slots, [0, 0, 0, 0, 104, 208, 312, 416, 520, 624, 1040, 1144, 1248]);
        assert_eq!(book.book(NOON + 10_000, limit(2)), Ok(NOON + 10_000), "time that nobody used is over");
    }

    #[test]
    fn a_backlog_takes_as_long_as_the_quota_says() {
        let mut book = Book::default();
        let mut now = NOON;
        for _ in 0..1000 {
            now = book.book(now, limit(1)).unwrap();
        }
        assert!(now - NOON <= 1_050 * 999, "{}", now - NOON);
    }

    #[test]
    fn who_would_wait_too_long_books_nothing() {
        let mut book = Book::default();
        let booked = (0..50).filter(|_| book.book(NOON, limit(1)).is_ok()).count();
        assert_eq!(booked, 20);
        assert_eq!(book.used(), 20);
    }

    #[test]
    fn the_day_ends_and_an_hour_later_there_is_room_again() {
        let quotas = Quotas { reads_per_second: 10, reads_per_day: 10, writes_per_second: 10, writes_per_day: 10 };
        let mut book = Book::default();
        for _ in 0..9 {
            book.book(NOON, quotas.limit(Class::Write)).unwrap();
        }
        assert_eq!(book.book(NOON, quotas.limit(Class::Write)), Err(Full(Duration::from_hours(1))));
        assert!(book.book(NOON, quotas.limit(Class::UrgentWrite)).is_ok(), "the last tenth is for what is urgent");
        assert!(book.book(NOON, quotas.limit(Class::UrgentWrite)).is_err());
        assert!(book.book(NOON + 24 * HOUR_MILLIS, quotas.limit(Class::Write)).is_err());
        assert!(book.book(NOON + 25 * HOUR_MILLIS, quotas.limit(Class::Write)).is_ok());
    }

    proptest! {
        #[test]
        fn no_second_has_more_than_its_share(per_second in 1usize..12, steps in prop::collection::vec(0i64..700, 1..80)) {
            let (mut book, mut now, mut slots) = (Book::default(), NOON, Vec::new());
            for step in steps {
                now += step;
                slots.extend(book.book(now, limit(per_second)));
            }
            prop_assert!(slots.is_sorted());
            for (at, slot) in slots.iter().enumerate() {
                let within = slots[at..].iter().take_while(|other| **other < slot + 1000).count();
                prop_assert!(within <= per_second);
            }
        }
    }
}
