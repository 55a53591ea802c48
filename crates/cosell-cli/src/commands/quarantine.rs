use std::path::PathBuf;

use clap::{Args, Subcommand};
use cosell_sync::{
    SyncError,
    letter::{Letter, Past, masked},
    ports::DeadLetters,
    quarantine::{Correction, Quarantined, Why},
    replay::Fate,
};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    commands::dlq::{Chosen, Told, Which, age, print_ended},
    editor,
    output::{self, Format},
    stack::{DeadLetterQueue, Error, Stack},
};

#[derive(Subcommand)]
pub enum Command {
    /// Shows what is in quarantine, and why.
    List,
    /// Shows one letter with its history. Values that may say something about a person are hidden.
    Show {
        /// Its key, as `cosell dlq quarantine list` has it, or the letter's identifier.
        key: String,
        /// Shows the values, too.
        #[arg(long)]
        show_values: bool,
    },
    /// Takes letters from the dead-letter queues into quarantine, to correct them or to keep them longer.
    Add(Which),
    /// Sends letters back to the queues that they came from, as they are or as they were corrected. A letter leaves quarantine
    /// only after it is on its queue.
    Replay {
        /// Their keys, as `cosell dlq quarantine list` has them, or the letters' identifiers.
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
    },
}

#[derive(Args)]
pub struct Edit {
    /// Its key, as `cosell dlq quarantine list` has it, or the letter's identifier.
    key: String,
    /// Reads the body from a file in place of the editor, `-` for standard input.
    #[arg(long)]
    file: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum QuarantineError {
    #[error("there is nothing in quarantine that is called `{0}`")]
    Unknown(String),
    #[error("`{name}` is several: {}", keys.join(", "))]
    Several { name: String, keys: Vec<String> },
    #[error("the stack has no queue that {0} came from")]
    NoQueue(String),
    #[error("the body is no JSON")]
    NoJson(#[source] serde_json::Error),
    #[error("its queue takes no such body")]
    Misfit(#[source] SyncError),
}

/// A letter's whole key.
async fn find(stack: &Stack, name: String) -> Result<String, Error> {
    let keys = stack.quarantine()?.keys().await?;
    let is = |key: &String| {
        let id = key.rsplit('/').next().unwrap_or_default();
        *key == name || id.starts_with(&name) || id == name
    };
    let mut found: Vec<_> = keys.into_iter().filter(is).collect();
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(QuarantineError::Unknown(name).into()),
        (Some(key), true) => Ok(key),
        (Some(key), false) => {
            found.push(key);
            Err(QuarantineError::Several { name, keys: found }.into())
        }
    }
}

/// The dead-letter queue that a letter was on.
fn queue_of(stack: &Stack, kept: &Quarantined) -> Result<DeadLetterQueue, Error> {
    let queue = stack.dead_letter_queues().find(|queue| queue.queue.name() == kept.queue && queue.queue.returns());
    Ok(queue.ok_or_else(|| QuarantineError::NoQueue(kept.queue.clone()))?)
}

pub async fn run(stack: &Stack, format: Format, command: Command) -> Result<(), Error> {
    match command {
        Command::List => list(stack, format).await,
        Command::Show { key, show_values } => show(stack, format, find(stack, key).await?, show_values).await,
        Command::Add(which) => add(stack, format, &Chosen::said(stack, which)?).await,
        Command::Replay { keys } => replay(stack, format, keys).await,
    }
}

/// A letter in quarantine as it is printed.
#[derive(Serialize)]
struct Row {
    key: String,
    queue: String,
    id: String,
    why: Why,
    quarantined_at: String,
    #[serde(flatten)]
    told: Told,
    corrected_at: Option<String>,
}

impl Row {
    fn of(stack: &Stack, key: String, kept: &Quarantined) -> Self {
        let queue = stack.dead_letter_queues().find(|queue| queue.queue.name() == kept.queue);
        Self {
            key,
            queue: queue.map_or_else(|| kept.queue.clone(), |queue| queue.name),
            id: kept.letter.id.clone(),
            why: kept.why,
            quarantined_at: kept.at.to_string(),
            told: Letter::read(&kept.letter).into(),
            corrected_at: kept.correction.as_ref().map(|correction| correction.at.to_string()),
        }
    }
}

async fn list(stack: &Stack, format: Format) -> Result<(), Error> {
    let quarantine = stack.quarantine()?;
    let (mut rows, now) = (Vec::new(), Timestamp::now());
    for key in quarantine.keys().await? {
        let kept = quarantine.get(&key).await?;
        rows.push((Row::of(stack, key, &kept), age(now.duration_since(kept.at))));
    }
    if format != Format::Table {
        let rows: Vec<_> = rows.into_iter().map(|(row, _)| row).collect();
        return output::rows(format, &[], &rows, |_| Vec::new());
    }
    let heads = ["queue", "id", "age", "why", "about", "code", "replays", "corrected"];
    output::rows(format, &heads, &rows, |(row, age)| {
        vec![
            row.queue.clone(),
            row.id.clone(),
            age.clone(),
            row.why.code().to_owned(),
            row.told.about(),
            row.told.code(),
            row.told.replays.to_string(),
            if row.corrected_at.is_some() { "yes" } else { "no" }.to_owned(),
        ]
    })
}

/// A letter in full.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    row: Row,
    /// How it ended each time before, oldest first.
    history: Vec<Past>,
    body: String,
    original: Option<String>,
}

async fn show(stack: &Stack, format: Format, key: String, show_values: bool) -> Result<(), Error> {
    let kept = stack.quarantine()?.get(&key).await?;
    let shown = |body: &str| if show_values { body.to_owned() } else { masked(body) };
    let shown = Shown {
        history: Letter::read(&kept.letter).history,
        body: shown(&kept.letter.body),
        original: kept.correction.as_ref().map(|Correction { original, .. }| shown(original)),
        row: Row::of(stack, key, &kept),
    };
    if format == Format::Table {
        output::one(&shown.row)?;
        for past in &shown.history {
            output::line(&format!("before  {past}"))?;
        }
        let original = shown.original.iter().map(|original| format!("\nas it came:\n{original}"));
        return output::line(&format!("\n{}{}", shown.body, original.collect::<String>()));
    }
    output::line(&serde_json::to_string_pretty(&shown)?)
}

async fn add(stack: &Stack, format: Format, chosen: &Chosen) -> Result<(), Error> {
    let quarantine = stack.quarantine()?;
    let (rows, added) = chosen
        .each("in quarantine", async |queue, letter, row| {
            if !queue.queue.returns() {
                row.ends("stays: the schedule's next run does the same work");
                return Ok(Fate::Stays);
            }
            quarantine.take(&queue.queue, letter, Why::ByHand).await?;
            row.ends("in quarantine");
            Ok(Fate::Gone)
        })
        .await;
    print_ended(format, &rows)?;
    Ok(added?)
}

#[derive(Serialize)]
struct Replayed {
    key: String,
    queue: String,
}

async fn replay(stack: &Stack, format: Format, keys: Vec<String>) -> Result<(), Error> {
    let quarantine = stack.quarantine()?;
    let mut rows = Vec::new();
    for key in keys {
        let key = find(stack, key).await?;
        let kept = quarantine.get(&key).await?;
        let queue = queue_of(stack, &kept)?;
        quarantine.replay(&key, &kept, &queue.queue).await?;
        rows.push(Replayed { key, queue: format!("{}Queue", queue.function()) });
    }
    output::rows(format, &["replayed", "to"], &rows, |row| vec![row.key.clone(), row.queue.clone()])
}

/// Corrects a letter.
pub async fn edit(stack: &Stack, Edit { key, file }: Edit) -> Result<(), Error> {
    let quarantine = stack.quarantine()?;
    let key = find(stack, key).await?;
    let kept = quarantine.get(&key).await?;
    let queue = queue_of(stack, &kept)?;
    let check = |text: &str| -> Result<String, QuarantineError> {
        let json: serde_json::Value = serde_json::from_str(text).map_err(QuarantineError::NoJson)?;
        let body = json.to_string();
        queue.carries.map_or(Ok(()), |carries| carries.check(&body)).map_err(QuarantineError::Misfit)?;
        Ok(body)
    };
    let body = editor::edited(file, &kept.letter.body, check)?;
    if body == kept.letter.body {
        eprintln!("nothing was changed");
        return Ok(());
    }
    quarantine.correct(&key, kept, body).await?;
    eprintln!("corrected: `cosell dlq quarantine replay {key}` sends it");
    Ok(())
}
