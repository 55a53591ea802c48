use std::path::PathBuf;

use clap::Subcommand;
use cosell_mapping::Mapping;
use cosell_sync::ports::Files;
use serde::Serialize;

use crate::{
    output::{self, Format},
    stack::{Error, Stack},
};

#[derive(Subcommand)]
pub enum Command {
    /// Checks a mapping file and, when it is sound, puts it where the functions read it.
    ///
    /// Functions that run already go on with the old one until their next cold start.
    Push {
        /// The mapping file.
        file: PathBuf,
    },
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", path.display())]
struct Unreadable {
    path: PathBuf,
    #[source]
    cause: std::io::Error,
}

#[derive(Serialize)]
struct Row {
    kind: &'static str,
    object: String,
    fields: usize,
}

pub async fn run(stack: &str, format: Format, command: Command) -> Result<(), Error> {
    let Command::Push { file } = command;
    let text = std::fs::read_to_string(&file).map_err(|cause| Unreadable { path: file.clone(), cause })?;
    let mapping = Mapping::parse(&text)?;
    let stack = Stack::find(stack).await?;
    let bucket = stack.aws.files(stack.output("ConfigBucket")?);
    // The good one first: whenever functions look, there is one that they can use.
    bucket.put(cosell_aws::GOOD_MAPPING_KEY, text.clone().into_bytes()).await?;
    bucket.put(cosell_aws::MAPPING_KEY, text.into_bytes()).await?;
    let objects = std::iter::once(mapping.opportunity).chain(mapping.lead);
    let rows: Vec<Row> = objects
        .map(|object| Row { kind: object.kind.as_str(), object: object.object, fields: object.fields.len() })
        .collect();
    output::rows(format, &["pushed", "object", "fields"], &rows, |row| {
        vec![row.kind.into(), row.object.clone(), row.fields.to_string()]
    })
}
