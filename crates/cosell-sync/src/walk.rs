//! Long walks through a side, and how far they are.

use std::collections::HashSet;

use crate::ports::{Crm, CrmKey, CrmRecord, Listed, PartnerCentral, PortError, PortResult, Solution};

/// How far a long run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub step: &'static str,
    /// How many are done.
    pub done: usize,
    /// Of how many, once that is known.
    pub of: Option<usize>,
}

/// Every opportunity that AWS lists as changed at or after `since` (AWS's own timestamp), each once, oldest change first.
pub async fn every_opportunity(
    partner_central: &dyn PartnerCentral,
    since: Option<&str>,
    progress: &mut dyn FnMut(Progress),
) -> PortResult<Vec<Listed>> {
    let (mut all, mut page): (Vec<Listed>, _) = (Vec::new(), None);
    loop {
        let listed = partner_central.opportunities(since, page.as_deref()).await?;
        all.extend(listed.items);
        progress(Progress { step: "listing AWS's opportunities", done: all.len(), of: None });
        page = listed.next;
        if page.is_none() {
            break;
        }
    }
    // What changes meanwhile is listed once more, with its newer change.
    let mut seen = HashSet::new();
    all.reverse();
    all.retain(|line| seen.insert(line.id.clone()));
    all.reverse();
    Ok(all)
}

/// Every solution of the partner's, by name.
pub async fn every_solution(partner_central: &dyn PartnerCentral) -> PortResult<Vec<Solution>> {
    let (mut all, mut page) = (Vec::new(), None);
    loop {
        let listed = partner_central.solutions(page.as_deref()).await?;
        all.extend(listed.items);
        page = listed.next;
        if page.is_none() {
            return Ok(all);
        }
    }
}

/// The CRM's record of an identifier that somebody wrote down: in any spelling that the CRM has for it, or of something else
/// than this CRM.
pub(crate) async fn named_record(
    crm: &dyn Crm,
    object: &str,
    id: &str,
    fields: &[String],
) -> PortResult<Option<CrmRecord>> {
    match crm.fetch(object, CrmKey::Id(id), fields).await {
        Err(PortError::Rejected { .. } | PortError::NotFound { .. }) => Ok(None),
        other => other,
    }
}
