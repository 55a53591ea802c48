//! Dead letters: sent back to where they came from when their cause heals by itself, kept when somebody has to look,
//! set aside when they have come back too often or their queue would soon drop them.
//!
//! A message leaves its queue only after it is safely elsewhere. Whoever dies in between leaves it in both places: sent
//! back twice it is a ring that says nothing new, and a FIFO queue drops the second one, whose token is the same.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    SyncError,
    letter::Letter,
    ports::{DeadLetter, DeadLetters, Message, PortResult},
    quarantine::{Quarantine, Why},
};

/// What to replay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Request {
    /// Everything, also what does not heal by itself, and now.
    pub all: bool,
    /// Also what is to wait longer since it came back.
    pub early: bool,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Sent back.
    pub replayed: usize,
    /// Left where they were: somebody has to look, or it is too early.
    pub kept: usize,
    /// Set aside.
    pub quarantined: usize,
}

/// Works through the dead-letter queues.
pub struct Replay {
    /// The queues.
    pub queues: Vec<Box<dyn DeadLetters>>,
    /// Where letters are set aside.
    pub quarantine: Quarantine,
    /// How often a message may be sent back.
    pub max_replays: u32,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// What becomes of a letter that somebody looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was taken from its queue.
    Gone,
    /// It stays where it is.
    Stays,
}

/// Goes through a queue once, until it is empty or `go_on` says stop. Each letter is seen once, those of a FIFO group in
/// their order. What stays is released at the end, since released earlier it would be received again; also when something
/// fails. Of a FIFO group of which letters stay, the queue gives no more than the first ten.
pub async fn sweep(
    queue: &dyn DeadLetters,
    go_on: impl Fn() -> bool,
    visit: impl AsyncFnMut(&DeadLetter) -> Result<Fate, SyncError>,
) -> Result<(), SyncError> {
    let mut stays = Vec::new();
    let swept = go_through(queue, go_on, visit, &mut stays).await;
    for letter in &stays {
        // One that cannot be released shows up by itself a little later.
        if let Err(error) = queue.release(letter).await {
            tracing::warn!(queue = queue.name(), error = SyncError::from(error).chain(), "a letter was not released");
        }
    }
    swept
}

async fn go_through(
    queue: &dyn DeadLetters,
    go_on: impl Fn() -> bool,
    mut visit: impl AsyncFnMut(&DeadLetter) -> Result<Fate, SyncError>,
    stays: &mut Vec<DeadLetter>,
) -> Result<(), SyncError> {
    let mut seen = HashSet::new();
    while go_on() {
        let mut result = Ok(());
        let before = seen.len();
        for letter in queue.receive().await? {
            // Only the last receipt counts of a letter that is handed out again, since it was taken too long ago.
            if !seen.insert(letter.id.clone()) {
                stays.retain(|known| known.id != letter.id);
            } else if result.is_ok() {
                match visit(&letter).await {
                    Ok(Fate::Gone) => continue,
                    Ok(Fate::Stays) => {}
                    Err(error) => result = Err(error),
                }
            }
            stays.push(letter);
        }
        result?;
        if seen.len() == before {
            break;
        }
    }
    Ok(())
}

/// Sends a letter back to where it came from, and only then takes it from its queue.
pub async fn send_back(queue: &dyn DeadLetters, letter: &DeadLetter) -> PortResult<()> {
    let read = Letter::read(letter);
    let message = Message { body: letter.body.clone(), group: letter.group.clone() };
    let token = format!("{}-{}", letter.id, read.replays);
    queue.send_back(&message, &read.travelling(read.replays.saturating_add(1)), &token).await?;
    queue.delete(letter).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    SendBack,
    Wait,
    Keep,
    Quarantine(Why),
}

fn decide(letter: &Letter, request: Request, max_replays: u32, began: Timestamp) -> Decision {
    // Sent back by this very run and dead again already: the next run may try it, else one run would use up all tries.
    if letter.since.is_some_and(|since| since >= began) {
        return Decision::Wait;
    }
    let goes = letter.origin.returns() && (letter.heals() || request.all);
    if goes && letter.replays >= max_replays {
        return Decision::Quarantine(Why::TooOften);
    }
    if goes && (request.all || request.early || letter.due().is_none_or(|due| due <= began)) {
        return Decision::SendBack;
    }
    match letter.expires(began) {
        true => Decision::Quarantine(Why::Expiring),
        false if goes => Decision::Wait,
        false => Decision::Keep,
    }
}

/// How many letters of a queue ended how.
#[derive(Default)]
struct Tally {
    done: Replayed,
    waiting: usize,
    oldest: Option<Timestamp>,
}

impl Tally {
    fn tell(&self, queue: &str, now: Timestamp) {
        let Replayed { replayed, kept, quarantined } = self.done;
        let kept = kept - self.waiting;
        for (outcome, count) in
            [("replayed", replayed), ("waiting", self.waiting), ("kept", kept), ("quarantined", quarantined)]
        {
            metrics::counter!("dead_letters", "queue" => queue.to_owned(), "outcome" => outcome)
                .increment(count as u64);
        }
        let age = self.oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64());
        metrics::gauge!("dead_letters_oldest_seconds", "queue" => queue.to_owned()).set(age);
    }
}

impl Replay {
    /// Goes through every queue once, as long as `go_on` says so. What one queue refuses does not stop the others.
    pub async fn run(&self, request: Request, go_on: impl Fn() -> bool) -> Result<Replayed, SyncError> {
        let mut done = Replayed::default();
        let mut result = Ok(());
        for queue in &self.queues {
            let mut tally = Tally::default();
            let swept = self.queue(queue.as_ref(), request, &go_on, &mut tally).await;
            tally.tell(queue.name(), (self.now)());
            done.replayed += tally.done.replayed;
            done.kept += tally.done.kept;
            done.quarantined += tally.done.quarantined;
            if let Err(error) = swept {
                tracing::warn!(queue = queue.name(), error = error.chain(), "a dead-letter queue was not gone through");
                result = result.and(Err(error));
            }
        }
        result.map(|()| done)
    }

    async fn queue(
        &self,
        queue: &dyn DeadLetters,
        request: Request,
        go_on: impl Fn() -> bool,
        tally: &mut Tally,
    ) -> Result<(), SyncError> {
        let began = (self.now)();
        // Groups of which a letter waits for its time: the rest waits with it. Those that wait for a person hold up nobody.
        let mut waiting = HashSet::new();
        sweep(queue, go_on, async |letter| {
            let read = Letter::read(letter);
            tally.oldest = tally.oldest.into_iter().chain(read.since).min();
            let held = letter.group.as_ref().is_some_and(|group| waiting.contains(group));
            let decision = match decide(&read, request, self.max_replays, began) {
                Decision::SendBack if held => Decision::Wait,
                decision => decision,
            };
            match decision {
                Decision::SendBack => {
                    send_back(queue, letter).await?;
                    tally.done.replayed += 1;
                    return Ok(Fate::Gone);
                }
                Decision::Quarantine(why) => {
                    self.quarantine.take(queue, letter, why).await?;
                    tally.done.quarantined += 1;
                    return Ok(Fate::Gone);
                }
                Decision::Wait => {
                    waiting.extend(letter.group.clone());
                    tally.waiting += 1;
                }
                Decision::Keep => {}
            }
            tally.done.kept += 1;
            Ok(Fate::Stays)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letter::{CODE, PARKED_AT, REPLAYS};

    const BEGAN: &str = "2026-03-20T02:00:00Z";

    fn letter(attributes: &[(&str, &str)], sent_at: &str) -> Letter {
        Letter::read(&DeadLetter {
            id: "1".into(),
            receipt: "r".into(),
            body: "{}".into(),
            group: None,
            attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            sent_at: Some(sent_at.parse().unwrap()),
            redriven_from: None,
        })
    }

    #[test]
    fn what_heals_goes_back_until_it_has_come_too_often() {
        let all = Request { all: true, early: false };
        let early = Request { all: false, early: true };
        let healing = Request::default();
        let hour_ago = "2026-03-20T01:00:00Z";
        let (too_often, expiring) = (Decision::Quarantine(Why::TooOften), Decision::Quarantine(Why::Expiring));
        for (attributes, request, expected) in [
            (&[][..], healing, Decision::SendBack),
            (&[(CODE, "unavailable")], healing, Decision::SendBack),
            (&[(CODE, "unavailable"), (REPLAYS, "1")], healing, Decision::SendBack),
            (&[(CODE, "unavailable"), (REPLAYS, "2")], healing, Decision::Wait),
            (&[(CODE, "unavailable"), (REPLAYS, "2")], early, Decision::SendBack),
            (&[(CODE, "unavailable"), (REPLAYS, "2")], all, Decision::SendBack),
            (&[(CODE, "unavailable"), (REPLAYS, "3")], healing, too_often),
            (&[(CODE, "malformed_message")], healing, Decision::Keep),
            (&[(CODE, "malformed_message")], early, Decision::Keep),
            (&[(CODE, "malformed_message"), (REPLAYS, "9")], healing, Decision::Keep),
            (&[(CODE, "malformed_message")], all, Decision::SendBack),
            (&[(CODE, "malformed_message"), (REPLAYS, "3")], all, too_often),
            (&[(CODE, "unavailable"), (PARKED_AT, "2026-03-20T01:59:59Z")], healing, Decision::SendBack),
            (&[(CODE, "unavailable"), (PARKED_AT, "2026-03-20T02:00:01Z")], healing, Decision::Wait),
            (&[(CODE, "malformed_message"), (PARKED_AT, "2026-03-20T02:00:01Z")], all, Decision::Wait),
            (&[("RULE_ARN", "rule/r")], healing, Decision::SendBack),
            (&[("SCHEDULE_ARN", "schedule/s")], all, Decision::Keep),
        ] {
            let began = BEGAN.parse().unwrap();
            assert_eq!(decide(&letter(attributes, hour_ago), request, 3, began), expected, "{attributes:?}");
        }
        for (sent_at, expected) in [("2026-03-07T02:00:01Z", Decision::Keep), ("2026-03-07T02:00:00Z", expiring)] {
            let kept = letter(&[(CODE, "malformed_message")], sent_at);
            assert_eq!(decide(&kept, healing, 3, BEGAN.parse().unwrap()), expected, "{sent_at}");
        }
    }
}
