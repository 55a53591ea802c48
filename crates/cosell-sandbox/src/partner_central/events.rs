//! The events Partner Central puts on the bus: payloads carry identifiers only.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::invitations::Invitation;
use super::text;
use crate::world::State;

/// The company of an account.
pub fn company_of(account: &str) -> &'static str {
    if account == "aws" { "AWS" } else { "Example Partner" }
}

impl State {
    /// One change rings twice, with different event ids.
    pub fn ring(&mut self, detail_type: &str, detail: &Value, now: Timestamp) {
        self.emit(detail_type, detail.clone(), now);
        self.emit(detail_type, detail.clone(), now);
    }

    /// An opportunity was created or updated.
    pub fn ring_opportunity(&mut self, detail_type: &str, id: &str, now: Timestamp) {
        let detail = json!({
            "schemaVersion": "1",
            "catalog": self.settings.catalog,
            "opportunity": {"identifier": id},
        });
        self.ring(detail_type, &detail, now);
    }

    /// An invitation was created or decided.
    pub fn ring_invitation(&mut self, what: &str, invitation: &Invitation, now: Timestamp) {
        let mut detail = json!({
            "catalog": self.settings.catalog,
            "schemaVersion": "1.0",
            "engagementInvitation": {
                "arn": self.arn("engagement-invitation", &invitation.id),
                "id": invitation.id,
                "engagementId": invitation.engagement,
                "senderAccountId": invitation.sender(&self.settings.account),
                "receiverAccountId": invitation.receiver(&self.settings.account),
                "participantType": invitation.participant(),
                "payloadType": invitation.payload_type,
            },
        });
        if what == "Created" {
            detail["engagementInvitation"]["senderCompanyName"] =
                json!(company_of(invitation.sender(&self.settings.account)));
            detail["engagementInvitation"]["expirationDate"] = json!(text::nanos(invitation.expires));
        }
        self.ring(&format!("Engagement Invitation {what}"), &detail, now);
    }

    /// Somebody joined an engagement.
    pub fn ring_member_added(&mut self, engagement: &str, account: &str, now: Timestamp) {
        let detail = json!({
            "catalog": self.settings.catalog,
            "engagement": {"id": engagement},
            "engagementMember": {"accountId": account, "companyName": company_of(account)},
        });
        self.ring("Engagement Member Added", &detail, now);
    }

    /// A new revision of an opportunity's snapshot.
    pub fn ring_snapshot(&mut self, engagement: &str, opportunity: &str, now: Timestamp) {
        let revision = self.partner_central.next_snapshot(opportunity);
        let arn = self.arn("engagement", engagement);
        let path = format!("resource/Opportunity/{opportunity}/template/OpportunitySummaryView/snapshot/{revision}");
        let detail = json!({
            "schemaVersion": "1",
            "catalog": self.settings.catalog,
            "resourceSnapshot": {
                "arn": format!("{arn}/{path}"),
                "engagementId": engagement,
                "resourceType": "Opportunity",
                "resourceId": opportunity,
                "createdBy": self.settings.account,
            },
        });
        self.ring("Engagement Resource Snapshot Created", &detail, now);
    }

    /// The ARN of a shared resource; opportunities, solutions and jobs carry the account.
    pub fn arn(&self, kind: &str, id: &str) -> String {
        let account = match kind {
            "opportunity" | "solution" | "resource-snapshot-job" => self.settings.account.as_str(),
            _ => "",
        };
        format!("arn:aws:partnercentral:us-east-1:{account}:catalog/{}/{kind}/{id}", self.settings.catalog)
    }
}
