//! What events missed rings again: they are best effort.

mod config;

use cosell_aws::Aws;
use cosell_lambda::serve_schedule;
use cosell_sync::reconcile::Reconcile;
use cosell_wiring::FromEnv;
use jiff::Timestamp;
use serde_json::Value as Json;

use crate::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), cosell_lambda::Error> {
    cosell_lambda::start()?;
    let config = Config::from_env()?;
    let aws = Aws::connect().await;
    let reconcile = &Reconcile {
        partner_central: Box::new(aws.partner_central(config.ledger.catalog)),
        ledger: config.ledger.connect(&aws),
        opportunities: Box::new(aws.queue(&config.opportunity_queue_url)),
        invitations: Box::new(aws.queue(&config.invitation_queue_url)),
        catalog: config.ledger.catalog,
        now: Timestamp::now,
    };
    serve_schedule(|_: Json, _| async move { reconcile.run().await }).await
}
