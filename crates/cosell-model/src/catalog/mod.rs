//! The field catalog: every ACE field once, with all its spellings and rules.
//!
//! To add a field, add one line to [`opportunity`](mod@opportunity) or [`lead`](mod@lead); codecs, validation and
//! mapping checks follow from it. Sources: AWS's Partner Central Selling API reference (paths, lengths, lists), the
//! ACE data model sheets (requirements, windows) and the ACE field definitions v14.3 (file spellings).

pub mod lead;
pub mod opportunity;
mod picklist;
pub mod postal_code;

pub use picklist::{Country, Picklist, countries};

use std::{collections::HashMap, sync::LazyLock};

use crate::life_cycle::Windows;

/// What kind of record a field belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An ACE opportunity.
    Opportunity,
    /// An ACE lead.
    Lead,
}

impl Kind {
    /// The catalog of this kind.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::Opportunity => opportunity::FIELDS,
            Self::Lead => lead::FIELDS,
        }
    }

    /// The field with this catalog key.
    pub fn field(self, key: &str) -> Option<&'static Field> {
        self.index().keys.get(key).copied()
    }

    /// The field that the files call so. AWS's own samples differ in case.
    pub fn field_in_files(self, name: &str) -> Option<&'static Field> {
        let index = self.index();
        index.spellings.get(name).or_else(|| index.spellings_in_lower_case.get(&name.to_ascii_lowercase())).copied()
    }

    fn index(self) -> &'static Index {
        static OPPORTUNITY: LazyLock<Index> = LazyLock::new(|| Index::of(opportunity::FIELDS));
        static LEAD: LazyLock<Index> = LazyLock::new(|| Index::of(lead::FIELDS));
        match self {
            Self::Opportunity => &OPPORTUNITY,
            Self::Lead => &LEAD,
        }
    }

    /// The singular name, as in messages and in the mapping file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opportunity => "opportunity",
            Self::Lead => "lead",
        }
    }
}

struct Index {
    keys: HashMap<&'static str, &'static Field>,
    spellings: HashMap<&'static str, &'static Field>,
    spellings_in_lower_case: HashMap<String, &'static Field>,
}

impl Index {
    fn of(fields: &'static [Field]) -> Self {
        let in_files = || fields.iter().filter_map(|field| Some((field.file?, field)));
        Self {
            keys: fields.iter().map(|field| (field.key, field)).collect(),
            spellings: in_files().collect(),
            spellings_in_lower_case: in_files().map(|(name, field)| (name.to_ascii_lowercase(), field)).collect(),
        }
    }
}

/// What a field's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Free text of at most so many characters.
    Text {
        /// Characters, not bytes.
        max: u16,
    },
    /// Exactly so many digits; leading zeros count.
    Digits(u8),
    /// One value of a list.
    Picklist(&'static Picklist),
    /// Several values of a list.
    Picklists(&'static Picklist),
    /// Several identifiers.
    Identifiers,
    /// An e-mail address; AWS takes lower case only.
    Email,
    /// A phone number; the API takes E.164.
    Phone,
    /// A web address, with or without a scheme.
    Url,
    /// `Yes` or `No`.
    YesNo,
    /// A number, with at most so many decimals.
    Number {
        /// Digits after the point.
        decimals: u8,
    },
    /// A calendar day, `YYYY-MM-DD`.
    Date,
    /// A moment, kept as AWS wrote it.
    DateTime,
}

impl Type {
    /// The type in a word or two, for tables.
    pub fn shown(self) -> String {
        match self {
            Self::Text { max: u16::MAX } => "text".to_owned(),
            Self::Text { max } => format!("text({max})"),
            Self::Digits(count) => format!("digits({count})"),
            Self::Picklist(list) => format!("one of {}", list.name),
            Self::Picklists(list) => format!("some of {}", list.name),
            Self::Number { decimals } => format!("number({decimals} decimals)"),
            other => other.expects().trim_start_matches("a ").trim_start_matches("an ").to_owned(),
        }
    }

    /// What a value must look like, for messages.
    pub fn expects(self) -> &'static str {
        match self {
            Self::Text { .. } => "a text",
            Self::Digits(_) => "digits",
            Self::Picklist(_) => "one value of the list",
            Self::Picklists(_) => "values of the list",
            Self::Identifiers => "identifiers",
            Self::Email => "an e-mail address",
            Self::Phone => "a phone number",
            Self::Url => "a web address",
            Self::YesNo => "`Yes` or `No`",
            Self::Number { .. } => "a number",
            Self::Date => "a date (YYYY-MM-DD)",
            Self::DateTime => "a timestamp",
        }
    }

    /// Whether values are lists.
    pub fn is_list(self) -> bool {
        matches!(self, Self::Picklists(_) | Self::Identifiers)
    }

    /// The closed list behind a picklist type.
    pub fn picklist(self) -> Option<&'static Picklist> {
        match self {
            Self::Picklist(list) | Self::Picklists(list) => Some(list),
            _ => None,
        }
    }
}

/// How a value gets to AWS through the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// In the bodies of `CreateOpportunity` and `UpdateOpportunity`.
    Body,
    /// In the body of `CreateOpportunity` only.
    CreateOnly,
    /// By `AssociateOpportunity` with this `RelatedEntityType`.
    Associate(&'static str),
    /// By an operation of its own (`AssignOpportunity`, accepting, rejecting).
    OwnOperation,
    /// Not at all: AWS sets it.
    No,
}

/// When AWS insists on a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// Never.
    No,
    /// From creation on.
    Create,
    /// Before it can be submitted.
    Submit,
    /// On every update.
    Update,
    /// From creation on, when another field has this value.
    When(&'static str, &'static str),
}

/// One ACE field. There is one of each, so two are equal when they are the same.
#[derive(Debug)]
pub struct Field {
    /// The stable name that mappings use: the file spelling of payload 2.0 in lower camel case.
    pub key: &'static str,
    /// The exact spelling in the S3 files, where there is one.
    pub file: Option<&'static str>,
    /// The path in `GetOpportunity`, and in the create and update bodies as far as `write` says so.
    pub api: Option<&'static str>,
    /// The path in `GetAwsOpportunitySummary`; two paths are joined with a blank (first and last name).
    pub summary: &'static [&'static str],
    /// The path in an opportunity invitation (`GetEngagementInvitation`), before acceptance.
    pub invitation: Option<&'static str>,
    /// What values look like.
    pub ty: Type,
    /// How it is written.
    pub write: Write,
    /// When it must be there.
    pub required: Required,
    /// What is sent on creation when the CRM has no value.
    pub default: Option<&'static str>,
    /// When it may be changed after submission.
    pub windows: Windows,
    /// Whether a value says something about a person.
    pub personal: bool,
    /// What it is, in one line.
    pub about: &'static str,
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Field {}

impl Field {
    /// Whether the partner can ever write it.
    pub fn is_writable(&self) -> bool {
        self.write != Write::No
    }

    /// When AWS insists on a value, in words.
    pub fn required_when(&self) -> String {
        match self.required {
            Required::No => String::new(),
            Required::Create => "always".to_owned(),
            Required::Submit => "to submit".to_owned(),
            Required::Update => "to update".to_owned(),
            Required::When(field, value) => format!("{field} is {value}"),
        }
    }

    /// How messages name it: its key, then its API path.
    pub fn label(&self) -> String {
        match self.api {
            Some(api) => format!("{} ({api})", self.key),
            None => self.key.to_owned(),
        }
    }

    const fn new(key: &'static str, ty: Type, about: &'static str) -> Self {
        Self {
            key,
            file: Some(key),
            api: None,
            summary: &[],
            invitation: None,
            ty,
            write: Write::No,
            required: Required::No,
            default: None,
            windows: Windows::NONE,
            personal: false,
            about,
        }
    }

    const fn file(mut self, spelling: &'static str) -> Self {
        self.file = Some(spelling);
        self
    }

    const fn api_only(mut self) -> Self {
        self.file = None;
        self
    }

    /// In the bodies of create and update, open in `windows` after submission.
    const fn body(mut self, path: &'static str, windows: Windows) -> Self {
        self.api = Some(path);
        self.write = Write::Body;
        self.windows = windows;
        self
    }

    const fn write(mut self, path: &'static str, write: Write, windows: Windows) -> Self {
        self.api = Some(path);
        self.write = write;
        self.windows = windows;
        self
    }

    const fn read(mut self, path: &'static str) -> Self {
        self.api = Some(path);
        self
    }

    const fn summary(mut self, paths: &'static [&'static str]) -> Self {
        self.summary = paths;
        self
    }

    const fn invited(mut self, path: &'static str) -> Self {
        self.invitation = Some(path);
        self
    }

    const fn required(mut self, required: Required) -> Self {
        self.required = required;
        self
    }

    const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    const fn personal(mut self) -> Self {
        self.personal = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::path;

    #[test]
    fn keys_and_spellings_are_unique_and_paths_are_sound() {
        for kind in [Kind::Opportunity, Kind::Lead] {
            let mut seen = HashSet::new();
            for field in kind.fields() {
                assert!(seen.insert(("key", field.key)), "{} twice", field.key);
                if let Some(file) = field.file {
                    assert!(seen.insert(("file", file)), "{file} twice");
                }
                if let Some(api) = field.api {
                    assert!(seen.insert(("api", api)), "{api} twice");
                    let mut document = Json::Null;
                    path::set(&mut document, api, json!("x"));
                    assert_eq!(path::get(&document, api), Some(&json!("x")), "{api}");
                }
                assert!(!field.about.is_empty() && !field.about.ends_with('.'), "{}", field.key);
                assert!(
                    field.write == Write::No || field.api.is_some() || kind == Kind::Lead,
                    "{} has no path",
                    field.key
                );
            }
        }
    }
}
