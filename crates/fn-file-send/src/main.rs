//! What waits for AWS goes there in files.

mod config;

use cosell_aws::Aws;
use cosell_lambda::serve_schedule;
use cosell_sync::files::Send;
use cosell_wiring::{FromEnv, mapping};
use jiff::Timestamp;
use serde_json::Value as Json;

use crate::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), cosell_lambda::Error> {
    cosell_lambda::start()?;
    let config = Config::from_env()?;
    let aws = Aws::connect().await;
    let send = &Send {
        ace: config.files.ace(&aws).await,
        files: config.files.landing(&aws),
        ledger: config.ledger.connect(&aws),
        exchange: mapping(&aws, &config.mapping).await?.files,
        spms_id: config.files.spms_id(),
        now: Timestamp::now,
    };
    serve_schedule(|_: Json, go_on| async move { send.run(go_on).await }).await
}
