mod edit;

use clap::{Args as ClapArgs, Parser, Subcommand};
use cosell_sync::{
    log::{Direction, Entry, Of, Open, OpenRecord, Query, RunSummary, Status},
    ports::{Ledger, PortError, SyncLog},
};
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    commands::dlq::{age, duration},
    output::{self, Format},
    stack::{Error, Stack},
};

/// The sync log: what was done for which record, and what was refused.
///
/// Without anything it shows today's entries, newest first. Example: `cosell log --status error --direction to_aws --since 7d`
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    question: Question,
}

#[derive(Subcommand)]
enum Command {
    /// Shows one entry with its record. Values that may say something about a person are hidden.
    Show {
        /// What it is called, as `cosell log` has it.
        entry: Uuid,
        /// Shows the values, too.
        #[arg(long)]
        show_values: bool,
    },
    Edit(edit::Edit),
    /// The runs of functions and commands that did something, newest first. `cosell log --run RUN` shows what one did.
    Runs {
        /// From so long ago.
        #[arg(long, default_value = "1d", value_parser = duration)]
        since: SignedDuration,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// The records of which something is left to do: refused ones, and changes that wait for AWS's review.
    Open,
}

#[derive(ClapArgs)]
struct Question {
    /// Only this ACE identifier, CRM identifier or file.
    #[arg(long)]
    record: Option<String>,
    /// Only this run.
    #[arg(long, conflicts_with = "record")]
    run: Option<String>,
    /// Only this day, UTC (YYYY-MM-DD).
    #[arg(long, conflicts_with = "since")]
    day: Option<Date>,
    /// Only from so long ago (`90m`, `2h`, `7d`); without it today's (UTC), of a record or a run everything.
    #[arg(long, value_parser = duration)]
    since: Option<SignedDuration>,
    /// Only this way: `from_aws` or `to_aws`.
    #[arg(long, value_parser = direction)]
    direction: Option<Direction>,
    /// Only what ended so: `api_success`, `processed`, `partial` or `error`.
    #[arg(long, value_parser = status)]
    status: Option<Status>,
    /// At most so many entries.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

fn direction(text: &str) -> Result<Direction, String> {
    let known = Direction::ALL.into_iter().find(|direction| direction.code() == text);
    known.ok_or_else(|| "neither `from_aws` nor `to_aws`".to_owned())
}

fn status(text: &str) -> Result<Status, String> {
    let known = Status::ALL.into_iter().find(|status| status.code() == text);
    known.ok_or_else(|| "none of `api_success`, `processed`, `partial` and `error`".to_owned())
}

impl Question {
    fn query(&self, now: Timestamp) -> Result<Query<'_>, Error> {
        let of = match (&self.record, &self.run) {
            (Some(record), _) => Of::Record(record),
            (None, Some(run)) => Of::Run(run),
            (None, None) => Of::Any,
        };
        let mut query = Query { direction: self.direction, status: self.status, ..Query::of(of) };
        let start = |day: Date| day.to_zoned(TimeZone::UTC).map(|start| start.timestamp());
        let today = now.to_zoned(TimeZone::UTC).date();
        match (self.day, self.since) {
            (Some(day), _) => (query.since, query.until) = (start(day)?, start(day.checked_add(1.day())?)?),
            (None, Some(since)) => query.since = now.checked_sub(since)?,
            (None, None) if of == Of::Any => query.since = start(today)?,
            (None, None) => {}
        }
        query.until = query.until.min(start(today.checked_add(1.day())?)?);
        Ok(query)
    }
}

pub async fn run(stack: &str, format: Format, args: Args) -> Result<(), Error> {
    let stack = Stack::find(stack).await?;
    let ledger = stack.ledger()?;
    let now = Timestamp::now();
    match args.command {
        None => {
            let entries = ledger.read_log(&args.question.query(now)?, args.question.limit).await?;
            let of_one_day = args.question.since.is_none() && args.question.record.is_none();
            print(format, if of_one_day { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }, &entries)
        }
        Some(Command::Show { entry, show_values }) => show(&ledger, format, entry, show_values).await,
        Some(Command::Edit(edit)) => edit::run(&stack, format, edit).await,
        Some(Command::Runs { since, limit }) => {
            let runs = ledger.runs(now.checked_sub(since)?, now, limit).await?;
            print_runs(format, &runs)
        }
        Some(Command::Open) => print_open(format, now, &ledger.open_records().await?),
    }
}

/// Prints entries; `time` is how a table says when.
pub fn print(format: Format, time: &str, entries: &[Entry]) -> Result<(), Error> {
    let heads = ["at", "direction", "purpose", "status", "ace", "crm", "entry", "message"];
    output::rows(format, &heads, entries, |entry| {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        vec![
            entry.at.strftime(time).to_string(),
            output::word(&entry.direction),
            output::word(&entry.purpose),
            output::word(&entry.status),
            text(&entry.ace_id),
            text(&entry.crm_id),
            entry.id.simple().to_string(),
            message(entry),
        ]
    })
}

fn message(entry: &Entry) -> String {
    let fields = (!entry.fields.is_empty()).then(|| format!("{} fields", entry.fields.len()));
    let problems = entry.problems.iter().map(|problem| {
        let field = problem.field.as_deref().unwrap_or("record");
        format!("{field}: {}", problem.message)
    });
    let parts = entry.file.clone().into_iter().chain([entry.message.clone()]).chain(fields).chain(problems);
    parts.collect::<Vec<_>>().join("; ").replace('\n', " ")
}

#[derive(Serialize)]
struct Shown<'e> {
    #[serde(flatten)]
    entry: &'e Entry,
    /// The record in ACE words.
    record: Option<Json>,
}

async fn show(ledger: &dyn SyncLog, format: Format, id: Uuid, show_values: bool) -> Result<(), Error> {
    let entry = ledger.entry(id).await?;
    let what = || format!("looking for entry {} in the sync log", id.simple());
    let entry = entry.ok_or_else(|| PortError::NotFound { what: what() })?;
    let payload = entry.payload.as_ref().map(|payload| if show_values { payload.clone() } else { payload.masked() });
    let shown = Shown { entry: &entry, record: payload.map(|payload| Json::Object(payload.record)) };
    match format {
        Format::Json => output::line(&serde_json::to_string_pretty(&shown)?),
        Format::Csv | Format::Table => {
            output::one(&entry)?;
            let Some(Json::Object(record)) = shown.record else { return Ok(()) };
            output::line("")?;
            let fields: Vec<_> = record.into_iter().filter(|(_, value)| !value.is_null()).collect();
            output::rows(Format::Table, &["field", "value"], &fields, |(field, value)| {
                vec![field.clone(), output::brief(value)]
            })
        }
    }
}

#[derive(Serialize)]
struct RunRow {
    run: String,
    by: String,
    started_at: Timestamp,
    last_at: Timestamp,
    success: u64,
    partial: u64,
    error: u64,
}

fn print_runs(format: Format, runs: &[RunSummary]) -> Result<(), Error> {
    let rows: Vec<_> = runs
        .iter()
        .map(|RunSummary { run, last_at, tally }| {
            let sum = |statuses: &[Status]| {
                let all = Direction::ALL.into_iter().flat_map(|way| statuses.iter().map(move |it| tally.of(way, *it)));
                all.sum()
            };
            RunRow {
                run: run.id.clone(),
                by: run.by.clone(),
                started_at: run.started_at,
                last_at: *last_at,
                success: sum(&[Status::ApiSuccess, Status::Processed]),
                partial: sum(&[Status::Partial]),
                error: sum(&[Status::Error]),
            }
        })
        .collect();
    output::rows(format, &["started", "by", "took", "success", "partial", "error", "run"], &rows, |row| {
        let took = row.last_at.duration_since(row.started_at).as_secs_f64();
        vec![
            row.started_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            row.by.clone(),
            format!("{took:.1} s"),
            row.success.to_string(),
            row.partial.to_string(),
            row.error.to_string(),
            row.run.clone(),
        ]
    })
}

fn print_open(format: Format, now: Timestamp, records: &[OpenRecord]) -> Result<(), Error> {
    output::rows(format, &["record", "direction", "since", "what", "retries", "entry"], records, |record| {
        let what = match record.what {
            Open::Refused => "refused by the far side: mend it there, or wait for the next retry",
            Open::Wrong => "not as it has to be: edit the record, or correct it with `cosell log edit`",
            Open::Held => "waits for AWS's review",
        };
        vec![
            record.name.clone(),
            output::word(&record.direction),
            age(now.duration_since(record.since)),
            what.to_owned(),
            record.retries.to_string(),
            record.entry.simple().to_string(),
        ]
    })
}
