//! A file of AWS's has landed: its records go into the CRM.

mod config;

use cosell_aws::Aws;
use cosell_lambda::serve_queue;
use cosell_sync::files::Settle;
use cosell_wiring::{FromEnv, converger};

use crate::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), cosell_lambda::Error> {
    cosell_lambda::start()?;
    let config = Config::from_env()?;
    let aws = Aws::connect().await;
    let settle = &Settle {
        ace: config.files.ace(&aws).await,
        landing: config.files.landing(&aws),
        converger: converger(&aws, &config.converger).await?,
        spms_id: config.files.spms_id(),
    };
    let work = |body: String| async move { settle.event(&body).await };
    serve_queue(config.queue.retries(), config.queue.letters(&aws), work).await
}
