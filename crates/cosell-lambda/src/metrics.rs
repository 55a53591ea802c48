//! Metrics in CloudWatch's embedded format: a log line that CloudWatch turns into metrics. No agent, no calls.

use std::sync::OnceLock;

use metrics_cloudwatch_embedded::{Builder, Collector};

/// The namespace of every metric of cosell's.
const NAMESPACE: &str = "cosell";

/// Counts messages by outcome. CloudWatch takes no dimension with an empty value.
pub fn count(outcome: &'static str, reason: &'static str) {
    metrics::counter!("messages", "outcome" => outcome, "reason" => reason).increment(1);
}

static COLLECTOR: OnceLock<&'static Collector> = OnceLock::new();

/// Collects from now on.
pub fn start() -> Result<(), crate::Error> {
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    let collector = Builder::new().cloudwatch_namespace(NAMESPACE).with_dimension("function", function).init()?;
    let _ = COLLECTOR.set(collector);
    Ok(())
}

/// Writes what was collected. A metric that cannot be written fails no message.
pub fn flush() {
    let Some(collector) = COLLECTOR.get() else { return };
    if let Err(error) = collector.flush(std::io::stdout()) {
        tracing::warn!(%error, "metrics could not be written");
    }
}
