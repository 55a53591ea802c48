mod examine;
pub mod judge;

use clap::Parser;
use serde::Serialize;

use crate::{
    output::{self, Format},
    stack::Error,
};
use judge::{Status, Verdict};

/// Checks a deployed stack end to end: AWS, Partner Central, the CRM, the mapping, and what runs between them.
///
/// Every line is ok, a warning, failed, or skipped because something that it needs failed before; each that is not ok says
/// what to do. It only looks, with one exception: the question to Partner Central is booked as one read. Exits with 1 when
/// something failed; warnings are no failure.
///
/// What it sees is what you may see: with fewer rights than the functions have, it fails where they do not. How old a
/// message in a queue is, and what a function's log says, it leaves to the stack's alarms.
///
/// Example: `cosell doctor --stack cosell`, or in a pipeline: `cosell doctor --output json`
#[derive(Parser)]
pub struct Args {}

/// A check, and how it ended.
#[derive(Debug, Serialize)]
struct Line {
    status: Status,
    area: &'static str,
    check: String,
    found: String,
    mend: Option<String>,
}

impl Line {
    fn new(area: &'static str, check: impl Into<String>, verdict: Verdict) -> Self {
        let Verdict { status, found, mend } = verdict;
        Self { status, area, check: check.into(), found, mend }
    }
}

/// Whether nothing failed.
pub async fn run(stack: &str, format: Format, _args: Args) -> Result<bool, Error> {
    let lines = examine::examine(stack).await;
    match format {
        Format::Table => table(&lines)?,
        other => output::rows(other, &[], &lines, |_| Vec::new())?,
    }
    Ok(lines.iter().all(|line| line.status != Status::Failed))
}

/// A line a check, and below it what to do: in columns, the mends would be off the screen.
fn table(lines: &[Line]) -> Result<(), Error> {
    let mut area = "";
    for line in lines {
        if line.area != area {
            area = line.area;
            output::line(&format!("\n{area}"))?;
        }
        output::line(&format!("  {:8} {}: {}", output::word(&line.status), line.check, line.found))?;
        if let Some(mend) = &line.mend {
            output::line(&format!("           -> {mend}"))?;
        }
    }
    let count = |status: Status| lines.iter().filter(|line| line.status == status).count();
    output::line(&format!(
        "\n{} ok, {} warning(s), {} failed, {} skipped",
        count(Status::Ok),
        count(Status::Warning),
        count(Status::Failed),
        count(Status::Skipped)
    ))
}
