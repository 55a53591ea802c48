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
    let deliver = &Deliver { from_aws: from_aws(&aws, &config.ledger, &config.crm).await? };
    serve_queue(
        config.queue.retries(),
        config.queue.letters(&aws),
        |_| None,
        |body| async move { deliver.message(&body).await },
    )
    .await
}
