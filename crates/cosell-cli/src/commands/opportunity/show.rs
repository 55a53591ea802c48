use clap::Parser;
use cosell_sync::show::Shown;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{
    output::{self, Format},
    stack::{Error, Stack, patiently},
};

#[derive(Parser)]
pub struct Args {
    /// The record.
    id: String,
    /// The API's own answers: `GetOpportunity`, and `GetAwsOpportunitySummary` where there is one.
    #[arg(long)]
    raw: bool,
}

#[derive(Serialize)]
struct Row {
    field: &'static str,
    value: Json,
}

pub async fn run(stack: &str, format: Format, args: Args) -> Result<(), Error> {
    let drift = Stack::find(stack).await?.drift().await?;
    let Shown { opportunity, summary, record } = patiently(async || drift.show(&args.id).await).await?;
    if args.raw {
        let answers = json!({"GetOpportunity": opportunity, "GetAwsOpportunitySummary": summary});
        return output::line(&serde_json::to_string_pretty(&answers)?);
    }
    if format == Format::Json {
        return output::line(&serde_json::to_string_pretty(&record.to_json())?);
    }
    let rows: Vec<Row> = record
        .iter()
        .map(|(field, value)| Row { field: field.key, value: value.to_json() })
        .filter(|row| !row.value.is_null())
        .collect();
    output::rows(format, &["field", "value"], &rows, |row| vec![row.field.to_owned(), output::cell(&row.value)])
}
