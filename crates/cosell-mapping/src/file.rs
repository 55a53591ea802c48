use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use cosell_model::{Direction, Field, Kind, Record, Wire, normalize::normalize};
use serde::{Deserialize, Serialize};

use crate::{CrmValue, Unmappable};

/// Who wins when both sides changed a field since they last agreed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// One field on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldMapping {
    /// The ACE field.
    pub ace: &'static Field,
    /// The CRM's field.
    pub crm: String,
    /// Which way it travels.
    pub direction: Direction,
    /// Who wins a conflict.
    pub policy: Policy,
    /// AWS's value is taken only when the CRM's field is empty.
    pub only_when_empty: bool,
    /// Values that are spelled differently: (CRM, ACE).
    pub values: Vec<(String, String)>,
}

/// CRM fields in which cosell says how a record stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatusFields {
    /// `Synced`, `Waiting` or `Error`.
    pub sync_status: Option<String>,
    /// What to do, in words.
    pub sync_message: Option<String>,
    /// When it was last in step.
    pub last_sync: Option<String>,
}

/// CRM fields of a referral that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
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
}

/// How one kind of record corresponds to one object of the CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMapping {
    /// The ACE kind.
    pub kind: Kind,
    /// The CRM's object.
    pub object: String,
    /// The CRM field that keeps the ACE identifier; unique.
    pub ace_id: String,
    /// The CRM check box by which a rep shares a record with AWS.
    pub share: Option<String>,
    /// Fields of a referral.
    pub referral: Option<ReferralFields>,
    /// Fields in which cosell reports.
    pub status: StatusFields,
    /// What a new CRM record gets where AWS has no value.
    pub defaults: BTreeMap<String, CrmValue>,
    /// The fields.
    pub fields: Vec<FieldMapping>,
}

/// A whole mapping file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// How opportunities correspond.
    pub opportunity: ObjectMapping,
    /// How leads correspond, where they are wanted.
    pub lead: Option<ObjectMapping>,
}

/// Everything that is wrong with a mapping file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidMapping(pub Vec<String>);

impl fmt::Display for InvalidMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the mapping file has {} problem(s):", self.0.len())?;
        self.0.iter().try_for_each(|problem| write!(f, "\n- {problem}"))
    }
}

impl std::error::Error for InvalidMapping {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    version: u32,
    opportunity: RawObject,
    lead: Option<RawObject>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawObject {
    object: String,
    ace_id: String,
    share: Option<String>,
    referral: Option<ReferralFields>,
    #[serde(default)]
    status: StatusFields,
    #[serde(default)]
    defaults: BTreeMap<String, CrmValue>,
    fields: BTreeMap<String, RawField>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawField {
    Name(String),
    Full(RawFull),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFull {
    crm: String,
    #[serde(default)]
    direction: Option<Direction>,
    #[serde(default)]
    policy: Policy,
    #[serde(default)]
    only_when_empty: bool,
    #[serde(default)]
    values: BTreeMap<String, String>,
}

impl Mapping {
    /// Reads a mapping file and checks it whole.
    pub fn parse(text: &str) -> Result<Self, InvalidMapping> {
        let raw: RawFile = toml::from_str(text).map_err(|cause| InvalidMapping(vec![cause.to_string()]))?;
        let mut problems = Vec::new();
        if raw.version != 1 {
            problems.push(format!("version is {}; this release reads version 1", raw.version));
        }
        let opportunity = object(Kind::Opportunity, raw.opportunity, &mut problems);
        let lead = raw.lead.map(|raw| object(Kind::Lead, raw, &mut problems));
        if problems.is_empty() { Ok(Self { opportunity, lead }) } else { Err(InvalidMapping(problems)) }
    }

    /// The mapping of a kind, if it has one.
    pub fn of(&self, kind: Kind) -> Option<&ObjectMapping> {
        match kind {
            Kind::Opportunity => Some(&self.opportunity),
            Kind::Lead => self.lead.as_ref(),
        }
    }
}

fn object(kind: Kind, raw: RawObject, problems: &mut Vec<String>) -> ObjectMapping {
    let mut fields = Vec::new();
    let mut written = HashSet::new();
    for (key, raw) in raw.fields {
        let raw = match raw {
            RawField::Full(full) => full,
            RawField::Name(crm) => RawFull {
                crm,
                direction: None,
                policy: Policy::default(),
                only_when_empty: false,
                values: BTreeMap::new(),
            },
        };
        let Some(ace) = kind.field(&key) else {
            problems.push(format!("{}.fields.{key}: ACE has no such field{}", kind.as_str(), suggestion(kind, &key)));
            continue;
        };
        let direction = raw.direction.unwrap_or(ace.direction());
        if direction.sends() && !ace.direction().sends() {
            problems.push(format!(
                "{}.fields.{key}: AWS sets this field, it can only travel from_aws; remove `direction`",
                kind.as_str()
            ));
        }
        if direction.receives() && !written.insert(raw.crm.clone()) {
            problems.push(format!(
                "{}.fields.{key}: the CRM field `{}` is written by another line too; make one of them to_aws",
                kind.as_str(),
                raw.crm
            ));
        }
        fields.push(FieldMapping {
            ace,
            crm: raw.crm,
            direction,
            policy: raw.policy,
            only_when_empty: raw.only_when_empty,
            values: raw.values.into_iter().collect(),
        });
    }
    ObjectMapping {
        kind,
        object: raw.object,
        ace_id: raw.ace_id,
        share: raw.share,
        referral: raw.referral,
        status: raw.status,
        defaults: raw.defaults,
        fields,
    }
}

fn suggestion(kind: Kind, key: &str) -> String {
    let found = kind.fields().iter().find(|field| {
        field.key.eq_ignore_ascii_case(key)
            || field.newest_file().is_some_and(|file| file.eq_ignore_ascii_case(key))
            || field.api == Some(key)
    });
    found.map_or_else(String::new, |field| format!("; did you mean `{}`?", field.key))
}

impl ObjectMapping {
    /// Every CRM field that must be read to know a record's side of the story.
    pub fn crm_fields(&self) -> Vec<String> {
        let referral = self.referral.iter().flat_map(|fields| {
            let ReferralFields { invitation_id, status, accept_by, response, rejection_reason, accept: _, reject: _ } =
                fields;
            [Some(invitation_id), Some(status), Some(response), accept_by.as_ref(), rejection_reason.as_ref()]
        });
        let mut names: Vec<&String> = [Some(&self.ace_id), self.share.as_ref(), self.status.sync_status.as_ref()]
            .into_iter()
            .chain([self.status.sync_message.as_ref()])
            .chain(referral)
            .flatten()
            .chain(self.fields.iter().map(|field| &field.crm))
            .collect();
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(name.as_str()));
        names.into_iter().cloned().collect()
    }

    /// The CRM's record in ACE words, normal for the API, and what could not be turned.
    pub fn to_ace(&self, crm: &BTreeMap<String, CrmValue>) -> (Record, Vec<Unmappable>) {
        let mut record = Record::new(self.kind);
        let mut problems = Vec::new();
        for field in &self.fields {
            match crm.get(&field.crm).map_or(Ok(None), |value| field.to_ace(value)) {
                Ok(Some(value)) => record.set(field.ace, value),
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        normalize(&mut record, Wire::Api);
        (record, problems)
    }

    /// The CRM's name of an ACE field, if it is mapped.
    pub fn crm_name(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.ace.key == key).map(|field| field.crm.as_str())
    }

    /// Whether a rep asks for a record with these fields to be shared with AWS.
    pub fn wants_share(&self, crm: &BTreeMap<String, CrmValue>) -> bool {
        self.share.as_ref().and_then(|name| crm.get(name)).is_some_and(CrmValue::is_true)
    }

    /// Whether any field needs AWS's own view of an opportunity.
    pub fn needs_summary(&self) -> bool {
        self.fields.iter().any(|field| !field.ace.summary.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESET: &str = include_str!("../presets/salesforce.toml");

    #[test]
    fn the_shipped_preset_is_sound() {
        let mapping = Mapping::parse(PRESET).unwrap();
        assert!(mapping.opportunity.fields.len() > 30);
        assert!(mapping.opportunity.needs_summary());
        assert!(mapping.lead.is_some());
        let required: Vec<_> = Kind::Opportunity
            .fields()
            .iter()
            .filter(|f| {
                matches!(f.required, cosell_model::catalog::Required::Create | cosell_model::catalog::Required::Submit)
            })
            .filter(|f| !mapping.opportunity.fields.iter().any(|m| m.ace == *f && m.direction != Direction::FromAws))
            .map(|f| f.key)
            .collect();
        assert_eq!(required, Vec::<&str>::new(), "a share would be blocked");
    }

    #[test]
    fn all_problems_of_a_file_come_at_once() {
        let text = r#"
            version = 2
            [opportunity]
            object = "Opportunity"
            ace_id = "ACE_Id__c"
            [opportunity.fields]
            aWSStage = "A__c"
            nonsense = "B__c"
            awsStage = { crm = "C__c", direction = "both" }
            city = "D__c"
            state = "D__c"
        "#;
        insta::assert_snapshot!(Mapping::parse(text).unwrap_err());
        assert!(Mapping::parse("version = 1").unwrap_err().to_string().contains("opportunity"));
    }

    #[test]
    fn values_are_renamed_both_ways() {
        let text = r#"
            version = 1
            [opportunity]
            object = "Opportunity"
            ace_id = "ACE_Id__c"
            [opportunity.fields]
            stage = { crm = "StageName", values = { "Prospecting" = "Prospect" } }
            deliveryModel = { crm = "D__c", values = { "SaaS" = "SaaS or PaaS" } }
            expectedMonthlyAwsRevenue = "Amount"
        "#;
        let object = Mapping::parse(text).unwrap().opportunity;
        let crm = BTreeMap::from([
            ("StageName".to_owned(), CrmValue::Text("Prospecting".into())),
            ("D__c".to_owned(), CrmValue::Text("SaaS; Resell".into())),
            ("Amount".to_owned(), CrmValue::from(serde_json::json!(1041.67))),
        ]);
        let (record, problems) = object.to_ace(&crm);
        assert_eq!(problems, []);
        insta::assert_json_snapshot!(record.to_json());
        for field in &object.fields {
            let back = field.to_crm(record.get(field.ace).unwrap());
            assert_eq!(
                back,
                if field.crm == "D__c" { CrmValue::Text("SaaS;Resell".into()) } else { crm[&field.crm].clone() }
            );
        }
        let wrong = BTreeMap::from([("Amount".to_owned(), CrmValue::Text("much".into()))]);
        assert_eq!(
            object.to_ace(&wrong).1[0].to_string(),
            "the CRM field `Amount` cannot be turned into expectedMonthlyAwsRevenue"
        );
    }
}
