//! Orchestrations: each runs to its end at once and is remembered with its token.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::errors::ApiError;
use super::{paging, text};
use crate::world::State;

/// One of AWS's orchestrations.
#[derive(Debug)]
pub struct Orchestration {
    /// The operation that starts it.
    pub operation: &'static str,
    /// Its tasks in an ARN.
    kind: &'static str,
    /// The identifiers that its tasks show.
    shows: &'static [&'static str],
}

/// An opportunity is submitted, with an engagement and an invitation to AWS.
pub static SUBMISSION: Orchestration = Orchestration {
    operation: "StartEngagementFromOpportunityTask",
    kind: "engagement-from-opportunity-task",
    shows: &["OpportunityId", "ResourceSnapshotJobId", "EngagementInvitationId", "EngagementId"],
};

/// A referral is accepted and becomes an opportunity.
pub static ACCEPTANCE: Orchestration = Orchestration {
    operation: "StartEngagementByAcceptingInvitationTask",
    kind: "engagement-by-accepting-invitation-task",
    shows: &["OpportunityId", "ResourceSnapshotJobId", "EngagementInvitationId"],
};

/// A lead becomes an opportunity.
pub static CONVERSION: Orchestration = Orchestration {
    operation: "StartOpportunityFromEngagementTask",
    kind: "opportunity-from-engagement-task",
    shows: &["OpportunityId", "ResourceSnapshotJobId", "EngagementId", "ContextId"],
};

/// The filters of the task lists, and the identifiers they look at.
const FILTERS: [(&str, &str); 4] = [
    ("OpportunityIdentifier", "OpportunityId"),
    ("EngagementIdentifier", "EngagementId"),
    ("EngagementInvitationIdentifier", "EngagementInvitationId"),
    ("ContextIdentifier", "ContextId"),
];

/// Identifiers by the names that tasks show them under.
pub type Ids = BTreeMap<&'static str, String>;

/// Why a task failed: its reason code and a text for people.
pub type Failure = (&'static str, &'static str);

/// One run of an orchestration.
#[derive(Debug)]
pub struct Task {
    id: String,
    of: &'static Orchestration,
    started: Timestamp,
    failure: Option<Failure>,
    ids: Ids,
}

impl Task {
    fn status(&self) -> &'static str {
        if self.failure.is_some() { "FAILED" } else { "COMPLETE" }
    }

    fn view(&self, state: &State) -> Value {
        let (reason, message) = self.failure.unzip();
        let mut answer = json!({
            "TaskId": self.id,
            "TaskArn": state.arn(self.of.kind, &self.id),
            "StartTime": text::nanos(self.started),
            "TaskStatus": self.status(),
            "Message": message,
            "ReasonCode": reason,
        });
        for name in self.of.shows {
            answer[*name] = json!(self.ids.get(name));
        }
        answer
    }
}

impl State {
    /// Remembers a task that ran, its answer and its token. A task that succeeded made a snapshot job.
    pub fn finish_task(
        &mut self,
        of: &'static Orchestration,
        request: &Map<String, Value>,
        outcome: Result<Ids, (Failure, Ids)>,
        now: Timestamp,
    ) -> Value {
        let (failure, ids) = match outcome {
            Ok(mut ids) => {
                ids.insert("ResourceSnapshotJobId", format!("job-{}", text::random_id(13)));
                (None, ids)
            }
            Err((failure, ids)) => (Some(failure), ids),
        };
        let task = Task { id: format!("task-{}", text::random_id(13)), of, started: now, failure, ids };
        let answer = task.view(self);
        self.partner_central.tasks.push(task);
        self.partner_central.remember(of.operation, request, &answer);
        answer
    }
}

/// The list of an orchestration's tasks.
pub fn list(state: &State, of: &Orchestration, request: &Map<String, Value>) -> Result<Value, ApiError> {
    let mut found: Vec<&Task> = state
        .partner_central
        .tasks
        .iter()
        .filter(|task| task.of.operation == of.operation)
        .filter(|task| {
            text::wanted(request, "TaskStatus", Some(task.status()))
                && text::wanted(request, "TaskIdentifier", Some(&task.id))
                && FILTERS.iter().all(|(path, id)| text::wanted(request, path, task.ids.get(id).map(String::as_str)))
        })
        .collect();
    if text::str_at(request, "Sort.SortOrder") == Some("DESCENDING") {
        found.reverse();
    }
    paging::page(request, 20, "TaskSummaries", &found, |task| task.view(state))
}
