//! What events missed rings again: they are best effort.

mod config;

use cosell_aws::Aws;
use cosell_lambda::serve_schedule;
use cosell_sync::reconcile::Reconcile;
use cosell_wiring::{FromEnv, mapping, partner_central};
use jiff::Timestamp;
use serde_json::Value as Json;

use crate::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), cosell_lambda::Error> {
    cosell_lambda::start()?;
    let config = Config::from_env()?;
    let aws = Aws::connect().await;
    let reconcile = &Reconcile {
        partner_central: partner_central(&aws, &config.ledger, &config.partner_central),
        ledger: config.ledger.connect(&aws),
        sync_log: config.ledger.sync_log(&aws),
        to_aws: Box::new(aws.queue(&config.deliver_queue_url)),
        opportunities: Box::new(aws.queue(&config.opportunity_queue_url)),
        invitations: Box::new(aws.queue(&config.invitation_queue_url)),
        catalog: config.ledger.catalog,
        mapping: mapping(&aws, &config.mapping).await?,
        now: Timestamp::now,
    };
    serve_schedule(|_: Json, go_on| async move { reconcile.run(go_on).await }).await
}
