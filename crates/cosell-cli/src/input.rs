//! Records from files in either of AWS's forms.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use cosell_model::{
    Kind, MalformedValue, PayloadVersion, Record, Value, Wire,
    api::{self, Decoded},
    file::{self, UnusableFile},
};
use serde_json::{Map, Value as Json};

/// What is read of a file at most, in bytes. The files' own form has a limit of its own.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The records of a file and the form that they came in.
pub struct Input {
    pub wire: Wire,
    /// AWS's number of the partner, in the files' form.
    pub spms_id: Option<String>,
    pub records: Vec<Item>,
}

/// One record of a file.
pub struct Item {
    pub record: Record,
    pub unread: Vec<(Cow<'static, str>, MalformedValue)>,
    /// What the catalog does not know, in the files' form.
    pub unknown: Map<String, Json>,
}

#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error("cannot read {}", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("{} has more than 64 MiB: split it", .0.display())]
    TooLarge(PathBuf),
    #[error("{} cannot be used", .0.display())]
    Unusable(PathBuf, #[source] UnusableFile),
    #[error("{}: entry {entry} has no member of GetOpportunity, of a request's body, of GetEngagement or of GetEngagementInvitation", path.display())]
    NotOfTheApi { path: PathBuf, entry: usize },
}

/// Reads a file, or standard input for `-`.
pub fn read(path: &Path) -> Result<Input, InputError> {
    let unreadable = |cause| InputError::Unreadable(path.to_owned(), cause);
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    } else {
        let file = File::open(path).map_err(unreadable)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    if bytes.len() as u64 > MAX_BYTES {
        return Err(InputError::TooLarge(path.to_owned()));
    }
    match file::read(&bytes) {
        Ok(contents) => Ok(Input {
            wire: Wire::File(contents.version),
            spms_id: Some(contents.spms_id),
            records: contents
                .records
                .into_iter()
                .map(|record| Item {
                    record: record.decoded.record,
                    unread: record.decoded.unread,
                    unknown: record.unknown,
                })
                .collect(),
        }),
        Err(UnusableFile::NoRecords(_)) => of_the_api(path, &bytes),
        Err(UnusableFile::TooLarge(_)) if !mentions_records(&bytes) => of_the_api(path, &bytes),
        Err(cause) => Err(InputError::Unusable(path.to_owned(), cause)),
    }
}

/// Whether a file that is too large for the files' form begins like one.
fn mentions_records(bytes: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).to_lowercase();
    ["\"spmsid\"", "\"opportunities\"", "\"leads\""].iter().any(|member| start.contains(member))
}

/// Answers of the API, bodies of its requests, what `cosell convert` writes: one, or a list of them.
fn of_the_api(path: &Path, bytes: &[u8]) -> Result<Input, InputError> {
    let json = api::read(bytes).map_err(|cause| InputError::Unusable(path.to_owned(), cause))?;
    let documents = match json {
        Json::Array(items) => items,
        one => vec![one],
    };
    let (summaries, documents): (Vec<_>, Vec<_>) =
        documents.into_iter().partition(|document| document.get("RelatedOpportunityId").is_some());
    let summary_of =
        |id: Option<&Json>| summaries.iter().find(|summary| id.is_some() && summary.get("RelatedOpportunityId") == id);
    let mut records = Vec::new();
    for (index, mut document) in documents.into_iter().enumerate() {
        let Decoded { record, unread } = decode(&mut document, summary_of)
            .ok_or_else(|| InputError::NotOfTheApi { path: path.to_owned(), entry: index + 1 })?;
        records.push(Item { record, unread, unknown: Map::new() });
    }
    Ok(Input { wire: Wire::Api, spms_id: None, records })
}

fn decode<'s>(document: &mut Json, summary_of: impl Fn(Option<&Json>) -> Option<&'s Json>) -> Option<Decoded> {
    let has = |document: &Json, members: &[&str]| members.iter().any(|member| document.get(member).is_some());
    if has(document, &["PayloadType"]) {
        return api::invitation(document).ok().map(|invitation| invitation.offer);
    }
    if has(document, &["Contexts"]) {
        return Some(api::lead(document));
    }
    let associations = document.get_mut("Associations").map(Json::take);
    if let Some(body) = document.get_mut("Body").map(Json::take) {
        *document = body;
    }
    // A request's body calls the identifier otherwise.
    if let Some(id) = document.get("Identifier").cloned() {
        document["Id"] = id;
    }
    if !has(document, &["Customer", "Project", "LifeCycle", "Id", "PartnerOpportunityIdentifier"]) {
        return None;
    }
    let mut decoded = api::opportunity(document, summary_of(document.get("Id")));
    for entry in associations.iter().filter_map(Json::as_array).flatten() {
        let text = |member: &str| entry.get(member).and_then(Json::as_str);
        let field = Kind::Opportunity
            .fields()
            .iter()
            .find(|field| field.entity().is_some_and(|entity| Some(entity.as_str()) == text("RelatedEntityType")));
        if let (Some(field), Some(id)) = (field, text("RelatedEntityIdentifier")) {
            let known = decoded.record.get(field).map_or(&[][..], Value::items);
            let all = known.iter().cloned().chain([id.to_owned()]);
            decoded.record.set(field, Value::list(all.collect::<Vec<_>>()));
        }
    }
    Some(decoded)
}

/// The version that files of this kind have when nobody says otherwise.
pub fn usual_version(kind: Kind) -> PayloadVersion {
    match kind {
        Kind::Opportunity => PayloadVersion::V2,
        Kind::Lead => PayloadVersion::V1,
    }
}
