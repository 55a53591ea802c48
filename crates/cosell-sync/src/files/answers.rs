use std::collections::HashMap;

use cosell_mapping::{CrmValue, ObjectMapping, Retry, Side};
use cosell_model::{
    Field, Kind, Record,
    file::{RecordResult, Remedy, Results, UnusableFile},
    life_cycle::{Access, Standing},
};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use super::{
    ABREAST, Manifest, Settle, Shipped,
    settle::{Ended, ace_key},
};
use crate::{
    Link, Shipment, Stage, SyncError,
    converge::{Report, moment, sentence},
    log::{Direction, Entry, Open, Purpose, Status},
    notice::Notice,
    ports::{AceFile, CrmFields, CrmKey, CrmRecord, PortResult, Rejection},
    push,
};

/// What AWS made of one record of a file.
struct Answer<'a> {
    shipped: &'a Shipped,
    /// AWS's identifier, if it names one.
    ace_id: Option<&'a str>,
    /// What helps; nothing where AWS took the record, or has it already.
    remedy: Remedy,
    /// Whether it was refused because of its company: AWS took nothing of the file.
    in_company: bool,
    /// What AWS said besides, in its words.
    said: Vec<Rejection>,
}

/// How a record ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Taken,
    Again,
    Waits,
    Refused,
    /// An earlier delivery has settled it.
    Known,
}

impl Settle {
    /// Settles what AWS answered to a file of ours.
    pub(super) async fn answers(
        &self,
        file: &AceFile,
        about: &str,
        content: &[u8],
    ) -> Result<(Purpose, Ended), SyncError> {
        let unusable = |cause| SyncError::File { key: file.key.clone(), cause };
        let results = Results::read(content).map_err(unusable)?;
        let Some(mut manifest) = self.manifest(&results, about).await? else {
            return Err(unusable(UnusableFile::Unasked));
        };
        let processed = results.processed.as_deref().and_then(|text| moment(Some(text)));
        let shipped = manifest.records.clone();
        let answers = matched(&shipped, &results);
        let ends: Vec<End> = stream::iter(answers)
            .map(|answer| self.answer(&manifest, file, answer, processed))
            .buffered(ABREAST)
            .try_collect()
            .await?;
        if manifest.answered_at.is_none() {
            manifest.answered_at = Some((self.converger.now)());
            self.converger.ledger.set_manifest(&manifest).await?;
        }
        let count = |wanted| ends.iter().filter(|end| **end == wanted).count();
        let refused = count(End::Refused);
        let message = format!(
            "AWS took {} of {} record(s) of {}; {refused} refused, {} wait for the end of a review, {} go again, {} settled before",
            count(End::Taken),
            ends.len(),
            manifest.key,
            count(End::Waits),
            count(End::Again),
            count(End::Known)
        );
        let status = if refused == 0 && !results.is_api_error { Status::ApiSuccess } else { Status::Partial };
        let problems = results.api_errors.iter().map(|text| said("FILE_REFUSED", text)).collect();
        Ok((Purpose::InboundFileResults, Ended { status, message, problems }))
    }

    /// The manifest that an answer is about: of the file that it names, else of the file that its own name comes from.
    async fn manifest(&self, results: &Results, about: &str) -> PortResult<Option<Manifest>> {
        for key in results.file_name.as_deref().into_iter().chain([about]) {
            if let Some(manifest) = self.converger.ledger.manifest(key).await? {
                return Ok(Some(manifest));
            }
        }
        Ok(None)
    }

    async fn answer(
        &self,
        manifest: &Manifest,
        file: &AceFile,
        mut answer: Answer<'_>,
        processed: Option<Timestamp>,
    ) -> Result<End, SyncError> {
        let converger = &self.converger;
        let Some(mut link) = converger.ledger.link(&answer.shipped.link).await? else { return Ok(End::Known) };
        let shown = self.in_crm(manifest.kind, &link).await?;
        if link.in_file() != Some(&manifest.key) {
            // Settled by an earlier delivery, of which only the last step may be missing; or sent again since: then AWS's
            // identifier is news all the same, and AWS's next file says what it has.
            if answer.remedy == Remedy::Nothing {
                let is_free = self.linked_otherwise(&link, manifest.kind, answer.ace_id).await?.is_none();
                if is_free && is_named(&mut link, manifest.kind, answer.ace_id) {
                    converger.ledger.save(&mut link).await?;
                } else {
                    self.go_on(&link, shown.as_ref()).await?;
                }
            }
            return Ok(End::Known);
        }
        converger.unclaimed(&link)?;
        let waits = link.to_aws.keys().filter_map(|key| manifest.kind.field(key)).collect();
        let other = self.linked_otherwise(&link, manifest.kind, answer.ace_id).await?;
        let end = if let Some(other) = other {
            answer.said.push(other);
            set_stage(&mut link, Stage::Refused);
            End::Refused
        } else if answer.remedy == Remedy::Nothing {
            taken(&mut link, manifest.kind, answer.ace_id, processed);
            End::Taken
        } else {
            self.not_taken(&mut link, &answer)
        };
        // The link last: whatever is cut before is done again.
        if let Some((object, crm)) = &shown {
            self.tell_crm(object, crm, &link, end, &answer, waits).await?;
        }
        let notice = match end {
            End::Taken => Some(Notice::Synced { direction: Direction::ToAws, fields: changed(&link).collect() }),
            End::Refused => Some(Notice::failed(Direction::ToAws, &answer.said)),
            End::Again | End::Waits | End::Known => None,
        };
        converger.ledger.log(&[self.line(file, &link, end, answer.said)]).await?;
        converger.ledger.save(&mut link).await?;
        converger.tell(manifest.kind, &link, notice.as_slice()).await;
        if end == End::Taken {
            self.go_on(&link, shown.as_ref()).await?;
        }
        Ok(end)
    }

    /// Why AWS's identifier cannot be this record's: another one has it.
    async fn linked_otherwise(&self, link: &Link, kind: Kind, ace_id: Option<&str>) -> PortResult<Option<Rejection>> {
        let Some(key) = ace_id.filter(|id| link.of_kind(kind) != Some(id)).and_then(|id| ace_key(kind, id)) else {
            return Ok(None);
        };
        let known = self.converger.ledger.link(&key).await?;
        let message =
            "AWS answers with the identifier of a record that belongs to another one of the CRM's: ask AWS which it is";
        Ok(known.filter(|known| known.born_as != link.born_as).map(|_| said("LINKED_OTHERWISE", message)))
    }

    /// The CRM's record of a link.
    async fn in_crm(&self, kind: Kind, link: &Link) -> PortResult<Option<(&ObjectMapping, CrmRecord)>> {
        let (Some(object), Some(record)) = (self.converger.mapping.of(kind), link.crm()) else { return Ok(None) };
        let crm = self.converger.crm.fetch(&object.object, CrmKey::Id(&record.id), &object.crm_fields()).await?;
        Ok(crm.map(|crm| (object, crm)))
    }

    /// Lets go what changed in the CRM while a file was on its way.
    async fn go_on(&self, link: &Link, shown: Option<&(&ObjectMapping, CrmRecord)>) -> Result<(), SyncError> {
        let Some((object, crm)) = shown.filter(|(object, crm)| link.in_file().is_none() && differs(object, link, crm))
        else {
            return Ok(());
        };
        Ok(self
            .converger
            .to_aws
            .send(&[push::message(object, crm, push::Why::Opened((self.converger.now)()))?])
            .await?)
    }

    /// What becomes of a record that AWS did not take.
    fn not_taken(&self, link: &mut Link, answer: &Answer<'_>) -> End {
        let retry = self.converger.mapping.retry;
        let (end, stage) = match (&mut link.shipment, answer.remedy) {
            (Some(shipment), _) if answer.in_company => {
                shipment.alone = true;
                (End::Again, Stage::Waiting)
            }
            (Some(shipment), Remedy::Retry) if may_retry(shipment, retry, (self.converger.now)()) => {
                shipment.retries += 1;
                (End::Again, Stage::Waiting)
            }
            (_, Remedy::Window) => (End::Waits, Stage::Answered),
            _ => (End::Refused, Stage::Refused),
        };
        if end != End::Again {
            link.to_aws.clear();
        }
        set_stage(link, stage);
        end
    }

    /// Says on the CRM's record what became of it.
    async fn tell_crm(
        &self,
        object: &ObjectMapping,
        crm: &CrmRecord,
        link: &Link,
        end: End,
        answer: &Answer<'_>,
        waits: Vec<&'static Field>,
    ) -> PortResult<bool> {
        let mut facts = CrmFields::new();
        if let Some(id) = link.of_kind(object.kind) {
            facts.insert(object.ace_id.clone(), CrmValue::Text(id.to_owned()));
        }
        let report = match end {
            End::Known => return Ok(false),
            End::Taken => Report::waiting(Vec::new(), None),
            End::Again => {
                Report::waiting(waits, Some(sentence("AWS could not take it yet: it goes again", &answer.said)))
            }
            End::Waits => Report::waiting(waits, Some("AWS is reviewing: it goes when the review is over.".to_owned())),
            End::Refused => Report::refusal(sentence("AWS refused the record", &answer.said)),
        };
        self.converger.report_with(object, crm, &report, facts).await
    }

    fn line(&self, file: &AceFile, link: &Link, end: End, said: Vec<Rejection>) -> Entry {
        let (status, message) = match end {
            End::Taken | End::Known => (Status::ApiSuccess, "AWS took the record from the file"),
            End::Again => (Status::Partial, "AWS could not take the record yet: it goes again"),
            End::Waits => (Status::Partial, "AWS reviews the record: the change waits"),
            End::Refused => (Status::Error, "AWS refused the record of the file"),
        };
        let mut entry = self.entry(file, status, message.to_owned()).about(link);
        (entry.direction, entry.purpose, entry.problems) = (Direction::ToAws, Purpose::InboundFileResults, said);
        entry.fields = changed(link).collect();
        let Some(shipment) = &link.shipment else { return entry };
        let sent = Record::from_json(link.kind(), &shipment.record).unwrap_or_else(|_| Record::new(link.kind()));
        let said = std::mem::take(&mut entry.problems);
        entry = entry.with(&sent, said);
        match end {
            End::Taken => entry.changed_at = Some(shipment.since),
            End::Waits => entry.open = Some(Open::Held),
            // Of what may pass by itself the file's own retries take care.
            End::Refused => entry.open = Some(Open::Wrong),
            End::Again | End::Known => {}
        }
        entry
    }
}

/// Adds AWS's identifier to a link that has none; whether it did.
fn is_named(link: &mut Link, kind: Kind, ace_id: Option<&str>) -> bool {
    let key = ace_id.and_then(|id| ace_key(kind, id)).filter(|_| link.of_kind(kind).is_none());
    key.map(|key| link.also(key)).is_some()
}

/// What AWS took is what both sides say from now on, unless AWS has shown something newer meanwhile.
fn taken(link: &mut Link, kind: Kind, ace_id: Option<&str>, processed: Option<Timestamp>) {
    is_named(link, kind, ace_id);
    let shown_later = moment(link.last_modified.as_deref()).zip(processed).is_some_and(|(shown, done)| shown > done);
    if !shown_later {
        let mut base = link.base(kind);
        for (field, value) in Record::from_json(kind, &link.to_aws).iter().flat_map(Record::iter) {
            base.set(field, value.clone());
        }
        link.set_base(&base);
    }
    link.to_aws.clear();
    set_stage(link, Stage::Answered);
}

fn set_stage(link: &mut Link, stage: Stage) {
    if let Some(shipment) = &mut link.shipment {
        shipment.stage = stage;
    }
}

fn changed(link: &Link) -> impl Iterator<Item = String> {
    link.shipment.iter().flat_map(|shipment| shipment.record.keys().cloned())
}

fn said(code: &str, text: &str) -> Rejection {
    Rejection { field: None, code: code.to_owned(), message: text.to_owned() }
}

fn may_retry(shipment: &Shipment, retry: Retry, now: Timestamp) -> bool {
    let last = shipment.since.saturating_add(SignedDuration::from_hours(24 * i64::from(retry.days)));
    shipment.retries < retry.times && last.is_ok_and(|last| now <= last)
}

/// Whether the CRM says something that AWS takes now and was not sent.
fn differs(object: &ObjectMapping, link: &Link, crm: &CrmRecord) -> bool {
    let (ours, _) = link.ours(object, &crm.fields);
    let aws = link.at_aws(object.kind);
    let standing = Standing::of(&aws);
    link.edits(object, &aws, &ours)
        .won_by(Side::Crm)
        .any(|(line, _)| standing.access(object.kind, line.ace) == Access::Open)
}

/// What AWS says of each record: by the CRM's identifier, else by its place. What AWS does not mention goes again.
fn matched<'a>(all: &'a [Shipped], results: &'a Results) -> Vec<Answer<'a>> {
    let whole = results.is_api_error && results.records.is_empty();
    let named: HashMap<&str, &RecordResult> =
        results.records.iter().filter_map(|result| Some((result.partner_id.as_deref()?, result))).collect();
    let in_order = results.records.len() == all.len();
    let answers = all.iter().enumerate().map(|(place, shipped)| {
        let by_name = shipped.crm_id.as_deref().and_then(|id| named.get(id).copied());
        let result =
            by_name.or_else(|| results.records.get(place).filter(|result| in_order && result.partner_id.is_none()));
        let Some(result) = result else {
            let said = if whole {
                results.api_errors.iter().map(|text| said("FILE_REFUSED", text)).collect()
            } else {
                vec![said("NOT_ANSWERED", "AWS's answer to the file does not mention the record")]
            };
            let remedy = if whole { Remedy::Edit } else { Remedy::Retry };
            return Answer { shipped, ace_id: None, remedy, in_company: whole && all.len() > 1, said };
        };
        let remedy = result.remedy().unwrap_or(Remedy::Nothing);
        let errors = result.errors.iter().map(|text| said(remedy.code(), text));
        let warnings = result.warnings.iter().map(|text| said("WARNING", text));
        let said = errors.chain(warnings).collect();
        Answer { shipped, ace_id: result.aws_id.as_deref(), remedy, in_company: false, said }
    });
    answers.collect()
}
