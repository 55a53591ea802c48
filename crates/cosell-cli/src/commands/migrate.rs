use std::{collections::HashMap, path::PathBuf};

use clap::{Parser, Subcommand};
use cosell_sync::{
    Progress,
    backfill::{Applied, Deed, Notes, Outcome},
    drift::{Goes, Verdict},
    migrate::{Counts, Difference, InFlight, Report, is_misnamed, linked},
};
use serde::Serialize;

use super::backfill;
use crate::{
    output::{self, Format},
    progress::Bar,
    stack::{Error, Stack, patiently},
};

/// How many pairs are compared at the same time.
const PAGE: usize = 20;

#[derive(Subcommand)]
pub enum Command {
    /// Prepares opportunities that went by files for going by the API: says what is in the way, links, compares.
    ///
    /// First nothing must be on its way: records that wait for the next file, and files that AWS has not answered, are said.
    /// Then every opportunity that AWS lists is held against every record of the CRM, by identifiers alone: the ledger's links,
    /// the opportunity that a CRM record names, the CRM record that an opportunity names. What belongs together is linked with
    /// --apply, so that the API makes nothing a second time; what identifiers leave open is for `cosell backfill`. Pairs that
    /// are linked are compared, field by field, as `cosell drift` does it.
    ///
    /// Amounts of which files took whole dollars, and the like, are no differences: they are counted as `sent by the switch`,
    /// and --output json, --output csv and --out tell them one by one.
    ///
    /// Without --apply nothing is written. Repeat it as often as you like: what is linked stays as it is. It ends with what to do
    /// next; at last that is `opportunities = false` in the mapping. Leads stay with files.
    ///
    /// Exits with 0 when nothing is in the way and both sides agree, else with 1. A thousand opportunities take about two minutes
    /// of AWS's quota for reading, and twice that where the mapping uses AWS's own view.
    ///
    /// Example: `cosell migrate s3-to-api --out report.csv`, then `cosell migrate s3-to-api --apply`
    S3ToApi(Args),
}

#[derive(Parser)]
pub struct Args {
    /// Links what belongs together by its identifiers. Refused while opportunities are on their way in files.
    #[arg(long)]
    apply: bool,
    /// Writes nothing; that is so without --apply, too.
    #[arg(long, conflicts_with = "apply")]
    dry_run: bool,
    /// Puts what is open, and what the switch sends, into a CSV file, too.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum MigrateError {
    #[error(
        "nothing was linked: {waiting} opportunity(ies) wait for the next file, and {files} file(s) with opportunities are not answered: `cosell files list` shows them"
    )]
    InFlight { waiting: usize, files: usize },
    #[error("not ready to go by the API")]
    NotReady,
}

impl From<InFlight> for MigrateError {
    fn from(InFlight { waiting, files }: InFlight) -> Self {
        Self::InFlight { waiting, files: files.len() }
    }
}

pub async fn run(stack: &str, format: Format, command: Command) -> Result<(), Error> {
    let Command::S3ToApi(args) = command;
    let report = Box::pin(report(&Stack::find(stack).await?, args.apply)).await?;
    let rows = rows(&report);
    if let Some(out) = &args.out {
        backfill::write(out, &rows)?;
    }
    print(format, &report, rows)?;
    if report.is_ready() { Ok(()) } else { Err(MigrateError::NotReady.into()) }
}

async fn report(stack: &Stack, apply: bool) -> Result<Report, Error> {
    let migration = stack.migration().await?;
    let in_flight = migration.in_flight().await?;
    if apply && !in_flight.is_empty() {
        return Err(MigrateError::from(in_flight).into());
    }
    let (mut bar, mut notes) = (Bar::new(), Notes::default());
    let plan = patiently(async || migration.plan(&mut notes, &mut |progress| bar.show(progress)).await).await?;
    let applied = if apply {
        let linked = patiently(async || migration.link(&plan, &mut |progress| bar.show(progress)).await).await?;
        linked.map_err(MigrateError::from)?
    } else {
        Vec::new()
    };
    let pairs = linked(&plan);
    let (mut done, mut differences) = (0, Vec::new());
    for page in pairs.chunks(PAGE) {
        differences.extend(patiently(async || migration.compare(page).await).await?);
        done += page.len();
        bar.show(Progress { step: "comparing", done, of: Some(pairs.len()) });
    }
    Ok(Report { by_files: migration.by_files(), in_flight, plan, applied, differences })
}

/// What was found of a record.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Finding {
    /// It would be linked.
    Matched,
    /// It was linked.
    LinkedNow,
    /// It could not be linked.
    Refused,
    Ambiguous,
    OnlyAtAws,
    Misnamed,
    /// A field of a pair.
    Differs,
    SentByTheSwitch,
}

#[derive(Serialize)]
struct Row {
    finding: Finding,
    ace_id: Option<String>,
    crm_id: Option<String>,
    field: Option<&'static str>,
    verdict: Option<Verdict>,
    goes: Option<Goes>,
    /// What it could be, or why it was refused.
    about: String,
}

/// What somebody has to know of, a line each.
fn rows(report: &Report) -> Vec<Row> {
    let applied: HashMap<&str, &Applied> = report.applied.iter().map(|it| (it.ace_id.as_str(), it)).collect();
    let some = |id: &str| (!id.is_empty()).then(|| id.to_owned());
    let of_plan = report.plan.rows.iter().filter_map(|row| {
        let (finding, about) = match (row.outcome, applied.get(row.ace_id.as_str())) {
            (Outcome::Matched, None) => (Finding::Matched, String::new()),
            (Outcome::Matched, Some(Applied { deed: Deed::Refused, why, .. })) => {
                (Finding::Refused, why.as_ref().map(ToString::to_string).unwrap_or_default())
            }
            (Outcome::Matched, Some(_)) => (Finding::LinkedNow, String::new()),
            (Outcome::Ambiguous, _) => (Finding::Ambiguous, row.candidates.clone()),
            (Outcome::OnlyAtAws, _) => (Finding::OnlyAtAws, String::new()),
            (Outcome::OnlyInCrm, _) if is_misnamed(row) => (Finding::Misnamed, row.candidates.clone()),
            (Outcome::OnlyInCrm | Outcome::Linked, _) => return None,
        };
        let (ace_id, crm_id) = (some(&row.ace_id), some(&row.crm_id));
        Some(Row { finding, ace_id, crm_id, field: None, verdict: None, goes: None, about })
    });
    let of_fields = report.differences.iter().map(|Difference { line, by_switch }| Row {
        finding: if *by_switch { Finding::SentByTheSwitch } else { Finding::Differs },
        ace_id: line.ace_id.clone(),
        crm_id: line.crm_id.clone(),
        field: line.field,
        verdict: Some(line.verdict),
        goes: line.goes,
        about: String::new(),
    });
    of_plan.chain(of_fields).collect()
}

#[derive(Serialize)]
struct Told<'r> {
    ready: bool,
    opportunities_by_files: bool,
    in_flight: &'r InFlight,
    counts: Counts,
    records: Vec<Row>,
    next: Vec<String>,
}

fn print(format: Format, report: &Report, mut rows: Vec<Row>) -> Result<(), Error> {
    let heads = ["finding", "ace id", "crm id", "field", "verdict", "goes by itself", "about"];
    let cells = |row: &Row| {
        let dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let (verdict, goes) = (row.verdict.as_ref().map(output::word), row.goes.as_ref().map(output::word));
        vec![
            output::word(&row.finding),
            dash(row.ace_id.as_deref()),
            dash(row.crm_id.as_deref()),
            dash(row.field),
            dash(verdict.as_deref()),
            dash(goes.as_deref()),
            row.about.clone(),
        ]
    };
    let next: Vec<String> = report.steps().iter().map(ToString::to_string).collect();
    match format {
        Format::Csv => return output::rows(format, &heads, &rows, cells),
        Format::Json => {
            let told = Told {
                ready: report.is_ready(),
                opportunities_by_files: report.by_files,
                in_flight: &report.in_flight,
                counts: report.counts(),
                records: rows,
                next,
            };
            return output::line(&serde_json::to_string_pretty(&told)?);
        }
        Format::Table => {}
    }
    let head = |title: &str| output::line(&format!("\n{title}"));
    output::line(if report.by_files { "opportunities go by files" } else { "opportunities go by the API" })?;
    head("ON THEIR WAY IN FILES")?;
    output::one(&report.in_flight)?;
    head("RECORDS")?;
    output::one(&report.counts())?;
    rows.retain(|row| row.finding != Finding::SentByTheSwitch);
    if !rows.is_empty() {
        head("WHAT IS OPEN")?;
        output::rows(format, &heads, &rows, cells)?;
    }
    head("NEXT")?;
    for step in next {
        output::line(&format!("- {step}"))?;
    }
    Ok(())
}
