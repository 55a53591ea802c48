use async_trait::async_trait;
use aws_sdk_eventbridge::{Client, types::PutEventsRequestEntry};
use cosell_sync::{
    notice::{Event, SOURCE},
    ports::{Bus, PortError, PortResult},
};

use crate::errors::{AwsCause, port_error};

/// What `PutEvents` takes at once.
const TEN: usize = 10;

/// The default event bus of the account and region.
#[derive(Debug, Clone)]
pub struct EventBus {
    client: Client,
}

impl EventBus {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Bus for EventBus {
    async fn publish(&self, events: &[Event]) -> PortResult<()> {
        let what = || "PutEvents".to_owned();
        for batch in events.chunks(TEN) {
            let entries = batch.iter().map(|event| {
                PutEventsRequestEntry::builder()
                    .source(SOURCE)
                    .detail_type(event.detail_type)
                    .detail(event.detail.to_string())
                    .build()
            });
            let sent = self.client.put_events().set_entries(Some(entries.collect())).send().await;
            let answer = sent.map_err(|error| port_error(what(), &error))?;
            if let Some(code) = answer.entries().iter().find_map(|entry| entry.error_code()) {
                return Err(PortError::Unavailable { what: what(), cause: Some(Box::new(AwsCause::coded(code))) });
            }
        }
        Ok(())
    }
}
