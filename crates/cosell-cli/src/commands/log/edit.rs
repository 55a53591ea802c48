use std::path::PathBuf;

use clap::Args;
use cosell_model::file::partner_of;
use cosell_sync::{
    again::Again,
    correct::{Mistake, Refusal},
    files::land_again,
    ports::Queue,
};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::{
    editor,
    output::{self, Format},
    stack::{Error, Stack},
};

/// Corrects the record of an entry, and works it off once more.
///
/// The correction stands in the place of what that side says (AWS's value on the way to the CRM, the CRM's on the way to AWS)
/// until that side says something else. The side itself is not changed: where you can, mend the record there.
/// Without `--set` or `--file`, `$VISUAL` or `$EDITOR` opens the record, values of people included.
#[derive(Args)]
pub struct Edit {
    /// What the entry is called, as `cosell log` has it.
    entry: Uuid,
    /// An ACE field and its value, `null` for none. Example: `--set nextStep="Call them"`
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = assignment)]
    sets: Vec<(String, Json)>,
    /// Reads fields from a JSON object in a file, `-` for standard input; fields that it does not name stay.
    #[arg(long, conflicts_with = "sets")]
    file: Option<PathBuf>,
    /// Only says what would be corrected.
    #[arg(long)]
    dry_run: bool,
}

fn assignment(text: &str) -> Result<(String, Json), String> {
    let (field, value) = text.split_once('=').ok_or("write FIELD=VALUE")?;
    Ok((field.to_owned(), if value == "null" { Json::Null } else { Json::from(value) }))
}

#[derive(Debug, thiserror::Error)]
enum EditError {
    #[error("the text is no JSON object")]
    NoObject(#[from] serde_json::Error),
    #[error("the stack has no bucket of AWS's (parameter AceBucketName): the record cannot land again")]
    NoAceBucket,
}

#[derive(Serialize)]
struct Row {
    entry: String,
    ace_id: Option<String>,
    crm_id: Option<String>,
    corrected: Vec<&'static str>,
    queued: bool,
}

fn object(text: &str) -> Result<Map<String, Json>, EditError> {
    Ok(serde_json::from_str(text)?)
}

pub async fn run(stack: &Stack, format: Format, args: Edit) -> Result<(), Error> {
    let correct = stack.correct().await?;
    let opened = correct.open(args.entry).await??;
    let edited = if args.sets.is_empty() {
        editor::edited(args.file, &opened.record.to_json().to_string(), object)?
    } else {
        args.sets.into_iter().collect()
    };
    let entry = opened.entry.clone();
    let corrected = if args.dry_run {
        correct.check(&opened, &edited).map(|fields| (fields, None))
    } else {
        correct.correct(opened, &edited).await?.map(|corrected| (corrected.fields, corrected.again))
    };
    let (fields, again) = match corrected {
        Err(Refusal::Mistakes(mistakes)) => {
            for Mistake { field, message } in &mistakes {
                eprintln!("- {field}: {message}");
            }
            return Err(Refusal::Mistakes(mistakes).into());
        }
        corrected => corrected?,
    };
    let queued = again.is_some();
    match again {
        Some(Again::Opportunities(message)) => queue(stack, "FnOpportunityQueue", message).await?,
        Some(Again::Invitations(message)) => queue(stack, "FnInvitationQueue", message).await?,
        Some(Again::ToAws(message)) => queue(stack, "FnDeliverQueue", message).await?,
        Some(Again::File(payload)) => {
            let bucket = stack.deployed.parameters.get("AceBucketName");
            let partner = bucket.and_then(|bucket| partner_of(bucket)).ok_or(EditError::NoAceBucket)?;
            land_again(&stack.aws.files(stack.output("LandingBucket")?), partner, &payload, entry.id).await?;
        }
        None => {}
    }
    if let Some(id) = entry.ace_id.as_ref().or(entry.crm_id.as_ref()).filter(|_| queued) {
        eprintln!("on its way: `cosell log --record {id}` tells what became of it");
    }
    let entry = Row {
        entry: entry.id.simple().to_string(),
        ace_id: entry.ace_id,
        crm_id: entry.crm_id,
        corrected: fields,
        queued,
    };
    output::rows(format, &["entry", "corrected", "queued"], &[entry], |row| {
        let corrected = if row.corrected.is_empty() { "nothing".to_owned() } else { row.corrected.join(" ") };
        vec![row.entry.clone(), corrected, if row.queued { "yes" } else { "no" }.to_owned()]
    })
}

async fn queue(stack: &Stack, queue: &str, message: cosell_sync::ports::Message) -> Result<(), Error> {
    Ok(stack.aws.queue(stack.output(queue)?).send(&[message]).await?)
}
