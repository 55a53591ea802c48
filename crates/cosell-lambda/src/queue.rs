use std::{collections::BTreeMap, panic::AssertUnwindSafe, time::Duration};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use cosell_sync::{
    Disposition, RetryPolicy, SyncError, Work,
    letter::{ATTEMPTS, CAUSE, CODE, PARKED_AT, TRAVELLING},
    ports::Letters,
    run,
};
use futures::{FutureExt, future::join_all};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Deserialize;
use tracing::{Instrument, Span, info_span};

use crate::metrics;

/// What a cause may take of a message's attributes.
const LONGEST_CAUSE: usize = 1024;

/// Serves the function's queue: has each message worked off and does with the message what the work says.
///
/// A message that is to be retried comes back after a growing delay of its own; after the last attempt it is parked
/// with its cause. A panic is an attempt that failed. Messages of one FIFO group stay in order: after one that is to be
/// retried the rest of its group waits. Nobody else does.
pub async fn serve_queue(retries: RetryPolicy, letters: impl Letters, work: impl Work) -> Result<(), crate::Error> {
    let shell = &Shell { retries, letters, work };
    lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| async move {
        let response = run::within(crate::run(&event.context), shell.batch(event.payload)).await;
        metrics::flush();
        Ok::<_, std::convert::Infallible>(response)
    }))
    .await
}

struct Shell<L, W> {
    retries: RetryPolicy,
    letters: L,
    work: W,
}

/// What of a batch belongs together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Together {
    /// A FIFO group: one after the other.
    Group(String),
    /// The same subject: once for all.
    Subject(String),
    /// Nothing but itself.
    Alone(String),
}

/// What the platform is to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Acknowledge,
    Again,
}

/// The part of an EventBridge event by which AWS and its logs name it.
#[derive(Deserialize)]
struct Named {
    id: String,
    #[serde(rename = "detail-type")]
    _detail_type: String,
}

/// What led to a message's work: the event in it, or the message.
fn cause(message: &SqsMessage) -> String {
    let event = message.body.as_deref().and_then(|body| serde_json::from_str::<Named>(body).ok());
    event.map(|event| event.id).or_else(|| message.message_id.clone()).unwrap_or_default()
}

/// What every log line of a message's work says.
fn span(message: &SqsMessage) -> Span {
    info_span!("message", cause = cause(message))
}

fn attribute<'m>(message: &'m SqsMessage, name: &str) -> Option<&'m str> {
    message.attributes.get(name).map(String::as_str)
}

impl<L: Letters, W: Work> Shell<L, W> {
    async fn batch(&self, event: SqsEvent) -> SqsBatchResponse {
        let mut groups: BTreeMap<Together, Vec<SqsMessage>> = BTreeMap::new();
        for message in event.records {
            let alone = || Together::Alone(message.message_id.clone().unwrap_or_default());
            let group = attribute(&message, "MessageGroupId").map(str::to_owned).map(Together::Group);
            let subject = || message.body.as_deref().and_then(|body| self.work.subject(body)).map(Together::Subject);
            let together = group.or_else(subject).unwrap_or_else(alone);
            groups.entry(together).or_default().push(message);
        }
        let looks = groups.into_iter().map(|(together, messages)| async move {
            let seen = match messages.first() {
                Some(first) => self.look(first).await,
                None => Err(Disposition::Done),
            };
            (together, messages, seen)
        });
        let settle = |(together, messages, seen)| async move {
            match together {
                Together::Group(_) => self.group(messages, seen).await,
                Together::Subject(_) | Together::Alone(_) => self.alike(messages, seen).await,
            }
        };
        let failed = join_all(join_all(looks).await.into_iter().map(settle)).await;
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = failed
            .into_iter()
            .flatten()
            .map(|id| {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = id;
                failure
            })
            .collect();
        response
    }

    /// The identifiers of the messages that are to come again.
    async fn group(&self, messages: Vec<SqsMessage>, seen: Result<W::Seen, Disposition>) -> Vec<String> {
        let mut again = Vec::new();
        let mut first = Some(seen);
        for message in messages {
            let id = message.message_id.clone().unwrap_or_default();
            let verdict = if again.is_empty() {
                let seen = match first.take() {
                    Some(seen) => seen,
                    None => self.look(&message).await,
                };
                self.end(&message, &self.settle(&message, seen).await).await
            } else {
                self.delay(&message, self.retries.delay(1, None)).await;
                Verdict::Again
            };
            if verdict == Verdict::Again {
                again.push(id);
            }
        }
        again
    }

    /// The same for messages about one subject, worked off once.
    async fn alike(&self, messages: Vec<SqsMessage>, seen: Result<W::Seen, Disposition>) -> Vec<String> {
        let Some(first) = messages.first() else { return Vec::new() };
        let disposition = self.settle(first, seen).await;
        let mut again = Vec::new();
        for message in &messages {
            if self.end(message, &disposition).await == Verdict::Again {
                again.push(message.message_id.clone().unwrap_or_default());
            }
        }
        again
    }

    async fn look(&self, message: &SqsMessage) -> Result<W::Seen, Disposition> {
        let look = self.work.look(message.body.clone().unwrap_or_default());
        let look = run::because_of(cause(message), look).instrument(span(message));
        let look = AssertUnwindSafe(look).catch_unwind().await;
        look.unwrap_or(Err(Disposition::Retry(SyncError::Panic)))
    }

    async fn settle(&self, message: &SqsMessage, seen: Result<W::Seen, Disposition>) -> Disposition {
        let settle = async {
            match seen {
                Ok(seen) => self.work.settle(seen).await,
                Err(end) => end,
            }
        };
        let settle = run::because_of(cause(message), settle).instrument(span(message));
        AssertUnwindSafe(settle).catch_unwind().await.unwrap_or(Disposition::Retry(SyncError::Panic))
    }

    /// Does with a message what its work says.
    async fn end(&self, message: &SqsMessage, disposition: &Disposition) -> Verdict {
        self.ended(message, disposition).instrument(span(message)).await
    }

    async fn ended(&self, message: &SqsMessage, disposition: &Disposition) -> Verdict {
        let id = message.message_id.as_deref().unwrap_or_default();
        let attempts: u32 = attribute(message, "ApproximateReceiveCount").and_then(|n| n.parse().ok()).unwrap_or(1);
        match disposition {
            Disposition::Done => {
                metrics::count("done", "none");
                tracing::info!(id, attempts, outcome = "done", "message worked off");
                Verdict::Acknowledge
            }
            Disposition::Skip(reason) => {
                metrics::count("skip", reason.code());
                tracing::info!(id, attempts, outcome = "skip", reason = reason.code(), "message worked off");
                Verdict::Acknowledge
            }
            Disposition::Retry(error) if attempts < self.retries.max_attempts => {
                metrics::count("retry", error.code());
                let delay = self.retries.delay(attempts, error.retry_after());
                let seconds = delay.as_secs();
                tracing::warn!(
                    id,
                    attempts,
                    outcome = "retry",
                    code = error.code(),
                    seconds,
                    error = error.chain(),
                    "message comes again"
                );
                self.delay(message, delay).await;
                Verdict::Again
            }
            Disposition::Retry(error) | Disposition::Park(error) => {
                metrics::count("park", error.code());
                tracing::error!(
                    id,
                    attempts,
                    outcome = "park",
                    code = error.code(),
                    error = error.chain(),
                    "message parked"
                );
                self.park(message, attempts, error).await
            }
        }
    }

    async fn delay(&self, message: &SqsMessage, delay: Duration) {
        let Some(receipt) = &message.receipt_handle else { return };
        // Without it the message comes again after the queue's own time-out.
        if let Err(error) = self.letters.delay(receipt, delay).await {
            tracing::warn!(error = SyncError::from(error).chain(), "a message's delay could not be set");
        }
    }

    async fn park(&self, message: &SqsMessage, attempts: u32, error: &SyncError) -> Verdict {
        let mut cause = error.chain();
        cause.truncate(cause.floor_char_boundary(LONGEST_CAUSE));
        let mut attributes = BTreeMap::from([
            (CAUSE.to_owned(), cause),
            (CODE.to_owned(), error.code().to_owned()),
            (ATTEMPTS.to_owned(), attempts.to_string()),
            (PARKED_AT.to_owned(), jiff::Timestamp::now().to_string()),
        ]);
        attributes.extend(
            TRAVELLING.into_iter().filter_map(|name| {
                Some((name.to_owned(), message.message_attributes.get(name)?.string_value.clone()?))
            }),
        );
        let body = message.body.as_deref().unwrap_or_default();
        match self.letters.park(body, attribute(message, "MessageGroupId"), &attributes).await {
            Ok(()) => Verdict::Acknowledge,
            Err(error) => {
                // It stays on its queue, whose own redrive is the net under this one.
                tracing::error!(error = SyncError::from(error).chain(), "a message could not be parked");
                Verdict::Again
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use cosell_sync::{
        SkipReason,
        letter::{HISTORY, REPLAYS},
        ports::{PortError, PortResult},
    };
    use serde_json::json;

    use super::*;

    #[derive(Default)]
    struct Notes {
        parked: Mutex<Vec<(String, BTreeMap<String, String>)>>,
        delayed: Mutex<Vec<String>>,
        refuses: bool,
    }

    #[async_trait]
    impl Letters for &Notes {
        async fn delay(&self, receipt: &str, _: Duration) -> PortResult<()> {
            self.delayed.lock().unwrap().push(receipt.to_owned());
            Ok(())
        }

        async fn park(&self, body: &str, _: Option<&str>, attributes: &BTreeMap<String, String>) -> PortResult<()> {
            if self.refuses {
                return Err(unavailable());
            }
            self.parked.lock().unwrap().push((body.to_owned(), attributes.clone()));
            Ok(())
        }
    }

    fn unavailable() -> PortError {
        PortError::Unavailable { what: "GetOpportunity O1".into(), cause: None }
    }

    fn event(messages: &[(&str, &str, &str, u32)]) -> SqsEvent {
        let records: Vec<_> = messages
            .iter()
            .map(|(id, group, body, receives)| {
                let mut attributes = json!({"ApproximateReceiveCount": receives.to_string()});
                if !group.is_empty() {
                    attributes["MessageGroupId"] = json!(group);
                }
                json!({"messageId": id, "receiptHandle": format!("r-{id}"), "body": body, "attributes": attributes,
                    "messageAttributes": {REPLAYS: {"stringValue": "2", "dataType": "String"},
                        HISTORY: {"stringValue": "- throttled 5", "dataType": "String"}}})
            })
            .collect();
        serde_json::from_value(json!({"Records": records})).unwrap()
    }

    async fn handle(body: String) -> Disposition {
        match body.as_str() {
            "done" => Disposition::Done,
            "skip" => Disposition::Skip(SkipReason::Unchanged),
            "retry" => Disposition::Retry(unavailable().into()),
            "panic" => panic!("on purpose"),
            _ => Disposition::Park(
                serde_json::from_str::<u8>("x")
                    .map_err(|cause| SyncError::Body { expected: "one of ours", cause })
                    .unwrap_err(),
            ),
        }
    }

    /// Notes its steps; messages about the same record are alike.
    #[derive(Default)]
    struct InTwoSteps(Mutex<Vec<String>>);

    impl Work for InTwoSteps {
        type Seen = String;

        fn subject(&self, body: &str) -> Option<String> {
            Some(body.split_once(' ')?.1.to_owned())
        }

        async fn look(&self, body: String) -> Result<String, Disposition> {
            self.0.lock().unwrap().push(format!("look {body}"));
            tokio::task::yield_now().await;
            Ok(body)
        }

        async fn settle(&self, body: String) -> Disposition {
            self.0.lock().unwrap().push(format!("settle {body}"));
            if body.ends_with("O2") { Disposition::Retry(unavailable().into()) } else { Disposition::Done }
        }
    }

    async fn failures(notes: &Notes, messages: &[(&str, &str, &str, u32)]) -> Vec<String> {
        let shell = Shell { retries: RetryPolicy { max_attempts: 3, base_seconds: 1 }, letters: notes, work: handle };
        let mut ids: Vec<_> =
            shell.batch(event(messages)).await.batch_item_failures.into_iter().map(|f| f.item_identifier).collect();
        ids.sort();
        ids
    }

    #[tokio::test]
    async fn messages_about_one_record_are_worked_off_once_and_end_alike() {
        let notes = Notes::default();
        let work = InTwoSteps::default();
        let shell = Shell { retries: RetryPolicy { max_attempts: 3, base_seconds: 1 }, letters: &notes, work };
        let batch = event(&[
            ("1", "", "created O1", 1),
            ("2", "", "updated O1", 1),
            ("3", "", "updated O2", 1),
            ("4", "", "updated O2", 3),
            ("5", "", "else", 1),
            ("6", "g", "updated O1", 1),
        ]);
        let again: Vec<_> =
            shell.batch(batch).await.batch_item_failures.into_iter().map(|f| f.item_identifier).collect();
        assert_eq!(again, ["3"], "the other one was at its last attempt");
        assert_eq!(notes.parked.lock().unwrap().len(), 1);
        let steps = shell.work.0.into_inner().unwrap();
        let settled = steps.iter().position(|step| step.starts_with("settle")).unwrap();
        let (mut looked, mut settled) = (steps[..settled].to_vec(), steps[settled..].to_vec());
        looked.sort();
        settled.sort();
        let once = ["created O1", "else", "updated O1", "updated O2"];
        assert_eq!(looked, once.map(|body| format!("look {body}")), "a FIFO group is worked off one by one");
        assert_eq!(settled, once.map(|body| format!("settle {body}")), "after all were looked at");
    }

    #[tokio::test]
    async fn one_bad_message_disturbs_nobody() {
        let notes = Notes::default();
        let messages = [
            ("1", "", "done", 1),
            ("2", "", "retry", 1),
            ("3", "", "nonsense", 1),
            ("4", "", "skip", 1),
            ("5", "", "panic", 2),
        ];
        assert_eq!(failures(&notes, &messages).await, ["2", "5"]);
        assert_eq!(notes.delayed.lock().unwrap().len(), 2);
        let parked = notes.parked.lock().unwrap();
        let (body, attributes) = &parked[0];
        assert_eq!((parked.len(), body.as_str()), (1, "nonsense"));
        assert_eq!(attributes[CODE], "malformed_message");
        assert_eq!(attributes[REPLAYS], "2", "a replayed message keeps its count");
        assert_eq!(attributes[HISTORY], "- throttled 5", "and what happened before");
        assert!(
            attributes[CAUSE].starts_with("the message is not one of ours: expected value"),
            "{}",
            attributes[CAUSE]
        );
    }

    #[tokio::test]
    async fn after_the_last_attempt_a_message_is_parked_with_its_cause() {
        let notes = Notes::default();
        assert_eq!(failures(&notes, &[("1", "", "retry", 3), ("2", "", "panic", 3)]).await, [""; 0]);
        let causes: Vec<_> = notes.parked.lock().unwrap().iter().map(|(_, a)| a[CAUSE].clone()).collect();
        assert_eq!(causes, ["GetOpportunity O1 did not get through", "the handler panicked"]);
    }

    #[tokio::test]
    async fn a_group_keeps_its_order() {
        let notes = Notes::default();
        let messages = [("1", "a", "retry", 1), ("2", "a", "done", 1), ("3", "b", "done", 1)];
        assert_eq!(failures(&notes, &messages).await, ["1", "2"]);
        assert_eq!(notes.delayed.lock().unwrap().as_slice(), ["r-1", "r-2"]);
    }

    #[tokio::test]
    async fn what_cannot_be_parked_stays() {
        let notes = Notes { refuses: true, ..Notes::default() };
        assert_eq!(failures(&notes, &[("1", "", "nonsense", 1)]).await, ["1"]);
    }
}
