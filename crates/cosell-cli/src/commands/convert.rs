use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use cosell_model::{
    Catalog, Kind, PayloadVersion, Record, Wire,
    api::{self, Decoded},
    file::{Contents, FileRecord},
    normalize::{fill_v1_defaults, lost_on, normalize},
};
use serde_json::{Map, Value as Json, json};

use crate::{
    input::{self, Input, Item},
    output,
    stack::Error,
};

/// Reads what `cosell validate` reads and prints the other form. What had to change on the way, and what has no place
/// there, is said on standard error, record by record.
#[derive(Parser)]
pub struct Args {
    /// The file; `-` is standard input.
    file: PathBuf,
    /// The form to write.
    #[arg(long, value_enum)]
    to: Form,
    /// Of a file: the version of its records. Opportunities are written as 2.0 unless you say otherwise, leads as 1.
    #[arg(long)]
    payload_version: Option<PayloadVersion>,
    /// Of a file: AWS's number of you as a partner. Taken from the input where that has it.
    #[arg(long)]
    spms_id: Option<String>,
    /// Of the API: not records in the shape of `GetOpportunity`, but requests: the body of `CreateOpportunity` or, for a
    /// record that has an identifier at AWS, of `UpdateOpportunity`, and the associations to make beside it.
    #[arg(long)]
    requests: bool,
    /// Of requests: the catalog that they go to.
    #[arg(long, default_value = "Sandbox")]
    catalog: Catalog,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// The Partner Central API's JSON.
    Api,
    /// A file of AWS's S3 exchange.
    File,
}

#[derive(Debug, thiserror::Error)]
enum CannotConvert {
    #[error("opportunities and leads cannot be in one file: convert them one after the other")]
    Mixed,
    #[error("there is no record in it")]
    Empty,
    #[error("a file names the partner: give its number with --spms-id")]
    NoSpmsId,
    #[error("{0} value(s) could not be read and are not in the output: see above")]
    Unread(usize),
}

pub fn run(args: &Args) -> Result<(), Error> {
    let Input { wire: from, spms_id, mut records } = input::read(&args.file)?;
    let kind = records.first().ok_or(CannotConvert::Empty)?.record.kind();
    let to = match args.to {
        Form::Api => Wire::Api,
        Form::File => Wire::File(args.payload_version.unwrap_or_else(|| input::usual_version(kind))),
    };
    if let (Wire::File(from), Wire::File(to)) = (from, to)
        && !to.may_follow(from)
    {
        eprintln!("note: AWS takes no {to} from a partner who has sent {from}");
    }
    let mut unread = 0;
    for (index, item) in records.iter_mut().enumerate() {
        let note = |field: &str, what: &str| eprintln!("record {}: {field}: {what}", index + 1);
        for (field, cause) in &item.unread {
            note(field, &cause.to_string());
        }
        unread += item.unread.len();
        if args.requests && from != Wire::Api && to == Wire::Api && item.record.text("apnCrmUniqueIdentifier").is_some()
        {
            note("UpdateOpportunity", "replaces the whole record: what the file does not say would be erased at AWS");
        }
        let mut changes = Vec::new();
        if from == Wire::File(PayloadVersion::V1) && to != from && kind == Kind::Opportunity {
            changes.extend(fill_v1_defaults(&mut item.record));
        }
        changes.extend(normalize(&mut item.record, to));
        for change in changes {
            note(change.field.key, change.what);
        }
        for (field, why) in lost_on(&item.record, to) {
            note(field.key, &format!("left out, {why}"));
        }
        if to == Wire::Api {
            for name in item.unknown.keys() {
                note(name, "left out, the API does not know it");
            }
        }
    }
    let written = match to {
        Wire::Api => records.iter().flat_map(|item| args.of_the_api(&item.record)).collect(),
        Wire::File(version) => {
            let spms_id = args.spms_id.clone().or(spms_id).ok_or(CannotConvert::NoSpmsId)?;
            if records.iter().any(|item| item.record.kind() != kind) {
                return Err(CannotConvert::Mixed.into());
            }
            serde_json::to_value(contents(kind, version, spms_id, records))?
        }
    };
    output::line(&serde_json::to_string_pretty(&written)?)?;
    if unread > 0 {
        return Err(CannotConvert::Unread(unread).into());
    }
    Ok(())
}

fn contents(kind: Kind, version: PayloadVersion, spms_id: String, records: Vec<Item>) -> Contents {
    let records = records.into_iter().map(|Item { record, unread: _, unknown }| FileRecord {
        decoded: Decoded { record, unread: Vec::new() },
        unknown,
    });
    Contents { version, spms_id, kind, records: records.collect() }
}

impl Args {
    fn of_the_api(&self, record: &Record) -> Vec<Json> {
        if self.requests && record.kind() == Kind::Opportunity {
            return vec![self.request(record)];
        }
        let mut documents = vec![api::document(record)];
        let summary = api::summary_document(record);
        if let (Some(id), Json::Object(members)) = (record.text("apnCrmUniqueIdentifier"), summary)
            && !members.is_empty()
        {
            let mut summary = Map::from_iter([("RelatedOpportunityId".to_owned(), json!(id))]);
            summary.extend(members);
            documents.push(Json::Object(summary));
        }
        documents
    }

    fn request(&self, record: &Record) -> Json {
        let associations: Vec<Json> = api::associations(record)
            .map(|(entity, id)| json!({"RelatedEntityType": entity.as_str(), "RelatedEntityIdentifier": id}))
            .collect();
        let (operation, body) = if record.text("apnCrmUniqueIdentifier").is_some() {
            let current = api::document(record);
            ("UpdateOpportunity", api::update_body(&current, &Record::new(Kind::Opportunity), self.catalog))
        } else {
            let token = record.text("partnerCrmUniqueIdentifier").unwrap_or("cosell-convert");
            ("CreateOpportunity", api::create_body(record, self.catalog, token))
        };
        json!({"Operation": operation, "Body": body, "Associations": associations})
    }
}
