//! Dead letters: sent back to where they came from when their cause heals by itself, kept when somebody has to look,
//! set aside when they have come back too often. A message leaves its queue only after it is safely elsewhere.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    SyncError,
    ports::{DeadLetter, DeadLetters, Files, PortResult},
};

/// Attribute of a parked message: the error and its causes, in one line.
pub const CAUSE: &str = "cosell.cause";
/// Attribute of a parked message: the error's short code.
pub const CODE: &str = "cosell.code";
/// Attribute of a parked message: how often it was tried before it was parked.
pub const ATTEMPTS: &str = "cosell.attempts";
/// Attribute of a parked message: how often it was sent back.
pub const REPLAYS: &str = "cosell.replays";
/// Attribute of a parked message: when it was parked.
pub const PARKED_AT: &str = "cosell.parked_at";

/// Where messages go that have been sent back too often.
pub const QUARANTINE: &str = "quarantine/";

/// What to replay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Request {
    /// Everything, also what does not heal by itself.
    pub all: bool,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Sent back.
    pub replayed: usize,
    /// Left where they were: somebody has to look.
    pub kept: usize,
    /// Set aside.
    pub quarantined: usize,
}

/// Works through the dead-letter queues.
pub struct Replay {
    /// The queues.
    pub queues: Vec<Box<dyn DeadLetters>>,
    /// Our bucket.
    pub files: Box<dyn Files>,
    /// How often a message may be sent back.
    pub max_replays: u32,
    /// The clock.
    pub now: fn() -> Timestamp,
}

#[derive(Debug, PartialEq, Eq)]
enum Decision {
    SendBack,
    Keep,
    Quarantine,
}

fn replays(letter: &DeadLetter) -> u32 {
    letter.attributes.get(REPLAYS).and_then(|count| count.parse().ok()).unwrap_or(0)
}

fn decide(letter: &DeadLetter, request: Request, max_replays: u32, began: Timestamp) -> Decision {
    // Sent back by this very run and parked again already: the next run may try it, else one run would use up all tries.
    let parked_at = letter.attributes.get(PARKED_AT).and_then(|at| at.parse::<Timestamp>().ok());
    if parked_at.is_some_and(|at| at >= began) {
        return Decision::Keep;
    }
    // Without a code the function died before it could say why: a crash or a time-out may not come again.
    let heals = letter.attributes.get(CODE).is_none_or(|code| SyncError::heals(code));
    match (heals || request.all, replays(letter) >= max_replays) {
        (true, false) => Decision::SendBack,
        (true, true) => Decision::Quarantine,
        (false, _) => Decision::Keep,
    }
}

impl Replay {
    /// Goes through every queue once.
    pub async fn run(&self, request: Request) -> Result<Replayed, SyncError> {
        let began = (self.now)();
        let mut replayed = Replayed::default();
        for queue in &self.queues {
            let mut kept = Vec::new();
            loop {
                let letters = queue.receive().await?;
                if letters.is_empty() {
                    break;
                }
                for letter in letters {
                    match decide(&letter, request, self.max_replays, began) {
                        Decision::SendBack => {
                            self.send_back(queue.as_ref(), &letter).await?;
                            replayed.replayed += 1;
                        }
                        Decision::Quarantine => {
                            self.quarantine(queue.as_ref(), &letter).await?;
                            replayed.quarantined += 1;
                        }
                        Decision::Keep => kept.push(letter),
                    }
                }
            }
            // Only now: released earlier they would be received again in the same run.
            for letter in &kept {
                queue.release(letter).await?;
            }
            replayed.kept += kept.len();
        }
        Ok(replayed)
    }

    async fn send_back(&self, queue: &dyn DeadLetters, letter: &DeadLetter) -> PortResult<()> {
        let attributes = BTreeMap::from([(REPLAYS.to_owned(), (replays(letter) + 1).to_string())]);
        queue.send_back(letter, &attributes).await?;
        queue.delete(letter).await
    }

    async fn quarantine(&self, queue: &dyn DeadLetters, letter: &DeadLetter) -> PortResult<()> {
        let key = format!("{QUARANTINE}{}/{}.json", queue.name(), letter.id);
        let sealed = json!({
            "queue": queue.name(), "id": letter.id, "group": letter.group,
            "attributes": letter.attributes, "body": letter.body,
        });
        self.files.put(&key, sealed.to_string().into_bytes()).await?;
        tracing::error!(queue = queue.name(), id = letter.id, "a message came back too often and was set aside");
        queue.delete(letter).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(attributes: &[(&str, &str)]) -> DeadLetter {
        DeadLetter {
            id: "1".into(),
            receipt: "r".into(),
            body: "{}".into(),
            group: None,
            attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    #[test]
    fn what_heals_goes_back_until_it_has_come_too_often() {
        let all = Request { all: true };
        let healing = Request::default();
        for (attributes, request, expected) in [
            (&[][..], healing, Decision::SendBack),
            (&[(CODE, "unavailable")], healing, Decision::SendBack),
            (&[(CODE, "unavailable"), (REPLAYS, "3")], healing, Decision::Quarantine),
            (&[(CODE, "malformed_message")], healing, Decision::Keep),
            (&[(CODE, "malformed_message"), (REPLAYS, "9")], healing, Decision::Keep),
            (&[(CODE, "malformed_message")], all, Decision::SendBack),
            (&[(CODE, "malformed_message"), (REPLAYS, "3")], all, Decision::Quarantine),
            (&[(CODE, "unavailable"), (PARKED_AT, "2026-03-09T01:59:59Z")], healing, Decision::SendBack),
            (&[(CODE, "unavailable"), (PARKED_AT, "2026-03-09T02:00:01Z")], healing, Decision::Keep),
            (&[(CODE, "malformed_message"), (PARKED_AT, "2026-03-09T02:00:01Z")], all, Decision::Keep),
        ] {
            let began = "2026-03-09T02:00:00Z".parse().unwrap();
            assert_eq!(decide(&letter(attributes), request, 3, began), expected, "{attributes:?}");
        }
    }
}
