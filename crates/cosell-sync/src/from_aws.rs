//! Rings from AWS: opportunities and invitations. A ring names a record; its present state is fetched and merged.

use cosell_mapping::{CrmValue, ReferralFields};
use cosell_model::{
    InvitationId, OpportunityId, api,
    event::{self, Ring},
    life_cycle::Acceptance,
};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    Converged, Converger, CrmRef, Disposition, Link, LinkKey, Referral, SkipReason, SyncError,
    converge::{Arrival, whole_seconds},
    log::Purpose,
    ports::{CrmFields, CrmKey, CrmRecord, PartnerCentral, PortError},
};

/// The part of an EventBridge event that says what rang.
#[derive(Debug, Deserialize)]
pub struct Envelope {
    /// AWS's name of the event.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// What it is about.
    pub detail: Json,
}

/// The record that an event in a message's body is about. Several events of a batch about one record cost one read: its
/// present state is what counts.
pub fn subject(body: &str) -> Option<String> {
    let Envelope { detail_type, detail } = serde_json::from_str(body).ok()?;
    match event::read(&detail_type, &detail).ok()? {
        (catalog, Ring::Opportunity(id)) => Some(format!("{catalog}/{id}")),
        (catalog, Ring::Invitation(id)) => Some(format!("{catalog}/{id}")),
        (_, Ring::Nothing(_)) => None,
    }
}

/// Reads Partner Central and brings it into the CRM.
pub struct FromAws {
    /// Partner Central.
    pub partner_central: Box<dyn PartnerCentral>,
    /// The way into the CRM.
    pub converger: Converger,
}

impl FromAws {
    /// Works off one event, in the body of a queue's message.
    pub async fn event(&self, body: &str) -> Disposition {
        let result = async {
            let envelope: Envelope = serde_json::from_str(body)
                .map_err(|cause| SyncError::Body { expected: "an EventBridge event", cause })?;
            let (catalog, ring) = match event::read(&envelope.detail_type, &envelope.detail) {
                Err(event::UnusableEvent::UnknownType(name)) => {
                    tracing::warn!(detail_type = name, "an event of an unknown type was left alone");
                    return Ok(Disposition::Skip(SkipReason::UnknownType));
                }
                read => read?,
            };
            if catalog != self.converger.catalog {
                tracing::warn!(%catalog, "an event of the other catalog was refused: mend the rule's pattern");
                return Ok(Disposition::Skip(SkipReason::OtherCatalog));
            }
            Ok(match ring {
                Ring::Opportunity(id) => self.opportunity(&id, Purpose::Event).await?.1.into(),
                Ring::Invitation(id) => self.invitation(&id).await?,
                Ring::Nothing(_) => Disposition::Skip(SkipReason::NotNeeded),
            })
        };
        result.await.into()
    }

    /// Brings an opportunity's present state into the CRM.
    pub async fn opportunity(&self, id: &OpportunityId, purpose: Purpose) -> Result<(Link, Converged), SyncError> {
        let summary = async {
            if self.converger.mapping.opportunity.needs_summary() {
                self.partner_central.summary(id).await
            } else {
                Ok(None)
            }
        };
        let (answer, summary) = futures::try_join!(self.partner_central.opportunity(id), summary)?;
        let api::Decoded { record, unread } = api::opportunity(&answer, summary.as_ref());
        for (field, cause) in unread {
            tracing::warn!(opportunity = %id, %field, %cause, "AWS answered a value that cannot be read");
        }
        let link = self.link_of(id, record.text("partnerCrmUniqueIdentifier")).await?;
        let facts = self.referral_facts(&link);
        self.converger.converge(Arrival { aws: &record, link, facts, purpose, file: None }).await
    }

    /// The link of an opportunity: by its identifier, else by the CRM identifier that it carries, else by the
    /// invitation that it came from, else by the CRM's own record of that identifier, else a new one.
    async fn link_of(&self, id: &OpportunityId, carried: Option<&str>) -> Result<Link, SyncError> {
        let ledger = &self.converger.ledger;
        let key = LinkKey::Opportunity(id.clone());
        if let Some(link) = ledger.link(&key).await? {
            return Ok(link);
        }
        let mut found = None;
        if let Some(crm_id) = carried {
            let object = self.converger.mapping.opportunity.object.clone();
            found = ledger.link(&LinkKey::Crm(CrmRef { object, id: crm_id.to_owned() })).await?;
        }
        if found.is_none()
            && let Some(invitation) = self.partner_central.invitation_behind(id).await?
        {
            found = ledger.link(&LinkKey::Invitation(invitation)).await?;
        }
        Ok(match found {
            Some(mut link) if link.opportunity().is_none() => {
                link.also(key);
                link
            }
            // The CRM record that it names belongs to another opportunity: both stay.
            Some(_) => Link::new(key),
            None => self.adopted(key, carried).await?,
        })
    }

    /// A new link, to the CRM's record that AWS's names if nobody has linked that one yet: a deal that was in both
    /// before cosell came is not made a second time.
    async fn adopted(&self, key: LinkKey, carried: Option<&str>) -> Result<Link, SyncError> {
        let Converger { crm, mapping, .. } = &self.converger;
        let object = &mapping.opportunity;
        let mut link = Link::new(key);
        let Some(id) = carried else { return Ok(link) };
        let found = match crm.fetch(&object.object, CrmKey::Id(id), std::slice::from_ref(&object.ace_id)).await {
            // An identifier of something else than this CRM.
            Err(PortError::Rejected { .. } | PortError::NotFound { .. }) => None,
            other => other?,
        };
        let free = |record: &CrmRecord| {
            let named = record.fields.get(&object.ace_id).and_then(CrmValue::as_text);
            named.is_none() || named == link.ace_id()
        };
        if let Some(record) = found.filter(free) {
            link.also(LinkKey::Crm(CrmRef { object: object.object.clone(), id: record.id }));
        }
        Ok(link)
    }

    /// Shows an invitation in the CRM as it stands at AWS.
    pub async fn invitation(&self, id: &InvitationId) -> Result<Disposition, SyncError> {
        let answer = self.partner_central.invitation(id).await?;
        let invitation =
            api::invitation(&answer).map_err(|cause| SyncError::Invitation { id: id.to_string(), cause })?;
        let Some(fields) = &self.converger.mapping.opportunity.referral else {
            return Ok(Disposition::Skip(SkipReason::NotNeeded));
        };
        if invitation.invites == api::Invites::Lead {
            return Ok(Disposition::Skip(SkipReason::NotNeeded));
        }
        let key = LinkKey::Invitation(id.clone());
        let known = self.converger.ledger.link(&key).await?;
        if known.is_none() && invitation.status != Acceptance::Pending {
            // Answered or expired before we ever saw it: there is nothing left to show.
            return Ok(Disposition::Skip(SkipReason::NotNeeded));
        }
        let mut link = known.unwrap_or_else(|| Link::new(key));
        let token = link.referral.take().map_or_else(|| uuid::Uuid::new_v4().to_string(), |known| known.accept_token);
        link.referral = Some(Referral { status: invitation.status, accept_token: token });
        // Once accepted, the opportunity itself says more than the invitation.
        if let Some(opportunity) = link.opportunity().cloned() {
            self.converger.unclaimed(&link)?;
            self.converger.ledger.save(&mut link).await?;
            return Ok(self.opportunity(&opportunity, Purpose::Event).await?.1.into());
        }
        let mut facts = self.referral_facts(&link);
        if let (Some(name), Some(expires)) = (&fields.accept_by, invitation.expires) {
            facts.insert(name.clone(), CrmValue::Text(whole_seconds(expires)));
        }
        let aws = invitation.offer.record;
        let arrival = Arrival { aws: &aws, link, facts, purpose: Purpose::Event, file: None };
        Ok(self.converger.converge(arrival).await?.1.into())
    }

    /// What the CRM shows of a referral besides its fields.
    fn referral_facts(&self, link: &Link) -> CrmFields {
        let (Some(names), Some(referral), Some(id)) =
            (&self.converger.mapping.opportunity.referral, &link.referral, link.invitation())
        else {
            return CrmFields::new();
        };
        let ReferralFields { invitation_id, status, .. } = names;
        CrmFields::from([
            (invitation_id.clone(), CrmValue::Text(id.to_string())),
            (status.clone(), CrmValue::Text(shown(referral.status).to_owned())),
        ])
    }
}

/// An invitation's status as the CRM shows it.
fn shown(status: Acceptance) -> &'static str {
    match status {
        Acceptance::Pending => "Pending",
        Acceptance::Accepted => "Accepted",
        Acceptance::Rejected => "Rejected",
        Acceptance::Expired => "Expired",
    }
}
