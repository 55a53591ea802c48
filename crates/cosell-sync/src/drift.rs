//! How far both sides are apart, field by field, without writing anything: the functions' own merge, looked at.

use cosell_mapping::{FieldOutcome, Mapping, ObjectMapping, Outcome, Side};
use cosell_model::{Field, Kind, OpportunityId, Record, Value, api};
use futures::future::try_join_all;
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    CrmRef, Link, LinkKey, SyncError, Tick,
    converge::newer,
    deliver::{Outgoing, mistakes},
    from_aws::present,
    log::Direction,
    ports::{Crm, CrmRecord, Ledger, PartnerCentral, PortError, PortResult},
    walk::named_record,
};

/// Compares both sides.
pub struct Drift {
    /// Partner Central.
    pub partner_central: Box<dyn PartnerCentral>,
    /// The CRM.
    pub crm: Box<dyn Crm>,
    /// cosell's memory.
    pub ledger: Box<dyn Ledger>,
    /// How records correspond.
    pub mapping: Mapping,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// What is compared, by the identifier that it has on one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An opportunity at AWS.
    Opportunity(OpportunityId),
    /// A record of the CRM.
    Record(String),
}

/// How a field, or a record as a whole, stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// Nothing to do.
    #[serde(rename = "in step")]
    InStep,
    /// AWS's value goes to the CRM.
    #[serde(rename = "aws changed")]
    AwsChanged,
    /// The CRM's value goes to AWS.
    #[serde(rename = "crm changed")]
    CrmChanged,
    /// Both were changed, and AWS's value goes to the CRM.
    #[serde(rename = "both changed: aws wins")]
    AwsWins,
    /// Both were changed, and the CRM's value goes to AWS.
    #[serde(rename = "both changed: crm wins")]
    CrmWins,
    /// Both were changed, and a person decides.
    #[serde(rename = "both changed: held")]
    Held,
    /// AWS changed it, and the CRM's value stays.
    #[serde(rename = "protected")]
    Protected,
    /// They differ, and the mapping lets the change travel the other way only.
    #[serde(rename = "differs: goes the other way only")]
    OtherWay,
    /// The CRM's value waits until the review is over.
    #[serde(rename = "waits for AWS's review")]
    Waits,
    /// AWS does not take the CRM's value any more.
    #[serde(rename = "closed at AWS")]
    Closed,
    /// AWS would refuse the CRM's value.
    #[serde(rename = "AWS would refuse it")]
    Refused,
    /// The CRM's value has no counterpart in ACE.
    #[serde(rename = "cannot be mapped")]
    Unmappable,
    /// The ledger does not know a counterpart.
    #[serde(rename = "not linked")]
    NotLinked,
    /// The CRM does not have it, or not any more.
    #[serde(rename = "not in the CRM")]
    NotInCrm,
    /// AWS does not have it.
    #[serde(rename = "not at AWS")]
    NotAtAws,
    /// A referral that waits for its answer, or a deal that is being shared.
    #[serde(rename = "no opportunity yet")]
    NotYet,
    /// The mapping leaves it out.
    #[serde(rename = "out of scope")]
    OutOfScope,
}

impl Verdict {
    /// Whether it is no difference.
    pub fn is_in_step(self) -> bool {
        matches!(self, Self::InStep | Self::OutOfScope | Self::NotYet)
    }
}

/// Whether a difference ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goes {
    /// At the next event, push or reconciliation.
    Yes,
    /// Once AWS's review is over.
    Later,
    /// Somebody has to do something.
    No,
}

/// How a field stands; a record as a whole where there is no field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// At AWS.
    pub ace_id: Option<String>,
    /// In the CRM.
    pub crm_id: Option<String>,
    /// The ACE field.
    pub field: Option<&'static str>,
    /// How it stands.
    pub verdict: Verdict,
    /// Whether it goes by itself; none where nothing has to go.
    pub goes: Option<Goes>,
    /// What AWS has.
    pub aws: Option<Value>,
    /// What the CRM has, in ACE's normal form.
    pub crm: Option<Value>,
    /// What both had.
    pub base: Option<Value>,
}

impl Line {
    fn whole(ace_id: Option<&str>, crm_id: Option<&str>, verdict: Verdict) -> Self {
        let [ace_id, crm_id] = [ace_id, crm_id].map(|id| id.map(str::to_owned));
        let goes = (!verdict.is_in_step()).then_some(Goes::No);
        Self { ace_id, crm_id, field: None, verdict, goes, aws: None, crm: None, base: None }
    }
}

impl Drift {
    /// Compares some records; those that are in step have lines too.
    pub async fn compare(&self, subjects: &[Subject]) -> Result<Vec<Line>, SyncError> {
        let lines = try_join_all(subjects.iter().map(|subject| self.subject(subject))).await?;
        Ok(lines.concat())
    }

    async fn subject(&self, subject: &Subject) -> PortResult<Vec<Line>> {
        Ok(match self.found(subject).await? {
            Found::Pair(pair) => pair.lines(&self.mapping.opportunity, (self.now)()),
            Found::Alone(line) => vec![line],
        })
    }

    /// Reads both records of a pair.
    pub(crate) async fn found(&self, subject: &Subject) -> PortResult<Found> {
        let object = &self.mapping.opportunity;
        let (key, asked) = match subject {
            Subject::Opportunity(id) => (LinkKey::Opportunity(id.clone()), None),
            Subject::Record(id) => {
                let record = self.record(id).await?;
                // The CRM may have other spellings of the identifier.
                let id = record.as_ref().map_or(id, |record| &record.id).clone();
                (LinkKey::Crm(CrmRef::of(object, &id)), Some(record))
            }
        };
        let link = self.ledger.link(&key).await?;
        let linked = link.as_ref().and_then(Link::crm).map(|record| record.id.as_str());
        let (id, crm_id) = match &key {
            LinkKey::Crm(record) => (link.as_ref().and_then(Link::opportunity), Some(record.id.as_str())),
            LinkKey::Opportunity(id) => (Some(id), linked),
            _ => (None, None),
        };
        let Some(id) = id else {
            let verdict = match &link {
                _ if asked == Some(None) => Verdict::NotInCrm,
                Some(link) if link.ace_id().is_some() || link.share.is_some() => Verdict::NotYet,
                _ => Verdict::NotLinked,
            };
            return Ok(Found::Alone(Line::whole(None, crm_id, verdict)));
        };
        let whole = |verdict| Ok(Found::Alone(Line::whole(Some(id.as_str()), crm_id, verdict)));
        let (opportunity, summary) = match present(self.partner_central.as_ref(), id, object.needs_summary()).await {
            Err(PortError::NotFound { .. }) => return whole(Verdict::NotAtAws),
            answered => answered?,
        };
        let answered = api::opportunity(&opportunity, summary.as_ref());
        let redacted = answered.record.clone();
        let aws = answered.without_redacted().record;
        let (Some(known), Some(record)) = (&link, linked) else {
            let wanted = object.welcomes(&aws) && !object.is_dummy(&aws);
            return whole(if wanted { Verdict::NotLinked } else { Verdict::OutOfScope });
        };
        if object.is_dummy(&aws) {
            return whole(Verdict::OutOfScope);
        }
        let crm = match asked {
            Some(asked) => asked,
            None => self.record(record).await?,
        };
        let Some(crm) = crm else { return whole(Verdict::NotInCrm) };
        Ok(Found::Pair(Box::new(Pair { ace_id: id.clone(), link: known.clone(), aws, redacted, crm })))
    }

    async fn record(&self, id: &str) -> PortResult<Option<CrmRecord>> {
        let object = &self.mapping.opportunity;
        named_record(self.crm.as_ref(), &object.object, id, &object.crm_fields()).await
    }
}

/// What there is to compare.
pub(crate) enum Found {
    /// Both records.
    Pair(Box<Pair>),
    /// One that has no counterpart, or takes no part.
    Alone(Line),
}

/// Both records of a pair, as they are now.
pub(crate) struct Pair {
    ace_id: OpportunityId,
    link: Link,
    aws: Record,
    /// AWS's record with what AWS redacts in it.
    redacted: Record,
    crm: CrmRecord,
}

impl Pair {
    /// A line for each mapped field, in the form of the mapping's wire.
    pub(crate) fn lines(&self, object: &ObjectMapping, now: Timestamp) -> Vec<Line> {
        let Self { ace_id, link, aws, redacted, crm } = self;
        lines(object, link, [aws, redacted], crm, ace_id.as_str(), now)
    }
}

/// A line for each mapped field of a pair.
pub(crate) fn lines(
    object: &ObjectMapping,
    link: &Link,
    aws: [&Record; 2],
    crm: &CrmRecord,
    ace_id: &str,
    now: Timestamp,
) -> Vec<Line> {
    let shown = |(outcome, verdict, goes): (FieldOutcome<'_>, _, _)| Line {
        field: Some(outcome.mapping.ace.key),
        goes,
        aws: outcome.aws,
        crm: outcome.crm,
        base: outcome.base,
        ..Line::whole(Some(ace_id), Some(&crm.id), verdict)
    };
    compared(object, link, aws, crm, now).into_iter().map(shown).collect()
}

/// How each mapped field of a pair stands: by AWS's record, and that record with what AWS redacts in it.
fn compared<'m>(
    object: &'m ObjectMapping,
    link: &Link,
    [aws, redacted]: [&Record; 2],
    crm: &CrmRecord,
    now: Timestamp,
) -> Vec<(FieldOutcome<'m>, Verdict, Option<Goes>)> {
    let (ours, unmappable) = link.ours(object, &crm.fields);
    let aws = &link.corrected(Direction::FromAws, aws.clone());
    let base = link.agreed(aws, &ours);
    let plan = object.plan(&base, aws, &ours, newer(aws, Some(crm)));
    let Outgoing { later, never, mut wrong, .. } = Outgoing::of(&plan, redacted, now);
    wrong.extend(mistakes(object, &link.base(Kind::Opportunity), &ours, now));
    let is_sent = object.in_scope(&crm.fields) && unmappable.is_empty() && wrong.is_empty();
    let of_the_crm = |field: &'static Field, verdict| {
        if link.tick == Tick::TakenBack {
            (verdict, Goes::No)
        } else if later.contains(&field) {
            (Verdict::Waits, Goes::Later)
        } else if never.contains(&field) {
            (Verdict::Closed, Goes::No)
        } else if wrong.iter().any(|problem| problem.field == field.key) {
            (Verdict::Refused, Goes::No)
        } else {
            (verdict, if is_sent { Goes::Yes } else { Goes::No })
        }
    };
    let verdicts: Vec<_> = plan
        .fields
        .iter()
        .map(|FieldOutcome { mapping, outcome, aws, crm, .. }| {
            let differ = aws.as_ref().zip(crm.as_ref()).is_some_and(|(aws, crm)| !aws.same(crm));
            let (verdict, goes) = match outcome {
                _ if unmappable.iter().any(|problem| problem.ace == mapping.ace.key) => (Verdict::Unmappable, Goes::No),
                Outcome::Same if !differ => return (Verdict::InStep, None),
                Outcome::Same => (Verdict::OtherWay, Goes::No),
                Outcome::Take(Side::Aws) => (Verdict::AwsChanged, Goes::Yes),
                Outcome::Conflict(Side::Aws) => (Verdict::AwsWins, Goes::Yes),
                Outcome::Take(Side::Crm) => of_the_crm(mapping.ace, Verdict::CrmChanged),
                Outcome::Conflict(Side::Crm) => of_the_crm(mapping.ace, Verdict::CrmWins),
                Outcome::Held => (Verdict::Held, Goes::No),
                Outcome::Kept => (Verdict::Protected, Goes::No),
            };
            (verdict, Some(goes))
        })
        .collect();
    plan.fields.into_iter().zip(verdicts).map(|(field, (verdict, goes))| (field, verdict, goes)).collect()
}
