//! AWS's records and the books kept about them.

use std::collections::{BTreeMap, HashMap, VecDeque};

use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};
use serde_json::{Map, Value, json};

use super::engagements::Engagement;
use super::errors::ApiError;
use super::invitations::Invitation;
use super::tasks::Task;
use super::text;

/// Documented quotas: calls a second and calls in 24 hours.
const READS: (usize, usize) = (10, 100_000);
const WRITES: (usize, usize) = (1, 10_000);

const READ_OPERATIONS: [&str; 6] = [
    "GetOpportunity",
    "GetAwsOpportunitySummary",
    "ListOpportunities",
    "ListSolutions",
    "GetEngagementInvitation",
    "ListEngagementInvitations",
];

/// The class of quota that a call spends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The listed reads.
    Read,
    /// The listed writes, and every operation that the documentation does not list.
    Write,
}

impl Class {
    /// The class of an operation.
    pub fn of(operation: &str) -> Self {
        if READ_OPERATIONS.contains(&operation) { Self::Read } else { Self::Write }
    }
}

/// All of Partner Central.
pub struct Store {
    /// Opportunities by id.
    pub opportunities: BTreeMap<String, Opportunity>,
    /// Invitations by id.
    pub invitations: BTreeMap<String, Invitation>,
    /// Engagements by id.
    pub engagements: BTreeMap<String, Engagement>,
    /// Orchestrations, oldest first.
    pub tasks: Vec<Task>,
    /// The partner's solutions.
    pub solutions: Vec<Solution>,
    tokens: HashMap<(String, String), (Map<String, Value>, Value)>,
    snapshots: BTreeMap<String, u32>,
    next_opportunity: u64,
    last_stamp: Timestamp,
    reads: VecDeque<Timestamp>,
    writes: VecDeque<Timestamp>,
}

/// One opportunity with the partner's and AWS's sides of it.
#[derive(Debug, Clone)]
pub struct Opportunity {
    /// `O…`
    pub id: String,
    /// When it was made.
    pub created: Timestamp,
    /// The optimistic lock.
    pub modified: Timestamp,
    /// `AWS Referral` or `Partner Referral`.
    pub origin: String,
    /// The nine members that an update replaces, without nulls.
    pub body: Map<String, Value>,
    /// People on the partner's side.
    pub team: Vec<Value>,
    /// Associations by entity type.
    pub related: BTreeMap<String, Vec<String>>,
    /// What AWS knows and does, once it was shared.
    pub summary: Option<Map<String, Value>>,
    /// The engagement it belongs to.
    pub engagement: Option<String>,
    /// A simulated referral that nobody accepted yet.
    pub hidden: bool,
}

/// A solution the partner may attach.
#[derive(Debug, Clone)]
pub struct Solution {
    /// `S-…`
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// `Active`, `Inactive` or `Draft`.
    pub status: &'static str,
    /// Its category.
    pub category: &'static str,
}

impl Store {
    /// An empty store with three solutions.
    pub fn new(seed: u64) -> Self {
        let solution = |id, name, status, category| Solution { id, name, status, category };
        Self {
            opportunities: BTreeMap::new(),
            invitations: BTreeMap::new(),
            engagements: BTreeMap::new(),
            tasks: Vec::new(),
            solutions: vec![
                solution("S-1234567", "Sample Solution", "Active", "Software Product"),
                solution("S-7654321", "Sample Migration Service", "Active", "Professional Service"),
                solution("S-1111111", "Sample Retired Product", "Inactive", "Software Product"),
            ],
            tokens: HashMap::new(),
            snapshots: BTreeMap::new(),
            next_opportunity: seed.wrapping_mul(1000) % 100_000_000_000 + 1_000_000,
            last_stamp: Timestamp::UNIX_EPOCH,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
        }
    }

    /// A new opportunity id.
    pub fn new_opportunity_id(&mut self) -> String {
        self.next_opportunity += 1;
        format!("O{}", self.next_opportunity)
    }

    /// A moment in milliseconds, later than every one given before.
    pub fn stamp(&mut self, now: Timestamp) -> Timestamp {
        let whole = TimestampRound::new().smallest(Unit::Millisecond).mode(RoundMode::Trunc);
        let now = now.round(whole).unwrap_or(now);
        self.last_stamp = now.max(self.last_stamp + SignedDuration::from_millis(1));
        self.last_stamp
    }

    /// The opportunity, if the partner can see it.
    pub fn visible(&self, id: &str) -> Result<&Opportunity, ApiError> {
        self.opportunities
            .get(id)
            .filter(|opportunity| !opportunity.hidden)
            .ok_or_else(|| ApiError::not_found("Opportunity"))
    }

    /// [`Self::visible`], to change it.
    pub fn visible_mut(&mut self, id: &str) -> Result<&mut Opportunity, ApiError> {
        self.opportunities
            .get_mut(id)
            .filter(|opportunity| !opportunity.hidden)
            .ok_or_else(|| ApiError::not_found("Opportunity"))
    }

    /// The invitation an id or ARN names.
    pub fn invitation(&self, identifier: &str) -> Result<&Invitation, ApiError> {
        self.invitations.get(text::last_part(identifier)).ok_or_else(|| ApiError::not_found("Engagement invitation"))
    }

    /// The first answer to this token, if it came with the same request.
    pub fn recall(&self, operation: &str, request: &Map<String, Value>) -> Result<Option<Value>, ApiError> {
        let Some(token) = text::str_at(request, "ClientToken") else { return Ok(None) };
        match self.tokens.get(&(operation.to_owned(), token.to_owned())) {
            None => Ok(None),
            Some((first, answer)) if first == request => Ok(Some(answer.clone())),
            Some(_) => Err(ApiError::conflict("Conflicting client token submitted for a new request body")),
        }
    }

    /// Keeps the answer to a token.
    pub fn remember(&mut self, operation: &str, request: &Map<String, Value>, answer: &Value) {
        if let Some(token) = text::str_at(request, "ClientToken") {
            self.tokens.insert((operation.to_owned(), token.to_owned()), (request.clone(), answer.clone()));
        }
    }

    /// The next revision of an opportunity's snapshot.
    pub fn next_snapshot(&mut self, opportunity: &str) -> u32 {
        let revision = self.snapshots.entry(opportunity.to_owned()).or_default();
        *revision += 1;
        *revision
    }

    /// Counts a call against its class, or refuses it.
    pub fn spend_quota(&mut self, operation: &str, now: Timestamp) -> Result<(), ApiError> {
        let (calls, (a_second, a_day)) = match Class::of(operation) {
            Class::Read => (&mut self.reads, READS),
            Class::Write => (&mut self.writes, WRITES),
        };
        let day = now - SignedDuration::from_hours(24);
        while calls.front().is_some_and(|at| *at <= day) {
            calls.pop_front();
        }
        let second = now - SignedDuration::from_secs(1);
        let recent = calls.iter().rev().take_while(|at| **at > second).count();
        if recent >= a_second || calls.len() >= a_day {
            return Err(ApiError::throttled());
        }
        calls.push_back(now);
        Ok(())
    }
}

impl Opportunity {
    /// The review status.
    pub fn review_status(&self) -> &str {
        text::str_at(&self.body, "LifeCycle.ReviewStatus").unwrap_or_default()
    }

    /// The partner's stage.
    pub fn stage(&self) -> &str {
        text::str_at(&self.body, "LifeCycle.Stage").unwrap_or_default()
    }

    /// The associations of one type.
    pub fn related(&self, kind: &str) -> &[String] {
        self.related.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Whether a solution or a Marketplace solution or product is attached.
    pub fn has_solution(&self) -> bool {
        ["Solutions", "AwsMarketplaceSolutions", "AwsMarketplaceProducts"]
            .iter()
            .any(|kind| !self.related(kind).is_empty())
    }

    /// AWS learns of it: its own view begins.
    pub fn share(&mut self, involvement: &str, visibility: &str) {
        let mut summary = Map::new();
        summary.insert("InvolvementType".to_owned(), json!(involvement));
        summary.insert("Visibility".to_owned(), json!(visibility));
        let mut life_cycle = Map::new();
        life_cycle.insert("Stage".to_owned(), json!("Not Started"));
        if let Some(date) = text::at(&self.body, "LifeCycle.TargetCloseDate") {
            life_cycle.insert("TargetCloseDate".to_owned(), date.clone());
        }
        summary.insert("LifeCycle".to_owned(), Value::Object(life_cycle));
        if let Some(old) = &self.summary {
            text::merge(&mut summary, old);
        }
        self.summary = Some(summary);
    }

    /// AWS staffs it: a seller, a stage and an assessment.
    pub fn engage(&mut self) {
        let Some(summary) = &mut self.summary else { return };
        text::set(summary, "LifeCycle.Stage", json!("Qualify"));
        if text::items_at(summary, "OpportunityTeam").is_empty() {
            let seller = json!([{
                "Email": "sam.seller@aws.example",
                "FirstName": "Sam",
                "LastName": "Seller",
                "BusinessTitle": "AWSSalesRep",
            }]);
            summary.insert("OpportunityTeam".to_owned(), seller);
        }
        if text::at(summary, "Insights").is_none() {
            let insights =
                json!({"EngagementScore": "Medium", "NextBestActions": "Agree on the next meeting with the customer."});
            summary.insert("Insights".to_owned(), insights);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_only_grow() {
        let mut store = Store::new(1);
        let now: Timestamp = "2026-03-02T12:00:00.5Z".parse().expect("a timestamp");
        let first = store.stamp(now);
        let second = store.stamp(now);
        let third = store.stamp(now - SignedDuration::from_secs(60));
        assert_eq!(text::millis(first), "2026-03-02T12:00:00.500Z");
        assert_eq!(text::millis(second), "2026-03-02T12:00:00.501Z");
        assert_eq!(text::millis(third), "2026-03-02T12:00:00.502Z");
    }

    #[test]
    fn a_token_answers_once_for_one_body() {
        let mut store = Store::new(1);
        let request = json!({"ClientToken": "t1", "Catalog": "Sandbox"}).as_object().cloned().expect("an object");
        assert_eq!(store.recall("CreateOpportunity", &request).expect("no conflict"), None);
        store.remember("CreateOpportunity", &request, &json!({"Id": "O1"}));
        assert_eq!(store.recall("CreateOpportunity", &request).expect("no conflict"), Some(json!({"Id": "O1"})));
        assert_eq!(store.recall("StartEngagementFromOpportunityTask", &request).expect("its own space"), None);
        let mut other = request.clone();
        other.insert("NationalSecurity".to_owned(), json!("No"));
        let error = store.recall("CreateOpportunity", &other).expect_err("another body");
        assert_eq!(error.kind, "ConflictException");
    }

    #[test]
    fn quotas_are_by_class_and_second() {
        let mut store = Store::new(1);
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().expect("a timestamp");
        for _ in 0..10 {
            store.spend_quota("GetOpportunity", now).expect("ten reads a second");
        }
        assert_eq!(store.spend_quota("GetOpportunity", now).expect_err("eleventh").kind, "ThrottlingException");
        store.spend_quota("UpdateOpportunity", now).expect("one write a second");
        assert!(store.spend_quota("CreateOpportunity", now).is_err());
        store.spend_quota("CreateOpportunity", now + SignedDuration::from_secs(1)).expect("a second later");
    }
}
