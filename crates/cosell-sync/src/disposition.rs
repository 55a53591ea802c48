use std::time::Duration;

use cosell_model::{api::UnusableInvitation, event::UnusableEvent, file::UnusableFile};

use crate::ports::PortError;

/// How a message ends. Every message ends in one of these four words, and no door decides which.
#[derive(Debug)]
pub enum Disposition {
    /// Acknowledge.
    Done,
    /// Acknowledge and count.
    Skip(SkipReason),
    /// Try again later: a batch item failure.
    Retry(SyncError),
    /// To the dead-letter queue with its reason, then acknowledge.
    Park(SyncError),
}

/// Why there was nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// Both sides agree already: a duplicate, or the echo of our own write.
    Unchanged,
    /// What the CRM changed waits until AWS takes it, or AWS does not take it any more; the record says which.
    HeldBack,
    /// AWS was asked after it rang: what it announced is in the CRM.
    AlreadyRead,
    /// Nobody asked for this record to be shared.
    NotShared,
    /// A rep took the sharing back: nothing is sent any more.
    Unshared,
    /// An event that says nothing that we need.
    NotNeeded,
    /// An event type that this version does not know.
    UnknownType,
    /// An event of the other catalog.
    OtherCatalog,
    /// Such records come in files, and the API is not asked for them.
    ByFile,
    /// The far side refuses this record until somebody edits it; the sync log and the record say why.
    Rejected,
    /// The CRM's record was deleted.
    Deleted,
    /// The mapping leaves such records out.
    OutOfScope,
    /// The mapping has no such object of the CRM, or nothing of it goes to AWS.
    UnknownObject,
}

impl SkipReason {
    /// A short stable code, for metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::HeldBack => "held_back",
            Self::AlreadyRead => "already_read",
            Self::NotShared => "not_shared",
            Self::Unshared => "unshared",
            Self::NotNeeded => "not_needed",
            Self::UnknownType => "unknown_type",
            Self::OtherCatalog => "other_catalog",
            Self::ByFile => "by_file",
            Self::Rejected => "rejected",
            Self::Deleted => "deleted",
            Self::OutOfScope => "out_of_scope",
            Self::UnknownObject => "unknown_object",
        }
    }
}

/// Why a message could not be worked off.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The message is not what its queue carries.
    #[error("the message is not {expected}")]
    Body {
        /// What its queue carries.
        expected: &'static str,
        /// What the decoder said; it names places, not values.
        #[source]
        cause: serde_json::Error,
    },
    /// The event names nothing usable.
    #[error("the event is unusable")]
    Event(#[from] UnusableEvent),
    /// The invitation is unusable.
    #[error("invitation {id} is unusable")]
    Invitation {
        /// Which.
        id: String,
        /// Why.
        #[source]
        cause: UnusableInvitation,
    },
    /// The file is unusable.
    #[error("file {key} is unusable")]
    File {
        /// Which.
        key: String,
        /// Why.
        #[source]
        cause: UnusableFile,
    },
    /// A task of AWS's is still running.
    #[error("{what} is still running at AWS")]
    Running {
        /// Which.
        what: String,
    },
    /// The handler panicked.
    #[error("the handler panicked")]
    Panic,
}

impl SyncError {
    /// A short stable code, for metrics and dead letters.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Port(error) => error.code(),
            Self::Body { .. } => "malformed_message",
            Self::Event(_) => "unusable_event",
            Self::Invitation { .. } => "unusable_invitation",
            Self::File { .. } => "unusable_file",
            Self::Running { .. } => "running",
            Self::Panic => "panic",
        }
    }

    /// Whether the cause heals by itself, so that dead letters of this code are replayed without being asked.
    pub fn heals(code: &str) -> bool {
        matches!(code, "throttled" | "unavailable" | "conflict" | "running" | "unauthorized")
    }

    /// When to come back at the earliest, if the far side said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Port(PortError::Throttled { retry_after, .. }) => *retry_after,
            _ => None,
        }
    }

    /// This error and its causes, in one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}

impl From<SyncError> for Disposition {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Port(PortError::Rejected { .. })
            | SyncError::Body { .. }
            | SyncError::Event(_)
            | SyncError::Invitation { .. }
            | SyncError::File { .. } => Self::Park(error),
            // A record may be invisible for a moment after it was made, and rights return when somebody mends them.
            SyncError::Port(_) | SyncError::Running { .. } | SyncError::Panic => Self::Retry(error),
        }
    }
}

impl From<Result<Self, SyncError>> for Disposition {
    fn from(result: Result<Self, SyncError>) -> Self {
        result.unwrap_or_else(Self::from)
    }
}

/// The longest wait between two attempts.
const LONGEST_DELAY: Duration = Duration::from_mins(15);

/// When a message comes again, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts after which it is parked.
    pub max_attempts: u32,
    /// The wait after the first attempt, in seconds; it doubles with each further one.
    pub base_seconds: u32,
}

impl RetryPolicy {
    /// The wait after an attempt, at least what the far side asked for, with a quarter of chance so that a crowd spreads.
    pub fn delay(self, attempts: u32, asked: Option<Duration>) -> Duration {
        let base = Duration::from_secs(self.base_seconds.into());
        let doubled = base.saturating_mul(2u32.saturating_pow(attempts.saturating_sub(1)));
        let spread = doubled.mul_f64(1.0 + fastrand::f64() / 4.0);
        spread.max(asked.unwrap_or_default()).min(LONGEST_DELAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_listen() {
        let retries = RetryPolicy { max_attempts: 9, base_seconds: 5 };
        for (attempts, shortest, longest) in [(1, 5, 7), (2, 10, 13), (4, 40, 50), (30, 900, 900)] {
            let delay = retries.delay(attempts, None).as_secs();
            assert!((shortest..=longest).contains(&delay), "{attempts}: {delay}");
        }
        assert_eq!(retries.delay(1, Some(Duration::from_mins(1))).as_secs(), 60);
    }
}
