//! The API's wire form: what Partner Central answers and what it is sent.

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::{
    Catalog, Field, InvalidId, InvitationId, Kind, MalformedValue, Record, Value, catalog::Write, path, value::unescape,
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

/// A record, and the fields that were there but could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// What could be read.
    pub record: Record,
    /// What could not.
    pub unread: Vec<(&'static Field, MalformedValue)>,
}

fn decode(kind: Kind, places: impl Fn(&'static Field) -> Option<Json>) -> Decoded {
    let mut decoded = Decoded { record: Record::new(kind), unread: Vec::new() };
    for field in kind.fields() {
        let Some(mut json) = places(field) else { continue };
        unescape_all(&mut json);
        match Value::parse(field.ty, &json) {
            Ok(Some(value)) => decoded.record.set(field, value),
            Ok(None) => {}
            Err(cause) => decoded.unread.push((field, cause)),
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
    /// `PENDING`, `ACCEPTED`, `REJECTED` or `EXPIRED`.
    pub status: String,
    /// Until when it can be answered.
    pub expires: Option<Timestamp>,
    /// Who invites.
    pub sender: Option<String>,
    /// What to.
    pub invites: Invites,
    /// What AWS shows before acceptance; masked fields are absent.
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
}

/// Reads `GetEngagementInvitation`.
pub fn invitation(get: &Json) -> Result<Invitation, UnusableInvitation> {
    let text = |member: &str| get.get(member).and_then(Json::as_str);
    let invites = match text("PayloadType").unwrap_or_default() {
        "OpportunityInvitation" => Invites::Opportunity,
        "LeadInvitation" => Invites::Lead,
        other => return Err(UnusableInvitation::PayloadType(other.to_owned())),
    };
    Ok(Invitation {
        id: InvitationId::from_id_or_arn(text("Id").unwrap_or_default())?,
        status: text("Status").unwrap_or_default().to_owned(),
        expires: text("ExpirationDate").and_then(|when| when.parse().ok()),
        sender: text("SenderCompanyName").map(str::to_owned),
        invites,
        offer: decode(Kind::Opportunity, |field| path::get(get, field.invitation?).cloned()),
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

/// Entries that AWS would refuse as a whole: spending without an amount's company, contacts without a name.
fn drop_unfinished(body: &mut Json) {
    for (list, needs) in [
        ("/Project/ExpectedCustomerSpend", &["TargetCompany", "Frequency", "CurrencyCode", "Amount"][..]),
        ("/Customer/Contacts", &["Email", "FirstName", "LastName"][..]),
        ("/OpportunityTeam", &["Email", "FirstName", "LastName"][..]),
    ] {
        if let Some(entries) = body.pointer_mut(list).and_then(Json::as_array_mut) {
            entries.retain(|entry| needs.iter().all(|member| entry.get(member).is_some()));
        }
    }
}

fn overlay(body: &mut Json, changes: &Record, writes: &[Write]) {
    for (field, value) in changes.iter() {
        if let Some(path) = field.api
            && writes.contains(&field.write)
        {
            path::set(body, path, value.to_json());
        }
    }
}

fn finish(body: &mut Json) {
    prune(body);
    drop_unfinished(body);
    prune(body);
}

/// The body of `CreateOpportunity`. It must be the same on every retry of the same `token`.
pub fn create_body(record: &Record, catalog: Catalog, token: &str) -> Json {
    let mut body = json!({"Catalog": catalog.as_str(), "ClientToken": token, "Origin": "Partner Referral"});
    let mut complete = record.clone();
    for field in record.kind().fields() {
        if let Some(default) = field.default
            && matches!(complete.get(field), None | Some(Value::Null))
        {
            complete.set(field, Value::Text(default.to_owned()));
        }
    }
    overlay(&mut body, &complete, &[Write::Body, Write::CreateOnly]);
    finish(&mut body);
    body
}

/// The body of `UpdateOpportunity`: everything that `GetOpportunity` answered, with `changes` on top. AWS replaces the
/// whole record by it, so what we do not map goes back as it came, and `LastModifiedDate` verbatim.
pub fn update_body(current: &Json, changes: &Record, catalog: Catalog) -> Json {
    let member = |name: &str| current.get(name).cloned().unwrap_or(Json::Null);
    let mut body = Json::Object(Map::from_iter(UPDATE_MEMBERS.map(|name| (name.to_owned(), member(name)))));
    unescape_all(&mut body);
    overlay(&mut body, changes, &[Write::Body]);
    if path::get(&body, "Marketing.Source").is_none_or(Json::is_null) {
        path::set(&mut body, "Marketing.Source", json!("None"));
    }
    finish(&mut body);
    body["Catalog"] = json!(catalog.as_str());
    body["Identifier"] = member("Id");
    body["LastModifiedDate"] = member("LastModifiedDate");
    body
}

/// How AWS is to be involved: selling along when the record names a need for that, else looking on.
pub fn involvement(record: &Record) -> &'static str {
    match record.value("partnerPrimaryNeedFromAws") {
        Some(Value::List(_)) => "Co-Sell",
        _ => "For Visibility Only",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(title in "[a-zA-Z0-9][a-zA-Z0-9 :;.-]{0,40}[a-z]", cents in 1i64..10_000_000) {
            let mut changes = Record::new(Kind::Opportunity);
            changes.set(field("additionalComments"), Value::Text(title));
            changes.set(field("expectedMonthlyAwsRevenue"), Value::Number(rust_decimal::Decimal::new(cents, 2).normalize()));
            let body = update_body(&get(), &changes, Catalog::Aws);
            let read = opportunity(&body, None).record;
            for (field, value) in changes.iter() {
                prop_assert_eq!(read.get(field), Some(value));
            }
        }
    }
}
