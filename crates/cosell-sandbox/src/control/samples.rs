//! What AWS's people send when the control API does not say otherwise.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Body, Refusal, checked};
use crate::partner_central::invitations::{Invitation, OPEN};
use crate::partner_central::table::TABLE;
use crate::partner_central::{engagements, lifecycle, text};

fn in_three_months(now: Timestamp) -> String {
    (now + SignedDuration::from_hours(24 * 90)).strftime("%Y-%m-%d").to_string()
}

fn object(value: Value) -> Body {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// What an opportunity has when nobody says otherwise.
pub fn opportunity(now: Timestamp) -> Body {
    object(json!({
        "PrimaryNeedsFromAws": ["Co-Sell - Deal Support"],
        "NationalSecurity": "No",
        "Customer": {
            "Account": {
                "CompanyName": "Example Customer",
                "Industry": "Software and Internet",
                "WebsiteUrl": "https://customer.example",
                "Address": {
                    "CountryCode": "US",
                    "StateOrRegion": "Washington",
                    "City": "Seattle",
                    "PostalCode": "98101",
                    "StreetAddress": "1 Example Street",
                },
            },
        },
        "Project": {
            "Title": "Example project",
            "CustomerBusinessProblem": "The customer wants to leave its own data centre within a year.",
            "CustomerUseCase": "Migration / Database Migration",
            "DeliveryModels": ["SaaS or PaaS"],
            "SalesActivities": ["Initialized discussions with customer"],
            "OtherSolutionDescription": "Example solution",
            "ExpectedCustomerSpend": [
                {"Amount": "1000.00", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"},
            ],
        },
        "OpportunityType": "Net New Business",
        "Marketing": {"Source": "None"},
        "LifeCycle": {"Stage": "Prospect", "TargetCloseDate": in_three_months(now), "ReviewStatus": "Approved"},
    }))
}

/// A request to invite the partner.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    #[serde(default = "opportunity_invitation")]
    payload_type: String,
    #[serde(default)]
    customer: Body,
    #[serde(default)]
    project: Body,
    #[serde(default)]
    interaction: Body,
    contacts: Option<Vec<Value>>,
    responsibilities: Option<Vec<String>>,
    title: Option<String>,
    message: Option<String>,
    hidden: Option<Body>,
    expires_in_seconds: Option<u32>,
    pub ring: Option<bool>,
}

fn opportunity_invitation() -> String {
    "OpportunityInvitation".to_owned()
}

/// The parts of an invitation: what it shows, and what acceptance adds.
type Parts = (Body, Body);

fn lead(now: Timestamp) -> Parts {
    let shown = json!({
        "Customer": {"CompanyName": "Example Customer", "CountryCode": "US"},
        "Interaction": {"ContactBusinessTitle": "Head of IT"},
    });
    let hidden = json!({
        "QualificationStatus": "Unqualified",
        "Customer": {"Address": {"StateOrRegion": "Washington", "City": "Seattle", "PostalCode": "98101"}},
        "Interaction": {
            "Contact": {
                "FirstName": "Casey",
                "LastName": "Customer",
                "Email": "casey@customer.example",
                "Phone": "+12065550100",
            },
            "InteractionDate": text::millis(now),
            "CustomerAction": "Asked for a meeting",
            "BusinessProblem": "The customer wants to leave its own data centre within a year.",
        },
    });
    (object(shown), object(hidden))
}

fn referral(given: &NewInvitation, now: Timestamp) -> Parts {
    let address = text::str_at(&given.customer, "CountryCode").filter(|country| *country != "US").map_or_else(
        || json!({"StateOrRegion": "Washington", "City": "Seattle", "PostalCode": "98101"}),
        |_| json!({"City": "Example City", "PostalCode": "10115"}),
    );
    let mut hidden = Map::new();
    text::set(&mut hidden, "Customer.Account.Address", address);
    if given.hidden.is_none() {
        let contacts = json!([{
            "FirstName": "Casey",
            "LastName": "Customer",
            "Email": "casey@customer.example",
            "Phone": "+12065550100",
            "BusinessTitle": "Head of IT",
        }]);
        text::set(&mut hidden, "Customer.Contacts", contacts);
    }
    let shown = json!({
        "SenderContacts": [
            {"Email": "sam.seller@aws.example", "FirstName": "Sam", "LastName": "Seller"},
        ],
        "ReceiverResponsibilities": ["Software Partner"],
        "Customer": {
            "CompanyName": "Example Customer",
            "WebsiteUrl": "https://customer.example",
            "Industry": "Software and Internet",
            "CountryCode": "US",
        },
        "Project": {
            "Title": "Example referral",
            "BusinessProblem": "The customer wants to leave its own data centre within a year.",
            "TargetCompletionDate": in_three_months(now),
            "ExpectedCustomerSpend": [
                {"Amount": "1000.00", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"},
            ],
        },
    });
    (object(shown), hidden)
}

/// The invitation that is asked for.
pub fn invitation(given: NewInvitation, now: Timestamp) -> Result<Invitation, Refusal> {
    let rows = TABLE
        .invitation
        .get(&given.payload_type)
        .ok_or_else(|| Refusal::bad("payload_type must be OpportunityInvitation or LeadInvitation"))?;
    let is_lead = given.payload_type == "LeadInvitation";
    let (mut payload, mut hidden) = if is_lead { lead(now) } else { referral(&given, now) };
    let mut parts = Map::new();
    for (key, part) in [("Customer", given.customer), ("Project", given.project), ("Interaction", given.interaction)] {
        if !part.is_empty() {
            parts.insert(key.to_owned(), Value::Object(part));
        }
    }
    if let Some(contacts) = given.contacts {
        parts.insert("SenderContacts".to_owned(), Value::Array(contacts));
    }
    if let Some(responsibilities) = given.responsibilities {
        parts.insert("ReceiverResponsibilities".to_owned(), json!(responsibilities));
    }
    text::merge(&mut payload, &parts);
    checked(rows, &payload)?;
    text::merge(&mut hidden, &given.hidden.unwrap_or_default());
    if is_lead {
        checked_lead(&payload, &hidden)?;
    } else {
        checked_hidden(&hidden)?;
    }
    let mut invitation = Invitation::new(&given.payload_type, payload, now);
    invitation.hidden = hidden;
    invitation.message = given.message;
    if let Some(title) = given.title {
        invitation.title = title.chars().take(40).collect();
    }
    let open = given.expires_in_seconds.map_or(OPEN, |seconds| SignedDuration::from_secs(i64::from(seconds)));
    invitation.expires = now + open;
    Ok(invitation)
}

/// What a lead hides is spelled as an update of it, and both together must be a lead.
fn checked_lead(payload: &Body, hidden: &Body) -> Result<(), Refusal> {
    let members = &TABLE.shapes["UpdateLead"];
    if let Some(key) = hidden.keys().find(|key| !members.contains_key(*key)) {
        return Err(Refusal::bad(format!("hidden takes what UpdateEngagementContext takes of a lead, not {key}")));
    }
    Ok(TABLE.shape("Lead", &engagements::lead(payload, hidden))?)
}

/// Hidden members are part of an opportunity: what the payload shows already may be missing.
fn checked_hidden(hidden: &Body) -> Result<(), Refusal> {
    let mut whole = hidden.clone();
    if text::at(&whole, "Customer.Account").is_some() && text::at(&whole, "Customer.Account.CompanyName").is_none() {
        text::set(&mut whole, "Customer.Account.CompanyName", json!("shown already"));
    }
    if whole.keys().any(|key| !lifecycle::BODY.contains(&key.as_str())) {
        return Err(Refusal::bad(format!("hidden takes only {}", lifecycle::BODY.join(", "))));
    }
    checked(&TABLE.opportunity, &whole)
}
