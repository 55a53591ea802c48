//! Rings from AWS: opportunities, invitations, leads. A ring names a record; its present state is fetched and merged.

use cosell_mapping::{Answer, CrmValue, ObjectMapping, ReferralFields, ReferralRule};
use cosell_model::{
    Catalog, EngagementId, InvitationId, Kind, OpportunityId, api,
    event::{self, Ring},
    life_cycle::Acceptance,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    Converged, Converger, Disposition, Link, LinkKey, Referral, SkipReason, SyncError, Work,
    converge::{Arrival, whole_seconds},
    log::{Purpose, Status},
    notice::Notice,
    ports::{CrmFields, CrmKey, Ledger, PartnerCentral, PortResult},
    push, reconcile,
};

/// How much older than our question an event must be for its news to be in the answer: AWS may ring a little before it
/// answers the new state, and clocks differ.
const SETTLED: SignedDuration = SignedDuration::from_secs(5);

/// The part of an EventBridge event that says what rang.
#[derive(Debug, Deserialize)]
struct Envelope {
    /// AWS's name of the event.
    #[serde(rename = "detail-type")]
    detail_type: String,
    /// Who rang.
    #[serde(default)]
    source: String,
    /// When.
    #[serde(default)]
    time: Option<Timestamp>,
    /// What it is about.
    detail: Json,
}

fn envelope(body: &str) -> Result<Envelope, SyncError> {
    serde_json::from_str(body).map_err(|cause| SyncError::Body { expected: "an EventBridge event", cause })
}

/// What an event in a message's body is about.
pub(crate) fn rung(body: &str) -> Result<(Catalog, Ring), SyncError> {
    let Envelope { detail_type, detail, .. } = envelope(body)?;
    Ok(event::read(&detail_type, &detail)?)
}

/// What AWS answers of the record that rang.
pub enum Answered {
    /// `GetOpportunity`, and `GetAwsOpportunitySummary` where the mapping uses it.
    Opportunity {
        /// Which.
        id: OpportunityId,
        /// The first answer.
        opportunity: Json,
        /// The second one.
        summary: Option<Json>,
    },
    /// `GetEngagement` of a lead.
    Lead {
        /// Which.
        id: EngagementId,
        /// The answer.
        engagement: Json,
    },
    /// `GetEngagementInvitation`.
    Invitation(Box<api::Invitation>),
}

/// An answer of AWS's, and how we came to ask.
pub struct Seen {
    /// The answer.
    pub answered: Answered,
    /// When we asked.
    pub at: Timestamp,
    /// Why we asked.
    pub purpose: Purpose,
}

/// Reads Partner Central and brings it into the CRM.
pub struct FromAws {
    /// Partner Central.
    pub partner_central: Box<dyn PartnerCentral>,
    /// The way into the CRM.
    pub converger: Converger,
}

/// Works off events, each in the body of a queue's message.
impl Work for FromAws {
    type Seen = Seen;

    /// The record that rang: its present state is what counts, and that costs one read.
    fn subject(&self, body: &str) -> Option<String> {
        match rung(body).ok()? {
            (catalog, Ring::Opportunity(id)) => Some(format!("{catalog}/{id}")),
            (catalog, Ring::Invitation(id)) => Some(format!("{catalog}/{id}")),
            (catalog, Ring::Lead(id)) => Some(format!("{catalog}/{id}")),
            (_, Ring::Nothing(_)) => None,
        }
    }

    /// Asks AWS for the present state of what rang, unless that is known to be in the CRM.
    async fn look(&self, body: String) -> Result<Seen, Disposition> {
        let envelope = envelope(&body)?;
        let (catalog, ring) = match event::read(&envelope.detail_type, &envelope.detail) {
            Err(event::UnusableEvent::UnknownType(name)) => {
                tracing::warn!(detail_type = name, "an event of an unknown type was left alone");
                return Err(Disposition::Skip(SkipReason::UnknownType));
            }
            read => read.map_err(SyncError::from)?,
        };
        if catalog != self.converger.catalog {
            tracing::warn!(%catalog, "an event of the other catalog was refused: mend the rule's pattern");
            return Err(Disposition::Skip(SkipReason::OtherCatalog));
        }
        let purpose = if envelope.source == reconcile::SOURCE { Purpose::Reconciliation } else { Purpose::Event };
        let at = envelope.time;
        let seen = match ring {
            Ring::Nothing(_) => return Err(Disposition::Skip(SkipReason::NotNeeded)),
            // Our own rings are meant: somebody asked for that record.
            Ring::Opportunity(_) if purpose == Purpose::Event && self.converger.mapping.opportunity.goes_by_file() => {
                return Err(Disposition::Skip(SkipReason::ByFile));
            }
            Ring::Opportunity(id) => {
                let link =
                    self.converger.ledger.link(&LinkKey::Opportunity(id.clone())).await.map_err(SyncError::from)?;
                not_read_since(at, link.as_ref())?;
                self.ask_opportunity(&id, purpose).await
            }
            Ring::Lead(id) => {
                // An engagement that nobody invited us to by a lead is none of the CRM's.
                let link =
                    self.converger.ledger.link(&LinkKey::Engagement(id.clone())).await.map_err(SyncError::from)?;
                if link.is_none() {
                    return Err(Disposition::Skip(SkipReason::NotNeeded));
                }
                not_read_since(at, link.as_ref())?;
                self.ask_lead(&id, purpose).await
            }
            Ring::Invitation(id) => self.ask_invitation(&id, purpose).await,
        };
        Ok(seen?)
    }

    /// Brings what AWS answered into the CRM.
    async fn settle(&self, seen: Seen) -> Disposition {
        match self.arrive(seen).await {
            Ok(Some((_, converged))) => converged.into(),
            Ok(None) => Disposition::Skip(SkipReason::NotNeeded),
            Err(error) => error.into(),
        }
    }
}

/// Ends a ring that came before we last asked: late and repeated events cost no read of AWS.
fn not_read_since(rang: Option<Timestamp>, link: Option<&Link>) -> Result<(), Disposition> {
    let settled = rang.and_then(|rang| rang.saturating_add(SETTLED).ok());
    let read_at = link.and_then(|link| link.read_at);
    if settled.zip(read_at).is_some_and(|(settled, read_at)| settled <= read_at) {
        return Err(Disposition::Skip(SkipReason::AlreadyRead));
    }
    Ok(())
}

impl FromAws {
    /// Brings an opportunity's present state into the CRM.
    pub async fn opportunity(&self, id: &OpportunityId, purpose: Purpose) -> Result<(Link, Converged), SyncError> {
        let seen = self.ask_opportunity(id, purpose).await?;
        let unchanged = || (Link::new(LinkKey::Opportunity(id.clone())), Converged::Unchanged);
        Ok(self.arrive(seen).await?.unwrap_or_else(unchanged))
    }

    /// Brings a lead's present state into the CRM.
    pub async fn lead(&self, id: &EngagementId, purpose: Purpose) -> Result<Disposition, SyncError> {
        Ok(self.settle(self.ask_lead(id, purpose).await?).await)
    }

    /// Brings an invitation's present state into the CRM, and what it led to.
    pub async fn invitation(&self, id: &InvitationId, purpose: Purpose) -> Result<Disposition, SyncError> {
        Ok(self.settle(self.ask_invitation(id, purpose).await?).await)
    }

    async fn ask_opportunity(&self, id: &OpportunityId, purpose: Purpose) -> Result<Seen, SyncError> {
        let at = (self.converger.now)();
        let summary = self.converger.mapping.opportunity.needs_summary();
        let (opportunity, summary) = present(self.partner_central.as_ref(), id, summary).await?;
        Ok(Seen { answered: Answered::Opportunity { id: id.clone(), opportunity, summary }, at, purpose })
    }

    async fn ask_lead(&self, id: &EngagementId, purpose: Purpose) -> Result<Seen, SyncError> {
        let at = (self.converger.now)();
        let engagement = self.partner_central.engagement(id).await?;
        Ok(Seen { answered: Answered::Lead { id: id.clone(), engagement }, at, purpose })
    }

    async fn ask_invitation(&self, id: &InvitationId, purpose: Purpose) -> Result<Seen, SyncError> {
        let at = (self.converger.now)();
        let answer = self.partner_central.invitation(id).await?;
        let invitation =
            api::invitation(&answer).map_err(|cause| SyncError::Invitation { id: id.to_string(), cause })?;
        Ok(Seen { answered: Answered::Invitation(Box::new(invitation)), at, purpose })
    }

    /// What became of an answer; none where nothing is to be shown of it.
    async fn arrive(&self, seen: Seen) -> Result<Option<(Link, Converged)>, SyncError> {
        let Seen { answered, at, purpose } = seen;
        match answered {
            Answered::Opportunity { id, opportunity, summary } => {
                let decoded = api::opportunity(&opportunity, summary.as_ref()).without_redacted();
                let link = self.link_of(&id, decoded.record.text("partnerCrmUniqueIdentifier")).await?;
                self.converged(decoded, link, at, purpose).await.map(Some)
            }
            Answered::Lead { id, engagement } => {
                let decoded = api::lead(&engagement);
                let key = LinkKey::Engagement(id);
                let link = self.converger.ledger.link(&key).await?.unwrap_or_else(|| Link::new(key));
                self.converged(decoded, link, at, purpose).await.map(Some)
            }
            Answered::Invitation(invitation) => self.invited(*invitation, purpose).await,
        }
    }

    /// Merges a record that is ours by now: an opportunity, or a lead that we accepted.
    async fn converged(
        &self,
        decoded: api::Decoded,
        link: Link,
        at: Timestamp,
        purpose: Purpose,
    ) -> Result<(Link, Converged), SyncError> {
        let api::Decoded { record, unread } = decoded;
        for (field, cause) in unread {
            tracing::warn!(ace_id = link.ace_id(), %field, %cause, "AWS answered a value that cannot be read");
        }
        let facts = self.converger.mapping.of(record.kind()).map(|object| shown(object, &link)).unwrap_or_default();
        let arrival =
            Arrival { aws: &record, link, facts, purpose, file: None, read_at: Some(at), notices: Vec::new() };
        self.converger.converge(arrival).await
    }

    /// The link of an opportunity: by its identifier, else by the CRM identifier that it carries, else by the
    /// referral that it came from, else by the CRM's own record of that identifier, else a new one.
    async fn link_of(&self, id: &OpportunityId, carried: Option<&str>) -> Result<Link, SyncError> {
        let Converger { ledger, .. } = &self.converger;
        let key = LinkKey::Opportunity(id.clone());
        if let Some(link) = self.converger.known(Kind::Opportunity, &key, carried).await? {
            return Ok(link);
        }
        // Asking costs calls of AWS's strictest class: only while an acceptance may have made it.
        if !ledger.open_invitations().await?.is_empty()
            && let Some(mut link) = self.referral_behind(id).await?
        {
            if link.opportunity().is_some() {
                return Ok(Link::new(key));
            }
            link.also(key);
            return Ok(link);
        }
        Ok(self.converger.adopted(Kind::Opportunity, key, carried).await?)
    }

    /// The link of the referral whose acceptance made an opportunity: our own acceptance is a task, that of a person in
    /// Partner Central itself leaves the engagement only.
    async fn referral_behind(&self, id: &OpportunityId) -> PortResult<Option<Link>> {
        let ledger = &self.converger.ledger;
        if let Some(invitation) = self.partner_central.invitation_behind(id).await? {
            return ledger.link(&LinkKey::Invitation(invitation)).await;
        }
        match self.partner_central.engagement_of(id).await? {
            Some(engagement) => ledger.link(&LinkKey::Project(engagement)).await,
            None => Ok(None),
        }
    }

    /// Shows an invitation as it stands at AWS. Once accepted, the opportunity or the lead itself says more.
    async fn invited(
        &self,
        invitation: api::Invitation,
        purpose: Purpose,
    ) -> Result<Option<(Link, Converged)>, SyncError> {
        let api::Invitation { id, status, expires, sender, engagement, invites, offer } = invitation;
        let kind = match invites {
            api::Invites::Opportunity => Kind::Opportunity,
            api::Invites::Lead => Kind::Lead,
        };
        let shown = |object: &&ObjectMapping| object.referral.is_some() && !object.goes_by_file();
        let Some(object) = self.converger.mapping.of(kind).filter(shown) else {
            return Ok(None);
        };
        let engagement = engagement.map(|id| match invites {
            api::Invites::Lead => LinkKey::Engagement(id),
            api::Invites::Opportunity => LinkKey::Project(id),
        });
        let Some(mut link) = self.link_of_invitation(&id, engagement, status).await? else {
            return Ok(None);
        };
        let known = link.referral.take();
        let news = known.is_none();
        let mut referral = known.unwrap_or_else(|| Referral {
            status,
            accept_token: uuid::Uuid::new_v4().to_string(),
            expires,
            warned: false,
            rule: None,
        });
        (referral.status, referral.expires) = (status, expires);
        link.referral = Some(referral);
        if status == Acceptance::Accepted && (link.opportunity().is_some() || link.engagement().is_some()) {
            return self.accepted(link, purpose).await.map(Some);
        }

        let mut notices = Vec::new();
        if news {
            notices.push(Notice::ReferralReceived { expires_at: expires });
        }
        if self.is_expiring(object, &link)
            && let Some(referral) = &mut link.referral
            && !std::mem::replace(&mut referral.warned, true)
        {
            notices.push(Notice::ReferralExpiring { expires_at: expires });
        }
        let rule = object.rule_for(&offer.record, sender.as_deref()).filter(|_| news && status == Acceptance::Pending);
        let mut facts = self::shown(object, &link);
        if let (Some(rule), Some(referral), Some(fields)) = (rule, &mut link.referral, &object.referral) {
            referral.rule = Some(rule.name.clone());
            facts.extend(answered(fields, rule.answer, rule.reason.as_deref()));
        }
        let arrival = Arrival { aws: &offer.record, link, facts, purpose, file: None, read_at: None, notices };
        let (link, converged) = self.converger.converge(arrival).await?;
        if let (Some(rule), Converged::Written) = (rule, &converged) {
            self.ruled(object, rule, &link, purpose).await?;
        }
        Ok(Some((link, converged)))
    }

    /// The link of an invitation; none where nothing is to be shown of it: answered or expired before we ever saw it, or
    /// to an opportunity or a lead that we have already.
    async fn link_of_invitation(
        &self,
        id: &InvitationId,
        engagement: Option<LinkKey>,
        status: Acceptance,
    ) -> PortResult<Option<Link>> {
        let ledger: &dyn Ledger = self.converger.ledger.as_ref();
        let mut link = ledger.link(&LinkKey::Invitation(id.clone())).await?;
        if let (None, Some(engagement)) = (&link, &engagement) {
            link = ledger.link(engagement).await?;
        }
        if link.is_none() && status != Acceptance::Pending {
            return Ok(None);
        }
        let mut link = link.unwrap_or_else(|| Link::new(LinkKey::Invitation(id.clone())));
        link.also(LinkKey::Invitation(id.clone()));
        if let Some(engagement) = engagement {
            link.also(engagement);
        }
        Ok(Some(link))
    }

    /// Remembers that a referral is accepted, by us or by somebody in Partner Central itself, and shows what it hid.
    async fn accepted(&self, mut link: Link, purpose: Purpose) -> Result<(Link, Converged), SyncError> {
        self.converger.unclaimed(&link)?;
        self.converger.ledger.save(&mut link).await?;
        let seen = match (link.opportunity(), link.engagement()) {
            (Some(id), _) => self.ask_opportunity(id, purpose).await?,
            (None, Some(id)) => self.ask_lead(id, purpose).await?,
            (None, None) => return Ok((link, Converged::Unchanged)),
        };
        Ok(Box::pin(self.arrive(seen)).await?.unwrap_or((link, Converged::Unchanged)))
    }

    /// Whether a referral waits and the time for an answer is nearly over.
    fn is_expiring(&self, object: &ObjectMapping, link: &Link) -> bool {
        let (Some(fields), Some(referral)) = (&object.referral, &link.referral) else { return false };
        let soon = (self.converger.now)().saturating_add(SignedDuration::from_hours(fields.warn_before_hours.into()));
        let expires = referral.expires.filter(|_| link.is_pending());
        expires.zip(soon.ok()).is_some_and(|(expires, soon)| expires <= soon)
    }

    /// A rule has answered in the rep's place: it stands in the CRM, where a person may still change it, and goes to AWS.
    async fn ruled(
        &self,
        object: &ObjectMapping,
        rule: &ReferralRule,
        link: &Link,
        purpose: Purpose,
    ) -> Result<(), SyncError> {
        let Converger { crm, ledger, to_aws, .. } = &self.converger;
        let answer = match rule.answer {
            Answer::Accept => "accepts",
            Answer::Reject => "rejects",
        };
        let message = format!("the rule `{}` {answer} the referral", rule.name);
        ledger.log(&[self.converger.entry(purpose, Status::Processed, &message, link)]).await?;
        let Some(record) = link.crm() else { return Ok(()) };
        // Whatever is lost here, the next push finds the answer in the CRM.
        if let Some(record) = crm.fetch(&object.object, CrmKey::Id(&record.id), &object.crm_fields()).await? {
            to_aws.send(&[push::message(object, &record, push::Why::Changed)?]).await?;
        }
        Ok(())
    }
}

/// `GetOpportunity`, and `GetAwsOpportunitySummary` where that is wanted.
pub(crate) async fn present(
    partner_central: &dyn PartnerCentral,
    id: &OpportunityId,
    summary: bool,
) -> PortResult<(Json, Option<Json>)> {
    let summary = async { if summary { partner_central.summary(id).await } else { Ok(None) } };
    futures::try_join!(partner_central.opportunity(id), summary)
}

/// What the CRM shows of a referral besides its fields.
fn shown(object: &ObjectMapping, link: &Link) -> CrmFields {
    let (Some(names), Some(referral), Some(id)) = (&object.referral, &link.referral, link.invitation()) else {
        return CrmFields::new();
    };
    let ReferralFields { invitation_id, status, accept_by, expiring, .. } = names;
    let word = match referral.status {
        Acceptance::Pending => "Pending",
        Acceptance::Accepted => "Accepted",
        Acceptance::Rejected => "Rejected",
        Acceptance::Expired => "Expired",
    };
    let mut facts = CrmFields::from([
        (invitation_id.clone(), CrmValue::Text(id.to_string())),
        (status.clone(), CrmValue::Text(word.to_owned())),
    ]);
    if let (Some(name), Some(expires)) = (accept_by, referral.expires) {
        facts.insert(name.clone(), CrmValue::Text(whole_seconds(expires)));
    }
    if let Some(name) = expiring {
        facts.insert(name.clone(), CrmValue::Bool(referral.warned && link.is_pending()));
    }
    facts
}

/// An answer, where a rep would give it.
pub(crate) fn answered(fields: &ReferralFields, answer: Answer, reason: Option<&str>) -> CrmFields {
    let ReferralFields { response, accept, reject, rejection_reason, .. } = fields;
    let text = |text: &str| CrmValue::Text(text.to_owned());
    let said = match answer {
        Answer::Accept => accept,
        Answer::Reject => reject,
    };
    let mut facts = CrmFields::from([(response.clone(), text(said))]);
    if let (Some(name), Some(reason)) = (rejection_reason, reason) {
        facts.insert(name.clone(), text(reason));
    }
    facts
}
