use std::{num::NonZeroU32, time::Duration};

use clap::{Args, Subcommand};
use cosell_sync::{
    Progress, SyncError,
    letter::{Filter, Letter},
    ports::{DeadLetter, DeadLetters},
    replay::{self, Fate, sweep},
};
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde::Serialize;

use crate::{
    commands::quarantine,
    output::{self, Format},
    progress::Bar,
    stack::{DeadLetterQueue, Error, Stack},
};

#[derive(Subcommand)]
pub enum Command {
    /// Shows what waits in the dead-letter queues: since when, what it is about, and why. Nothing is removed.
    ///
    /// Each letter is taken for a moment and released again: what else looks into the queues meanwhile (`fn-replay`) does not see
    /// it. Of one FIFO group, which is one record of the CRM, at most ten are shown.
    ///
    /// Example: `cosell dlq list --older-than 2h --code unavailable`
    List(Filters),
    /// Sends letters back to the queues that they came from, those of a FIFO group in their order.
    ///
    /// A letter is deleted only after it is on its queue. A run that dies in between leaves one letter in both places; the work is
    /// idempotent, and a FIFO queue drops the second one for five minutes. What a schedule started cannot go back: its next run
    /// does the same work. Look at it and drop it.
    ///
    /// Example: `cosell dlq replay --queue FnDeliver --rate 2 --dry-run`
    Replay {
        #[command(flatten)]
        which: Which,
        /// At most so many a second.
        #[arg(long)]
        rate: Option<NonZeroU32>,
        /// Only says what would go back.
        #[arg(long)]
        dry_run: bool,
    },
    /// Deletes letters for good.
    ///
    /// Example: `cosell dlq drop --queue ScheduleDeadLetters --older-than 1d --yes`
    Drop {
        #[command(flatten)]
        which: Which,
        /// Deletes; without it the command only says what it would delete.
        #[arg(long)]
        yes: bool,
    },
    /// Corrects a letter in quarantine: `$VISUAL` or `$EDITOR` opens its body, which is checked before it is stored.
    ///
    /// The body that it came with is kept. A letter that is still on a dead-letter queue goes into quarantine first:
    /// `cosell dlq quarantine add --id ID`.
    Edit(quarantine::Edit),
    /// What was set aside: it came back too often, its queue would soon have dropped it, or somebody wanted it.
    #[command(subcommand)]
    Quarantine(quarantine::Command),
}

/// Which letters. Of several values of one option any fits; of several options all must.
#[derive(Args)]
pub struct Filters {
    /// Of this queue: `FnOpportunityDeadLetters`, or `FnOpportunity`.
    #[arg(long)]
    queue: Vec<String>,
    /// With this identifier, or one that begins so.
    #[arg(long)]
    id: Vec<String>,
    /// With this code; `none` means without one.
    #[arg(long)]
    code: Vec<String>,
    /// About this ACE identifier, CRM identifier or file.
    #[arg(long)]
    record: Option<String>,
    /// Dead for longer (`90m`, `2h`, `3d`).
    #[arg(long, value_name = "TIME", value_parser = duration)]
    older_than: Option<SignedDuration>,
    /// Dead for less.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    newer_than: Option<SignedDuration>,
}

/// As [`Filters`], or everything if that is said.
#[derive(Args)]
pub struct Which {
    #[command(flatten)]
    filters: Filters,
    /// Everything.
    #[arg(long)]
    all: bool,
}

pub fn duration(text: &str) -> Result<SignedDuration, String> {
    let span: Span = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|error| error.to_string())
}

#[derive(Debug, thiserror::Error)]
enum DlqError {
    #[error("say which letters: --queue, --id, --code, --record, --older-than, --newer-than, or --all")]
    NothingSaid,
    #[error("the stack has no dead-letter queue `{name}`; there are {}", known.join(", "))]
    NoQueue { name: String, known: Vec<String> },
    #[error("{0} letter(s) would be deleted for good: add --yes")]
    NotSure(usize),
}

/// The letters of a stack that somebody means.
pub struct Chosen {
    queues: Vec<DeadLetterQueue>,
    filter: Filter,
    now: Timestamp,
}

impl Chosen {
    fn by(stack: &Stack, filters: Filters) -> Result<Self, Error> {
        let all: Vec<_> = stack.dead_letter_queues().collect();
        let is = |queue: &DeadLetterQueue, name: &str| queue.name == name || queue.function() == name;
        if let Some(name) = filters.queue.iter().find(|name| !all.iter().any(|queue| is(queue, name))) {
            let known = all.into_iter().map(|queue| queue.name).collect();
            return Err(DlqError::NoQueue { name: name.clone(), known }.into());
        }
        let wanted =
            |queue: &DeadLetterQueue| filters.queue.is_empty() || filters.queue.iter().any(|name| is(queue, name));
        Ok(Self {
            queues: all.into_iter().filter(wanted).collect(),
            filter: Filter {
                ids: filters.id,
                codes: filters.code,
                record: filters.record,
                older_than: filters.older_than,
                newer_than: filters.newer_than,
            },
            now: Timestamp::now(),
        })
    }

    /// The same, unless nobody said which.
    pub fn said(stack: &Stack, Which { filters, all }: Which) -> Result<Self, Error> {
        let named = !filters.queue.is_empty();
        let chosen = Self::by(stack, filters)?;
        if !all && !named && chosen.filter.is_empty() {
            return Err(DlqError::NothingSaid.into());
        }
        Ok(chosen)
    }

    /// Goes through the letters, and answers a row for each. What came since the command began is left alone: it may be a letter
    /// that this very command sent back.
    pub async fn each(
        &self,
        step: &'static str,
        mut visit: impl AsyncFnMut(&DeadLetterQueue, &DeadLetter, &mut Row) -> Result<Fate, SyncError>,
    ) -> (Vec<Row>, Result<(), SyncError>) {
        let (mut rows, mut bar) = (Vec::new(), Bar::new());
        for queue in &self.queues {
            let swept = sweep(
                &queue.queue,
                || true,
                async |letter| {
                    let read = Letter::read(letter);
                    let fresh = read.since.is_some_and(|since| since >= self.now);
                    if fresh || !self.filter.takes(&letter.id, &read, self.now) {
                        return Ok(Fate::Stays);
                    }
                    let mut row = Row::of(queue, letter, read, self.now);
                    let fate = visit(queue, letter, &mut row).await?;
                    rows.push(row);
                    if rows.len() % PACE == 0 {
                        bar.show(Progress { step, done: rows.len(), of: None });
                    }
                    Ok(fate)
                },
            )
            .await;
            if swept.is_err() {
                return (rows, swept);
            }
        }
        (rows, Ok(()))
    }
}

/// What a letter says, as it is printed.
#[derive(Serialize)]
pub struct Told {
    since: Option<String>,
    origin: String,
    ace_id: Option<String>,
    crm_ids: Vec<String>,
    file: Option<String>,
    code: Option<String>,
    cause: Option<String>,
    attempts: Option<u32>,
    /// How often it was sent back.
    pub replays: u32,
}

impl From<Letter> for Told {
    fn from(read: Letter) -> Self {
        Self {
            since: read.since.map(|since| since.to_string()),
            origin: read.origin.to_string(),
            ace_id: read.about.ace_id,
            crm_ids: read.about.crm_ids,
            file: read.about.file,
            code: read.code,
            cause: read.cause,
            attempts: read.tries,
            replays: read.replays,
        }
    }
}

fn dash(text: Option<&String>) -> String {
    text.map_or_else(|| "-".to_owned(), String::clone)
}

impl Told {
    /// Everything that it names.
    pub fn about(&self) -> String {
        let names = self.ace_id.iter().chain(&self.crm_ids).chain(&self.file);
        let names: Vec<_> = names.map(String::as_str).collect();
        if names.is_empty() { "-".to_owned() } else { names.join(" ") }
    }

    /// The error's code.
    pub fn code(&self) -> String {
        dash(self.code.as_ref())
    }
}

/// After how many letters the progress is shown.
const PACE: usize = 10;

/// A letter as it is printed.
#[derive(Serialize)]
pub struct Row {
    queue: String,
    id: String,
    age: String,
    #[serde(flatten)]
    told: Told,
    /// What became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
}

impl Row {
    fn of(queue: &DeadLetterQueue, letter: &DeadLetter, read: Letter, now: Timestamp) -> Self {
        Self {
            queue: queue.name.clone(),
            id: letter.id.clone(),
            age: read.since.map_or_else(|| "-".to_owned(), |since| age(now.duration_since(since))),
            told: read.into(),
            outcome: None,
        }
    }

    /// Says what became of it.
    pub fn ends(&mut self, outcome: &'static str) {
        self.outcome = Some(outcome);
    }

    /// An identifier's first part tells letters apart, and `--id` takes it.
    fn short_id(&self) -> String {
        self.id.split('-').next().unwrap_or(&self.id).to_owned()
    }
}

/// How long something is ago, in its two largest units.
pub fn age(duration: SignedDuration) -> String {
    let minutes = duration.as_mins().max(0);
    let (days, hours) = (minutes / (24 * 60), minutes / 60 % 24);
    match (days, hours) {
        (0, 0) => format!("{minutes}m"),
        (0, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {hours}h"),
    }
}

/// Prints rows of letters that something became of.
pub fn print_ended(format: Format, rows: &[Row]) -> Result<(), Error> {
    output::rows(format, &["queue", "id", "about", "code", "outcome"], rows, |row| {
        vec![
            row.queue.clone(),
            row.short_id(),
            row.told.about(),
            row.told.code(),
            row.outcome.unwrap_or("-").to_owned(),
        ]
    })?;
    let mut outcomes: Vec<_> = rows.iter().filter_map(|row| row.outcome).collect();
    outcomes.sort_unstable();
    for outcome in outcomes.chunk_by(|one, other| one == other) {
        eprintln!("{}: {}", outcome.len(), outcome[0]);
    }
    Ok(())
}

pub async fn run(stack: &str, format: Format, command: Command) -> Result<(), Error> {
    let stack = Stack::find(stack).await?;
    match command {
        Command::List(filters) => list(&Chosen::by(&stack, filters)?, format).await,
        Command::Replay { which, rate, dry_run } => replay(&Chosen::said(&stack, which)?, format, rate, dry_run).await,
        Command::Drop { which, yes } => drop_letters(&Chosen::said(&stack, which)?, format, yes).await,
        Command::Edit(edit) => quarantine::edit(&stack, edit).await,
        Command::Quarantine(command) => quarantine::run(&stack, format, command).await,
    }
}

async fn list(chosen: &Chosen, format: Format) -> Result<(), Error> {
    let (rows, listed) = chosen.each("letters", async |_, _, _| Ok(Fate::Stays)).await;
    listed?;
    let heads = ["queue", "id", "age", "origin", "about", "code", "tries", "replays", "cause"];
    output::rows(format, &heads, &rows, |row| {
        let told = &row.told;
        vec![
            row.queue.clone(),
            row.short_id(),
            row.age.clone(),
            told.origin.clone(),
            told.about(),
            told.code(),
            dash(told.attempts.map(|tries| tries.to_string()).as_ref()),
            told.replays.to_string(),
            dash(told.cause.as_ref()).replace('\n', " "),
        ]
    })
}

async fn replay(chosen: &Chosen, format: Format, rate: Option<NonZeroU32>, dry_run: bool) -> Result<(), Error> {
    let pause = rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.get());
    let (rows, replayed) = chosen
        .each("replayed", async |queue, letter, row| {
            if !queue.queue.returns() || !Letter::read(letter).origin.returns() {
                row.ends("stays: the schedule's next run does the same work");
                return Ok(Fate::Stays);
            }
            if dry_run {
                row.ends("would be replayed");
                return Ok(Fate::Stays);
            }
            tokio::time::sleep(pause).await;
            replay::send_back(&queue.queue, letter).await?;
            row.ends("replayed");
            Ok(Fate::Gone)
        })
        .await;
    print_ended(format, &rows)?;
    Ok(replayed?)
}

async fn drop_letters(chosen: &Chosen, format: Format, yes: bool) -> Result<(), Error> {
    let (rows, dropped) = chosen
        .each("dropped", async |queue, letter, row| {
            if !yes {
                row.ends("would be dropped");
                return Ok(Fate::Stays);
            }
            queue.queue.delete(letter).await?;
            row.ends("dropped");
            Ok(Fate::Gone)
        })
        .await;
    print_ended(format, &rows)?;
    dropped?;
    if yes || rows.is_empty() { Ok(()) } else { Err(DlqError::NotSure(rows.len()).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_shown_in_words() {
        for (text, shown) in
            [("90m", "1h 30m"), ("2h", "2h 0m"), ("3d", "3d 0h"), ("1d 5h 3m", "1d 5h"), ("59s", "0m"), ("1w", "7d 0h")]
        {
            assert_eq!(duration(text).map(age).as_deref(), Ok(shown), "{text}");
        }
        assert!(duration("soon").is_err());
    }
}
