use cosell_mapping::{
    CrmValue, Deleted, Mapping, ObjectMapping, Outcome, Plan, Related, RelatedWrite, Side, StatusFields,
};
use cosell_model::{
    Catalog, Field, Kind, Record,
    life_cycle::{Access, ReviewStatus, Standing, State},
};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::{
    CrmRef, Disposition, Link, LinkKey, SkipReason, SyncError, Tick,
    log::{Direction, Entry, Of, Open, Purpose, Query, Status},
    notice::Notice,
    ports::{Bus, Crm, CrmFields, CrmKey, CrmRecord, Ledger, PortError, PortResult, Queue, Rejection},
    push,
    walk::named_record,
};

/// How long a function may take to write one record to the CRM before others may try.
const CLAIM: SignedDuration = SignedDuration::from_secs(30);

/// Brings what AWS says into the CRM, from wherever it was read: the one place where AWS's values are written there.
pub struct Converger {
    /// The CRM.
    pub crm: Box<dyn Crm>,
    /// cosell's memory.
    pub ledger: Box<dyn Ledger>,
    /// The event bus, for what others may want to hear of.
    pub bus: Box<dyn Bus>,
    /// The queue to AWS, for changes of the CRM that AWS takes now.
    pub to_aws: Box<dyn Queue>,
    /// How records correspond.
    pub mapping: Mapping,
    /// Which world of Partner Central this deployment serves.
    pub catalog: Catalog,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// What AWS says about one record.
pub struct Arrival<'a> {
    /// Its fields; what AWS masks is absent.
    pub aws: &'a Record,
    /// What it belongs to.
    pub link: Link,
    /// CRM fields of our own to set besides (a referral's status and deadline).
    pub facts: CrmFields,
    /// Why it was read.
    pub purpose: Purpose,
    /// The file it was in.
    pub file: Option<&'a str>,
    /// When AWS was asked for it.
    pub read_at: Option<Timestamp>,
    /// What others are told once the CRM has it.
    pub notices: Vec<Notice>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Converged {
    /// The CRM has it now.
    Written,
    /// The CRM had it already, or a newer one.
    Unchanged,
    /// The CRM refuses it; the sync log and the record say why.
    Rejected,
    /// The CRM's record was deleted by somebody.
    Deleted,
    /// The mapping leaves such records out.
    OutOfScope,
}

impl From<Converged> for Disposition {
    fn from(converged: Converged) -> Self {
        match converged {
            Converged::Written => Self::Done,
            Converged::Unchanged => Self::Skip(SkipReason::Unchanged),
            Converged::Rejected => Self::Skip(SkipReason::Rejected),
            Converged::Deleted => Self::Skip(SkipReason::Deleted),
            Converged::OutOfScope => Self::Skip(SkipReason::OutOfScope),
        }
    }
}

/// What a record of the CRM is to say about itself.
pub(crate) struct Report {
    status: &'static str,
    message: Option<String>,
    pending: Vec<&'static Field>,
}

impl Report {
    const ERROR: &str = "Error";

    /// How a record stands that AWS brought.
    fn of(link: &Link, aws: &Record, standing: Standing, waiting: Vec<&'static Field>) -> Self {
        if link.tick == Tick::TakenBack {
            Self::stopped()
        } else if standing.status == Some(ReviewStatus::ActionRequired) {
            Self::action_required(aws.text("apnReviewerComments"), waiting)
        } else {
            Self::waiting(waiting, None)
        }
    }

    /// In step, but for fields whose change waits.
    pub(crate) fn waiting(pending: Vec<&'static Field>, message: Option<String>) -> Self {
        let status = if pending.is_empty() && message.is_none() { "Synced" } else { "Waiting" };
        Self { status, message, pending }
    }

    /// AWS's reviewer wants something changed.
    fn action_required(comments: Option<&str>, pending: Vec<&'static Field>) -> Self {
        let message = comments.map_or_else(
            || "AWS asks for changes before it goes on.".to_owned(),
            |comments| format!("AWS asks for changes before it goes on: {comments}"),
        );
        Self { status: "Action Required", message: Some(message), pending }
    }

    /// A rep took the sharing back.
    pub(crate) fn stopped() -> Self {
        let message = "Not shared any more: changes are not sent to AWS".to_owned();
        Self { status: "Stopped", message: Some(message), pending: Vec::new() }
    }

    /// Somebody has to mend it.
    pub(crate) fn refusal(message: String) -> Self {
        Self { status: Self::ERROR, message: Some(message), pending: Vec::new() }
    }
}

pub(crate) fn moment(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

/// The side that changed last; when either does not say, the CRM, where a person typed.
pub(crate) fn newer(aws: &Record, crm: Option<&CrmRecord>) -> Side {
    match (moment(aws.text("lastModifiedDate")), crm.and_then(|crm| moment(Some(&crm.modified_at)))) {
        (Some(aws), Some(crm)) if aws > crm => Side::Aws,
        _ => Side::Crm,
    }
}

impl Converger {
    /// The link of a record of AWS's: by its own identifier, else by the CRM identifier that it carries.
    pub(crate) async fn known(&self, kind: Kind, key: &LinkKey, carried: Option<&str>) -> PortResult<Option<Link>> {
        if let Some(link) = self.ledger.link(key).await? {
            return Ok(Some(link));
        }
        let (Some(id), Some(object)) = (carried, self.mapping.of(kind)) else { return Ok(None) };
        let named = LinkKey::Crm(CrmRef::of(object, id));
        Ok(match self.ledger.link(&named).await? {
            Some(mut link) if link.of_kind(kind).is_none() => {
                link.also(key.clone());
                Some(link)
            }
            // The CRM record that it names belongs to another one of AWS's: both stay.
            Some(_) => Some(Link::new(key.clone())),
            None => None,
        })
    }

    /// A new link, to the CRM's record that AWS's names if nobody has linked that one yet: a record that was in both
    /// before cosell came is not made a second time.
    pub(crate) async fn adopted(&self, kind: Kind, key: LinkKey, carried: Option<&str>) -> PortResult<Link> {
        let mut link = Link::new(key);
        let (Some(id), Some(object)) = (carried, self.mapping.of(kind)) else { return Ok(link) };
        let ace_id = std::slice::from_ref(&object.ace_id);
        let found = named_record(self.crm.as_ref(), &object.object, id, ace_id).await?;
        let free = |record: &CrmRecord| {
            let named = record.fields.get(&object.ace_id).and_then(CrmValue::as_text);
            named.is_none() || named == link.ace_id()
        };
        if let Some(record) = found.filter(free) {
            link.also(LinkKey::Crm(CrmRef::of(object, &record.id)));
        }
        Ok(link)
    }

    /// Merges what AWS says into the CRM's record and remembers what both agree on.
    pub async fn converge(&self, arrival: Arrival<'_>) -> Result<(Link, Converged), SyncError> {
        let Arrival { aws, mut link, facts, purpose, file, read_at, mut notices } = arrival;
        let object = self.mapping.of(aws.kind()).ok_or_else(|| not_mapped(aws))?;
        self.unclaimed(&link)?;
        let stored = link.clone();
        let said = aws;
        let aws = &link.corrected(Direction::FromAws, said.clone());
        if is_older(aws, &link) {
            return Ok((link, Converged::Unchanged));
        }
        let crm = self.present(object, &link).await?;
        if let Some(crm) = &crm {
            link.seen(object.is_ticked(&crm.fields));
        }
        if let Some(end) = left_alone(object, aws, &link, crm.as_ref()) {
            return Ok((link, end));
        }
        if crm.is_none() && link.crm().is_some() {
            if object.deleted != Deleted::Recreate {
                link.read_at = read_at.or(link.read_at);
                let entry = self.entry(purpose, Status::Error, "the CRM record was deleted: not written again", &link);
                self.stays_deleted(object, aws, &mut link, in_file(entry, file)).await?;
                return Ok((link, Converged::Deleted));
            }
            link.without_crm();
        }
        let (theirs, unmappable) =
            crm.as_ref().map_or_else(|| (Record::new(aws.kind()), Vec::new()), |crm| link.ours(object, &crm.fields));
        let plan = object.plan(&link.agreed(aws, &theirs), aws, &theirs, newer(aws, crm.as_ref()));

        let written: Vec<&'static Field> = plan.won_by(Side::Aws).map(|(mapping, _)| mapping.ace).collect();
        let mut writes = writes(object, &plan, facts, &link, crm.as_ref(), &theirs);
        if file.is_some() {
            link.shown(aws);
        }
        let standing = Standing::of(aws);
        let moved = standing.status.map(State::as_str).filter(|review| link.review.as_deref() != Some(review));
        let asked = moved.is_some() && standing.status == Some(ReviewStatus::ActionRequired);
        let mended = writes.is_empty() && self.was_refused(object, &link, crm.as_ref()).await?;
        if !writes.is_empty() || crm.is_none() || asked || mended {
            let waiting: Vec<_> = plan.won_by(Side::Crm).map(|(mapping, _)| mapping.ace).collect();
            self.status(object, &mut writes, &Report::of(&link, aws, standing, waiting));
            let mut sent = Record::new(aws.kind());
            plan.won_by(Side::Aws).for_each(|(line, value)| sent.set(line.ace, value.clone()));
            link.sends(&plan, Side::Crm, &sent);
            self.claim(&mut link).await?;
            let outcome = self.write(object, &link, crm.as_ref(), writes).await;
            link.claimed_until = None;
            match outcome {
                Ok(record) => link.also(LinkKey::Crm(record)),
                Err(PortError::Rejected { problems, .. }) => {
                    self.report_refusal(object, aws, &mut link, crm.as_ref(), &problems).await?;
                    let entry = self.entry(purpose, Status::Error, "the CRM refused the record", &link);
                    let entry = entry.with(said, problems).leaves(Some(Open::Refused));
                    self.ledger.log(&[in_file(entry, file)]).await?;
                    return Ok((link, Converged::Rejected));
                }
                Err(error) => {
                    self.ledger.save(&mut link).await?;
                    return Err(error.into());
                }
            }
        }

        link.set_base(&plan.base_after(aws.kind(), |field| written.contains(&field).then_some(Side::Aws)));
        let changed_at = news(aws, &mut link, purpose);
        if let Some(review) = moved {
            notices.extend(review_moved(&mut link, review));
            notices.extend(asked.then_some(Notice::ActionRequired));
        }
        link.read_at = read_at.or(link.read_at);
        if !written.is_empty() || crm.is_none() {
            let fields = written.iter().map(|field| field.key.to_owned()).collect();
            notices.push(Notice::Synced { direction: Direction::FromAws, fields });
        }
        self.tell(aws.kind(), &link, &notices).await;
        if link != stored {
            self.ledger.save(&mut link).await?;
        }
        if let Some(crm) = &crm
            && (link.opportunity().is_some() || link.lead().is_some())
            && link.in_file().is_none()
            && plan.won_by(Side::Crm).any(|(line, _)| standing.access(aws.kind(), line.ace) == Access::Open)
        {
            // What waited for AWS's review, or was edited while nobody looked: it goes now, not at the next push.
            self.to_aws.send(&[push::message(object, crm, push::Why::Opened((self.now)()))?]).await?;
        }
        if written.is_empty() && crm.is_some() {
            if mended {
                let message = "in step: nothing of what the CRM refused is left";
                let entry = self.entry(purpose, Status::Processed, message, &link);
                self.ledger.log(&[in_file(entry, file)]).await?;
            }
            return Ok((link, Converged::Unchanged));
        }
        let message = if crm.is_some() { "updated in the CRM" } else { "created in the CRM" };
        let problems = settled(&plan).chain(unmappable.iter().map(Rejection::from)).chain(older_payload(aws));
        let mut entry = self.entry(purpose, Status::Processed, message, &link).with(said, problems.collect());
        entry.fields = written.iter().map(|field| field.key.to_owned()).collect();
        entry.changed_at = changed_at;
        self.ledger.log(&[in_file(entry, file)]).await?;
        Ok((link, Converged::Written))
    }

    /// Tells others. A bus that takes nothing keeps no record waiting: the sync log has it all.
    pub(crate) async fn tell(&self, kind: Kind, link: &Link, notices: &[Notice]) {
        let events: Vec<_> = notices.iter().map(|it| it.event(self.catalog, kind, link, (self.now)())).collect();
        if events.is_empty() {
            return;
        }
        if let Err(error) = self.bus.publish(&events).await {
            tracing::error!(error = SyncError::from(error).chain(), "the event bus took no notice");
            metrics::counter!("untold_events").increment(events.len() as u64);
        }
    }

    /// Whether the CRM's record says of an error that was the CRM's own refusal. What AWS refused is none of AWS's news.
    async fn was_refused(&self, object: &ObjectMapping, link: &Link, crm: Option<&CrmRecord>) -> PortResult<bool> {
        let said = object.status.sync_status.as_ref().zip(crm).and_then(|(name, crm)| crm.fields.get(name)?.as_text());
        let (Some(Report::ERROR), Some(id)) = (said, link.ace_id()) else { return Ok(false) };
        let query = Query { direction: Some(Direction::FromAws), ..Query::of(Of::Record(id)) };
        let last = self.ledger.read_log(&query, 1).await?;
        Ok(last.first().is_some_and(|entry| entry.open == Some(Open::Refused)))
    }

    /// Says, once a change of AWS's, that the record for it was deleted; where the link went with it, once at all.
    async fn stays_deleted(
        &self,
        object: &ObjectMapping,
        aws: &Record,
        link: &mut Link,
        entry: Entry,
    ) -> PortResult<()> {
        let ends_link = object.deleted == Deleted::Unlink;
        if learn_version(aws, link) && !(ends_link && link.unlinked) {
            self.lost(object, link, entry).await?;
            link.unlinked |= ends_link;
        }
        self.ledger.save(link).await
    }

    /// Says, once a deletion, that somebody deleted the CRM's record of a link. AWS's stays as it is.
    pub(crate) async fn deleted(&self, object: &ObjectMapping, link: &mut Link) -> PortResult<()> {
        let mut entry = match object.deleted {
            Deleted::Recreate => {
                let message = "the CRM record was deleted: AWS's next change makes it again";
                self.entry(Purpose::Push, Status::Processed, message, link)
            }
            Deleted::Report | Deleted::Unlink => {
                let message = "the CRM record was deleted: nothing is sent, and nothing changes at AWS";
                self.entry(Purpose::Push, Status::Error, message, link)
            }
        };
        entry.direction = Direction::ToAws;
        self.lost(object, link, entry).await?;
        link.unlinked = true;
        self.ledger.save(link).await
    }

    /// Writes into the sync log that the CRM's record is gone, and tells others if nothing will bring it back.
    async fn lost(&self, object: &ObjectMapping, link: &Link, entry: Entry) -> PortResult<()> {
        let codes = vec!["CRM_RECORD_DELETED".to_owned()];
        let failed = Notice::SyncFailed { direction: entry.direction, codes };
        let waits = entry.status == Status::Error;
        self.ledger.log(&[entry]).await?;
        if waits {
            self.tell(object.kind, link, &[failed]).await;
        }
        Ok(())
    }

    /// The CRM's record of a link. Without a link to the CRM the unique field is asked: a crash may have come between
    /// the write and the memory of it.
    async fn present(&self, object: &ObjectMapping, link: &Link) -> PortResult<Option<CrmRecord>> {
        let key = match (link.crm(), unique_key(object, link)) {
            (Some(record), _) => CrmKey::Id(&record.id),
            (None, Some((field, value))) => CrmKey::External { field, value },
            (None, None) => return Ok(None),
        };
        self.crm.fetch(&object.object, key, &object.crm_fields()).await
    }

    /// Keeps other functions from writing the same record meanwhile: one change rings twice, often at the same moment.
    /// Who comes second starts again later and finds nothing left to do. A claim ends by itself when its holder dies.
    pub(crate) async fn claim(&self, link: &mut Link) -> PortResult<()> {
        let now = (self.now)();
        link.claimed_until = Some(now.saturating_add(CLAIM).unwrap_or(now));
        self.ledger.save(link).await
    }

    /// A link that somebody is writing is left alone: a store in between would take the holder's own last one away.
    pub(crate) fn unclaimed(&self, link: &Link) -> PortResult<()> {
        if link.is_claimed((self.now)()) {
            return Err(PortError::Conflict { what: format!("working on {}, which is being written,", link.born_as) });
        }
        Ok(())
    }

    /// Writes a record, and what it refers to; a new one is made once.
    pub(crate) async fn write(
        &self,
        object: &ObjectMapping,
        link: &Link,
        crm: Option<&CrmRecord>,
        mut writes: CrmFields,
    ) -> PortResult<CrmRef> {
        self.write_related(object, crm, &mut writes).await?;
        let id = if let Some(crm) = crm {
            self.crm.update(&object.object, &crm.id, &writes).await?;
            crm.id.clone()
        } else {
            let (field, value) = unique_key(object, link).ok_or_else(|| PortError::NotFound {
                what: format!("a unique field of {} for {}", object.object, link.born_as),
            })?;
            let new = self.new_record(&object.object, object.template.as_deref(), &object.defaults, writes).await?;
            self.crm.upsert(&object.object, field, value, &new).await?.id
        };
        Ok(CrmRef::of(object, &id))
    }

    /// What a new record starts with: what AWS says, then the declared defaults, then the template's values.
    async fn new_record(
        &self,
        object: &str,
        template: Option<&str>,
        defaults: &CrmFields,
        mut writes: CrmFields,
    ) -> PortResult<CrmFields> {
        writes.retain(|_, value| *value != CrmValue::Null);
        let mut copied = match template {
            Some(id) => self.crm.template(object, id).await?,
            None => CrmFields::new(),
        };
        copied.extend(defaults.clone());
        copied.extend(writes);
        Ok(copied)
    }

    /// Takes the writes to related records out of a record's own, does them, and puts in what the record refers to by.
    ///
    /// A related record is made before the record that refers to it: a crash in between leaves one that the next attempt
    /// finds by its matching fields.
    async fn write_related(
        &self,
        object: &ObjectMapping,
        crm: Option<&CrmRecord>,
        writes: &mut CrmFields,
    ) -> PortResult<()> {
        for (name, related) in &object.related {
            let prefix = format!("{name}.");
            let own: CrmFields = writes
                .extract_if(.., |path, _| path.starts_with(&prefix))
                .map(|(path, value)| (path[prefix.len()..].to_owned(), value))
                .collect();
            let known = crm.and_then(|crm| crm.fields.get(&related.lookup)?.as_text());
            if let Some(id) = known {
                if !own.is_empty() && related.write != RelatedWrite::Never {
                    self.crm.update(&related.object, id, &own).await?;
                }
            } else if let Some(id) = self.found_or_made(related, crm, own).await? {
                writes.insert(related.lookup.clone(), CrmValue::Text(id));
            }
        }
        Ok(())
    }

    /// The related record that a record without one is to refer to.
    async fn found_or_made(
        &self,
        related: &Related,
        crm: Option<&CrmRecord>,
        own: CrmFields,
    ) -> PortResult<Option<String>> {
        // Of a record that is there already, somebody chose not to refer to any: AWS has to say something new about it.
        if related.write == RelatedWrite::Never || (crm.is_some() && own.is_empty()) {
            return Ok(None);
        }
        let known = |field: &String| Some((field.clone(), own.get(field).filter(|v| **v != CrmValue::Null)?.clone()));
        let wanted: Option<CrmFields> = related.matches.iter().map(known).collect();
        if let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) {
            if let Some(id) = self.crm.find(&related.object, &wanted).await? {
                return Ok(Some(id));
            }
            if related.write == RelatedWrite::Create {
                return Ok(Some(self.made(related, &wanted, own).await?));
            }
        }
        Ok(related.default.clone().filter(|_| crm.is_none()))
    }

    /// Makes a related record, once: several deals of one customer often arrive at the same moment. Who comes second
    /// starts again later and finds it.
    async fn made(&self, related: &Related, wanted: &CrmFields, own: CrmFields) -> PortResult<String> {
        let named = wanted.iter().map(|(field, value)| format!("{field}={}", value.to_text().unwrap_or_default()));
        let digest = Uuid::new_v5(&Uuid::NAMESPACE_OID, named.collect::<Vec<_>>().join("\n").as_bytes()).to_string();
        let key = LinkKey::Making(CrmRef { object: related.object.clone(), id: digest });
        let mut making = self.ledger.link(&key).await?.unwrap_or_else(|| Link::new(key));
        self.unclaimed(&making)?;
        self.claim(&mut making).await?;
        // Somebody may have made it between our look and our claim.
        let made = if let Some(id) = self.crm.find(&related.object, wanted).await? {
            id
        } else {
            let template = related.template.as_deref();
            let new = self.new_record(&related.object, template, &related.defaults, own).await?;
            self.crm.create(&related.object, &new).await?
        };
        making.claimed_until = None;
        self.ledger.save(&mut making).await?;
        Ok(made)
    }

    /// Fields that tell people how a record stands.
    fn status(&self, object: &ObjectMapping, writes: &mut CrmFields, report: &Report) {
        let names = &object.status;
        let text = |text: &str| CrmValue::from(serde_json::Value::from(text));
        let pending = report.pending.iter().map(|field| field.key).collect::<Vec<_>>().join(", ");
        for (name, value) in [
            (&names.sync_status, text(report.status)),
            (&names.sync_message, text(report.message.as_deref().unwrap_or_default())),
            (&names.pending, text(&pending)),
            (&names.last_sync, text(&whole_seconds((self.now)()))),
        ] {
            if let Some(name) = name {
                writes.insert(name.clone(), value);
            }
        }
    }

    /// Says on the CRM's record how it stands, unless it says so already; whether it had to.
    pub(crate) async fn report(&self, object: &ObjectMapping, crm: &CrmRecord, report: &Report) -> PortResult<bool> {
        self.report_with(object, crm, report, CrmFields::new()).await
    }

    /// As [`report`](Self::report), and sets fields of our own that do not say so yet.
    pub(crate) async fn report_with(
        &self,
        object: &ObjectMapping,
        crm: &CrmRecord,
        report: &Report,
        mut writes: CrmFields,
    ) -> PortResult<bool> {
        writes.retain(|name, value| crm.fields.get(name) != Some(value));
        let has_news = !writes.is_empty();
        self.status(object, &mut writes, report);
        let new = |name: &Option<String>| {
            name.as_ref().is_some_and(|name| crm.fields.get(name).unwrap_or(&CrmValue::Null) != &writes[name])
        };
        let StatusFields { sync_status, sync_message, pending, last_sync: _ } = &object.status;
        let is_new = has_news || [sync_status, sync_message, pending].into_iter().any(new);
        if is_new {
            self.crm.update(&object.object, &crm.id, &writes).await?;
        }
        Ok(is_new)
    }

    /// Remembers that the CRM refused what AWS says, and says so on its record, if it lets us, and to others.
    async fn report_refusal(
        &self,
        object: &ObjectMapping,
        aws: &Record,
        link: &mut Link,
        crm: Option<&CrmRecord>,
        problems: &[Rejection],
    ) -> Result<(), SyncError> {
        // Else reconciliation would take it for missed, each time.
        learn_version(aws, link);
        self.ledger.save(link).await?;
        if let Some(crm) = crm {
            let text = sentence("The CRM refused what AWS sent", problems);
            match self.report(object, crm, &Report::refusal(text)).await {
                // The record may refuse every write, this one too: the sync log has it.
                Err(PortError::Rejected { .. }) | Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.tell(object.kind, link, &[Notice::failed(Direction::FromAws, problems)]).await;
        Ok(())
    }

    pub(crate) fn entry(&self, purpose: Purpose, status: Status, message: &str, link: &Link) -> Entry {
        Entry::new((self.now)(), Direction::FromAws, purpose, status, message.to_owned()).about(link)
    }
}

/// Whether an answer of AWS's is older than what we know already.
fn is_older(aws: &Record, link: &Link) -> bool {
    let moments = moment(aws.text("lastModifiedDate")).zip(moment(link.last_modified.as_deref()));
    moments.is_some_and(|(seen, known)| seen < known)
}

/// How a record ends of which nothing is to be written.
fn left_alone(object: &ObjectMapping, aws: &Record, link: &Link, crm: Option<&CrmRecord>) -> Option<Converged> {
    let is_new = crm.is_none() && link.crm().is_none();
    if object.is_dummy(aws) || (is_new && !object.welcomes(aws)) {
        return Some(Converged::OutOfScope);
    }
    // The CRM has closed a lead that it converted: what it became goes on.
    object.converted(&crm?.fields).map(|_| Converged::Unchanged)
}

/// What the CRM's record is to get: what AWS wins of the merge, facts of our own that it does not show yet, and the
/// identifier by which it is found.
fn writes(
    object: &ObjectMapping,
    plan: &Plan<'_>,
    mut facts: CrmFields,
    link: &Link,
    crm: Option<&CrmRecord>,
    theirs: &Record,
) -> CrmFields {
    if let Some(crm) = crm {
        if let Some((name, id)) = unique_key(object, link).filter(|(name, _)| *name == object.ace_id) {
            facts.insert(name.to_owned(), CrmValue::Text(id.to_owned()));
        }
        facts.retain(|name, value| crm.fields.get(name) != Some(value));
    }
    facts.extend(object.to_crm(plan.won_by(Side::Aws), theirs));
    facts
}

/// The unique CRM field by which a record of this link is found or made.
fn unique_key<'l>(object: &'l ObjectMapping, link: &'l Link) -> Option<(&'l str, &'l str)> {
    // A referral has no opportunity before it is accepted.
    if object.kind == Kind::Opportunity && link.opportunity().is_none() {
        return Some((&object.referral.as_ref()?.invitation_id, link.invitation()?.as_str()));
    }
    Some((&object.ace_id, link.ace_id()?))
}

/// What both sides changed, with the side that won if one did.
pub(crate) fn conflicts(plan: &Plan<'_>) -> impl Iterator<Item = (Option<Side>, Rejection)> {
    plan.fields.iter().filter_map(|field| {
        let (winner, message) = match field.outcome {
            Outcome::Conflict(Side::Aws) => (Some(Side::Aws), "both sides changed it: AWS's value was taken"),
            Outcome::Conflict(Side::Crm) => {
                (Some(Side::Crm), "both sides changed it: the CRM's value stays and goes to AWS")
            }
            Outcome::Held => (None, "both sides changed it: somebody has to decide"),
            Outcome::Kept => (None, "AWS changed it: the CRM's value is protected and stays"),
            Outcome::Same | Outcome::Take(_) => return None,
        };
        let field = Some(field.mapping.ace.key.to_owned());
        Some((winner, Rejection { field, code: "CONFLICT".to_owned(), message: message.to_owned() }))
    })
}

/// The conflicts of a merge. What the CRM wins is counted when it goes to AWS.
fn settled(plan: &Plan<'_>) -> impl Iterator<Item = Rejection> {
    conflicts(plan).map(|(winner, conflict)| {
        metrics::counter!("conflicts").increment(u64::from(winner != Some(Side::Crm)));
        conflict
    })
}

/// Remembers AWS's version of a record, and answers whether nobody knew it.
fn learn_version(aws: &Record, link: &mut Link) -> bool {
    let Some(seen) = aws.text("lastModifiedDate") else { return true };
    link.last_modified.replace(seen.to_owned()).as_deref() != Some(seen)
}

/// Remembers AWS's version of a record, and answers when AWS made it, if that is news. What AWS changed before, and is brought
/// now for another reason, did not take so long.
fn news(aws: &Record, link: &mut Link, purpose: Purpose) -> Option<Timestamp> {
    let is_news = learn_version(aws, link);
    let rang = matches!(purpose, Purpose::Event | Purpose::Reconciliation | Purpose::OutboundFile);
    moment(aws.text("lastModifiedDate")).filter(|_| is_news && rang)
}

/// Remembers where AWS's review is. The first look at a record is no news.
fn review_moved(link: &mut Link, review: &str) -> Option<Notice> {
    let previous = link.review.replace(review.to_owned())?;
    Some(Notice::ReviewStatusChanged { previous, review_status: review.to_owned() })
}

/// What AWS changed to fit the record into payload 1.0, in its words.
fn older_payload(aws: &Record) -> Option<Rejection> {
    let field = "backwardsCompatibilityChanges";
    let message = aws.text(field).filter(|text| !text.is_empty())?.to_owned();
    Some(Rejection { field: Some(field.to_owned()), code: "PAYLOAD_1_0".to_owned(), message })
}

fn in_file(mut entry: Entry, file: Option<&str>) -> Entry {
    entry.file = file.map(str::to_owned);
    entry
}

fn not_mapped(aws: &Record) -> SyncError {
    PortError::Unauthorized {
        what: format!("mapping a {} (the mapping file has none)", aws.kind().as_str()),
        cause: None,
    }
    .into()
}

/// A sentence for people with everything that was refused.
pub(crate) fn sentence(start: &str, problems: &[Rejection]) -> String {
    let mut text = format!("{start}:");
    for Rejection { field, code, message } in problems {
        text.push_str("\n- ");
        if let Some(field) = field {
            text.push_str(field);
            text.push_str(": ");
        }
        text.push_str(if message.is_empty() { code } else { message });
    }
    text
}

/// CRMs keep whole seconds.
pub(crate) fn whole_seconds(moment: Timestamp) -> String {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment).to_string()
}
