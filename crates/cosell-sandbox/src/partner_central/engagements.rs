//! Engagements: what AWS and the partner share about a lead or a customer's project.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::errors::{ApiError, Code, Problem};
use super::invitations::{Invitation, shown};
use super::operations::{defaults, new_opportunity};
use super::store::Store;
use super::table::{TABLE, fits};
use super::tasks::{CONVERSION, Failure, Ids};
use super::{paging, text, views};
use crate::world::State;

type Body = Map<String, Value>;
type Outcome = Result<Value, ApiError>;

/// Most contexts of one engagement.
const CONTEXTS: usize = 5;
/// Most interactions of one lead.
const INTERACTIONS: usize = 10;

/// An engagement.
#[derive(Debug, Clone)]
pub struct Engagement {
    /// `eng-…`
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: Option<String>,
    /// When it was made.
    created: Timestamp,
    /// The account that made it; AWS appears as `aws`.
    created_by: String,
    /// The optimistic lock of its contexts.
    pub modified: Timestamp,
    /// The account that changed it last.
    modified_by: String,
    /// The accounts that see it.
    pub members: Vec<String>,
    /// What is known, in the order of its identifiers.
    contexts: Vec<Context>,
}

/// One context; its identifier is its place in the list, from 1.
#[derive(Debug, Clone)]
struct Context {
    kind: &'static str,
    payload: Body,
}

/// A moment that a reader who keeps microseconds only cannot give back.
fn finer(at: Timestamp) -> Timestamp {
    if at.subsec_nanosecond() % 1000 == 0 { at + SignedDuration::from_nanos(1) } else { at }
}

impl Engagement {
    /// The engagement that an invitation asks into.
    pub fn of(invitation: &Invitation, creator: &str, now: Timestamp) -> Self {
        let context = if invitation.payload_type == "LeadInvitation" {
            Context { kind: "Lead", payload: lead(&invitation.payload, &invitation.hidden) }
        } else {
            project(&invitation.payload)
        };
        let created = finer(now);
        Self {
            id: invitation.engagement.clone(),
            title: invitation.title.clone(),
            description: invitation.description(),
            created,
            created_by: creator.to_owned(),
            modified: created,
            modified_by: creator.to_owned(),
            members: vec![creator.to_owned()],
            contexts: vec![context],
        }
    }

    /// Somebody changed it.
    fn touch(&mut self, by: &str, now: Timestamp) {
        self.modified = finer(now.max(self.modified + SignedDuration::from_nanos(1)));
        by.clone_into(&mut self.modified_by);
    }

    fn context(&mut self, id: &str) -> Option<&mut Context> {
        self.contexts.get_mut(id.parse::<usize>().ok()?.checked_sub(1)?)
    }

    fn types(&self) -> Vec<&'static str> {
        let mut types: Vec<&str> = Vec::new();
        for context in &self.contexts {
            if !types.contains(&context.kind) {
                types.push(context.kind);
            }
        }
        types
    }

    /// A row of `ListEngagements`.
    fn listed(&self, state: &State) -> Value {
        json!({
            "Id": self.id,
            "Arn": state.arn("engagement", &self.id),
            "Title": self.title,
            "CreatedAt": text::nanos(self.created),
            "CreatedBy": self.created_by,
            "MemberCount": self.members.len(),
            "ModifiedAt": text::nanos(self.modified),
            "ModifiedBy": self.modified_by,
            "ContextTypes": self.types(),
        })
    }

    /// `GetEngagement`'s answer.
    pub fn full(&self, state: &State) -> Value {
        let contexts = self.contexts.iter().enumerate().map(|(index, context)| {
            let rows = &TABLE.shapes[context.kind];
            let payload = views::whole(rows, &context.payload, state.switches.escape_text);
            json!({"Id": (index + 1).to_string(), "Type": context.kind, "Payload": {context.kind: payload}})
        });
        let mut answer = self.listed(state);
        answer["Description"] = json!(self.description);
        answer["Contexts"] = contexts.collect();
        if let Value::Object(answer) = &mut answer {
            answer.shift_remove("ContextTypes");
        }
        answer
    }

    /// AWS's people change its title, its description or its contexts, which go by their types.
    pub fn edit(&mut self, mut changes: Body, now: Timestamp) -> Result<(), ApiError> {
        let mut next = self.clone();
        let mut text = |key: &str| match changes.shift_remove(key) {
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ApiError::serialization(key)),
            None => Ok(None),
        };
        next.title = text("Title")?.unwrap_or(next.title);
        next.description = text("Description")?.or(next.description);
        for (kind, change) in changes {
            let absent = || ApiError::not_found(&format!("{kind} in this engagement"));
            let context = next.contexts.iter_mut().find(|context| context.kind == kind).ok_or_else(absent)?;
            text::merge(&mut context.payload, change.as_object().ok_or_else(|| ApiError::serialization(&kind))?);
            context.payload = text::normal_object(&context.payload);
            TABLE.shape(context.kind, &context.payload)?;
        }
        next.touch("aws", now);
        *self = next;
        Ok(())
    }
}

/// What acceptance shows of a lead: the invitation's payload, with what it hides.
pub fn lead(payload: &Body, hidden: &Body) -> Body {
    let mut lead = payload.clone();
    for (from, to) in [
        ("Customer.CountryCode", "Customer.Address.CountryCode"),
        ("Interaction.ContactBusinessTitle", "Interaction.Contact.BusinessTitle"),
    ] {
        let moved = text::at(&lead, from).cloned();
        text::remove(&mut lead, from);
        if let Some(value) = moved {
            text::set(&mut lead, to, value);
        }
    }
    text::merge(&mut lead, hidden);
    if let Some(interaction) = lead.shift_remove("Interaction") {
        lead.insert("Interactions".to_owned(), json!([interaction]));
    }
    text::normal_object(&lead)
}

/// What an invitation shows of a customer's project.
fn project(payload: &Body) -> Context {
    let mut payload = payload.clone();
    payload.retain(|key, _| TABLE.shapes["CustomerProject"].contains_key(key));
    text::remove(&mut payload, "Project.ExpectedCustomerSpend");
    Context { kind: "CustomerProject", payload }
}

impl Store {
    /// The engagement an id or ARN names, for one of its members.
    fn engagement(&self, identifier: &str, account: &str) -> Result<&Engagement, ApiError> {
        self.engagements
            .get(text::last_part(identifier))
            .filter(|engagement| engagement.members.iter().any(|member| member == account))
            .ok_or_else(|| ApiError::not_found("Engagement"))
    }

    /// [`Self::engagement`], to change it.
    fn engagement_mut(&mut self, identifier: &str, account: &str) -> Result<&mut Engagement, ApiError> {
        let id = self.engagement(identifier, account)?.id.clone();
        self.engagements.get_mut(&id).ok_or_else(|| ApiError::not_found("Engagement"))
    }
}

impl State {
    /// An account joins an engagement, or has made it.
    pub fn join(&mut self, engagement: &str, account: &str, now: Timestamp) {
        if let Some(engagement) = self.partner_central.engagements.get_mut(engagement)
            && !engagement.members.iter().any(|member| member == account)
        {
            engagement.members.push(account.to_owned());
        }
        self.ring_member_added(engagement, account, now);
    }

    /// An engagement was created or updated.
    pub fn ring_engagement(&mut self, what: &str, id: &str, now: Timestamp) {
        let Some(engagement) = self.partner_central.engagements.get(id) else { return };
        let (at, by) = match what {
            "Created" => (("CreatedAt", engagement.created), ("CreatedBy", &engagement.created_by)),
            _ => (("LastModifiedAt", engagement.modified), ("LastModifiedBy", &engagement.modified_by)),
        };
        let detail = json!({
            "catalog": self.settings.catalog,
            "engagement": {
                "engagementArn": self.arn("engagement", id),
                "engagementId": id,
                at.0: text::nanos(at.1),
                by.0: by.1,
                "ContextTypes": engagement.types(),
            },
        });
        self.ring(&format!("Engagement {what}"), &detail, now);
    }
}

/// `GetEngagement`
pub fn get(state: &State, request: &Body) -> Outcome {
    let identifier = text::str_at(request, "Identifier").unwrap_or_default();
    Ok(state.partner_central.engagement(identifier, &state.settings.account)?.full(state))
}

/// `ListEngagements`
pub fn list(state: &State, request: &Body) -> Outcome {
    let excluded = |path: &str, value: &str| text::items_at(request, path).iter().any(|item| item == value);
    let mut found: Vec<&Engagement> = state
        .partner_central
        .engagements
        .values()
        .filter(|engagement| engagement.members.contains(&state.settings.account))
        .filter(|engagement| {
            let types = engagement.types();
            let wanted_types = text::items_at(request, "ContextTypes");
            text::wanted(request, "EngagementIdentifier", Some(&engagement.id))
                && text::wanted(request, "CreatedBy", Some(&engagement.created_by))
                && !excluded("ExcludeCreatedBy", &engagement.created_by)
                && (wanted_types.is_empty() || types.iter().any(|kind| wanted_types.contains(&json!(kind))))
                && !types.iter().any(|kind| excluded("ExcludeContextTypes", kind))
        })
        .collect();
    found.sort_by_key(|engagement| (engagement.created, &engagement.id));
    if text::str_at(request, "Sort.SortOrder") != Some("ASCENDING") {
        found.reverse();
    }
    paging::page(request, 20, "EngagementSummaryList", &found, |engagement| engagement.listed(state))
}

/// `ListEngagementResourceAssociations`: the partner's own opportunities, by the engagements they belong to.
pub fn associations(state: &State, request: &Body) -> Outcome {
    let account = &state.settings.account;
    let fits = |path, value: &str| text::str_at(request, path).is_none_or(|wanted| wanted == value);
    let found: Vec<(&String, &String)> = state
        .partner_central
        .opportunities
        .values()
        .filter_map(|opportunity| Some((opportunity.engagement.as_ref()?, &opportunity.id)))
        .filter(|(engagement, opportunity)| {
            fits("EngagementIdentifier", engagement)
                && fits("ResourceIdentifier", opportunity)
                && fits("CreatedBy", account)
        })
        .collect();
    paging::page(request, 1000, "EngagementResourceAssociationSummaries", &found, |(engagement, opportunity)| {
        json!({
            "Catalog": state.settings.catalog,
            "EngagementId": engagement,
            "ResourceType": "Opportunity",
            "ResourceId": opportunity,
            "CreatedBy": account,
        })
    })
}

/// `UpdateEngagementContext`, under the engagement's optimistic lock. A lead's customer is replaced, its interaction
/// joins the earlier ones, and what else is left out stays.
pub fn update_context(state: &mut State, request: &Body, now: Timestamp) -> Outcome {
    let get = |path| text::str_at(request, path).unwrap_or_default();
    let account = state.settings.account.clone();
    let engagement = state.partner_central.engagement_mut(get("EngagementIdentifier"), &account)?;
    let modified = engagement.modified;
    let (kind, id) = (get("Type"), get("ContextIdentifier"));
    let context = engagement.context(id).ok_or_else(|| ApiError::not_found("Engagement context"))?;
    if get("EngagementLastModifiedAt").parse::<Timestamp>().ok() != Some(modified) {
        return Err(ApiError::conflict(
            "The engagement was modified since EngagementLastModifiedAt: read it again and repeat the change",
        ));
    }
    if kind != context.kind {
        let message = format!("must be {}, as the context is", context.kind);
        return Err(ApiError::business(vec![Problem::new(Code::InvalidValue, "type", message)]));
    }
    let payload = text::at(request, "Payload").and_then(Value::as_object);
    let given: Vec<_> = payload.into_iter().flatten().filter(|(_, value)| !value.is_null()).collect();
    let [(member, Value::Object(payload))] = given.as_slice() else {
        return Err(ApiError::request(vec![Problem::new(Code::InvalidValue, "payload", "takes exactly one member")]));
    };
    if *member != kind {
        let problem = Problem::new(Code::InvalidValue, "payload", "is of another type than Type");
        return Err(ApiError::request(vec![problem]));
    }
    let mut payload = text::normal_object(payload);
    if kind == "Lead" {
        let mut next = context.payload.clone();
        let mut interactions = text::items_at(&next, "Interactions").to_vec();
        interactions.extend(payload.shift_remove("Interaction"));
        if interactions.len() > INTERACTIONS {
            let message = format!("a lead holds {INTERACTIONS} interactions");
            return Err(ApiError::new(400, "ServiceQuotaExceededException", message));
        }
        next.extend(payload);
        next.insert("Interactions".to_owned(), Value::Array(interactions));
        payload = next;
    }
    context.payload = payload;
    engagement.touch(&account, now);
    let (engagement, modified) = (engagement.id.clone(), engagement.modified);
    state.ring_engagement("Updated", &engagement, now);
    Ok(json!({
        "EngagementId": engagement,
        "EngagementArn": state.arn("engagement", &engagement),
        "EngagementLastModifiedAt": text::nanos(modified),
        "ContextId": id,
    }))
}

/// `StartOpportunityFromEngagementTask`
pub fn start_opportunity(state: &mut State, request: &Body, now: Timestamp) -> Outcome {
    if let Some(first) = state.partner_central.recall(CONVERSION.operation, request)? {
        return Ok(first);
    }
    let get = |path| text::str_at(request, path).unwrap_or_default();
    let account = state.settings.account.clone();
    let engagement = state.partner_central.engagement_mut(get("Identifier"), &account)?;
    let id = engagement.id.clone();
    let mut ids = Ids::from([("EngagementId", id.clone()), ("ContextId", get("ContextIdentifier").to_owned())]);
    let body = match convertible(engagement, get("ContextIdentifier")) {
        Ok(lead) => draft(lead, now),
        Err(failure) => return Ok(state.finish_task(&CONVERSION, request, Err((failure, ids)), now)),
    };
    engagement.contexts.push(project(&shown(&body)));
    engagement.touch(&account, now);
    let opportunity = new_opportunity(state, body, "Partner Referral", now);
    opportunity.engagement = Some(id.clone());
    let opportunity = opportunity.id.clone();
    ids.insert("OpportunityId", opportunity.clone());
    let answer = state.finish_task(&CONVERSION, request, Ok(ids), now);
    state.ring_opportunity("Opportunity Created", &opportunity, now);
    state.ring_engagement("Updated", &id, now);
    state.ring_snapshot(&id, &opportunity, now);
    Ok(answer)
}

/// The lead of a context that may become an opportunity.
fn convertible<'a>(engagement: &'a mut Engagement, context: &str) -> Result<&'a Body, Failure> {
    let full = engagement.contexts.len() >= CONTEXTS;
    let context = engagement.context(context).ok_or(("ContextNotFound", "The engagement has no such context"))?;
    if context.kind != "Lead" {
        return Err(("CustomerProjectContextNotPermitted", "Only a lead can become an opportunity"));
    }
    if text::str_at(&context.payload, "QualificationStatus") == Some("Disqualified") {
        return Err(("DisqualifiedLeadNotPermitted", "A disqualified lead cannot become an opportunity"));
    }
    if full {
        return Err(("ServiceQuotaExceeded", "The engagement has as many contexts as it may have"));
    }
    Ok(&context.payload)
}

/// Where a lead's facts go: (customer or last interaction, opportunity).
const FROM_CUSTOMER: [(&str, &str); 7] = [
    ("CompanyName", "Customer.Account.CompanyName"),
    ("Industry", "Customer.Account.Industry"),
    ("WebsiteUrl", "Customer.Account.WebsiteUrl"),
    ("Address.CountryCode", "Customer.Account.Address.CountryCode"),
    ("Address.StateOrRegion", "Customer.Account.Address.StateOrRegion"),
    ("Address.City", "Customer.Account.Address.City"),
    ("Address.PostalCode", "Customer.Account.Address.PostalCode"),
];

/// The opportunity that a lead becomes: a draft that the partner has to complete. A lead's texts are freer than an
/// opportunity's; what does not fit is left out.
fn draft(lead: &Body, now: Timestamp) -> Body {
    let rows = &TABLE.opportunity;
    let mut body = Map::new();
    let customer = text::at(lead, "Customer").and_then(Value::as_object);
    for (from, to) in FROM_CUSTOMER {
        if let Some(value) =
            customer.and_then(|customer| text::at(customer, from)).filter(|value| fits(rows, to, value))
        {
            text::set(&mut body, to, value.clone());
        }
    }
    let interaction = text::items_at(lead, "Interactions").last().and_then(Value::as_object);
    if let Some(interaction) = interaction {
        let to = "Project.CustomerBusinessProblem";
        if let Some(problem) = text::at(interaction, "BusinessProblem").filter(|problem| fits(rows, to, problem)) {
            text::set(&mut body, to, problem.clone());
        }
        let mut contact = text::at(interaction, "Contact").and_then(Value::as_object).cloned().unwrap_or_default();
        contact.retain(|key, value| fits(rows, &format!("Customer.Contacts[].{key}"), value));
        if !contact.is_empty() {
            text::set(&mut body, "Customer.Contacts", json!([contact]));
        }
    }
    let close = (now + SignedDuration::from_hours(24 * 90)).strftime("%Y-%m-%d").to_string();
    text::set(&mut body, "Project.Title", json!("Converted from Lead"));
    text::set(&mut body, "Project.ExpectedCustomerSpend", json!([]));
    text::set(&mut body, "LifeCycle.TargetCloseDate", json!(close));
    text::set(&mut body, "LifeCycle.ReviewStatus", json!("Pending Submission"));
    defaults(&mut body);
    body
}
