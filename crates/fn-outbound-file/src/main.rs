//! A file of AWS's has landed: its records go into the CRM.

mod config;

use cosell_aws::Aws;
use cosell_crm::Salesforce;
use cosell_lambda::{QueueSettings, serve_queue};
use cosell_sync::{Converger, files::Settle};
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
    let settle = Settle {
        ace: Box::new(aws.ace_bucket(&config.ace_bucket, config.ace_role_arn.as_deref()).await),
        landing: Box::new(aws.files(&config.landing_bucket)),
        converger,
    };
    let settings = QueueSettings { max_receives: config.max_receives, retry_base_seconds: config.retry_base_seconds };
    let letters = aws.letters(&config.queue_url, &config.dead_letter_queue_url);
    let settle = &settle;
    serve_queue(settings, letters, |body| async move { settle.event(&body).await }).await
}
