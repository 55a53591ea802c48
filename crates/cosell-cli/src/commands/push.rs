use clap::Parser;
use cosell_sync::{CrmRef, SkipReason, SyncError, named::Planned};
use serde::Serialize;

use crate::{
    output::{self, Format},
    stack::{Error, Stack},
};

/// Puts the records on the queue to AWS, as if they had just changed: they are read, merged and sent as always. What was
/// queued within the last five minutes and has not changed since is not queued twice. `cosell log --record ID` tells what
/// became of one.
#[derive(Parser)]
pub struct Args {
    /// Records of the CRM, by the CRM's identifiers.
    #[arg(required = true)]
    records: Vec<String>,
    /// Their object in the CRM; without, the one that the mapping has for opportunities.
    #[arg(long)]
    object: Option<String>,
    /// Only says what would be queued.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Row {
    record: String,
    queued: bool,
    why: Option<&'static str>,
}

#[derive(Debug, thiserror::Error)]
#[error("{0} record(s) cannot go to AWS")]
struct Refused(usize);

pub async fn run(stack: &str, format: Format, args: Args) -> Result<(), Error> {
    let Args { records, object, dry_run } = args;
    let named = Stack::find(stack).await?.named().await?;
    let object = object.unwrap_or_else(|| named.mapping.opportunity.object.clone());
    let records: Vec<CrmRef> = records.into_iter().map(|id| CrmRef { object: object.clone(), id }).collect();
    let planned: Result<Vec<Planned>, SyncError> = named.plan(&records).await.into_iter().collect();
    let planned = planned.map_err(|error| match error {
        // What the CRM said of an identifier that it does not understand is printed with it.
        SyncError::Port(error) => Error::from(error),
        other => other.into(),
    })?;

    let mut messages = Vec::new();
    let mut rows = Vec::new();
    for (record, planned) in records.into_iter().zip(planned) {
        let why = match planned {
            Planned::Goes(message) => {
                messages.push(message);
                None
            }
            Planned::Stays(reason) => Some(words(reason)),
        };
        rows.push(Row { record: record.id, queued: why.is_none() && !dry_run, why });
    }
    if !dry_run {
        named.queue.send(&messages).await?;
    }
    output::rows(format, &["record", "queued", "why not"], &rows, |row| {
        let queued = if row.queued { "yes" } else { "no" };
        vec![row.record.clone(), queued.to_owned(), row.why.unwrap_or(if dry_run { "dry run" } else { "" }).to_owned()]
    })?;
    match rows.len() - messages.len() {
        0 => Ok(()),
        refused => Err(Refused(refused).into()),
    }
}

fn words(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Deleted => "the CRM has no such record",
        SkipReason::OutOfScope => "the mapping leaves it out",
        SkipReason::NotShared => "nobody shares it with AWS",
        SkipReason::UnknownObject => "nothing of this object goes to AWS",
        other => other.code(),
    }
}
