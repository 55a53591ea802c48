mod part;

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use clap::{Parser, Subcommand};
use cosell_sync::backfill::{Applied, Backfill, Decision, Deed, How, Outcome, Plan, Question, Rule};
use jiff::{civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{
    output::{self, Format},
    progress::Bar,
    stack::{Error, Stack, patiently},
};

use part::PartFile;

#[derive(Subcommand)]
pub enum Command {
    /// Reads both sides and writes a plan: which record of one side is which of the other. Nothing else is written.
    ///
    /// Two records are one when the ledger has linked them (`linked`); when one of them carries the identifier of the other
    /// (`matched`, rule `id`); or by a rule: fields whose values are the same on both sides, compared in AWS's words, texts
    /// without case, blanks and punctuation, websites by their host, dates with `--days` of tolerance. The first rule by
    /// which a record has any counterpart decides, so name the strictest one first: exactly one record on each side is
    /// `matched`; more are `ambiguous`, and `candidates` says which they could be. The others are `only_at_aws` and
    /// `only_in_crm`; a CRM record that carries an identifier which AWS does not list is matched by no rule, and `candidates`
    /// says which one. Records that the mapping leaves out are counted and have no row.
    ///
    /// Go through the plan before you apply it. To decide on an ambiguous row, fill in its `ace_id` or `crm_id` and make its
    /// `outcome` `matched`; to leave a match out, make it `ambiguous`. The plan holds names of customers and deals: nobody but
    /// you can read the file (mode 0600).
    ///
    /// What was read is kept in FILE.part, and a run that was cut goes on after it. A thousand opportunities take about two
    /// minutes of AWS's quota for reading.
    Plan(PlanArgs),
    /// Links what a plan matches, and lets the functions merge it.
    ///
    /// Where the two sides differ, the mapping decides which value wins, field by field: nothing has been agreed on before, so
    /// a value on one side alone goes to the other side, and of two values the line's `policy` takes one (AWS's, where the
    /// line says nothing). `cosell drift` shows it afterwards, `cosell log --record ID` what was done.
    ///
    /// Rows that are linked already stay as they are: apply a plan as often as you like. A row is refused, and the others go
    /// on, when one of its records does not exist, or is linked with another one; then the exit code is 1.
    Apply(ApplyArgs),
}

#[derive(Parser)]
pub struct PlanArgs {
    /// The plan, a CSV file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A rule: ACE fields joined by `+`. Short names are customer, title, website, amount (expected AWS revenue a month) and
    /// date (target close date); `cosell fields` lists the others. Give it again for further rules. Without any they are
    /// customer+title, then website+title.
    #[arg(long = "match", value_name = "RULE")]
    rules: Vec<String>,
    /// By how many days dates may differ.
    #[arg(long, default_value_t = 0)]
    days: u32,
    /// Leaves out opportunities that have not changed at AWS since this day (UTC). The CRM is read in full, and what belongs
    /// to an opportunity that is left out is `only_in_crm`.
    #[arg(long, value_name = "DATE")]
    since: Option<Date>,
    /// Starts from the beginning: what an earlier run has read, or a plan that is there, is replaced.
    #[arg(long)]
    fresh: bool,
}

#[derive(Parser)]
pub struct ApplyArgs {
    /// The plan.
    plan: PathBuf,
    /// Checks every row and writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Brings what is `only_at_aws` into the CRM too: the functions make new records of it.
    #[arg(long)]
    create_missing: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    #[error("{} is there already, and may hold somebody's decisions: name another file, or replace it with --fresh", .0.display())]
    Exists(PathBuf),
    #[error("cannot write {}", .0.display())]
    Unwritable(PathBuf, #[source] io::Error),
    #[error("cannot read {}", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("{} was begun by a run with other rules or another mapping: use the same, or start again with --fresh", .0.display())]
    Other(PathBuf),
    #[error("{}, line {line}, is not what an earlier run has written: start again with --fresh", path.display())]
    Damaged { path: PathBuf, line: usize },
    #[error("{} is no plan: it needs the columns outcome, ace_id and crm_id", .0.display())]
    NoPlan(PathBuf),
    #[error("{} is no CSV file in UTF-8 (line {line})", path.display())]
    NotCsv { path: PathBuf, line: u64 },
    #[error("{0} row(s) were refused")]
    Refused(usize),
}

pub async fn run(stack: &str, format: Format, command: Command) -> Result<(), Error> {
    match command {
        Command::Plan(args) => plan(&Stack::find(stack).await?.backfill().await?, format, args).await,
        Command::Apply(args) => {
            let decisions = read(&args.plan)?;
            apply(&Stack::find(stack).await?.backfill().await?, format, &args, &decisions).await
        }
    }
}

#[derive(Serialize)]
struct Count {
    outcome: &'static str,
    records: usize,
}

async fn plan(backfill: &Backfill, format: Format, args: PlanArgs) -> Result<(), Error> {
    let PlanArgs { out, rules, days, since, fresh } = args;
    if out.exists() && !fresh {
        return Err(BackfillError::Exists(out).into());
    }
    let object = &backfill.mapping.opportunity;
    let rules = if rules.is_empty() {
        Rule::usual(object)?
    } else {
        rules.iter().map(|text| Rule::parse(text, object)).collect::<Result<_, _>>()?
    };
    let since = since.map(|day| day.to_zoned(TimeZone::UTC)).transpose()?.map(|day| day.timestamp());
    let question = Question { rules, days, since };
    let (mut part, mut notes) = PartFile::open(&out, backfill, &question, fresh)?;
    let mut bar = Bar::new();
    let work = async || {
        backfill.plan(&question, &mut notes, &mut |page| part.keep(page), &mut |progress| bar.show(progress)).await
    };
    let Plan { rows, left_out } = patiently(work).await?;
    drop(bar);
    write(&out, &rows)?;
    part.remove()?;

    let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
    let mut counts: Vec<Count> =
        Outcome::ALL.map(|outcome| Count { outcome: outcome.as_str(), records: count(outcome) }).into();
    counts.push(Count { outcome: "left_out", records: left_out });
    output::rows(format, &["outcome", "records"], &counts, |row| vec![row.outcome.to_owned(), row.records.to_string()])
}

/// Writes rows in one go: whoever looks sees all of them, or none.
pub fn write<T: Serialize>(out: &Path, rows: &[T]) -> Result<(), BackfillError> {
    written(out, rows).map_err(|cause| BackfillError::Unwritable(out.to_owned(), cause))
}

fn written<T: Serialize>(out: &Path, rows: &[T]) -> io::Result<()> {
    let new = beside(out, ".new");
    let mut writer = csv::Writer::from_writer(private(&new)?);
    for row in rows {
        writer.serialize(row)?;
    }
    writer.into_inner().map_err(csv::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(new, out)
}

/// A file of this name with something after it.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// A new file that nobody else can read.
fn private(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// What of a row counts when it is applied.
#[derive(Deserialize)]
struct Cells {
    outcome: String,
    ace_id: String,
    crm_id: String,
}

/// Reads a plan as spreadsheets write it, too: with a byte order mark, or semicolons.
fn read(path: &Path) -> Result<Vec<Decision>, BackfillError> {
    let bytes = fs::read(path).map_err(|cause| BackfillError::Unreadable(path.to_owned(), cause))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let heads = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let delimiter = if heads.contains(&b';') { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).flexible(true).from_reader(bytes);
    let not_csv = |error: &csv::Error| BackfillError::NotCsv {
        path: path.to_owned(),
        line: error.position().map_or(1, csv::Position::line),
    };
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let heads = reader.headers().map_err(|error| not_csv(&error))?.clone();
    if !["outcome", "ace_id", "crm_id"].iter().all(|column| heads.iter().any(|head| head == *column)) {
        return Err(BackfillError::NoPlan(path.to_owned()));
    }
    let mut decisions = Vec::new();
    for (row, record) in (2..).zip(reader.records()) {
        let record = record.map_err(|error| not_csv(&error))?;
        let Cells { outcome, ace_id, crm_id } = record.deserialize(Some(&heads)).map_err(|error| not_csv(&error))?;
        let outcome = Outcome::ALL.into_iter().find(|known| known.as_str() == outcome);
        decisions.push(Decision { row, outcome, ace_id, crm_id });
    }
    Ok(decisions)
}

#[derive(Serialize)]
struct Done<'a> {
    row: u64,
    ace_id: &'a str,
    crm_id: &'a str,
    result: Deed,
    why: Option<String>,
}

async fn apply(backfill: &Backfill, format: Format, args: &ApplyArgs, decisions: &[Decision]) -> Result<(), Error> {
    let how = How { create_missing: args.create_missing, dry_run: args.dry_run };
    let mut bar = Bar::new();
    let work = async || backfill.apply(decisions, how, &mut |progress| bar.show(progress)).await;
    let applied = patiently(work).await?;
    drop(bar);
    let mut counts: BTreeMap<Deed, usize> = BTreeMap::new();
    for applied in &applied {
        *counts.entry(applied.deed).or_default() += 1;
    }
    let done: Vec<Done<'_>> = applied
        .iter()
        .map(|Applied { row, ace_id, crm_id, deed, why }| {
            let why = why.as_ref().map(ToString::to_string);
            Done { row: *row, ace_id, crm_id, result: *deed, why }
        })
        .collect();
    output::rows(format, &["row", "ace id", "crm id", "result", "why"], &done, |done| {
        vec![
            done.row.to_string(),
            done.ace_id.to_owned(),
            done.crm_id.to_owned(),
            output::word(&done.result),
            done.why.clone().unwrap_or_default(),
        ]
    })?;
    let counted: Vec<String> = counts.iter().map(|(deed, count)| format!("{count} {}", output::word(deed))).collect();
    let would = if how.dry_run { "; nothing was written" } else { "" };
    if !counted.is_empty() {
        eprintln!("{}{would}", counted.join(", "));
    }
    match counts.get(&Deed::Refused) {
        Some(refused) => Err(BackfillError::Refused(*refused).into()),
        None => Ok(()),
    }
}
