use clap::Parser;
use cosell_sync::every_solution;

use crate::{
    output::{self, Format},
    stack::{Error, Stack, patiently},
};

/// Lists your solutions, as AWS has them.
///
/// What `cosell opportunity associate ID Solutions S-…` and the CRM's field for solutions take; AWS takes active ones only.
///
/// Example: `cosell solutions --all`
#[derive(Parser)]
pub struct Args {
    /// Shows drafts and inactive ones too.
    #[arg(long)]
    all: bool,
}

pub async fn run(stack: &str, format: Format, args: Args) -> Result<(), Error> {
    let partner_central = Stack::find(stack).await?.partner_central()?;
    let mut solutions = patiently(async || Ok(every_solution(&partner_central).await?)).await?;
    solutions.retain(|solution| args.all || solution.is_active());
    output::rows(format, &["id", "name", "status", "category"], &solutions, |solution| {
        let category = solution.category.clone().unwrap_or_default();
        vec![solution.id.clone(), solution.name.clone(), solution.status.clone(), category]
    })
}
