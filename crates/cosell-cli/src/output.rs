use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value as Json;

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns.
    #[default]
    Table,
    /// One JSON array.
    Json,
    /// Comma-separated values with a head line, for spreadsheets.
    Csv,
}

/// Prints rows: as a table under `heads`, or everything that `items` say as JSON or CSV.
pub fn rows<T: Serialize>(
    format: Format,
    heads: &[&str],
    items: &[T],
    row: impl Fn(&T) -> Vec<String>,
) -> Result<(), crate::stack::Error> {
    match format {
        Format::Json => return line(&serde_json::to_string_pretty(items)?),
        Format::Csv => return csv(items),
        Format::Table => {}
    }
    if items.is_empty() {
        eprintln!("nothing found");
        return Ok(());
    }
    let table: Vec<Vec<String>> =
        std::iter::once(heads.iter().map(|head| head.to_uppercase()).collect()).chain(items.iter().map(row)).collect();
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let lines = table.iter().map(|row| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    });
    line(&lines.collect::<Vec<_>>().join("\n"))
}

/// Prints everything that one item says, a line a member.
pub fn one<T: Serialize>(item: &T) -> Result<(), crate::stack::Error> {
    let Json::Object(members) = serde_json::to_value(item)? else { return Ok(()) };
    let width = members.keys().map(String::len).max().unwrap_or(0);
    let lines = members
        .iter()
        .map(|(name, value)| (name.replace("_1_0", " 1.0").replace("_2_0", " 2.0").replace('_', " "), cell(value)));
    let lines: Vec<_> =
        lines.filter(|(_, text)| !text.is_empty()).map(|(name, text)| format!("{name:width$}  {text}")).collect();
    line(&lines.join("\n"))
}

/// One column a member that any of them has; lists are joined, anything deeper stays JSON.
fn csv<T: Serialize>(items: &[T]) -> Result<(), crate::stack::Error> {
    let mut rows = Vec::new();
    for item in items {
        if let Json::Object(members) = serde_json::to_value(item)? {
            rows.push(members);
        }
    }
    let mut names: Vec<&String> = Vec::new();
    for name in rows.iter().flat_map(|row| row.keys()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&names)?;
    for row in &rows {
        writer.write_record(names.iter().map(|name| row.get(*name).map(cell).unwrap_or_default()))?;
    }
    line(String::from_utf8(writer.into_inner()?)?.trim_end())
}

/// A value in a cell, in full; lists are joined.
pub fn cell(json: &Json) -> String {
    match json {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(";"),
        other => other.to_string(),
    }
}

/// The word that a value is written as.
pub fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|json| json.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A value in a cell: one line, and not a long one.
pub fn brief(value: &Json) -> String {
    const LONG: usize = 40;
    let text = match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().map(brief).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= LONG { text } else { text.chars().take(LONG - 1).chain(['…']).collect() }
}

/// Prints text and a line's end. A reader that has seen enough (`| head`) is no error.
pub fn line(text: &str) -> Result<(), crate::stack::Error> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
