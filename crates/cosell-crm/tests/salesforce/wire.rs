//! What the Salesforce adapter sends, and what it makes of answers, over a real connection.

use std::{error::Error, sync::Arc, time::Duration};

use axum::http::Method;
use cosell_crm::{
    Credentials, Salesforce, SalesforceConfig,
    salesforce::{InvalidConfig, Unreadable},
};
use cosell_mapping::{CrmKind, CrmValue};
use cosell_sync::ports::{Crm, CrmFields, CrmKey, PortError, Written};
use serde_json::{Value as Json, json};
use url::{Url, form_urlencoded};

use crate::org::{ME, Org, Outcome, REP, asked, chain, found, row, text};

#[tokio::test]
async fn logs_in_once_and_reads_by_identifier() -> Outcome {
    let rows = found(&[row("006000000000001AAA", "2026-11-22T09:59:00.000+0000", ME)]);
    let (org, crm) = Org::start([(200, rows), (200, found(&[]))]).await?;
    let record = crm.fetch("Opportunity", CrmKey::Id("006000000000001AAA"), &asked()).await?.ok_or("a record")?;
    assert_eq!(record.id, "006000000000001AAA");
    assert_eq!(record.modified_at, "2026-11-22T09:59:00Z");
    assert_eq!(record.by_self, Some(true));
    assert_eq!(
        record.fields,
        CrmFields::from([("Name".to_owned(), text("Deal")), ("Account.Name".to_owned(), text("ACME"))])
    );
    let key = CrmKey::External { field: "ACE_Opportunity_Id__c", value: "O'1" };
    assert_eq!(crm.fetch("Opportunity", key, &asked()).await?, None);

    let logins = org.with(|script| script.logins.clone());
    assert_eq!(logins.len(), 1);
    assert_eq!(logins[0].method, Method::POST);
    assert_eq!(logins[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    let form: Vec<_> = form_urlencoded::parse(logins[0].body.as_bytes()).into_owned().collect();
    let expected =
        [("grant_type", "client_credentials"), ("client_id", "cosell-integration"), ("client_secret", "s&cret=1")];
    assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));

    let seen = org.seen();
    assert_eq!(seen[0].method, Method::GET);
    assert!(seen[0].target.starts_with("/services/data/v66.0/query?q="), "{}", seen[0].target);
    assert_eq!(seen[0].header("authorization"), Some("Bearer token-1"));
    assert_eq!(seen[0].header("sforce-call-options"), Some("client=cosell"));
    assert_eq!(seen[0].header("user-agent"), Some(concat!("cosell/", env!("CARGO_PKG_VERSION"))));
    let head = "SELECT Id, SystemModstamp, LastModifiedById, Name, Account.Name FROM Opportunity WHERE ";
    assert_eq!(seen[0].query(), format!("{head}Id = '006000000000001AAA' LIMIT 1"));
    assert_eq!(seen[1].query(), format!(r"{head}ACE_Opportunity_Id__c = 'O\'1' LIMIT 1"));
    Ok(())
}

#[tokio::test]
async fn upserts_by_an_encoded_key_that_is_not_in_the_body() -> Outcome {
    let (org, crm) = Org::start([
        (201, json!({"id": "006000000000001AAA", "success": true, "errors": [], "created": true})),
        (200, json!({"id": "00Q000000000001AAA", "success": true, "errors": [], "created": false})),
    ])
    .await?;
    let fields = CrmFields::from([
        ("Key__c".to_owned(), text("a/b c%?#ü+")),
        ("Amount".to_owned(), CrmValue::Number("12345678901234.56".parse()?)),
        ("NextStep".to_owned(), CrmValue::Null),
    ]);
    let written = crm.upsert("Opportunity", "Key__c", "a/b c%?#ü+", &fields).await?;
    assert_eq!(written, Written { id: "006000000000001AAA".to_owned(), created: true });
    let written = crm.upsert("Lead", "ACE_Lead_Id__c", "L1", &CrmFields::new()).await?;
    assert_eq!(written, Written { id: "00Q000000000001AAA".to_owned(), created: false });

    let seen = org.seen();
    assert_eq!(seen[0].method, Method::PATCH);
    let path = "/services/data/v66.0/sobjects/Opportunity/Key__c/a%2Fb%20c%25%3F%23%C3%BC+";
    assert_eq!(seen[0].target, path);
    assert_eq!(seen[0].body, r#"{"Amount":12345678901234.56,"NextStep":null}"#);
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!(seen[0].header("sforce-auto-assign"), None);
    assert_eq!(seen[1].target, "/services/data/v66.0/sobjects/Lead/ACE_Lead_Id__c/L1");
    assert_eq!(seen[1].header("sforce-auto-assign"), Some("FALSE"));
    Ok(())
}

#[tokio::test]
async fn an_upsert_that_lost_a_race_is_repeated_once() -> Outcome {
    let duplicate = json!([{"message": "duplicate value found", "errorCode": "DUPLICATE_VALUE", "fields": []}]);
    let written = json!({"id": "006000000000001AAA", "success": true, "errors": [], "created": false});
    let (org, crm) = Org::start([(400, duplicate.clone()), (200, written)]).await?;
    assert!(!crm.upsert("Opportunity", "Key__c", "O1", &CrmFields::new()).await?.created);
    assert_eq!(org.seen().len(), 2);

    let (org, crm) = Org::start([(400, duplicate.clone()), (400, duplicate)]).await?;
    let error = crm.upsert("Opportunity", "Key__c", "O1", &CrmFields::new()).await.err().ok_or("an error")?;
    assert_eq!(error.code(), "rejected");
    assert_eq!(org.seen().len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_success_code_is_not_a_success() -> Outcome {
    let refused = json!({"id": null, "success": false, "errors": [
        {"statusCode": "STRING_TOO_LONG", "message": "Name: data value too large: Jane Doe", "fields": ["Name"]}
    ]});
    let (_, crm) = Org::start([(200, refused)]).await?;
    let error = crm.upsert("Lead", "Key__c", "L1", &CrmFields::new()).await.err().ok_or("an error")?;
    assert_eq!(chain(&error), "upsert Lead L1 was refused (1 problem(s))");
    let PortError::Rejected { problems, .. } = error else { panic!("a rejection") };
    assert_eq!(problems[0].field.as_deref(), Some("Name"));
    assert_eq!(problems[0].code, "STRING_TOO_LONG");
    Ok(())
}

#[tokio::test]
async fn updates_by_identifier() -> Outcome {
    let deleted = json!([{"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []}]);
    let gone = json!([{"message": "gone", "errorCode": "NOT_FOUND"}]);
    let (org, crm) = Org::start([(204, json!(null)), (404, deleted), (404, gone)]).await?;
    let fields = CrmFields::from([
        ("ACE_Sync_Status__c".to_owned(), text("Synced")),
        ("Share_With_AWS__c".to_owned(), CrmValue::Bool(true)),
    ]);
    crm.update("Lead", "00Q000000000001AAA", &fields).await?;
    for _ in 0..2 {
        let error = crm.update("Opportunity", "006000000000001AAA", &fields).await.err().ok_or("an error")?;
        assert_eq!(chain(&error), "update Opportunity 006000000000001AAA found nothing");
    }
    let seen = org.seen();
    assert_eq!(seen[0].method, Method::PATCH);
    assert_eq!(seen[0].target, "/services/data/v66.0/sobjects/Lead/00Q000000000001AAA");
    assert_eq!(seen[0].json(), json!({"ACE_Sync_Status__c": "Synced", "Share_With_AWS__c": true}));
    assert_eq!(seen[0].header("sforce-auto-assign"), Some("FALSE"));
    assert_eq!(seen[1].header("sforce-auto-assign"), None);
    Ok(())
}

#[tokio::test]
async fn an_ended_session_is_renewed_once() -> Outcome {
    let (org, crm) = Org::start([(200, found(&[])), (200, found(&[]))]).await?;
    let key = CrmKey::Id("006000000000001AAA");
    crm.fetch("Opportunity", key, &asked()).await?;
    org.with(|script| script.ended.push("token-1".to_owned()));
    crm.fetch("Opportunity", key, &asked()).await?;
    let tokens: Vec<_> = org.seen().iter().map(|seen| seen.header("authorization").map(str::to_owned)).collect();
    assert_eq!(tokens, ["Bearer token-1", "Bearer token-1", "Bearer token-2"].map(|token| Some(token.to_owned())));

    // Nothing that we can get is accepted any more.
    org.with(|script| script.ended.extend((2..9).map(|n| format!("token-{n}"))));
    let error = crm.fetch("Opportunity", key, &asked()).await.err().ok_or("an error")?;
    assert_eq!(
        chain(&error),
        "fetch Opportunity 006000000000001AAA is not allowed: Salesforce answered 401 INVALID_SESSION_ID"
    );
    assert_eq!(org.with(|script| script.logins.len()), 3);
    Ok(())
}

#[tokio::test]
async fn everybody_waits_for_one_login() -> Outcome {
    let (org, crm) = Org::start((0..16).map(|_| (200, found(&[])))).await?;
    org.with(|script| script.login_delay = Duration::from_millis(50));
    let crm = Arc::new(crm);
    for round in 1..=2 {
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let crm = Arc::clone(&crm);
                tokio::spawn(async move { crm.fetch("Lead", CrmKey::Id("00Q000000000001AAA"), &asked()).await })
            })
            .collect();
        for call in calls {
            call.await??;
        }
        assert_eq!(org.with(|script| script.logins.len()), round);
        org.with(|script| script.ended.push("token-1".to_owned()));
    }
    Ok(())
}

#[tokio::test]
async fn refused_logins() -> Outcome {
    for (status, body, expected) in [
        (
            400,
            r#"{"error":"invalid_client_credentials","error_description":"invalid client credentials for jane@example.com"}"#,
            "the Salesforce login is not allowed: Salesforce answered 400 invalid_client_credentials",
        ),
        (400, r#"{"error":"rate_limit_exceeded"}"#, "the Salesforce login was throttled"),
        (302, "", "the Salesforce login is not allowed: Salesforce answered 302"),
        (503, "<html>", "the Salesforce login did not get through: Salesforce answered 503"),
        (
            200,
            r#"{"access_token":"stolen","instance_url":"https://example.com"}"#,
            "the Salesforce login is not allowed: \
             the token answer points to a host that is neither the configured one nor Salesforce's",
        ),
    ] {
        let (org, crm) = Org::start([]).await?;
        org.with(|script| script.login_answer = Some((status, body.to_owned())));
        let error = crm.update("Lead", "00Q000000000001AAA", &CrmFields::new()).await.err().ok_or("an error")?;
        assert_eq!(chain(&error), expected);
        assert!(org.seen().is_empty(), "no record is sent without a session");
    }
    Ok(())
}

#[tokio::test]
async fn errors_of_the_wire() -> Outcome {
    let limit = json!([{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]);
    let many = json!(["/services/data/v66.0/sobjects/Lead/00Q1", "/services/data/v66.0/sobjects/Lead/00Q2"]);
    let (_, crm) = Org::start([(503, json!("maintenance")), (403, limit), (300, many)]).await?;
    let fields = CrmFields::from([("LastName".to_owned(), text("Doe"))]);
    let error = crm.upsert("Lead", "Email", "jane@example.com", &fields).await.err().ok_or("an error")?;
    assert_eq!(chain(&error), "upsert Lead by Email did not get through: Salesforce answered 503");
    let error = crm.upsert("Lead", "ACE_Lead_Id__c", "L1", &fields).await.err().ok_or("an error")?;
    let PortError::Throttled { retry_after, .. } = error else { panic!("a throttle, not {error}") };
    assert_eq!(retry_after, Some(Duration::from_mins(15)));
    let error = crm.upsert("Lead", "ACE_Lead_Id__c", "L1", &fields).await.err().ok_or("an error")?;
    let PortError::Rejected { problems, .. } = error else { panic!("a rejection, not {error}") };
    assert_eq!(problems[0].code, "DUPLICATE_EXTERNAL_ID");
    Ok(())
}

#[tokio::test]
async fn a_lost_connection_names_no_address() -> Outcome {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let endpoint = Url::parse(&format!("http://{}", listener.local_addr()?))?;
    drop(listener);
    let credentials = Credentials::from_secret(&r#"{"client_id":"a","client_secret":"b"}"#.into())?;
    let crm = Salesforce::new(SalesforceConfig { endpoint, credentials })?;
    let error = crm.upsert("Lead", "Email", "jane@example.com", &CrmFields::new()).await.err().ok_or("an error")?;
    assert_eq!(error.code(), "unavailable");
    assert!(error.source().is_some());
    assert!(!chain(&error).contains("http://") && !chain(&error).contains("jane"), "{}", chain(&error));
    Ok(())
}

#[tokio::test]
async fn changes_follow_pages_and_catch_up() -> Outcome {
    let first = row("006000000000001AAA", "2026-11-22T09:59:50.000+0000", REP);
    let second = row("006000000000002AAA", "2026-11-22T09:59:55.000+0000", ME);
    let next = "/services/data/v68.0/query/01g000000000001AAA-1";
    let (org, crm) = Org::start([
        (200, json!({"totalSize": 2, "done": false, "nextRecordsUrl": next, "records": [first]})),
        (200, found(&[second])),
        (200, found(&[])),
    ])
    .await?;
    let changes = crm.changed_since("Opportunity", None, &asked(), 10).await?;
    let told: Vec<_> = changes.records.iter().map(|record| (record.id.as_str(), record.by_self)).collect();
    assert_eq!(told, [("006000000000001AAA", Some(false)), ("006000000000002AAA", Some(true))]);
    assert!(changes.caught_up);
    assert_eq!(changes.records[1].fields["Account.Name"], text("ACME"));
    let cursor: Json = serde_json::from_str(&changes.cursor)?;
    let at: jiff::Timestamp = cursor["at"].as_str().ok_or("a time")?.parse()?;
    // The overlap before the answer's date; the time that the answer took makes it a second more at most.
    let expected: jiff::Timestamp = "2026-11-22T09:55:00Z".parse()?;
    assert!((0..=2).contains(&(expected.as_second() - at.as_second())), "{at}");

    let again = crm.changed_since("Opportunity", Some(&changes.cursor), &asked(), 10).await?;
    assert!(again.caught_up && again.records.is_empty());
    let seen = org.seen();
    assert!(seen[0].query().ends_with(" ORDER BY SystemModstamp, Id LIMIT 10"), "{}", seen[0].query());
    assert_eq!(seen[1].target, next);
    assert!(seen[2].query().contains(&format!(" WHERE SystemModstamp >= {at} ORDER BY ")), "{}", seen[2].query());
    Ok(())
}

#[tokio::test]
async fn answers_that_are_dated_ahead_pass_over_nothing() -> Outcome {
    let (org, crm) = Org::start([(200, found(&[]))]).await?;
    org.with(|script| script.date = Some("Mon, 22 Nov 2100 10:00:00 GMT"));
    let changes = crm.changed_since("Opportunity", None, &asked(), 10).await?;
    let cursor: Json = serde_json::from_str(&changes.cursor)?;
    let at: jiff::Timestamp = cursor["at"].as_str().ok_or("a time")?.parse()?;
    let ago = jiff::Timestamp::now().as_second() - at.as_second();
    assert!((300..360).contains(&ago), "{at}");
    Ok(())
}

#[tokio::test]
async fn the_first_search_begins_an_hour_ago() -> Outcome {
    let (org, crm) = Org::start([(200, found(&[]))]).await?;
    crm.changed_since("Lead", None, &[], 1).await?;
    let query = org.seen()[0].query();
    let at = query.split_once("SystemModstamp >= ").and_then(|(_, rest)| rest.split(' ').next()).ok_or("a time")?;
    let ago = jiff::Timestamp::now().as_second() - at.parse::<jiff::Timestamp>()?.as_second();
    assert!((3_600..3_660).contains(&ago), "{query}");
    Ok(())
}

#[tokio::test]
async fn a_search_from_the_beginning_is_older_than_any_organization() -> Outcome {
    let (org, crm) = Org::start([(200, found(&[]))]).await?;
    assert!(crm.changed_since("Lead", Some(&crm.beginning()), &[], 1).await?.caught_up);
    assert!(org.seen()[0].query().contains(" WHERE SystemModstamp >= 1970-01-01T00:00:00Z ORDER BY "));
    Ok(())
}

#[tokio::test]
async fn a_full_page_goes_on_after_its_last_row() -> Outcome {
    let rows = [
        row("006000000000001AAA", "2026-11-22T08:00:00.000+0000", REP),
        row("006000000000002AAA", "2026-11-22T08:00:00.000+0000", REP),
    ];
    let (org, crm) = Org::start([(200, found(&rows)), (200, found(&[]))]).await?;
    let start = r#"{"at":"2026-11-22T08:00:00Z"}"#;
    let changes = crm.changed_since("Opportunity", Some(start), &asked(), 2).await?;
    assert!(!changes.caught_up);
    assert_eq!(changes.cursor, r#"{"at":"2026-11-22T08:00:00Z","id":"006000000000002AAA"}"#);
    assert!(crm.changed_since("Opportunity", Some(&changes.cursor), &asked(), 2).await?.caught_up);
    assert!(
        org.seen()[1].query().contains(
            "WHERE (SystemModstamp > 2026-11-22T08:00:00Z) OR \
             (SystemModstamp = 2026-11-22T08:00:00Z AND Id > '006000000000002AAA') ORDER BY"
        ),
        "{}",
        org.seen()[1].query()
    );
    Ok(())
}

#[tokio::test]
async fn deletions_are_searched_for_in_the_recycle_bin() -> Outcome {
    let gone = row("006000000000001AAA", "2026-11-22T08:00:00.000+0000", REP);
    let (org, crm) = Org::start([(200, found(&[gone])), (200, found(&[]))]).await?;
    let deletions = crm.deleted_since("Opportunity", Some(r#"{"at":"2026-11-22T08:00:00Z"}"#), 1).await?;
    let told: Vec<_> = deletions.records.iter().map(|it| (it.id.as_str(), it.modified_at.as_str())).collect();
    assert_eq!(told, [("006000000000001AAA", "2026-11-22T08:00:00Z")]);
    assert!(!deletions.caught_up && deletions.records[0].fields.is_empty());
    assert!(crm.deleted_since("Opportunity", Some(&deletions.cursor), 1).await?.caught_up);
    let seen = org.seen();
    assert!(seen.iter().all(|seen| seen.target.starts_with("/services/data/v66.0/queryAll?")), "{seen:?}");
    assert_eq!(
        [seen[0].query(), seen[1].query()],
        [
            "SELECT Id, SystemModstamp, LastModifiedById FROM Opportunity WHERE \
             IsDeleted = true AND (SystemModstamp >= 2026-11-22T08:00:00Z) ORDER BY SystemModstamp, Id LIMIT 1",
            "SELECT Id, SystemModstamp, LastModifiedById FROM Opportunity WHERE \
             IsDeleted = true AND ((SystemModstamp > 2026-11-22T08:00:00Z) OR \
             (SystemModstamp = 2026-11-22T08:00:00Z AND Id > '006000000000001AAA')) ORDER BY SystemModstamp, Id LIMIT 1",
        ]
    );
    Ok(())
}

#[tokio::test]
async fn a_search_that_is_too_large_is_halved() -> Outcome {
    let large = json!([{"message": "Your query request was running for too long.", "errorCode": "QUERY_TIMEOUT"}]);
    let one = row("006000000000001AAA", "2026-11-22T08:00:00.000+0000", REP);
    let (org, crm) = Org::start([(400, large.clone()), (200, found(std::slice::from_ref(&one)))]).await?;
    let changes = crm.changed_since("Opportunity", None, &asked(), 2).await?;
    assert!(!changes.caught_up, "a full page of the smaller size");
    assert!(org.seen()[1].query().ends_with("LIMIT 1"));

    let (org, crm) = Org::start((0..9).map(|_| (400, large.clone()))).await?;
    let error = crm.changed_since("Opportunity", None, &asked(), 1_000).await.err().ok_or("an error")?;
    assert_eq!(error.code(), "unavailable");
    assert_eq!(org.seen().len(), 4);
    Ok(())
}

#[tokio::test]
async fn pages_stay_at_the_organization() -> Outcome {
    for next in [json!("https://example.com/services/data/"), json!("//example.com/services/data/x"), json!(null)] {
        let one = row("006000000000001AAA", "2026-11-22T08:00:00.000+0000", REP);
        let page = json!({"totalSize": 2, "done": false, "nextRecordsUrl": next, "records": [one]});
        let (org, crm) = Org::start([(200, page)]).await?;
        let error = crm.changed_since("Opportunity", None, &asked(), 10).await.err().ok_or("an error")?;
        let PortError::Unavailable { cause: Some(cause), .. } = error else { panic!("not {error}") };
        assert!(cause.downcast_ref::<Unreadable>().is_some());
        assert_eq!(org.seen().len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn reads_and_searches_resolve_two_levels_of_parents() -> Outcome {
    let mut linked = row("006000000000001AAA", "2026-11-22T09:59:50.000+0000", REP);
    linked["Account"] = json!({
        "attributes": {"type": "Account"}, "Website": "https://acme.example",
        "Owner": {"attributes": {"type": "User"}, "Email": "jane@example.com"},
    });
    let mut orphan = row("006000000000002AAA", "2026-11-22T09:59:55.000+0000", REP);
    orphan["Account"] = Json::Null;
    let rows = found(&[linked, orphan]);
    let (org, crm) = Org::start([(200, rows.clone()), (200, rows)]).await?;
    let fields = ["Name", "Account.Website", "Account.Owner.Email"].map(str::to_owned);
    let changes = crm.changed_since("Opportunity", None, &fields, 10).await?;
    let record = crm.fetch("Opportunity", CrmKey::Id("006000000000001AAA"), &fields).await?.ok_or("a record")?;
    assert_eq!(record.fields, changes.records[0].fields);
    let expect = |values: [CrmValue; 3]| fields.iter().cloned().zip(values).collect::<CrmFields>();
    let values = [text("Deal"), text("https://acme.example"), text("jane@example.com")];
    assert_eq!(record.fields, expect(values));
    assert_eq!(changes.records[1].fields, expect([text("Deal"), CrmValue::Null, CrmValue::Null]));
    for seen in org.seen() {
        let columns = "SELECT Id, SystemModstamp, LastModifiedById, Name, Account.Website, Account.Owner.Email FROM ";
        assert!(seen.query().starts_with(columns), "{}", seen.query());
    }
    Ok(())
}

#[tokio::test]
async fn finds_the_oldest() -> Outcome {
    let one = json!({"attributes": {"type": "Account"}, "Id": "001000000000001AAA"});
    let invalid = json!([{"message": "\nWebsite = 'https://jane.example'\nNo such column 'Website'", "errorCode": "INVALID_FIELD"}]);
    let nameless = json!({"attributes": {"type": "Account"}});
    let (org, crm) =
        Org::start([(200, found(&[one])), (200, found(&[])), (400, invalid), (200, found(&[nameless]))]).await?;
    let fields = CrmFields::from([
        ("Active__c".to_owned(), CrmValue::Bool(true)),
        ("Name".to_owned(), text(" O'Brien ")),
        ("Website".to_owned(), CrmValue::Null),
    ]);
    assert_eq!(crm.find("Account", &fields).await?.as_deref(), Some("001000000000001AAA"));
    assert_eq!(crm.find("Account", &fields).await?, None);
    let error = crm.find("Account", &fields).await.err().ok_or("an error")?;
    assert_eq!(
        chain(&error),
        "find Account by Active__c, Name, Website is not allowed: Salesforce answered 400 INVALID_FIELD about Website"
    );
    let error = crm.find("Account", &fields).await.err().ok_or("an error")?;
    assert_eq!(error.code(), "unavailable");
    let seen = org.seen();
    assert_eq!(seen[0].method, Method::GET);
    assert_eq!(
        seen[0].query(),
        r"SELECT Id FROM Account WHERE Active__c = true AND Name = 'O\'Brien' AND Website = null ORDER BY CreatedDate ASC, Id ASC LIMIT 1"
    );
    Ok(())
}

#[tokio::test]
async fn an_operators_condition_is_asked_page_by_page_and_judged_by_salesforce() -> Outcome {
    let id = |number| json!({"attributes": {"type": "Opportunity"}, "Id": format!("00600000000000{number}AAA")});
    let first = json!({"totalSize": 2, "done": false, "records": [id(1)],
                       "nextRecordsUrl": "/services/data/v66.0/query/01g-1"});
    let message =
        "\nOpportunity WHERE (Nmae = 'x')\n                   ^\nNo such column 'Nmae' on entity 'Opportunity'.";
    let invalid = json!([{"message": message, "errorCode": "INVALID_FIELD"}]);
    let (org, crm) = Org::start([(200, first), (200, found(&[id(2)])), (400, invalid)]).await?;
    let condition = "StageName = 'Proposal' AND Amount > 10000";
    assert_eq!(crm.select("Opportunity", condition, 5).await?, ["006000000000001AAA", "006000000000002AAA"]);
    let error = crm.select("Opportunity", "Nmae = 'x'", 5).await.err().ok_or("an error")?;
    let PortError::Rejected { what, problems } = error else { panic!("a rejection, not {error}") };
    assert_eq!(what, "search Opportunity by a condition");
    assert_eq!((problems[0].code.as_str(), problems[0].message.as_str()), ("INVALID_FIELD", message));
    let seen = org.seen();
    let statement = "SELECT Id FROM Opportunity WHERE (StageName = 'Proposal' AND Amount > 10000) ORDER BY Id LIMIT 5";
    assert_eq!(seen[0].query(), statement);
    assert_eq!(seen[1].target, "/services/data/v66.0/query/01g-1");
    Ok(())
}

#[tokio::test]
async fn values_that_identify_nothing_are_not_searched_for() -> Outcome {
    let (org, crm) = Org::start([]).await?;
    let error = crm.find("Account", &CrmFields::new()).await.err().ok_or("an error")?;
    assert_eq!(chain(&error), "find Account is not allowed: a search without fields would find any record");
    let of = |name: &str, value: CrmValue| CrmFields::from([(name.to_owned(), value)]);
    for (fields, code) in [
        (of("Website", CrmValue::Null), "EMPTY_KEY"),
        (of("Website", text(" ")), "EMPTY_KEY"),
        (of("Website", text(&"x".repeat(4_001))), "STRING_TOO_LONG"),
    ] {
        let error = crm.find("Account", &fields).await.err().ok_or("an error")?;
        let PortError::Rejected { problems, .. } = error else { panic!("a rejection, not {error}") };
        assert_eq!((problems[0].field.as_deref(), problems[0].code.as_str()), (Some("Website"), code));
    }
    assert!(org.seen().is_empty());
    Ok(())
}

#[tokio::test]
async fn creates() -> Outcome {
    let made = |id: &str| json!({"id": id, "success": true, "errors": []});
    let missing = json!([
        {"message": "Required fields are missing: [Company]", "errorCode": "REQUIRED_FIELD_MISSING", "fields": ["Company"]}
    ]);
    let duplicates = json!([{"message": "Use one of these records?", "errorCode": "DUPLICATES_DETECTED"}]);
    let unknown = json!([{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}]);
    let refused =
        json!({"id": null, "success": false, "errors": [{"statusCode": "STRING_TOO_LONG", "message": "Jane"}]});
    let (org, crm) = Org::start([
        (201, made("001000000000001AAA")),
        (201, made("00Q000000000001AAA")),
        (400, missing),
        (400, duplicates),
        (404, unknown),
        (201, refused),
        (201, json!({"success": true})),
        (503, json!("maintenance")),
    ])
    .await?;
    let fields =
        CrmFields::from([("Name".to_owned(), text("ACME")), ("Amount".to_owned(), CrmValue::Number("1.10".parse()?))]);
    assert_eq!(crm.create("Account", &fields).await?, "001000000000001AAA");
    assert_eq!(crm.create("Lead", &fields).await?, "00Q000000000001AAA");
    for (expected, code) in [
        ("create Lead was refused (1 problem(s))", "REQUIRED_FIELD_MISSING"),
        ("create Lead was refused (1 problem(s))", "DUPLICATES_DETECTED"),
        ("create Lead is not allowed: Salesforce answered 404 NOT_FOUND", ""),
        ("create Lead was refused (1 problem(s))", "STRING_TOO_LONG"),
        ("create Lead did not get through: Salesforce's answer lacks `id`", ""),
        ("create Lead did not get through: Salesforce answered 503", ""),
    ] {
        let error = crm.create("Lead", &fields).await.err().ok_or("an error")?;
        assert_eq!(chain(&error), expected);
        if let PortError::Rejected { problems, .. } = error {
            assert_eq!(problems[0].code, code);
        }
    }
    let seen = org.seen();
    assert_eq!((&seen[0].method, seen[0].target.as_str()), (&Method::POST, "/services/data/v66.0/sobjects/Account"));
    assert_eq!(seen[0].body, r#"{"Amount":1.10,"Name":"ACME"}"#);
    assert_eq!(seen[0].header("sforce-auto-assign"), None);
    assert_eq!(seen[1].header("sforce-auto-assign"), Some("FALSE"));
    assert_eq!(seen.len(), 8, "nothing that may have been done is repeated");
    Ok(())
}

fn described() -> Json {
    json!({"name": "Account", "label": "Customer", "fields": [
        {"name": "Id", "label": "Account ID", "type": "id", "length": 18, "nillable": false, "createable": false,
         "defaultedOnCreate": true, "idLookup": true},
        {"name": "Name", "label": "Account Name", "type": "string", "length": 255, "nillable": false,
         "createable": true, "updateable": true},
        {"name": "OwnerId", "label": "Owner ID", "type": "reference", "length": 18, "nillable": false,
         "createable": true, "updateable": true, "defaultedOnCreate": true, "referenceTo": ["User"],
         "relationshipName": "Owner"},
        {"name": "BillingAddress", "label": "Billing Address", "type": "address", "createable": false},
        {"name": "BillingCity", "label": "Billing City", "type": "string", "length": 40, "nillable": true,
         "createable": true, "updateable": true, "compoundFieldName": "BillingAddress"},
        {"name": "Signed__c", "label": "Signed", "type": "datetime", "nillable": true, "createable": true},
        {"name": "Revenue__c", "label": "Revenue", "type": "currency", "scale": 2, "createable": true},
        {"name": "Score__c", "label": "Score", "type": "double", "createable": false, "calculated": true},
        {"name": "Erp_Id__c", "label": "ERP", "type": "string", "length": 20, "nillable": true, "createable": true,
         "unique": true, "externalId": true, "idLookup": true},
        {"name": "CreatedDate", "label": "Created Date", "type": "datetime", "createable": true},
    ]})
}

#[tokio::test]
async fn describes_every_time() -> Outcome {
    let gone = json!([{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}]);
    let (org, crm) =
        Org::start([(200, described()), (200, described()), (404, gone), (200, json!({"fields": 1}))]).await?;
    let description = crm.describe("Account").await?;
    assert_eq!((description.object.as_str(), description.label.as_str()), ("Account", "Customer"));
    let name = description.field("name").ok_or("a field")?;
    assert!(name.required && name.kind == CrmKind::Text && name.length == Some(255));
    assert!(description.field("Erp_Id__c").is_some_and(|field| field.unique));
    assert_eq!(crm.describe("Account").await?, description);
    let error = crm.describe("Gone__c").await.err().ok_or("an error")?;
    assert_eq!(chain(&error), "describe Gone__c is not allowed: Salesforce answered 404 NOT_FOUND");
    let error = crm.describe("Account").await.err().ok_or("an error")?;
    assert_eq!(
        chain(&error),
        "describe Account did not get through: \
         Salesforce's answer lacks an object's `name`, `label` or usable `fields`"
    );
    let seen = org.seen();
    assert_eq!(seen[0].method, Method::GET);
    assert_eq!(seen[0].target, "/services/data/v66.0/sobjects/Account/describe");
    Ok(())
}

#[tokio::test]
async fn a_template_has_what_a_copy_can_have() -> Outcome {
    let record = json!({
        "attributes": {"type": "Account", "url": "/services/data/v66.0/sobjects/Account/001000000000001AAA"},
        "Id": "001000000000001AAA", "Name": "Template", "OwnerId": REP, "BillingAddress": {"city": "Berlin"},
        "BillingCity": null, "Signed__c": "2026-11-22T10:00:00.000+0000", "Revenue__c": 12.50, "Score__c": 7.0,
        "Erp_Id__c": "E1", "CreatedDate": "2026-01-01T00:00:00.000+0000",
    });
    let gone = json!([
        {"message": "Provided external ID field does not exist or is not accessible: 001", "errorCode": "NOT_FOUND"}
    ]);
    let deleted = json!([{"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []}]);
    let (org, crm) = Org::start([
        (200, described()),
        (200, record),
        (404, gone.clone()),
        (404, deleted),
        // The object itself is not there.
        (404, gone),
    ])
    .await?;
    let expected = [
        ("Name", text("Template")),
        ("OwnerId", text(REP)),
        ("Revenue__c", CrmValue::Number("12.50".parse()?)),
        ("Signed__c", text("2026-11-22T10:00:00Z")),
    ];
    let template = crm.template("Account", "001000000000001AAA").await?;
    assert_eq!(template, CrmFields::from(expected.map(|(name, value)| (name.to_owned(), value))));
    for _ in 0..2 {
        let error = crm.template("Account", "001000000000009AAA").await.err().ok_or("an error")?;
        assert_eq!(chain(&error), "read the template Account 001000000000009AAA found nothing");
    }
    let error = crm.template("Gone__c", "001000000000001AAA").await.err().ok_or("an error")?;
    assert_eq!(chain(&error), "describe Gone__c is not allowed: Salesforce answered 404 NOT_FOUND");
    let targets: Vec<_> = org.seen().iter().map(|seen| seen.target.clone()).collect();
    let base = "/services/data/v66.0/sobjects";
    assert_eq!(
        targets,
        [
            format!("{base}/Account/describe"),
            format!("{base}/Account/001000000000001AAA"),
            format!("{base}/Account/001000000000009AAA"),
            format!("{base}/Account/001000000000009AAA"),
            format!("{base}/Gone__c/describe"),
        ],
        "one description does for an hour"
    );
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_meant_is_not_sent() -> Outcome {
    let (org, crm) = Org::start([]).await?;
    let none = CrmFields::new();
    let parent = CrmFields::from([("Account.Name".to_owned(), text("ACME"))]);
    let bad = ["Name FROM User".to_owned()];
    let errors = [
        crm.fetch("Opportunity", CrmKey::Id("006000000000001AAA"), &bad).await.err(),
        crm.changed_since("Opportunity", Some("yesterday"), &[], 1).await.err(),
        crm.upsert("Lead/..", "Key__c", "L1", &none).await.err(),
        crm.upsert("Lead", "Key__c", "L1", &parent).await.err(),
        crm.update("Opportunity", "006000000000001AAA", &parent).await.err(),
        crm.create("Opportunity", &parent).await.err(),
        crm.create("Lead/..", &none).await.err(),
        crm.find("Account", &CrmFields::from([("Name = '' OR Name".to_owned(), text("x"))])).await.err(),
        crm.find("Account WHERE", &CrmFields::from([("Name".to_owned(), text("x"))])).await.err(),
        crm.select("Account WHERE", "Name = 'x'", 1).await.err(),
        crm.template("Account", "../Opportunity/006000000000001AAA").await.err(),
        crm.template("Account/..", "001000000000001AAA").await.err(),
        crm.describe("../limits").await.err(),
    ];
    for error in errors {
        assert_eq!(error.as_ref().map(PortError::code), Some("unauthorized"), "{error:?}");
    }
    let error = crm.create("Opportunity", &parent).await.err().ok_or("an error")?;
    assert_eq!(
        chain(&error),
        "create Opportunity is not allowed: `Account.Name` is not the name of a field that can be written in Salesforce"
    );
    let errors = [
        crm.fetch("Opportunity", CrmKey::Id("006' OR Name != '"), &[]).await.err(),
        crm.update("Opportunity", "../Account/001000000000001AAA", &none).await.err(),
        crm.upsert("Lead", "Key__c", "", &none).await.err(),
        crm.upsert("Lead", "Key__c", " ", &none).await.err(),
        crm.upsert("Lead", "Key__c", "..", &none).await.err(),
        crm.upsert("Lead", "Key__c", "a\tb", &none).await.err(),
    ];
    for error in errors {
        assert_eq!(error.as_ref().map(PortError::code), Some("rejected"), "{error:?}");
    }
    assert!(org.seen().is_empty() && org.with(|script| script.logins.is_empty()));
    Ok(())
}

#[test]
fn endpoints_must_be_protected() -> Outcome {
    let credentials = Credentials::from_secret(&r#"{"client_id":"a","client_secret":"b"}"#.into())?;
    for (endpoint, usable) in [
        ("https://acme.my.salesforce.com", true),
        ("https://crm.example.com", true),
        ("http://127.0.0.1:8080", true),
        ("http://localhost:8080", true),
        ("http://[::1]:8080", true),
        ("http://acme.my.salesforce.com", false),
        ("http://127.0.0.1.example.com", false),
        ("ftp://acme.my.salesforce.com", false),
        ("data:,https", false),
    ] {
        let config = SalesforceConfig { endpoint: Url::parse(endpoint)?, credentials: credentials.clone() };
        match Salesforce::new(config) {
            Ok(_) => assert!(usable, "{endpoint}"),
            Err(error) => assert!(!usable && matches!(error, InvalidConfig::Endpoint), "{endpoint}: {error}"),
        }
    }
    Ok(())
}
