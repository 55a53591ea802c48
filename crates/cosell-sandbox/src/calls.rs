//! The list of calls, and what it adds up to.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::partner_central::Class;
use crate::weather::Kind;
use crate::world::Face;

/// A request that came to its end.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// Which face.
    pub face: Face,
    /// Which operation.
    pub operation: String,
    /// HTTP status of the answer; none when the connection closed without one.
    pub status: Option<u16>,
    /// When it was acted on or refused.
    pub at: Timestamp,
    /// Whether it was acted on, whatever became of the answer.
    pub acted: bool,
    /// The record it was about.
    pub target_id: Option<String>,
    /// The kind of weather that struck it, else the error's code if it failed. A slow answer keeps its own code.
    pub error: Option<String>,
    /// The kind of weather that struck it.
    pub weather: Option<Kind>,
}

#[derive(Default, Serialize)]
struct Tally {
    count: u64,
    acted: u64,
    by_status: BTreeMap<String, u64>,
}

/// Calls by operation, and for Partner Central how hard they pressed on its quotas.
pub fn summary(calls: &VecDeque<Call>) -> Value {
    let quota = |class: Class| {
        let own = calls.iter().filter(|call| call.face == Face::PartnerCentral && Class::of(&call.operation) == class);
        let mut moments: Vec<Timestamp> = own.map(|call| call.at).collect();
        moments.sort_unstable();
        json!({"count": moments.len(), "most_in_a_second": most_in_a_second(&moments)})
    };
    json!({
        "partner_central": {
            "operations": tallies(calls, Face::PartnerCentral),
            "quota": {"read": quota(Class::Read), "write": quota(Class::Write)},
        },
        "salesforce": {"operations": tallies(calls, Face::Salesforce)},
        "s3": {"operations": tallies(calls, Face::S3)},
    })
}

fn tallies(calls: &VecDeque<Call>, face: Face) -> BTreeMap<&str, Tally> {
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.face == face) {
        let tally = tallies.entry(&call.operation).or_default();
        tally.count += 1;
        tally.acted += u64::from(call.acted);
        let status = call.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        *tally.by_status.entry(status).or_default() += 1;
    }
    tallies
}

/// The fullest window that is shorter than a second, as the quotas count it; the moments are in order.
fn most_in_a_second(moments: &[Timestamp]) -> usize {
    let mut start = 0;
    let mut most = 0;
    for (end, moment) in moments.iter().enumerate() {
        while moment.duration_since(moments[start]) >= SignedDuration::from_secs(1) {
            start += 1;
        }
        most = most.max(end + 1 - start);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::tests::noon;

    fn call(operation: &str, millis: i64, status: Option<u16>, acted: bool) -> Call {
        Call {
            face: Face::PartnerCentral,
            operation: operation.to_owned(),
            status,
            at: noon() + SignedDuration::from_millis(millis),
            acted,
            target_id: None,
            error: None,
            weather: None,
        }
    }

    #[test]
    fn the_fullest_second_begins_anywhere() {
        let at = |millis: &[i64]| {
            let moments: Vec<Timestamp> =
                millis.iter().map(|millis| noon() + SignedDuration::from_millis(*millis)).collect();
            most_in_a_second(&moments)
        };
        assert_eq!(at(&[]), 0);
        assert_eq!(at(&[0, 1000, 2000]), 1, "a second apart is not the same second");
        assert_eq!(at(&[0, 600, 1100, 1500, 1599, 3000]), 4);
    }

    #[test]
    fn calls_add_up_by_operation_and_class() {
        let calls = VecDeque::from([
            call("GetOpportunity", 0, Some(200), true),
            call("GetOpportunity", 10, None, false),
            call("UpdateOpportunity", 20, Some(400), true),
            Call { face: Face::Salesforce, ..call("query", 30, Some(200), true) },
        ]);
        assert_eq!(
            summary(&calls),
            json!({
                "partner_central": {
                    "operations": {
                        "GetOpportunity": {"count": 2, "acted": 1, "by_status": {"200": 1, "none": 1}},
                        "UpdateOpportunity": {"count": 1, "acted": 1, "by_status": {"400": 1}},
                    },
                    "quota": {
                        "read": {"count": 2, "most_in_a_second": 2},
                        "write": {"count": 1, "most_in_a_second": 1},
                    },
                },
                "salesforce": {"operations": {"query": {"count": 1, "acted": 1, "by_status": {"200": 1}}}},
                "s3": {"operations": {}},
            })
        );
    }
}
