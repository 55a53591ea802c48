//! Engagement invitations: referrals and leads from AWS, and our submissions to AWS.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::engagements::Engagement;
use super::errors::{ApiError, Code, Problem};
use super::events::company_of;
use super::operations::{defaults, new_opportunity};
use super::table::TABLE;
use super::tasks::{ACCEPTANCE, Ids};
use super::{paging, text, views};
use crate::world::State;

type Request = Map<String, Value>;
type Outcome = Result<Value, ApiError>;

/// How long an invitation stays open.
pub const OPEN: SignedDuration = SignedDuration::from_hours(15 * 24);

/// An invitation and what its acceptance reveals.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// `engi-…`
    pub id: String,
    /// `eng-…`
    pub engagement: String,
    /// Title of the engagement.
    pub title: String,
    /// The sender's words.
    pub message: Option<String>,
    /// `OpportunityInvitation` or `LeadInvitation`.
    pub payload_type: String,
    /// What it shows before acceptance.
    pub payload: Map<String, Value>,
    /// What only acceptance reveals: members of the opportunity, or of the lead as an update of it takes them.
    pub hidden: Map<String, Value>,
    /// `PENDING`, `ACCEPTED`, `REJECTED` or `EXPIRED`.
    pub status: &'static str,
    /// When it was sent.
    pub sent: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// We sent it to AWS.
    pub ours: bool,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// The opportunity submitted with it, or waiting behind it.
    pub opportunity: Option<String>,
}

impl Invitation {
    /// An open invitation.
    pub fn new(payload_type: &str, payload: Map<String, Value>, now: Timestamp) -> Self {
        let name = text::str_at(&payload, "Project.Title").or_else(|| text::str_at(&payload, "Customer.CompanyName"));
        Self {
            id: format!("engi-{}", text::random_id(13)),
            engagement: format!("eng-{}", text::random_id(14)),
            title: name.unwrap_or("Engagement").chars().take(40).collect(),
            message: None,
            payload_type: payload_type.to_owned(),
            payload,
            hidden: Map::new(),
            status: "PENDING",
            sent: now,
            expires: now + OPEN,
            ours: false,
            reason: None,
            opportunity: None,
        }
    }

    /// The sender's account; AWS appears as `aws`.
    pub fn sender<'a>(&self, account: &'a str) -> &'a str {
        if self.ours { account } else { "aws" }
    }

    /// The receiver's account.
    pub fn receiver<'a>(&self, account: &'a str) -> &'a str {
        if self.ours { "aws" } else { account }
    }

    /// Our part in it.
    pub fn participant(&self) -> &'static str {
        if self.ours { "SENDER" } else { "RECEIVER" }
    }

    /// It, unless it was decided or its time was over.
    pub fn open(&self) -> Result<&Self, ApiError> {
        if self.status == "PENDING" {
            return Ok(self);
        }
        Err(ApiError::conflict(format!("The invitation is {} already", self.status)))
    }

    /// Begins with what it is about.
    pub fn description(&self) -> Option<String> {
        text::str_at(&self.payload, "Project.BusinessProblem").map(|problem| problem.chars().take(255).collect())
    }

    fn listed(&self, state: &State) -> Value {
        let account = &state.settings.account;
        json!({
            "Arn": state.arn("engagement-invitation", &self.id),
            "PayloadType": self.payload_type,
            "Id": self.id,
            "EngagementId": self.engagement,
            "EngagementTitle": self.title,
            "Status": self.status,
            "InvitationDate": text::nanos(self.sent),
            "ExpirationDate": text::nanos(self.expires),
            "SenderAwsAccountId": self.sender(account),
            "SenderCompanyName": company_of(self.sender(account)),
            "Receiver": {"Account": {"AwsAccountId": self.receiver(account), "Alias": null}},
            "Catalog": state.settings.catalog,
            "ParticipantType": self.participant(),
        })
    }

    fn full(&self, state: &State) -> Value {
        let mut answer = self.listed(state);
        let rows = &TABLE.invitation[&self.payload_type];
        let shown = views::whole(rows, &self.payload, state.switches.escape_text);
        // After a rejection the receiver may see nothing of it any more.
        let gone = self.status == "REJECTED" && !self.ours;
        answer["Payload"] = if gone { Value::Null } else { json!({&self.payload_type: shown}) };
        answer["InvitationMessage"] = json!(self.message);
        answer["EngagementDescription"] = json!(self.description().filter(|_| !gone));
        answer["ExistingMembers"] = json!([{"CompanyName": answer["SenderCompanyName"], "WebsiteUrl": "null"}]);
        answer["RejectionReason"] = json!(self.reason);
        answer["EnrichmentContext"] = Value::Null;
        if let Value::Object(answer) = &mut answer {
            answer.shift_remove("ParticipantType");
        }
        answer
    }
}

/// `GetEngagementInvitation`
pub fn get(state: &State, request: &Request) -> Outcome {
    let identifier = text::str_at(request, "Identifier").unwrap_or_default();
    Ok(state.partner_central.invitation(identifier)?.full(state))
}

/// `ListEngagementInvitations`
pub fn list(state: &State, request: &Request) -> Outcome {
    let any = |path: &str, value: &str| text::wanted(request, path, Some(value));
    let mut found: Vec<&Invitation> = state
        .partner_central
        .invitations
        .values()
        .filter(|invitation| {
            text::str_at(request, "ParticipantType") == Some(invitation.participant())
                && any("PayloadType", &invitation.payload_type)
                && any("Status", invitation.status)
                && any("EngagementIdentifier", &invitation.engagement)
                && any("SenderAwsAccountId", invitation.sender(&state.settings.account))
        })
        .collect();
    found.sort_by_key(|invitation| (invitation.sent, &invitation.id));
    if text::str_at(request, "Sort.SortOrder") != Some("ASCENDING") {
        found.reverse();
    }
    paging::page(request, 20, "EngagementInvitationSummaries", &found, |invitation| invitation.listed(state))
}

/// `AcceptEngagementInvitation`: joins the engagement, makes no opportunity.
pub fn accept(state: &mut State, request: &Request, now: Timestamp) -> Outcome {
    state.join_invited(text::str_at(request, "Identifier").unwrap_or_default(), now)?;
    Ok(json!({}))
}

/// `RejectEngagementInvitation`
pub fn reject(state: &mut State, request: &Request, now: Timestamp) -> Outcome {
    let identifier = text::str_at(request, "Identifier").unwrap_or_default();
    let reason = text::str_at(request, "RejectionReason").map(str::to_owned);
    let invitation = state.partner_central.invitation(identifier)?;
    if invitation.payload_type == "OpportunityInvitation" {
        let problem = match reason.as_deref() {
            None => Some(Problem::new(Code::RequiredFieldMissing, "rejectionReason", "is required")),
            Some(reason) if !TABLE.listed("rejection_reason", reason) => {
                Some(Problem::new(Code::InvalidEnumValue, "rejectionReason", "is not one of the accepted reasons"))
            }
            Some(_) => None,
        };
        if let Some(problem) = problem {
            return Err(ApiError::business(vec![problem]));
        }
    }
    state.reject_invited(identifier, reason, now)?;
    Ok(json!({}))
}

/// `StartEngagementByAcceptingInvitationTask`
pub fn start_accepting(state: &mut State, request: &Request, now: Timestamp) -> Outcome {
    if let Some(first) = state.partner_central.recall(ACCEPTANCE.operation, request)? {
        return Ok(first);
    }
    let identifier = text::str_at(request, "Identifier").unwrap_or_default();
    if state.partner_central.invitation(identifier)?.payload_type != "OpportunityInvitation" {
        let message = "names a lead: accept it with AcceptEngagementInvitation";
        return Err(ApiError::business(vec![Problem::new(Code::ActionNotPermitted, "identifier", message)]));
    }
    let (invitation, opportunity) = state.accept_referral(identifier, now)?;
    let ids = Ids::from([("OpportunityId", opportunity), ("EngagementInvitationId", invitation)]);
    Ok(state.finish_task(&ACCEPTANCE, request, Ok(ids), now))
}

/// Where an invitation shows what of an opportunity: (invitation, opportunity).
const SHOWN: [(&str, &str); 8] = [
    ("Customer.CompanyName", "Customer.Account.CompanyName"),
    ("Customer.WebsiteUrl", "Customer.Account.WebsiteUrl"),
    ("Customer.Industry", "Customer.Account.Industry"),
    ("Customer.CountryCode", "Customer.Account.Address.CountryCode"),
    ("Project.Title", "Project.Title"),
    ("Project.BusinessProblem", "Project.CustomerBusinessProblem"),
    ("Project.ExpectedCustomerSpend", "Project.ExpectedCustomerSpend"),
    ("Project.TargetCompletionDate", "LifeCycle.TargetCloseDate"),
];

/// The opportunity that acceptance makes of an invitation.
fn revealed(invitation: &Invitation) -> Map<String, Value> {
    let payload = &invitation.payload;
    let mut body = Map::new();
    for (from, to) in SHOWN {
        if let Some(value) = text::at(payload, from) {
            text::set(&mut body, to, value.clone());
        }
    }
    text::merge(&mut body, &invitation.hidden);
    let mut body = text::normal_object(&body);
    defaults(&mut body);
    body
}

impl State {
    /// Settles an open invitation, whoever sent it.
    fn settle(
        &mut self,
        identifier: &str,
        status: &'static str,
        reason: Option<String>,
    ) -> Result<Invitation, ApiError> {
        let id = self.partner_central.invitation(identifier)?.id.clone();
        let invitation =
            self.partner_central.invitations.get_mut(&id).ok_or_else(|| ApiError::not_found("Invitation"))?;
        invitation.open()?;
        invitation.status = status;
        invitation.reason = reason;
        Ok(invitation.clone())
    }

    /// [`Self::settle`] for the partner, who decides on what AWS sent.
    fn decide(
        &mut self,
        identifier: &str,
        status: &'static str,
        reason: Option<String>,
    ) -> Result<Invitation, ApiError> {
        if self.partner_central.invitation(identifier)?.ours {
            return Err(ApiError::new(400, "AccessDeniedException", "Only the receiver decides on an invitation"));
        }
        self.settle(identifier, status, reason)
    }

    /// The partner joins the engagement of an invitation; no opportunity comes of it.
    pub fn join_invited(&mut self, identifier: &str, now: Timestamp) -> Result<Invitation, ApiError> {
        let invitation = self.decide(identifier, "ACCEPTED", None)?;
        let account = self.settings.account.clone();
        self.ring_invitation("Accepted", &invitation, now);
        self.join(&invitation.engagement, &account, now);
        Ok(invitation)
    }

    /// The partner accepts a referral and has an opportunity of it: the identifiers of both.
    pub fn accept_referral(&mut self, identifier: &str, now: Timestamp) -> Result<(String, String), ApiError> {
        let invitation = self.join_invited(identifier, now)?;
        let id = match &invitation.opportunity {
            Some(waiting) => waiting.clone(),
            None => new_opportunity(self, revealed(&invitation), "AWS Referral", now).id.clone(),
        };
        let stamp = self.partner_central.stamp(now);
        if let Some(opportunity) = self.partner_central.opportunities.get_mut(&id) {
            opportunity.hidden = false;
            opportunity.modified = stamp;
            opportunity.engagement = Some(invitation.engagement.clone());
            text::set(&mut opportunity.body, "LifeCycle.ReviewStatus", json!("Approved"));
            opportunity.share("Co-Sell", "Full");
            opportunity.engage();
        }
        self.ring_opportunity("Opportunity Created", &id, now);
        self.ring_opportunity("Opportunity Updated", &id, now);
        self.ring_snapshot(&invitation.engagement, &id, now);
        Ok((invitation.id, id))
    }

    /// The partner wants nothing of an invitation.
    pub fn reject_invited(&mut self, identifier: &str, reason: Option<String>, now: Timestamp) -> Result<(), ApiError> {
        let invitation = self.decide(identifier, "REJECTED", reason)?;
        self.ring_invitation("Rejected", &invitation, now);
        Ok(())
    }

    /// An invitation's time is over, before its date if somebody says so.
    pub fn expire_invitation(&mut self, id: &str, now: Timestamp) -> Result<(), ApiError> {
        self.settle(id, "EXPIRED", None)?;
        if let Some(invitation) = self.partner_central.invitations.get_mut(id) {
            invitation.expires = invitation.expires.min(now);
            let invitation = invitation.clone();
            self.ring_invitation("Expired", &invitation, now);
        }
        Ok(())
    }

    /// Ends the invitations whose time is over.
    pub fn expire_invitations(&mut self, now: Timestamp) {
        let over =
            |invitation: &&Invitation| invitation.status == "PENDING" && !invitation.ours && invitation.expires <= now;
        let ended: Vec<String> =
            self.partner_central.invitations.values().filter(over).map(|invitation| invitation.id.clone()).collect();
        for id in ended {
            // It is pending: nothing keeps it from ending.
            let _ = self.expire_invitation(&id, now);
        }
    }

    /// Sends the partner an invitation from AWS.
    pub fn receive_invitation(&mut self, invitation: Invitation, now: Timestamp) {
        let engagement = Engagement::of(&invitation, "aws", now);
        self.partner_central.engagements.insert(engagement.id.clone(), engagement);
        if invitation.payload_type == "LeadInvitation" {
            self.ring_engagement("Created", &invitation.engagement, now);
        }
        self.ring_invitation("Created", &invitation, now);
        self.partner_central.invitations.insert(invitation.id.clone(), invitation);
    }

    /// Catalog Sandbox: an opportunity created with origin AWS Referral arrives as an invitation.
    pub fn invite_to(&mut self, id: &str, now: Timestamp) {
        let Some(opportunity) = self.partner_central.opportunities.get(id) else { return };
        let payload = shown(&opportunity.body);
        let mut invitation = Invitation::new("OpportunityInvitation", payload, now);
        invitation.opportunity = Some(id.to_owned());
        self.receive_invitation(invitation, now);
    }

    /// The partner's submission invites AWS.
    pub fn invite_aws(&mut self, id: &str, now: Timestamp) -> Result<Invitation, ApiError> {
        let payload = shown(&self.partner_central.visible(id)?.body);
        let mut invitation = Invitation::new("OpportunityInvitation", payload, now);
        invitation.ours = true;
        invitation.opportunity = Some(id.to_owned());
        let opportunity = self.partner_central.visible_mut(id)?;
        opportunity.engagement = Some(invitation.engagement.clone());
        let engagement = Engagement::of(&invitation, &self.settings.account, now);
        self.partner_central.engagements.insert(engagement.id.clone(), engagement);
        self.partner_central.invitations.insert(invitation.id.clone(), invitation.clone());
        Ok(invitation)
    }

    /// AWS's decision on a submission also settles the invitation that went with it.
    pub fn reviewed(&mut self, id: &str, now: Timestamp) {
        let Some(opportunity) = self.partner_central.opportunities.get_mut(id) else { return };
        let what = match opportunity.review_status() {
            "Approved" => {
                opportunity.engage();
                "Accepted"
            }
            "Rejected" => "Rejected",
            _ => return,
        };
        let sent = self.partner_central.invitations.values().find(|invitation| {
            invitation.ours && invitation.status == "PENDING" && invitation.opportunity.as_deref() == Some(id)
        });
        let Some(sent) = sent.map(|invitation| invitation.id.clone()) else { return };
        let status = if what == "Accepted" { "ACCEPTED" } else { "REJECTED" };
        let Ok(invitation) = self.settle(&sent, status, None) else { return };
        self.ring_invitation(what, &invitation, now);
        if what == "Accepted" {
            self.join(&invitation.engagement, "aws", now);
        }
        self.ring_snapshot(&invitation.engagement, id, now);
    }
}

/// What an invitation may show of an opportunity.
pub fn shown(body: &Map<String, Value>) -> Map<String, Value> {
    let mut payload = Map::new();
    for (to, from) in SHOWN {
        if let Some(value) = text::at(body, from) {
            text::set(&mut payload, to, value.clone());
        }
    }
    text::set(&mut payload, "ReceiverResponsibilities", json!(["Software Partner"]));
    payload
}
