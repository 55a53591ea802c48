use std::path::PathBuf;

use clap::Parser;
use cosell_model::{
    Kind,
    catalog::{Picklist, picklists, products, read_products},
};
use serde::Serialize;

use crate::{
    output::{self, Format},
    stack::Error,
};

/// Without a name: which lists there are.
#[derive(Parser)]
pub struct Args {
    /// A field (`useCase`) or the name of a list (`use cases`).
    name: Option<String>,
    /// Compares AWS's published list of products (`aws_products.json`) with the one that this release knows.
    #[arg(long, value_name = "FILE", conflicts_with = "name")]
    newer_products: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum PicklistError {
    #[error("there is no list `{name}`; there are: {known}")]
    NoList { name: String, known: String },
    #[error("cannot read {}", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    #[error("{} is not AWS's list of products", .0.display())]
    NotProducts(PathBuf, #[source] serde_json::Error),
}

#[derive(Serialize)]
struct Row {
    api: &'static str,
    file: &'static str,
}

#[derive(Serialize)]
struct ListRow {
    list: &'static str,
    values: usize,
    fields: Vec<&'static str>,
    open: bool,
}

#[derive(Serialize)]
struct ProductRow {
    change: &'static str,
    code: String,
    name: String,
}

pub fn run(format: Format, args: &Args) -> Result<(), Error> {
    match (&args.name, &args.newer_products) {
        (_, Some(path)) => newer(format, path),
        (Some(name), None) => values(format, name),
        (None, None) => all(format),
    }
}

fn values(format: Format, name: &str) -> Result<(), Error> {
    let of_field = [Kind::Opportunity, Kind::Lead]
        .into_iter()
        .flat_map(Kind::fields)
        .find(|field| field.key.eq_ignore_ascii_case(name))
        .and_then(|field| field.ty.picklist());
    let list = picklists().find(|list| list.name.eq_ignore_ascii_case(name)).or(of_field).ok_or_else(|| {
        let known = picklists().map(|list| list.name).collect::<Vec<_>>().join(", ");
        PicklistError::NoList { name: name.to_owned(), known }
    })?;
    let of_api = list.values().map(|value| Row { api: value, file: list.to_file(value) });
    let of_files =
        list.none.into_iter().chain(list.files_only.iter().copied()).map(|value| Row { api: "", file: value });
    let rows: Vec<Row> = of_api.chain(of_files).collect();
    output::rows(format, &["in the api", "in files"], &rows, |row| vec![row.api.into(), row.file.into()])?;
    if list.open && format == Format::Table {
        eprintln!("AWS keeps this list and may lengthen it: a value that is not here may still be right");
    }
    Ok(())
}

fn all(format: Format) -> Result<(), Error> {
    let fields_of = |list: &Picklist| -> Vec<&'static str> {
        let mut keys: Vec<_> = [Kind::Opportunity, Kind::Lead]
            .into_iter()
            .flat_map(Kind::fields)
            .filter(|field| field.ty.picklist() == Some(list))
            .map(|field| field.key)
            .collect();
        keys.dedup();
        keys
    };
    let rows: Vec<ListRow> = picklists()
        .map(|list| ListRow {
            list: list.name,
            values: list.values().count(),
            fields: fields_of(list),
            open: list.open,
        })
        .collect();
    output::rows(format, &["list", "values", "fields"], &rows, |row| {
        let more = if row.open { "+" } else { "" };
        vec![row.list.into(), format!("{}{more}", row.values), row.fields.join(", ")]
    })
}

fn newer(format: Format, path: &PathBuf) -> Result<(), Error> {
    let bytes = std::fs::read(path).map_err(|cause| PicklistError::Unreadable(path.clone(), cause))?;
    let published = read_products(&bytes).map_err(|cause| PicklistError::NotProducts(path.clone(), cause))?;
    let new = published.iter().filter(|product| products().all(|known| known.code != product.code));
    let gone = products().filter(|known| published.iter().all(|product| product.code != known.code));
    let rows: Vec<ProductRow> = new
        .map(|product| ("new", product))
        .chain(gone.map(|product| ("gone", product)))
        .map(|(change, product)| ProductRow { change, code: product.code.to_string(), name: product.name.to_string() })
        .collect();
    output::rows(format, &["change", "code", "name"], &rows, |row| {
        vec![row.change.into(), row.code.clone(), row.name.clone()]
    })
}
