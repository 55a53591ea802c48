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

pub use queue::serve_queue;
pub use schedule::serve_schedule;

/// Why a function could not start or went down.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Prepares logs and metrics. The first thing that a function does.
pub fn start() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    metrics::start()
}
