use clap::Subcommand;
use cosell_sync::{
    ports::{DeadLetter, DeadLetters},
    replay::{ATTEMPTS, CAUSE, CODE, PARKED_AT, REPLAYS},
};
use serde::Serialize;

use crate::{
    output::{self, Format},
    stack::{Error, Stack},
};

#[derive(Subcommand)]
pub enum Command {
    /// Shows what waits in the dead-letter queues, and why. Nothing is removed.
    List,
}

#[derive(Serialize)]
struct Row {
    queue: String,
    id: String,
    parked_at: String,
    code: String,
    attempts: String,
    replays: String,
    cause: String,
}

fn row(queue: &str, letter: &DeadLetter) -> Row {
    let attribute = |name: &str| letter.attributes.get(name).cloned().unwrap_or_else(|| "-".to_owned());
    Row {
        queue: queue.to_owned(),
        id: letter.id.clone(),
        parked_at: attribute(PARKED_AT),
        code: attribute(CODE),
        attempts: attribute(ATTEMPTS),
        replays: attribute(REPLAYS),
        cause: attribute(CAUSE),
    }
}

pub async fn run(stack: &str, format: Format, command: Command) -> Result<(), Error> {
    let Command::List = command;
    let stack = Stack::find(stack).await?;
    let mut rows = Vec::new();
    for (name, url, source) in stack.dead_letter_queues() {
        let queue = stack.aws.dead_letters(url, source);
        let mut seen = Vec::new();
        loop {
            let letters = queue.receive().await?;
            if letters.is_empty() {
                break;
            }
            rows.extend(letters.iter().map(|letter| row(name, letter)));
            seen.extend(letters);
        }
        for letter in &seen {
            queue.release(letter).await?;
        }
    }
    let heads = ["queue", "parked at", "code", "attempts", "replays", "cause"];
    output::rows(format, &heads, &rows, |row| {
        vec![
            row.queue.clone(),
            row.parked_at.clone(),
            row.code.clone(),
            row.attempts.clone(),
            row.replays.clone(),
            row.cause.clone(),
        ]
    })?;
    Ok(())
}
