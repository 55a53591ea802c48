use std::convert::Infallible;

use clap::Parser;
use cosell_sync::{
    Progress,
    drift::{Goes, Line, Subject, Verdict},
};
use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    output::{self, Format},
    progress::Bar,
    stack::{Error, Stack, patiently},
};

/// How many records are compared at the same time.
const PAGE: usize = 20;

/// Compares both sides, field by field, and writes nothing.
///
/// There is a line for each field that is not in step: what the functions' merge says of it, and whether it goes by itself
/// (`yes`; `later`, once AWS's review is over; `no`). A record that has no counterpart has a line of its own.
///
/// Exits with 0 when everything is in step, with 3 when it is not, and with 1 when that could not be found out.
#[derive(Parser)]
pub struct Args {
    /// Opportunities (`O1234567`), and identifiers of the CRM's records.
    #[arg(required_unless_present = "all", conflicts_with = "all", value_parser = subject)]
    ids: Vec<Subject>,
    /// Every opportunity that AWS lists. A thousand take about two minutes of AWS's quota for reading, and twice that where
    /// the mapping uses AWS's own view.
    #[arg(long)]
    all: bool,
    /// Shows fields that are in step too, and records that take no part.
    #[arg(long)]
    verbose: bool,
    /// Shows the values: AWS's, the CRM's in AWS's words, and what both had. They may be personal data.
    #[arg(long)]
    values: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "what clap takes")]
fn subject(text: &str) -> Result<Subject, Infallible> {
    Ok(text.parse().map_or_else(|_| Subject::Record(text.to_owned()), Subject::Opportunity))
}

/// A line as it is printed.
#[derive(Serialize)]
pub struct Row {
    ace_id: Option<String>,
    crm_id: Option<String>,
    field: Option<&'static str>,
    verdict: Verdict,
    goes: Option<Goes>,
    #[serde(flatten)]
    values: Option<Values>,
}

#[derive(Serialize)]
struct Values {
    aws: Json,
    crm: Json,
    base: Json,
}

impl Row {
    /// With or without values.
    pub fn of(line: Line, with_values: bool) -> Self {
        let Line { ace_id, crm_id, field, verdict, goes, aws, crm, base } = line;
        let [aws, crm, base] = [aws, crm, base].map(|value| value.map_or(Json::Null, |value| value.to_json()));
        Self { ace_id, crm_id, field, verdict, goes, values: with_values.then_some(Values { aws, crm, base }) }
    }

    fn cells(&self) -> Vec<String> {
        let Self { ace_id, crm_id, field, verdict, goes, values } = self;
        let dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let mut cells = vec![
            dash(ace_id.as_deref()),
            dash(crm_id.as_deref()),
            dash(*field),
            output::word(verdict),
            goes.as_ref().map_or_else(|| dash(None), output::word),
        ];
        if let Some(Values { aws, crm, base }) = values {
            cells.extend([aws, crm, base].map(output::brief));
        }
        cells
    }
}

/// Whether something is not in step.
pub async fn run(stack: &str, format: Format, args: Args) -> Result<bool, Error> {
    let stack = Stack::find(stack).await?;
    let drift = stack.drift().await?;
    let subjects =
        if args.all { stack.opportunities().await?.into_iter().map(Subject::Opportunity).collect() } else { args.ids };
    let (mut bar, mut lines) = (Bar::new(), Vec::new());
    let mut done = 0;
    for page in subjects.chunks(PAGE) {
        lines.extend(patiently(async || drift.compare(page).await).await?);
        done += page.len();
        bar.show(Progress { step: "comparing", done, of: Some(subjects.len()) });
    }
    drop(bar);
    let is_apart = lines.iter().any(|line| !line.verdict.is_in_step());
    lines.retain(|line| args.verbose || !line.verdict.is_in_step());
    if lines.is_empty() && format == Format::Table {
        output::line("in step")?;
        return Ok(false);
    }
    let rows: Vec<Row> = lines.into_iter().map(|line| Row::of(line, args.values)).collect();
    print(format, &rows, args.values)?;
    Ok(is_apart)
}

/// Prints lines.
pub fn print(format: Format, rows: &[Row], with_values: bool) -> Result<(), Error> {
    let mut heads = vec!["ace id", "crm id", "field", "verdict", "goes by itself"];
    if with_values {
        heads.extend(["aws", "crm", "base"]);
    }
    output::rows(format, &heads, rows, Row::cells)
}
