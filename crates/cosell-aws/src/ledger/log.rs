//! The sync log in the ledger's table. Every question that people ask has a key of its own, and what is counted is counted
//! while it is written: no answer costs more than what it shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{DeleteRequest, KeysAndAttributes, PutRequest, WriteRequest},
};
use cosell_sync::{
    log::{Direction, Entry, Of, OpenRecord, Payload, Query, RunSummary, Status, Tally, day_of, first_name},
    ports::{PortError, PortResult, SyncLog},
    run::{self, Run},
};
use futures::{StreamExt, TryStreamExt, future::try_join_all, stream};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use uuid::Uuid;

use super::{DynamoLedger, EXPIRES_AT, Item, doc, n, s, text, unreadable};
use crate::errors::setup_error;

/// What `BatchWriteItem` takes at once.
const BATCH: usize = 25;
/// How often items that `BatchWriteItem` handed back are offered again, each time after twice the pause.
const BATCH_TRIES: u32 = 6;
const BATCH_PAUSE: Duration = Duration::from_millis(50);
/// An item takes 400 KB: a larger record is logged without its payload.
const LONGEST_PAYLOAD: usize = 300 * 1024;
/// Days that are looked through at the same time.
const DAYS_AT_ONCE: usize = 4;
/// Counters of days.
const DAYS: &str = "log#days";
/// Records of which something is left to do.
const OPEN: &str = "log#open";

fn part(day: Date, direction: Direction, status: Status) -> String {
    format!("log#{day}#{}#{}", direction.code(), status.code())
}

/// Where an entry is found: by its day, direction and status, by everything that it is about, and by its run.
fn partitions(entry: &Entry) -> BTreeSet<String> {
    let about = entry.names().map(|name| format!("log#record#{name}"));
    let run = entry.run.iter().map(|run| format!("log#run#{run}"));
    about.chain(run).chain([part(entry.day(), entry.direction, entry.status)]).collect()
}

fn open_sk(direction: Direction, name: &str) -> String {
    format!("{}#{name}", direction.code())
}

/// Where it stands that something is left to do: by AWS's identifier, or the CRM's of what AWS does not have yet.
fn open_key(entry: &Entry) -> Option<String> {
    let name = entry.ace_id.as_deref().or(entry.crm_id.as_deref())?;
    Some(open_sk(entry.direction, name))
}

fn open_record(item: &Item) -> Option<OpenRecord> {
    let (way, name) = text(item, "sk")?.split_once('#')?;
    Some(OpenRecord {
        direction: Direction::ALL.into_iter().find(|direction| direction.code() == way)?,
        name: name.to_owned(),
        what: serde_json::from_str(text(item, "what")?).ok()?,
        since: text(item, "since")?.parse().ok()?,
        entry: text(item, "entry")?.parse().ok()?,
        retries: item.get("retries")?.as_n().ok()?.parse().ok()?,
        last_at: text(item, "last_at")?.parse().ok()?,
    })
}

fn date(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

impl DynamoLedger {
    pub(super) async fn write_log(&self, entries: &[Entry]) -> PortResult<()> {
        let what = "writing the sync log";
        let mut requests = Vec::new();
        let mut days: BTreeMap<Date, Tally> = BTreeMap::new();
        for entry in entries {
            let expires = n((entry.at + self.log_retention).as_second());
            let sk = entry.id.simple().to_string();
            let json = serde_json::to_string(entry).map_err(|_| unreadable(what))?;
            let mut items: Vec<(String, &str, String)> =
                partitions(entry).into_iter().map(|pk| (pk, sk.as_str(), json.clone())).collect();
            if let Some(payload) = &entry.payload {
                let json = serde_json::to_string(payload).map_err(|_| unreadable(what))?;
                if json.len() <= LONGEST_PAYLOAD {
                    items.push((format!("log#payload#{sk}"), "payload", json));
                }
            }
            for (pk, sk, doc) in items {
                let put = PutRequest::builder().item("pk", s(self.pk(pk))).item("sk", s(sk)).item("doc", s(doc));
                let put = put.item(EXPIRES_AT, expires.clone()).build().map_err(|_| unreadable(what))?;
                requests.push(WriteRequest::builder().put_request(put).build());
            }
            if entry.is_settled() || entry.open.is_some() {
                let key = open_key(entry);
                let names: BTreeSet<_> = [&entry.ace_id, &entry.crm_id].into_iter().flatten().collect();
                let gone = names.into_iter().map(|name| open_sk(entry.direction, name));
                for sk in gone.filter(|sk| entry.open.is_none() || key.as_ref() != Some(sk)) {
                    let delete = DeleteRequest::builder().key("pk", s(self.pk(OPEN))).key("sk", s(sk));
                    let delete = delete.build().map_err(|_| unreadable(what))?;
                    requests.push(WriteRequest::builder().delete_request(delete).build());
                }
            }
            *days.entry(entry.day()).or_default() += entry.tally();
        }
        let batches = try_join_all(requests.chunks(BATCH).map(|batch| self.write_batch(what, batch.to_vec())));
        let counts =
            try_join_all(days.into_iter().map(|(day, tally)| async move { self.count(what, day, tally).await }));
        let opens = try_join_all(entries.iter().map(|entry| self.leave_open(what, entry)));
        futures::try_join!(batches, counts, opens)?;
        entries.iter().for_each(Entry::measure);
        Ok(())
    }

    /// Notes what an entry leaves to do. Since when it is so is kept as long as it is the same.
    async fn leave_open(&self, what: &str, entry: &Entry) -> PortResult<()> {
        let (Some(open), Some(sk)) = (entry.open, open_key(entry)) else { return Ok(()) };
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(self.pk(OPEN)))
            .key("sk", s(sk))
            .update_expression(
                "SET what = :what, entry = :entry, last_at = :at, since = if_not_exists(since, :at), #e = :e \
                 ADD retries :none",
            )
            .expression_attribute_names("#e", EXPIRES_AT)
            .expression_attribute_values(":what", s(serde_json::to_string(&open).map_err(|_| unreadable(what))?))
            .expression_attribute_values(":entry", s(entry.id.simple().to_string()))
            .expression_attribute_values(":at", s(entry.at.to_string()))
            .expression_attribute_values(":e", n((entry.at + self.log_retention).as_second()))
            .expression_attribute_values(":none", n(0));
        update.send().await.map(drop).map_err(|error| setup_error(what, &error))
    }

    pub(super) async fn open_in_log(&self) -> PortResult<Vec<OpenRecord>> {
        let what = "reading what the sync log has open";
        let items = self.partition(what, self.pk(OPEN)).await?;
        items.iter().map(|item| open_record(item).ok_or_else(|| unreadable(what))).collect()
    }

    pub(super) async fn note_retry(&self, record: &OpenRecord, at: Timestamp) -> PortResult<()> {
        let what = format!("noting that {} is tried again", record.name);
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(self.pk(OPEN)))
            .key("sk", s(open_sk(record.direction, &record.name)))
            .update_expression("SET last_at = :at ADD retries :one")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":at", s(at.to_string()))
            .expression_attribute_values(":one", n(1));
        match update.send().await {
            // It went meanwhile.
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            other => other.map(drop).map_err(|error| setup_error(&what, &error)),
        }
    }

    /// Adds to the counters of a day, and to those of the run that is under way.
    async fn count(&self, what: &str, day: Date, tally: Tally) -> PortResult<()> {
        let now = Timestamp::now();
        let run = async {
            let Some(Run { id, by, started_at }) = run::current() else { return Ok(()) };
            let pk = format!("log#runs#{}", date(started_at));
            let facts = [("run", id.clone()), ("by", by), ("last_at", now.to_string())];
            self.add(what, pk, format!("{started_at:.9}#{id}"), &facts, &tally).await
        };
        futures::try_join!(self.add(what, DAYS.to_owned(), day.to_string(), &[], &tally), run)?;
        Ok(())
    }

    async fn add(&self, what: &str, pk: String, sk: String, facts: &[(&str, String)], tally: &Tally) -> PortResult<()> {
        let mut update = self.client.update_item().table_name(&self.table).key("pk", s(self.pk(pk))).key("sk", s(sk));
        let expires = (Timestamp::now() + self.log_retention).as_second();
        update = update.expression_attribute_names("#e", EXPIRES_AT).expression_attribute_values(":e", n(expires));
        let mut set = vec!["#e = :e".to_owned()];
        for (number, (name, value)) in facts.iter().enumerate() {
            set.push(format!("#f{number} = :f{number}"));
            update = update.expression_attribute_names(format!("#f{number}"), *name);
            update = update.expression_attribute_values(format!(":f{number}"), s(value));
        }
        let mut add = Vec::new();
        for (number, (name, count)) in tally.counters().enumerate() {
            add.push(format!("#c{number} :c{number}"));
            update = update.expression_attribute_names(format!("#c{number}"), name);
            update = update.expression_attribute_values(format!(":c{number}"), n(count));
        }
        let (set, add) = (set.join(", "), add.join(", "));
        let expression = if add.is_empty() { format!("SET {set}") } else { format!("SET {set} ADD {add}") };
        update.update_expression(expression).send().await.map(drop).map_err(|error| setup_error(what, &error))
    }

    async fn write_batch(&self, what: &str, mut requests: Vec<WriteRequest>) -> PortResult<()> {
        for attempt in 0..BATCH_TRIES {
            if attempt > 0 {
                tokio::time::sleep(BATCH_PAUSE * 2u32.pow(attempt)).await;
            }
            let batch = self.client.batch_write_item().request_items(&self.table, requests);
            let answer = batch.send().await.map_err(|error| setup_error(what, &error))?;
            requests = answer.unprocessed_items.unwrap_or_default().remove(&self.table).unwrap_or_default();
            if requests.is_empty() {
                return Ok(());
            }
        }
        Err(PortError::Throttled { what: what.to_owned(), retry_after: None })
    }

    pub(super) async fn query_log(&self, query: &Query<'_>, limit: usize) -> PortResult<Vec<Entry>> {
        match query.of {
            Of::Record(id) => self.part_of_log(format!("log#record#{id}"), query, limit).await,
            Of::Run(id) => self.part_of_log(format!("log#run#{id}"), query, limit).await,
            Of::Any => {
                let days = stream::iter(query.days()).map(|day| self.day_of_log(day, query, limit));
                let mut days = days.buffered(DAYS_AT_ONCE);
                let mut entries = Vec::new();
                while let Some(day) = days.try_next().await? {
                    entries.extend(day);
                    if entries.len() >= limit {
                        break;
                    }
                }
                entries.truncate(limit);
                Ok(entries)
            }
        }
    }

    /// The entries of a day, from each of its parts that a query asks for, newest first.
    async fn day_of_log(&self, day: Date, query: &Query<'_>, limit: usize) -> PortResult<Vec<Entry>> {
        let parts = query.directions().flat_map(|way| query.statuses().map(move |status| part(day, way, status)));
        let parts = try_join_all(parts.map(|part| self.part_of_log(part, query, limit))).await?;
        let mut entries: Vec<Entry> = parts.into_iter().flatten().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.id));
        entries.truncate(limit);
        Ok(entries)
    }

    /// The entries of one partition that a query asks for, newest first.
    async fn part_of_log(&self, part: String, query: &Query<'_>, limit: usize) -> PortResult<Vec<Entry>> {
        let what = "reading the sync log";
        let mut entries = Vec::new();
        let mut unread = 0_usize;
        let mut from = None;
        while entries.len() < limit {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk AND sk BETWEEN :since AND :until")
                .expression_attribute_values(":pk", s(self.pk(&part)))
                .expression_attribute_values(":since", s(first_name(query.since).simple().to_string()))
                .expression_attribute_values(":until", s(first_name(query.until).simple().to_string()))
                .scan_index_forward(false)
                .limit(i32::try_from(limit - entries.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(from.take())
                .send()
                .await
                .map_err(|error| setup_error(what, &error))?;
            for item in page.items() {
                match doc::<Entry>(item) {
                    Some(entry) => entries.extend(Some(entry).filter(|entry| query.fits(entry))),
                    None => unread += 1,
                }
            }
            from = page.last_evaluated_key.filter(|key| !key.is_empty());
            if from.is_none() {
                break;
            }
        }
        if unread > 0 {
            tracing::warn!(unread, "the sync log has lines that this version cannot read");
        }
        Ok(entries)
    }
}

#[async_trait]
impl SyncLog for DynamoLedger {
    async fn entry(&self, id: Uuid) -> PortResult<Option<Entry>> {
        let what = format!("reading entry {id} of the sync log");
        let (day, name) = (day_of(id), id.simple().to_string());
        let ways = Direction::ALL.into_iter();
        let parts = ways.flat_map(|way| Status::ALL.map(|status| (part(day, way, status), name.clone())));
        let keys = parts.chain([(format!("log#payload#{name}"), "payload".to_owned())]);
        let keys = keys.map(|(pk, sk)| Item::from([("pk".to_owned(), s(self.pk(pk))), ("sk".to_owned(), s(sk))]));
        let keys =
            KeysAndAttributes::builder().set_keys(Some(keys.collect())).build().map_err(|_| unreadable(&what))?;
        let get = self.client.batch_get_item().request_items(&self.table, keys);
        let answer = get.send().await.map_err(|error| setup_error(&what, &error))?;
        let items = answer.responses.unwrap_or_default().remove(&self.table).unwrap_or_default();
        let (payloads, entries): (Vec<_>, Vec<_>) = items.iter().partition(|item| text(item, "sk") == Some("payload"));
        let Some(item) = entries.first() else { return Ok(None) };
        let mut entry: Entry = doc(item).ok_or_else(|| unreadable(&what))?;
        let payload = payloads.first().map(|item| doc::<Payload>(item).ok_or_else(|| unreadable(&what)));
        entry.payload = payload.transpose()?;
        Ok(Some(entry))
    }

    async fn runs(&self, since: Timestamp, until: Timestamp, limit: usize) -> PortResult<Vec<RunSummary>> {
        let what = "reading the runs of the sync log";
        let mut runs = Vec::new();
        let query = Query { since, until, ..Query::of(Of::Any) };
        for day in query.days() {
            let items = self.client.query().table_name(&self.table);
            let items = items
                .key_condition_expression("pk = :pk AND sk BETWEEN :since AND :until")
                .expression_attribute_values(":pk", s(self.pk(format!("log#runs#{day}"))))
                .expression_attribute_values(":since", s(format!("{since:.9}")))
                .expression_attribute_values(":until", s(format!("{until:.9}")))
                .scan_index_forward(false)
                .limit(i32::try_from(limit - runs.len()).unwrap_or(i32::MAX))
                .send()
                .await
                .map_err(|error| setup_error(what, &error))?;
            runs.extend(items.items().iter().filter_map(run_summary));
            if runs.len() >= limit {
                break;
            }
        }
        Ok(runs)
    }

    async fn tallies(&self, first: Date, last: Date) -> PortResult<BTreeMap<Date, Tally>> {
        let what = "reading the counters of the sync log";
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", s(self.pk(DAYS)))
            .expression_attribute_values(":first", s(first.to_string()))
            .expression_attribute_values(":last", s(last.to_string()))
            .into_paginator()
            .items()
            .send();
        let mut days = BTreeMap::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| setup_error(what, &error))?;
            let day = text(&item, "sk").and_then(|day| day.parse().ok()).ok_or_else(|| unreadable(what))?;
            days.insert(day, tally(&item));
        }
        Ok(days)
    }
}

fn tally(item: &Item) -> Tally {
    let mut tally = Tally::default();
    for (name, value) in item {
        if let Some(count) = value.as_n().ok().and_then(|count| count.parse().ok()) {
            tally.count(name, count);
        }
    }
    tally
}

fn run_summary(item: &Item) -> Option<RunSummary> {
    let (started_at, id) = text(item, "sk")?.split_once('#')?;
    let run = Run { id: id.to_owned(), by: text(item, "by")?.to_owned(), started_at: started_at.parse().ok()? };
    Some(RunSummary { run, last_at: text(item, "last_at")?.parse().ok()?, tally: tally(item) })
}

#[cfg(test)]
mod tests {
    use cosell_sync::log::Purpose;

    use super::*;

    #[test]
    fn an_entry_is_found_by_day_and_end_and_by_everything_it_is_about() {
        let at = "2026-03-09T23:59:59.5Z".parse().unwrap();
        let mut entry = Entry::new(at, Direction::FromAws, Purpose::Event, Status::Processed, "did".into());
        assert_eq!(partitions(&entry), BTreeSet::from(["log#2026-03-09#from_aws#processed".to_owned()]));
        entry.ace_id = Some("O1".into());
        entry.crm_id = Some("O1".into());
        entry.file = Some("a/b.json".into());
        entry.run = Some("r".into());
        let expected = ["log#2026-03-09#from_aws#processed", "log#record#O1", "log#record#a/b.json", "log#run#r"];
        assert_eq!(partitions(&entry), BTreeSet::from(expected.map(str::to_owned)));
    }
}
