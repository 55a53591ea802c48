//! New files in AWS's bucket are copied to ours; AWS's bucket tells nobody about them.

mod config;

use cosell_aws::Aws;
use cosell_lambda::serve_schedule;
use cosell_sync::files::Poll;
use serde_json::Value as Json;

use crate::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), cosell_lambda::Error> {
    cosell_lambda::start();
    let config = Config::from_env()?;
    let aws = Aws::connect().await;
    let poll = Poll {
        ace: Box::new(aws.ace_bucket(&config.ace_bucket, config.ace_role_arn.as_deref()).await),
        landing: Box::new(aws.files(&config.landing_bucket)),
        ledger: Box::new(aws.ledger(&config.table, config.catalog, config.log_retention_days)),
    };
    let poll = &poll;
    serve_schedule(|_: Json, _| async move { poll.run().await }).await
}
