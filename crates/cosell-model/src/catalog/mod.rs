//! The field catalog: every ACE field once, with all its spellings and rules.
//!
//! To add a field, add one line to [`opportunity`](mod@opportunity) or [`lead`](mod@lead); codecs, validation and
//! mapping checks follow from it. Sources: AWS's Partner Central Selling API reference (paths, lengths, lists), the
//! ACE data model sheets (requirements, windows) and the ACE field definitions v14.3 (file spellings).

pub mod lead;
pub mod opportunity;
pub mod picklist;
pub mod postal_code;

pub use picklist::{Country, Picklist, Product, countries, products, read_products};

use std::{collections::HashMap, sync::LazyLock};

use serde::{Deserialize, Serialize};

use crate::{Direction, PayloadVersion, Wire, life_cycle::Windows};

/// What kind of record a field belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

    /// Which of the [`fields`](Self::fields) the files call so. AWS's own samples differ in case.
    pub(crate) fn position_in_files(self, name: &str) -> Option<usize> {
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

    /// The field that carries the record's identifier in the partner's CRM.
    pub fn partner_id(self) -> &'static str {
        match self {
            Self::Opportunity => "partnerCrmUniqueIdentifier",
            Self::Lead => "partnerCrmLeadId",
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

/// Every list of values, once: those of fields, and those that a field is held against in some cases only.
pub fn picklists() -> impl Iterator<Item = &'static Picklist> {
    let of_fields = [Kind::Opportunity, Kind::Lead].into_iter().flat_map(Kind::fields);
    let mut all: Vec<&'static Picklist> = of_fields.filter_map(|field| field.ty.picklist()).collect();
    all.extend([&picklist::US_STATE, &picklist::AWS_PRODUCT]);
    all.sort_by_key(|list| list.name);
    all.dedup();
    all.into_iter()
}

struct Index {
    keys: HashMap<&'static str, &'static Field>,
    spellings: HashMap<&'static str, usize>,
    spellings_in_lower_case: HashMap<String, usize>,
}

impl Index {
    fn of(fields: &'static [Field]) -> Self {
        let in_files = || fields.iter().enumerate().filter_map(|(at, field)| Some((field.newest_file()?, at)));
        Self {
            keys: fields.iter().map(|field| (field.key, field)).collect(),
            spellings: in_files().collect(),
            spellings_in_lower_case: in_files().map(|(name, at)| (name.to_ascii_lowercase(), at)).collect(),
        }
    }
}

/// What can be associated with an opportunity, one call of `AssociateOpportunity` each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    /// A partner solution, `S-…`.
    Solution,
    /// An AWS product, by its code.
    AwsProduct,
    /// A solution in AWS Marketplace.
    MarketplaceSolution,
    /// A product in AWS Marketplace.
    MarketplaceProduct,
    /// A private offer.
    Offer,
    /// A set of private offers.
    OfferSet,
}

impl Entity {
    /// The `RelatedEntityType`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Solution => "Solutions",
            Self::AwsProduct => "AwsProducts",
            Self::MarketplaceSolution => "AwsMarketplaceSolutions",
            Self::MarketplaceProduct => "AwsMarketplaceProducts",
            Self::Offer => "AwsMarketplaceOffers",
            Self::OfferSet => "AwsMarketplaceOfferSets",
        }
    }

    /// How many an opportunity can have (developer guide).
    pub fn limit(self) -> usize {
        match self {
            Self::AwsProduct => 20,
            Self::Solution | Self::MarketplaceSolution | Self::MarketplaceProduct => 10,
            Self::Offer | Self::OfferSet => 1,
        }
    }

    /// What an identifier looks like on `wire`, for messages.
    pub fn expects(self, wire: Wire) -> &'static str {
        match (self, wire) {
            (Self::Solution, _) => "`S-` and digits",
            (Self::AwsProduct, _) => "a product code such as `AmazonEC2Linux`",
            (Self::Offer, Wire::File(_)) => "`offer-…`",
            _ => "an ARN of AWS Marketplace",
        }
    }

    /// Whether `id` looks like one on `wire`. Whether it exists, AWS says.
    pub fn fits(self, id: &str, wire: Wire) -> bool {
        match (self, wire) {
            (Self::Solution, Wire::File(_)) if id == OTHER_SOLUTION => true,
            (Self::Solution, _) => id.strip_prefix("S-").is_some_and(|digits| {
                (1..=19).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
            }),
            (Self::AwsProduct, _) => (1..=255).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()),
            (Self::Offer, Wire::File(_)) => id.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("offer-")),
            _ => id.len() <= 255 && id.starts_with("arn:") && id.contains(":aws-marketplace:"),
        }
    }
}

/// What the files say for a solution that is described in words (`otherSolutionOffered`); the API has no such identifier.
pub const OTHER_SOLUTION: &str = "Other";

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
    /// Several identifiers of what is associated.
    Identifiers(Entity),
    /// An e-mail address; AWS takes lower case only.
    Email,
    /// A phone number; the API takes E.164.
    Phone,
    /// A web address, with or without a scheme.
    Url,
    /// `Yes` or `No`.
    YesNo,
    /// A number that is not negative. More decimals than a wire takes are rounded when it is written.
    Number {
        /// Digits after the point in the API.
        decimals: u8,
        /// Digits after the point in the files.
        in_files: u8,
    },
    /// A calendar day, `YYYY-MM-DD`.
    Date,
    /// A moment, kept as AWS wrote it.
    DateTime,
    /// What was said when, a line an entry: in the API a list, in the files one text.
    History,
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
            Self::Identifiers(entity) => format!("at most {} {}", entity.limit(), entity.as_str()),
            Self::Number { decimals: 0, .. } => "whole number".to_owned(),
            Self::Number { decimals, in_files } if decimals == in_files => format!("number({decimals} decimals)"),
            Self::Number { decimals, in_files } => format!("number({decimals} decimals, {in_files} in files)"),
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
            Self::Identifiers(_) => "identifiers",
            Self::Email => "an e-mail address",
            Self::Phone => "a phone number",
            Self::Url => "a web address",
            Self::YesNo => "`Yes` or `No`",
            Self::Number { .. } => "a number",
            Self::Date => "a date (YYYY-MM-DD)",
            Self::DateTime => "a timestamp",
            Self::History => "a list of entries with time and value",
        }
    }

    /// Whether values are lists.
    pub fn is_list(self) -> bool {
        matches!(self, Self::Picklists(_) | Self::Identifiers(_))
    }

    /// What joins several values in the files, where they are one text there.
    pub fn separator(self) -> Option<&'static str> {
        matches!(self, Self::Picklists(_)).then_some(";")
    }

    /// The list behind a picklist type.
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
    /// By `AssociateOpportunity`.
    Associate,
    /// By an operation of its own, which is named.
    Operation(&'static str),
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

/// Where a field is looked for in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The answer of `GetOpportunity`, for leads of `GetEngagement`.
    Get,
    /// The body of `CreateOpportunity`.
    Create,
    /// The body of `UpdateOpportunity`.
    Update,
    /// The answer of `GetAwsOpportunitySummary`.
    Summary,
    /// The answer of `GetEngagementInvitation`, before acceptance.
    Invitation,
}

/// One ACE field. There is one of each, so two are equal when they are the same.
#[derive(Debug)]
pub struct Field {
    /// The stable name that mappings use: the file spelling of payload 2.0 in lower camel case.
    pub key: &'static str,
    files: [Option<&'static str>; 2],
    /// Which way it travels in the files.
    pub flow: Direction,
    /// The path in `GetOpportunity`, and in the create and update bodies as far as `write` says so.
    pub api: Option<&'static str>,
    /// The path in `GetAwsOpportunitySummary`; two paths are joined with a blank (first and last name).
    pub summary: &'static [&'static str],
    /// The path in an invitation (`GetEngagementInvitation`), before acceptance.
    pub invitation: Option<&'static str>,
    /// Why the API has no place for it, where it has none.
    pub files_only: Option<&'static str>,
    /// What values look like.
    pub ty: Type,
    /// How it is written.
    pub write: Write,
    /// When it must be there.
    pub required: Required,
    /// What is sent through the API when nobody has a value.
    pub default: Option<&'static str>,
    /// What AWS takes for it when a file of payload 1.0, which has no such field or need not have it, says nothing.
    pub default_in_v1: Option<&'static str>,
    /// Whether files of payload 1.0 take one value where 2.0 takes several.
    pub single_in_v1: bool,
    /// Whether AWS still takes values of older lists in files of payload 1.0, and turns them into newer ones.
    pub older_in_v1: bool,
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
    /// The exact spelling in files of this version, which AWS reads case-sensitively.
    pub fn file(&self, version: PayloadVersion) -> Option<&'static str> {
        self.files[version as usize]
    }

    /// The spelling in files of the newest version that has it.
    pub fn newest_file(&self) -> Option<&'static str> {
        self.files[1].or(self.files[0])
    }

    /// The path at a place in the API, or the reason for having none.
    pub fn at(&self, place: Place) -> Result<&'static str, &'static str> {
        let own = self.api.ok_or(match (self.files_only, self.summary, self.invitation) {
            (Some(reason), ..) => reason,
            (None, [], Some(_)) => "in the invitation only",
            _ => "AWS's own view: in the summary only",
        });
        match (place, self.write) {
            (Place::Create | Place::Update, Write::Operation(operation)) => Err(operation),
            (Place::Get, _) | (Place::Create, Write::Body | Write::CreateOnly) | (Place::Update, Write::Body) => own,
            (Place::Update, Write::CreateOnly) => Err("by AssignOpportunity, once created"),
            (Place::Create | Place::Update, Write::Associate) => Err("by AssociateOpportunity"),
            (Place::Create | Place::Update, Write::No) => own.and(Err("AWS sets it")),
            (Place::Summary, _) => self.summary.first().copied().ok_or(self.files_only.unwrap_or("not in AWS's view")),
            (Place::Invitation, _) => self.invitation.ok_or("hidden until accepted, or not known yet"),
        }
    }

    /// Whether the partner can ever write it through the API.
    pub fn is_writable(&self) -> bool {
        self.write != Write::No
    }

    /// Whether the partner can ever write it on `wire`.
    pub fn is_writable_on(&self, wire: Wire) -> bool {
        match wire {
            Wire::Api => self.is_writable(),
            Wire::File(version) => self.file(version).is_some() && self.flow.sends(),
        }
    }

    /// Which way it travels, by the API or the files.
    pub fn direction(&self) -> Direction {
        let in_files = self.newest_file().is_some();
        let sent = self.is_writable() || (in_files && self.flow.sends());
        let received = self.api.is_some() || !self.summary.is_empty() || (in_files && self.flow.receives());
        match (sent, received) {
            (true, true) => Direction::Both,
            (true, false) => Direction::ToAws,
            (false, _) => Direction::FromAws,
        }
    }

    /// What is associated by it.
    pub fn entity(&self) -> Option<Entity> {
        match self.ty {
            Type::Identifiers(entity) => Some(entity),
            _ => None,
        }
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
            files: [Some(key), Some(key)],
            flow: Direction::FromAws,
            api: None,
            summary: &[],
            invitation: None,
            files_only: None,
            ty,
            write: Write::No,
            required: Required::No,
            default: None,
            default_in_v1: None,
            single_in_v1: false,
            older_in_v1: false,
            windows: Windows::NONE,
            personal: false,
            about,
        }
    }

    /// Spelled so in the files.
    const fn file_name(mut self, spelling: &'static str) -> Self {
        self.files = [Some(spelling), Some(spelling)];
        self
    }

    /// In files of payload 2.0 only.
    const fn since_v2(mut self) -> Self {
        self.files[0] = None;
        self
    }

    /// In files of payload 1.0 only, so unknown to the API.
    const fn until_v1(mut self) -> Self {
        self.files[1] = None;
        self.files_only = Some("retired with payload 1.0");
        self
    }

    const fn api_only(mut self) -> Self {
        self.files = [None, None];
        self
    }

    const fn files_only(mut self, reason: &'static str) -> Self {
        self.files_only = Some(reason);
        self
    }

    /// In the bodies of create and update, open in `windows` after submission; both ways in the files.
    const fn body(self, path: &'static str, windows: Windows) -> Self {
        self.write(path, Write::Body, windows)
    }

    const fn write(mut self, path: &'static str, write: Write, windows: Windows) -> Self {
        self.api = Some(path);
        self.write = write;
        self.windows = windows;
        self.flow = Direction::Both;
        self
    }

    /// Sent by this operation, in whose answer it is not.
    const fn by(mut self, operation: &'static str) -> Self {
        self.write = Write::Operation(operation);
        self
    }

    const fn read(mut self, path: &'static str) -> Self {
        self.api = Some(path);
        self
    }

    const fn flow(mut self, flow: Direction) -> Self {
        self.flow = flow;
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

    const fn default_in_v1(mut self, value: &'static str) -> Self {
        self.default_in_v1 = Some(value);
        self
    }

    const fn single_in_v1(mut self) -> Self {
        self.single_in_v1 = true;
        self.older_in_v1()
    }

    const fn older_in_v1(mut self) -> Self {
        self.older_in_v1 = true;
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
                if let Some(file) = field.newest_file() {
                    assert!(seen.insert(("file", file)), "{file} twice");
                }
                if let Some(api) = field.api {
                    assert!(seen.insert(("api", api)), "{api} twice");
                    let mut document = Json::Null;
                    path::set(&mut document, api, json!("x"));
                    assert_eq!(path::get(&document, api), Some(&json!("x")), "{api}");
                }
                assert!(!field.about.is_empty() && !field.about.ends_with('.'), "{}", field.key);
                let by_operation = matches!(field.write, Write::No | Write::Operation(_));
                assert!(by_operation || field.api.is_some(), "{} has no path", field.key);
                let placed = field.api.is_some() || !field.summary.is_empty() || field.invitation.is_some();
                assert!(placed != field.files_only.is_some(), "{}: a path or the reason for having none", field.key);
                assert!(placed || field.newest_file().is_some(), "{} is nowhere", field.key);
            }
        }
    }

    #[test]
    fn a_field_says_where_it_is_or_why_not() {
        let at = |key, place| Kind::Opportunity.field(key).unwrap().at(place);
        for (key, place, expected) in [
            ("stage", Place::Get, Ok("LifeCycle.Stage")),
            ("stage", Place::Update, Ok("LifeCycle.Stage")),
            ("stage", Place::Summary, Err("not in AWS's view")),
            ("status", Place::Get, Ok("LifeCycle.ReviewStatus")),
            ("status", Place::Update, Err("AWS sets it")),
            ("awsStage", Place::Get, Err("AWS's own view: in the summary only")),
            ("awsStage", Place::Summary, Ok("LifeCycle.Stage")),
            ("solutionOffered", Place::Create, Err("by AssociateOpportunity")),
            ("primaryContactEmail", Place::Update, Err("by AssignOpportunity, once created")),
            ("opportunityOwnerEmail", Place::Update, Err("AssignOpportunity")),
            ("rejectionReason", Place::Create, Err("RejectEngagementInvitation")),
            ("subUseCase", Place::Get, Err("retired with payload 1.0")),
        ] {
            assert_eq!(at(key, place), expected, "{key} {place:?}");
        }
    }

    #[test]
    fn directions_follow_from_both_wires() {
        for (kind, key, expected) in [
            (Kind::Opportunity, "stage", Direction::Both),
            (Kind::Opportunity, "awsStage", Direction::FromAws),
            (Kind::Opportunity, "rejectionReason", Direction::ToAws),
            (Kind::Lead, "firstName", Direction::Both),
            (Kind::Lead, "campaignName", Direction::FromAws),
            (Kind::Lead, "email", Direction::Both),
        ] {
            assert_eq!(kind.field(key).unwrap().direction(), expected, "{key}");
        }
    }
}
