use std::collections::{BTreeMap, BTreeSet};

use cosell_model::{Direction, Field, Kind, Record, Value, Wire, normalize::normalize};

use crate::{
    ConvertFields, CrmValue, Deleted, FileExchange, Policy, ReferralFields, ReferralRule, Related, Retry, StatusFields,
    Unshared,
    file::Part,
    way::{Translation, Untranslatable, Watch},
};

/// A CRM record's values by field name; those of related records by their path (`Account.Website`).
pub type CrmFields = BTreeMap<String, CrmValue>;

/// A whole mapping file.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// How opportunities correspond.
    pub opportunity: ObjectMapping,
    /// How leads correspond, where they are wanted.
    pub lead: Option<ObjectMapping>,
    /// How records go to AWS as files.
    pub files: FileExchange,
    /// How what the far side refused is tried again.
    pub retry: Retry,
}

impl Mapping {
    /// Every kind's mapping.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectMapping> {
        std::iter::once(&self.opportunity).chain(&self.lead)
    }

    /// The mapping of an object of the CRM, by its name there.
    pub fn object(&self, name: &str) -> Option<&ObjectMapping> {
        self.objects().find(|mapped| mapped.object == name)
    }

    /// The mapping of a kind, if it has one.
    pub fn of(&self, kind: Kind) -> Option<&ObjectMapping> {
        match kind {
            Kind::Opportunity => Some(&self.opportunity),
            Kind::Lead => self.lead.as_ref(),
        }
    }
}

/// How one kind of record corresponds to one object of the CRM.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectMapping {
    /// The ACE kind.
    pub kind: Kind,
    /// What the records travel to AWS through, and so the form in which both sides' values are compared. Leads come both ways,
    /// and are compared in the API's form.
    pub wire: Wire,
    /// The CRM's object.
    pub object: String,
    /// The CRM field that keeps the ACE identifier; unique.
    pub ace_id: String,
    /// The CRM check box by which a rep shares a record with AWS.
    pub share: Option<String>,
    /// CRM fields and values by which a record is shared without being asked: each must have one of its values.
    pub share_when: Vec<(String, Vec<CrmValue>)>,
    /// The CRM record of which a new one is a copy.
    pub template: Option<String>,
    /// What becomes of a linked record whose check box was cleared.
    pub unshared: Unshared,
    /// What becomes of a record whose CRM record was deleted.
    pub deleted: Deleted,
    /// Fields of a referral.
    pub referral: Option<ReferralFields>,
    /// How a lead becomes an opportunity.
    pub convert: Option<ConvertFields>,
    /// Fields in which cosell reports.
    pub status: StatusFields,
    /// What a new CRM record gets where AWS has no value.
    pub defaults: CrmFields,
    /// Which records take part.
    pub scope: Scope,
    /// Related records, by the name that paths use.
    pub related: BTreeMap<String, Related>,
    /// The fields.
    pub fields: Vec<FieldMapping>,
}

/// Which records take part; an empty scope takes all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// CRM fields and the values of which each must have one.
    pub crm: Vec<(String, Vec<CrmValue>)>,
    /// ACE fields and the values of which each must have one.
    pub aws: Vec<(&'static Field, Vec<String>)>,
    /// Records at AWS whose CRM identifier is this and digits (`X0001`) are history that nobody wants.
    pub dummy_ids: Option<String>,
}

/// Where a field's value is in the CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nowhere: AWS always gets this value.
    Constant(Value),
    /// In one field.
    Field(String),
    /// In several fields, whose texts are joined.
    Joined {
        /// The fields, in order.
        paths: Vec<String>,
        /// What stands between.
        separator: String,
    },
    /// In a part of one field.
    Part {
        /// The field.
        path: String,
        /// What stands between the parts.
        separator: String,
        /// Which part.
        part: Part,
    },
}

impl Source {
    /// The CRM fields.
    pub fn paths(&self) -> &[String] {
        match self {
            Self::Constant(_) => &[],
            Self::Field(path) | Self::Part { path, .. } => std::slice::from_ref(path),
            Self::Joined { paths, .. } => paths,
        }
    }
}

/// When AWS's value may go into the CRM's field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Arrival {
    /// Whenever the merge says so.
    #[default]
    Always,
    /// Only while the field is empty.
    WhenEmpty,
    /// Only when the record is made.
    OnCreation,
}

/// One field on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldMapping {
    /// The ACE field.
    pub ace: &'static Field,
    /// Where it is in the CRM.
    pub source: Source,
    /// Which way it travels.
    pub direction: Direction,
    /// Who wins a conflict.
    pub policy: Policy,
    /// When AWS's value may be written.
    pub arrival: Arrival,
    /// What is done to the value on its way.
    pub translation: Translation,
}

/// A CRM value that has no counterpart at AWS. It names the shape, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the CRM field `{crm}` cannot be turned into {ace}")]
pub struct Unmappable {
    /// The CRM's field.
    pub crm: String,
    /// The ACE field's key.
    pub ace: &'static str,
    /// What is wrong.
    #[source]
    pub cause: Untranslatable,
}

impl FieldMapping {
    /// The CRM's value in ACE words. `None` says nothing about the field.
    pub fn to_ace(&self, crm: &CrmFields) -> Result<Option<Value>, Unmappable> {
        self.watched(crm, &mut |_, _| {})
    }

    /// As [`to_ace`](Self::to_ace), and shows every step of the way.
    pub(crate) fn watched(&self, crm: &CrmFields, watch: Watch<'_>) -> Result<Option<Value>, Unmappable> {
        let joined;
        let value = match &self.source {
            Source::Constant(value) => return Ok(Some(value.clone())),
            Source::Field(path) => match crm.get(path) {
                None => return Ok(None),
                Some(value) => value,
            },
            Source::Joined { paths, separator } => {
                let known: Vec<&CrmValue> = paths.iter().filter_map(|path| crm.get(path)).collect();
                if known.is_empty() {
                    return Ok(None);
                }
                let texts: Vec<String> = known.into_iter().filter_map(CrmValue::to_text).collect();
                joined = if texts.is_empty() { CrmValue::Null } else { CrmValue::Text(texts.join(separator)) };
                watch("join", &joined);
                &joined
            }
            Source::Part { path, separator, part } => {
                let Some(value) = crm.get(path) else { return Ok(None) };
                let text = value.to_text();
                let part = text.as_deref().and_then(|text| match (part, text.split_once(separator.as_str())) {
                    (Part::First, Some((first, _))) => Some(first.trim()),
                    (Part::First, None) => Some(text),
                    (Part::Rest, parts) => parts.map(|(_, rest)| rest.trim()),
                });
                joined = part.map_or(CrmValue::Null, |part| CrmValue::Text(part.to_owned()));
                watch("split", &joined);
                &joined
            }
        };
        self.translation.ace_value(self.ace, value, watch).map_err(|cause| Unmappable {
            crm: self.source.paths().join(" and "),
            ace: self.ace.key,
            cause,
        })
    }

    /// The ACE value in the CRM's words. For a part of a CRM's field, that part alone.
    pub fn to_crm(&self, value: &Value) -> CrmValue {
        self.translation.crm_value(self.ace, value)
    }
}

impl ObjectMapping {
    /// Every CRM field that must be read to know a record's side of the story.
    pub fn crm_fields(&self) -> Vec<String> {
        let referral = self.referral.iter().flat_map(|fields| {
            let ReferralFields { invitation_id, status, response, accept_by, rejection_reason, expiring, .. } = fields;
            let always = [invitation_id, status, response].map(Some);
            always.into_iter().chain([accept_by.as_ref(), rejection_reason.as_ref(), expiring.as_ref()])
        });
        let convert = self.convert.iter().flat_map(|fields| [Some(&fields.when), Some(&fields.opportunity)]);
        let StatusFields { sync_status, sync_message, last_sync: _, pending } = &self.status;
        let own =
            [Some(&self.ace_id), self.share.as_ref(), sync_status.as_ref(), sync_message.as_ref(), pending.as_ref()];
        let names: BTreeSet<&String> = own
            .into_iter()
            .chain(referral)
            .chain(convert)
            .flatten()
            .chain(self.fields.iter().flat_map(|field| field.source.paths()))
            .chain(self.scope.crm.iter().chain(&self.share_when).map(|(path, _)| path))
            .chain(self.related.values().filter(|related| !related.lookup.is_empty()).map(|related| &related.lookup))
            .collect();
        names.into_iter().cloned().collect()
    }

    /// The CRM's record in ACE words, in the form that its wire takes, and what could not be turned.
    pub fn to_ace(&self, crm: &CrmFields) -> (Record, Vec<Unmappable>) {
        let mut record = Record::new(self.kind);
        let mut problems = Vec::new();
        for field in &self.fields {
            match field.to_ace(crm) {
                Ok(Some(value)) => record.set(field.ace, value),
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        normalize(&mut record, self.wire);
        (record, problems)
    }

    /// The lines whose CRM fields still hold the default that a new record got.
    pub fn defaulted(&self, crm: &CrmFields) -> impl Iterator<Item = &FieldMapping> {
        let holds = |path: &String| self.defaults.get(path).is_some_and(|default| crm.get(path) == Some(default));
        self.fields.iter().filter(move |line| {
            let paths = line.source.paths();
            !paths.is_empty() && paths.iter().all(holds)
        })
    }

    /// What is to be written to the CRM for these values of AWS's, by field or path. `theirs` is the CRM's record as it
    /// is: the other parts of a field of which a part changes.
    pub fn to_crm<'m>(
        &'m self,
        won: impl IntoIterator<Item = (&'m FieldMapping, &'m Value)>,
        theirs: &Record,
    ) -> CrmFields {
        let won: Vec<_> = won.into_iter().collect();
        let mut writes = CrmFields::new();
        for (field, value) in &won {
            let translated = field.to_crm(value);
            match &field.source {
                Source::Constant(_) => {}
                Source::Field(path) => {
                    writes.insert(path.clone(), translated);
                }
                Source::Joined { paths, separator } => {
                    let text = translated.to_text().unwrap_or_default();
                    let mut parts = text.splitn(paths.len(), separator.as_str()).filter(|part| !part.is_empty());
                    for path in paths {
                        let part = parts.next().map_or(CrmValue::Null, |part| CrmValue::Text(part.to_owned()));
                        writes.insert(path.clone(), part);
                    }
                }
                Source::Part { path, separator, .. } => {
                    let both = [Part::First, Part::Rest].map(|part| self.part(path, part, &won, theirs));
                    let text = both.into_iter().flatten().collect::<Vec<_>>().join(separator);
                    writes.insert(path.clone(), CrmValue::from(serde_json::Value::String(text)));
                }
            }
        }
        writes
    }

    /// The text of one part of a CRM's field: what is to be written, else what is there.
    fn part(&self, path: &str, part: Part, won: &[(&FieldMapping, &Value)], theirs: &Record) -> Option<String> {
        let field = self.fields.iter().find(|field| {
            matches!(&field.source, Source::Part { path: own, part: other, .. } if own == path && *other == part)
        })?;
        let new = won.iter().find(|(line, _)| line.ace == field.ace).map(|(_, value)| *value);
        field.to_crm(new.or_else(|| theirs.get(field.ace))?).to_text()
    }

    /// The CRM's name of an ACE field, if it is mapped to one.
    pub fn crm_name(&self, key: &str) -> Option<&str> {
        let field = self.fields.iter().find(|field| field.ace.key == key)?;
        field.source.paths().first().map(String::as_str)
    }

    /// Whether a rep has ticked the check box of sharing.
    pub fn is_ticked(&self, crm: &CrmFields) -> bool {
        self.share.as_ref().and_then(|name| crm.get(name)).is_some_and(CrmValue::is_true)
    }

    /// Whether a record with these fields is to be shared with AWS: a rep asks for it, or it meets every condition for
    /// going by itself.
    pub fn wants_share(&self, crm: &CrmFields) -> bool {
        let by_itself = !self.share_when.is_empty() && holds(&self.share_when, crm);
        (self.is_ticked(crm) || by_itself) && self.in_scope(crm)
    }

    /// Whether nothing is to be sent any more of a record whose check box was ticked once, as it is now.
    pub fn stops(&self, crm: &CrmFields) -> bool {
        self.unshared == Unshared::Stop && !self.wants_share(crm)
    }

    /// Whether a CRM record takes part.
    pub fn in_scope(&self, crm: &CrmFields) -> bool {
        holds(&self.scope.crm, crm)
    }

    /// Whether a record of AWS's that the CRM does not have takes part. A field that AWS hides or that was not asked for
    /// decides nothing.
    pub fn welcomes(&self, aws: &Record) -> bool {
        self.scope.aws.iter().all(|(field, wanted)| match aws.get(field) {
            None => true,
            Some(Value::List(items)) => items.iter().any(|item| wanted.contains(item)),
            Some(Value::Text(text)) => wanted.contains(text),
            Some(_) => false,
        })
    }

    /// The rule that answers a referral in the rep's place.
    pub fn rule_for(&self, aws: &Record, sender: Option<&str>) -> Option<&ReferralRule> {
        let within = |wanted: &Option<Vec<String>>, value: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| value.is_some_and(|value| wanted.iter().any(|one| one == value)))
        };
        let spend = match aws.value("expectedMonthlyAwsRevenue") {
            Some(Value::Number(amount)) => Some(*amount),
            _ => None,
        };
        self.referral.as_ref()?.rules.iter().find(|rule| {
            within(&rule.country, aws.text("country"))
                && within(&rule.industry, aws.text("industry"))
                && within(&rule.sender, sender)
                && rule.spend_from.is_none_or(|from| spend.is_some_and(|spend| spend >= from))
                && rule.spend_to.is_none_or(|to| spend.is_some_and(|spend| spend <= to))
        })
    }

    /// Whether a record of AWS's is history that was marked with a dummy identifier of the CRM.
    pub fn is_dummy(&self, aws: &Record) -> bool {
        let named = aws.text(self.kind.partner_id());
        let digits = self.scope.dummy_ids.as_deref().and_then(|prefix| named?.strip_prefix(prefix));
        digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// How its records are converted, of a record that the CRM has converted.
    pub fn converted(&self, crm: &CrmFields) -> Option<&ConvertFields> {
        self.convert.as_ref().filter(|convert| crm.get(&convert.when).is_some_and(CrmValue::is_true))
    }

    /// Whether its records go to AWS and come from it in files, and not by the API.
    pub fn goes_by_file(&self) -> bool {
        self.wire != Wire::Api
    }

    /// Whether any field needs AWS's own view of an opportunity.
    pub fn needs_summary(&self) -> bool {
        let fields = self.fields.iter().map(|field| field.ace).chain(self.scope.aws.iter().map(|(field, _)| *field));
        fields.into_iter().any(|field| !field.summary.is_empty())
    }
}
/// Whether each field has one of its values.
fn holds(conditions: &[(String, Vec<CrmValue>)], crm: &CrmFields) -> bool {
    conditions.iter().all(|(path, wanted)| {
        let value = crm.get(path).unwrap_or(&CrmValue::Null);
        wanted.iter().any(|wanted| wanted == value || wanted.to_text() == value.to_text())
    })
}
