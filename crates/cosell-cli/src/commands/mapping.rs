use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use clap::{Subcommand, ValueEnum};
use cosell_crm::salesforce;
use cosell_mapping::{
    Coverage, Description, Finding, Mapping, ObjectMapping, Severity, WantedField, check,
    explain::{self, Explained},
    propose, reference, schema,
};
use cosell_model::{Kind, Record};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::fields::KindArg;
use crate::{
    input,
    output::{self, Format},
    stack::{Error, Stack},
};

#[derive(Subcommand)]
pub enum Command {
    /// Says everything that is wrong with a mapping file. Exits with 1 when it cannot be used.
    Check {
        /// The mapping file.
        file: PathBuf,
        /// What the CRM says about one of its objects, or a list of them: as `cosell mapping describe` saves it, or
        /// Salesforce's own answer (`sf sobject describe --json`). Give it again for every object.
        #[arg(long, value_name = "FILE")]
        describe: Vec<PathBuf>,
        /// Asks the stack's own CRM what it says about every object of the file.
        #[arg(long, conflicts_with = "describe")]
        live: bool,
    },
    /// Saves what the stack's CRM says about one of its objects, for `check` and `auto`.
    Describe {
        /// The CRM's object.
        object: String,
    },
    /// Lists the fields that the CRM must have for a mapping, and the kinds that fit.
    Fields {
        /// The mapping file.
        file: PathBuf,
    },
    /// Proposes a mapping file for an object whose fields carry ACE's names, and says what found no place.
    Auto {
        /// The CRM's object.
        #[arg(long)]
        object: String,
        /// What the CRM says about it, as for `check`.
        #[arg(long, value_name = "FILE", required = true)]
        describe: Vec<PathBuf>,
        /// Which kind of record it keeps.
        #[arg(long, value_enum, default_value_t)]
        kind: KindArg,
    },
    /// Shows what becomes of one record: source, steps and target of every field, and why some stay behind.
    Explain {
        /// The mapping file.
        file: PathBuf,
        /// A record of the CRM (a JSON object; related records nested, or under dotted names), or one of AWS's in any form
        /// that `cosell validate` reads.
        record: PathBuf,
        /// Of a CRM's record: which kind it is. An opportunity, unless you say otherwise.
        #[arg(long, value_enum)]
        kind: Option<KindArg>,
        /// Whose record it is, where that cannot be told from its members.
        #[arg(long, value_enum)]
        from: Option<From>,
        /// Of a file with several records: which one, counted from 1.
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        number: usize,
    },
    /// Counts what of ACE's fields a mapping covers, and names those that would keep a record from being shared.
    Coverage {
        /// The mapping file.
        file: PathBuf,
    },
    /// Prints the JSON Schema of the mapping file, for editors.
    Schema,
    /// Prints the reference of the mapping file, in Markdown.
    Reference,
}

/// Whose record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum From {
    /// AWS's.
    Aws,
    /// The CRM's.
    Crm,
}

#[derive(Debug, thiserror::Error)]
enum MappingError {
    #[error("cannot read {}", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    #[error("{} is not JSON", .0.display())]
    NotJson(PathBuf, #[source] serde_json::Error),
    #[error("{} describes no object", .0.display())]
    NotDescribed(PathBuf, #[source] Error),
    #[error("there is no description of `{object}`, but of {known}")]
    NoObject { object: String, known: String },
    #[error("{0} error(s): it cannot be used")]
    Wrong(usize),
    #[error("{} is no CRM record: it must be one JSON object", .0.display())]
    NotRecord(PathBuf),
    #[error("{} has {count} record(s)", path.display())]
    NoSuchRecord { path: PathBuf, count: usize },
    #[error("the record is an AWS {0}: leave out --kind")]
    OtherKind(&'static str),
    #[error("the mapping has no section `[{0}]`")]
    NoSection(&'static str),
}

pub async fn run(stack: &str, format: Format, command: Command) -> Result<(), Error> {
    match command {
        Command::Check { file, live: true, .. } => {
            let (mapping, _) = Mapping::read(&read(&file)?);
            let objects = mapping.iter().flat_map(objects).collect();
            checked(format, &file, &live(stack, objects).await?)
        }
        Command::Check { file, describe, live: false } => checked(format, &file, &descriptions(&describe)?),
        Command::Describe { object } => {
            let described = live(stack, BTreeSet::from([object])).await?;
            described.iter().try_for_each(|description| output::line(&serde_json::to_string_pretty(description)?))
        }
        Command::Fields { file } => fields(format, &Mapping::parse(&read(&file)?)?),
        Command::Auto { object, describe, kind } => auto(&object, &describe, kind.into()),
        Command::Explain { file, record, kind, from, number } => {
            let mapping = Mapping::parse(&read(&file)?)?;
            let kind = kind.map(Kind::from);
            let from = match from {
                Some(from) => from,
                None => whose(&json(&record)?),
            };
            match from {
                From::Crm => of_the_crm(format, &mapping, kind.unwrap_or(Kind::Opportunity), &record, number),
                From::Aws => of_aws(format, &mapping, kind, &record, number),
            }
        }
        Command::Coverage { file } => coverage(format, &Mapping::parse(&read(&file)?)?),
        Command::Schema => output::line(&serde_json::to_string_pretty(&schema())?),
        Command::Reference => output::line(reference().trim_end()),
    }
}

fn read(path: &Path) -> Result<String, MappingError> {
    std::fs::read_to_string(path).map_err(|cause| MappingError::Unreadable(path.to_owned(), cause))
}

fn json(path: &Path) -> Result<Json, MappingError> {
    serde_json::from_str(&read(path)?).map_err(|cause| MappingError::NotJson(path.to_owned(), cause))
}

/// The objects that these files describe.
fn descriptions(paths: &[PathBuf]) -> Result<Vec<Description>, MappingError> {
    let mut all = Vec::new();
    for path in paths {
        let documents = match json(path)? {
            Json::Array(items) => items,
            one => vec![one],
        };
        for document in documents {
            let read = description(&document).map_err(|cause| MappingError::NotDescribed(path.clone(), cause))?;
            all.push(read);
        }
    }
    Ok(all)
}

/// Our own form has `object`, Salesforce's has `name`.
fn description(document: &Json) -> Result<Description, Error> {
    if document.get("object").is_some() {
        return Ok(Description::deserialize(document)?);
    }
    Ok(salesforce::description(document)?)
}

/// The objects that a mapping reads or writes.
pub(super) fn objects(mapping: &Mapping) -> BTreeSet<String> {
    let own = std::iter::once(&mapping.opportunity).chain(&mapping.lead);
    own.flat_map(|object| {
        let related = object.related.values().map(|related| related.object.clone());
        std::iter::once(object.object.clone()).chain(related.filter(|name| !name.is_empty()))
    })
    .collect()
}

/// What the CRM of a stack says about these objects.
async fn live(stack: &str, objects: BTreeSet<String>) -> Result<Vec<Description>, Error> {
    let stack = Stack::find(stack).await?;
    let crm = stack.crm().await?;
    let mut described = Vec::new();
    for object in objects {
        described.push(crm.describe(&object).await?);
    }
    Ok(described)
}

#[derive(Serialize)]
struct WantedRow {
    object: String,
    #[serde(flatten)]
    field: WantedField,
}

fn fields(format: Format, mapping: &Mapping) -> Result<(), Error> {
    let own = std::iter::once(&mapping.opportunity).chain(&mapping.lead);
    let rows: Vec<WantedRow> = own
        .flat_map(|object| object.wanted_fields().into_iter().map(|field| (object.object.clone(), field)))
        .map(|(object, field)| WantedRow { object, field })
        .collect();
    output::rows(format, &["object", "field", "kind", "length", "unique", "used for"], &rows, |row| {
        let WantedField { name, kind, length, unique, used_for } = &row.field;
        vec![
            row.object.clone(),
            name.clone(),
            kind.to_string(),
            length.map_or_else(String::new, |length| length.to_string()),
            if *unique { "yes".to_owned() } else { String::new() },
            used_for.clone(),
        ]
    })
}

fn checked(format: Format, file: &Path, descriptions: &[Description]) -> Result<(), Error> {
    let (mapping, mut findings) = Mapping::read(&read(file)?);
    if let Some(mapping) = mapping {
        // What a line with an error lacks follows from the error.
        let wrong: Vec<String> = findings.iter().map(|finding| finding.place.clone()).collect();
        let follows = |found: &Finding| wrong.iter().any(|place| place.starts_with(&found.place));
        findings.extend(check(&mapping, descriptions).into_iter().filter(|found| !follows(found)));
    }
    findings.sort_by_key(|finding| finding.severity);
    if findings.is_empty() && format == Format::Table {
        let against = if descriptions.is_empty() { "; --describe checks it against the CRM too" } else { "" };
        return output::line(&format!("nothing to complain about{against}"));
    }
    output::rows(format, &["severity", "place", "message"], &findings, |Finding { severity, place, message }| {
        let severity = if *severity == Severity::Error { "error" } else { "warning" };
        let place = if place.is_empty() { "-" } else { place };
        vec![severity.into(), place.into(), message.replace('\n', " ")]
    })?;
    match findings.iter().filter(|finding| finding.severity == Severity::Error).count() {
        0 => Ok(()),
        errors => Err(MappingError::Wrong(errors).into()),
    }
}

fn auto(object: &str, describe: &[PathBuf], kind: Kind) -> Result<(), Error> {
    let descriptions = descriptions(describe)?;
    let own = descriptions.iter().find(|description| description.object.eq_ignore_ascii_case(object));
    let own = own.ok_or_else(|| {
        let known = descriptions.iter().map(|description| format!("`{}`", description.object)).collect::<Vec<_>>();
        MappingError::NoObject { object: object.to_owned(), known: known.join(", ") }
    })?;
    output::line(propose(kind, own).trim_end())
}

/// What AWS's records have, and a CRM's have not, in any form.
fn whose(record: &Json) -> From {
    const AWS: [&str; 12] = [
        "Customer",
        "Project",
        "LifeCycle",
        "PartnerOpportunityIdentifier",
        "RelatedOpportunityId",
        "Contexts",
        "PayloadType",
        "Body",
        "spmsId",
        "SPMSID",
        "opportunities",
        "leads",
    ];
    let first = record.as_array().map_or(Some(record), |items| items.first());
    let of_aws = first.is_some_and(|record| AWS.iter().any(|member| record.get(member).is_some()));
    if of_aws { From::Aws } else { From::Crm }
}

fn section(mapping: &Mapping, kind: Kind) -> Result<&ObjectMapping, MappingError> {
    mapping.of(kind).ok_or(MappingError::NoSection(kind.as_str()))
}

fn of_the_crm(format: Format, mapping: &Mapping, kind: Kind, path: &Path, number: usize) -> Result<(), Error> {
    let mapping = section(mapping, kind)?;
    let mut records = match json(path)? {
        Json::Array(items) => items,
        one => vec![one],
    };
    let record = nth(&mut records, path, number)?;
    let record: Map<String, Json> = Map::deserialize(record).map_err(|_| MappingError::NotRecord(path.to_owned()))?;
    let fields = explain::crm_fields(mapping, &record);
    if !mapping.in_scope(&fields) {
        eprintln!("note: the record takes no part: `only_crm` leaves it out");
    }
    if mapping.share.is_some() && !fields.contains_key(&mapping.ace_id) && !mapping.wants_share(&fields) {
        eprintln!("note: nobody has shared the record with AWS yet");
    }
    shown(format, &explain::to_aws(mapping, &fields))
}

fn of_aws(format: Format, mapping: &Mapping, kind: Option<Kind>, path: &Path, number: usize) -> Result<(), Error> {
    let mut records = input::read(path)?.records;
    let item = nth(&mut records, path, number)?;
    let record: &Record = &item.record;
    if kind.is_some_and(|kind| kind != record.kind()) {
        return Err(MappingError::OtherKind(record.kind().as_str()).into());
    }
    let mapping = section(mapping, record.kind())?;
    for (field, cause) in &item.unread {
        eprintln!("note: AWS's value of {field} cannot be read: {cause}");
    }
    if mapping.is_dummy(record) {
        eprintln!("note: the record takes no part: its identifier marks it as history (`dummy_ids`)");
    }
    if !mapping.welcomes(record) {
        eprintln!("note: the record takes no part unless the CRM has it already: `only_aws` leaves it out");
    }
    shown(format, &explain::from_aws(mapping, record))
}

fn nth<T>(records: &mut Vec<T>, path: &Path, number: usize) -> Result<T, MappingError> {
    let count = records.len();
    if !(1..=count).contains(&number) {
        return Err(MappingError::NoSuchRecord { path: path.to_owned(), count });
    }
    Ok(records.swap_remove(number - 1))
}

fn shown(format: Format, lines: &[Explained]) -> Result<(), Error> {
    output::rows(format, &["from", "value", "steps", "to", "result", "what", "why"], lines, |line| {
        let steps: Vec<String> = line
            .steps
            .iter()
            .map(|taken| format!("{}: {}", taken.step, output::brief(&taken.value.clone().into())))
            .collect();
        let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        vec![
            dash(line.from.join(" + ")),
            dash(output::brief(&line.value)),
            dash(steps.join(" -> ")),
            dash(line.to.join(" + ")),
            dash(output::brief(&line.result)),
            line.fate.as_str().into(),
            line.why.clone().unwrap_or_default(),
        ]
    })
}

#[derive(Serialize)]
struct CoverageRow<'m> {
    kind: &'static str,
    object: &'m str,
    shares: bool,
    #[serde(flatten)]
    coverage: Coverage,
}

fn coverage(format: Format, mapping: &Mapping) -> Result<(), Error> {
    let objects = [Some(&mapping.opportunity), mapping.lead.as_ref()];
    let rows: Vec<CoverageRow> = objects
        .into_iter()
        .flatten()
        .map(|own| CoverageRow {
            kind: own.kind.as_str(),
            object: &own.object,
            shares: own.share.is_some(),
            coverage: own.coverage(),
        })
        .collect();
    output::rows(format, &["kind", "object", "required", "optional", "would block a share"], &rows, |row| {
        let Coverage { fields, mapped, required, required_mapped, blocking, .. } = &row.coverage;
        let optional = mapped.saturating_sub(*required_mapped);
        vec![
            row.kind.into(),
            row.object.into(),
            format!("{required_mapped} of {required}"),
            format!("{optional} of {}", fields - required),
            match (row.shares, blocking.is_empty()) {
                (false, _) => "no `share`, so nothing is shared".into(),
                (true, true) => "nothing".into(),
                (true, false) => blocking.join(", "),
            },
        ]
    })?;
    if format == Format::Table {
        let conditional = rows.iter().flat_map(|row| row.coverage.conditional.iter().map(|entry| (row.kind, entry)));
        for (kind, (key, when)) in conditional {
            output::line(&format!("{kind}: AWS wants {key} when {when}, and nothing is sent"))?;
        }
    }
    Ok(())
}
