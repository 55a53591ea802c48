//! Records by whatever identifier a person has at hand.

use cosell_mapping::{Mapping, ObjectMapping};
use cosell_model::{EngagementId, InvitationId, LeadId};

use crate::{
    CrmRef, Link, LinkKey,
    ports::{Crm, CrmKey, CrmRecord, Ledger, PortResult},
    walk::named_record,
};

/// What an identifier leads to.
#[derive(Debug)]
pub(crate) struct Named<'m> {
    /// The key of the ledger that it is; none where neither AWS nor the CRM has such identifiers.
    pub(crate) key: Option<LinkKey>,
    /// What belongs together.
    pub(crate) link: Option<Link>,
    /// The CRM's record and how it is mapped.
    pub(crate) record: Option<(&'m ObjectMapping, CrmRecord)>,
}

/// Finds what an identifier of AWS's (an opportunity, a lead of a file, an invitation, an engagement) or of the CRM's leads to.
pub(crate) async fn named<'m>(
    ledger: &dyn Ledger,
    crm: &dyn Crm,
    mapping: &'m Mapping,
    id: &str,
) -> PortResult<Named<'m>> {
    let opportunity = id.parse().map(LinkKey::Opportunity).ok();
    let lead = || id.parse::<LeadId>().map(LinkKey::Lead).ok();
    let invitation = || InvitationId::from_id_or_arn(id).map(LinkKey::Invitation).ok();
    if let Some(key) = opportunity.or_else(lead).or_else(invitation) {
        return of_key(ledger, crm, mapping, key).await;
    }
    if let Ok(engagement) = EngagementId::from_id_or_arn(id) {
        let lead = of_key(ledger, crm, mapping, LinkKey::Engagement(engagement.clone())).await?;
        return if lead.link.is_some() {
            Ok(lead)
        } else {
            of_key(ledger, crm, mapping, LinkKey::Project(engagement)).await
        };
    }
    for object in mapping.objects() {
        if let Some(record) = named_record(crm, &object.object, id, &object.crm_fields()).await? {
            let key = LinkKey::Crm(CrmRef::of(object, &record.id));
            let link = ledger.link(&key).await?;
            return Ok(Named { key: Some(key), link, record: Some((object, record)) });
        }
    }
    // It may have been there once.
    for object in mapping.objects() {
        let key = LinkKey::Crm(CrmRef::of(object, id));
        if let Some(link) = ledger.link(&key).await? {
            return Ok(Named { key: Some(key), link: Some(link), record: None });
        }
    }
    Ok(Named { key: None, link: None, record: None })
}

async fn of_key<'m>(ledger: &dyn Ledger, crm: &dyn Crm, mapping: &'m Mapping, key: LinkKey) -> PortResult<Named<'m>> {
    let link = ledger.link(&key).await?;
    let mut record = None;
    if let Some(CrmRef { object, id }) = link.as_ref().and_then(Link::crm)
        && let Some(object) = mapping.object(object)
    {
        let found = crm.fetch(&object.object, CrmKey::Id(id), &object.crm_fields()).await?;
        record = found.map(|found| (object, found));
    }
    Ok(Named { key: Some(key), link, record })
}
