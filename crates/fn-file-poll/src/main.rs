//! New files in AWS's bucket are copied to ours; AWS's bucket tells nobody about them.

mod config;

use cosell_aws::Aws;
use cosell_lambda::serve_schedule;
use cosell_sync::files::Poll;
use cosell_wiring::FromEnv;
use serde_json::Value as Json;

use crate::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), cosell_lambda::Error> {
    cosell_lambda::start()?;
    let config = Config::from_env()?;
    let aws = Aws::connect().await;
    let poll = &Poll {
        ace: config.files.ace(&aws).await,
        landing: config.files.landing(&aws),
        ledger: config.ledger.connect(&aws),
    };
    serve_schedule(|_: Json, go_on| async move { poll.run(go_on).await }).await
}
