use std::path::PathBuf;

use clap::Subcommand;
use cosell_mapping::Mapping;
use cosell_sync::ports::Files;

use crate::{
    output,
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

pub async fn run(stack: &str, command: Command) -> Result<(), Error> {
    let Command::Push { file } = command;
    let text = std::fs::read_to_string(&file).map_err(|cause| Unreadable { path: file.clone(), cause })?;
    let mapping = Mapping::parse(&text)?;
    let stack = Stack::find(stack).await?;
    let bucket = stack.aws.files(stack.output("ConfigBucket")?);
    bucket.put(cosell_aws::MAPPING_KEY, text.into_bytes()).await?;
    output::line(&format!(
        "mapping pushed: {} opportunity fields of {}{}",
        mapping.opportunity.fields.len(),
        mapping.opportunity.object,
        mapping.lead.map_or_else(String::new, |lead| format!(", {} lead fields of {}", lead.fields.len(), lead.object))
    ))
}
