use std::collections::BTreeMap;

use clap::Parser;
use cosell_sync::{
    log::{Arrivals, Cause, Direction, Open, Status, Tally},
    ports::{Ledger, SyncLog},
};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::Serialize;

use crate::{
    commands::dlq::{age, duration},
    output::{self, Format},
    stack::{Error, Stack},
};

/// What was done in the last days: records by day, direction and end, why records were refused, how long changes took to
/// arrive, and what is left to do.
///
/// As CSV it is a line a day and direction. Days are UTC. `cosell log --status error --since 7d` shows the records themselves.
#[derive(Parser)]
pub struct Args {
    /// From so long ago; the sync log goes back as far as the stack's `LogRetentionDays`.
    #[arg(long, default_value = "7d", value_parser = duration)]
    since: SignedDuration,
}

/// One day, one way.
#[derive(Serialize)]
struct Line {
    day: Date,
    direction: Direction,
    success: u64,
    partial: u64,
    error: u64,
    #[serde(flatten)]
    arrival: Arrival,
}

/// How long changes took, in seconds: the end of the class in which the share's last one is.
#[derive(Default, Serialize)]
struct Arrival {
    arrived: u64,
    median_seconds: Option<u64>,
    p95_seconds: Option<u64>,
}

impl From<&Arrivals> for Arrival {
    fn from(arrivals: &Arrivals) -> Self {
        let within = |percent| arrivals.within(percent);
        Self { arrived: arrivals.count(), median_seconds: within(50), p95_seconds: within(95) }
    }
}

#[derive(Serialize)]
struct CauseLine {
    direction: Direction,
    code: String,
    records: u64,
}

#[derive(Serialize)]
struct Way {
    direction: Direction,
    #[serde(flatten)]
    arrival: Arrival,
}

/// What is left to do.
#[derive(Serialize)]
struct Left {
    what: Open,
    records: usize,
    oldest: Option<Timestamp>,
}

#[derive(Serialize)]
struct Report {
    since: Date,
    until: Date,
    days: Vec<Line>,
    causes: Vec<CauseLine>,
    arrivals: Vec<Way>,
    open: Vec<Left>,
}

fn lines(days: &BTreeMap<Date, Tally>) -> Vec<Line> {
    let line = |(day, tally): (&Date, &Tally), direction| Line {
        day: *day,
        direction,
        success: tally.of(direction, Status::ApiSuccess) + tally.of(direction, Status::Processed),
        partial: tally.of(direction, Status::Partial),
        error: tally.of(direction, Status::Error),
        arrival: tally.arrivals.get(&direction).map(Arrival::from).unwrap_or_default(),
    };
    days.iter().flat_map(|day| Direction::ALL.map(|direction| line(day, direction))).collect()
}

pub async fn run(stack: &str, format: Format, args: &Args) -> Result<(), Error> {
    let stack = Stack::find(stack).await?;
    let ledger = stack.ledger()?;
    let now = Timestamp::now();
    let date = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let (since, until) = (date(now.checked_sub(args.since)?), date(now));
    let days = ledger.tallies(since, until).await?;
    let open = ledger.open_records().await?;
    let mut whole = Tally::default();
    for tally in days.values() {
        whole += tally.clone();
    }
    let mut causes: Vec<_> = whole
        .causes
        .iter()
        .map(|(Cause { direction, code }, records)| CauseLine {
            direction: *direction,
            code: code.clone(),
            records: *records,
        })
        .collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.records));
    let left = |what| {
        let of = || open.iter().filter(move |record| record.what == what);
        Left { what, records: of().count(), oldest: of().map(|record| record.since).min() }
    };
    let arrivals = whole.arrivals.iter();
    let report = Report {
        since,
        until,
        days: lines(&days),
        causes,
        arrivals: arrivals.map(|(way, all)| Way { direction: *way, arrival: all.into() }).collect(),
        open: [Open::Refused, Open::Wrong, Open::Held].map(left).into(),
    };
    match format {
        Format::Json => output::line(&serde_json::to_string_pretty(&report)?),
        Format::Csv => output::rows(format, &[], &report.days, |_| Vec::new()),
        Format::Table => print(&report, now),
    }
}

/// How long the longest bar is.
const WIDTH: u64 = 30;

/// A bar of what went and what did not, to one scale.
fn bar(line: &Line, most: u64) -> String {
    let cells = |count: u64| usize::try_from((count * WIDTH).div_ceil(most.max(1))).unwrap_or_default();
    "█".repeat(cells(line.success)) + &"▒".repeat(cells(line.partial + line.error))
}

fn seconds(class: Option<u64>) -> String {
    match class {
        None => "-".to_owned(),
        Some(u64::MAX) => "more than a day".to_owned(),
        Some(seconds) if seconds < 60 => format!("{seconds} s"),
        Some(seconds) => age(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))),
    }
}

fn print(report: &Report, now: Timestamp) -> Result<(), Error> {
    let most = report.days.iter().map(|line| line.success + line.partial + line.error).max().unwrap_or(0);
    let heads = ["day", "direction", "success", "partial", "error", "median", "95 %", ""];
    output::rows(Format::Table, &heads, &report.days, |line| {
        vec![
            line.day.to_string(),
            output::word(&line.direction),
            line.success.to_string(),
            line.partial.to_string(),
            line.error.to_string(),
            seconds(line.arrival.median_seconds),
            seconds(line.arrival.p95_seconds),
            bar(line, most),
        ]
    })?;
    if !report.causes.is_empty() {
        output::line("")?;
        output::rows(Format::Table, &["refused for", "direction", "records"], &report.causes, |cause| {
            vec![cause.code.clone(), output::word(&cause.direction), cause.records.to_string()]
        })?;
    }
    let left: Vec<_> = report.open.iter().filter(|left| left.records > 0).collect();
    if !left.is_empty() {
        output::line("")?;
        output::rows(Format::Table, &["left to do", "records", "oldest"], &left, |left| {
            let oldest = left.oldest.map_or_else(|| "-".to_owned(), |since| age(now.duration_since(since)));
            vec![output::word(&left.what), left.records.to_string(), oldest]
        })?;
        output::line("`cosell log open` shows which.")?;
    }
    Ok(())
}
