//! What changed in the CRM goes on the queue to AWS, one message a record.

mod config;

use cosell_aws::Aws;
use cosell_crm::Salesforce;
use cosell_lambda::serve_schedule;
use cosell_sync::push::Push;
use serde_json::Value as Json;

use crate::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), cosell_lambda::Error> {
    cosell_lambda::start();
    let config = Config::from_env()?;
    let aws = Aws::connect().await;
    let push = Push {
        crm: Box::new(Salesforce::connect(&config.salesforce_endpoint, &aws.secret(&config.crm_secret_arn).await?)?),
        ledger: Box::new(aws.ledger(&config.table, config.catalog, config.log_retention_days)),
        queue: Box::new(aws.queue(&config.deliver_queue_url)),
        mapping: aws.mapping(&config.mapping_bucket).await?,
    };
    let push = &push;
    serve_schedule(|_: Json, go_on| async move { push.run(go_on).await }).await
}
