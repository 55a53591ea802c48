//! The ports in memory: enough of a world to see what the use cases decide, and to fail at any call of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use cosell_mapping::{CrmValue, Description, Mapping};
use cosell_model::{Catalog, EngagementId, InvitationId, Kind, OpportunityId};
use cosell_sync::{
    Converger, CrmRef, Disposition, Link, LinkKey, Stage, Work,
    correct::Correct,
    deliver::Deliver,
    files::{Look, Manifest, Poll, Resend, Send, Settle},
    from_aws::FromAws,
    log::{Direction, Entry, OpenRecord, Query, RunSummary, Tally},
    named::Named,
    notice::Event,
    ports::*,
    push::Push,
};
use jiff::{Timestamp, civil::Date};
use serde_json::{Value as Json, json};
use uuid::Uuid;

pub const MAPPING: &str = include_str!("../../../cosell-mapping/presets/salesforce.toml");

/// AWS's number of the partner, as in the samples of files.
pub const PARTNER: &str = "0000000";

static CLOCK: AtomicI64 = AtomicI64::new(0);

/// Everything that the fakes hold, shared between them.
#[derive(Default)]
pub struct World {
    /// In place of the shipped mapping.
    pub mapping: Option<String>,
    pub opportunities: BTreeMap<String, Json>,
    pub invitations: BTreeMap<String, Json>,
    pub crm: BTreeMap<String, (String, CrmFields)>,
    /// Records of the CRM whose last change was a person's.
    pub by_rep: BTreeSet<String>,
    /// Deleted records of the CRM.
    pub bin: BTreeMap<String, (String, CrmFields)>,
    pub links: HashMap<LinkKey, Link>,
    pub files: BTreeMap<String, Vec<u8>>,
    /// What is in AWS's bucket for AWS.
    pub sent: BTreeMap<String, Vec<u8>>,
    pub manifests: BTreeMap<String, Manifest>,
    pub file_states: BTreeMap<String, FileState>,
    pub log: Vec<Entry>,
    /// How often records were tried again by themselves.
    pub retries: BTreeMap<String, u32>,
    pub cursors: BTreeMap<String, String>,
    /// Leads by engagement.
    pub engagements: BTreeMap<String, Json>,
    /// What was told on the bus.
    pub told: Vec<Event>,
    /// What was put on the queue to AWS.
    pub to_aws: Vec<Message>,
    /// Every call, in order: `CreateOpportunity`, `upsert`, …
    pub calls: Vec<String>,
    /// The call that is lost, counted from here, and whether it was carried out before it was lost.
    pub lost: Option<(usize, bool)>,
    /// The use case with which AWS takes no submission.
    pub refused_use_case: Option<String>,
    /// A field's value with which the CRM takes no record.
    pub refused_value: Option<(String, String)>,
    /// Submissions by token.
    pub submissions: BTreeMap<String, (String, String)>,
    tokens: HashMap<String, (Json, String)>,
    clock: u64,
}

#[derive(Clone, Default)]
pub struct Shared(pub Arc<Mutex<World>>);

fn lost(what: &str) -> PortError {
    PortError::Unavailable { what: what.to_owned(), cause: None }
}

impl Shared {
    pub fn mutate<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        work(&mut self.0.lock().unwrap())
    }

    /// One call across the wire: noted, carried out unless it is lost on the way there, answered unless lost at all.
    fn call<T>(&self, name: &str, work: impl FnOnce(&mut World) -> PortResult<T>) -> PortResult<T> {
        self.mutate(|world| {
            world.calls.push(name.to_owned());
            match &mut world.lost {
                Some((0, carried_out)) => {
                    let carried_out = *carried_out;
                    world.lost = None;
                    if carried_out {
                        let _ = work(world);
                    }
                    return Err(lost(name));
                }
                Some((left, _)) => *left -= 1,
                None => {}
            }
            work(world)
        })
    }

    pub fn converger(&self) -> Converger {
        Converger {
            crm: Box::new(self.clone()),
            ledger: Box::new(self.clone()),
            bus: Box::new(self.clone()),
            to_aws: Box::new(self.clone()),
            mapping: Mapping::parse(self.mutate(|w| w.mapping.clone()).as_deref().unwrap_or(MAPPING)).unwrap(),
            catalog: Catalog::Sandbox,
            // Each look at the clock is a minute later, so that what a dead function claimed is free again.
            now: || Timestamp::from_second(1_800_000_000 + 60 * CLOCK.fetch_add(1, Ordering::Relaxed)).unwrap(),
        }
    }

    pub fn reader(&self) -> FromAws {
        FromAws { partner_central: Box::new(self.clone()), converger: self.converger() }
    }

    /// Works off one event.
    pub async fn rings(&self, body: &str) -> Disposition {
        let reader = self.reader();
        match reader.look(body.to_owned()).await {
            Ok(seen) => reader.settle(seen).await,
            Err(end) => end,
        }
    }

    pub fn deliver(&self) -> Deliver {
        Deliver { from_aws: self.reader() }
    }

    pub fn correct(&self) -> Correct {
        let Converger { ledger, mapping, catalog, now, .. } = self.converger();
        Correct { ledger, sync_log: Box::new(self.clone()), mapping, catalog, now }
    }

    /// What brings files, at a moment of its own.
    pub fn poll(&self, now: fn() -> Timestamp) -> Poll {
        let Converger { ledger, mapping, catalog, .. } = self.converger();
        Poll {
            ace: Box::new(self.clone()),
            landing: Box::new(self.clone()),
            ledger,
            sync_log: Box::new(self.clone()),
            mapping,
            spms_id: PARTNER.to_owned(),
            catalog,
            now,
        }
    }

    pub fn push(&self) -> Push {
        let Converger { crm, ledger, to_aws, mapping, .. } = self.converger();
        Push { crm, ledger, queue: to_aws, mapping }
    }

    pub fn named(&self) -> Named {
        let Converger { crm, to_aws, mapping, .. } = self.converger();
        Named { crm, queue: to_aws, mapping, by_hand: false }
    }

    /// Works off what is on the queue to AWS.
    pub async fn delivers(&self) -> Vec<Disposition> {
        let mut ends = Vec::new();
        for message in self.mutate(|world| std::mem::take(&mut world.to_aws)) {
            ends.push(self.deliver().message(&message.body).await);
        }
        ends
    }

    pub fn settle(&self) -> Settle {
        Settle {
            ace: Box::new(self.clone()),
            landing: Box::new(self.clone()),
            converger: self.converger(),
            spms_id: PARTNER.to_owned(),
        }
    }

    pub fn send(&self) -> Send {
        let Converger { ledger, mapping, now, .. } = self.converger();
        Send {
            ace: Box::new(self.clone()),
            files: Box::new(self.clone()),
            ledger,
            exchange: mapping.files,
            spms_id: PARTNER.to_owned(),
            now,
        }
    }

    pub fn look(&self) -> Look {
        let Converger { ledger, mapping, now, .. } = self.converger();
        Look { ledger, exchange: mapping.files, now }
    }

    pub fn resend(&self) -> Resend {
        let Converger { ledger, now, .. } = self.converger();
        Resend { ledger, now }
    }

    pub fn count(&self, call: &str) -> usize {
        self.mutate(|world| world.calls.iter().filter(|name| *name == call).count())
    }

    pub fn crm_text(&self, id: &str, field: &str) -> Option<String> {
        self.mutate(|world| world.crm.get(id)?.1.get(field)?.as_text().map(str::to_owned))
    }

    /// A person edits a record of the CRM.
    pub fn rep_edits(&self, object: &str, id: &str, fields: &[(&str, Json)]) {
        self.mutate(|world| {
            let (_, record) = world.crm.entry(id.to_owned()).or_insert_with(|| (object.to_owned(), CrmFields::new()));
            record.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), CrmValue::from(value.clone()))));
            world.by_rep.insert(id.to_owned());
        });
    }

    /// A person deletes a record of the CRM.
    pub fn rep_deletes(&self, id: &str) {
        self.mutate(|world| {
            let record = world.crm.remove(id).unwrap();
            world.bin.insert(id.to_owned(), record);
        });
    }

    /// A person takes a record of the CRM out of the recycle bin.
    pub fn rep_restores(&self, id: &str) {
        self.mutate(|world| {
            let record = world.bin.remove(id).unwrap();
            world.crm.insert(id.to_owned(), record);
        });
    }

    /// AWS's people edit an opportunity.
    pub fn aws_edits(&self, id: &str, pointer: &str, value: Json) {
        self.mutate(|world| {
            let stamp = world.stamp();
            let opportunity = world.opportunities.get_mut(id).unwrap();
            *opportunity.pointer_mut(pointer).unwrap() = value;
            opportunity["LastModifiedDate"] = json!(stamp);
        });
    }
}

impl World {
    /// Whether a rule of the CRM takes a record.
    fn takes(&self, fields: &CrmFields) -> PortResult<()> {
        let Some((field, value)) = &self.refused_value else { return Ok(()) };
        if fields.get(field).and_then(CrmValue::as_text) != Some(value) {
            return Ok(());
        }
        let message = format!("no record may say {value}");
        let code = "FIELD_CUSTOM_VALIDATION_EXCEPTION".to_owned();
        let problems = vec![Rejection { field: Some(field.clone()), code, message }];
        Err(PortError::Rejected { what: "write".to_owned(), problems })
    }

    fn stamp(&mut self) -> String {
        self.clock += 1;
        format!("2026-03-09T01:50:{:02}.{:03}Z", self.clock / 1000, self.clock % 1000)
    }
}

fn not_found(what: &str) -> PortError {
    PortError::NotFound { what: what.to_owned() }
}

#[async_trait]
impl PartnerCentral for Shared {
    async fn opportunity(&self, id: &OpportunityId) -> PortResult<Json> {
        self.call("GetOpportunity", |w| {
            w.opportunities.get(id.as_str()).cloned().ok_or_else(|| not_found("GetOpportunity"))
        })
    }

    async fn summary(&self, _: &OpportunityId) -> PortResult<Option<Json>> {
        self.call("GetAwsOpportunitySummary", |_| {
            Ok(Some(json!({"LifeCycle": {"Stage": "Engaged"}, "Origin": "Partner Referral"})))
        })
    }

    async fn invitation(&self, id: &InvitationId) -> PortResult<Json> {
        self.call("GetEngagementInvitation", |w| {
            w.invitations.get(id.as_str()).cloned().ok_or_else(|| not_found("GetEngagementInvitation"))
        })
    }

    async fn invitation_behind(&self, id: &OpportunityId) -> PortResult<Option<InvitationId>> {
        self.call("ListTasks", |w| {
            let behind = w.invitations.iter().find(|(_, invitation)| invitation["Opportunity"] == json!(id.as_str()));
            Ok(behind.map(|(id, _)| id.parse().unwrap()))
        })
    }

    async fn engagement_of(&self, id: &OpportunityId) -> PortResult<Option<EngagementId>> {
        self.call("ListEngagementResourceAssociations", |w| {
            let engagement = w.opportunities.get(id.as_str()).and_then(|known| known["Engagement"].as_str());
            Ok(engagement.map(|id| id.parse().unwrap()))
        })
    }

    async fn opportunities(&self, _: Option<&str>, _: Option<&str>) -> PortResult<Page<Listed>> {
        self.call("ListOpportunities", |w| {
            let items = w.opportunities.iter().map(|(id, o)| Listed {
                id: id.parse().unwrap(),
                last_modified: o["LastModifiedDate"].as_str().unwrap().to_owned(),
            });
            Ok(Page { items: items.collect(), next: None })
        })
    }

    async fn pending_invitations(&self, _: Option<&str>) -> PortResult<Page<Invited>> {
        self.call("ListEngagementInvitations", |w| {
            let pending = w.invitations.iter().filter(|(_, invitation)| invitation["Status"] == "PENDING");
            let items = pending.map(|(id, invitation)| Invited {
                id: id.parse().unwrap(),
                expires: invitation["ExpirationDate"].as_str().map(|at| at.parse().unwrap()),
            });
            Ok(Page { items: items.collect(), next: None })
        })
    }

    async fn open_opportunities(&self, page: Option<&str>) -> PortResult<Page<Listed>> {
        self.opportunities(None, page).await
    }

    async fn solutions(&self, _: Option<&str>) -> PortResult<Page<Solution>> {
        unimplemented!("the command line asks for it, across the wire")
    }

    async fn engagement(&self, id: &EngagementId) -> PortResult<Json> {
        self.call("GetEngagement", |w| {
            w.engagements.get(id.as_str()).cloned().ok_or_else(|| not_found("GetEngagement"))
        })
    }

    async fn create(&self, body: &Json) -> PortResult<Stored> {
        self.call("CreateOpportunity", |w| {
            let token = body["ClientToken"].as_str().unwrap().to_owned();
            if let Some((first, id)) = w.tokens.get(&token) {
                assert_eq!(first, body, "a token with another body");
                let last_modified = w.opportunities[id]["LastModifiedDate"].as_str().unwrap().to_owned();
                return Ok(Stored { id: id.parse().unwrap(), last_modified });
            }
            let id = format!("O{}", 9_000_001 + w.opportunities.len());
            let last_modified = w.stamp();
            let mut opportunity = body.clone();
            opportunity["Id"] = json!(id);
            opportunity["LastModifiedDate"] = json!(last_modified);
            opportunity["LifeCycle"]["ReviewStatus"] = json!("Pending Submission");
            opportunity["RelatedEntityIdentifiers"] = json!({"Solutions": []});
            w.tokens.insert(token, (body.clone(), id.clone()));
            w.opportunities.insert(id.clone(), opportunity);
            Ok(Stored { id: id.parse().unwrap(), last_modified })
        })
    }

    async fn update(&self, body: &Json) -> PortResult<Stored> {
        self.call("UpdateOpportunity", |w| {
            let id = body["Identifier"].as_str().unwrap().to_owned();
            let known = w.opportunities.get(&id).ok_or_else(|| not_found("UpdateOpportunity"))?.clone();
            if known["LastModifiedDate"] != body["LastModifiedDate"] {
                return Err(PortError::Conflict { what: "UpdateOpportunity".into() });
            }
            let last_modified = w.stamp();
            let mut replaced = body.clone();
            replaced["Id"] = json!(id);
            replaced["LastModifiedDate"] = json!(last_modified);
            for kept in ["RelatedEntityIdentifiers", "OpportunityTeam"] {
                replaced[kept] = known[kept].clone();
            }
            w.opportunities.insert(id.clone(), replaced);
            Ok(Stored { id: id.parse().unwrap(), last_modified })
        })
    }

    async fn associate(&self, id: &OpportunityId, _: &str, entity: &str) -> PortResult<()> {
        self.call("AssociateOpportunity", |w| {
            let list = &mut w.opportunities.get_mut(id.as_str()).unwrap()["RelatedEntityIdentifiers"]["Solutions"];
            let items = list.as_array_mut().unwrap();
            if !items.contains(&json!(entity)) {
                items.push(json!(entity));
            }
            Ok(())
        })
    }

    async fn disassociate(&self, id: &OpportunityId, _: &str, entity: &str) -> PortResult<()> {
        self.call("DisassociateOpportunity", |w| {
            let list = &mut w.opportunities.get_mut(id.as_str()).unwrap()["RelatedEntityIdentifiers"]["Solutions"];
            list.as_array_mut().unwrap().retain(|item| item != entity);
            Ok(())
        })
    }

    async fn assign(&self, id: &OpportunityId, assignee: &Json) -> PortResult<()> {
        self.call("AssignOpportunity", |w| {
            let team = &mut w.opportunities.get_mut(id.as_str()).unwrap()["OpportunityTeam"];
            let mut people = team.as_array().cloned().unwrap_or_default();
            people.retain(|person| person["BusinessTitle"] != assignee["BusinessTitle"]);
            people.push(assignee.clone());
            *team = json!(people);
            Ok(())
        })
    }

    async fn submit(&self, id: &OpportunityId, token: &str, involvement: &str, _: &str) -> PortResult<Task> {
        self.call("StartEngagementFromOpportunityTask", |w| {
            if let Some((known, _)) = w.submissions.insert(token.to_owned(), (involvement.to_owned(), id.to_string())) {
                assert_eq!(known, involvement, "a token with another body");
            }
            let use_case = w.opportunities[id.as_str()]["Project"]["CustomerUseCase"].clone();
            if w.refused_use_case.as_ref().is_some_and(|refused| use_case == json!(refused)) {
                return Err(PortError::Rejected {
                    what: "StartEngagementFromOpportunityTask".into(),
                    problems: Vec::new(),
                });
            }
            w.opportunities.get_mut(id.as_str()).unwrap()["LifeCycle"]["ReviewStatus"] = json!("Submitted");
            Ok(Task { state: TaskState::Complete, opportunity: Some(id.clone()) })
        })
    }

    async fn accept(&self, id: &InvitationId, _: &str) -> PortResult<Task> {
        self.call("StartEngagementByAcceptingInvitationTask", |w| {
            let stamp = w.stamp();
            let invitation = w.invitations.get_mut(id.as_str()).unwrap();
            invitation["Status"] = json!("ACCEPTED");
            invitation["Opportunity"] = json!("O5000001");
            let mut opportunity = invitation["Hidden"].clone();
            opportunity["Id"] = json!("O5000001");
            opportunity["LastModifiedDate"] = json!(stamp);
            w.opportunities.entry("O5000001".into()).or_insert(opportunity);
            Ok(Task { state: TaskState::Complete, opportunity: Some("O5000001".parse().unwrap()) })
        })
    }

    async fn join(&self, id: &InvitationId) -> PortResult<()> {
        self.call("AcceptEngagementInvitation", |w| {
            w.invitations.get_mut(id.as_str()).unwrap()["Status"] = json!("ACCEPTED");
            Ok(())
        })
    }

    async fn convert(&self, _: &EngagementId, context: &str, token: &str) -> PortResult<Task> {
        self.call("StartOpportunityFromEngagementTask", |w| {
            assert_eq!(context, "1");
            let id = "O6000001";
            let stamp = w.stamp();
            if w.submissions.insert(token.to_owned(), (String::new(), id.to_owned())).is_none() {
                assert!(!w.opportunities.contains_key(id), "a second token made a second opportunity");
                w.opportunities.insert(
                    id.to_owned(),
                    json!({"Id": id, "LastModifiedDate": stamp, "Project": {"Title": "Converted from Lead"},
                        "LifeCycle": {"ReviewStatus": "Pending Submission", "Stage": "Prospect"}}),
                );
            }
            Ok(Task { state: TaskState::Complete, opportunity: Some(id.parse().unwrap()) })
        })
    }

    async fn reject(&self, id: &InvitationId, _: &str) -> PortResult<()> {
        self.call("RejectEngagementInvitation", |w| {
            w.invitations.get_mut(id.as_str()).unwrap()["Status"] = json!("REJECTED");
            Ok(())
        })
    }
}

fn record(id: &str, fields: &CrmFields) -> CrmRecord {
    CrmRecord { id: id.to_owned(), modified_at: "2026-03-09T01:50:00Z".into(), by_self: None, fields: fields.clone() }
}

/// As a real CRM answers: a field that was asked for and is empty is null.
fn asked(w: &World, mut found: CrmRecord, fields: &[String]) -> CrmRecord {
    found.by_self = Some(!w.by_rep.contains(&found.id));
    for (path, (relation, name)) in fields.iter().filter_map(|path| Some((path, path.split_once('.')?))) {
        let related = found.fields.get(&format!("{relation}Id")).and_then(CrmValue::as_text);
        let value = related.and_then(|id| w.crm.get(id)?.1.get(name).cloned());
        found.fields.insert(path.clone(), value.unwrap_or(CrmValue::Null));
    }
    for name in fields {
        found.fields.entry(name.clone()).or_insert(CrmValue::Null);
    }
    found.fields.retain(|name, _| fields.contains(name));
    found
}

#[async_trait]
impl Crm for Shared {
    async fn fetch(&self, object: &str, key: CrmKey<'_>, fields: &[String]) -> PortResult<Option<CrmRecord>> {
        self.call("fetch", |w| {
            let found = w.crm.iter().find(|(id, (kind, record))| {
                kind == object
                    && match key {
                        CrmKey::Id(wanted) => *id == wanted,
                        CrmKey::External { field, value } => {
                            record.get(field).and_then(CrmValue::as_text) == Some(value)
                        }
                    }
            });
            Ok(found.map(|(id, (_, found))| asked(w, record(id, found), fields)))
        })
    }

    fn beginning(&self) -> String {
        String::new()
    }

    /// In the order of their identifiers, as if they had been made one after the other and never changed.
    async fn changed_since(
        &self,
        object: &str,
        cursor: Option<&str>,
        fields: &[String],
        limit: usize,
    ) -> PortResult<Changes> {
        self.call("changed_since", |w| {
            let cursor = cursor.unwrap_or_default();
            let rest = w.crm.iter().filter(|(id, (kind, _))| kind == object && id.as_str() > cursor);
            let records: Vec<_> =
                rest.take(limit).map(|(id, (_, found))| asked(w, record(id, found), fields)).collect();
            let caught_up = records.len() < limit;
            let cursor = records.last().map_or_else(|| cursor.to_owned(), |last| last.id.clone());
            Ok(Changes { records, cursor, caught_up })
        })
    }

    /// All of them each time, as within a search's overlap.
    async fn deleted_since(&self, object: &str, _: Option<&str>, _: usize) -> PortResult<Changes> {
        self.call("deleted_since", |w| {
            let deleted = w.bin.iter().filter(|(_, (kind, _))| kind == object);
            let records = deleted.map(|(id, _)| record(id, &CrmFields::new())).collect();
            Ok(Changes { records, cursor: String::new(), caught_up: true })
        })
    }

    async fn upsert(&self, object: &str, field: &str, value: &str, fields: &CrmFields) -> PortResult<Written> {
        self.call("upsert", |w| {
            w.takes(fields)?;
            let known =
                w.crm.iter().find(|(_, (_, record))| record.get(field).and_then(CrmValue::as_text) == Some(value));
            let (id, created) = known.map_or_else(
                || (format!("006{:015}", w.crm.len() + w.bin.len() + 1), true),
                |(id, _)| (id.clone(), false),
            );
            let (_, record) = w.crm.entry(id.clone()).or_insert_with(|| (object.to_owned(), CrmFields::new()));
            record.extend(fields.clone());
            record.insert(field.to_owned(), CrmValue::Text(value.to_owned()));
            w.by_rep.remove(&id);
            Ok(Written { id, created })
        })
    }

    async fn update(&self, _: &str, id: &str, fields: &CrmFields) -> PortResult<()> {
        self.call("update", |w| {
            w.takes(fields)?;
            let (_, record) = w.crm.get_mut(id).ok_or_else(|| not_found("update"))?;
            record.extend(fields.clone());
            w.by_rep.remove(id);
            Ok(())
        })
    }

    async fn find(&self, object: &str, fields: &CrmFields) -> PortResult<Option<String>> {
        self.call("find", |w| {
            let same = |record: &CrmFields| fields.iter().all(|(name, value)| record.get(name) == Some(value));
            Ok(w.crm.iter().find(|(_, (kind, record))| kind == object && same(record)).map(|(id, _)| id.clone()))
        })
    }

    async fn select(&self, _: &str, _: &str, _: usize) -> PortResult<Vec<String>> {
        unimplemented!("the command line asks for it, across the wire")
    }

    async fn create(&self, object: &str, fields: &CrmFields) -> PortResult<String> {
        self.call("create", |w| {
            let id = format!("001{:015}", w.crm.len() + 1);
            w.crm.insert(id.clone(), (object.to_owned(), fields.clone()));
            Ok(id)
        })
    }

    async fn template(&self, _: &str, id: &str) -> PortResult<CrmFields> {
        self.call("template", |w| w.crm.get(id).map(|(_, fields)| fields.clone()).ok_or_else(|| not_found("template")))
    }

    async fn describe(&self, _: &str) -> PortResult<Description> {
        unimplemented!("the command line asks for it, across the wire")
    }
}

#[async_trait]
impl Ledger for Shared {
    async fn link(&self, key: &LinkKey) -> PortResult<Option<Link>> {
        self.mutate(|w| Ok(w.links.get(key).cloned()))
    }

    async fn save(&self, link: &mut Link) -> PortResult<()> {
        self.call("save", |w| {
            let taken = link.keys.iter().filter_map(|key| w.links.get(key)).any(|known| known.born_as != link.born_as);
            let stored = w.links.get(&link.born_as).map_or(0, |known| known.version);
            if taken || stored != link.version {
                return Err(PortError::Conflict { what: "the link".into() });
            }
            link.version += 1;
            for key in &link.keys {
                w.links.insert(key.clone(), link.clone());
            }
            Ok(())
        })
    }

    async fn open_invitations(&self) -> PortResult<Vec<InvitationId>> {
        self.mutate(|w| {
            let mut open: Vec<_> = w.links.values().filter_map(|link| link.open_invitation().cloned()).collect();
            open.sort();
            open.dedup();
            Ok(open)
        })
    }

    async fn cursor(&self, name: &str) -> PortResult<Option<String>> {
        self.mutate(|w| Ok(w.cursors.get(name).cloned()))
    }

    async fn set_cursor(&self, name: &str, value: &str) -> PortResult<()> {
        self.mutate(|w| w.cursors.insert(name.to_owned(), value.to_owned()));
        Ok(())
    }

    async fn waiting(&self, kind: Kind) -> PortResult<Vec<LinkKey>> {
        self.mutate(|w| {
            let waits = |link: &&Link| {
                link.kind() == kind && link.shipment.as_ref().is_some_and(|shipment| shipment.stage == Stage::Waiting)
            };
            let waiting: BTreeMap<String, LinkKey> =
                w.links.values().filter(waits).map(|link| (link.born_as.to_string(), link.born_as.clone())).collect();
            Ok(waiting.into_values().collect())
        })
    }

    async fn ship(&self, links: &mut [Link], manifest: &Manifest) -> PortResult<()> {
        self.call("ship", |w| {
            if links.iter().any(|link| w.links.get(&link.born_as).map(|known| known.version) != Some(link.version)) {
                return Err(PortError::Conflict { what: "a link".into() });
            }
            for link in links.iter_mut() {
                link.version += 1;
                for key in &link.keys {
                    w.links.insert(key.clone(), link.clone());
                }
            }
            w.manifests.insert(manifest.key.clone(), manifest.clone());
            Ok(())
        })
    }

    async fn manifest(&self, key: &str) -> PortResult<Option<Manifest>> {
        self.mutate(|w| Ok(w.manifests.get(key).cloned()))
    }

    async fn open_manifests(&self) -> PortResult<Vec<Manifest>> {
        self.mutate(|w| Ok(w.manifests.values().filter(|manifest| manifest.answered_at.is_none()).cloned().collect()))
    }

    async fn set_manifest(&self, manifest: &Manifest) -> PortResult<()> {
        self.call("set_manifest", |w| {
            let known = w.manifests.get_mut(&manifest.key).unwrap();
            if known.answered_at.is_none() {
                *known = manifest.clone();
            }
            Ok(())
        })
    }

    async fn file(&self, key: &str, version: &str) -> PortResult<Option<FileState>> {
        self.mutate(|w| Ok(w.file_states.get(&format!("{key}@{version}")).copied()))
    }

    async fn set_file(&self, key: &str, version: &str, state: FileState) -> PortResult<()> {
        self.call("set_file", |w| {
            w.file_states.insert(format!("{key}@{version}"), state);
            Ok(())
        })
    }

    async fn log(&self, entries: &[Entry]) -> PortResult<()> {
        self.mutate(|w| w.log.extend_from_slice(entries));
        Ok(())
    }

    async fn read_log(&self, query: &Query<'_>, limit: usize) -> PortResult<Vec<Entry>> {
        self.mutate(|w| Ok(w.log.iter().rev().filter(|entry| query.fits(entry)).take(limit).cloned().collect()))
    }

    async fn open_records(&self) -> PortResult<Vec<OpenRecord>> {
        self.mutate(|w| {
            let mut open: BTreeMap<(Direction, String), OpenRecord> = BTreeMap::new();
            for entry in &w.log {
                let names = || [&entry.ace_id, &entry.crm_id].into_iter().flatten();
                let Some(name) = names().next() else { continue };
                let key = (entry.direction, name.clone());
                if entry.is_settled() || entry.open.is_some() {
                    let other = |name: &&String| entry.open.is_none() || *name != &key.1;
                    for name in names().filter(other) {
                        open.remove(&(entry.direction, name.clone()));
                    }
                }
                let Some(what) = entry.open else { continue };
                let since = open.get(&key).map_or(entry.at, |known| known.since);
                let tried = w.retries.get(&key.1).copied().unwrap_or_default();
                let (direction, name, entry, last_at) = (entry.direction, key.1.clone(), entry.id, entry.at);
                open.insert(key, OpenRecord { direction, name, what, since, entry, retries: tried, last_at });
            }
            Ok(open.into_values().collect())
        })
    }

    async fn tried_again(&self, record: &OpenRecord, _: Timestamp) -> PortResult<()> {
        self.mutate(|w| *w.retries.entry(record.name.clone()).or_default() += 1);
        Ok(())
    }
}

#[async_trait]
impl SyncLog for Shared {
    async fn entry(&self, id: Uuid) -> PortResult<Option<Entry>> {
        self.mutate(|w| Ok(w.log.iter().find(|entry| entry.id == id).cloned()))
    }

    async fn runs(&self, _: Timestamp, _: Timestamp, _: usize) -> PortResult<Vec<RunSummary>> {
        unimplemented!("nobody asks for runs here")
    }

    async fn tallies(&self, _: Date, _: Date) -> PortResult<BTreeMap<Date, Tally>> {
        unimplemented!("nobody asks for counts here")
    }
}

#[async_trait]
impl Bus for Shared {
    async fn publish(&self, events: &[Event]) -> PortResult<()> {
        self.mutate(|w| w.told.extend_from_slice(events));
        Ok(())
    }
}

#[async_trait]
impl Queue for Shared {
    async fn send(&self, messages: &[Message]) -> PortResult<()> {
        self.mutate(|w| w.to_aws.extend_from_slice(messages));
        Ok(())
    }
}

#[async_trait]
impl AceBucket for Shared {
    async fn list(&self, _: &str) -> PortResult<Vec<AceFile>> {
        Ok(Vec::new())
    }

    async fn get(&self, file: &AceFile) -> PortResult<Vec<u8>> {
        Files::get(self, &file.key).await
    }

    async fn put(&self, key: &str, content: Vec<u8>) -> PortResult<()> {
        self.call("upload", |w| {
            w.sent.insert(key.to_owned(), content);
            Ok(())
        })
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        self.call(&format!("delete {key}"), |w| {
            w.files.remove(key);
            Ok(())
        })
    }
}

#[async_trait]
impl Files for Shared {
    async fn list(&self, prefix: &str) -> PortResult<Vec<String>> {
        Ok(self.mutate(|w| w.files.keys().filter(|key| key.starts_with(prefix)).cloned().collect()))
    }

    async fn put(&self, key: &str, content: Vec<u8>) -> PortResult<()> {
        self.mutate(|w| w.files.insert(key.to_owned(), content));
        Ok(())
    }

    async fn get(&self, key: &str) -> PortResult<Vec<u8>> {
        self.mutate(|w| w.files.get(key).cloned().ok_or_else(|| not_found(key)))
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        AceBucket::delete(self, key).await
    }
}

/// A CRM reference to an opportunity.
pub fn opportunity(id: &str) -> CrmRef {
    CrmRef { object: "Opportunity".into(), id: id.into() }
}

/// A CRM record that a rep shares and that is complete enough for it; the tick comes first.
pub fn shareable() -> Vec<(&'static str, Json)> {
    vec![
        ("Share_With_AWS__c", json!(true)),
        ("Name", json!("Harbour analytics")),
        ("CloseDate", json!("2027-03-31")),
        ("ACE_Customer_Name__c", json!("Hafen Nord")),
        ("ACE_Customer_Website__c", json!("hafen.example")),
        ("ACE_Customer_Country__c", json!("DE")),
        ("ACE_Customer_Postal_Code__c", json!("20457")),
        ("ACE_Industry__c", json!("Transportation and Logistics")),
        ("ACE_Business_Problem__c", json!("Berths are planned on paper and ships wait.")),
        ("ACE_Use_Case__c", json!("Containers & Serverless")),
        ("ACE_Delivery_Models__c", json!("SaaS or PaaS")),
        ("ACE_Sales_Activities__c", json!("SOW Signed")),
        ("ACE_Primary_Needs__c", json!("Co-Sell - Deal Support")),
        ("ACE_Monthly_Revenue__c", json!(1041.67)),
        ("ACE_Solutions__c", json!("S-0000001;S-0000002")),
    ]
}
