//! The run in which something is done: one invocation of a function, or one command. What is written into the sync log
//! meanwhile carries its name, and that of the event or message that led to it.

use std::future::Future;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What the platform calls it: the request of an invocation.
    pub id: String,
    /// The function, or the command.
    pub by: String,
    /// When it began.
    pub started_at: Timestamp,
}

impl Run {
    /// A run that begins now, under a name that nothing has.
    pub fn begun(by: &str) -> Self {
        Self { id: uuid::Uuid::new_v4().to_string(), by: by.to_owned(), started_at: Timestamp::now() }
    }
}

tokio::task_local! {
    static RUN: Run;
    static CAUSE: String;
}

/// Does something as part of a run.
pub async fn within<F: Future>(run: Run, work: F) -> F::Output {
    RUN.scope(run, work).await
}

/// Does something because of an event or message.
pub async fn because_of<F: Future>(cause: String, work: F) -> F::Output {
    CAUSE.scope(cause, work).await
}

/// The run that this is part of.
pub fn current() -> Option<Run> {
    RUN.try_with(Run::clone).ok()
}

/// The event or message because of which this is done.
pub fn cause() -> Option<String> {
    CAUSE.try_with(String::clone).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_of_several_at_once_knows_its_cause() {
        let look = async || {
            tokio::task::yield_now().await;
            (current().map(|run| run.by), cause())
        };
        let both = async { futures::join!(because_of("a".into(), look()), because_of("b".into(), look()), look()) };
        let by = || Some("fn-push".to_owned());
        let expected = ((by(), Some("a".to_owned())), (by(), Some("b".to_owned())), (by(), None));
        assert_eq!(within(Run::begun("fn-push"), both).await, expected);
        assert_eq!((current(), cause()), (None, None));
    }
}
