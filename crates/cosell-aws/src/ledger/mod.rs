mod log;

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client,
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{AttributeValue, CancellationReason, Delete, Put, TransactWriteItem},
};
use cosell_model::{Catalog, InvitationId, Kind};
use cosell_sync::{
    Link, LinkKey, Stage,
    files::Manifest,
    log::{Entry, OpenRecord, Query},
    ports::{FileState, Ledger, PortError, PortResult, Rejection},
};
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;

use crate::errors::{setup_error, unavailable};

type Item = HashMap<String, AttributeValue>;

/// How long a file's fate is remembered after it was last written.
const FILE_RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);
/// The partition of open invitations.
const OPEN: &str = "open#invitation";
/// The partition of files that AWS has not answered.
const UNANSWERED: &str = "manifest#open";
/// When an item may go.
pub(crate) const EXPIRES_AT: &str = "expires_at";

/// cosell's memory in one DynamoDB table, keyed by `pk` and `sk`, with `expires_at` as its time to live:
///
/// | `pk`, after the catalog | `sk` | what |
/// |---|---|---|
/// | `{key}` | `link` | a link (`doc`, `version`), or a pointer `to` the key that it was first stored under |
/// | `waiting#{kind}` | link | a link whose shipment waits for the next file (`doc`: its key) |
/// | `manifest#open` | file | the manifest of a file that AWS has not answered |
/// | `manifest#{file}` | `manifest` | the manifest of a file that AWS has answered |
/// | `open#invitation` | invitation | an invitation that waits for its answer or its opportunity |
/// | `quota` | class | what is used of Partner Central's quotas, by [`Quotas`](crate::Quotas) |
/// | `cursor#{name}` | `cursor` | a cursor |
/// | `file#{key}` | version | what became of a file |
/// | `log#{day}#{direction}#{status}` | entry | the sync log |
/// | `log#record#{id}` | entry | the same, of an identifier or a file |
/// | `log#run#{run}` | entry | the same, of a run |
/// | `log#payload#{entry}` | `payload` | the record that an entry is about |
/// | `log#open` | direction and identifier | a record of which something is left to do |
/// | `log#runs#{day}` | start and run | what a run did: its counters |
/// | `log#days` | day | what was done on a day: its counters |
#[derive(Debug, Clone)]
pub struct DynamoLedger {
    client: Client,
    table: String,
    catalog: Catalog,
    log_retention: SignedDuration,
}

fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn n(number: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(format!("{number}"))
}

fn text<'i>(item: &'i Item, attribute: &str) -> Option<&'i str> {
    item.get(attribute).and_then(|value| value.as_s().ok()).map(String::as_str)
}

fn doc<T: DeserializeOwned>(item: &Item) -> Option<T> {
    serde_json::from_str(text(item, "doc")?).ok()
}

/// What the table holds is not what this version writes.
fn unreadable(what: &str) -> PortError {
    unavailable(what, "the stored item is not readable")
}

fn link_item(pk: &str, link: &Link, now: Timestamp) -> serde_json::Result<Item> {
    Ok(HashMap::from([
        ("pk".to_owned(), s(pk)),
        ("sk".to_owned(), s("link")),
        ("version".to_owned(), n(link.version)),
        ("doc".to_owned(), s(serde_json::to_string(link)?)),
        ("updated_at".to_owned(), s(now.to_string())),
    ]))
}

fn read_link(item: &Item) -> Option<Link> {
    let mut link: Link = serde_json::from_str(text(item, "doc")?).ok()?;
    link.version = item.get("version")?.as_n().ok()?.parse().ok()?;
    Some(link)
}

/// What AWS says about each item of a transaction that it cancelled.
fn cancelled(what: &str, reasons: &[CancellationReason]) -> Option<PortError> {
    let what = what.to_owned();
    let codes: Vec<&str> = reasons.iter().filter_map(CancellationReason::code).filter(|code| *code != "None").collect();
    let any = |wanted: &[&str]| codes.iter().any(|code| wanted.contains(code));
    if any(&["ConditionalCheckFailed", "TransactionConflict"]) {
        Some(PortError::Conflict { what })
    } else if any(&["ThrottlingError", "ProvisionedThroughputExceeded"]) {
        Some(PortError::Throttled { what, retry_after: None })
    } else if codes.is_empty() {
        None
    } else {
        let problem = |code: &str| Rejection { field: None, code: code.to_owned(), message: String::new() };
        Some(PortError::Rejected { what, problems: codes.into_iter().map(problem).collect() })
    }
}

impl DynamoLedger {
    pub(crate) fn new(client: Client, table: String, catalog: Catalog, log_retention_days: u16) -> Self {
        let log_retention = SignedDuration::from_hours(24 * i64::from(log_retention_days));
        Self { client, table, catalog, log_retention }
    }

    fn pk(&self, rest: impl std::fmt::Display) -> String {
        format!("{}#{rest}", self.catalog)
    }

    async fn get(&self, what: &str, pk: &str, sk: &str) -> PortResult<Option<Item>> {
        let get = self.client.get_item().table_name(&self.table).key("pk", s(pk)).key("sk", s(sk));
        let answer = get.consistent_read(true).send().await.map_err(|error| setup_error(what, &error))?;
        Ok(answer.item)
    }

    async fn put(&self, what: &str, item: Item) -> PortResult<()> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map(drop).map_err(|error| setup_error(what, &error))
    }

    fn link_put(&self, what: &str, pk: &str, link: &Link, read_version: u64) -> PortResult<TransactWriteItem> {
        let item = link_item(pk, link, Timestamp::now()).map_err(|_| unreadable(what))?;
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = if read_version == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("version = :read").expression_attribute_values(":read", n(read_version))
        };
        transact(what, put)
    }

    fn pointer_put(&self, what: &str, key: &LinkKey, to: &str) -> PortResult<TransactWriteItem> {
        let put = Put::builder()
            .table_name(&self.table)
            .item("pk", s(self.pk(key)))
            .item("sk", s("link"))
            .item("to", s(to))
            .condition_expression("attribute_not_exists(pk) OR #to = :to")
            .expression_attribute_names("#to", "to")
            .expression_attribute_values(":to", s(to));
        transact(what, put)
    }

    fn delete(&self, what: &str, pk: AttributeValue, sk: AttributeValue) -> PortResult<TransactWriteItem> {
        let delete = Delete::builder().table_name(&self.table).key("pk", pk).key("sk", sk);
        let delete = delete.build().map_err(|_| unreadable(what))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// Keeps the list of what waits for the next file in step with its links.
    fn waiting_write(&self, what: &str, link: &Link) -> PortResult<Option<TransactWriteItem>> {
        let Some(shipment) = &link.shipment else { return Ok(None) };
        let (pk, sk) = (s(self.pk(format!("waiting#{}", link.kind().as_str()))), s(link.born_as.to_string()));
        if shipment.stage != Stage::Waiting {
            return self.delete(what, pk, sk).map(Some);
        }
        let doc = serde_json::to_string(&link.born_as).map_err(|_| unreadable(what))?;
        let put = Put::builder().table_name(&self.table).item("pk", pk).item("sk", sk).item("doc", s(doc));
        transact(what, put).map(Some)
    }

    fn manifest_item(&self, what: &str, manifest: &Manifest) -> PortResult<Item> {
        let doc = s(serde_json::to_string(manifest).map_err(|_| unreadable(what))?);
        let mut item = HashMap::from([("doc".to_owned(), doc)]);
        let (pk, sk) = match manifest.answered_at {
            None => (UNANSWERED.to_owned(), manifest.key.as_str()),
            Some(answered) => {
                item.insert(EXPIRES_AT.to_owned(), n((answered + FILE_RETENTION).as_second()));
                (format!("manifest#{}", manifest.key), "manifest")
            }
        };
        item.extend([("pk".to_owned(), s(self.pk(pk))), ("sk".to_owned(), s(sk))]);
        Ok(item)
    }

    async fn transaction(&self, what: &str, writes: Vec<TransactWriteItem>) -> PortResult<()> {
        let sent = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        sent.map(drop).map_err(|error| match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancellation)) => {
                cancelled(what, cancellation.cancellation_reasons()).unwrap_or_else(|| setup_error(what, &error))
            }
            _ => setup_error(what, &error),
        })
    }

    /// Everything of a partition.
    async fn partition(&self, what: &str, pk: String) -> PortResult<Vec<Item>> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(pk))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.map_err(|error| setup_error(what, &error))?);
        }
        Ok(items)
    }

    /// Keeps the list of open invitations in step with their links.
    fn open_write(&self, what: &str, link: &Link) -> PortResult<Option<TransactWriteItem>> {
        let Some(invitation) = link.invitation() else { return Ok(None) };
        let (pk, sk) = (s(self.pk(OPEN)), s(invitation.as_str()));
        if link.open_invitation().is_some() {
            return transact(what, Put::builder().table_name(&self.table).item("pk", pk).item("sk", sk)).map(Some);
        }
        self.delete(what, pk, sk).map(Some)
    }
}

fn transact(what: &str, put: aws_sdk_dynamodb::types::builders::PutBuilder) -> PortResult<TransactWriteItem> {
    let put = put.build().map_err(|_| unreadable(what))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

impl DynamoLedger {
    /// When a cursor was last moved.
    pub async fn cursor_moved(&self, name: &str) -> PortResult<Option<Timestamp>> {
        let what = format!("reading cursor {name}");
        let item = self.get(&what, &self.pk(format!("cursor#{name}")), "cursor").await?;
        Ok(item.and_then(|item| text(&item, "updated_at")?.parse().ok()))
    }
}

#[async_trait]
impl Ledger for DynamoLedger {
    async fn link(&self, key: &LinkKey) -> PortResult<Option<Link>> {
        let what = format!("reading link {key}");
        let Some(mut item) = self.get(&what, &self.pk(key), "link").await? else { return Ok(None) };
        if let Some(to) = text(&item, "to").map(str::to_owned) {
            // Links and pointers are stored together and never removed, so a pointer to nothing is damage.
            item = self.get(&what, &to, "link").await?.ok_or_else(|| unreadable(&what))?;
        }
        read_link(&item).map(Some).ok_or_else(|| unreadable(&what))
    }

    async fn save(&self, link: &mut Link) -> PortResult<()> {
        let what = format!("storing link {}", link.born_as);
        let born_as = self.pk(&link.born_as);
        let next = Link { version: link.version + 1, ..link.clone() };

        let mut writes = vec![self.link_put(&what, &born_as, &next, link.version)?];
        let mut seen = BTreeSet::from([born_as.clone()]);
        for key in &link.keys {
            if seen.insert(self.pk(key)) {
                writes.push(self.pointer_put(&what, key, &born_as)?);
            }
        }
        writes.extend(self.open_write(&what, link)?);
        writes.extend(self.waiting_write(&what, link)?);
        self.transaction(&what, writes).await?;
        *link = next;
        Ok(())
    }

    async fn open_invitations(&self) -> PortResult<Vec<InvitationId>> {
        let what = "reading the open invitations";
        let open = self.partition(what, self.pk(OPEN)).await?;
        let id = |item: &Item| text(item, "sk").and_then(|id| id.parse().ok());
        open.iter().map(|item| id(item).ok_or_else(|| unreadable(what))).collect()
    }

    async fn waiting(&self, kind: Kind) -> PortResult<Vec<LinkKey>> {
        let what = "reading what waits for the next file";
        let waiting = self.partition(what, self.pk(format!("waiting#{}", kind.as_str()))).await?;
        waiting.iter().map(|item| doc(item).ok_or_else(|| unreadable(what))).collect()
    }

    async fn ship(&self, links: &mut [Link], manifest: &Manifest) -> PortResult<()> {
        let what = format!("storing the manifest of {}", manifest.key);
        let item = self.manifest_item(&what, manifest)?;
        let new = Put::builder().table_name(&self.table).set_item(Some(item));
        let mut writes = vec![transact(&what, new.condition_expression("attribute_not_exists(pk)"))?];
        for link in links.iter() {
            let next = Link { version: link.version + 1, ..link.clone() };
            writes.push(self.link_put(&what, &self.pk(&link.born_as), &next, link.version)?);
            writes.extend(self.waiting_write(&what, link)?);
        }
        self.transaction(&what, writes).await?;
        for link in links {
            link.version += 1;
        }
        Ok(())
    }

    async fn manifest(&self, key: &str) -> PortResult<Option<Manifest>> {
        let what = format!("reading the manifest of {key}");
        let mut item = self.get(&what, &self.pk(UNANSWERED), key).await?;
        if item.is_none() {
            item = self.get(&what, &self.pk(format!("manifest#{key}")), "manifest").await?;
        }
        item.map(|item| doc(&item).ok_or_else(|| unreadable(&what))).transpose()
    }

    async fn open_manifests(&self) -> PortResult<Vec<Manifest>> {
        let what = "reading the files that AWS has not answered";
        let open = self.partition(what, self.pk(UNANSWERED)).await?;
        open.iter().map(|item| doc(item).ok_or_else(|| unreadable(what))).collect()
    }

    async fn set_manifest(&self, manifest: &Manifest) -> PortResult<()> {
        let what = format!("storing the manifest of {}", manifest.key);
        let item = self.manifest_item(&what, manifest)?;
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let mut writes = Vec::new();
        if manifest.answered_at.is_some() {
            writes.push(self.delete(&what, s(self.pk(UNANSWERED)), s(&manifest.key))?);
            writes.push(transact(&what, put)?);
        } else {
            writes.push(transact(&what, put.condition_expression("attribute_exists(pk)"))?);
        }
        match self.transaction(&what, writes).await {
            // Answered meanwhile: that is what counts.
            Err(PortError::Conflict { .. }) => Ok(()),
            other => other,
        }
    }

    async fn cursor(&self, name: &str) -> PortResult<Option<String>> {
        let what = format!("reading cursor {name}");
        let Some(item) = self.get(&what, &self.pk(format!("cursor#{name}")), "cursor").await? else {
            return Ok(None);
        };
        text(&item, "value").map(|value| Some(value.to_owned())).ok_or_else(|| unreadable(&what))
    }

    async fn set_cursor(&self, name: &str, value: &str) -> PortResult<()> {
        let item = HashMap::from([
            ("pk".to_owned(), s(self.pk(format!("cursor#{name}")))),
            ("sk".to_owned(), s("cursor")),
            ("value".to_owned(), s(value)),
            ("updated_at".to_owned(), s(Timestamp::now().to_string())),
        ]);
        self.put(&format!("moving cursor {name}"), item).await
    }

    async fn file(&self, key: &str, version: &str) -> PortResult<Option<FileState>> {
        let what = format!("reading the state of file {key}");
        let Some(item) = self.get(&what, &self.pk(format!("file#{key}")), version).await? else {
            return Ok(None);
        };
        doc(&item).map(Some).ok_or_else(|| unreadable(&what))
    }

    async fn set_file(&self, key: &str, version: &str, state: FileState) -> PortResult<()> {
        let what = format!("storing the state of file {key}");
        let now = Timestamp::now();
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("pk", s(self.pk(format!("file#{key}"))))
            .item("sk", s(version))
            .item("doc", s(serde_json::to_string(&state).map_err(|_| unreadable(&what))?))
            .item("updated_at", s(now.to_string()))
            .item(EXPIRES_AT, n((now + FILE_RETENTION).as_second()));
        // It may be settled before its copy is remembered.
        let first = state == FileState::Landed;
        let put = if first { put.condition_expression("attribute_not_exists(pk)") } else { put };
        match put.send().await {
            Err(error) if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) => {
                Ok(())
            }
            other => other.map(drop).map_err(|error| setup_error(&what, &error)),
        }
    }

    async fn log(&self, entries: &[Entry]) -> PortResult<()> {
        self.write_log(entries).await
    }

    async fn read_log(&self, query: &Query<'_>, limit: usize) -> PortResult<Vec<Entry>> {
        self.query_log(query, limit).await
    }

    async fn open_records(&self) -> PortResult<Vec<OpenRecord>> {
        self.open_in_log().await
    }

    async fn tried_again(&self, record: &OpenRecord, at: Timestamp) -> PortResult<()> {
        self.note_retry(record, at).await
    }
}

#[cfg(test)]
mod tests {
    use cosell_sync::{CrmRef, Share};
    use serde_json::json;

    use super::*;

    fn link() -> Link {
        let mut link = Link::new(LinkKey::Invitation("engi-0123456789abc".parse().unwrap()));
        link.also(LinkKey::Opportunity("O1234567".parse().unwrap()));
        link.also(LinkKey::Crm(CrmRef { object: "Opportunity".into(), id: "006A".into() }));
        link.version = 4;
        link.last_modified = Some("2026-03-09T01:50:25.120Z".into());
        link.base.insert("amount".into(), json!("10.50"));
        link.share = Some(Share {
            body: json!({"Project": {"Title": "Lake", "Number": 1.10}}),
            submit_token: "t".into(),
            involvement: "Co-Sell".into(),
            visibility: "Full".into(),
            associated: vec![("Solutions".into(), "S-1".into())],
            submitted: true,
        });
        link
    }

    #[test]
    fn a_link_is_read_as_it_was_stored() {
        let item = link_item("AWS#x", &link(), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(read_link(&item), Some(link()));
        assert_eq!(item["version"], n(4));
    }

    #[test]
    fn the_attribute_says_the_version() {
        let mut item = link_item("AWS#x", &link(), Timestamp::UNIX_EPOCH).unwrap();
        item.insert("version".to_owned(), n(7));
        assert_eq!(read_link(&item).map(|link| link.version), Some(7));
        item.remove("version");
        assert_eq!(read_link(&item), None);
    }

    #[test]
    fn a_cancelled_transaction_says_why() {
        let outcome = |codes: &[&str]| {
            let reasons: Vec<_> = codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
            cancelled("storing", &reasons).map(|error| error.code())
        };
        assert_eq!(outcome(&["None", "ConditionalCheckFailed"]), Some("conflict"));
        assert_eq!(outcome(&["TransactionConflict", "None"]), Some("conflict"));
        assert_eq!(outcome(&["None", "ThrottlingError"]), Some("throttled"));
        assert_eq!(outcome(&["ValidationError"]), Some("rejected"));
        assert_eq!(outcome(&["None"]), None);
    }
}
