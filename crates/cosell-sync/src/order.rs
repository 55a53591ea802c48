//! What an operator orders for one record, as the rep would do it in the CRM: the order is written there, through the
//! mapping, and then delivered at once. So both sides agree afterwards, and no function undoes it.

use cosell_mapping::{Answer, CrmValue, FieldMapping, ObjectMapping, Source};
use cosell_model::{
    Kind, Record, Value,
    catalog::Entity,
    life_cycle::{Acceptance, Stage, State},
};
use serde::Serialize;

use crate::{
    CrmRef, Disposition, Link, LinkKey, SkipReason, SyncError, Tick,
    deliver::{Deliver, is_draft},
    from_aws::answered,
    log::{Direction, Entry, Of, Purpose, Query, Status},
    ports::{CrmFields, CrmRecord, PortError, Rejection},
    who::{Named, named},
};

/// What is ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Share it with AWS.
    Share,
    /// Bring AWS in step with it.
    Update,
    /// Accept the referral.
    Accept,
    /// Reject the referral, for one of AWS's reasons.
    Reject(String),
    /// Associate this with it.
    Associate(Entity, String),
    /// Do not associate this with it any more.
    Disassociate(Entity, String),
    /// Give it to the owner with this e-mail.
    Assign(String),
    /// Close it as lost, for one of AWS's reasons.
    Lose(String),
    /// Close it as launched, in this AWS account of the customer's.
    Launch(Option<String>),
}

impl Order {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Share => "share it",
            Self::Update => "update it",
            Self::Accept => "accept the referral",
            Self::Reject(_) => "reject the referral",
            Self::Associate(..) => "associate something",
            Self::Disassociate(..) => "disassociate something",
            Self::Assign(_) => "assign it",
            Self::Lose(_) => "close it as lost",
            Self::Launch(_) => "close it as launched",
        }
    }
}

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// It is done.
    Done,
    /// There was nothing to do.
    Unchanged,
    /// It is in the CRM; AWS takes it later, or not any more.
    HeldBack,
    /// It cannot be done until somebody mends something.
    Refused,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// At AWS.
    pub ace_id: Option<String>,
    /// In the CRM.
    pub crm_id: Option<String>,
    /// How it ended.
    pub deed: Deed,
    /// Why, where it was not simply done.
    pub why: Option<Why>,
    /// Everything that is wrong with the record.
    pub problems: Vec<Rejection>,
}

/// Why an order was not simply done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// No such record.
    #[error("neither the ledger nor the CRM knows it: `cosell refresh` brings what AWS has into the CRM")]
    Unknown,
    /// The CRM's record is gone.
    #[error("its CRM record was deleted: restore it there")]
    Deleted,
    /// The mapping leaves it out.
    #[error("the mapping leaves it out")]
    OutOfScope,
    /// It is not at AWS.
    #[error("it is not shared with AWS: `cosell opportunity share` shares it")]
    NotShared,
    /// A rep took it back.
    #[error("the rep does not share it any more: `cosell opportunity share` shares it again")]
    Unshared,
    /// It is there already.
    #[error("it is shared already: `cosell opportunity update` brings AWS in step with it")]
    Shared,
    /// It is a referral.
    #[error("it is a referral of AWS's: accept or reject it")]
    Referral,
    /// It is a lead.
    #[error("it is a lead, and no opportunity")]
    Lead,
    /// Nobody can ask for it.
    #[error("it does not meet the mapping's `share_when`, and the mapping names no check box `share`")]
    NoShareBox,
    /// There is no invitation.
    #[error("it is no referral of AWS's that the CRM shows")]
    NoReferral,
    /// It was answered so.
    #[error("the referral is {0} already")]
    Answered(Acceptance),
    /// The mapping has nowhere to put it.
    #[error(
        "the mapping does not send {0} from the CRM to AWS: give it a line under [opportunity.fields] with direction `both` or `to_aws`, or change it in Partner Central"
    )]
    NotMapped(String),
    /// AWS takes it later or never.
    #[error(
        "it is in the CRM, and AWS does not take all of it now: `cosell status` says what waits and what is closed"
    )]
    HeldBack,
    /// The far side or our own check says what is wrong.
    #[error("it has {0} problem(s)")]
    Problems(usize),
}

impl Outcome {
    fn new(deed: Deed, why: Option<Why>) -> Self {
        Self { ace_id: None, crm_id: None, deed, why, problems: Vec::new() }
    }

    fn refused(problems: Vec<Rejection>) -> Self {
        let why = Why::Problems(problems.len());
        Self { problems, ..Self::new(Deed::Refused, Some(why)) }
    }
}

/// A record that an order is about.
struct Subject<'d> {
    object: &'d ObjectMapping,
    crm: CrmRecord,
    link: Option<Link>,
}

impl Subject<'_> {
    fn opportunity(&self) -> Result<&Link, Why> {
        self.link.as_ref().filter(|link| link.opportunity().is_some()).ok_or(Why::NotShared)
    }

    fn reference(&self) -> CrmRef {
        CrmRef::of(self.object, &self.crm.id)
    }
}

/// What an order means for the CRM's record, or how it ends without.
enum Meaning {
    Write(CrmFields),
    Nothing(Why),
}

impl Deliver {
    /// Carries out an order for the record of an identifier: AWS's (an opportunity, an invitation, an engagement) or the
    /// CRM's. It may be repeated: what is done already is not done again.
    pub async fn carry_out(&self, id: &str, order: &Order) -> Result<Outcome, SyncError> {
        let subject = match self.subject(id, order).await? {
            Ok(subject) => subject,
            Err(why) => return Ok(Outcome::new(Deed::Refused, Some(why))),
        };
        let reference = subject.reference();
        let outcome = match meaning(&subject, order) {
            Err(why) => Outcome::new(Deed::Refused, Some(why)),
            Ok(Meaning::Nothing(why)) => Outcome::new(Deed::Unchanged, Some(why)),
            // Boxed: a delivery is large, and whoever waits for one would be.
            Ok(Meaning::Write(writes)) => match Box::pin(self.ordered(&subject, order, writes)).await {
                Err(SyncError::Port(PortError::Rejected { problems, .. })) => Outcome::refused(problems),
                ended => ended?,
            },
        };
        let link = self.from_aws.converger.ledger.link(&LinkKey::Crm(reference.clone())).await?;
        let ace_id = link.or(subject.link).as_ref().and_then(Link::ace_id).map(str::to_owned);
        Ok(Outcome { ace_id, crm_id: Some(reference.id), ..outcome })
    }

    async fn subject(&self, id: &str, order: &Order) -> Result<Result<Subject<'_>, Why>, SyncError> {
        let converger = &self.from_aws.converger;
        let find = || named(converger.ledger.as_ref(), converger.crm.as_ref(), &converger.mapping, id);
        let mut found = find().await?;
        if let (Order::Accept | Order::Reject(_), Some(LinkKey::Invitation(invitation)), None) =
            (order, &found.key, &found.link)
        {
            // No event has brought it yet.
            self.from_aws.invitation(invitation, Purpose::Command).await?;
            found = find().await?;
        }
        let Named { link, record, .. } = found;
        Ok(match (record, &link) {
            (Some((object, crm)), _) => Ok(Subject { object, crm, link }),
            (None, Some(link)) if link.crm().is_some() => Err(Why::Deleted),
            (None, _) => Err(Why::Unknown),
        })
    }

    /// Writes an order into the CRM and delivers the record.
    async fn ordered(&self, subject: &Subject<'_>, order: &Order, mut writes: CrmFields) -> Result<Outcome, SyncError> {
        let converger = &self.from_aws.converger;
        let Subject { object, crm, link } = subject;
        let reference = subject.reference();
        writes.retain(|name, value| crm.fields.get(name) != Some(value));
        if !writes.is_empty() {
            let link = link.clone().unwrap_or_else(|| Link::new(LinkKey::Crm(reference.clone())));
            converger.write(object, &link, Some(crm), writes).await?;
            let message = format!("an operator's command: {}", order.as_str());
            let at = (converger.now)();
            let mut entry = Entry::new(at, Direction::ToAws, Purpose::Command, Status::Processed, message).about(&link);
            entry.crm_id = Some(crm.id.clone());
            converger.ledger.log(&[entry]).await?;
        }
        Ok(match self.record(reference).await? {
            Disposition::Done => Outcome::new(Deed::Done, None),
            Disposition::Retry(error) | Disposition::Park(error) => return Err(error),
            Disposition::Skip(reason) => match reason {
                SkipReason::HeldBack => Outcome::new(Deed::HeldBack, Some(Why::HeldBack)),
                SkipReason::NotShared => Outcome::new(Deed::Refused, Some(Why::NotShared)),
                SkipReason::Deleted => Outcome::new(Deed::Refused, Some(Why::Deleted)),
                SkipReason::OutOfScope | SkipReason::UnknownObject => {
                    Outcome::new(Deed::Refused, Some(Why::OutOfScope))
                }
                SkipReason::Unshared => Outcome::new(Deed::Refused, Some(Why::Unshared)),
                SkipReason::Rejected => Outcome::refused(self.last_problems(&crm.id).await?),
                SkipReason::Unchanged
                | SkipReason::AlreadyRead
                | SkipReason::NotNeeded
                | SkipReason::UnknownType
                | SkipReason::OtherCatalog
                | SkipReason::ByFile => Outcome::new(Deed::Unchanged, None),
            },
        })
    }

    /// What the sync log has just been told about a record that was refused.
    async fn last_problems(&self, crm_id: &str) -> Result<Vec<Rejection>, SyncError> {
        const RECENT: usize = 5;
        let entries = self.from_aws.converger.ledger.read_log(&Query::of(Of::Record(crm_id)), RECENT).await?;
        let refused = entries.into_iter().find(|entry| entry.status == Status::Error);
        Ok(refused.map(|entry| entry.problems).unwrap_or_default())
    }
}

fn meaning(subject: &Subject<'_>, order: &Order) -> Result<Meaning, Why> {
    let Subject { object, crm, link } = subject;
    if !object.in_scope(&crm.fields) {
        return Err(Why::OutOfScope);
    }
    let is_answer = matches!(order, Order::Accept | Order::Reject(_));
    match link {
        _ if is_answer => {}
        _ if object.kind == Kind::Lead => return Err(Why::Lead),
        Some(link) if link.is_pending() => return Err(Why::Referral),
        _ => {}
    }
    match order {
        Order::Share => share(subject),
        Order::Update => subject.opportunity().map(|_| Meaning::Write(CrmFields::new())),
        Order::Accept => answer(subject, Answer::Accept, None),
        Order::Reject(reason) => answer(subject, Answer::Reject, Some(reason)),
        Order::Associate(entity, id) => associations(subject, *entity, |items| {
            if !items.contains(id) {
                items.push(id.clone());
            }
        }),
        Order::Disassociate(entity, id) => associations(subject, *entity, |items| items.retain(|item| item != id)),
        Order::Assign(email) => change(subject, &[("opportunityOwnerEmail", text(email))]),
        Order::Lose(reason) => {
            change(subject, &[("stage", text(Stage::ClosedLost.as_str())), ("closedLostReason", text(reason))])
        }
        Order::Launch(account) => {
            let account = account.as_ref().map(|account| ("awsAccountId", text(account)));
            let changes: Vec<_> = [("stage", text(Stage::Launched.as_str()))].into_iter().chain(account).collect();
            change(subject, &changes)
        }
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn share(Subject { object, crm, link }: &Subject<'_>) -> Result<Meaning, Why> {
    let link = link.as_ref();
    let done = link.is_some_and(|link| {
        let begun = link.share.as_ref().map(|share| share.submitted);
        link.opportunity().is_some() && link.tick != Tick::TakenBack && begun.unwrap_or(!is_draft(link))
    });
    if done {
        return Ok(Meaning::Nothing(Why::Shared));
    }
    if object.wants_share(&crm.fields) {
        return Ok(Meaning::Write(CrmFields::new()));
    }
    let tick = object.share.clone().ok_or(Why::NoShareBox)?;
    Ok(Meaning::Write(CrmFields::from([(tick, CrmValue::Bool(true))])))
}

fn answer(Subject { object, link, .. }: &Subject<'_>, answer: Answer, reason: Option<&String>) -> Result<Meaning, Why> {
    let referral = link.as_ref().and_then(|link| link.referral.as_ref()).ok_or(Why::NoReferral)?;
    let fields = object.referral.as_ref().ok_or(Why::NoReferral)?;
    match (referral.status, answer) {
        (Acceptance::Pending, Answer::Reject) if reason.is_some() && fields.rejection_reason.is_none() => {
            Err(Why::NotMapped("referral.rejection_reason".to_owned()))
        }
        (Acceptance::Pending, _) => Ok(Meaning::Write(answered(fields, answer, reason.map(String::as_str)))),
        (Acceptance::Accepted, Answer::Accept) | (Acceptance::Rejected, Answer::Reject) => {
            Ok(Meaning::Nothing(Why::Answered(referral.status)))
        }
        (status, _) => Err(Why::Answered(status)),
    }
}

fn associations(subject: &Subject<'_>, entity: Entity, edit: impl FnOnce(&mut Vec<String>)) -> Result<Meaning, Why> {
    let field = Kind::Opportunity.fields().iter().find(|field| field.entity() == Some(entity));
    let key = field.map(|field| field.key).ok_or_else(|| Why::NotMapped(entity.as_str().to_owned()))?;
    let (ours, _) = subject.object.to_ace(&subject.crm.fields);
    let mut items = ours.value(key).map_or_else(Vec::new, |value| value.items().to_vec());
    edit(&mut items);
    change(subject, &[(key, Value::list(items))])
}

/// What is written to the CRM so that these fields have these values.
fn change(subject: &Subject<'_>, changes: &[(&str, Value)]) -> Result<Meaning, Why> {
    subject.opportunity()?;
    let Subject { object, crm, .. } = subject;
    let line = |key: &str| -> Option<&FieldMapping> {
        let mut lines = object.fields.iter().filter(|line| line.direction.sends());
        lines.find(|line| line.ace.key == key && !matches!(line.source, Source::Constant(_)))
    };
    let missing: Vec<&str> = changes.iter().map(|(key, _)| *key).filter(|key| line(key).is_none()).collect();
    if !missing.is_empty() {
        return Err(Why::NotMapped(missing.join(" and ")));
    }
    let (ours, _): (Record, _) = object.to_ace(&crm.fields);
    let won = changes.iter().filter_map(|(key, value)| Some((line(key)?, value)));
    Ok(Meaning::Write(object.to_crm(won, &ours)))
}
