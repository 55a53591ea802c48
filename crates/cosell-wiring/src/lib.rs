//! What several doors share: the settings that they read, and the work put into the hands that the settings name.
//! Hands do not know each other; they meet here.
//!
//! - [`config!`]: a door's settings from the environment, all that is wrong named at once.
//! - [`settings`]: groups of settings that several doors have.
//! - [`mapping`], [`partner_central`], [`converger`], [`from_aws`]: what the work needs, wired.

mod config;
pub mod settings;

use cosell_aws::Aws;
use cosell_crm::Salesforce;
use cosell_mapping::Mapping;
use cosell_sync::{
    Converger,
    from_aws::FromAws,
    ports::{Crm, PartnerCentral},
};
use jiff::Timestamp;

pub use config::{FromEnv, Misconfigured, Setting, read};
use settings::{ConvergerSettings, CrmSettings, LedgerSettings, MappingSettings, PartnerCentralSettings};

/// Why something could not be wired.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The CRM that the settings name.
pub async fn crm(aws: &Aws, settings: &CrmSettings) -> Result<Box<dyn Crm>, Error> {
    let secret = aws.secret(&settings.secret_arn).await?;
    Ok(Box::new(Salesforce::connect(&settings.salesforce_endpoint, &secret)?))
}

/// Partner Central, within its quotas.
pub fn partner_central(
    aws: &Aws,
    ledger: &LedgerSettings,
    settings: &PartnerCentralSettings,
) -> Box<dyn PartnerCentral> {
    Box::new(aws.partner_central(ledger.catalog, &ledger.table, settings.quotas()))
}

/// The mapping that is deployed. One that somebody put there without a check, and that cannot be used, is said aloud:
/// the last one that was checked goes on.
pub async fn mapping(aws: &Aws, settings: &MappingSettings) -> Result<Mapping, Error> {
    let (mapping, refused) = aws.mapping(&settings.bucket).await?;
    if let Some(error) = &refused {
        tracing::error!(%error, "the mapping file cannot be used, the last good one is: push a sound one");
    }
    metrics::gauge!("mapping_invalid").set(if refused.is_some() { 1.0 } else { 0.0 });
    Ok(mapping)
}

/// The way into the CRM.
pub async fn converger(aws: &Aws, settings: &ConvergerSettings) -> Result<Converger, Error> {
    let ConvergerSettings { ledger, mapping, crm, deliver_queue_url } = settings;
    let (crm, mapping) = futures::try_join!(self::crm(aws, crm), self::mapping(aws, mapping))?;
    Ok(Converger {
        crm,
        ledger: ledger.connect(aws),
        bus: Box::new(aws.bus()),
        to_aws: Box::new(aws.queue(deliver_queue_url)),
        mapping,
        catalog: ledger.catalog,
        now: Timestamp::now,
    })
}

/// The way from Partner Central into the CRM.
pub async fn from_aws(
    aws: &Aws,
    converger: &ConvergerSettings,
    partner_central: &PartnerCentralSettings,
) -> Result<FromAws, Error> {
    Ok(FromAws {
        partner_central: self::partner_central(aws, &converger.ledger, partner_central),
        converger: self::converger(aws, converger).await?,
    })
}
