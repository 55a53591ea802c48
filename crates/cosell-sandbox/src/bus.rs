//! The way to the event bus: in order, beside the answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::DisplayErrorContext;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::log;
use crate::world::{Event, World};

/// Most entries that `PutEvents` takes.
const BATCH: usize = 10;

/// Sends what comes until the world ends; without a client events stay in the world's own list.
pub async fn run(world: Arc<World>, client: Option<Client>, mut events: UnboundedReceiver<Event>) {
    let mut batch = Vec::with_capacity(BATCH);
    while events.recv_many(&mut batch, BATCH).await > 0 {
        if let Some(client) = &client {
            send(&world, client, &batch).await;
        }
        world.with(|state, _| state.waiting -= batch.len() as u64);
        batch.clear();
    }
}

async fn send(world: &World, client: &Client, batch: &[Event]) {
    let entries = batch.iter().map(|event| {
        PutEventsRequestEntry::builder()
            .source(&event.source)
            .detail_type(&event.detail_type)
            .detail(event.detail.to_string())
            .build()
    });
    let results = match client.put_events().set_entries(Some(entries.collect())).send().await {
        Ok(output) => output.entries.unwrap_or_default(),
        Err(error) => {
            log(&format!("{} events not put on the bus: {}", batch.len(), DisplayErrorContext(&error)));
            Vec::new()
        }
    };
    let mut ids = BTreeMap::new();
    for (index, event) in batch.iter().enumerate() {
        match results.get(index) {
            Some(result) if result.event_id.is_some() => {
                ids.insert(event.id.clone(), result.event_id.clone().unwrap_or_default());
            }
            Some(result) => {
                let code = result.error_code.as_deref().unwrap_or("no code");
                log(&format!("{} refused by the bus: {code}", event.detail_type));
            }
            None => {}
        }
    }
    world.with(|state, _| {
        state.emitted += ids.len() as u64;
        state.emit_failures += (batch.len() - ids.len()) as u64;
        for event in &mut state.events {
            if let Some(id) = ids.remove(&event.id) {
                event.id = id;
            }
        }
    });
}
