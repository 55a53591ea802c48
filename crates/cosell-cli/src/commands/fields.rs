use clap::{Parser, ValueEnum};
use cosell_model::{Field, Kind, catalog::Write};
use serde::Serialize;

use crate::{
    output::{self, Format},
    stack::Error,
};

#[derive(Parser)]
pub struct Args {
    /// Which kind of record.
    #[arg(long, value_enum, default_value_t)]
    kind: KindArg,
    /// Only fields whose name, spelling or description has this text.
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
    file: Option<&'static str>,
    api: Option<&'static str>,
    summary: &'static [&'static str],
    r#type: String,
    writable: bool,
    required: String,
    personal: bool,
    about: &'static str,
}

fn row(field: &'static Field) -> Row {
    Row {
        field: field.key,
        file: field.file,
        api: field.api,
        summary: field.summary,
        r#type: field.ty.shown(),
        writable: field.write != Write::No,
        required: field.required_when(),
        personal: field.personal,
        about: field.about,
    }
}

fn mentions(field: &Field, text: &str) -> bool {
    let text = text.to_lowercase();
    let places = [Some(field.key), field.file, field.api, Some(field.about)];
    places.into_iter().flatten().chain(field.summary.iter().copied()).any(|place| place.to_lowercase().contains(&text))
}

pub fn run(format: Format, args: &Args) -> Result<(), Error> {
    let fields = Kind::from(args.kind).fields().iter();
    let wanted = fields.filter(|field| args.find.as_ref().is_none_or(|text| mentions(field, text)));
    let rows: Vec<Row> = wanted.map(row).collect();
    output::rows(format, &["field", "type", "to aws", "required", "about"], &rows, |row| {
        let writable = if row.writable { "yes" } else { "" };
        vec![row.field.into(), row.r#type.clone(), writable.into(), row.required.clone(), row.about.into()]
    })?;
    Ok(())
}
