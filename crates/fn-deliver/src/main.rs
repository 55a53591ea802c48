//! A CRM record changed: Partner Central follows.

mod config;

use cosell_aws::Aws;
use cosell_lambda::serve_queue;
use cosell_sync::deliver::Deliver;
use cosell_wiring::{FromEnv, from_aws};

use crate::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), cosell_lambda::Error> {
    cosell_lambda::start()?;
    let config = Config::from_env()?;
    let aws = Aws::connect().await;
    let deliver = &Deliver { from_aws: from_aws(&aws, &config.converger, &config.partner_central).await? };
    let work = |body: String| async move { deliver.message(&body).await };
    serve_queue(config.queue.retries(), config.queue.letters(&aws), work).await
}
