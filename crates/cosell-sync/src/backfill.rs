//! First-time linking of a pipeline that is on both sides already: a [plan](Backfill::plan) for a person to read, and
//! what it says [put into the ledger](Backfill::apply).

mod matching;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use cosell_mapping::{CrmValue, Mapping, ObjectMapping};
use cosell_model::{Catalog, Kind, OpportunityId, Record, api};
use futures::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    CrmRef, Link, LinkKey, Progress, SyncError,
    from_aws::present,
    log::{Direction, Entry, Purpose, Status},
    ports::{Crm, CrmRecord, Ledger, Listed, PartnerCentral, PortError, PortResult, Queue},
    reconcile::opportunity_ring,
    walk::{every_opportunity, named_record},
};

pub use matching::{InvalidRule, Outcome, Pair, Part, Plan, Row, Rule, Seen};

/// How many records are read or written at the same time.
const PAGE: usize = 50;
/// How many records one request to the CRM asks for.
const CRM_PAGE: usize = 500;

/// Links what both sides have.
pub struct Backfill {
    /// Partner Central.
    pub partner_central: Box<dyn PartnerCentral>,
    /// The CRM.
    pub crm: Box<dyn Crm>,
    /// cosell's memory.
    pub ledger: Box<dyn Ledger>,
    /// The queue of opportunity events.
    pub opportunities: Box<dyn Queue>,
    /// How records correspond.
    pub mapping: Mapping,
    /// Which world of Partner Central this deployment serves.
    pub catalog: Catalog,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// What a plan is to be made of.
#[derive(Debug, Clone)]
pub struct Question {
    /// By what records are matched, in this order.
    pub rules: Vec<Rule>,
    /// By how many days dates may differ.
    pub days: u32,
    /// Leaves out opportunities that have not changed at AWS since.
    pub since: Option<Timestamp>,
}

impl Question {
    /// The ACE fields of which a plan has to know the values.
    pub fn fields(&self) -> BTreeSet<&'static str> {
        let compared = self.rules.iter().flat_map(Rule::fields).map(|field| field.key);
        compared.chain(matching::SHOWN).collect()
    }

    /// What is kept of a record.
    fn kept(&self, record: &Record) -> Record {
        let fields = self.fields();
        let mut kept = Record::new(record.kind());
        for (field, value) in record.iter().filter(|(field, _)| fields.contains(field.key)) {
            kept.set(field, value.clone());
        }
        kept
    }
}

/// Something that was read, so that a run that was cut goes on after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// An opportunity.
    Aws(Seen),
    /// A record of the CRM.
    Crm(Seen),
    /// How far the CRM is read.
    Cursor(String),
}

/// Everything that was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Notes {
    aws: BTreeMap<String, Seen>,
    crm: BTreeMap<String, Seen>,
    cursor: Option<String>,
}

impl Notes {
    /// How many records of AWS's and of the CRM's were read.
    pub fn counts(&self) -> (usize, usize) {
        (self.aws.len(), self.crm.len())
    }
}

/// A later note of a record replaces an earlier one.
impl Extend<Note> for Notes {
    fn extend<N: IntoIterator<Item = Note>>(&mut self, notes: N) {
        for note in notes {
            match note {
                Note::Aws(seen) => drop(self.aws.insert(seen.id.clone(), seen)),
                Note::Crm(seen) => drop(self.crm.insert(seen.id.clone(), seen)),
                Note::Cursor(cursor) => self.cursor = Some(cursor),
            }
        }
    }
}

/// Keeps a page of what was read.
pub type Keep<'k> = &'k mut dyn FnMut(&[Note]) -> PortResult<()>;

impl Backfill {
    /// Reads both sides and finds out which record is which. Writes nothing. `notes` has what an earlier run has read; what
    /// has not changed since is not read again.
    pub async fn plan(
        &self,
        question: &Question,
        notes: &mut Notes,
        keep: Keep<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Plan, SyncError> {
        self.read_crm(question, notes, keep, progress).await?;
        let object = &self.mapping.opportunity.object;
        let records = notes.crm.keys().map(|id| LinkKey::Crm(CrmRef { object: object.clone(), id: id.clone() }));
        let mut pairs = self.linked(records.collect(), "looking up the CRM's records", progress).await?;

        let since = question.since.map(|since| format!("{since:.3}"));
        let listed = every_opportunity(self.partner_central.as_ref(), since.as_deref(), progress).await?;
        let opportunities = listed.iter().map(|line| LinkKey::Opportunity(line.id.clone()));
        pairs.extend(self.linked(opportunities.collect(), "looking up AWS's opportunities", progress).await?);
        let linked: HashSet<&str> = pairs.iter().filter_map(|pair| pair.ace.as_deref()).collect();
        let unlinked: Vec<&Listed> = listed.iter().filter(|line| !linked.contains(line.id.as_str())).collect();
        self.read_aws(question, &unlinked, notes, keep, progress).await?;

        let aws: Vec<&Seen> = unlinked.iter().filter_map(|line| notes.aws.get(line.id.as_str())).collect();
        let crm: Vec<&Seen> = notes.crm.values().collect();
        Ok(matching::plan(&aws, &crm, &pairs, &question.rules, question.days))
    }

    /// What the ledger knows of these.
    async fn linked(
        &self,
        keys: Vec<LinkKey>,
        step: &'static str,
        progress: &mut dyn FnMut(Progress),
    ) -> PortResult<Vec<Pair>> {
        let (mut pairs, mut done) = (Vec::new(), 0);
        for page in keys.chunks(PAGE) {
            let links = try_join_all(page.iter().map(|key| self.ledger.link(key))).await?;
            pairs.extend(links.into_iter().flatten().filter_map(|link| pair(&link)));
            done += page.len();
            progress(Progress { step, done, of: Some(keys.len()) });
        }
        Ok(pairs)
    }

    /// Reads the opportunities that were not read yet, or that changed since.
    async fn read_aws(
        &self,
        question: &Question,
        listed: &[&Listed],
        notes: &mut Notes,
        keep: Keep<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), SyncError> {
        let is_new =
            |line: &&&Listed| notes.aws.get(line.id.as_str()).is_none_or(|seen| seen.version != line.last_modified);
        let unread: Vec<&Listed> = listed.iter().filter(is_new).copied().collect();
        let mut done = listed.len() - unread.len();
        for page in unread.chunks(PAGE) {
            let read = try_join_all(page.iter().map(|line| self.opportunity(question, line))).await?;
            // All at the same moment, so that they share requests to the CRM.
            let known = &notes.crm;
            let seen = try_join_all(read.into_iter().flatten().map(|mut seen| async {
                if let Some(id) = seen.names.take_if(|id| !known.contains_key(id)) {
                    seen.names = self.record(&id).await?.map(|record| record.id);
                }
                Ok::<_, PortError>(Note::Aws(seen))
            }))
            .await?;
            keep(&seen)?;
            notes.extend(seen);
            done += page.len();
            progress(Progress { step: "reading AWS's opportunities", done, of: Some(listed.len()) });
        }
        Ok(())
    }

    async fn opportunity(&self, question: &Question, line: &Listed) -> PortResult<Option<Seen>> {
        let summary = question.rules.iter().flat_map(Rule::fields).any(|field| field.api.is_none());
        let (opportunity, summary) = match present(self.partner_central.as_ref(), &line.id, summary).await {
            Err(PortError::NotFound { .. }) => return Ok(None),
            answered => answered?,
        };
        let record = api::opportunity(&opportunity, summary.as_ref()).without_redacted().record;
        let object = &self.mapping.opportunity;
        let part = match (object.is_dummy(&record), object.welcomes(&record)) {
            (true, _) => Part::Never,
            (false, true) => Part::Always,
            (false, false) => Part::IfMatched,
        };
        let names = record.text("partnerCrmUniqueIdentifier").map(str::to_owned);
        let values = question.kept(&record);
        Ok(Some(Seen { id: line.id.to_string(), version: line.last_modified.clone(), names, part, values }))
    }

    async fn record(&self, id: &str) -> PortResult<Option<CrmRecord>> {
        let ObjectMapping { object, ace_id, .. } = &self.mapping.opportunity;
        named_record(self.crm.as_ref(), object, id, std::slice::from_ref(ace_id)).await
    }

    /// Reads the CRM's records that were not read yet, or that changed since.
    async fn read_crm(
        &self,
        question: &Question,
        notes: &mut Notes,
        keep: Keep<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), SyncError> {
        let object = &self.mapping.opportunity;
        let fields = object.crm_fields();
        let mut cursor = notes.cursor.clone().unwrap_or_else(|| self.crm.beginning());
        loop {
            let changes = self.crm.changed_since(&object.object, Some(&cursor), &fields, CRM_PAGE).await?;
            let mut page: Vec<Note> =
                changes.records.into_iter().map(|record| Note::Crm(self.in_crm(question, record))).collect();
            page.push(Note::Cursor(changes.cursor.clone()));
            keep(&page)?;
            notes.extend(page);
            progress(Progress { step: "reading the CRM", done: notes.crm.len(), of: None });
            if changes.caught_up {
                return Ok(());
            }
            cursor = changes.cursor;
        }
    }

    fn in_crm(&self, question: &Question, record: CrmRecord) -> Seen {
        let object = &self.mapping.opportunity;
        let (part, values) = if object.in_scope(&record.fields) {
            (Part::Always, question.kept(&object.to_ace(&record.fields).0))
        } else {
            (Part::Never, Record::new(Kind::Opportunity))
        };
        let names = record.fields.get(&object.ace_id).and_then(CrmValue::as_text).map(str::to_owned);
        Seen { id: record.id, version: record.modified_at, names, part, values }
    }
}

/// The pair that a link is.
fn pair(link: &Link) -> Option<Pair> {
    let ace = link.ace_id().map(str::to_owned);
    // What is being shared has a counterpart in a moment.
    (ace.is_some() || link.share.is_some() || link.is_shipping()).then_some(())?;
    Some(Pair { ace, crm: link.crm()?.id.clone() })
}

/// What a plan says of a row after a person has gone through it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Where it stands in the plan.
    pub row: u64,
    /// What is to be done; none where it is no word of the plan's.
    pub outcome: Option<Outcome>,
    /// At AWS.
    pub ace_id: String,
    /// In the CRM.
    pub crm_id: String,
}

/// How a plan is applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct How {
    /// Brings what only AWS has into the CRM too.
    pub create_missing: bool,
    /// Checks everything and writes nothing.
    pub dry_run: bool,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// The two are linked now, and the functions merge them.
    Linked,
    /// They were.
    LinkedBefore,
    /// The functions make a record of it in the CRM.
    Queued,
    /// Nothing was done.
    Refused,
}

/// Why a row was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not one of the plan's words.
    #[error("its outcome is none of {}", Outcome::ALL.map(Outcome::as_str).join(", "))]
    NoOutcome,
    /// No identifier of an opportunity.
    #[error("its ace_id is no opportunity's (`O` and digits)")]
    NoAceId,
    /// Nobody filled it in.
    #[error("its crm_id is empty")]
    NoCrmId,
    /// Two rows want the same record.
    #[error("{id} is in row {row} as well: one record has one counterpart")]
    Twice {
        /// Which record.
        id: String,
        /// The other row.
        row: u64,
    },
    /// AWS does not have it.
    #[error("AWS lists no opportunity {0}")]
    NotAtAws(String),
    /// The CRM does not have it.
    #[error("the CRM has no {0}")]
    NotInCrm(CrmRef),
    /// It has another counterpart.
    #[error("{id} is linked with {with}")]
    LinkedElsewhere {
        /// Which record.
        id: String,
        /// Its counterpart.
        with: String,
    },
    /// It will have a counterpart in a moment.
    #[error("{0} is being shared with AWS")]
    BeingShared(String),
    /// The ledger has something of both, apart.
    #[error("cosell has worked on both, and on each for itself: what it remembers of them cannot become one")]
    Apart,
    /// Somebody else was faster.
    #[error("somebody else stored one of the two at the same moment: apply the plan once more")]
    Overtaken,
}

/// What became of a row, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Where it stands in the plan.
    pub row: u64,
    /// At AWS.
    pub ace_id: String,
    /// In the CRM.
    pub crm_id: String,
    /// What was done.
    pub deed: Deed,
    /// Why nothing was.
    pub why: Option<Refusal>,
}

/// A row that can be carried out as far as the plan tells.
struct Order<'d> {
    decision: &'d Decision,
    opportunity: OpportunityId,
    /// Which record it is in the CRM; none where one is to be made.
    crm_id: Option<&'d str>,
}

/// The link of two records.
enum Tie {
    /// As the ledger has it.
    Known(Link),
    /// As it is to be stored.
    New(Link),
}

impl Backfill {
    /// Links what a plan matches and puts it on the queue of opportunity events, so that the functions merge it. What
    /// cannot be done is refused, row by row. Rows that are linked already stay as they are.
    ///
    /// What a run that was cut has linked and not put on the queue, the next one puts there.
    pub async fn apply(
        &self,
        decisions: &[Decision],
        how: How,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Applied>, SyncError> {
        let (orders, mut applied) = ordered(decisions, how);
        let listed: HashSet<OpportunityId> = if orders.is_empty() {
            HashSet::new()
        } else {
            let listed = every_opportunity(self.partner_central.as_ref(), None, progress).await?;
            listed.into_iter().map(|line| line.id).collect()
        };
        let mut done = 0;
        for page in orders.chunks(PAGE) {
            let told = try_join_all(page.iter().map(|order| self.carry_out(order, &listed, how.dry_run))).await?;
            let mut rings = Vec::new();
            for (order, told) in page.iter().zip(told) {
                let (deed, why) = match told {
                    Ok((deed, ring)) => {
                        rings.extend(ring.then(|| opportunity_ring(self.catalog, &order.opportunity)));
                        (deed, None)
                    }
                    Err(refusal) => (Deed::Refused, Some(refusal)),
                };
                applied.push(Applied::of(order.decision, deed, why));
            }
            if !how.dry_run {
                self.opportunities.send(&rings).await?;
            }
            done += page.len();
            progress(Progress { step: "linking", done, of: Some(orders.len()) });
        }
        applied.sort_by_key(|applied| applied.row);
        Ok(applied)
    }

    /// Does what a row says, and tells whether it is to ring.
    async fn carry_out(
        &self,
        order: &Order<'_>,
        listed: &HashSet<OpportunityId>,
        dry_run: bool,
    ) -> PortResult<Result<(Deed, bool), Refusal>> {
        let Order { opportunity, crm_id, .. } = order;
        let of_aws = self.ledger.link(&LinkKey::Opportunity(opportunity.clone())).await?;
        let has = of_aws.as_ref().and_then(Link::crm);
        if has.is_some_and(|has| crm_id.is_none_or(|wanted| wanted == has.id)) {
            return Ok(Ok((Deed::LinkedBefore, was_cut(of_aws.as_ref()))));
        }
        if !listed.contains(opportunity) {
            return Ok(Err(Refusal::NotAtAws(opportunity.to_string())));
        }
        let Some(crm_id) = crm_id else { return Ok(Ok((Deed::Queued, true))) };

        let object = self.mapping.opportunity.object.clone();
        let Some(CrmRecord { id, .. }) = self.record(crm_id).await? else {
            return Ok(Err(Refusal::NotInCrm(CrmRef { object, id: (*crm_id).to_owned() })));
        };
        let record = CrmRef { object, id };
        let of_crm = self.ledger.link(&LinkKey::Crm(record.clone())).await?;
        let mut link = match together(opportunity, record, of_aws, of_crm) {
            Ok(Tie::Known(link)) => return Ok(Ok((Deed::LinkedBefore, was_cut(Some(&link))))),
            Ok(Tie::New(link)) => link,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if !dry_run {
            match self.ledger.save(&mut link).await {
                Err(PortError::Conflict { .. }) => return Ok(Err(Refusal::Overtaken)),
                saved => saved?,
            }
            let message = "linked with the record that the CRM had".to_owned();
            let entry = Entry::new((self.now)(), Direction::FromAws, Purpose::Backfill, Status::Processed, message)
                .about(&link);
            self.ledger.log(&[entry]).await?;
        }
        Ok(Ok((Deed::Linked, true)))
    }
}

impl Applied {
    fn of(decision: &Decision, deed: Deed, why: Option<Refusal>) -> Self {
        let Decision { row, ace_id, crm_id, .. } = decision.clone();
        Self { row, ace_id, crm_id, deed, why }
    }
}

/// Whether nobody has merged the two since they were linked.
fn was_cut(link: Option<&Link>) -> bool {
    link.is_some_and(|link| link.read_at.is_none())
}

/// The rows that can be carried out, and those that cannot.
fn ordered(decisions: &[Decision], how: How) -> (Vec<Order<'_>>, Vec<Applied>) {
    let (mut orders, mut refused): (Vec<Order<'_>>, _) = (Vec::new(), Vec::new());
    for decision in decisions {
        let same =
            |order: &Order<'_>| order.decision.ace_id == decision.ace_id && order.decision.crm_id == decision.crm_id;
        match order(decision, how) {
            // An ambiguous pair has a row on either side, and somebody has decided on both.
            Ok(Some(_)) if orders.iter().any(same) => {}
            Ok(order) => orders.extend(order),
            Err(why) => refused.push(Applied::of(decision, Deed::Refused, Some(why))),
        }
    }
    let mut rows: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for Order { decision, crm_id, .. } in &orders {
        for id in crm_id.iter().copied().chain([decision.ace_id.as_str()]) {
            rows.entry(id).or_default().push(decision.row);
        }
    }
    orders.retain(|Order { decision, crm_id, .. }| {
        let twice = crm_id.iter().copied().chain([decision.ace_id.as_str()]).find_map(|id| {
            let row = rows[id].iter().copied().find(|row| *row != decision.row)?;
            Some(Refusal::Twice { id: id.to_owned(), row })
        });
        let is_sound = twice.is_none();
        refused.extend(twice.map(|why| Applied::of(decision, Deed::Refused, Some(why))));
        is_sound
    });
    (orders, refused)
}

/// What a row asks for; none where it asks for nothing.
fn order(decision: &Decision, how: How) -> Result<Option<Order<'_>>, Refusal> {
    let crm_id = match decision.outcome.ok_or(Refusal::NoOutcome)? {
        Outcome::Matched if decision.crm_id.is_empty() => return Err(Refusal::NoCrmId),
        Outcome::Matched => Some(decision.crm_id.as_str()),
        Outcome::OnlyAtAws if how.create_missing => None,
        Outcome::OnlyAtAws | Outcome::Ambiguous | Outcome::OnlyInCrm | Outcome::Linked => return Ok(None),
    };
    let opportunity = decision.ace_id.parse().map_err(|_| Refusal::NoAceId)?;
    Ok(Some(Order { decision, opportunity, crm_id }))
}

/// The link of two records, from what the ledger has of each.
fn together(
    opportunity: &OpportunityId,
    record: CrmRef,
    of_aws: Option<Link>,
    of_crm: Option<Link>,
) -> Result<Tie, Refusal> {
    let elsewhere = |id: &str, with: String| Refusal::LinkedElsewhere { id: id.to_owned(), with };
    match (&of_aws, &of_crm) {
        (Some(aws), Some(crm)) if aws.born_as == crm.born_as => return Ok(Tie::Known(aws.clone())),
        (Some(aws), _) if let Some(other) = aws.crm() => {
            return Err(elsewhere(opportunity.as_str(), other.to_string()));
        }
        (_, Some(crm)) if let Some(other) = crm.ace_id() => return Err(elsewhere(&record.id, other.to_owned())),
        (_, Some(crm)) if crm.share.is_some() || crm.is_shipping() => return Err(Refusal::BeingShared(record.id)),
        (Some(_), Some(_)) => return Err(Refusal::Apart),
        _ => {}
    }
    let key = LinkKey::Opportunity(opportunity.clone());
    let mut link = of_aws.or(of_crm).unwrap_or_else(|| Link::new(key.clone()));
    link.also(key);
    link.also(LinkKey::Crm(record));
    // Whatever one of them was merged with, it was not the other.
    link.without_base();
    link.read_at = None;
    Ok(Tie::New(link))
}
