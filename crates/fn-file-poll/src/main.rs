//! New files in AWS's bucket are copied to ours; AWS's bucket tells nobody about them.

mod config;

use cosell_aws::Aws;
use cosell_lambda::serve_schedule;
use cosell_sync::files::Poll;
use cosell_wiring::{FromEnv, mapping};
use jiff::Timestamp;
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
        sync_log: config.ledger.sync_log(&aws),
        mapping: mapping(&aws, &config.mapping).await?,
        spms_id: config.files.spms_id(),
        catalog: config.ledger.catalog,
        now: Timestamp::now,
    };
    serve_schedule(|_: Json, go_on| async move { poll.run(go_on).await }).await
}
