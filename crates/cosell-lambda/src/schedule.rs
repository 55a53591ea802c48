use std::{
    fmt::Debug,
    future::Future,
    time::{Duration, SystemTime},
};

use cosell_sync::{SyncError, run};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Serialize, de::DeserializeOwned};

use crate::metrics;

/// What a run leaves of its time for stopping in good order.
const RESERVE: Duration = Duration::from_secs(10);

/// Runs `work` on each tick, with the tick's input and a test whether there is time for more. Its result is the
/// function's answer; its failure is the invocation's, under the error's short code.
pub async fn serve_schedule<I, O, F>(
    work: impl Fn(I, Box<dyn Fn() -> bool + Send + Sync>) -> F,
) -> Result<(), crate::Error>
where
    I: DeserializeOwned + 'static,
    O: Serialize + Debug,
    F: Future<Output = Result<O, SyncError>>,
{
    let work = &work;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<I>| async move {
        let deadline = event.context.deadline();
        let go_on = move || deadline.duration_since(SystemTime::now()).is_ok_and(|left| left > RESERVE);
        let result = run::within(crate::run(&event.context), work(event.payload, Box::new(go_on))).await;
        metrics::flush();
        match result {
            Ok(outcome) => {
                tracing::info!(?outcome, "run finished");
                Ok(outcome)
            }
            Err(error) => {
                tracing::error!(code = error.code(), error = error.chain(), "run failed");
                Err(Diagnostic { error_type: error.code().to_owned(), error_message: error.chain() })
            }
        }
    }))
    .await
}
