//! From the CRM to AWS: sharing, updating, answering referrals. The CRM's record is fetched and its present state
//! decides what is to be done; the message only says that it changed.

mod by_file;

use cosell_mapping::{CrmValue, ObjectMapping, Plan, ReferralFields, Side};
use cosell_model::{
    Field, Kind, OpportunityId, Record, Value, Wire, api,
    catalog::{Entity, Required, Write},
    life_cycle::{Acceptance, Access, ReviewStatus, Standing, State},
    validate::{self, Operation, Problem, Rule, validate},
};
use jiff::Timestamp;

use crate::{
    Converged, Conversion, CrmRef, Disposition, Link, LinkKey, Share, SkipReason, SyncError, Tick,
    converge::{Report, conflicts, moment, newer, sentence},
    from_aws::FromAws,
    log::{Direction, Entry, Open, Purpose, Status},
    notice::Notice,
    ports::{CrmKey, CrmRecord, PortError, Rejection, Task, TaskState},
    push::Changed,
};

/// How often an update is merged again when AWS's record moves meanwhile.
const CONFLICTS: usize = 3;

/// Writes to Partner Central.
pub struct Deliver {
    /// The way back: what AWS makes of a write comes into the CRM by it.
    pub from_aws: FromAws,
}

/// A record of the CRM and what it belongs to.
struct Case<'d> {
    object: &'d ObjectMapping,
    crm: CrmRecord,
    /// The record in ACE words.
    ours: Record,
    link: Link,
    /// Whether what AWS has refused in a file goes once more, although nobody has edited it.
    again: bool,
}

impl Deliver {
    /// Works off one message of the queue to AWS.
    pub async fn message(&self, body: &str) -> Disposition {
        let result = async {
            let Changed { record, again, .. } = Changed::read(body)?;
            self.work_off(record, again).await
        };
        result.await.into()
    }

    /// Brings AWS in step with a record of the CRM, as somebody asks who knows why.
    pub async fn record(&self, record: CrmRef) -> Result<Disposition, SyncError> {
        self.work_off(record, true).await
    }

    async fn work_off(&self, record: CrmRef, again: bool) -> Result<Disposition, SyncError> {
        let converger = &self.from_aws.converger;
        let Some(object) = converger.mapping.object(&record.object) else {
            return Ok(Disposition::Skip(SkipReason::OutOfScope));
        };
        let Some(crm) = converger.crm.fetch(&object.object, CrmKey::Id(&record.id), &object.crm_fields()).await? else {
            return self.deleted(object, record).await;
        };
        if !object.in_scope(&crm.fields) {
            return Ok(Disposition::Skip(SkipReason::OutOfScope));
        }
        let key = LinkKey::Crm(record);
        let mut link = converger.ledger.link(&key).await?.unwrap_or_else(|| Link::new(key));
        converger.unclaimed(&link)?;
        if self.stopped(object, &crm, &mut link).await? {
            return Ok(Disposition::Skip(SkipReason::Unshared));
        }
        let (ours, unmappable) = link.ours(object, &crm.fields);
        let mut case = Case { object, crm, ours, link, again };
        if !unmappable.is_empty() {
            let problems = unmappable.iter().map(Rejection::from).collect();
            return self.refuse(&case, "some fields cannot be turned into ACE's", problems).await;
        }
        let invitation = case.link.invitation().cloned();
        let outcome = match (answer(&case), case.link.opportunity(), &case.link.share) {
            _ if goes_by_file(&case) => self.by_file(&mut case).await,
            (Some(answer), ..) => self.answer(&mut case, answer).await,
            _ if object.kind == Kind::Lead => self.convert(&mut case).await,
            // A draft that cosell did not make: of a lead, or somebody's in Partner Central.
            (None, Some(_), None) if is_draft(&case.link) && object.wants_share(&case.crm.fields) => {
                self.share(&mut case).await
            }
            (None, _, Some(share)) if !share.submitted => self.share(&mut case).await,
            (None, Some(_), _) => self.update(&mut case).await,
            (None, None, _) if object.wants_share(&case.crm.fields) => self.share(&mut case).await,
            (None, None, _) => Ok(Disposition::Skip(SkipReason::NotShared)),
        };
        match (outcome, invitation) {
            // Somebody in Partner Central was faster: the CRM shows how it stands there.
            (Err(SyncError::Port(PortError::Conflict { .. })), Some(invitation)) if case.link.is_pending() => {
                self.from_aws.invitation(&invitation, Purpose::Push).await
            }
            (Err(SyncError::Port(PortError::Rejected { problems, what })), _) => {
                tracing::warn!(crm = %case.crm.id, what, "AWS refused the record");
                self.refused(&case, "AWS refused the record", problems, Open::Refused).await
            }
            (other, _) => other,
        }
    }

    /// A record that the CRM does not have any more. One that was linked is missed.
    async fn deleted(&self, object: &ObjectMapping, record: CrmRef) -> Result<Disposition, SyncError> {
        let converger = &self.from_aws.converger;
        let link = converger.ledger.link(&LinkKey::Crm(record.clone())).await?;
        if let Some(mut link) = link.filter(|link| link.misses(&record)) {
            converger.unclaimed(&link)?;
            converger.deleted(object, &mut link).await?;
        }
        Ok(Disposition::Skip(SkipReason::Deleted))
    }

    /// Whether nothing is to be sent of a record, since a rep took back the sharing.
    async fn stopped(&self, object: &ObjectMapping, crm: &CrmRecord, link: &mut Link) -> Result<bool, SyncError> {
        let converger = &self.from_aws.converger;
        let tick = link.ticked(object, &crm.fields);
        let stopped = tick == Tick::TakenBack;
        let known = std::mem::replace(&mut link.tick, tick);
        let was_unlinked = std::mem::take(&mut link.unlinked);
        if stopped && known != tick {
            converger.report(object, crm, &Report::stopped()).await?;
            let mut entry =
                converger.entry(Purpose::Push, Status::Partial, "not shared any more: changes are not sent", link);
            entry.direction = Direction::ToAws;
            converger.ledger.log(&[entry]).await?;
        }
        // A link that nobody stored yet is stored by the share's first step.
        if link.version > 0 && (known != tick || was_unlinked) {
            converger.ledger.save(link).await?;
        }
        Ok(stopped)
    }

    /// Shares a record. Its link is claimed meanwhile: each step rings, and the rings wait for the end.
    async fn share(&self, case: &mut Case<'_>) -> Result<Disposition, SyncError> {
        let converger = &self.from_aws.converger;
        let problems = validate(&case.ours, &checked_for(Operation::Submit, Standing::default(), (converger.now)()));
        if !problems.is_empty() {
            return self.refuse(case, "it is not complete", in_crm_words(case.object, problems)).await;
        }
        let submitted = self.steps(case).await;
        if case.link.claimed_until.take().is_some() {
            converger.ledger.save(&mut case.link).await?;
        }
        let id = match submitted? {
            Ok(id) => id,
            Err(refused) => return Ok(refused),
        };
        let fields = sent(&case.ours).iter().map(|(field, _)| field.key.to_owned()).collect();
        converger.tell(case.object.kind, &case.link, &[Notice::Synced { direction: Direction::ToAws, fields }]).await;
        let done = "created, completed and submitted at AWS";
        let mut entry = self.entry(case, Status::ApiSuccess, done).with(&case.ours, Vec::new());
        entry.changed_at = changed_at(case);
        converger.ledger.log(&[entry]).await?;
        self.from_aws.opportunity(&id, Purpose::Push).await?;
        Ok(Disposition::Done)
    }

    /// Creates, associates and submits, one stored step after the other: a repetition goes on where the last one
    /// stopped, with the same tokens and the same bodies. What the rep changed since the creation goes before the
    /// submission, so that a refusal can be mended.
    async fn steps(&self, case: &mut Case<'_>) -> Result<Result<OpportunityId, Disposition>, SyncError> {
        let Self { from_aws: FromAws { partner_central, converger } } = self;
        let mut share = self.begun(case).await?;
        let id = self.created(case, &share).await?;
        for (entity, wanted) in api::associations(&case.ours) {
            let done = (entity.as_str().to_owned(), wanted.to_owned());
            if !share.associated.contains(&done) {
                partner_central.associate(&id, entity.as_str(), wanted).await?;
                share.associated.push(done);
                associating(&mut case.link, &case.ours, &share.associated);
                case.link.share = Some(share.clone());
                converger.claim(&mut case.link).await?;
            }
        }
        if sent(&case.ours) != case.link.base(Kind::Opportunity)
            && let refused @ Disposition::Skip(SkipReason::Rejected) = self.update(case).await?
        {
            return Ok(Err(refused));
        }
        self.submitted(case, share, &id).await?;
        Ok(Ok(id))
    }

    /// The share's stored state. A new one is stored before the first call: its token protects from a second opportunity.
    async fn begun(&self, case: &mut Case<'_>) -> Result<Share, SyncError> {
        let converger = &self.from_aws.converger;
        if let Some(share) = case.link.share.clone() {
            converger.claim(&mut case.link).await?;
            return Ok(share);
        }
        let mut record = case.ours.clone();
        if let Some(field) = Kind::Opportunity.field("partnerCrmUniqueIdentifier") {
            record.set(field, Value::Text(case.crm.id.clone()));
        }
        let token = uuid::Uuid::new_v4().to_string();
        let share =
            Share { body: api::create_body(&record, converger.catalog, &token), ..Share::of_existing(&case.ours) };
        case.link.share = Some(share.clone());
        if case.link.opportunity().is_none() {
            case.link.set_base(&sent(&case.ours));
            associating(&mut case.link, &case.ours, &share.associated);
        }
        converger.claim(&mut case.link).await?;
        Ok(share)
    }

    /// The opportunity, created now or by an earlier attempt.
    async fn created(&self, case: &mut Case<'_>, share: &Share) -> Result<OpportunityId, SyncError> {
        if let Some(id) = case.link.opportunity() {
            return Ok(id.clone());
        }
        let Self { from_aws: FromAws { partner_central, converger } } = self;
        let stored = match partner_central.create(&share.body).await {
            Err(error @ PortError::Rejected { .. }) => {
                // The next attempt must start from what the rep mended, under a new token.
                case.link.share = None;
                converger.ledger.save(&mut case.link).await?;
                return Err(error.into());
            }
            other => other?,
        };
        case.link.also(LinkKey::Opportunity(stored.id.clone()));
        case.link.last_modified = Some(stored.last_modified);
        converger.claim(&mut case.link).await?;
        Ok(stored.id)
    }

    /// Submits. A refusal ends the token: with the same one AWS would only repeat what became of it.
    async fn submitted(&self, case: &mut Case<'_>, mut share: Share, id: &OpportunityId) -> Result<(), SyncError> {
        let Self { from_aws: FromAws { partner_central, converger } } = self;
        let wished = (api::involvement(&case.ours), api::visibility(&case.ours));
        if (share.involvement.as_str(), share.visibility.as_str()) != wished {
            (share.involvement, share.visibility) = (wished.0.to_owned(), wished.1.to_owned());
            share.submit_token = uuid::Uuid::new_v4().to_string();
            case.link.share = Some(share.clone());
            converger.claim(&mut case.link).await?;
        }
        let answer = partner_central.submit(id, &share.submit_token, &share.involvement, &share.visibility).await;
        let ended = answer.map_err(SyncError::from).and_then(|task| finished(task, "the submission"));
        match &ended {
            Ok(()) => share.submitted = true,
            Err(SyncError::Port(PortError::Rejected { .. })) => share.submit_token = uuid::Uuid::new_v4().to_string(),
            Err(_) => return ended,
        }
        case.link.share = Some(share);
        case.link.claimed_until = None;
        converger.ledger.save(&mut case.link).await?;
        ended
    }

    /// Sends what the CRM changed, as far as AWS takes it now. What AWS takes later stays a difference to the base and
    /// goes out by itself when the window opens; what it never takes is said on the record.
    async fn update(&self, case: &mut Case<'_>) -> Result<Disposition, SyncError> {
        let Self { from_aws: FromAws { partner_central, converger } } = self;
        let Some(id) = case.link.opportunity().cloned() else { return Ok(Disposition::Skip(SkipReason::NotShared)) };
        let refused = "some fields are not as AWS takes them";
        let base = case.link.base(Kind::Opportunity);
        let mistakes = mistakes(case.object, &base, &case.ours, (converger.now)());
        if !mistakes.is_empty() {
            return self.refuse(case, refused, in_crm_words(case.object, mistakes)).await;
        }
        for _ in 0..CONFLICTS {
            let current = partner_central.opportunity(&id).await?;
            let shown = api::opportunity(&current, None);
            let whole = shown.record.clone();
            let aws = case.link.corrected(Direction::FromAws, shown.without_redacted().record);
            if case.object.is_dummy(&aws) {
                return Ok(Disposition::Skip(SkipReason::OutOfScope));
            }
            let base = case.link.agreed(&aws, &case.ours);
            let plan = case.object.plan(&base, &aws, &case.ours, newer(&aws, Some(&case.crm)));
            let Outgoing { changes, merged, later, never, wrong } = Outgoing::of(&plan, &whole, (converger.now)());
            if !wrong.is_empty() {
                return self.refuse(case, refused, in_crm_words(case.object, wrong)).await;
            }
            let message = held_back(&later, &never);
            let held = (!later.is_empty()).then_some(Open::Held);
            let report = Report::waiting(later, message.clone());
            if changes.is_empty() {
                if converger.report(case.object, &case.crm, &report).await? {
                    self.log_standing(case, message.as_deref(), held).await?;
                }
                let reason = if message.is_some() { SkipReason::HeldBack } else { SkipReason::Unchanged };
                return Ok(Disposition::Skip(reason));
            }
            // Whatever is cut from here on: what AWS says of it next is not taken for an edit of AWS's.
            case.link.sends(&plan, Side::Aws, &changes);
            converger.ledger.save(&mut case.link).await?;
            for (entity, which, wanted) in entity_changes(&aws, &changes) {
                if wanted {
                    partner_central.associate(&id, entity.as_str(), &which).await?;
                } else {
                    partner_central.disassociate(&id, entity.as_str(), &which).await?;
                }
            }
            for assignee in api::assignees(&changes, &merged) {
                partner_central.assign(&id, &assignee).await?;
            }
            let in_body = changes.iter().any(|(field, _)| field.write == Write::Body);
            if in_body {
                match partner_central.update(&api::update_body(&current, &changes, converger.catalog)).await {
                    Ok(stored) => case.link.last_modified = Some(stored.last_modified),
                    Err(PortError::Conflict { .. }) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            let base = plan.base_after(Kind::Opportunity, |field| changes.get(field).map(|_| Side::Crm));
            case.link.set_base(&base);
            converger.ledger.save(&mut case.link).await?;
            let fields = changes.iter().map(|(field, _)| field.key.to_owned()).collect();
            let synced = Notice::Synced { direction: Direction::ToAws, fields };
            converger.tell(case.object.kind, &case.link, &[synced]).await;
            let partial = if message.is_some() { Status::Partial } else { Status::ApiSuccess };
            let won = conflicts(&plan).filter(|(winner, _)| *winner == Some(Side::Crm)).map(|(_, conflict)| conflict);
            let won: Vec<_> = won.collect();
            metrics::counter!("conflicts").increment(won.len() as u64);
            let mut entry = self.entry(case, partial, "updated at AWS").with(&case.ours, won).leaves(held);
            entry.fields = changes.iter().map(|(field, _)| field.key.to_owned()).collect();
            entry.changed_at = changed_at(case);
            converger.ledger.log(&[entry]).await?;
            if in_body && Standing::of(&aws).status == Some(ReviewStatus::ActionRequired) {
                self.resubmitted(case, &id).await?;
            }
            converger.report(case.object, &case.crm, &report).await?;
            return Ok(Disposition::Done);
        }
        Err(PortError::Conflict { what: format!("UpdateOpportunity {id}") }.into())
    }

    /// Submits again what a reviewer sent back, unless the update has done that: AWS's guide says that it does, and does
    /// not say whether always.
    async fn resubmitted(&self, case: &mut Case<'_>, id: &OpportunityId) -> Result<(), SyncError> {
        let Self { from_aws: FromAws { partner_central, converger } } = self;
        let current = api::opportunity(&partner_central.opportunity(id).await?, None).record;
        if Standing::of(&current).status != Some(ReviewStatus::ActionRequired) {
            return Ok(());
        }
        let share = Share {
            submit_token: uuid::Uuid::new_v4().to_string(),
            submitted: false,
            ..case.link.share.clone().unwrap_or_else(|| Share::of_existing(&case.ours))
        };
        case.link.share = Some(share.clone());
        converger.claim(&mut case.link).await?;
        self.submitted(case, share, id).await
    }

    /// Sends the rep's answer to a referral.
    async fn answer(&self, case: &mut Case<'_>, answer: Answer) -> Result<Disposition, SyncError> {
        let Self { from_aws: FromAws { partner_central, converger } } = self;
        let (Some(invitation), Some(mut referral)) = (case.link.invitation().cloned(), case.link.referral.clone())
        else {
            return Ok(Disposition::Skip(SkipReason::NotShared));
        };
        let (message, converged) = match (answer, case.link.engagement().cloned()) {
            (Answer::Accept, Some(engagement)) => {
                partner_central.join(&invitation).await?;
                referral.status = Acceptance::Accepted;
                case.link.referral = Some(referral);
                converger.ledger.save(&mut case.link).await?;
                self.from_aws.lead(&engagement, Purpose::Push).await?;
                ("lead accepted at AWS", Converged::Written)
            }
            (Answer::Accept, None) => {
                let task = partner_central.accept(&invitation, &referral.accept_token).await?;
                let opportunity = task.opportunity.clone();
                finished(task, "the acceptance")?;
                let Some(id) = opportunity else {
                    return Err(SyncError::Running { what: format!("the acceptance of {invitation}") });
                };
                case.link.also(LinkKey::Opportunity(id.clone()));
                referral.status = Acceptance::Accepted;
                case.link.referral = Some(referral);
                // The event of the new opportunity may be faster: then its link is the truth, and this one starts again.
                converger.ledger.save(&mut case.link).await?;
                ("referral accepted at AWS", self.from_aws.opportunity(&id, Purpose::Push).await?.1)
            }
            (Answer::Reject(reason), _) => {
                partner_central.reject(&invitation, &reason).await?;
                referral.status = Acceptance::Rejected;
                case.link.referral = Some(referral);
                converger.ledger.save(&mut case.link).await?;
                self.from_aws.invitation(&invitation, Purpose::Push).await?;
                ("referral rejected at AWS", Converged::Written)
            }
        };
        converger.ledger.log(&[self.entry(case, Status::ApiSuccess, message)]).await?;
        Ok(match converged {
            Converged::Rejected => Disposition::Skip(SkipReason::Rejected),
            _ => Disposition::Done,
        })
    }

    /// Makes AWS's opportunity of a lead that the CRM has converted, and ties it to the CRM's.
    async fn convert(&self, case: &mut Case<'_>) -> Result<Disposition, SyncError> {
        let Self { from_aws: FromAws { partner_central, converger } } = self;
        let fields = &case.crm.fields;
        let converted = case.object.converted(fields);
        let accepted = case.link.referral.as_ref().is_some_and(|referral| referral.status == Acceptance::Accepted);
        let (Some(converted), Some(engagement), true) = (converted, case.link.engagement().cloned(), accepted) else {
            return Ok(Disposition::Skip(SkipReason::Unchanged));
        };
        let mut conversion = match case.link.conversion.clone() {
            Some(conversion) if conversion.opportunity.is_some() => {
                return Ok(Disposition::Skip(SkipReason::Unchanged));
            }
            Some(conversion) => conversion,
            None => {
                let begun = Conversion { token: uuid::Uuid::new_v4().to_string(), opportunity: None };
                case.link.conversion = Some(begun.clone());
                converger.ledger.save(&mut case.link).await?;
                begun
            }
        };
        let shown = partner_central.engagement(&engagement).await?;
        let Some(context) = api::lead_context(&shown) else {
            return Err(PortError::NotFound { what: format!("the lead of {engagement}") }.into());
        };
        let task = partner_central.convert(&engagement, context, &conversion.token).await?;
        let made = task.opportunity.clone();
        finished(task, "the conversion of the lead")?;
        let running = || SyncError::Running { what: format!("the conversion of {engagement}") };
        let id = made.ok_or_else(running)?;

        if let Some(record) = fields.get(&converted.opportunity).and_then(CrmValue::as_text) {
            let object = converger.mapping.opportunity.object.clone();
            self.tie(&id, CrmRef { object, id: record.to_owned() }).await?;
        }
        self.from_aws.opportunity(&id, Purpose::Push).await?;
        let message = format!("the lead became opportunity {id} at AWS");
        conversion.opportunity = Some(id);
        case.link.conversion = Some(conversion);
        converger.ledger.save(&mut case.link).await?;
        converger.ledger.log(&[self.entry(case, Status::ApiSuccess, &message)]).await?;
        Ok(Disposition::Done)
    }

    /// Links AWS's draft of a converted lead with the opportunity that the CRM made of it. Where both say something, what
    /// AWS put into the draft counts as agreed on: the rep's words go there, and AWS's fill what the rep left empty.
    async fn tie(&self, id: &OpportunityId, record: CrmRef) -> Result<(), SyncError> {
        let Self { from_aws: FromAws { partner_central, converger } } = self;
        let key = LinkKey::Opportunity(id.clone());
        let known = converger.ledger.link(&key).await?;
        if known.as_ref().is_some_and(|link| link.crm().is_some()) {
            return Ok(());
        }
        let object = &converger.mapping.opportunity;
        let Some(crm) = converger.crm.fetch(&object.object, CrmKey::Id(&record.id), &object.crm_fields()).await? else {
            return Ok(());
        };
        let (ours, _) = object.to_ace(&crm.fields);
        let mut base = api::opportunity(&partner_central.opportunity(id).await?, None).record;
        for field in Kind::Opportunity.fields() {
            if ours.get(field).is_none_or(|value| *value == Value::Null) {
                base.remove(field);
            }
        }
        let mut link = known.unwrap_or_else(|| Link::new(key));
        link.also(LinkKey::Crm(record));
        link.set_base(&base);
        Ok(converger.ledger.save(&mut link).await?)
    }

    /// Says on the record and in the sync log what is wrong; the record waits for somebody to edit it.
    async fn refuse(&self, case: &Case<'_>, why: &str, problems: Vec<Rejection>) -> Result<Disposition, SyncError> {
        self.refused(case, why, problems, Open::Wrong).await
    }

    async fn refused(
        &self,
        case: &Case<'_>,
        why: &str,
        problems: Vec<Rejection>,
        open: Open,
    ) -> Result<Disposition, SyncError> {
        let converger = &self.from_aws.converger;
        let text = sentence(&format!("Not sent to AWS, {why}"), &problems);
        converger.report(case.object, &case.crm, &Report::refusal(text)).await?;
        converger.tell(case.object.kind, &case.link, &[Notice::failed(Direction::ToAws, &problems)]).await;
        let entry = self.entry(case, Status::Error, why).with(&case.ours, problems).leaves(Some(open));
        converger.ledger.log(&[entry]).await?;
        Ok(Disposition::Skip(SkipReason::Rejected))
    }

    /// Logs that a record stands otherwise than it did, although nothing was sent: what waits, or that nothing does any more.
    async fn log_standing(
        &self,
        case: &Case<'_>,
        held_back: Option<&str>,
        open: Option<Open>,
    ) -> Result<(), SyncError> {
        let said = case.object.status.sync_status.as_ref().and_then(|name| case.crm.fields.get(name)?.as_text());
        let entry = match held_back {
            Some(message) => self.entry(case, Status::Partial, message),
            // It was never otherwise.
            None if said.is_none() => return Ok(()),
            None => self.entry(case, Status::ApiSuccess, "in step: nothing is left to send"),
        };
        Ok(self.from_aws.converger.ledger.log(&[entry.leaves(open)]).await?)
    }

    fn entry(&self, case: &Case<'_>, status: Status, message: &str) -> Entry {
        let now = (self.from_aws.converger.now)();
        let mut entry = Entry::new(now, Direction::ToAws, Purpose::Push, status, message.to_owned()).about(&case.link);
        entry.crm_id = Some(case.crm.id.clone());
        entry
    }
}

/// When the rep changed what goes now. What waited for AWS's review did not take so long to arrive.
fn changed_at(case: &Case<'_>) -> Option<Timestamp> {
    let pending = case.object.status.pending.as_ref().and_then(|name| case.crm.fields.get(name)?.as_text());
    moment(Some(&case.crm.modified_at)).filter(|_| pending.is_none_or(str::is_empty))
}

/// What of a merge AWS takes now, what it takes later or never, and what it would refuse.
pub(crate) struct Outgoing {
    /// What goes.
    pub(crate) changes: Record,
    /// AWS's record with it.
    pub(crate) merged: Record,
    /// What waits for AWS's review.
    pub(crate) later: Vec<&'static Field>,
    /// What is closed for good.
    pub(crate) never: Vec<&'static Field>,
    /// Why nothing goes.
    pub(crate) wrong: Vec<Problem>,
}

impl Outgoing {
    /// Sorts what the CRM wins in an opportunity. `aws` is what AWS has, also what it redacts.
    pub(crate) fn of(plan: &Plan<'_>, aws: &Record, now: Timestamp) -> Self {
        let standing = Standing::of(aws);
        let mut changes = Record::new(Kind::Opportunity);
        let (mut later, mut never) = (Vec::new(), Vec::new());
        for (mapping, value) in plan.won_by(Side::Crm) {
            match standing.access(Kind::Opportunity, mapping.ace) {
                Access::Open => changes.set(mapping.ace, value.clone()),
                Access::Later => later.push(mapping.ace),
                Access::Never => never.push(mapping.ace),
            }
        }
        let mut merged = aws.clone();
        changes.iter().for_each(|(field, value)| merged.set(field, value.clone()));
        let mut wrong = validate(&merged, &checked_for(Operation::Update, standing, now));
        // What AWS has it takes back; what it always wants and lacks, it wants with the next update, whatever that changes.
        // A missing solution is the fault of the last one that goes, or of the stage that needs one.
        let moves = || changes.iter().any(|(field, _)| field.entity().is_some() || field.key == "stage");
        let is_due = |problem: &Problem| {
            let touched = changes.value(problem.field).is_some();
            touched || is_always_wanted(problem) || (problem.rule == Rule::Solution && moves())
        };
        wrong.retain(|problem| !changes.is_empty() && is_due(problem));
        Self { changes, merged, later, never, wrong }
    }
}

/// What of the rep's changes AWS takes in no state of the record: it is said without asking AWS.
pub(crate) fn mistakes(object: &ObjectMapping, base: &Record, ours: &Record, now: Timestamp) -> Vec<Problem> {
    let changed = |key| ours.value(key).is_some_and(|ours| base.value(key).unwrap_or(&Value::Null) != ours);
    let sent = |key| object.fields.iter().any(|line| line.ace.key == key && line.direction.sends());
    let mut mistakes = validate(ours, &checked_for(Operation::Update, Standing::default(), now));
    mistakes.retain(|problem| problem.rule.is_of_one_field() && changed(problem.field) && sent(problem.field));
    mistakes
}

fn checked_for(operation: Operation, standing: Standing, now: Timestamp) -> validate::Case<'static> {
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    validate::Case { operation, wire: Wire::Api, standing, changes: None, today }
}

/// Whether a record goes in a file. A lead goes back the way it came.
fn goes_by_file(case: &Case<'_>) -> bool {
    match case.object.kind {
        Kind::Opportunity => case.object.goes_by_file(),
        Kind::Lead => case.link.lead().is_some(),
    }
}

/// A rep's answer to a referral that is still open.
enum Answer {
    Accept,
    Reject(String),
}

fn answer(case: &Case<'_>) -> Option<Answer> {
    let ReferralFields { response, accept, reject, rejection_reason, .. } = case.object.referral.as_ref()?;
    if !case.link.is_pending() {
        return None;
    }
    let text = |name: &str| case.crm.fields.get(name).and_then(CrmValue::as_text);
    match text(response)? {
        said if said == accept => Some(Answer::Accept),
        said if said == reject => {
            let reason = rejection_reason.as_deref().and_then(text).unwrap_or("Other");
            Some(Answer::Reject(reason.to_owned()))
        }
        _ => None,
    }
}

/// Whether AWS has never been asked to look at it.
pub(crate) fn is_draft(link: &Link) -> bool {
    link.review.as_deref() == Some(ReviewStatus::PendingSubmission.as_str())
}

fn finished(task: Task, what: &str) -> Result<(), SyncError> {
    match task.state {
        TaskState::Complete => Ok(()),
        TaskState::InProgress => Err(SyncError::Running { what: what.to_owned() }),
        TaskState::Failed { reason, message } => Err(match reason.as_str() {
            "RequestThrottled" => PortError::Throttled { what: what.to_owned(), retry_after: None },
            "InternalError" | "ServiceQuotaExceeded" => PortError::Unavailable { what: what.to_owned(), cause: None },
            _ => PortError::Rejected {
                what: what.to_owned(),
                problems: vec![Rejection { field: None, code: reason, message }],
            },
        }
        .into()),
    }
}

/// The fields of a record that a creation and its associations carry.
fn sent(ours: &Record) -> Record {
    let mut sent = Record::new(ours.kind());
    let carried = |field: &Field| matches!(field.write, Write::Body | Write::CreateOnly | Write::Associate);
    for (field, value) in ours.iter().filter(|(field, _)| carried(field)) {
        sent.set(field, value.clone());
    }
    sent
}

/// Notes what AWS has of a record's associations, and which one it has next, perhaps without our hearing of it: what is not
/// there yet was not taken away by AWS.
fn associating(link: &mut Link, ours: &Record, made: &[(String, String)]) {
    let mut base = link.base(ours.kind());
    let wanted: Vec<(Entity, &str)> = api::associations(ours).collect();
    for (field, value) in ours.iter().filter(|(_, value)| !value.items().is_empty()) {
        let Some(entity) = field.entity() else { continue };
        let open = |id: &str| {
            wanted.contains(&(entity, id)) && !made.iter().any(|(kind, done)| kind == entity.as_str() && done == id)
        };
        let has: Vec<String> = value.items().iter().filter(|id| !open(id)).cloned().collect();
        let next = value.items().iter().find(|id| open(id));
        let soon = value.items().iter().filter(|id| !open(id) || next == Some(*id)).cloned();
        if next.is_some() {
            link.to_aws.insert(field.key.to_owned(), Value::list(soon).to_json());
        }
        if has.is_empty() { base.remove(field) } else { base.set(field, Value::list(has)) }
    }
    link.set_base(&base);
}

fn is_always_wanted(problem: &Problem) -> bool {
    let field = Kind::Opportunity.field(problem.field);
    problem.rule == Rule::Required && field.is_some_and(|field| field.required == Required::Create)
}

/// Problems with the names that the rep sees.
fn in_crm_words(object: &ObjectMapping, problems: Vec<Problem>) -> Vec<Rejection> {
    let named = problems.into_iter().map(|mut problem| {
        problem.crm = object.crm_name(problem.field).map(str::to_owned);
        Rejection::from(&problem)
    });
    named.collect()
}

/// What to associate (`true`) and what to detach. New ones come first: AWS refuses to lose the last one.
fn entity_changes<'r>(aws: &'r Record, changes: &'r Record) -> Vec<(Entity, String, bool)> {
    let mut moves = Vec::new();
    for (field, value) in changes.iter() {
        let Some(entity) = field.entity() else { continue };
        let has = aws.get(field).map_or(&[][..], Value::items);
        let wants = value.items();
        moves.extend(wants.iter().filter(|which| !has.contains(which)).map(|which| (entity, which.clone(), true)));
        moves.extend(has.iter().filter(|which| !wants.contains(which)).map(|which| (entity, which.clone(), false)));
    }
    moves.sort_by_key(|(.., wanted)| !wanted);
    moves
}

fn held_back(later: &[&'static Field], never: &[&'static Field]) -> Option<String> {
    let names = |fields: &[&Field]| fields.iter().map(|field| field.key).collect::<Vec<_>>().join(", ");
    let mut text = Vec::new();
    if !later.is_empty() {
        text.push(format!("AWS is reviewing: {} will be sent when the review is over.", names(later)));
    }
    if !never.is_empty() {
        text.push(format!("AWS does not take changes of {} any more: they were not sent.", names(never)));
    }
    (!text.is_empty()).then(|| text.join("\n"))
}
