//! The Lambda shell: what is the same for every function, so that a function is wiring and nothing else.
//!
//! - [`serve_queue`]: batches of messages, each of which ends in one of the four words.
//! - [`serve_schedule`]: runs by the clock.
//!
//! Settings that every function knows besides its own, set by the platform: `AWS_LAMBDA_FUNCTION_NAME` (the dimension
//! of all metrics), `AWS_LAMBDA_LOG_FORMAT`, `RUST_LOG`.

mod metrics;
mod queue;
mod schedule;

use cosell_sync::run::Run;

pub use queue::serve_queue;
pub use schedule::serve_schedule;

/// Why a function could not start or went down.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The run that an invocation is.
fn run(context: &lambda_runtime::Context) -> Run {
    let (id, by) = (context.request_id.clone(), context.env_config.function_name.clone());
    Run { id, by, started_at: jiff::Timestamp::now() }
}

/// Prepares logs and metrics. The first thing that a function does.
pub fn start() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    metrics::start()
}
