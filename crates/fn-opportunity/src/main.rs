//! An opportunity rang: its present state at AWS goes into the CRM.

mod config;

use cosell_aws::Aws;
use cosell_lambda::serve_queue;
use cosell_wiring::{FromEnv, from_aws};

use crate::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), cosell_lambda::Error> {
    cosell_lambda::start()?;
    let config = Config::from_env()?;
    let aws = Aws::connect().await;
    let from_aws = from_aws(&aws, &config.converger, &config.partner_central).await?;
    serve_queue(config.queue.retries(), config.queue.letters(&aws), from_aws).await
}
