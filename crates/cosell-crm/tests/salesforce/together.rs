//! Reads and writes of the same moment share requests, and everybody has the answer of their own.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    time::{Duration, Instant},
};

use cosell_crm::Salesforce;
use cosell_sync::ports::{Crm, CrmFields, CrmKey, CrmRecord, PortError, PortResult, Written};
use futures::{
    FutureExt,
    future::{join, join_all},
};
use proptest::{prelude::*, sample::select};
use serde_json::{Value as Json, json};
use tokio::time::timeout;

use crate::org::{LOST, Org, Outcome, REP, Seen, asked, chain, found, row, text};

const AT: &str = "2026-11-22T09:59:00.000+0000";

fn id(number: usize) -> String {
    format!("006{number:012}AAA")
}

fn named(name: &str) -> CrmFields {
    CrmFields::from([("Name".to_owned(), text(name))])
}

async fn updated(crm: &Salesforce, numbers: impl IntoIterator<Item = usize>, name: &str) -> Vec<PortResult<()>> {
    let update = |number| async move { crm.update("Opportunity", &id(number), &named(name)).await };
    join_all(numbers.into_iter().map(update)).await
}

async fn fetched(crm: &Salesforce, keys: &[CrmKey<'_>]) -> Vec<PortResult<Option<CrmRecord>>> {
    join_all(keys.iter().map(|key| async { crm.fetch("Opportunity", *key, &asked()).await })).await
}

fn by_key(value: &str) -> CrmKey<'_> {
    CrmKey::External { field: "Key__c", value }
}

/// What everybody was told, in short: an identifier, nothing, or the error.
fn told<T: Debug>(outcomes: &[PortResult<T>], short: impl Fn(&T) -> String) -> Vec<String> {
    outcomes.iter().map(|outcome| outcome.as_ref().map_or_else(chain, &short)).collect()
}

fn found_ids(outcomes: &[PortResult<Option<CrmRecord>>]) -> Vec<String> {
    told(outcomes, |record| record.as_ref().map_or_else(|| "none".to_owned(), |record| record.id.clone()))
}

fn done<T: Debug>(outcomes: &[PortResult<T>]) -> bool {
    outcomes.iter().all(Result::is_ok)
}

fn targets(org: &Org) -> Vec<String> {
    let base = "/services/data/v66.0/";
    org.seen().iter().map(|seen| format!("{} {}", seen.method, seen.target.replacen(base, "", 1))).collect()
}

async fn ruled() -> Result<(Org, Salesforce), Box<dyn std::error::Error>> {
    let mut rows = Rows::ten();
    Org::ruled(move |seen| rows.answer(seen)).await
}

/// Every update succeeds, whichever record it is.
async fn lenient() -> Result<(Org, Salesforce), Box<dyn std::error::Error>> {
    Org::ruled(|seen| match records(seen).as_slice() {
        [] => (204, Json::Null),
        records => (200, records.iter().map(|_| json!({"success": true, "errors": []})).collect()),
    })
    .await
}

fn records(seen: &Seen) -> Vec<Json> {
    seen.json()["records"].as_array().cloned().unwrap_or_default()
}

fn literals(query: &str) -> Vec<&str> {
    query.split_once(" WHERE ").map_or(query, |(_, condition)| condition).split('\'').skip(1).step_by(2).collect()
}

/// A little of Salesforce: enough for outcomes to differ from record to record.
#[derive(Clone, Default)]
struct Rows(BTreeMap<String, Row>);

#[derive(Clone, Default)]
struct Row {
    key: Option<String>,
    deleted: bool,
}

type Saved = Result<(String, bool), (u16, Json)>;

impl Rows {
    /// Records 0 to 9 with keys `O0` to `O9`, the last two deleted.
    fn ten() -> Self {
        let row = |number| (id(number), Row { key: Some(format!("O{number}")), deleted: number >= 8 });
        Self((0..10).map(row).collect())
    }

    fn live(&self) -> impl Iterator<Item = (&String, &Row)> {
        self.0.iter().filter(|(_, row)| !row.deleted)
    }

    fn answer(&mut self, seen: &Seen) -> (u16, Json) {
        let path: Vec<&str> = seen.target.split('?').next().unwrap_or_default().split('/').skip(4).collect();
        match (seen.method.as_str(), path.as_slice()) {
            ("GET", ["query"]) => self.query(&seen.query()),
            ("PATCH", ["sobjects", _, id]) => match self.update(id, &seen.json(), false) {
                Ok(_) => (204, Json::Null),
                Err((status, problem)) => (status, json!([alone(problem)])),
            },
            ("POST", ["sobjects", _]) => single(create(&seen.json())),
            ("PATCH", ["sobjects", _, _, key]) => single(self.upsert(key, &seen.json())),
            (_, ["composite", "sobjects", rest @ ..]) => {
                let records = records(seen);
                if let Some(problem) = records.iter().find_map(unreadable) {
                    return (400, json!([alone(problem)]));
                }
                let results = records.iter().map(|record| {
                    let text = |name: &str| record[name].as_str().unwrap_or_default();
                    let saved = match (seen.method.as_str(), rest) {
                        ("POST", []) => create(record),
                        ("PATCH", []) => self.update(text("id"), record, true),
                        _ => self.upsert(text("Key__c"), record),
                    };
                    match saved {
                        Ok((id, created)) => json!({"id": id, "success": true, "errors": [], "created": created}),
                        Err((_, problem)) => json!({"success": false, "errors": [problem]}),
                    }
                });
                (200, results.collect())
            }
            _ => (404, json!([{"errorCode": "NOT_FOUND", "message": "no such resource"}])),
        }
    }

    fn query(&self, query: &str) -> (u16, Json) {
        let keys = literals(query);
        let by_id = query.contains(" WHERE Id ");
        if by_id && keys.iter().any(|key| key.len() == 18 && !key.ends_with("AAA")) {
            return (400, json!([{"errorCode": "INVALID_QUERY_FILTER_OPERATOR", "message": "invalid ID field"}]));
        }
        let is_wanted = |id: &str, row: &Row| {
            keys.iter().any(|wanted| match &row.key {
                _ if by_id => id[..15] == wanted[..15],
                Some(key) => key.eq_ignore_ascii_case(wanted),
                None => wanted.is_empty(),
            })
        };
        let rows: Vec<Json> = self
            .live()
            .filter(|(id, row)| is_wanted(id, row))
            .map(|(id, held)| {
                let mut row = row(id, AT, REP);
                row["Key__c"] = json!(held.key);
                row
            })
            .collect();
        (200, found(&rows))
    }

    fn update(&mut self, id: &str, record: &Json, listed: bool) -> Saved {
        match self.0.get(id) {
            Some(row) if row.deleted => Err((404, problem("ENTITY_IS_DELETED", &[]))),
            None if listed => Err((404, problem("INVALID_CROSS_REFERENCE_KEY", &[]))),
            None => Err((404, problem("NOT_FOUND", &[]))),
            Some(_) => check(record).map(|()| (id.to_owned(), false)),
        }
    }

    fn upsert(&mut self, key: &str, record: &Json) -> Saved {
        check(record)?;
        let same = |row: &Row| row.key.as_ref().is_some_and(|held| held.eq_ignore_ascii_case(key));
        if let Some((id, _)) = self.live().find(|(_, row)| same(row)) {
            return Ok((id.clone(), false));
        }
        let id = format!("006{:x>12}AAA", key.to_lowercase());
        self.0.insert(id.clone(), Row { key: Some(key.to_owned()), deleted: false });
        Ok((id, true))
    }
}

fn create(record: &Json) -> Saved {
    check(record)?;
    Ok((format!("001{:0>12}AAA", record["Name"].as_str().unwrap_or_default()), true))
}

fn problem(code: &str, fields: &[&str]) -> Json {
    json!({"statusCode": code, "message": format!("about {code}"), "fields": fields})
}

/// As the problem is written outside of lists.
fn alone(mut problem: Json) -> Json {
    let code = problem["statusCode"].take();
    problem["errorCode"] = code;
    problem
}

fn single(saved: Saved) -> (u16, Json) {
    match saved {
        Ok((id, created)) => {
            (if created { 201 } else { 200 }, json!({"id": id, "success": true, "errors": [], "created": created}))
        }
        Err((status, problem)) => (status, json!([alone(problem)])),
    }
}

/// A field that is not there: nothing of the request can be read.
fn unreadable(record: &Json) -> Option<Json> {
    record.get("Gone__c").map(|_| problem("INVALID_FIELD", &[]))
}

fn check(record: &Json) -> Result<(), (u16, Json)> {
    if let Some(problem) = unreadable(record) {
        return Err((400, problem));
    }
    let refused = |code, fields: &[&str]| Err((400, problem(code, fields)));
    match record["Name"].as_str() {
        Some("bad") => refused("FIELD_CUSTOM_VALIDATION_EXCEPTION", &[]),
        Some("long") => refused("STRING_TOO_LONG", &["Name"]),
        Some("locked") => refused("UNABLE_TO_LOCK_ROW", &[]),
        Some("orphan") => refused("INVALID_CROSS_REFERENCE_KEY", &[]),
        Some("twin") => refused("DUPLICATE_VALUE", &["Other__c"]),
        _ => Ok(()),
    }
}

#[tokio::test]
async fn writes_of_one_moment_are_one_request() -> Outcome {
    let (org, crm) = lenient().await?;
    assert!(done(&updated(&crm, 0..200, "Deal").await));
    let seen = org.seen();
    assert_eq!(targets(&org), ["PATCH composite/sobjects"]);
    assert_eq!(seen[0].json()["allOrNone"], false);
    assert_eq!(records(&seen[0]).len(), 200);
    assert_eq!(
        records(&seen[0])[7].to_string(),
        r#"{"attributes":{"type":"Opportunity"},"id":"006000000000007AAA","Name":"Deal"}"#
    );
    assert_eq!(seen[0].header("sforce-auto-assign"), None);
    Ok(())
}

#[tokio::test]
async fn a_list_takes_two_hundred() -> Outcome {
    let (org, crm) = lenient().await?;
    assert!(done(&updated(&crm, 0..450, "Deal").await));
    let lengths: Vec<usize> = org.seen().iter().map(|seen| records(seen).len()).collect();
    assert!(lengths.iter().sum::<usize>() == 450 && lengths[0] == 200 && lengths.len() <= 4, "{lengths:?}");
    assert!(lengths.iter().all(|length| *length <= 200), "{lengths:?}");
    Ok(())
}

#[tokio::test]
async fn upserts_and_creations_are_listed() -> Outcome {
    let (org, crm) = ruled().await?;
    let (name, odd) =
        (named("n1"), CrmFields::from([("key__C".to_owned(), text("O20")), ("Name".to_owned(), text("n2"))]));
    let upserts = join_all([crm.upsert("Lead", "Key__c", "o1", &name), crm.upsert("Lead", "Key__c", "O20", &odd)]);
    let creations = join_all([crm.create("Account", &name), crm.create("Account", &odd)]);
    let (upserts, creations) = join(upserts, creations).await;
    let upserts: Vec<Written> = upserts.into_iter().collect::<PortResult<_>>()?;
    assert_eq!(
        upserts,
        [Written { id: id(1), created: false }, Written { id: "006xxxxxxxxxo20AAA".to_owned(), created: true }]
    );
    assert_eq!(told(&creations, String::clone), ["0010000000000n1AAA", "0010000000000n2AAA"]);
    let mut targets = targets(&org);
    targets.sort();
    assert_eq!(targets, ["PATCH composite/sobjects/Lead/Key__c", "POST composite/sobjects"]);
    for seen in org.seen() {
        let lead = seen.target.contains("Lead");
        assert_eq!(seen.header("sforce-auto-assign"), lead.then_some("FALSE"));
        let expected = if lead {
            r#"{"attributes":{"type":"Lead"},"Key__c":"O20","Name":"n2"}"#
        } else {
            r#"{"attributes":{"type":"Account"},"Name":"n2","key__C":"O20"}"#
        };
        assert_eq!(records(&seen)[1].to_string(), expected);
    }
    Ok(())
}

#[tokio::test]
async fn a_bad_record_fails_alone() -> Outcome {
    let (org, crm) = ruled().await?;
    let names = ["n0", "bad", "n2", "long", "locked", "orphan", "n6", "twin", "n8", "n9"];
    let outcomes = join_all(names.iter().enumerate().map(|(number, name)| {
        // The last is not there at all.
        let id = id(if number == 9 { 90 } else { number });
        let crm = &crm;
        async move { crm.update("Opportunity", &id, &named(name)).await }
    }))
    .await;
    let refused = |number| format!("update Opportunity {} was refused (1 problem(s))", id(number));
    let gone = |number| format!("update Opportunity {} found nothing", id(number));
    assert_eq!(
        told(&outcomes, |()| "done".to_owned()),
        [
            "done".to_owned(),
            refused(1),
            "done".to_owned(),
            refused(3),
            format!("update Opportunity {} did not get through: Salesforce answered 400 UNABLE_TO_LOCK_ROW", id(4)),
            refused(5),
            "done".to_owned(),
            refused(7),
            gone(8),
            gone(90),
        ]
    );
    let Err(PortError::Rejected { problems, .. }) = &outcomes[3] else { panic!("a rejection") };
    assert_eq!((problems[0].field.as_deref(), problems[0].code.as_str()), (Some("Name"), "STRING_TOO_LONG"));
    // A list has one code for a record that is not there and for one that it refers to.
    let mut targets = targets(&org);
    targets.sort();
    let alone = |number| format!("PATCH sobjects/Opportunity/{}", id(number));
    assert_eq!(targets, ["PATCH composite/sobjects".to_owned(), alone(5), alone(90)]);
    Ok(())
}

#[tokio::test]
async fn a_record_is_never_twice_in_a_list() -> Outcome {
    let (org, crm) = lenient().await?;
    let fields = ["a", "b", "c", "d", "e"].map(named);
    let (long, short) = (id(1), id(1)[..15].to_owned());
    let outcomes = join_all([
        crm.update("Opportunity", &long, &fields[0]),
        crm.update("Opportunity", &id(2), &fields[1]),
        crm.update("Opportunity", &short, &fields[2]),
        crm.update("Opportunity", &id(3), &fields[3]),
        crm.update("Opportunity", &long, &fields[4]),
    ])
    .await;
    assert!(done(&outcomes));
    let names = |seen: &Seen| records(seen).iter().map(|record| record["Name"].to_string()).collect::<String>();
    assert_eq!(org.seen().iter().map(names).collect::<Vec<_>>(), [r#""a""b""d""#, "", ""]);
    let single: Vec<String> = org.seen()[1..].iter().map(|seen| seen.json()["Name"].to_string()).collect();
    assert_eq!(single, [r#""c""#, r#""e""#], "in the order in which they were asked for");

    let (org, crm) = ruled().await?;
    let upserts = ["O30", " o30", "O31", "o3"].map(|key| crm.upsert("Opportunity", "Key__c", key, &fields[0]));
    let created: Vec<bool> =
        join_all(upserts).await.into_iter().map(|w| w.map(|w| w.created)).collect::<PortResult<_>>()?;
    assert_eq!(created[2..], [true, false]);
    assert_eq!(
        targets(&org),
        ["PATCH composite/sobjects/Opportunity/Key__c", "PATCH sobjects/Opportunity/Key__c/%20o30"]
    );
    Ok(())
}

#[tokio::test]
async fn objects_and_fields_do_not_mix() -> Outcome {
    let (org, crm) = lenient().await?;
    let fields = named("x");
    let ids: Vec<String> = (0..4).map(id).collect();
    let objects = ["Lead", "Opportunity", "Lead", "Opportunity"];
    let updates = objects.iter().zip(&ids).map(|(object, id)| crm.update(object, id, &fields));
    assert!(done(&join_all(updates).await));
    let mut seen = org.seen();
    seen.sort_by_key(|seen| records(seen)[0]["attributes"]["type"].to_string());
    for (seen, (object, header)) in seen.iter().zip([("Lead", Some("FALSE")), ("Opportunity", None)]) {
        assert_eq!(records(seen).len(), 2);
        assert!(records(seen).iter().all(|record| record["attributes"]["type"] == object));
        assert_eq!(seen.header("sforce-auto-assign"), header);
    }
    assert_eq!(seen.len(), 2);
    Ok(())
}

#[tokio::test]
async fn when_nothing_of_a_list_can_be_read_each_goes_alone() -> Outcome {
    let (org, crm) = ruled().await?;
    let odd = CrmFields::from([("Gone__c".to_owned(), text("Jane Doe"))]);
    let (ids, good) = ((0..5).map(id).collect::<Vec<_>>(), named("x"));
    let updates =
        ids.iter().enumerate().map(|(n, id)| crm.update("Opportunity", id, if n == 3 { &odd } else { &good }));
    let outcomes = join_all(updates).await;
    let mut expected = vec!["done".to_owned(); 5];
    expected[3] = format!("update Opportunity {} is not allowed: Salesforce answered 400 INVALID_FIELD", id(3));
    assert_eq!(told(&outcomes, |()| "done".to_owned()), expected);
    assert_eq!(org.seen().len(), 6);
    Ok(())
}

#[tokio::test]
async fn everybody_is_told_why_a_request_failed() -> Outcome {
    let limit = json!([{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]);
    let rights = json!([{"message": "m", "errorCode": "API_DISABLED_FOR_ORG"}]);
    for (status, body, expected) in [
        (503, json!("maintenance"), "did not get through: Salesforce answered 503"),
        (403, limit, "was throttled"),
        (403, rights, "is not allowed: Salesforce answered 403 API_DISABLED_FOR_ORG"),
        (200, json!([{"success": true}]), "did not get through: Salesforce's answer lacks a result for every record"),
        (200, json!({"done": 1}), "did not get through: Salesforce's answer lacks a list of results"),
    ] {
        let (org, crm) = Org::start([(status, body.clone()), (200, found(&[])), (status, body)]).await?;
        let outcomes = updated(&crm, 1..4, "x").await;
        let each: Vec<String> = (1..4).map(|number| format!("update Opportunity {} {expected}", id(number))).collect();
        assert_eq!(told(&outcomes, |()| "done".to_owned()), each);
        assert_eq!(org.seen().len(), 1, "nothing that may have been done is repeated");
    }

    let (org, crm) = Org::start([(LOST, Json::Null), (LOST, Json::Null)]).await?;
    for (number, outcome) in updated(&crm, 0..3, "x").await.into_iter().enumerate() {
        let error = outcome.err().ok_or("an error")?;
        let said = chain(&error);
        assert!(said.starts_with(&format!("update Opportunity {} did not get through: ", id(number))), "{said}");
        assert!(!said.contains("http://"), "{said}");
    }
    for outcome in fetched(&crm, &[by_key("jane@example.com"), by_key("O/2")]).await {
        let said = chain(&outcome.err().ok_or("an error")?);
        assert!(said.starts_with("fetch Opportunity by Key__c did not get through: "), "{said}");
    }
    assert_eq!(org.seen().len(), 2);
    Ok(())
}

#[tokio::test]
async fn everybody_is_told_why_there_is_no_session() -> Outcome {
    let (org, crm) = Org::start([]).await?;
    org.with(|script| script.login_answer = Some((400, r#"{"error":"invalid_client_credentials"}"#.to_owned())));
    let expected = "the Salesforce login is not allowed: Salesforce answered 400 invalid_client_credentials";
    assert_eq!(told(&updated(&crm, 0..3, "x").await, |()| "done".to_owned()), [expected; 3]);
    assert_eq!(org.with(|script| script.logins.len()), 1);
    Ok(())
}

#[tokio::test]
async fn a_session_that_ended_is_renewed_for_everybody() -> Outcome {
    let (org, crm) = lenient().await?;
    assert!(done(&updated(&crm, 0..3, "x").await));
    org.with(|script| script.ended.push("token-1".to_owned()));
    assert!(done(&updated(&crm, 0..50, "y").await));
    assert_eq!((org.with(|script| script.logins.len()), org.seen().len()), (2, 3));

    org.with(|script| script.ended.extend((2..9).map(|n| format!("token-{n}"))));
    let expected = |number| {
        format!("update Opportunity {} is not allowed: Salesforce answered 401 INVALID_SESSION_ID", id(number))
    };
    assert_eq!(told(&updated(&crm, 0..2, "z").await, |()| "done".to_owned()), [expected(0), expected(1)]);
    assert_eq!(org.with(|script| script.logins.len()), 3);
    Ok(())
}

#[tokio::test]
async fn a_race_that_one_of_a_list_lost_is_repeated_for_it_alone() -> Outcome {
    let won = json!({"id": id(1), "success": true, "errors": [], "created": true});
    let lost = json!({"success": false, "errors": [problem("DUPLICATE_VALUE", &["Key__c"])]});
    let there = json!({"id": id(2), "success": true, "errors": [], "created": false});
    let still = json!([{"message": "m", "errorCode": "DUPLICATE_VALUE", "fields": ["Key__c"]}]);
    for (answer, expected) in
        [((200, there), id(2)), ((400, still), "upsert Opportunity O2 was refused (1 problem(s))".to_owned())]
    {
        let (org, crm) = Org::start([(200, json!([won, lost])), answer]).await?;
        let fields = named("x");
        let upserts = ["O1", "O2"].map(|key| crm.upsert("Opportunity", "Key__c", key, &fields));
        let told = told(&join_all(upserts).await, |written| written.id.clone());
        assert_eq!(told, [id(1), expected]);
        let upsert = "PATCH composite/sobjects/Opportunity/Key__c";
        assert_eq!(targets(&org), [upsert, "PATCH sobjects/Opportunity/Key__c/O2"]);
    }
    Ok(())
}

#[tokio::test]
async fn who_asks_while_a_request_is_on_its_way_leaves_with_the_next() -> Outcome {
    let (org, crm) = lenient().await?;
    org.with(|script| script.delay = Duration::from_millis(300));
    let later = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let started = Instant::now();
        let outcomes = updated(&crm, [1, 5, 6], "second").await;
        (outcomes, started.elapsed())
    };
    let (first, (second, took)) = join(updated(&crm, [1], "first"), later).await;
    assert!(done(&first) && done(&second));
    assert!(took >= Duration::from_millis(400), "a record's later write waits for its earlier one: {took:?}");
    assert_eq!(targets(&org), [format!("PATCH sobjects/Opportunity/{}", id(1)), "PATCH composite/sobjects".to_owned()]);
    Ok(())
}

#[tokio::test]
async fn who_leaves_takes_nobody_along() -> Outcome {
    let (org, crm) = lenient().await?;
    let last = || org.seen().last().map_or(0, |seen| records(seen).len());

    // The first, who began the group, leaves before it does.
    let mut first = Box::pin(updated(&crm, [0], "x"));
    let mut others = Box::pin(updated(&crm, 1..3, "y"));
    assert!((&mut first).now_or_never().is_none() && (&mut others).now_or_never().is_none());
    drop(first);
    assert!(done(&others.await));
    assert_eq!((org.seen().len(), last()), (1, 2));

    // The first leaves while the request is on its way.
    org.with(|script| script.delay = Duration::from_millis(300));
    let impatient = timeout(Duration::from_millis(100), updated(&crm, [0], "x"));
    let (gone, outcomes) = join(impatient, updated(&crm, 1..3, "y")).await;
    assert!(gone.is_err() && done(&outcomes));
    assert_eq!((org.seen().len(), last()), (2, 3));

    // All leave, those on their way and those who wait for them: nobody after them waits for their request.
    assert!(timeout(Duration::from_millis(100), updated(&crm, 0..9, "x")).await.is_err());
    assert!(updated(&crm, 0..9, "never sent").now_or_never().is_none());
    org.with(|script| script.delay = Duration::ZERO);
    assert!(done(&updated(&crm, 0..2, "y").await));
    assert_eq!((org.seen().len(), last()), (4, 2));
    Ok(())
}

#[tokio::test]
async fn reads_of_one_moment_are_one_query() -> Outcome {
    let (org, crm) = ruled().await?;
    let ids: Vec<String> = [1, 2, 1, 90, 8].map(id).to_vec();
    let mut keys: Vec<CrmKey<'_>> = ids.iter().map(|id| CrmKey::Id(id)).collect();
    keys.extend([CrmKey::Id(&ids[0][..15]), CrmKey::Id(&ids[1][..15]), CrmKey::Id("006' OR Name != '")]);
    let outcomes = fetched(&crm, &keys).await;
    let malformed = "fetch Opportunity by Id was refused (1 problem(s))".to_owned();
    let none = || "none".to_owned();
    assert_eq!(found_ids(&outcomes), [id(1), id(2), id(1), none(), none(), id(1), id(2), malformed]);
    assert_eq!(outcomes[0].as_ref().ok(), outcomes[5].as_ref().ok());
    let seen = org.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        seen[0].query(),
        format!(
            "SELECT Id, SystemModstamp, LastModifiedById, Name, Account.Name FROM Opportunity WHERE Id IN ('{}', '{}', \
             '{}', '{}', '{}', '{}')",
            id(1),
            id(2),
            id(90),
            id(8),
            &id(1)[..15],
            &id(2)[..15]
        )
    );
    Ok(())
}

#[tokio::test]
async fn keys_are_compared_as_salesforce_does() -> Outcome {
    let (org, crm) = ruled().await?;
    let keys = ["o1", "O2", "O77", "O8", "o1", "O'2"].map(by_key);
    let outcomes = fetched(&crm, &keys).await;
    let none = || "none".to_owned();
    assert_eq!(found_ids(&outcomes), [id(1), id(2), none(), none(), id(1), none()]);
    assert_eq!(org.seen().len(), 1);
    let condition = r" Key__c FROM Opportunity WHERE Key__c IN ('o1', 'O2', 'O77', 'O8', 'O\'2')";
    assert!(org.seen()[0].query().ends_with(condition), "{}", org.seen()[0].query());
    assert!(!outcomes[0].as_ref().is_ok_and(|record| record.as_ref().is_some_and(|r| r.fields.contains_key("Key__c"))));

    // Whether these are two keys or one is the field's to say; and an empty text is every record's without a key.
    let (org, crm) = ruled().await?;
    let outcomes = fetched(&crm, &["o1", "O1", "", "O2"].map(by_key)).await;
    assert_eq!(found_ids(&outcomes), [id(1), id(1), none(), id(2)]);
    let mut conditions: Vec<String> =
        org.seen().iter().filter_map(|seen| Some(seen.query().split_once(" WHERE ")?.1.to_owned())).collect();
    conditions.sort();
    assert_eq!(conditions, ["Key__c = '' LIMIT 1", "Key__c = 'O1' LIMIT 1", "Key__c IN ('o1', 'O2')"]);
    Ok(())
}

#[tokio::test]
async fn objects_fields_and_keys_are_read_apart() -> Outcome {
    let (org, crm) = ruled().await?;
    let (some, more) = (asked(), vec!["Name".to_owned()]);
    let ids = [id(1), id(2)];
    let fetches = [
        crm.fetch("Opportunity", CrmKey::Id(&ids[0]), &some),
        crm.fetch("Opportunity", CrmKey::Id(&ids[1]), &more),
        crm.fetch("Opportunity", by_key("O1"), &some),
        crm.fetch("Lead", CrmKey::Id(&ids[0]), &some),
    ];
    assert!(done(&join_all(fetches).await));
    assert_eq!(org.seen().len(), 4);
    Ok(())
}

#[tokio::test]
async fn addresses_stay_short() -> Outcome {
    let row_of = |key: &str| {
        let number: usize = key[..3].parse().expect("a number");
        let mut row = row(&id(number), AT, REP);
        row["Key__c"] = json!(key);
        row
    };
    let (org, crm) =
        Org::ruled(move |seen| (200, found(&literals(&seen.query()).into_iter().map(row_of).collect::<Vec<_>>())))
            .await?;
    let values: Vec<String> = (0..300).map(|number| format!("{number:03}{}", "ü".repeat(20))).collect();
    let outcomes = fetched(&crm, &values.iter().map(|value| by_key(value)).collect::<Vec<_>>()).await;
    assert_eq!(found_ids(&outcomes), (0..300).map(id).collect::<Vec<_>>());
    let lengths: Vec<usize> = org.seen().iter().map(|seen| seen.target.len()).collect();
    assert!(lengths.len() < 6 && lengths.iter().all(|length| (100..10_100).contains(length)), "{lengths:?}");
    Ok(())
}

#[tokio::test]
async fn rows_come_on_several_pages() -> Outcome {
    let next = "/services/data/v66.0/query/01g000000000001AAA-1";
    let first = json!({"totalSize": 2, "done": false, "nextRecordsUrl": next, "records": [row(&id(2), AT, REP)]});
    let (org, crm) = Org::start([(200, first), (200, found(&[row(&id(1), AT, REP)]))]).await?;
    let ids = [id(1), id(2)];
    assert_eq!(found_ids(&fetched(&crm, &[CrmKey::Id(&ids[0]), CrmKey::Id(&ids[1])]).await), ids);
    assert_eq!(org.seen()[1].target, next);
    Ok(())
}

#[tokio::test]
async fn whoever_a_query_leaves_in_doubt_asks_alone() -> Outcome {
    // The organization finds a record that it does not spell as it was asked for.
    let keyed = |number, key: &str| {
        let mut row = row(&id(number), AT, REP);
        row["Key__c"] = json!(key);
        row
    };
    let (org, crm) =
        Org::start([(200, found(&[keyed(1, "O1"), keyed(2, "STRASSE")])), (200, found(&[keyed(2, "STRASSE")]))])
            .await?;
    assert_eq!(found_ids(&fetched(&crm, &[by_key("O1"), by_key("straße")]).await), [id(1), id(2)]);
    assert!(org.seen()[1].query().ends_with("Key__c = 'straße' LIMIT 1"));

    // An identifier that Salesforce refuses although it has the form of one.
    let (org, crm) = ruled().await?;
    let ids = [id(1), id(2), format!("{}ZZZ", &id(3)[..15])];
    let outcomes = fetched(&crm, &ids.each_ref().map(|id| CrmKey::Id(id))).await;
    let refused = "is not allowed: Salesforce answered 400 INVALID_QUERY_FILTER_OPERATOR";
    assert_eq!(found_ids(&outcomes), [id(1), id(2), format!("fetch Opportunity {} {refused}", ids[2])]);
    assert_eq!(org.seen().len(), 4);
    Ok(())
}

#[derive(Debug, Clone)]
enum Write {
    Create(&'static str),
    Update(String, &'static str, bool),
    Upsert(String, &'static str),
}

fn any_write() -> impl Strategy<Value = Write> {
    let name = || select(vec!["n1", "n2", "n3", "bad", "long", "locked", "orphan", "twin"]);
    let unreadable = prop::bool::weighted(0.02);
    prop_oneof![
        name().prop_map(Write::Create),
        (0usize..14, name(), unreadable).prop_map(|(number, name, odd)| Write::Update(id(number), name, odd)),
        ("[oO][0-9a-d]", name()).prop_map(|(key, name)| Write::Upsert(key, name)),
    ]
}

async fn write(crm: &Salesforce, write: &Write) -> String {
    match write {
        Write::Create(name) => format!("{:?}", crm.create("Lead", &named(name)).await),
        Write::Update(id, name, odd) => {
            let mut fields = named(name);
            fields.extend(odd.then(|| ("Gone__c".to_owned(), text("x"))));
            format!("{:?}", crm.update("Opportunity", id, &fields).await)
        }
        Write::Upsert(key, name) => format!("{:?}", crm.upsert("Opportunity", "Key__c", key, &named(name)).await),
    }
}

fn any_fetch() -> impl Strategy<Value = (bool, String)> {
    let short = (0usize..12).prop_map(|number| id(number)[..15].to_owned());
    let by_id = prop_oneof![20 => (0usize..12).prop_map(id), 10 => short, 1 => Just(format!("{}ZZZ", &id(3)[..15]))];
    prop_oneof![
        by_id.prop_map(|id| (true, id)),
        "[oO][0-9a-d]?".prop_map(|key| (false, key)),
        Just((false, String::new()))
    ]
}

async fn fetch(crm: &Salesforce, (by_id, value): &(bool, String)) -> String {
    let key = if *by_id { CrmKey::Id(value) } else { by_key(value) };
    format!("{:?}", crm.fetch("Opportunity", key, &asked()).await)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn outcomes_are_those_of_single_calls(
        writes in prop::collection::vec(any_write(), 1..25),
        fetches in prop::collection::vec(any_fetch(), 1..25),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (single, together) = runtime.block_on(async {
            let (_, crm) = ruled().await.expect("a server");
            let mut single = Vec::new();
            for one in &writes {
                single.push(write(&crm, one).await);
            }
            for one in &fetches {
                single.push(fetch(&crm, one).await);
            }
            let (_, crm) = ruled().await.expect("a server");
            let mut together = join_all(writes.iter().map(|one| write(&crm, one))).await;
            together.extend(join_all(fetches.iter().map(|one| fetch(&crm, one))).await);
            (single, together)
        });
        prop_assert_eq!(single, together);
    }
}
