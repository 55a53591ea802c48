//! From files to the API: what has to be settled before a partner's opportunities go the other way, so that nothing is made
//! twice and nothing is lost. Links by identifiers alone, with the backfill's own hands, and compares as the drift does.

use std::{collections::BTreeSet, fmt};

use cosell_mapping::ObjectMapping;
use cosell_model::{Kind, OpportunityId, Wire};
use futures::future::try_join_all;
use serde::Serialize;

use crate::{
    Progress, SyncError,
    backfill::{Applied, Backfill, Decision, Deed, How, Notes, Outcome, Plan, Question, Row},
    drift::{Drift, Found, Line, Subject},
    ports::PortResult,
};

/// Prepares the switch.
pub struct Migration {
    /// Finds out which record is which, and links.
    pub backfill: Backfill,
    /// Compares what is linked.
    pub drift: Drift,
}

/// What of the partner's opportunities is on its way in files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InFlight {
    /// So many records wait for the next file.
    pub waiting: usize,
    /// Files that AWS has not answered.
    pub files: Vec<String>,
}

impl InFlight {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0 && self.files.is_empty()
    }
}

/// A field, or a record as a whole, that is not in step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// How it stands in the API's form.
    pub line: Line,
    /// Whether it is in step in the form of files: nobody changed it, and the switch sends it.
    pub by_switch: bool,
}

/// What was found out, and what was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether the mapping sends opportunities by files.
    pub by_files: bool,
    /// What is in the way.
    pub in_flight: InFlight,
    /// Which record is which.
    pub plan: Plan,
    /// What was linked.
    pub applied: Vec<Applied>,
    /// Where pairs differ.
    pub differences: Vec<Difference>,
}

/// How many records there are of each sort.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Linked already.
    pub linked: usize,
    /// Of those, opportunities whose fields were compared.
    pub compared: usize,
    /// Of those, in step.
    pub in_step: usize,
    /// Of those, in step, and the switch sends something that files could not carry.
    pub sent_by_switch: usize,
    /// Found by their identifiers: they would be linked, or are by now.
    pub matched: usize,
    /// More than one record could be the counterpart.
    pub ambiguous: usize,
    /// Opportunities that belong to nobody in the CRM.
    pub only_at_aws: usize,
    /// Records of the CRM that name an opportunity which AWS does not list, or which is another record's.
    pub misnamed: usize,
    /// Records of the CRM without an opportunity: nobody has shared them, as far as identifiers tell.
    pub only_in_crm: usize,
    /// Left out by the mapping.
    pub left_out: usize,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// So many records wait for the next file.
    Sends(usize),
    /// AWS has not answered so many files.
    Answers(usize),
    /// So many records can be linked.
    Link(usize),
    /// So many were linked by this run.
    Merge(usize),
    /// So many could not be linked.
    Refused(usize),
    /// So many records have several possible counterparts.
    Decide(usize),
    /// So many opportunities are unknown to the CRM.
    Bring(usize),
    /// So many records of the CRM name another's opportunity, or none.
    Rename(usize),
    /// So many pairs differ.
    Agree(usize),
    /// The mapping is to be changed; so many pairs have something that goes with it.
    Switch(usize),
    /// The API is in use.
    Done,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sends(count) => {
                write!(
                    f,
                    "{count} record(s) wait for the next file: wait until fn-file-send has sent it and AWS has answered"
                )
            }
            Self::Answers(count) => write!(
                f,
                "{count} file(s) are not answered: wait for AWS's answers; `cosell files list` shows which are late, `cosell files resend` sends their records again"
            ),
            Self::Link(count) => {
                write!(
                    f,
                    "{count} record(s) are found by their identifiers: `cosell migrate s3-to-api --apply` links them"
                )
            }
            Self::Merge(count) => {
                write!(f, "{count} record(s) are linked now: the functions merge them, look again in a few minutes")
            }
            Self::Refused(count) => write!(f, "{count} record(s) could not be linked: see why, and run it again"),
            Self::Decide(count) => {
                write!(
                    f,
                    "{count} record(s) have several possible counterparts: decide with `cosell backfill plan` and `apply`"
                )
            }
            Self::Bring(count) => write!(
                f,
                "{count} opportunity(ies) belong to nobody in the CRM: `cosell backfill plan` finds records by other fields, `cosell refresh ID` makes one"
            ),
            Self::Rename(count) => write!(
                f,
                "{count} record(s) of the CRM name an opportunity that AWS does not list, or that is another record's: mend the identifier, else what is shared is made at AWS once more"
            ),
            Self::Agree(count) => {
                write!(
                    f,
                    "{count} record(s) differ: let go what goes by itself, mend the rest; `cosell drift ID --values` shows how"
                )
            }
            Self::Switch(changes) => {
                f.write_str(
                    "set `opportunities = false` under `[files]`, `cosell config push` the mapping, and look again: functions that run already go on with files until their next cold start",
                )?;
                if *changes > 0 {
                    write!(f, "; of {changes} record(s) the API then gets what files could not carry as it is")?;
                }
                Ok(())
            }
            Self::Done => f.write_str("nothing: opportunities go by the API"),
        }
    }
}

impl Migration {
    /// Whether the mapping sends opportunities by files.
    pub fn by_files(&self) -> bool {
        self.backfill.mapping.files.opportunities
    }

    /// What of the opportunities is on its way in files. Leads stay with files and are in nobody's way.
    pub async fn in_flight(&self) -> Result<InFlight, SyncError> {
        let ledger = &self.backfill.ledger;
        let open = ledger.open_manifests().await?.into_iter();
        let files = open.filter(|manifest| manifest.kind == Kind::Opportunity).map(|manifest| manifest.key);
        Ok(InFlight { waiting: ledger.waiting(Kind::Opportunity).await?.len(), files: files.collect() })
    }

    /// Reads both sides and finds out which record is which, by the ledger and by identifiers alone. Writes nothing. `notes`
    /// has what a run has read that was throttled.
    pub async fn plan(&self, notes: &mut Notes, progress: &mut dyn FnMut(Progress)) -> Result<Plan, SyncError> {
        let question = Question { rules: Vec::new(), days: 0, since: None };
        self.backfill.plan(&question, notes, &mut |_| Ok(()), progress).await
    }

    /// Links what the plan matches, as a backfill does. Nothing, while something is on its way in files: a record that AWS is
    /// about to name in its answer must not be linked with another one meanwhile.
    pub async fn link(
        &self,
        plan: &Plan,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Result<Vec<Applied>, InFlight>, SyncError> {
        let in_flight = self.in_flight().await?;
        if !in_flight.is_empty() {
            return Ok(Err(in_flight));
        }
        let decisions: Vec<Decision> = matched(plan).map(decision).collect();
        Ok(Ok(self.backfill.apply(&decisions, How::default(), progress).await?))
    }

    /// Compares some linked opportunities with their records of the CRM.
    ///
    /// What counts is the API's form, in which cosell compares and sends from the switch on, whatever the mapping says now: AWS's
    /// side is read from the API, too, and files write phone numbers or offers in another way than it answers them. But files
    /// take whole dollars. What is in step in their form is nobody's edit, and cannot be brought in step before the switch: it
    /// is told apart.
    pub async fn compare(&self, opportunities: &[OpportunityId]) -> Result<Vec<Difference>, SyncError> {
        let as_now = &self.drift.mapping.opportunity;
        let by_api = ObjectMapping { wire: Wire::Api, ..as_now.clone() };
        let found = try_join_all(opportunities.iter().map(|id| self.differences(id, &by_api, as_now))).await?;
        Ok(found.concat())
    }

    async fn differences(
        &self,
        id: &OpportunityId,
        by_api: &ObjectMapping,
        as_now: &ObjectMapping,
    ) -> PortResult<Vec<Difference>> {
        let mut found = match self.drift.found(&Subject::Opportunity(id.clone())).await? {
            Found::Alone(line) => vec![Difference { line, by_switch: false }],
            Found::Pair(pair) => {
                let now = (self.drift.now)();
                // A line for each mapped field, in the mapping's order.
                let both = pair.lines(by_api, now).into_iter().zip(pair.lines(as_now, now));
                both.map(|(line, today)| Difference { line, by_switch: today.verdict.is_in_step() }).collect()
            }
        };
        found.retain(|difference| !difference.line.verdict.is_in_step());
        Ok(found)
    }
}

fn matched(plan: &Plan) -> impl Iterator<Item = (u64, &Row)> {
    (1..).zip(&plan.rows).filter(|(_, row)| row.outcome == Outcome::Matched)
}

fn decision((row, Row { outcome, ace_id, crm_id, .. }): (u64, &Row)) -> Decision {
    Decision { row, outcome: Some(*outcome), ace_id: ace_id.clone(), crm_id: crm_id.clone() }
}

/// The opportunities of a plan that have a counterpart already: what there is to compare.
pub fn linked(plan: &Plan) -> Vec<OpportunityId> {
    let linked = plan.rows.iter().filter(|row| row.outcome == Outcome::Linked);
    linked.filter_map(|row| row.ace_id.parse().ok()).collect()
}

/// Whether a record of the CRM names an opportunity that is not its own.
pub fn is_misnamed(row: &Row) -> bool {
    row.outcome == Outcome::OnlyInCrm && !row.candidates.is_empty()
}

impl Report {
    /// How many records there are of each sort.
    pub fn counts(&self) -> Counts {
        let of = |outcome| self.plan.rows.iter().filter(|row| row.outcome == outcome).count();
        let misnamed = self.plan.rows.iter().filter(|row| is_misnamed(row)).count();
        let compared = linked(&self.plan).len();
        let apart = self.records(|difference| !difference.by_switch);
        let by_switch = self.records(|difference| difference.by_switch);
        Counts {
            linked: of(Outcome::Linked),
            compared,
            in_step: compared - apart.len(),
            sent_by_switch: by_switch.difference(&apart).count(),
            matched: of(Outcome::Matched),
            ambiguous: of(Outcome::Ambiguous),
            only_at_aws: of(Outcome::OnlyAtAws),
            misnamed,
            only_in_crm: of(Outcome::OnlyInCrm) - misnamed,
            left_out: self.plan.left_out,
        }
    }

    /// The opportunities that have such a difference.
    fn records(&self, wanted: impl Fn(&Difference) -> bool) -> BTreeSet<&str> {
        let differences = self.differences.iter().filter(|difference| wanted(difference));
        differences.filter_map(|difference| difference.line.ace_id.as_deref()).collect()
    }

    /// What is to be done, in this order.
    pub fn steps(&self) -> Vec<Step> {
        let Counts { matched, ambiguous, only_at_aws, misnamed, compared, in_step, sent_by_switch, .. } = self.counts();
        let refused = self.applied.iter().filter(|applied| applied.deed == Deed::Refused).count();
        let open = [
            (self.in_flight.waiting, Step::Sends as fn(usize) -> Step),
            (self.in_flight.files.len(), Step::Answers),
            (matched - self.applied.len(), Step::Link),
            (self.applied.len() - refused, Step::Merge),
            (refused, Step::Refused),
            (ambiguous, Step::Decide),
            (only_at_aws, Step::Bring),
            (misnamed, Step::Rename),
            (compared - in_step, Step::Agree),
        ];
        let mut steps: Vec<Step> =
            open.into_iter().filter(|(count, _)| *count > 0).map(|(count, step)| step(count)).collect();
        if self.by_files {
            steps.push(Step::Switch(sent_by_switch));
        } else if steps.is_empty() {
            steps.push(Step::Done);
        }
        steps
    }

    /// Whether nothing is in the way and both sides agree: the switch is all that is left, or done.
    pub fn is_ready(&self) -> bool {
        self.steps().iter().all(|step| matches!(step, Step::Switch(_) | Step::Done))
    }
}
