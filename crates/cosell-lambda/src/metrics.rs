//! Metrics in CloudWatch's embedded format: a log line that CloudWatch turns into metrics. No agent, no calls.

use metrics_cloudwatch_embedded::{Builder, Collector};

/// The namespace of every metric of cosell's.
const NAMESPACE: &str = "cosell";

/// Counts messages by outcome.
pub fn count(outcome: &'static str, reason: &'static str) {
    metrics::counter!("messages", "outcome" => outcome, "reason" => reason).increment(1);
}

/// Collects from now on.
pub fn collector() -> Result<&'static Collector, crate::Error> {
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    Builder::new().cloudwatch_namespace(NAMESPACE).with_dimension("function", function).init()
}

/// Writes what was collected. A metric that cannot be written fails no message.
pub fn flush(collector: &Collector) {
    if let Err(error) = collector.flush(std::io::stdout()) {
        tracing::warn!(%error, "metrics could not be written");
    }
}
