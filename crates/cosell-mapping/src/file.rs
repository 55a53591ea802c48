//! The mapping file as it is written. What it means and whether it is sound, [`compile`](crate::compile) says.

use std::collections::BTreeMap;

use cosell_model::{Direction, PayloadVersion};
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::CrmValue;

/// One value or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// Several.
    Many(Vec<T>),
    /// One.
    One(T),
}

impl<T> OneOrMany<T> {
    /// All of them.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// Who wins when both sides changed a field since they last agreed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// AWS's value.
    #[default]
    Aws,
    /// The CRM's value.
    Crm,
    /// The value of the side that changed last.
    Newest,
    /// Nobody: a person decides.
    Manual,
}

/// What is done to a CRM's text on its way to AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Blanks at the ends are dropped.
    Trim,
    /// Lower case.
    Lower,
    /// Upper case.
    Upper,
    /// Only digits are kept: `12-345-6789` becomes `123456789`.
    Digits,
    /// Line breaks and runs of blanks become one blank.
    OneLine,
    /// Markup of a rich text is dropped.
    PlainText,
}

/// How an amount is rounded on its way to AWS. Without, halves are rounded away from zero to what AWS takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Round {
    /// To the nearest whole number.
    Whole,
    /// To the next whole number.
    Up,
    /// To the whole number before.
    Down,
}

/// Whose spelling of a list's values the CRM has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Spelling {
    /// The API's: `Software and Internet`, `DE`.
    #[default]
    Api,
    /// The files', which Partner Central's own pages show: `Software & Internet`, `Germany`.
    File,
}

/// Which part of a split text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What stands before the first separator.
    First,
    /// What stands after the first separator.
    Rest,
}

/// One field, as it is written in full.
#[expect(clippy::struct_excessive_bools, reason = "options of a file, each of which stands alone")]
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct FullLine {
    /// The CRM's field, or a path to a related record's (`Account.Website`, at most two relations); several are joined.
    pub crm: Option<OneOrMany<String>>,
    /// In place of `crm`: always this value.
    pub value: Option<String>,
    /// `both`, `from_aws` or `to_aws`.
    pub direction: Option<Direction>,
    /// Who wins when both sides changed it: `aws`, `crm`, `newest` or `manual`.
    pub policy: Policy,
    /// AWS's value is taken only when the CRM's field is empty.
    pub only_when_empty: bool,
    /// AWS's value is taken when the CRM's record is made, and never again.
    pub protect: bool,
    /// What stands between several CRM fields that make one value: a blank, unless said.
    pub join: Option<String>,
    /// What stands between the parts of a CRM field that several ACE fields are made of: a blank, unless said.
    pub split: Option<String>,
    /// Which part of the CRM's field this is.
    pub part: Option<Part>,
    /// What AWS gets when the CRM's field is empty.
    pub default: Option<String>,
    /// What the CRM gets when AWS has no value.
    pub default_back: Option<CrmValue>,
    /// What is done to the CRM's text on its way to AWS, in this order.
    pub steps: Vec<Step>,
    /// Text that is longer than AWS takes is cut; without, it is an error.
    pub cut: bool,
    /// The CRM's amount is divided by this for AWS and multiplied on the way back: 12 for a yearly one.
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub divide: Option<Decimal>,
    /// How the amount is rounded for AWS.
    pub round: Option<Round>,
    /// The time zone in which a CRM's moment is AWS's day (`Europe/Berlin`).
    pub zone: Option<String>,
    /// The CRM's field is a check box.
    pub check_box: bool,
    /// Whose spelling of a list's values the CRM has.
    pub spelling: Spelling,
    /// AWS's value for each CRM value that is called otherwise; several for one CRM value, the first is what AWS gets.
    pub values: BTreeMap<String, OneOrMany<String>>,
    /// The CRM's value for an AWS value, where `values` leads several CRM values to it.
    pub back: BTreeMap<String, String>,
    /// What AWS gets for a CRM value that is not in its list; without, that is an error.
    pub other: Option<String>,
    /// What the CRM gets for an AWS value that `values` does not name.
    pub other_back: Option<String>,
}

/// What becomes of a record whose CRM record somebody deleted, when AWS changes it. Nothing is deleted or closed at AWS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Deleted {
    /// Nothing is written, and the sync log says so each time.
    #[default]
    Report,
    /// Nothing is written, and nothing is said after the first time.
    Unlink,
    /// The record is made again.
    Recreate,
}

/// What becomes of a linked record when a rep clears the check box of sharing again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Unshared {
    /// The record says so, and nothing is sent to AWS until it is shared again. AWS's changes still arrive.
    #[default]
    Stop,
    /// Nothing: the check box only begins a share.
    GoOn,
}

/// How records go to AWS as files. Leads that came in files are always answered so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct FileExchange {
    /// Opportunities go by files, too, and not by the API; without, they do not.
    pub opportunities: bool,
    /// The payload version of what is sent: `2.0`, or `1.0` until AWS was sent 2.0 once. There is no way back.
    pub payload: PayloadVersion,
    /// After how many hours without AWS's answer to a file somebody is told; 4 without. AWS answers within minutes.
    pub answer_hours: u32,
}

impl Default for FileExchange {
    fn default() -> Self {
        Self { opportunities: false, payload: PayloadVersion::V2, answer_hours: 4 }
    }
}

/// How a record that the far side refused is tried again, without an edit of it: what the far side checks may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// How often; 3 without.
    pub times: u32,
    /// For how many days; 5 without.
    pub days: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { times: 3, days: 5 }
    }
}

/// CRM fields in which cosell says how a record stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct StatusFields {
    /// `Synced`, `Waiting`, `Action Required`, `Stopped` or `Error`.
    pub sync_status: Option<String>,
    /// What to do, in words.
    pub sync_message: Option<String>,
    /// When it was last in step.
    pub last_sync: Option<String>,
    /// Names of the fields whose change waits until AWS takes it.
    pub pending: Option<String>,
}

/// CRM fields of a referral that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReferralFields {
    /// Keeps the invitation's identifier; unique.
    pub invitation_id: String,
    /// Shows `Pending`, `Accepted`, `Rejected` or `Expired`.
    pub status: String,
    /// Shows until when it can be answered.
    pub accept_by: Option<String>,
    /// Where the rep answers.
    pub response: String,
    /// The answer that accepts.
    pub accept: String,
    /// The answer that rejects.
    pub reject: String,
    /// Where the rep says why.
    pub rejection_reason: Option<String>,
    /// A check box that is set when the time for an answer is nearly over.
    pub expiring: Option<String>,
    /// How many hours before the end that is, and `Referral Expiring` is told on the event bus; 72 without.
    #[serde(default = "three_days")]
    pub warn_before_hours: u16,
    /// Rules that answer in the rep's place, in order: the first one that fits. None without.
    #[serde(default)]
    pub rules: Vec<ReferralRule>,
}

fn three_days() -> u16 {
    72
}

/// What a rule says of a referral.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Accept it.
    Accept,
    /// Reject it.
    Reject,
}

/// A rule that answers a referral in the rep's place. Everything that it names must hold; what AWS does not show holds
/// for no rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReferralRule {
    /// What the sync log calls it.
    pub name: String,
    /// What it answers: `accept` or `reject`.
    pub answer: Answer,
    /// The reason that a rejection gives; one that AWS takes.
    pub reason: Option<String>,
    /// The customer's country is one of these (ISO codes).
    pub country: Option<Vec<String>>,
    /// The customer's industry is one of these.
    pub industry: Option<Vec<String>>,
    /// The inviting company is one of these.
    pub sender: Option<Vec<String>>,
    /// The expected monthly spend is at least this much.
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub spend_from: Option<Decimal>,
    /// The expected monthly spend is at most this much.
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub spend_to: Option<Decimal>,
}

/// The CRM's way of turning a lead into an opportunity.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConvertFields {
    /// A check box that says that the lead is converted (`IsConverted`).
    pub when: String,
    /// The field that refers to the opportunity which it became (`ConvertedOpportunityId`).
    pub opportunity: String,
}

/// What may be written to a related record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RelatedWrite {
    /// Nothing.
    #[default]
    Never,
    /// Values of a related record that is there.
    Update,
    /// Also a related record that is not there yet.
    Create,
}

/// A related record, by the name that paths use for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Related {
    /// Its object in the CRM.
    pub object: String,
    /// The field that refers to it (`AccountId`).
    pub lookup: String,
    /// What may be written to it.
    pub write: RelatedWrite,
    /// An existing record is the one in which these fields have AWS's values.
    #[serde(rename = "match")]
    pub matches: Vec<String>,
    /// The record that is referred to when none matches and none is created.
    pub default: Option<String>,
    /// The record of which a new one is a copy.
    pub template: Option<String>,
    /// What a new one gets where AWS has no value.
    pub defaults: BTreeMap<String, CrmValue>,
}
