use std::{error::Error as _, path::PathBuf};

use clap::{Parser, ValueEnum};
use cosell_mapping::Mapping;
use cosell_model::{
    Kind, Record, Wire,
    life_cycle::{Acceptance, ReviewStatus, Stage, Standing, State},
    validate::{Case, Operation, Problem, Rule, validate},
};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use crate::{
    input::{self, InputError, Item},
    output::{self, Format},
    stack::Error,
};

/// A file has AWS's file form (`{"version", "spmsId", "opportunities" or "leads": […]}`) or the API's: answers of
/// `GetOpportunity` (with `GetAwsOpportunitySummary` beside them), `GetEngagement` or `GetEngagementInvitation`, bodies of
/// requests, or what `cosell convert` writes; one, or a list.
///
/// Exits with 1 and names every problem when AWS would refuse a record.
#[derive(Parser)]
pub struct Args {
    /// The files; `-` is standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// What the records are to be used for.
    #[arg(long = "for", value_enum, default_value_t)]
    operation: OperationArg,
    /// Where the records stand in AWS's review, for an update: says which fields are closed then.
    #[arg(long, value_parser = state::<ReviewStatus>)]
    status: Option<ReviewStatus>,
    /// The stage that AWS has now, for an update.
    #[arg(long, value_parser = state::<Stage>)]
    stage: Option<Stage>,
    /// You are a software partner (ISV): AWS leaves you a little more after launch and wants no AWS account for it.
    #[arg(long)]
    isv: bool,
    /// A mapping file, by which problems also name your CRM's field.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
}

fn state<S: State>(text: &str) -> Result<S, String> {
    S::ALL.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)).map(|(state, _)| *state).ok_or_else(|| {
        let names: Vec<_> = S::ALL.iter().map(|(_, name)| format!("`{name}`")).collect();
        format!("there are {}", names.join(", "))
    })
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum OperationArg {
    /// Creation alone.
    Create,
    /// Creation and submission.
    #[default]
    Submit,
    /// An update: in the API's form the whole record that results, in the files' form what changes.
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
    #[error("AWS would refuse {0} record(s) or file(s)")]
    Refused(usize),
    #[error("cannot read the mapping {}", .0.display())]
    Mapping(PathBuf, #[source] std::io::Error),
}

#[derive(Serialize)]
struct Row {
    file: String,
    record: usize,
    id: Option<String>,
    #[serde(flatten)]
    problem: Said,
}

#[derive(Serialize)]
struct Said {
    field: Option<String>,
    api: Option<&'static str>,
    in_files: Option<&'static str>,
    crm: Option<String>,
    rule: &'static str,
    message: String,
    mend: String,
    source: &'static str,
}

impl From<Problem> for Said {
    fn from(problem: Problem) -> Self {
        Self {
            field: Some(problem.field.to_owned()),
            api: problem.api,
            in_files: problem.file,
            crm: problem.crm,
            rule: problem.rule.as_str(),
            message: problem.message,
            mend: problem.mend,
            source: problem.rule.source(),
        }
    }
}

impl Said {
    fn unreadable(field: Option<String>, message: String, mend: &str) -> Self {
        Self {
            field,
            api: None,
            in_files: None,
            crm: None,
            rule: Rule::Unreadable.as_str(),
            message,
            mend: mend.to_owned(),
            source: Rule::Unreadable.source(),
        }
    }
}

impl Args {
    fn standing(&self) -> Standing {
        let acceptance = Some(Acceptance::Accepted);
        Standing { status: self.status, stage: self.stage, isv: self.isv, acceptance, ..Standing::default() }
    }

    fn problems(&self, wire: Wire, item: &Item, mapping: Option<&Mapping>) -> Vec<Said> {
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        let changes = writable(&item.record, wire);
        let windows = self.status.is_some() || self.stage.is_some();
        let case = Case {
            operation: self.operation.into(),
            wire,
            standing: self.standing(),
            changes: windows.then_some(&changes),
            today,
        };
        let object = mapping.and_then(|mapping| mapping.of(item.record.kind()));
        let unread = item
            .unread
            .iter()
            .map(|(field, cause)| Said::unreadable(Some(field.to_string()), cause.to_string(), "correct it"));
        let found = validate(&item.record, &case).into_iter().map(|mut problem| {
            problem.crm = object.and_then(|object| object.crm_name(problem.field)).map(str::to_owned);
            Said::from(problem)
        });
        unread.chain(found).collect()
    }
}

/// What of a record is sent at all.
fn writable(record: &Record, wire: Wire) -> Record {
    let mut sent = Record::new(record.kind());
    for (field, value) in record.iter().filter(|(field, _)| field.is_writable_on(wire)) {
        // Identifiers say which record, and are no change of it.
        if !field.key.ends_with("CrmUniqueIdentifier") && field.key != "partnerCrmLeadId" {
            sent.set(field, value.clone());
        }
    }
    sent
}

fn id(record: &Record) -> Option<String> {
    let keys = match record.kind() {
        Kind::Opportunity => ["apnCrmUniqueIdentifier", "partnerCrmUniqueIdentifier"],
        Kind::Lead => ["apnCrmUniqueIdentifier", "partnerCrmLeadId"],
    };
    keys.into_iter().find_map(|key| record.text(key)).map(str::to_owned)
}

pub fn run(format: Format, args: &Args) -> Result<(), Error> {
    let mapping = match &args.mapping {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|cause| CannotValidate::Mapping(path.clone(), cause))?;
            Some(Mapping::parse(&text)?)
        }
    };
    let mut rows = Vec::new();
    let (mut refused, mut checked) = (0, 0);
    for path in &args.files {
        let file = path.display().to_string();
        let input = match input::read(path) {
            Ok(input) => input,
            Err(error @ InputError::Unreadable(..)) => return Err(error.into()),
            Err(error) => {
                refused += 1;
                let message = error.source().map_or_else(|| error.to_string(), causes);
                let problem = Said::unreadable(None, message, "correct the file");
                rows.push(Row { file, record: 0, id: None, problem });
                continue;
            }
        };
        for (index, item) in input.records.iter().enumerate() {
            checked += 1;
            let problems = args.problems(input.wire, item, mapping.as_ref());
            refused += usize::from(!problems.is_empty());
            rows.extend(problems.into_iter().map(|problem| Row {
                file: file.clone(),
                record: index + 1,
                id: id(&item.record),
                problem,
            }));
        }
    }
    if rows.is_empty() && format == Format::Table {
        return output::line(&format!("nothing to complain about in {checked} record(s)"));
    }
    output::rows(format, &["file", "record", "id", "field", "problem", "mend"], &rows, |row| {
        let Said { field, crm, message, mend, .. } = &row.problem;
        let dash = || "-".to_owned();
        vec![
            row.file.clone(),
            if row.record == 0 { dash() } else { row.record.to_string() },
            row.id.clone().unwrap_or_else(dash),
            crm.clone().or_else(|| field.clone()).unwrap_or_else(dash),
            message.clone(),
            mend.clone(),
        ]
    })?;
    if refused > 0 {
        return Err(CannotValidate::Refused(refused).into());
    }
    Ok(())
}

fn causes(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {}", causes(cause)))
}
