use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client,
    types::{MessageAttributeValue, MessageSystemAttributeName, SendMessageBatchRequestEntry},
};
use cosell_sync::ports::{DeadLetter, DeadLetters, Letters, Message, PortError, PortResult, Queue};
use jiff::Timestamp;
use uuid::Uuid;

use crate::errors::{AwsCause, misfit, port_error};

/// What SQS takes and gives at once, messages as well as attributes of one message.
const TEN: usize = 10;
/// SQS keeps a message invisible for twelve hours at most.
const LONGEST_DELAY: Duration = Duration::from_hours(12);
/// How long a dead letter that was taken stays invisible to others: as long as fn-replay may run.
const TAKEN_SECONDS: i32 = 120;

/// A queue's name, which is the end of its URL.
fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

/// SQS refuses blank values and most control characters, and takes ten attributes.
fn attributes(texts: &BTreeMap<String, String>) -> Vec<(String, MessageAttributeValue)> {
    let plain = |c: char| match c {
        '\t' | '\n' | '\r' => c,
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c if c < ' ' => '\u{fffd}',
        c => c,
    };
    let all = texts.iter().filter(|(_, value)| !value.is_empty());
    all.take(TEN)
        .filter_map(|(name, value)| {
            let value: String = value.chars().map(plain).collect();
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build().ok()?;
            Some((name.clone(), value))
        })
        .collect()
}

/// Sends one message with attributes. A FIFO queue gets an identifier of its own for each, since the same letter may
/// rightly pass twice within the five minutes in which SQS would drop the second one for its equal body.
async fn send_letter(
    client: &Client,
    url: &str,
    body: &str,
    group: Option<&str>,
    texts: &BTreeMap<String, String>,
    token: &str,
) -> PortResult<()> {
    let mut send = client.send_message().queue_url(url).message_body(body);
    for (name, value) in attributes(texts) {
        send = send.message_attributes(name, value);
    }
    if let Some(group) = group {
        send = send.message_group_id(group).message_deduplication_id(token);
    }
    let what = || format!("SendMessage to {}", name(url));
    send.send().await.map(drop).map_err(|error| port_error(what(), &error))
}

async fn change_visibility(client: &Client, url: &str, receipt: &str, seconds: i32) -> PortResult<()> {
    let change = client.change_message_visibility().queue_url(url).receipt_handle(receipt).visibility_timeout(seconds);
    let what = || format!("ChangeMessageVisibility on {}", name(url));
    change.send().await.map(drop).map_err(|error| port_error(what(), &error))
}

/// An SQS queue to put messages on. A FIFO queue must drop duplicates by content.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    pub(crate) fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Sends up to ten messages and says which of them did not get in, and the code of the first that did not.
    async fn send_batch(&self, messages: &[Message]) -> PortResult<(Vec<Message>, Option<String>)> {
        let what = || format!("SendMessageBatch to {}", name(&self.url));
        let mut batch = self.client.send_message_batch().queue_url(&self.url);
        for (index, message) in messages.iter().enumerate() {
            let entry = SendMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .message_body(&message.body)
                .set_message_group_id(message.group.clone())
                .build()
                .map_err(|_| misfit(what(), "an entry could not be built"))?;
            batch = batch.entries(entry);
        }
        let answer = batch.send().await.map_err(|error| port_error(what(), &error))?;
        let failed = answer.failed();
        let left = messages.iter().enumerate().filter(|(index, _)| {
            let index = index.to_string();
            failed.iter().any(|entry| entry.id() == index)
        });
        Ok((left.map(|(_, message)| message.clone()).collect(), failed.first().map(|entry| entry.code().to_owned())))
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, messages: &[Message]) -> PortResult<()> {
        for batch in messages.chunks(TEN) {
            let (left, _) = self.send_batch(batch).await?;
            if left.is_empty() {
                continue;
            }
            if let (left, Some(code)) = self.send_batch(&left).await? {
                return Err(PortError::Unavailable {
                    what: format!("SendMessageBatch to {}, {} message(s)", name(&self.url), left.len()),
                    cause: Some(Box::new(AwsCause::coded(code))),
                });
            }
        }
        Ok(())
    }
}

/// The queue that a function is fed from, and its dead-letter queue.
#[derive(Debug, Clone)]
pub struct SqsLetters {
    client: Client,
    source_url: String,
    dead_letter_url: String,
}

impl SqsLetters {
    pub(crate) fn new(client: Client, source_url: String, dead_letter_url: String) -> Self {
        Self { client, source_url, dead_letter_url }
    }
}

#[async_trait]
impl Letters for SqsLetters {
    async fn delay(&self, receipt: &str, delay: Duration) -> PortResult<()> {
        let seconds = delay.min(LONGEST_DELAY).as_secs_f64().ceil();
        #[expect(clippy::cast_possible_truncation, reason = "at most twelve hours")]
        change_visibility(&self.client, &self.source_url, receipt, seconds as i32).await
    }

    async fn park(&self, body: &str, group: Option<&str>, attributes: &BTreeMap<String, String>) -> PortResult<()> {
        let token = Uuid::new_v4().to_string();
        send_letter(&self.client, &self.dead_letter_url, body, group, attributes, &token).await
    }
}

/// A dead-letter queue and the queue that its messages came from, if they came from one.
#[derive(Debug, Clone)]
pub struct SqsDeadLetters {
    client: Client,
    dead_letter_url: String,
    source_url: Option<String>,
}

impl SqsDeadLetters {
    pub(crate) fn new(client: Client, dead_letter_url: String, source_url: Option<String>) -> Self {
        Self { client, dead_letter_url, source_url }
    }
}

#[async_trait]
impl DeadLetters for SqsDeadLetters {
    fn name(&self) -> &str {
        name(&self.dead_letter_url)
    }

    fn returns(&self) -> bool {
        self.source_url.is_some()
    }

    async fn receive(&self) -> PortResult<Vec<DeadLetter>> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.dead_letter_url)
            .max_number_of_messages(10)
            // Asking without waiting looks at some of the queue's servers only and may find nothing where something is.
            .wait_time_seconds(1)
            .visibility_timeout(TAKEN_SECONDS)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::DeadLetterQueueSourceArn)
            .send()
            .await
            .map_err(|error| port_error(format!("ReceiveMessage from {}", self.name()), &error))?;
        let letters = answer.messages.unwrap_or_default().into_iter().filter_map(|message| {
            let system = message.attributes.unwrap_or_default();
            let attributes = message.message_attributes.unwrap_or_default();
            let sent_at = system.get(&MessageSystemAttributeName::SentTimestamp).and_then(|at| at.parse().ok());
            Some(DeadLetter {
                id: message.message_id?,
                receipt: message.receipt_handle?,
                body: message.body.unwrap_or_default(),
                group: system.get(&MessageSystemAttributeName::MessageGroupId).cloned(),
                attributes: attributes
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value.string_value?)))
                    .collect(),
                sent_at: sent_at.and_then(|at| Timestamp::from_millisecond(at).ok()),
                redriven_from: system.get(&MessageSystemAttributeName::DeadLetterQueueSourceArn).cloned(),
            })
        });
        Ok(letters.collect())
    }

    async fn send_back(&self, message: &Message, attributes: &BTreeMap<String, String>, token: &str) -> PortResult<()> {
        let nowhere = || PortError::NotFound { what: format!("the queue behind {}", self.name()) };
        let source_url = self.source_url.as_ref().ok_or_else(nowhere)?;
        let Message { body, group } = message;
        send_letter(&self.client, source_url, body, group.as_deref(), attributes, token).await
    }

    async fn delete(&self, letter: &DeadLetter) -> PortResult<()> {
        let delete = self.client.delete_message().queue_url(&self.dead_letter_url).receipt_handle(&letter.receipt);
        let what = || format!("DeleteMessage from {}", self.name());
        delete.send().await.map(drop).map_err(|error| port_error(what(), &error))
    }

    async fn release(&self, letter: &DeadLetter) -> PortResult<()> {
        change_visibility(&self.client, &self.dead_letter_url, &letter.receipt, 0).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_such_as_sqs_takes() {
        let mut texts: BTreeMap<String, String> =
            (0..12).map(|index| (format!("name{index:02}"), "value".to_owned())).collect();
        texts.insert("name00".to_owned(), String::new());
        texts.insert("name01".to_owned(), "a\u{0}b\nc\u{1b}".to_owned());
        let made = attributes(&texts);
        assert_eq!(made.len(), 10);
        assert_eq!(made[0].0, "name01");
        assert_eq!(made[0].1.string_value(), Some("a\u{fffd}b\nc\u{fffd}"));
        assert_eq!(made[0].1.data_type(), "String");
    }

    #[test]
    fn a_queue_is_called_by_the_end_of_its_url() {
        assert_eq!(name("https://sqs.eu-central-1.amazonaws.com/111122223333/Letters.fifo"), "Letters.fifo");
    }
}
