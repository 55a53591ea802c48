use clap::Parser;
use cosell_sync::{
    log::Entry,
    ports::{Ledger, LogOf},
};
use jiff::Timestamp;

use crate::{
    output::{self, Format},
    stack::{Error, Stack},
};

#[derive(Parser)]
pub struct Args {
    /// Only this ACE identifier, CRM identifier or file.
    #[arg(long, conflicts_with = "day")]
    record: Option<String>,
    /// Only this day, UTC (YYYY-MM-DD); today when neither is given.
    #[arg(long)]
    day: Option<jiff::civil::Date>,
    /// At most so many lines, newest first.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

pub async fn run(stack: &str, format: Format, args: Args) -> Result<(), Error> {
    let stack = Stack::find(stack).await?;
    let ledger = stack.ledger()?;
    let day = args.day.unwrap_or_else(|| Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()).to_string();
    let of = args.record.as_deref().map_or(LogOf::Day(&day), LogOf::Record);
    let entries = ledger.read_log(of, args.limit).await?;
    print(format, "%H:%M:%S", &entries)
}

/// Prints entries; `time` is how a table says when.
pub fn print(format: Format, time: &str, entries: &[Entry]) -> Result<(), Error> {
    let heads = ["at", "direction", "purpose", "status", "ace", "crm", "message"];
    output::rows(format, &heads, entries, |entry| {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        vec![
            entry.at.strftime(time).to_string(),
            output::word(&entry.direction),
            output::word(&entry.purpose),
            output::word(&entry.status),
            text(&entry.ace_id),
            text(&entry.crm_id),
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
