//! Somebody says that records of the CRM changed: they go on the queue to AWS at once, not at the next tick of the push.

mod config;

use cosell_aws::Aws;
use cosell_lambda::serve_queue;
use cosell_sync::named::Named;
use cosell_wiring::{FromEnv, crm, mapping};

use crate::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), cosell_lambda::Error> {
    cosell_lambda::start()?;
    let config = Config::from_env()?;
    let aws = Aws::connect().await;
    let named = &Named {
        crm: crm(&aws, &config.crm).await?,
        queue: Box::new(aws.queue(&config.deliver_queue_url)),
        mapping: mapping(&aws, &config.mapping).await?,
        by_hand: false,
    };
    let work = |body: String| async move { named.message(&body).await };
    serve_queue(config.queue.retries(), config.queue.letters(&aws), work).await
}
