//! A run in which nothing is written: reads reach the world, writes are noted and kept in mind, so that later reads of the
//! same run see them. The use cases do not know the difference.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use cosell_mapping::{CrmValue, Description, Mapping};
use cosell_model::{Catalog, EngagementId, InvitationId, Kind, OpportunityId, api, request};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{
    Converger, Link, LinkKey,
    deliver::Deliver,
    files::Manifest,
    from_aws::FromAws,
    log::{Entry, OpenRecord, Query},
    notice::Event,
    ports::{
        Bus, Changes, Crm, CrmFields, CrmKey, CrmRecord, FileState, Invited, Ledger, Listed, Message, Page,
        PartnerCentral, PortResult, Queue, Solution, Stored, Task, TaskState, Written,
    },
};

/// Where a write would have gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum To {
    /// Partner Central.
    #[serde(rename = "Partner Central")]
    PartnerCentral,
    /// The CRM.
    #[serde(rename = "CRM")]
    Crm,
    /// cosell's memory.
    #[serde(rename = "ledger")]
    Ledger,
    /// The event bus.
    #[serde(rename = "event bus")]
    Bus,
    /// The queue to AWS.
    #[serde(rename = "queue")]
    Queue,
}

/// A write that was not made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Note {
    /// Where to.
    pub to: To,
    /// The far side's operation.
    pub operation: &'static str,
    /// The record.
    pub record: String,
    /// What would have been sent.
    pub body: Json,
}

#[derive(Default)]
struct Imagined {
    notes: Vec<Note>,
    opportunities: HashMap<OpportunityId, Json>,
    invitations: HashMap<InvitationId, Json>,
    /// What was written to records of the CRM, by object and identifier.
    records: BTreeMap<(String, String), CrmFields>,
    links: HashMap<LinkKey, Link>,
    cursors: HashMap<String, String>,
    log: Vec<Entry>,
    made: usize,
}

/// What a rehearsal would have written.
#[derive(Clone, Default)]
pub struct Notes(Arc<Mutex<Imagined>>);

impl Notes {
    /// The writes so far, in order; the next rehearsal starts from the world as it is.
    pub fn take(&self) -> Vec<Note> {
        std::mem::take(&mut *self.imagined()).notes
    }

    fn imagined(&self) -> MutexGuard<'_, Imagined> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, to: To, operation: &'static str, record: impl Display, body: Json) {
        self.imagined().notes.push(Note { to, operation, record: record.to_string(), body });
    }

    /// An identifier that nothing has.
    fn invented(&self) -> usize {
        let mut imagined = self.imagined();
        imagined.made += 1;
        imagined.made
    }
}

/// The same use case, and nothing that it does is done.
pub fn rehearsal(deliver: Deliver) -> (Deliver, Notes) {
    let notes = Notes::default();
    let Deliver { from_aws: FromAws { partner_central, converger } } = deliver;
    let Converger { crm, ledger, bus: _, to_aws: _, mapping, catalog, now } = converger;
    let converger = Converger {
        crm: Box::new(DryCrm { crm, notes: notes.clone(), mapping: mapping.clone(), now }),
        ledger: Box::new(DryLedger { ledger, notes: notes.clone() }),
        bus: Box::new(notes.clone()),
        to_aws: Box::new(notes.clone()),
        mapping,
        catalog,
        now,
    };
    let partner_central = Box::new(DryPartnerCentral { partner_central, notes: notes.clone(), catalog, now });
    (Deliver { from_aws: FromAws { partner_central, converger } }, notes)
}

struct DryPartnerCentral {
    partner_central: Box<dyn PartnerCentral>,
    notes: Notes,
    catalog: Catalog,
    now: fn() -> Timestamp,
}

impl DryPartnerCentral {
    fn note(&self, operation: &'static str, record: impl Display, body: Json) {
        self.notes.note(To::PartnerCentral, operation, record, body);
    }

    fn is_imagined(&self, id: &OpportunityId) -> bool {
        self.notes.imagined().opportunities.contains_key(id)
    }

    /// Keeps an opportunity in mind as AWS would answer it from now on.
    fn stored(&self, id: &OpportunityId, mut opportunity: Json) -> Stored {
        let last_modified = (self.now)().to_string();
        opportunity["Id"] = json!(id.as_str());
        opportunity["LastModifiedDate"] = json!(last_modified);
        self.notes.imagined().opportunities.insert(id.clone(), opportunity);
        Stored { id: id.clone(), last_modified }
    }

    /// Makes an opportunity whose identifier AWS would choose.
    fn made(&self, opportunity: Json) -> PortResult<Stored> {
        let text = format!("O{:010}", self.notes.invented());
        let id = text.parse().map_err(|_| crate::ports::PortError::NotFound { what: text })?;
        Ok(self.stored(&id, opportunity))
    }

    async fn related(
        &self,
        id: &OpportunityId,
        entity_type: &str,
        change: impl FnOnce(&mut Vec<Json>) + Send,
    ) -> PortResult<()> {
        let mut opportunity = self.opportunity(id).await?;
        let related = &mut opportunity["RelatedEntityIdentifiers"][entity_type];
        let mut items = related.as_array().cloned().unwrap_or_default();
        change(&mut items);
        *related = Json::Array(items);
        // AWS does not count it as a change of the record itself.
        self.notes.imagined().opportunities.insert(id.clone(), opportunity);
        Ok(())
    }

    async fn answered(&self, id: &InvitationId, status: &str) -> PortResult<()> {
        let mut invitation = self.invitation(id).await?;
        invitation["Status"] = json!(status);
        self.notes.imagined().invitations.insert(id.clone(), invitation);
        Ok(())
    }
}

#[async_trait]
impl PartnerCentral for DryPartnerCentral {
    async fn opportunity(&self, id: &OpportunityId) -> PortResult<Json> {
        let known = self.notes.imagined().opportunities.get(id).cloned();
        match known {
            Some(opportunity) => Ok(opportunity),
            None => self.partner_central.opportunity(id).await,
        }
    }

    async fn summary(&self, id: &OpportunityId) -> PortResult<Option<Json>> {
        match self.partner_central.summary(id).await {
            Err(crate::ports::PortError::NotFound { .. }) if self.is_imagined(id) => Ok(None),
            answer => answer,
        }
    }

    async fn invitation(&self, id: &InvitationId) -> PortResult<Json> {
        let known = self.notes.imagined().invitations.get(id).cloned();
        match known {
            Some(invitation) => Ok(invitation),
            None => self.partner_central.invitation(id).await,
        }
    }

    async fn invitation_behind(&self, id: &OpportunityId) -> PortResult<Option<InvitationId>> {
        if self.is_imagined(id) { Ok(None) } else { self.partner_central.invitation_behind(id).await }
    }

    async fn engagement_of(&self, id: &OpportunityId) -> PortResult<Option<EngagementId>> {
        if self.is_imagined(id) { Ok(None) } else { self.partner_central.engagement_of(id).await }
    }

    async fn opportunities(&self, since: Option<&str>, page: Option<&str>) -> PortResult<Page<Listed>> {
        self.partner_central.opportunities(since, page).await
    }

    async fn pending_invitations(&self, page: Option<&str>) -> PortResult<Page<Invited>> {
        self.partner_central.pending_invitations(page).await
    }

    async fn open_opportunities(&self, page: Option<&str>) -> PortResult<Page<Listed>> {
        self.partner_central.open_opportunities(page).await
    }

    async fn solutions(&self, page: Option<&str>) -> PortResult<Page<Solution>> {
        self.partner_central.solutions(page).await
    }

    async fn engagement(&self, id: &EngagementId) -> PortResult<Json> {
        self.partner_central.engagement(id).await
    }

    async fn create(&self, body: &Json) -> PortResult<Stored> {
        let record = body["PartnerOpportunityIdentifier"].as_str().unwrap_or_default();
        self.note("CreateOpportunity", record, body.clone());
        let mut opportunity = body.clone();
        opportunity["LifeCycle"]["ReviewStatus"] = json!("Pending Submission");
        self.made(opportunity)
    }

    async fn update(&self, body: &Json) -> PortResult<Stored> {
        let named = body["Identifier"].as_str().unwrap_or_default().to_owned();
        self.note("UpdateOpportunity", &named, body.clone());
        let id: OpportunityId =
            named.parse().map_err(|_| crate::ports::PortError::NotFound { what: "UpdateOpportunity".to_owned() })?;
        let current = self.opportunity(&id).await?;
        let mut opportunity = body.clone();
        for kept in ["RelatedEntityIdentifiers", "OpportunityTeam"] {
            opportunity[kept] = current[kept].clone();
        }
        // By AWS's guide an update takes a record back into the review.
        let review = match current["LifeCycle"]["ReviewStatus"].as_str() {
            Some("Action Required") => json!("Submitted"),
            _ => current["LifeCycle"]["ReviewStatus"].clone(),
        };
        opportunity["LifeCycle"]["ReviewStatus"] = review;
        Ok(self.stored(&id, opportunity))
    }

    async fn associate(&self, id: &OpportunityId, entity_type: &str, entity: &str) -> PortResult<()> {
        self.note("AssociateOpportunity", id, request::association(self.catalog, id, entity_type, entity));
        let new = json!(entity);
        let add = |items: &mut Vec<Json>| {
            if !items.contains(&new) {
                items.push(new);
            }
        };
        self.related(id, entity_type, add).await
    }

    async fn disassociate(&self, id: &OpportunityId, entity_type: &str, entity: &str) -> PortResult<()> {
        self.note("DisassociateOpportunity", id, request::association(self.catalog, id, entity_type, entity));
        self.related(id, entity_type, |items| items.retain(|item| item != entity)).await
    }

    async fn assign(&self, id: &OpportunityId, assignee: &Json) -> PortResult<()> {
        self.note("AssignOpportunity", id, request::assignment(self.catalog, id, assignee));
        let mut opportunity = self.opportunity(id).await?;
        let mut team = opportunity["OpportunityTeam"].as_array().cloned().unwrap_or_default();
        team.retain(|person| person["BusinessTitle"] != assignee["BusinessTitle"]);
        team.push(assignee.clone());
        opportunity["OpportunityTeam"] = Json::Array(team);
        self.stored(id, opportunity);
        Ok(())
    }

    async fn submit(&self, id: &OpportunityId, token: &str, involvement: &str, visibility: &str) -> PortResult<Task> {
        let body = request::submission(self.catalog, id, token, involvement, visibility);
        self.note("StartEngagementFromOpportunityTask", id, body);
        let mut opportunity = self.opportunity(id).await?;
        opportunity["LifeCycle"]["ReviewStatus"] = json!("Submitted");
        self.stored(id, opportunity);
        Ok(Task { state: TaskState::Complete, opportunity: Some(id.clone()) })
    }

    /// The opportunity shows what the invitation shows: what AWS hides until then, nobody knows.
    async fn accept(&self, id: &InvitationId, token: &str) -> PortResult<Task> {
        self.note("StartEngagementByAcceptingInvitationTask", id, request::acceptance(self.catalog, id, token));
        let invitation = self.invitation(id).await?;
        let offer = api::invitation(&invitation).map(|it| api::document(&it.offer.record)).unwrap_or_default();
        let made = self.made(offer)?;
        self.answered(id, "ACCEPTED").await?;
        Ok(Task { state: TaskState::Complete, opportunity: Some(made.id) })
    }

    async fn join(&self, id: &InvitationId) -> PortResult<()> {
        self.note("AcceptEngagementInvitation", id, request::joining(self.catalog, id));
        self.answered(id, "ACCEPTED").await
    }

    async fn convert(&self, id: &EngagementId, context: &str, token: &str) -> PortResult<Task> {
        let body = request::conversion(self.catalog, id, context, token);
        self.note("StartOpportunityFromEngagementTask", id, body);
        let made = self.made(json!({"LifeCycle": {"ReviewStatus": "Pending Submission"}}))?;
        Ok(Task { state: TaskState::Complete, opportunity: Some(made.id) })
    }

    async fn reject(&self, id: &InvitationId, reason: &str) -> PortResult<()> {
        self.note("RejectEngagementInvitation", id, request::rejection(self.catalog, id, reason));
        self.answered(id, "REJECTED").await
    }
}

struct DryCrm {
    crm: Box<dyn Crm>,
    notes: Notes,
    mapping: Mapping,
    now: fn() -> Timestamp,
}

impl DryCrm {
    fn note(&self, operation: &'static str, object: &str, id: &str, fields: &CrmFields) {
        self.notes.note(To::Crm, operation, format!("{object} {id}").trim_end(), json!(fields));
    }

    fn written(&self, object: &str, id: &str, fields: &CrmFields) {
        let key = (object.to_owned(), id.to_owned());
        self.notes.imagined().records.entry(key).or_default().extend(fields.clone());
    }

    /// A record with what was written to it, and to what it refers to.
    fn seen(&self, object: &str, mut record: CrmRecord, asked: &[String]) -> CrmRecord {
        let imagined = self.notes.imagined();
        let patch = |object: &str, id: &str| imagined.records.get(&(object.to_owned(), id.to_owned()));
        if let Some(own) = patch(object, &record.id) {
            let wanted = own.iter().filter(|(name, _)| asked.contains(name));
            record.fields.extend(wanted.map(|(name, value)| (name.clone(), value.clone())));
            record.modified_at = (self.now)().to_string();
        }
        let mapped = self.mapping.object(object);
        for (name, related) in mapped.iter().flat_map(|mapped| &mapped.related) {
            let id = record.fields.get(&related.lookup).and_then(CrmValue::as_text).map(str::to_owned);
            for (field, value) in id.and_then(|id| patch(&related.object, &id)).into_iter().flatten() {
                let of_related = format!("{name}.{field}");
                if asked.contains(&of_related) {
                    record.fields.insert(of_related, value.clone());
                }
            }
        }
        record
    }

    /// A record that is there in mind alone.
    fn imagined(&self, object: &str, fits: impl Fn(&str, &CrmFields) -> bool) -> Option<String> {
        let imagined = self.notes.imagined();
        let mut records = imagined.records.iter();
        records.find(|((of, id), fields)| of == object && fits(id, fields)).map(|((_, id), _)| id.clone())
    }
}

#[async_trait]
impl Crm for DryCrm {
    async fn fetch(&self, object: &str, key: CrmKey<'_>, fields: &[String]) -> PortResult<Option<CrmRecord>> {
        let imagined = self.imagined(object, |id, fields| match key {
            CrmKey::Id(wanted) => id == wanted,
            CrmKey::External { field, value } => fields.get(field).and_then(CrmValue::as_text) == Some(value),
        });
        let key = imagined.as_deref().map_or(key, CrmKey::Id);
        let is_new = imagined.as_ref().is_some_and(|id| id.starts_with(NEW));
        let found = if is_new { None } else { self.crm.fetch(object, key, fields).await? };
        let new = || {
            let id = imagined.filter(|_| is_new)?;
            let fields = fields.iter().map(|name| (name.clone(), CrmValue::Null)).collect();
            Some(CrmRecord { id, modified_at: (self.now)().to_string(), by_self: Some(true), fields })
        };
        Ok(found.or_else(new).map(|record| self.seen(object, record, fields)))
    }

    fn beginning(&self) -> String {
        self.crm.beginning()
    }

    async fn changed_since(
        &self,
        object: &str,
        cursor: Option<&str>,
        fields: &[String],
        limit: usize,
    ) -> PortResult<Changes> {
        self.crm.changed_since(object, cursor, fields, limit).await
    }

    async fn deleted_since(&self, object: &str, cursor: Option<&str>, limit: usize) -> PortResult<Changes> {
        self.crm.deleted_since(object, cursor, limit).await
    }

    async fn upsert(&self, object: &str, field: &str, value: &str, fields: &CrmFields) -> PortResult<Written> {
        let known = self.fetch(object, CrmKey::External { field, value }, &[]).await?.map(|record| record.id);
        let created = known.is_none();
        let id = known.unwrap_or_else(|| format!("{NEW}{}", self.notes.invented()));
        let mut written = fields.clone();
        written.insert(field.to_owned(), CrmValue::Text(value.to_owned()));
        self.note("upsert", object, &format!("{field}={value}"), &written);
        self.written(object, &id, &written);
        Ok(Written { id, created })
    }

    async fn update(&self, object: &str, id: &str, fields: &CrmFields) -> PortResult<()> {
        self.note("update", object, id, fields);
        self.written(object, id, fields);
        Ok(())
    }

    async fn find(&self, object: &str, fields: &CrmFields) -> PortResult<Option<String>> {
        let same = |_: &str, known: &CrmFields| fields.iter().all(|(name, value)| known.get(name) == Some(value));
        match self.imagined(object, same) {
            Some(id) => Ok(Some(id)),
            None => self.crm.find(object, fields).await,
        }
    }

    /// The CRM alone knows its language: what is there in mind alone is not found.
    async fn select(&self, object: &str, condition: &str, limit: usize) -> PortResult<Vec<String>> {
        self.crm.select(object, condition, limit).await
    }

    async fn create(&self, object: &str, fields: &CrmFields) -> PortResult<String> {
        let id = format!("{NEW}{}", self.notes.invented());
        self.note("create", object, "", fields);
        self.written(object, &id, fields);
        Ok(id)
    }

    async fn template(&self, object: &str, id: &str) -> PortResult<CrmFields> {
        self.crm.template(object, id).await
    }

    async fn describe(&self, object: &str) -> PortResult<Description> {
        self.crm.describe(object).await
    }
}

/// What identifiers of CRM records begin with that nobody made.
const NEW: &str = "new record ";

struct DryLedger {
    ledger: Box<dyn Ledger>,
    notes: Notes,
}

#[async_trait]
impl Ledger for DryLedger {
    async fn link(&self, key: &LinkKey) -> PortResult<Option<Link>> {
        let known = self.notes.imagined().links.get(key).cloned();
        match known {
            Some(link) => Ok(Some(link)),
            None => self.ledger.link(key).await,
        }
    }

    async fn save(&self, link: &mut Link) -> PortResult<()> {
        self.notes.note(To::Ledger, "save", &link.born_as, json!(link));
        link.version += 1;
        let mut imagined = self.notes.imagined();
        for key in &link.keys {
            imagined.links.insert(key.clone(), link.clone());
        }
        Ok(())
    }

    async fn open_invitations(&self) -> PortResult<Vec<InvitationId>> {
        self.ledger.open_invitations().await
    }

    async fn cursor(&self, name: &str) -> PortResult<Option<String>> {
        let known = self.notes.imagined().cursors.get(name).cloned();
        match known {
            Some(cursor) => Ok(Some(cursor)),
            None => self.ledger.cursor(name).await,
        }
    }

    async fn set_cursor(&self, name: &str, value: &str) -> PortResult<()> {
        self.notes.note(To::Ledger, "set cursor", name, json!(value));
        self.notes.imagined().cursors.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    async fn waiting(&self, kind: Kind) -> PortResult<Vec<LinkKey>> {
        self.ledger.waiting(kind).await
    }

    async fn ship(&self, links: &mut [Link], manifest: &Manifest) -> PortResult<()> {
        for link in links {
            self.save(link).await?;
        }
        self.set_manifest(manifest).await
    }

    async fn manifest(&self, key: &str) -> PortResult<Option<Manifest>> {
        self.ledger.manifest(key).await
    }

    async fn open_manifests(&self) -> PortResult<Vec<Manifest>> {
        self.ledger.open_manifests().await
    }

    async fn set_manifest(&self, manifest: &Manifest) -> PortResult<()> {
        self.notes.note(To::Ledger, "set manifest", &manifest.key, json!(manifest));
        Ok(())
    }

    async fn file(&self, key: &str, version: &str) -> PortResult<Option<FileState>> {
        self.ledger.file(key, version).await
    }

    async fn set_file(&self, key: &str, _: &str, state: FileState) -> PortResult<()> {
        self.notes.note(To::Ledger, "set file", key, json!(state));
        Ok(())
    }

    async fn log(&self, entries: &[Entry]) -> PortResult<()> {
        for entry in entries {
            let record = entry.crm_id.as_deref().or(entry.ace_id.as_deref()).unwrap_or_default();
            self.notes.note(To::Ledger, "log", record, json!(entry));
        }
        self.notes.imagined().log.extend_from_slice(entries);
        Ok(())
    }

    async fn read_log(&self, query: &Query<'_>, limit: usize) -> PortResult<Vec<Entry>> {
        let known = self.ledger.read_log(query, limit).await?;
        let imagined = self.notes.imagined();
        let new = imagined.log.iter().rev().filter(|entry| query.fits(entry)).cloned();
        Ok(new.chain(known).take(limit).collect())
    }

    async fn open_records(&self) -> PortResult<Vec<OpenRecord>> {
        self.ledger.open_records().await
    }

    async fn tried_again(&self, record: &OpenRecord, _: Timestamp) -> PortResult<()> {
        self.notes.note(To::Ledger, "tried again", &record.name, json!(record));
        Ok(())
    }
}

#[async_trait]
impl Bus for Notes {
    async fn publish(&self, events: &[Event]) -> PortResult<()> {
        for Event { detail_type, detail } in events {
            self.note(To::Bus, "PutEvents", detail_type, detail.clone());
        }
        Ok(())
    }
}

#[async_trait]
impl Queue for Notes {
    async fn send(&self, messages: &[Message]) -> PortResult<()> {
        for Message { body, group } in messages {
            let body = serde_json::from_str(body).unwrap_or_else(|_| json!(body));
            self.note(To::Queue, "SendMessage", group.as_deref().unwrap_or_default(), body);
        }
        Ok(())
    }
}
