//! An opportunity rang: its present state at AWS goes into the CRM.

mod config;

use cosell_aws::Aws;
use cosell_crm::Salesforce;
use cosell_lambda::{QueueSettings, serve_queue};
use cosell_sync::{Converger, from_aws::FromAws};
use jiff::Timestamp;

use crate::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), cosell_lambda::Error> {
    cosell_lambda::start();
    let config = Config::from_env()?;
    let aws = Aws::connect().await;
    let converger = Converger {
        crm: Box::new(Salesforce::connect(&config.salesforce_endpoint, &aws.secret(&config.crm_secret_arn).await?)?),
        ledger: Box::new(aws.ledger(&config.table, config.catalog, config.log_retention_days)),
        mapping: aws.mapping(&config.mapping_bucket).await?,
        catalog: config.catalog,
        now: Timestamp::now,
    };
    let from_aws = FromAws { partner_central: Box::new(aws.partner_central(config.catalog)), converger };
    let settings = QueueSettings { max_receives: config.max_receives, retry_base_seconds: config.retry_base_seconds };
    let letters = aws.letters(&config.queue_url, &config.dead_letter_queue_url);
    let from_aws = &from_aws;
    serve_queue(settings, letters, |body| async move { from_aws.event(&body).await }).await
}
