use clap::Parser;
use cosell_model::{Field, Kind, catalog::Picklist};
use serde::Serialize;

use crate::{
    output::{self, Format},
    stack::Error,
};

#[derive(Parser)]
pub struct Args {
    /// A field (`useCase`) or the name of a list (`use cases`).
    name: String,
}

#[derive(Debug, thiserror::Error)]
#[error("there is no list `{name}`; there are: {known}")]
struct NoList {
    name: String,
    known: String,
}

#[derive(Serialize)]
struct Row {
    api: &'static str,
    file: String,
}

fn lists() -> impl Iterator<Item = (&'static Field, &'static Picklist)> {
    [Kind::Opportunity, Kind::Lead]
        .into_iter()
        .flat_map(Kind::fields)
        .filter_map(|field| Some((field, field.ty.picklist()?)))
}

pub fn run(format: Format, args: &Args) -> Result<(), Error> {
    let named = |text: &str| text.eq_ignore_ascii_case(&args.name);
    let found = lists().find(|(field, list)| named(field.key) || named(list.name));
    let (_, list) = found.ok_or_else(|| {
        let mut known: Vec<_> = lists().map(|(_, list)| list.name).collect();
        known.sort_unstable();
        known.dedup();
        NoList { name: args.name.clone(), known: known.join(", ") }
    })?;
    let rows: Vec<Row> = list.values().map(|value| Row { api: value, file: list.to_file(value).to_owned() }).collect();
    output::rows(format, &["in the api", "in files"], &rows, |row| vec![row.api.into(), row.file.clone()])?;
    if list.open && format == Format::Table {
        eprintln!("AWS keeps this list and may lengthen it: a value that is not here may still be right");
    }
    Ok(())
}
