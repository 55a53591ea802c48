//! Reads of one record each, by its key: those of one moment are one query.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use cosell_sync::ports::{CrmRecord, PortResult};
use futures::{
    FutureExt,
    future::{self, BoxFuture},
};
use url::form_urlencoded;

use super::{
    client::{Client, Failure},
    errors::{Call, Unreadable},
    group::{self, Group, cut},
    soql::{self, InvalidName, Select},
    values::{self, Row},
};

/// So many keys fit into one statement, unless they are long.
const FULL: usize = 200;
/// The most bytes of an encoded statement with several keys. Salesforce takes 16,384 for the address and the headers
/// together, and a token can be long.
const LONGEST_STATEMENT: usize = 10_000;

/// What is read, and by which field: keys of the same travel together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    pub(super) object: String,
    pub(super) field: String,
    pub(super) fields: Vec<String>,
}

impl Wanted {
    /// The statement that finds one record.
    pub(super) fn one(&self, value: &str) -> Result<String, InvalidName> {
        Select::new(&self.object, &self.fields)?.one(&self.field, value)
    }

    /// The statement that finds several records, and tells by which key.
    fn several<'v>(&self, values: impl IntoIterator<Item = &'v str>) -> Result<String, InvalidName> {
        let fields: Vec<_> = self.fields.iter().chain([&self.field]).cloned().collect();
        Select::new(&self.object, &fields)?.several(&self.field, values)
    }

    pub(super) fn is_by_id(&self) -> bool {
        self.field.eq_ignore_ascii_case("Id")
    }

    /// What all keys of one record have in common.
    fn normal(&self, value: &str) -> String {
        if self.is_by_id() { values::normal_id(value) } else { values::normal_text(value) }
    }
}

/// Which record somebody asks for.
pub(super) struct Key {
    call: Call,
    value: String,
    normal: String,
    /// What it adds to an encoded statement.
    length: usize,
}

impl Key {
    pub(super) fn new(wanted: &Wanted, value: &str, call: Call) -> Self {
        let length = encoded(&soql::literal(value)) + encoded(", ");
        Self { call, value: value.to_owned(), normal: wanted.normal(value), length }
    }
}

type Found = PortResult<Option<CrmRecord>>;
type Asked = group::Asked<Key, Found>;

/// The reads of a moment.
pub(super) type Fetches = Group<Wanted, Key, Found>;

pub(super) fn fetches(client: &Arc<Client>) -> Fetches {
    let client = Arc::clone(client);
    Group::new(FULL, move |wanted, asked| {
        let client = Arc::clone(&client);
        async move {
            let requests = requests(&wanted, asked).into_iter().map(|asked| answer(&client, &wanted, asked));
            future::join_all(requests).await;
        }
        .boxed()
    })
}

/// Texts that differ in case alone may be one record's key or two, as the field is set up: they never share a request,
/// so that Salesforce decides. Neither does an empty text share one: every record without a value has it.
fn requests(wanted: &Wanted, asked: Vec<Asked>) -> Vec<Vec<Asked>> {
    let head = wanted.several([]).map_or(0, |statement| encoded(&statement));
    cut(asked, |list, one| match list.iter().find(|other| other.ask.normal == one.ask.normal) {
        Some(other) => wanted.is_by_id() || other.ask.value == one.ask.value,
        None if one.ask.normal.is_empty() || list[0].ask.normal.is_empty() => false,
        None => head + one.ask.length + list.iter().map(|other| other.ask.length).sum::<usize>() <= LONGEST_STATEMENT,
    })
}

fn encoded(statement: &str) -> usize {
    form_urlencoded::byte_serialize(statement.as_bytes()).map(str::len).sum()
}

/// Answers everybody with one request, and by themselves those whom it leaves in doubt.
fn answer<'a>(client: &'a Client, wanted: &'a Wanted, asked: Vec<Asked>) -> BoxFuture<'a, ()> {
    async move {
        let mut seen = HashSet::new();
        let keys: Vec<&Key> = asked.iter().map(|asked| &asked.ask).filter(|key| seen.insert(&key.value)).collect();
        let apart = match look(client, wanted, &keys).await {
            Ok(Rows { records, strays }) => {
                let (sure, doubtful): (Vec<_>, Vec<_>) =
                    asked.into_iter().partition(|asked| !strays || records.contains_key(&asked.ask.normal));
                for asked in sure {
                    let record = records.get(&asked.ask.normal).cloned().transpose();
                    let record = record.map_err(|lacks| Failure::from(lacks).told(&asked.ask.call));
                    asked.answer(record);
                }
                doubtful
            }
            Err(failure) if keys.len() > 1 && failure.may_pass_apart(&keys[0].call) => asked,
            Err(failure) => return failure.tell(asked, |key| &key.call),
        };
        future::join_all(apart.into_iter().map(|asked| answer(client, wanted, vec![asked]))).await;
    }
    .boxed()
}

struct Rows {
    /// By what all keys of a record have in common.
    records: HashMap<String, Result<CrmRecord, Unreadable>>,
    /// Whether Salesforce found a record for a key that does not look like the record's own.
    strays: bool,
}

async fn look(client: &Client, wanted: &Wanted, keys: &[&Key]) -> Result<Rows, Failure> {
    let only = if let [only] = keys { Some(only) } else { None };
    let statement = match only {
        Some(key) => wanted.one(&key.value),
        None => wanted.several(keys.iter().map(|key| key.value.as_str())),
    };
    let (rows, _) = client.query(&statement?, if only.is_some() { 1 } else { usize::MAX }).await?;
    let mut found = Rows { records: HashMap::new(), strays: false };
    if rows.is_empty() {
        return Ok(found);
    }
    let session = client.session().await?;
    for row in &rows {
        let key = match only {
            Some(key) => Some(key.normal.clone()),
            None => key_of(wanted, row).filter(|normal| keys.iter().any(|key| key.normal == *normal)),
        };
        match key {
            Some(key) => drop(found.records.entry(key).or_insert_with(|| session.record(row, &wanted.fields))),
            None => found.strays = true,
        }
    }
    Ok(found)
}

fn key_of(wanted: &Wanted, row: &Row) -> Option<String> {
    values::field(row, &wanted.field)?.to_text().map(|value| wanted.normal(&value))
}
