use std::{borrow::Cow, collections::HashSet, fmt};

use serde::Serialize;
use serde_json::{Map, Value as Json, value::RawValue};

use super::{UnusableFile, entry, items, text, top};

/// What AWS made of a file that it was sent: `<name>_result.json`, or `*.error.json` where it refused the whole file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Results {
    /// How many of the records AWS took.
    pub success: Success,
    /// AWS's number of the partner.
    pub spms_id: Option<String>,
    /// Whether the file was refused as a whole.
    pub is_api_error: bool,
    /// One outcome a record, in the order of the file.
    #[serde(rename = "inboundApiResults")]
    pub records: Vec<RecordResult>,
    /// The key of the file in AWS's bucket.
    pub file_name: Option<String>,
    /// When AWS worked it off, as it wrote it.
    #[serde(rename = "fileApnProcessedDT")]
    pub processed: Option<String>,
    /// Why the whole file was refused.
    #[serde(serialize_with = "or_null")]
    pub api_errors: Vec<String>,
    /// Members that are not known here, as they came.
    #[serde(flatten)]
    pub unknown: Map<String, Json>,
}

/// How many of a file's records AWS took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Success {
    /// Every one.
    All,
    /// Some.
    Partial,
    /// None.
    None,
    /// A word that is not known here: the records' own outcomes count.
    #[serde(untagged)]
    Other(String),
}

impl fmt::Display for Success {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Partial => "some",
            Self::None => "none",
            Self::Other(word) => word,
        })
    }
}

/// What AWS made of one record.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordResult {
    /// What AWS noticed, and took the record nevertheless.
    #[serde(serialize_with = "or_null")]
    pub warnings: Vec<String>,
    /// The record in the partner's CRM. Results of leads say it so too, and not `partnerCrmLeadId`.
    #[serde(rename = "partnerCrmUniqueIdentifier")]
    pub partner_id: Option<String>,
    /// Whether AWS took the record.
    pub is_success: bool,
    /// Why it did not. AWS's texts can quote values of the record: they are for its owner and for no log.
    #[serde(serialize_with = "or_null")]
    pub errors: Vec<String>,
    /// The record at AWS.
    #[serde(rename = "apnCrmUniqueIdentifier")]
    pub aws_id: Option<String>,
    /// Members that are not known here, as they came.
    #[serde(flatten)]
    pub unknown: Map<String, Json>,
}

/// What helps a record that AWS did not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Somebody edits it.
    Edit,
    /// Somebody names a user whom Partner Central knows.
    User,
    /// Waiting: AWS reviews it.
    Window,
    /// The same again, later.
    Retry,
    /// Nothing is wrong: AWS has it already.
    Nothing,
}

impl Remedy {
    /// A short stable code, for the sync log.
    pub fn code(self) -> &'static str {
        match self {
            Self::Edit => "REFUSED_IN_FILE",
            Self::User => "USER_NOT_FOUND",
            Self::Window => "NOT_EDITABLE",
            Self::Retry => "TEMPORARY",
            Self::Nothing => "NO_NEW_UPDATE",
        }
    }

    /// Reads AWS's texts: result files have no codes. What none of these phrases is in waits for an edit, which is never
    /// wrong. The first two are of AWS's guide, the last ones of the database under ACE.
    fn of(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let says = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
        if says(&["not editable"]) {
            Self::Window
        } else if says(&["no new update"]) {
            Self::Nothing
        } else if says(&["user not found", "not a partner central user"]) {
            Self::User
        } else if says(&["unable_to_lock_row", "internal error", "timed out", "try again"]) {
            Self::Retry
        } else {
            Self::Edit
        }
    }
}

/// AWS writes no list where there is nothing in it.
fn or_null<S: serde::Serializer>(texts: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    if texts.is_empty() { serializer.serialize_none() } else { texts.serialize(serializer) }
}

/// One text, several, objects with a message, or nothing: AWS's examples show some, its guide others.
fn texts(json: Json) -> Vec<String> {
    match json {
        Json::Null => Vec::new(),
        Json::String(text) => vec![text],
        Json::Array(items) => items.into_iter().flat_map(texts).collect(),
        Json::Object(ref members) => match members.get("message").and_then(Json::as_str) {
            Some(message) => vec![message.to_owned()],
            None => vec![json.to_string()],
        },
        other => vec![other.to_string()],
    }
}

/// Takes members out of an object by their names, whose case does not count.
struct Taken(Map<String, Json>);

impl Taken {
    fn of(members: Vec<(Cow<'_, str>, &RawValue)>) -> Result<Self, UnusableFile> {
        let (mut taken, mut seen) = (Map::new(), HashSet::new());
        for (name, raw) in members {
            if !seen.insert(name.to_ascii_lowercase()) {
                return Err(UnusableFile::Twice(name.into_owned()));
            }
            taken.insert(name.into_owned(), serde_json::from_str(raw.get())?);
        }
        Ok(Self(taken))
    }

    fn json(&mut self, name: &str) -> Json {
        let key = self.0.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned();
        key.and_then(|key| self.0.shift_remove(&key)).unwrap_or(Json::Null)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.json(name) {
            Json::Null => None,
            Json::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }

    fn flag(&mut self, name: &'static str) -> Result<Option<bool>, UnusableFile> {
        match self.json(name) {
            Json::Null => Ok(None),
            Json::Bool(flag) => Ok(Some(flag)),
            Json::String(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Json::String(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            _ => Err(UnusableFile::Member { member: name, expected: "true or false" }),
        }
    }
}

impl Results {
    /// Reads a result file.
    pub fn read(bytes: &[u8]) -> Result<Self, UnusableFile> {
        const LIST: &str = "inboundApiResults";
        let mut members = top(text(bytes)?, LIST)?;
        let lists = members.extract_if(.., |(name, _)| name.eq_ignore_ascii_case(LIST)).collect::<Vec<_>>();
        let records = match lists.as_slice() {
            [] => Vec::new(),
            [(_, raw)] if raw.get() == "null" => Vec::new(),
            [(_, raw)] => {
                let items = items(raw)?.ok_or(UnusableFile::Member { member: LIST, expected: "a list" })?;
                items
                    .into_iter()
                    .enumerate()
                    .map(|(index, raw)| RecordResult::of(index, raw))
                    .collect::<Result<_, _>>()?
            }
            [_, _, ..] => return Err(UnusableFile::Twice(LIST.to_owned())),
        };
        let mut members = Taken::of(members)?;
        let api_errors = texts(members.json("apiErrors"));
        let is_api_error = members.flag("isApiError")?.unwrap_or(!api_errors.is_empty());
        if records.is_empty() && !is_api_error {
            return Err(UnusableFile::NoRecords(LIST));
        }
        Ok(Self {
            success: match members.text("success").unwrap_or_default() {
                word if word.eq_ignore_ascii_case("all") => Success::All,
                word if word.eq_ignore_ascii_case("partial") => Success::Partial,
                word if word.eq_ignore_ascii_case("none") => Success::None,
                word => Success::Other(word),
            },
            spms_id: members.text("spmsId"),
            is_api_error,
            records,
            file_name: members.text("fileName"),
            processed: members.text("fileApnProcessedDT"),
            api_errors,
            unknown: members.0,
        })
    }
}

impl RecordResult {
    /// What helps it; none if AWS took it. Of several errors the one that needs a person counts.
    pub fn remedy(&self) -> Option<Remedy> {
        if self.is_success {
            return None;
        }
        let all: Vec<_> = self.errors.iter().map(|text| Remedy::of(text)).collect();
        let order = [Remedy::Edit, Remedy::User, Remedy::Window, Remedy::Retry, Remedy::Nothing];
        Some(order.into_iter().find(|remedy| all.contains(remedy)).unwrap_or(Remedy::Edit))
    }

    fn of(index: usize, raw: &RawValue) -> Result<Self, UnusableFile> {
        let mut members = Taken::of(entry(index, raw)?)?;
        let is_success = members.flag("isSuccess")?;
        Ok(Self {
            warnings: texts(members.json("warnings")),
            partner_id: members.text("partnerCrmUniqueIdentifier").or_else(|| members.text("partnerCrmLeadId")),
            is_success: is_success.ok_or(UnusableFile::Member { member: "isSuccess", expected: "true or false" })?,
            errors: texts(members.json("errors")),
            aws_id: members.text("apnCrmUniqueIdentifier"),
            unknown: members.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::json;

    use super::*;

    #[test]
    fn outcomes_are_read_record_by_record() {
        let file = json!({"success": "PARTIAL", "spmsId": "1", "isApiError": false, "apiErrors": null,
            "fileName": "opportunity-inbound/a.json", "fileApnProcessedDT": "2026-03-09T01:50:25.123Z", "novel": 1,
            "inboundApiResults": [
                {"partnerCrmUniqueIdentifier": "006A", "apnCrmUniqueIdentifier": "O1", "isSuccess": true, "errors": null,
                    "warnings": ["The owner is not known"]},
                {"partnerCrmUniqueIdentifier": "006B", "apnCrmUniqueIdentifier": null, "isSuccess": false,
                    "errors": ["No such owner"], "warnings": null}]});
        let results = Results::read(file.to_string().as_bytes()).unwrap();
        assert_eq!(results.success, Success::Partial);
        assert_eq!(results.records[0].aws_id.as_deref(), Some("O1"));
        assert_eq!(results.records[0].warnings, ["The owner is not known"]);
        assert_eq!(results.records[1].errors, ["No such owner"]);
        assert_eq!(results.unknown["novel"], 1);
        assert_eq!(serde_json::to_value(&results).unwrap(), file, "written as it was read");
    }

    #[test]
    fn what_helps_is_read_from_aws_texts() {
        let remedy = |errors: &[&str]| {
            let json = json!({"isSuccess": false, "errors": errors});
            let raw = serde_json::value::to_raw_value(&json).unwrap();
            RecordResult::of(0, &raw).unwrap().remedy()
        };
        assert_eq!(remedy(&["Record is not editable at this time"]), Some(Remedy::Window));
        assert_eq!(remedy(&["UNABLE_TO_LOCK_ROW: somebody else"]), Some(Remedy::Retry));
        assert_eq!(remedy(&["No new update was found"]), Some(Remedy::Nothing));
        assert_eq!(remedy(&["User not found"]), Some(Remedy::User));
        assert_eq!(remedy(&["No new update", "Title is too long"]), Some(Remedy::Edit));
        assert_eq!(remedy(&[]), Some(Remedy::Edit));
    }

    #[test]
    fn a_refused_file_says_why() {
        let file = json!({"success": "NONE", "isApiError": true, "apiErrors": [{"message": "is not of type object"}]});
        let results = Results::read(file.to_string().as_bytes()).unwrap();
        assert_eq!((results.api_errors, results.records.len()), (vec!["is not of type object".to_owned()], 0));
    }

    #[test]
    fn other_files_are_no_results() {
        for (file, expected) in [
            ("[]", "the file has no list `inboundApiResults` at its top"),
            ("{}", "the file has no list `inboundApiResults` at its top"),
            (r#"{"inboundApiResults":[1]}"#, "entry 1 of the list is not an object"),
            (r#"{"inboundApiResults":[{}]}"#, "`isSuccess` of the result file is not true or false"),
            (r#"{"inboundApiResults":1}"#, "`inboundApiResults` of the result file is not a list"),
            (r#"{"inboundApiResults":[],"InboundApiResults":[]}"#, "`inboundApiResults` occurs twice: remove one"),
            (r#"{"inboundApiResults":[{"isSuccess":true,"IsSuccess":false}]}"#, "`IsSuccess` occurs twice: remove one"),
        ] {
            assert_eq!(Results::read(file.as_bytes()).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn published_samples_are_read_whole() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/ace-data");
        for file in ["Lead-Results-Success-Sample.json", "Opoortunity-Results-Success-Sample.json"] {
            let Ok(bytes) = fs::read(folder.join(file)) else { continue };
            let results = Results::read(&bytes).unwrap();
            assert_eq!((&results.success, results.records.len()), (&Success::All, 1), "{file}");
            let original: Json = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(serde_json::to_value(&results).unwrap(), original, "{file}");
        }
    }
}
