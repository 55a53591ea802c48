//! Dead letters go back to where they came from, stay for a person, or are set aside.

mod config;

use cosell_aws::Aws;
use cosell_lambda::serve_schedule;
use cosell_sync::{
    ports::DeadLetters,
    quarantine::Quarantine,
    replay::{Replay, Request},
};
use cosell_wiring::FromEnv;
use jiff::Timestamp;

use crate::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), cosell_lambda::Error> {
    cosell_lambda::start()?;
    let config = Config::from_env()?;
    let aws = Aws::connect().await;
    let queues = config
        .routes
        .iter()
        .map(|(dead_letters, source)| Box::new(aws.dead_letters(dead_letters, Some(source))) as Box<dyn DeadLetters>);
    let replay = &Replay {
        queues: queues.collect(),
        quarantine: Quarantine { files: Box::new(aws.files(&config.landing_bucket)), now: Timestamp::now },
        max_replays: config.max_replays,
        now: Timestamp::now,
    };
    serve_schedule(|request: Request, go_on| async move { replay.run(request, go_on).await }).await
}
