//! What changed in the CRM goes on the queue to AWS, one message a record.

mod config;

use cosell_aws::Aws;
use cosell_lambda::serve_schedule;
use cosell_sync::push::{Push, Request};
use cosell_wiring::{FromEnv, crm, mapping};

use crate::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), cosell_lambda::Error> {
    cosell_lambda::start()?;
    let config = Config::from_env()?;
    let aws = Aws::connect().await;
    let push = &Push {
        crm: crm(&aws, &config.converger.crm).await?,
        ledger: config.converger.ledger.connect(&aws),
        queue: Box::new(aws.queue(&config.converger.deliver_queue_url)),
        mapping: mapping(&aws, &config.converger.mapping).await?,
    };
    serve_schedule(|request: Request, go_on| async move { push.run(request, go_on).await }).await
}
