//! What AWS has of an opportunity now.

use cosell_model::{Record, api};
use serde_json::Value as Json;

use crate::{
    Link, LinkKey, SyncError,
    drift::Drift,
    from_aws::present,
    ports::PortError,
    who::{Named, named},
};

/// What AWS answers.
pub struct Shown {
    /// `GetOpportunity`.
    pub opportunity: Json,
    /// `GetAwsOpportunitySummary`, where AWS has one.
    pub summary: Option<Json>,
    /// Both, in the catalog's words.
    pub record: Record,
}

impl Drift {
    /// Shows the opportunity that an identifier of AWS's or the CRM's leads to.
    pub async fn show(&self, id: &str) -> Result<Shown, SyncError> {
        let Named { key, link, .. } = named(self.ledger.as_ref(), self.crm.as_ref(), &self.mapping, id).await?;
        let opportunity = match (&link, &key) {
            (_, Some(LinkKey::Opportunity(id))) => Some(id),
            (link, _) => link.as_ref().and_then(Link::opportunity),
        };
        let Some(opportunity) = opportunity else {
            return Err(
                PortError::NotFound { what: format!("looking for an opportunity of {id} in the ledger") }.into()
            );
        };
        let (opportunity, summary) = present(self.partner_central.as_ref(), opportunity, true).await?;
        let record = api::opportunity(&opportunity, summary.as_ref()).record;
        Ok(Shown { opportunity, summary, record })
    }
}
