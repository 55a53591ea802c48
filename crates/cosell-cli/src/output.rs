use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns.
    #[default]
    Table,
    /// One JSON array.
    Json,
}

/// Prints rows: as a table under `heads`, or as the JSON of `items`.
pub fn rows<T: Serialize>(
    format: Format,
    heads: &[&str],
    items: &[T],
    row: impl Fn(&T) -> Vec<String>,
) -> Result<(), crate::stack::Error> {
    if format == Format::Json {
        return line(&serde_json::to_string_pretty(items)?);
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

/// Prints text and a line's end. A reader that has seen enough (`| head`) is no error.
pub fn line(text: &str) -> Result<(), crate::stack::Error> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
