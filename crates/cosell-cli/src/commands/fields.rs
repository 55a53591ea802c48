use clap::{Parser, ValueEnum};
use cosell_model::{Field, Kind, PayloadVersion, catalog::Place};
use serde::Serialize;

use crate::{
    output::{self, Format},
    stack::Error,
};

/// A table shows the most important columns, and everything when a single field is found; JSON and CSV always say
/// everything. A place in the API that a field does not have is a reason in brackets.
#[derive(Parser)]
pub struct Args {
    /// Which kind of record.
    #[arg(long, value_enum, default_value_t)]
    kind: KindArg,
    /// Only fields whose name, spelling or description has this text; a name in full finds that field alone.
    #[arg(long)]
    find: Option<String>,
}

/// A kind of record, as an argument.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    /// ACE opportunities.
    #[default]
    Opportunity,
    /// ACE leads.
    Lead,
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Opportunity => Self::Opportunity,
            KindArg::Lead => Self::Lead,
        }
    }
}

#[derive(Serialize)]
struct Row {
    field: &'static str,
    about: &'static str,
    r#type: String,
    direction: &'static str,
    required: String,
    open_after_submission: Vec<&'static str>,
    default: Option<&'static str>,
    personal: bool,
    file_1_0: Option<&'static str>,
    file_2_0: Option<&'static str>,
    separator_in_files: Option<&'static str>,
    default_1_0: Option<&'static str>,
    get: String,
    create: String,
    update: String,
    summary: String,
    invitation: String,
}

fn row(field: &'static Field) -> Row {
    let at = |place| match field.at(place) {
        Ok(path) => path.to_owned(),
        Err(reason) => format!("({reason})"),
    };
    Row {
        field: field.key,
        about: field.about,
        r#type: field.ty.shown(),
        direction: field.direction().as_str(),
        required: field.required_when(),
        open_after_submission: field.windows.names().collect(),
        default: field.default,
        personal: field.personal,
        file_1_0: field.file(PayloadVersion::V1),
        file_2_0: field.file(PayloadVersion::V2),
        separator_in_files: field.ty.separator(),
        default_1_0: field.default_in_v1,
        get: at(Place::Get),
        create: at(Place::Create),
        update: at(Place::Update),
        summary: at(Place::Summary),
        invitation: at(Place::Invitation),
    }
}

/// Every name that a field goes by.
fn names(field: &Field) -> impl Iterator<Item = &'static str> {
    let places = [Some(field.key), field.newest_file(), field.api, field.invitation];
    places.into_iter().flatten().chain(field.summary.iter().copied())
}

fn found(kind: Kind, text: &str) -> Vec<&'static Field> {
    if let Some(field) = kind.fields().iter().find(|field| names(field).any(|name| name.eq_ignore_ascii_case(text))) {
        return vec![field];
    }
    let text = text.to_lowercase();
    let mentions = |field: &&Field| names(field).chain([field.about]).any(|name| name.to_lowercase().contains(&text));
    kind.fields().iter().filter(mentions).collect()
}

pub fn run(format: Format, args: &Args) -> Result<(), Error> {
    let kind = Kind::from(args.kind);
    let fields = args.find.as_ref().map_or_else(|| kind.fields().iter().collect(), |text| found(kind, text));
    let rows: Vec<Row> = fields.into_iter().map(row).collect();
    if let ([one], Format::Table) = (rows.as_slice(), format) {
        return output::one(one);
    }
    output::rows(format, &["field", "type", "direction", "required", "open after submission", "about"], &rows, |row| {
        vec![
            row.field.into(),
            row.r#type.clone(),
            row.direction.into(),
            row.required.clone(),
            row.open_after_submission.join(", "),
            row.about.into(),
        ]
    })
}
