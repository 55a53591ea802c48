//! What several doors share: the settings that they read, and the work put into the hands that the settings name.
//! Hands do not know each other; they meet here.
//!
//! - [`config!`]: a door's settings from the environment, all that is wrong named at once.
//! - [`settings`]: groups of settings that several doors have.
//! - [`converger`], [`from_aws`]: use cases, wired.

mod config;
pub mod settings;

use cosell_aws::Aws;
use cosell_crm::Salesforce;
use cosell_sync::{Converger, from_aws::FromAws, ports::Crm};
use jiff::Timestamp;

pub use config::{FromEnv, Misconfigured, Setting, read};
use settings::{CrmSettings, LedgerSettings};

/// Why something could not be wired.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The CRM that the settings name.
pub async fn crm(aws: &Aws, settings: &CrmSettings) -> Result<Box<dyn Crm>, Error> {
    let secret = aws.secret(&settings.secret_arn).await?;
    Ok(Box::new(Salesforce::connect(&settings.salesforce_endpoint, &secret)?))
}

/// The way into the CRM.
pub async fn converger(aws: &Aws, ledger: &LedgerSettings, crm: &CrmSettings) -> Result<Converger, Error> {
    let mapping = async { Ok(aws.mapping(&crm.mapping_bucket).await?) };
    let (crm, mapping) = futures::try_join!(self::crm(aws, crm), mapping)?;
    Ok(Converger { crm, ledger: ledger.connect(aws), mapping, catalog: ledger.catalog, now: Timestamp::now })
}

/// The way from Partner Central into the CRM.
pub async fn from_aws(aws: &Aws, ledger: &LedgerSettings, crm: &CrmSettings) -> Result<FromAws, Error> {
    Ok(FromAws {
        partner_central: Box::new(aws.partner_central(ledger.catalog)),
        converger: converger(aws, ledger, crm).await?,
    })
}
