//! Operations on opportunities.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::errors::{ApiError, Code, Problem};
use super::store::Opportunity;
use super::tasks::{Ids, SUBMISSION};
use super::validation::{Context, business, submission};
use super::{lifecycle, paging, spend, text, views};
use crate::world::State;

type Request = Map<String, Value>;
type Outcome = Result<Value, ApiError>;

fn get<'a>(request: &'a Request, path: &str) -> &'a str {
    text::str_at(request, path).unwrap_or_default()
}

/// `GetOpportunity`
pub fn get_opportunity(state: &State, request: &Request) -> Outcome {
    let opportunity = state.partner_central.visible(get(request, "Identifier"))?;
    Ok(views::opportunity(state, opportunity))
}

/// `GetAwsOpportunitySummary`
pub fn get_summary(state: &State, request: &Request) -> Outcome {
    let opportunity = state.partner_central.visible(get(request, "RelatedOpportunityIdentifier"))?;
    Ok(views::summary(state, opportunity))
}

/// `ListOpportunities`
pub fn list_opportunities(state: &State, request: &Request) -> Outcome {
    let moment = |path: &str| text::str_at(request, path).and_then(|text| text.parse::<Timestamp>().ok());
    let any = |path: &str, value: &str| {
        let wanted = text::items_at(request, path);
        wanted.is_empty() || wanted.iter().any(|wanted| wanted == value)
    };
    let within = |at: Timestamp, after: &str, before: &str| {
        moment(after).is_none_or(|after| at >= after) && moment(before).is_none_or(|before| at <= before)
    };
    let close = |opportunity: &Opportunity| get(&opportunity.body, "LifeCycle.TargetCloseDate").to_owned();
    let company = |opportunity: &Opportunity| get(&opportunity.body, "Customer.Account.CompanyName").to_owned();
    let mut found: Vec<&Opportunity> = state
        .partner_central
        .opportunities
        .values()
        .filter(|opportunity| !opportunity.hidden)
        .filter(|opportunity| {
            let (after, before) = (
                get(request, "TargetCloseDate.AfterTargetCloseDate"),
                get(request, "TargetCloseDate.BeforeTargetCloseDate"),
            );
            let close = close(opportunity);
            within(
                opportunity.modified,
                "LastModifiedDate.AfterLastModifiedDate",
                "LastModifiedDate.BeforeLastModifiedDate",
            ) && within(opportunity.created, "CreatedDate.AfterCreatedDate", "CreatedDate.BeforeCreatedDate")
                && (after.is_empty() || close.as_str() >= after)
                && (before.is_empty() || (!close.is_empty() && close.as_str() <= before))
                && any("Identifier", &opportunity.id)
                && any("LifeCycleStage", opportunity.stage())
                && any("LifeCycleReviewStatus", opportunity.review_status())
                && any("CustomerCompanyName", &company(opportunity))
        })
        .collect();
    let by = text::str_at(request, "Sort.SortBy").unwrap_or("LastModifiedDate");
    found.sort_by(|one, other| {
        let order = match by {
            "Identifier" => Ordering::Equal,
            "CreatedDate" => one.created.cmp(&other.created),
            "TargetCloseDate" => close(one).cmp(&close(other)),
            "CustomerCompanyName" => company(one).cmp(&company(other)),
            _ => one.modified.cmp(&other.modified),
        };
        order.then_with(|| (one.id.len(), &one.id).cmp(&(other.id.len(), &other.id)))
    });
    if get(request, "Sort.SortOrder") != "ASCENDING" {
        found.reverse();
    }
    paging::page(request, 20, "OpportunitySummaries", &found, |opportunity| views::listed(state, opportunity))
}

/// `CreateOpportunity`
pub fn create(state: &mut State, request: &Request, now: Timestamp) -> Outcome {
    if let Some(first) = state.partner_central.recall("CreateOpportunity", request)? {
        return Ok(first);
    }
    let origin = text::str_at(request, "Origin").unwrap_or("Partner Referral").to_owned();
    let mut body: Map<String, Value> =
        lifecycle::BODY.iter().filter_map(|key| Some(((*key).to_owned(), text::normal(request.get(*key)?)?))).collect();
    defaults(&mut body);
    let mut problems = spend::complete(&mut body, None);
    problems.extend(business(&body, &Context { now, store: &state.partner_central, previous: None }));
    if origin == "AWS Referral" && state.settings.catalog != "Sandbox" {
        problems.push(Problem::new(Code::InvalidValue, "origin", "must be Partner Referral in this catalog"));
    }
    let status = get(&body, "LifeCycle.ReviewStatus");
    if !["", "Pending Submission"].contains(&status) {
        let message = "is not settable at creation";
        problems.push(Problem::new(Code::ActionNotPermitted, "lifeCycle.reviewStatus", message));
    }
    let team = text::items_at(request, "OpportunityTeam").to_vec();
    if team.iter().any(|member| member["BusinessTitle"] != "PartnerAccountManager") {
        let message = "must be PartnerAccountManager at creation";
        problems.push(Problem::new(Code::InvalidValue, "opportunityTeam.businessTitle", message));
    }
    if !problems.is_empty() {
        return Err(ApiError::business(problems));
    }
    text::set(&mut body, "LifeCycle.ReviewStatus", json!("Pending Submission"));
    lifecycle::redact(&mut body);
    note_next_steps(None, &mut body, now);

    let opportunity = new_opportunity(state, body, &origin, now);
    let (id, modified) = (opportunity.id.clone(), opportunity.modified);
    opportunity.team.extend(team);
    let answer = json!({
        "Id": id,
        "LastModifiedDate": text::millis(modified),
        "PartnerOpportunityIdentifier": request.get("PartnerOpportunityIdentifier").cloned().unwrap_or_default(),
    });
    if origin == "AWS Referral" {
        opportunity.hidden = true;
        state.invite_to(&id, now);
    } else {
        state.ring_opportunity("Opportunity Created", &id, now);
    }
    state.partner_central.remember("CreateOpportunity", request, &answer);
    Ok(answer)
}

/// What the service fills in.
pub fn defaults(body: &mut Map<String, Value>) {
    for (path, value) in [("NationalSecurity", "No"), ("Marketing.Source", "None"), ("LifeCycle.Stage", "Prospect")] {
        if text::at(body, path).is_none() {
            text::set(body, path, json!(value));
        }
    }
}

/// Stores a new record with its default owner.
pub fn new_opportunity<'a>(
    state: &'a mut State,
    body: Map<String, Value>,
    origin: &str,
    now: Timestamp,
) -> &'a mut Opportunity {
    let store = &mut state.partner_central;
    let id = store.new_opportunity_id();
    let stamp = store.stamp(now);
    let owner = json!({
        "Email": "alliance.lead@partner.example",
        "FirstName": "Alex",
        "LastName": "Alliance",
        "BusinessTitle": "OpportunityOwner",
    });
    store.opportunities.entry(id.clone()).or_insert(Opportunity {
        id,
        created: stamp,
        modified: stamp,
        origin: origin.to_owned(),
        body,
        team: vec![owner],
        related: std::collections::BTreeMap::new(),
        summary: None,
        engagement: None,
        hidden: false,
    })
}

/// `UpdateOpportunity`: the whole object, under its optimistic lock.
pub fn update(state: &mut State, request: &Request, now: Timestamp) -> Outcome {
    let current = state.partner_central.visible(get(request, "Identifier"))?.clone();
    if get(request, "LastModifiedDate").parse::<Timestamp>().ok() != Some(current.modified) {
        return Err(ApiError::conflict(
            "The opportunity was modified since LastModifiedDate: read it again and repeat the change",
        ));
    }
    let mut body = lifecycle::replacement(&current, request);
    let mut problems = spend::complete(&mut body, Some(&current.body));
    let moves = match lifecycle::review(&state.settings.catalog, &current, request, &mut body) {
        Ok(moves) => moves,
        Err(refused) => {
            problems.extend(refused);
            true
        }
    };
    problems.extend(lifecycle::locked(&current, &body, moves));
    problems.extend(business(&body, &Context { now, store: &state.partner_central, previous: Some(&current) }));
    let mut next = current.clone();
    next.body.clone_from(&body);
    let submits = moves && current.review_status() == "Pending Submission";
    if submits {
        problems.extend(submission(&next, "Co-Sell", "Full"));
    }
    if !problems.is_empty() {
        return Err(ApiError::business(problems));
    }
    note_next_steps(Some(&current.body), &mut next.body, now);
    next.modified = state.partner_central.stamp(now);
    if submits {
        next.share("Co-Sell", "Full");
    }
    let answer = json!({"Id": next.id, "LastModifiedDate": text::millis(next.modified)});
    let id = next.id.clone();
    state.partner_central.opportunities.insert(id.clone(), next);
    if moves {
        state.reviewed(&id, now);
    }
    state.ring_opportunity("Opportunity Updated", &id, now);
    Ok(answer)
}

/// A changed next step goes into the history.
fn note_next_steps(before: Option<&Map<String, Value>>, body: &mut Map<String, Value>, now: Timestamp) {
    let path = "LifeCycle.NextSteps";
    let old = before.and_then(|before| text::str_at(before, path));
    let Some(steps) = text::str_at(body, path).filter(|steps| Some(*steps) != old).map(str::to_owned) else { return };
    let mut history = text::items_at(body, "LifeCycle.NextStepsHistory").to_vec();
    history.push(json!({"Value": steps, "Time": text::millis(now)}));
    let surplus = history.len().saturating_sub(50);
    history.drain(..surplus);
    text::set(body, "LifeCycle.NextStepsHistory", Value::Array(history));
}

/// `AssociateOpportunity`
pub fn associate(state: &mut State, request: &Request, now: Timestamp) -> Outcome {
    let id = get(request, "OpportunityIdentifier").to_owned();
    let (kind, entity) = (get(request, "RelatedEntityType"), get(request, "RelatedEntityIdentifier"));
    let current = state.partner_central.visible(&id)?;
    associable(current)?;
    if current.related(kind).iter().any(|known| known == entity) {
        return Ok(json!({}));
    }
    entity_exists(state, kind, entity)?;
    let (limit, other) = match kind {
        "AwsProducts" => (20, None),
        "AwsMarketplaceOffers" => (1, Some("AwsMarketplaceOfferSets")),
        "AwsMarketplaceOfferSets" => (1, Some("AwsMarketplaceOffers")),
        _ => (10, None),
    };
    let refuse = |code, message: &str| ApiError::business(vec![Problem::new(code, "relatedEntityIdentifier", message)]);
    if current.related(kind).len() >= limit {
        return Err(refuse(Code::TooManyValues, &format!("exceeds the limit of {limit} {kind}")));
    }
    if let Some(other) = other {
        if !current.related(other).is_empty() {
            return Err(refuse(Code::ActionNotPermitted, "excludes an offer together with an offer set"));
        }
        if current.stage() == "Closed Lost" {
            return Err(refuse(Code::InvalidResourceState, "cannot be attached to a lost opportunity"));
        }
        let taken = |one: &Opportunity| one.id != id && one.related(kind).iter().any(|known| known == entity);
        if state.partner_central.opportunities.values().any(taken) {
            return Err(refuse(Code::InvalidValue, "belongs to another opportunity"));
        }
    }
    let related = &mut state.partner_central.visible_mut(&id)?.related;
    related.entry(kind.to_owned()).or_default().push(entity.to_owned());
    state.ring_opportunity("Opportunity Updated", &id, now);
    Ok(json!({}))
}

fn associable(opportunity: &Opportunity) -> Result<(), ApiError> {
    let status = opportunity.review_status();
    if ["Pending Submission", "Approved"].contains(&status) {
        return Ok(());
    }
    let message = format!("is {status}: associations cannot be changed");
    Err(ApiError::business(vec![Problem::new(Code::ActionNotPermitted, "opportunityIdentifier", message)]))
}

fn entity_exists(state: &State, kind: &str, entity: &str) -> Result<(), ApiError> {
    let marketplace = |part: &str| entity.starts_with("arn:aws:aws-marketplace:") && entity.contains(part);
    let known = match kind {
        "Solutions" => {
            let solution = state.partner_central.solutions.iter().find(|solution| solution.id == entity);
            if solution.is_some_and(|solution| solution.status != "Active") {
                let problem = Problem::new(Code::InvalidResourceState, "relatedEntityIdentifier", "is not active");
                return Err(ApiError::business(vec![problem]));
            }
            solution.is_some()
        }
        "AwsProducts" => entity.chars().all(|letter| letter.is_ascii_alphanumeric()),
        "AwsMarketplaceSolutions" => marketplace("/Solution/"),
        "AwsMarketplaceProducts" => marketplace("Product/"),
        "AwsMarketplaceOffers" => marketplace("/Offer/"),
        _ => marketplace("/OfferSet/offerset-"),
    };
    if known { Ok(()) } else { Err(ApiError::not_found(&format!("Related entity of type {kind}"))) }
}

/// `DisassociateOpportunity`
pub fn disassociate(state: &mut State, request: &Request, now: Timestamp) -> Outcome {
    let id = get(request, "OpportunityIdentifier").to_owned();
    let (kind, entity) = (get(request, "RelatedEntityType"), get(request, "RelatedEntityIdentifier"));
    let mut next = state.partner_central.visible(&id)?.clone();
    associable(&next)?;
    let had_solution = next.has_solution();
    let entities = next.related.entry(kind.to_owned()).or_default();
    let Some(index) = entities.iter().position(|known| known == entity) else {
        return Err(ApiError::not_found("Association"));
    };
    entities.remove(index);
    let described = text::str_at(&next.body, "Project.OtherSolutionDescription").is_some();
    let needed = next.review_status() != "Pending Submission"
        && (!described || ["Committed", "Launched"].contains(&next.stage()));
    if had_solution && needed && !next.has_solution() {
        let message = "is the last solution or product: attach another one first";
        let problem = Problem::new(Code::NotEnoughValues, "relatedEntityIdentifier", message);
        return Err(ApiError::business(vec![problem]));
    }
    state.partner_central.opportunities.insert(id.clone(), next);
    state.ring_opportunity("Opportunity Updated", &id, now);
    Ok(json!({}))
}

/// `AssignOpportunity`
pub fn assign(state: &mut State, request: &Request, now: Timestamp) -> Outcome {
    let id = get(request, "Identifier").to_owned();
    let opportunity = state.partner_central.visible_mut(&id)?;
    let title = get(request, "Assignee.BusinessTitle");
    if !["OpportunityOwner", "PartnerAccountManager"].contains(&title) {
        let message = "must be OpportunityOwner or PartnerAccountManager";
        let problem = Problem::new(Code::InvalidEnumValue, "assignee.businessTitle", message);
        return Err(ApiError::business(vec![problem]));
    }
    opportunity.team.retain(|member| member["BusinessTitle"] != title);
    opportunity.team.extend(request.get("Assignee").and_then(text::normal));
    state.ring_opportunity("Opportunity Updated", &id, now);
    Ok(json!({}))
}

/// `SubmitOpportunity`
pub fn submit(state: &mut State, request: &Request, now: Timestamp) -> Outcome {
    let id = get(request, "Identifier").to_owned();
    let visibility = text::str_at(request, "Visibility").unwrap_or("Full");
    hand_in(state, &id, get(request, "InvolvementType"), visibility, now)?;
    state.ring_opportunity("Opportunity Updated", &id, now);
    Ok(json!({}))
}

fn hand_in(state: &mut State, id: &str, involvement: &str, visibility: &str, now: Timestamp) -> Result<(), ApiError> {
    let current = state.partner_central.visible(id)?;
    let status = current.review_status();
    if status != "Pending Submission" {
        let message = format!("is {status}: only an opportunity in Pending Submission can be submitted");
        let problem = Problem::new(Code::InvalidResourceState, "lifeCycle.reviewStatus", message);
        return Err(ApiError::business(vec![problem]));
    }
    let problems = submission(current, involvement, visibility);
    if !problems.is_empty() {
        return Err(ApiError::business(problems));
    }
    let stamp = state.partner_central.stamp(now);
    let opportunity = state.partner_central.visible_mut(id)?;
    text::set(&mut opportunity.body, "LifeCycle.ReviewStatus", json!("Submitted"));
    opportunity.share(involvement, visibility);
    opportunity.modified = stamp;
    Ok(())
}

/// `StartEngagementFromOpportunityTask`. A converted lead has its engagement, and AWS is in it already.
pub fn start_engagement(state: &mut State, request: &Request, now: Timestamp) -> Outcome {
    if let Some(first) = state.partner_central.recall(SUBMISSION.operation, request)? {
        return Ok(first);
    }
    let id = get(request, "Identifier").to_owned();
    let visibility = text::str_at(request, "AwsSubmission.Visibility").unwrap_or("Full");
    hand_in(state, &id, get(request, "AwsSubmission.InvolvementType"), visibility, now)?;
    state.ring_opportunity("Opportunity Updated", &id, now);
    let mut ids = Ids::from([("OpportunityId", id.clone())]);
    let engagement = if let Some(engagement) = state.partner_central.visible(&id)?.engagement.clone() {
        state.ring_snapshot(&engagement, &id, now);
        engagement
    } else {
        let invitation = state.invite_aws(&id, now)?;
        let account = state.settings.account.clone();
        state.ring_engagement("Created", &invitation.engagement, now);
        state.ring_snapshot(&invitation.engagement, &id, now);
        state.join(&invitation.engagement, &account, now);
        state.ring_invitation("Created", &invitation, now);
        ids.insert("EngagementInvitationId", invitation.id);
        invitation.engagement
    };
    ids.insert("EngagementId", engagement);
    Ok(state.finish_task(&SUBMISSION, request, Ok(ids), now))
}

/// `ListSolutions`
pub fn list_solutions(state: &State, request: &Request) -> Outcome {
    let any = |path: &str, value: &str| {
        let wanted = text::items_at(request, path);
        wanted.is_empty() || wanted.iter().any(|wanted| wanted == value)
    };
    let mut found: Vec<_> = state
        .partner_central
        .solutions
        .iter()
        .filter(|solution| {
            any("Identifier", solution.id) && any("Status", solution.status) && any("Category", solution.category)
        })
        .filter(|_| text::items_at(request, "AwsMarketplaceSolutionArn").is_empty())
        .collect();
    let by = get(request, "Sort.SortBy");
    found.sort_by_key(|solution| match by {
        "Name" => solution.name,
        "Status" => solution.status,
        "Category" => solution.category,
        _ => solution.id,
    });
    if get(request, "Sort.SortOrder") == "DESCENDING" {
        found.reverse();
    }
    paging::page(request, 20, "SolutionSummaries", &found, |solution| {
        json!({
            "Catalog": state.settings.catalog,
            "Id": solution.id,
            "Arn": state.arn("solution", solution.id),
            "Name": solution.name,
            "Status": solution.status,
            "Category": solution.category,
            "CreatedDate": "2025-01-15T09:00:00.000Z",
            "AwsMarketplaceSolutionArn": null,
        })
    })
}
