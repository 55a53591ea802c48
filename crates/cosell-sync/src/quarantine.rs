//! Letters that were set aside: in our bucket, with everything that is known of them, until somebody has looked.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    SyncError,
    letter::Letter,
    ports::{DeadLetter, DeadLetters, Files, Message},
};

/// Where they are in the bucket.
pub const QUARANTINE: &str = "quarantine/";

/// Why a letter was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It came back too often.
    TooOften,
    /// Its queue would soon have dropped it.
    Expiring,
    /// Somebody wanted it.
    ByHand,
}

impl Why {
    /// The word that it is written as.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooOften => "too_often",
            Self::Expiring => "expiring",
            Self::ByHand => "by_hand",
        }
    }
}

/// A letter in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The dead-letter queue that it was on.
    pub queue: String,
    /// Why it was set aside.
    pub why: Why,
    /// When.
    pub at: Timestamp,
    /// The letter; its body is the corrected one if there is one.
    #[serde(flatten)]
    pub letter: DeadLetter,
    /// What somebody changed.
    #[serde(default)]
    pub correction: Option<Correction>,
}

/// What somebody changed in a letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// When, the last time.
    pub at: Timestamp,
    /// The body as it came.
    pub original: String,
}

/// Keeps what was set aside.
pub struct Quarantine {
    /// Our bucket.
    pub files: Box<dyn Files>,
    /// The clock.
    pub now: fn() -> Timestamp,
}

fn key(queue: &str, id: &str) -> String {
    format!("{QUARANTINE}{queue}/{id}.json")
}

fn unreadable(cause: serde_json::Error) -> SyncError {
    SyncError::Body { expected: "a letter in quarantine", cause }
}

impl Quarantine {
    /// Sets a letter aside, and only then takes it from its queue.
    pub async fn take(&self, queue: &dyn DeadLetters, letter: &DeadLetter, why: Why) -> Result<(), SyncError> {
        let kept = Quarantined {
            queue: queue.name().to_owned(),
            why,
            at: (self.now)(),
            letter: letter.clone(),
            correction: None,
        };
        self.put(&key(queue.name(), &letter.id), &kept).await?;
        let Letter { code, replays, .. } = Letter::read(letter);
        let (queue_name, why) = (queue.name(), why.code());
        tracing::error!(queue = queue_name, id = letter.id, code, replays, why, "a dead letter was set aside");
        Ok(queue.delete(letter).await?)
    }

    /// The keys of all that was set aside.
    pub async fn keys(&self) -> Result<Vec<String>, SyncError> {
        Ok(self.files.list(QUARANTINE).await?)
    }

    /// A letter by its key.
    pub async fn get(&self, key: &str) -> Result<Quarantined, SyncError> {
        serde_json::from_slice(&self.files.get(key).await?).map_err(unreadable)
    }

    /// Stores a letter with another body; the one that it came with is kept.
    pub async fn correct(&self, key: &str, mut kept: Quarantined, body: String) -> Result<(), SyncError> {
        let before = std::mem::replace(&mut kept.letter.body, body);
        let original = kept.correction.map_or(before, |correction| correction.original);
        kept.correction = Some(Correction { at: (self.now)(), original });
        self.put(key, &kept).await
    }

    /// Sends a letter back to where it came from, and only then removes it here. It begins anew: somebody has looked, and
    /// what happened before stays in its history.
    pub async fn replay(&self, key: &str, kept: &Quarantined, queue: &dyn DeadLetters) -> Result<(), SyncError> {
        let Quarantined { letter: DeadLetter { id, body, group, .. }, .. } = kept;
        // Sent again after it was corrected it is another message.
        let token = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{id} {body}").as_bytes()).to_string();
        let message = Message { body: body.clone(), group: group.clone() };
        queue.send_back(&message, &Letter::read(&kept.letter).travelling(0), &token).await?;
        Ok(self.files.delete(key).await?)
    }

    async fn put(&self, key: &str, kept: &Quarantined) -> Result<(), SyncError> {
        let content = serde_json::to_vec_pretty(kept).map_err(unreadable)?;
        Ok(self.files.put(key, content).await?)
    }
}
