//! The API's wire form: what Partner Central answers and what it is sent.
//!
//! Sources: the service model (members, constraints), the API reference and developer guide (what an update replaces,
//! contract values), the ACE data model sheet (what is needed when).

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::{
    Catalog, EngagementId, Field, InvalidId, InvitationId, Kind, MalformedValue, Record, Value,
    catalog::{Entity, OTHER_SOLUTION, Type, Write},
    file::UnusableFile,
    json,
    life_cycle::{Acceptance, State},
    path,
    value::unescape,
};

/// Members of `GetOpportunity` that `UpdateOpportunity` takes back. AWS erases each one that is not sent.
const UPDATE_MEMBERS: [&str; 9] = [
    "PrimaryNeedsFromAws",
    "NationalSecurity",
    "PartnerOpportunityIdentifier",
    "Customer",
    "Project",
    "OpportunityType",
    "Marketing",
    "SoftwareRevenue",
    "LifeCycle",
];

/// What AWS redacts of an opportunity of national security.
const REDACTED: [&str; 5] = ["customerCompanyName", "customerWebsite", "country", "state", "postalCode"];

/// A record, and the fields that were there but could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// What could be read.
    pub record: Record,
    /// What could not, by catalog key, or by its own name where the catalog does not know it.
    pub unread: Vec<(Cow<'static, str>, MalformedValue)>,
}

impl Decoded {
    /// Without what AWS redacts when it answers: of an opportunity of national security who the customer is and where.
    #[must_use]
    pub fn without_redacted(mut self) -> Self {
        if self.record.text("doesOppBelongToNatSec") == Some("Yes") {
            let kind = self.record.kind();
            REDACTED.iter().filter_map(|key| kind.field(key)).for_each(|field| self.record.remove(field));
        }
        self
    }
}

/// Reads a file with answers of the API or bodies of its requests: JSON in which no object has a member twice.
pub fn read(bytes: &[u8]) -> Result<Json, UnusableFile> {
    let text = json::text(bytes)?;
    // Reading it first bounds the nesting.
    let json = serde_json::from_str(text)?;
    json::twice(serde_json::from_str(text)?)?;
    Ok(json)
}

fn decode(kind: Kind, find: impl Fn(&'static Field) -> Option<Json>) -> Decoded {
    let mut decoded = Decoded { record: Record::new(kind), unread: Vec::new() };
    for field in kind.fields() {
        let Some(mut json) = find(field) else { continue };
        unescape_all(&mut json);
        match Value::parse(field.ty, &json) {
            Ok(Some(value)) => decoded.record.set(field, value),
            Ok(None) => {}
            Err(cause) => decoded.unread.push((field.key.into(), cause)),
        }
    }
    decoded
}

/// Reads `GetOpportunity` and, where it was fetched, `GetAwsOpportunitySummary`. Both are complete answers: a member
/// that is missing has no value.
pub fn opportunity(get: &Json, summary: Option<&Json>) -> Decoded {
    decode(Kind::Opportunity, |field| match (field.api, field.summary, summary) {
        (Some(path), ..) => Some(path::get(get, path).cloned().unwrap_or(Json::Null)),
        (None, [path], Some(summary)) => Some(path::get(summary, path).cloned().unwrap_or(Json::Null)),
        (None, paths @ [_, _, ..], Some(summary)) => {
            let parts: Vec<&str> = paths.iter().filter_map(|path| path::get(summary, path)?.as_str()).collect();
            Some(Json::String(parts.join(" ")))
        }
        _ => None,
    })
}

/// Reads the lead that `GetEngagement` shows after acceptance.
///
/// A contact's full name, which only files have, is made of the two that the API has.
pub fn lead(get: &Json) -> Decoded {
    let mut decoded = decode(Kind::Lead, |field| Some(path::get(get, field.api?).cloned().unwrap_or(Json::Null)));
    let names: Vec<&str> = ["firstName", "lastName"].iter().filter_map(|key| decoded.record.text(key)).collect();
    if let Some(field) = Kind::Lead.field("fullName").filter(|_| !names.is_empty()) {
        let name = Value::Text(names.join(" "));
        decoded.record.set(field, name);
    }
    decoded
}

/// The identifier of an engagement's lead among its contexts, as `StartOpportunityFromEngagementTask` wants it.
pub fn lead_context(get: &Json) -> Option<&str> {
    let contexts = get.get("Contexts")?.as_array()?;
    contexts.iter().find(|context| context.get("Type").is_some_and(|it| it == "Lead"))?.get("Id")?.as_str()
}

/// A record in the shape of `GetOpportunity` (a lead: of `GetEngagement`), which [`opportunity`] and [`lead`] read again.
/// What only AWS's own view has is in [`summary_document`].
pub fn document(record: &Record) -> Json {
    written(record, |field| field.api.into_iter().collect())
}

/// What of a record `GetAwsOpportunitySummary` shows.
pub fn summary_document(record: &Record) -> Json {
    written(record, |field| if field.api.is_none() { field.summary.to_vec() } else { Vec::new() })
}

fn written(record: &Record, paths: impl Fn(&'static Field) -> Vec<&'static str>) -> Json {
    let mut document = json!({});
    for (field, value) in record.iter() {
        match (paths(field).as_slice(), value) {
            ([], _) => {}
            ([path], _) => path::set(&mut document, path, to_json(field, value)),
            (paths, Value::Text(text)) => {
                for (path, part) in paths.iter().zip(text.splitn(paths.len(), ' ')) {
                    path::set(&mut document, path, json!(part));
                }
            }
            (paths, _) => paths.iter().for_each(|path| path::set(&mut document, path, Json::Null)),
        }
    }
    escape_all(&mut document);
    document
}

/// Escapes as AWS does in its answers where reading would undo what looks escaped already.
fn escape_all(json: &mut Json) {
    match json {
        Json::String(text) if unescape(text) != text.as_str() => *text = text.replace('&', "&amp;"),
        Json::Array(items) => items.iter_mut().for_each(escape_all),
        Json::Object(members) => members.values_mut().for_each(escape_all),
        _ => {}
    }
}

/// A value as the API spells it.
fn to_json(field: &Field, value: &Value) -> Json {
    match (field.ty, value) {
        // The API says *none of these* by naming none.
        (Type::Picklists(list), Value::List(items)) => {
            let named: Vec<_> = items.iter().filter(|item| list.none != Some(item.as_str())).cloned().collect();
            if named.is_empty() { Json::Null } else { Json::from(named) }
        }
        (Type::History, Value::Text(text)) => text
            .lines()
            .map(|line| match line.split_once(": ") {
                Some((time, value)) if time.parse::<Timestamp>().is_ok() => json!({"Time": time, "Value": value}),
                _ => json!({"Value": line}),
            })
            .collect(),
        _ => value.to_json(),
    }
}

/// What an invitation invites to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invites {
    /// An opportunity: accepting it makes one at the partner's side.
    Opportunity,
    /// A lead: accepting it joins an engagement.
    Lead,
}

/// An engagement invitation as `GetEngagementInvitation` answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its identifier.
    pub id: InvitationId,
    /// How it was answered.
    pub status: Acceptance,
    /// Until when it can be answered.
    pub expires: Option<Timestamp>,
    /// Who invites.
    pub sender: Option<String>,
    /// The engagement that it is about.
    pub engagement: Option<EngagementId>,
    /// What to.
    pub invites: Invites,
    /// What AWS shows before acceptance, an opportunity or a lead; masked fields are absent.
    pub offer: Decoded,
}

/// Why an answer is no invitation that we can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnusableInvitation {
    /// The identifier is missing or not one.
    #[error("the invitation carries no usable identifier")]
    Id(#[from] InvalidId),
    /// A payload type that this version does not know.
    #[error("the invitation's payload type `{0}` is not known")]
    PayloadType(String),
    /// A status that this version does not know.
    #[error("the invitation's status `{0}` is not known")]
    Status(String),
}

/// Reads `GetEngagementInvitation`.
pub fn invitation(get: &Json) -> Result<Invitation, UnusableInvitation> {
    let text = |member: &str| get.get(member).and_then(Json::as_str);
    let (invites, kind) = match text("PayloadType").unwrap_or_default() {
        "OpportunityInvitation" => (Invites::Opportunity, Kind::Opportunity),
        "LeadInvitation" => (Invites::Lead, Kind::Lead),
        other => return Err(UnusableInvitation::PayloadType(other.to_owned())),
    };
    let status = text("Status").unwrap_or_default();
    Ok(Invitation {
        id: InvitationId::from_id_or_arn(text("Id").unwrap_or_default())?,
        status: Acceptance::from_name(status).ok_or_else(|| UnusableInvitation::Status(status.to_owned()))?,
        expires: text("ExpirationDate").and_then(|when| when.parse().ok()),
        sender: text("SenderCompanyName").map(str::to_owned),
        engagement: text("EngagementId").and_then(|id| EngagementId::from_id_or_arn(id).ok()),
        invites,
        offer: decode(kind, |field| path::get(get, field.invitation?).cloned()),
    })
}

/// Removes the members that AWS answers for nothing and refuses when they are sent back: nulls, blank texts, empty
/// lists and objects. Says whether anything is left.
fn prune(json: &mut Json) -> bool {
    match json {
        Json::Null => false,
        Json::String(text) => !text.trim().is_empty() && text != "null",
        Json::Array(items) => {
            items.retain_mut(prune);
            !items.is_empty()
        }
        Json::Object(members) => {
            members.retain(|_, member| prune(member));
            !members.is_empty()
        }
        Json::Bool(_) | Json::Number(_) => true,
    }
}

fn unescape_all(json: &mut Json) {
    match json {
        Json::String(text) => {
            if let std::borrow::Cow::Owned(plain) = unescape(text) {
                *text = plain;
            }
        }
        Json::Array(items) => items.iter_mut().for_each(unescape_all),
        Json::Object(members) => members.values_mut().for_each(unescape_all),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// What AWS would refuse as a whole because half of it is missing: spending without an amount's company, contacts without
/// a name. Of members joined by `|` one is enough.
const WHOLE_OR_NOT_AT_ALL: [(&str, &[&str]); 5] = [
    ("/Project/ExpectedCustomerSpend", &["TargetCompany", "Frequency", "CurrencyCode", "Amount|EstimationUrl"]),
    ("/Project/ExpectedContractDuration", &["Term", "Value"]),
    ("/SoftwareRevenue/Value", &["Amount", "CurrencyCode"]),
    ("/Customer/Contacts", &["Email", "FirstName", "LastName"]),
    ("/OpportunityTeam", &["Email", "FirstName", "LastName"]),
];

fn drop_unfinished(body: &mut Json) {
    for (place, needs) in WHOLE_OR_NOT_AT_ALL {
        let whole = |entry: &Json| needs.iter().all(|names| names.split('|').any(|name| entry.get(name).is_some()));
        match body.pointer_mut(place) {
            Some(Json::Array(entries)) => entries.retain(whole),
            Some(entry) if !whole(entry) => *entry = Json::Null,
            _ => {}
        }
    }
}

/// Writes `changes` into a body, then the defaults of what is still missing, and leaves out what AWS would refuse.
fn overlay(body: &mut Json, changes: &Record, writes: &[Write]) {
    for (field, value) in changes.iter() {
        if let Some(path) = field.api
            && writes.contains(&field.write)
        {
            path::set(body, path, to_json(field, value));
        }
    }
    for field in changes.kind().fields() {
        if let (Some(path), Some(default)) = (field.api, field.default)
            && path::get(body, path).is_none_or(|json| !prune(&mut json.clone()))
        {
            path::set(body, path, json!(default));
        }
    }
    prune(body);
    drop_unfinished(body);
    prune(body);
}

/// The body of `CreateOpportunity`. It must be the same on every retry of the same `token`.
pub fn create_body(record: &Record, catalog: Catalog, token: &str) -> Json {
    let mut body = json!({"Catalog": catalog.as_str(), "ClientToken": token, "Origin": "Partner Referral"});
    overlay(&mut body, record, &[Write::Body, Write::CreateOnly]);
    body
}

/// The body of `UpdateOpportunity`: everything that `GetOpportunity` answered, with `changes` on top. AWS replaces the
/// whole record by it, so what we do not map goes back as it came, and `LastModifiedDate` verbatim.
pub fn update_body(current: &Json, changes: &Record, catalog: Catalog) -> Json {
    let member = |name: &str| current.get(name).cloned().unwrap_or(Json::Null);
    let mut body = Json::Object(Map::from_iter(UPDATE_MEMBERS.map(|name| (name.to_owned(), member(name)))));
    unescape_all(&mut body);
    overlay(&mut body, changes, &[Write::Body]);
    // The one member for which AWS takes *missing* for *unchanged*.
    if changes.value("contractDuration") == Some(&Value::Null) {
        path::set(&mut body, "Project.ExpectedContractDuration", Json::Null);
    }
    body["Catalog"] = json!(catalog.as_str());
    body["Identifier"] = member("Id");
    body["LastModifiedDate"] = member("LastModifiedDate");
    body
}

/// What `AssociateOpportunity` is called with for a record, once each.
pub fn associations(record: &Record) -> impl Iterator<Item = (Entity, &str)> {
    record.iter().filter_map(|(field, value)| Some((field.entity()?, value))).flat_map(|(entity, value)| {
        value.items().iter().map(String::as_str).filter(|id| *id != OTHER_SOLUTION).map(move |id| (entity, id))
    })
}

/// What `AssignOpportunity` is called with where `changes` name other people than before: the owner, who must be a user of
/// Partner Central, and the partner's salesperson.
pub fn assignees(changes: &Record, merged: &Record) -> Vec<Json> {
    let assignee = |title: &str| {
        let role = format!("OpportunityTeam[BusinessTitle={title}].");
        let of_role = |field: &'static Field| Some((field, field.api?.strip_prefix(&role)?));
        changes.iter().find_map(|(field, _)| of_role(field))?;
        // AWS takes an owner's names from the user's own profile, and wants some all the same.
        let mut person = json!({"FirstName": "Opportunity", "LastName": "Owner"});
        for (field, member) in merged.kind().fields().iter().filter_map(of_role) {
            if let Some(value) = merged.get(field).filter(|value| **value != Value::Null) {
                person[member] = value.to_json();
            }
        }
        person["BusinessTitle"] = json!(title);
        person.get("Email").is_some().then_some(person)
    };
    ["OpportunityOwner", "PartnerAccountManager"].into_iter().filter_map(assignee).collect()
}

/// How much of a deal AWS's sellers are to see. It can be said at the submission only.
pub fn visibility(record: &Record) -> &'static str {
    if record.text("visibility") == Some("Limited") { "Limited" } else { "Full" }
}

/// How AWS is to be involved: selling along when the record names a need for that, else looking on.
pub fn involvement(record: &Record) -> &'static str {
    let needs = Kind::Opportunity.field("partnerPrimaryNeedFromAws");
    match needs.and_then(|field| Some(to_json(field, record.get(field)?))) {
        Some(Json::Array(_)) => "Co-Sell",
        _ => "For Visibility Only",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::any_record;

    fn get() -> Json {
        json!({
            "Id": "O1234567", "Arn": "arn:…", "Catalog": "AWS", "LastModifiedDate": "2026-03-09T01:50:25.123Z",
            "CreatedDate": "2026-03-01T00:00:00.000Z", "NationalSecurity": null, "PrimaryNeedsFromAws": [],
            "PartnerOpportunityIdentifier": "006A", "OpportunityType": "Net New Business",
            "Customer": {
                "Account": {"CompanyName": "Nordlicht", "WebsiteUrl": "null", "Industry": "Software and Internet",
                    "Address": {"CountryCode": "DE"}},
                "Contacts": [{"Email": "A@example.com", "FirstName": "Ada", "LastName": "L"}, {"Email": "half@example.com"}]
            },
            "Project": {
                "Title": "Lake&amp;colon; phase 1", "CustomerUseCase": "Security &amp; Compliance", "SalesActivities": null,
                "ExpectedCustomerSpend": [
                    {"Amount": "10.50", "CurrencyCode": "EUR", "Frequency": "Monthly", "TargetCompany": "AWS"},
                    {"Amount": "1"}],
                "NewMember": {"Kept": true}
            },
            "LifeCycle": {"Stage": "Qualified", "ReviewStatus": "Approved", "TargetCloseDate": "2027-01-31", "NextStepsHistory": []},
            "OpportunityTeam": [{"BusinessTitle": "OpportunityOwner", "Email": "o@example.com"}],
            "RelatedEntityIdentifiers": {"Solutions": ["S-1"], "AwsProducts": []}
        })
    }

    fn field(key: &str) -> &'static Field {
        Kind::Opportunity.field(key).unwrap()
    }

    #[test]
    fn what_aws_redacts_is_absent() {
        let account =
            json!({"CompanyName": "x", "WebsiteUrl": "x.example", "Address": {"CountryCode": "US", "City": "Kiel"}});
        let answer = |secret: &str| json!({"NationalSecurity": secret, "Customer": {"Account": account}});
        let shown = |secret: &str| {
            let record = opportunity(&answer(secret), None).without_redacted().record;
            ["customerCompanyName", "customerWebsite", "country", "state", "postalCode", "city"]
                .map(|key| record.value(key).is_some())
        };
        assert_eq!(shown("Yes"), [false, false, false, false, false, true]);
        assert_eq!(shown("No"), [true; 6], "one without a value is empty, not absent");
    }

    #[test]
    fn answers_are_read_by_the_catalog() {
        let summary = json!({"LifeCycle": {"Stage": "Engaged"}, "Origin": "Partner Referral",
            "OpportunityTeam": [{"BusinessTitle": "AWSSalesRep", "FirstName": "Sam", "LastName": "Ng"}]});
        let Decoded { record, unread } = opportunity(&get(), Some(&summary));
        assert_eq!(unread, []);
        insta::assert_json_snapshot!(
            record
                .iter()
                .filter(|(_, v)| **v != Value::Null)
                .map(|(f, v)| (f.key.to_owned(), v.to_json()))
                .collect::<Map<_, _>>()
        );
        assert_eq!(record.value("customerWebsite"), Some(&Value::Null));
        assert_eq!(opportunity(&get(), None).record.value("awsStage"), None, "not asked for is absent");
    }

    #[test]
    fn an_update_sends_back_everything_that_it_does_not_change() {
        let mut changes = Record::new(Kind::Opportunity);
        changes.set(field("nextStep"), Value::Text("Call".into()));
        changes.set(field("city"), Value::Null);
        changes.set(field("apnCrmUniqueIdentifier"), Value::Text("O9".into()));
        insta::assert_json_snapshot!(update_body(&get(), &changes, Catalog::Aws));
    }

    #[test]
    fn a_creation_carries_defaults_and_no_blanks() {
        let mut record = Record::new(Kind::Opportunity);
        record.set(field("partnerProjectTitle"), Value::Text("Lake".into()));
        record.set(field("expectedMonthlyAwsRevenue"), Value::Number("250".parse().unwrap()));
        record.set(field("customerFirstName"), Value::Text("Ada".into()));
        record.set(field("solutionOffered"), Value::List(vec!["S-1".into()]));
        record.set(field("city"), Value::Null);
        insta::assert_json_snapshot!(create_body(&record, Catalog::Sandbox, "token"));
        assert_eq!(involvement(&record), "For Visibility Only");
    }

    #[test]
    fn an_invitation_shows_only_what_aws_shows() {
        let answer = json!({"Id": "arn:aws:partnercentral:us-east-1::catalog/AWS/engagement-invitation/engi-0123456789abc",
            "Status": "PENDING", "PayloadType": "OpportunityInvitation", "ExpirationDate": "2026-03-24T01:50:25.685385312Z",
            "SenderCompanyName": "AWS", "Payload": {"OpportunityInvitation": {"Customer": {"CompanyName": "Nordlicht", "CountryCode": "DE"},
            "Project": {"Title": "Lake", "ExpectedCustomerSpend": [{"Amount": "100"}]}}}});
        let invitation = invitation(&answer).unwrap();
        assert_eq!(invitation.id.as_str(), "engi-0123456789abc");
        assert_eq!(invitation.offer.record.text("customerCompanyName"), Some("Nordlicht"));
        assert_eq!(invitation.offer.record.value("city"), None);
        assert!(super::invitation(&json!({"PayloadType": "Other"})).is_err());
        let odd = json!({"PayloadType": "LeadInvitation", "Status": "MAYBE", "Id": "engi-0123456789abc"});
        assert_eq!(super::invitation(&odd).unwrap_err().to_string(), "the invitation's status `MAYBE` is not known");
    }

    #[test]
    fn a_lead_shows_less_before_acceptance_than_after() {
        let answer = json!({"Id": "engi-0123456789abc", "Status": "PENDING", "PayloadType": "LeadInvitation",
            "Payload": {"LeadInvitation": {
                "Customer": {"CompanyName": "Nordlicht", "CountryCode": "DE", "Industry": "Software and Internet",
                    "AwsMaturity": "Evaluating"},
                "Interaction": {"ContactBusinessTitle": "CTO", "SourceType": "Event", "SourceName": "Summit", "Novel": 1}}}});
        let invitation = invitation(&answer).unwrap();
        assert_eq!((invitation.invites, invitation.status), (Invites::Lead, Acceptance::Pending));
        let offer = invitation.offer.record;
        assert_eq!(offer.kind(), Kind::Lead);
        assert_eq!((offer.text("company"), offer.text("title")), (Some("Nordlicht"), Some("CTO")));
        assert_eq!(offer.value("email"), None);

        let engagement = json!({"Id": "eng-0123456789abcd", "CreatedAt": "2026-03-09T01:50:25.123456789Z", "Contexts": [
            {"Type": "CustomerProject", "Payload": {}},
            {"Type": "Lead", "Id": "1", "Payload": {"Lead": {"QualificationStatus": "Qualified",
                "Customer": {"CompanyName": "Nordlicht", "Address": {"City": "Hamburg", "CountryCode": "DE"}},
                "Interactions": [{"Contact": {"Email": "Ada@Example.com", "BusinessTitle": "CTO"}, "Usecase": "IOT"}]}}}]});
        let Decoded { record, unread } = lead(&engagement);
        assert_eq!(unread, []);
        assert_eq!((record.text("email"), record.text("city")), (Some("ada@example.com"), Some("Hamburg")));
        assert_eq!(record.text("engagementId"), Some("eng-0123456789abcd"));
    }

    #[test]
    fn text_that_looks_escaped_survives() {
        let mut record = Record::new(Kind::Opportunity);
        for text in ["R&amp;D", "a &lt; b", "R&D", "x &amp;amp; y"] {
            record.set(field("additionalComments"), Value::Text(text.into()));
            assert_eq!(opportunity(&document(&record), None).record.text("additionalComments"), Some(text));
        }
    }

    #[test]
    fn files_of_answers_are_read_strictly() {
        for (bytes, expected) in [
            (&br#"{"Id":"O1","Project":[{"Title":"a","Title":"b"}]}"#[..], "`Title` occurs twice: remove one"),
            (
                b"\xef\xbb\xbf{}",
                "the file is not UTF-8 from byte 0 on (it begins with a byte order mark): save it as UTF-8",
            ),
            (b"{\"Id\":\"\xff\"}", "the file is not UTF-8 from byte 7 on: save it as UTF-8"),
            (b"[1,]", "the file is not JSON"),
        ] {
            assert_eq!(read(bytes).unwrap_err().to_string(), expected);
        }
        assert!(read(&b"[".repeat(100_000)).is_err());
        assert_eq!(read(br#"{"Id":"O1","Team":[{"Id":1},{"Id":2}]}"#).unwrap()["Team"][1]["Id"], json!(2));
    }

    #[test]
    fn no_need_is_said_by_naming_none() {
        let needs = field("partnerPrimaryNeedFromAws");
        let mut record = Record::new(Kind::Opportunity);
        let involvement_of = |record: &Record, needs: &[&str]| {
            let mut record = record.clone();
            record.set(field("partnerPrimaryNeedFromAws"), Value::list(needs.iter().map(|&need| need.to_owned())));
            (involvement(&record), create_body(&record, Catalog::Aws, "t").get("PrimaryNeedsFromAws").cloned())
        };
        let none = "Do Not Need Support from AWS Sales Rep";
        assert_eq!(involvement_of(&record, &[]), ("For Visibility Only", None));
        assert_eq!(involvement_of(&record, &[none]), ("For Visibility Only", None));
        let deal = "Co-Sell - Deal Support";
        assert_eq!(involvement_of(&record, &[deal]), ("Co-Sell", Some(json!([deal]))));
        record.set(needs, Value::Null);
        assert_eq!(involvement(&record), "For Visibility Only");
    }

    #[test]
    fn a_contract_is_sent_whole_or_not_at_all() {
        let mut changes = Record::new(Kind::Opportunity);
        changes.set(field("expectedContractValue"), Value::Number(24_000.into()));
        changes.set(field("contractDuration"), Value::Number(24.into()));
        let body = update_body(&get(), &changes, Catalog::Aws);
        assert_eq!(
            body["Project"]["ExpectedCustomerSpend"][1],
            json!({"TargetCompany": "Self", "Amount": "24000", "CurrencyCode": "USD", "Frequency": "None"})
        );
        assert_eq!(body["Project"]["ExpectedContractDuration"], json!({"Value": "24", "Term": "Months"}));
        assert!(
            update_body(&get(), &Record::new(Kind::Opportunity), Catalog::Aws)["Project"]
                .get("ExpectedContractDuration")
                .is_none()
        );
        changes.set(field("contractDuration"), Value::Null);
        assert_eq!(
            update_body(&get(), &changes, Catalog::Aws)["Project"].get("ExpectedContractDuration"),
            Some(&Json::Null),
            "leaving it out would leave it as it is"
        );
    }

    #[test]
    fn what_is_associated_is_named_once_each() {
        let mut record = Record::new(Kind::Opportunity);
        record.set(field("solutionOffered"), Value::list(["S-1".to_owned(), OTHER_SOLUTION.to_owned()]));
        record.set(field("awsProducts"), Value::list(["AmazonEC2Linux".to_owned()]));
        assert_eq!(
            associations(&record).collect::<Vec<_>>(),
            [(Entity::AwsProduct, "AmazonEC2Linux"), (Entity::Solution, "S-1")]
        );
    }

    /// What the API's spelling of a record cannot say: the value for *none of these*, and fields without a place.
    fn in_the_api(record: &Record, has_place: impl Fn(&Field) -> bool) -> Record {
        let mut kept = Record::new(record.kind());
        for (field, value) in record.iter().filter(|(field, _)| has_place(field)) {
            let none = field.ty.picklist().and_then(|list| list.none);
            let value = match value {
                Value::List(items) if none.is_some() => {
                    Value::list(items.iter().filter(|item| none != Some(item)).cloned())
                }
                value => value.clone(),
            };
            kept.set(field, value);
        }
        kept
    }

    fn filled(record: &Record) -> Record {
        let mut filled = Record::new(record.kind());
        record
            .iter()
            .filter(|(_, value)| **value != Value::Null)
            .for_each(|(field, value)| filled.set(field, value.clone()));
        filled
    }

    proptest! {
        /// Every kind of field: what is written as an answer is read again, and nothing else.
        #[test]
        fn documents_are_read_as_they_were_written(
            opportunity_record in any_record(Kind::Opportunity),
            lead_record in any_record(Kind::Lead),
        ) {
            let read = opportunity(&document(&opportunity_record), Some(&summary_document(&opportunity_record)));
            prop_assert_eq!(read.unread, []);
            let placed = |field: &Field| field.api.is_some() || !field.summary.is_empty();
            prop_assert_eq!(filled(&read.record), filled(&in_the_api(&opportunity_record, placed)));
            let mut read = lead(&document(&lead_record));
            read.record.remove(Kind::Lead.field("fullName").expect("a lead has one"));
            prop_assert_eq!(filled(&read.record), filled(&in_the_api(&lead_record, |field| field.api.is_some())));
        }

        /// An update says what changed and leaves everything else as it came.
        #[test]
        fn an_update_is_read_as_current_with_changes(current in any_record(Kind::Opportunity), changes in any_record(Kind::Opportunity)) {
            let in_body = |field: &Field| field.write == Write::Body;
            let current = filled(&in_the_api(&current, in_body));
            let body = update_body(&document(&current), &changes, Catalog::Aws);
            let read = opportunity(&body, None).record;
            let changes = in_the_api(&changes, in_body);
            let halves = ["expected", "contractDuration", "customer", "estimationUrl"];
            for (field, value) in current.iter().filter(|(field, _)| changes.get(field).is_none()).chain(changes.iter()) {
                // What is left out when its other half is missing has a test of its own.
                if !halves.iter().any(|half| field.key.starts_with(half)) && (*value != Value::Null || field.default.is_none()) {
                    prop_assert_eq!(read.get(field), Some(value), "{}", field.key);
                }
            }
        }
    }
}
