use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use cosell_model::{
    file,
    validate::{Operation, validate},
};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use crate::{
    output::{self, Format},
    stack::Error,
};

#[derive(Parser)]
pub struct Args {
    /// Files in AWS's form (`{"version", "spmsId", "opportunities" or "leads": […]}`).
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// What the records are to be used for.
    #[arg(long = "for", value_enum, default_value_t)]
    operation: OperationArg,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum OperationArg {
    /// Creation alone.
    Create,
    /// Creation and submission.
    #[default]
    Submit,
    /// An update of what AWS has.
    Update,
}

impl From<OperationArg> for Operation {
    fn from(operation: OperationArg) -> Self {
        match operation {
            OperationArg::Create => Self::Create,
            OperationArg::Submit => Self::Submit,
            OperationArg::Update => Self::Update,
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum CannotValidate {
    #[error("cannot read {}", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    #[error("AWS would refuse {0} record(s) or file(s)")]
    Refused(usize),
}

#[derive(Serialize)]
struct Row {
    file: String,
    record: usize,
    id: String,
    field: &'static str,
    rule: &'static str,
    message: String,
}

pub fn run(format: Format, args: &Args) -> Result<(), Error> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let mut rows = Vec::new();
    let mut refused = 0;
    for path in &args.files {
        let bytes = std::fs::read(path).map_err(|cause| CannotValidate::Unreadable(path.clone(), cause))?;
        let contents = match file::read(&bytes) {
            Ok(contents) => contents,
            Err(cause) => {
                refused += 1;
                rows.push(Row {
                    file: path.display().to_string(),
                    record: 0,
                    id: "-".to_owned(),
                    field: "-",
                    rule: "unusable",
                    message: std::error::Error::source(&cause)
                        .map_or_else(|| cause.to_string(), |source| format!("{cause}: {source}")),
                });
                continue;
            }
        };
        for (index, record) in contents.records.iter().enumerate() {
            let id = record.decoded.record.text("apnCrmUniqueIdentifier").unwrap_or("-");
            let unread = record.unread().map(|(field, cause)| (field, "unreadable", cause.to_string()));
            let problems = validate(&record.decoded.record, args.operation.into(), today);
            let problems = problems.into_iter().map(|problem| (problem.field, problem.rule, problem.message));
            let before = rows.len();
            rows.extend(unread.chain(problems).map(|(field, rule, message)| Row {
                file: path.display().to_string(),
                record: index + 1,
                id: id.to_owned(),
                field,
                rule,
                message,
            }));
            refused += usize::from(rows.len() > before);
        }
    }
    if rows.is_empty() && format == Format::Table {
        return output::line("nothing to complain about");
    }
    output::rows(format, &["file", "record", "id", "field", "message"], &rows, |row| {
        vec![row.file.clone(), row.record.to_string(), row.id.clone(), row.field.into(), row.message.clone()]
    })?;
    if refused > 0 {
        return Err(CannotValidate::Refused(refused).into());
    }
    Ok(())
}
