//! Where a record stands, which moves are possible from there and by whom, and which fields are open to the partner.
//!
//! Sources: AWS's developer guide and API reference (statuses, expiry), the ACE data model sheet (windows, the Sandbox's
//! transitions), the field definitions v14.3 (what is open until launched or lost).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Catalog, Field, Kind, Record, Value, api};

/// Who makes a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mover {
    /// The partner, and so cosell.
    Partner,
    /// AWS: a reviewer, a seller or time.
    Aws,
}

/// A set of states with AWS's spelling of each and the moves between them.
pub trait State: Copy + PartialEq + fmt::Debug + 'static {
    /// Every state with its spelling.
    const ALL: &'static [(Self, &'static str)];
    /// Every move in production: from, to, by whom.
    const MOVES: &'static [(Self, Self, Mover)];
    /// What the partner can do in the Sandbox beyond that, in AWS's stead.
    const SANDBOX_MOVES: &'static [(Self, Self)] = &[];

    /// AWS's spelling.
    fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }

    /// Reads AWS's spelling.
    fn from_name(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(state, _)| *state)
    }

    /// Whether `mover` may go from here to `to`. Staying is no move and always possible.
    fn may_become(self, to: Self, mover: Mover, catalog: Catalog) -> bool {
        let sandbox = catalog == Catalog::Sandbox && mover == Mover::Partner;
        self == to || Self::MOVES.contains(&(self, to, mover)) || (sandbox && Self::SANDBOX_MOVES.contains(&(self, to)))
    }

    /// Whether nothing can follow any more.
    fn is_final(self) -> bool {
        !Self::MOVES.iter().any(|(from, ..)| *from == self)
    }
}

macro_rules! spelled {
    ($($state:ty),*) => {$(
        impl fmt::Display for $state {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}
spelled!(ReviewStatus, Acceptance, Stage);

/// The review of a partner referral, in the API's spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewStatus {
    /// Created and not yet submitted: AWS ignores it.
    PendingSubmission,
    /// Waiting for a reviewer.
    Submitted,
    /// A reviewer is at work.
    InReview,
    /// The reviewer wants changes.
    ActionRequired,
    /// In AWS's pipeline.
    Approved,
    /// Ended: nothing can be changed any more.
    Rejected,
}

impl State for ReviewStatus {
    const ALL: &'static [(Self, &'static str)] = &[
        (Self::PendingSubmission, "Pending Submission"),
        (Self::Submitted, "Submitted"),
        (Self::InReview, "In review"),
        (Self::ActionRequired, "Action Required"),
        (Self::Approved, "Approved"),
        (Self::Rejected, "Rejected"),
    ];
    const MOVES: &'static [(Self, Self, Mover)] = &[
        (Self::PendingSubmission, Self::Submitted, Mover::Partner),
        (Self::Submitted, Self::InReview, Mover::Aws),
        (Self::Submitted, Self::ActionRequired, Mover::Aws),
        (Self::Submitted, Self::Approved, Mover::Aws),
        (Self::Submitted, Self::Rejected, Mover::Aws),
        (Self::InReview, Self::ActionRequired, Mover::Aws),
        (Self::InReview, Self::Approved, Mover::Aws),
        (Self::InReview, Self::Rejected, Mover::Aws),
        // An update is enough by the guide; that AWS wants a second submission is not excluded.
        (Self::ActionRequired, Self::Submitted, Mover::Partner),
    ];
    // `In review` cannot be played, and `Submitted` is reached by submitting as in production.
    const SANDBOX_MOVES: &'static [(Self, Self)] = &[
        (Self::Submitted, Self::ActionRequired),
        (Self::Submitted, Self::Approved),
        (Self::Submitted, Self::Rejected),
    ];
}

/// The answer to an invitation, as `GetEngagementInvitation` spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Acceptance {
    /// Open: the customer's contacts are hidden.
    Pending,
    /// Accepted: everything is shown.
    Accepted,
    /// Rejected: everything is hidden again.
    Rejected,
    /// Not answered in time.
    Expired,
}

impl State for Acceptance {
    const ALL: &'static [(Self, &'static str)] = &[
        (Self::Pending, "PENDING"),
        (Self::Accepted, "ACCEPTED"),
        (Self::Rejected, "REJECTED"),
        (Self::Expired, "EXPIRED"),
    ];
    const MOVES: &'static [(Self, Self, Mover)] = &[
        (Self::Pending, Self::Accepted, Mover::Partner),
        (Self::Pending, Self::Rejected, Mover::Partner),
        (Self::Pending, Self::Expired, Mover::Aws),
    ];
}

impl Acceptance {
    /// Reads `partnerAcceptanceStatus` of an opportunity or `currentLeadStage` of a lead in a file, where an open one has
    /// no value and an expired one counts as rejected.
    pub fn in_files(value: Option<&Value>) -> Option<Self> {
        match value {
            None | Some(Value::Null) => Some(Self::Pending),
            Some(value) => match value.as_text()? {
                "Accepted" => Some(Self::Accepted),
                "Rejected" => Some(Self::Rejected),
                _ => None,
            },
        }
    }
}

/// The partner's sales stage. AWS has a list of its own, which never moves this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Found.
    Prospect,
    /// Worth the work.
    Qualified,
    /// Technically sound.
    TechnicalValidation,
    /// Worth the money.
    BusinessValidation,
    /// Agreed; needs a solution.
    Committed,
    /// In production.
    Launched,
    /// Lost.
    ClosedLost,
}

macro_rules! stage_moves {
    ($($from:ident),*) => { &[$(
        (Stage::$from, Stage::Prospect, Mover::Partner),
        (Stage::$from, Stage::Qualified, Mover::Partner),
        (Stage::$from, Stage::TechnicalValidation, Mover::Partner),
        (Stage::$from, Stage::BusinessValidation, Mover::Partner),
        (Stage::$from, Stage::Committed, Mover::Partner),
        (Stage::$from, Stage::Launched, Mover::Partner),
        (Stage::$from, Stage::ClosedLost, Mover::Partner),
    )*] };
}

impl State for Stage {
    const ALL: &'static [(Self, &'static str)] = &[
        (Self::Prospect, "Prospect"),
        (Self::Qualified, "Qualified"),
        (Self::TechnicalValidation, "Technical Validation"),
        (Self::BusinessValidation, "Business Validation"),
        (Self::Committed, "Committed"),
        (Self::Launched, "Launched"),
        (Self::ClosedLost, "Closed Lost"),
    ];
    // AWS documents no order among the open stages; launched and lost are ends.
    const MOVES: &'static [(Self, Self, Mover)] =
        stage_moves!(Prospect, Qualified, TechnicalValidation, BusinessValidation, Committed);
}

impl Stage {
    /// Whether AWS wants a solution or Marketplace product by then.
    pub fn needs_solution(self) -> bool {
        matches!(self, Self::Committed | Self::Launched)
    }
}

/// The states in which a field is open to the partner after submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows(u8);

impl Windows {
    /// Closed from submission on.
    pub const NONE: Self = Self(0);
    /// Open while AWS asks for changes.
    pub const ACTION_REQUIRED: Self = Self(1);
    /// Open once approved, until launched or lost.
    pub const APPROVED: Self = Self(2);
    /// Open after launch.
    pub const LAUNCHED: Self = Self(4);
    /// Open after launch for software partners (ISVs).
    pub const LAUNCHED_ISV: Self = Self(8);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it is open in any of these.
    pub const fn any(self, windows: Self) -> bool {
        self.0 & windows.0 != 0
    }

    /// The names of the windows, for tables.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [
            (Self::ACTION_REQUIRED, "action required"),
            (Self::APPROVED, "approved"),
            (Self::LAUNCHED, "launched"),
            (Self::LAUNCHED_ISV, "launched (ISV)"),
        ]
        .into_iter()
        .filter(move |(window, _)| self.any(*window))
        .map(|(_, name)| name)
    }
}

/// Whether the partner may change a field now, and if not, whether waiting can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A change is accepted.
    Open,
    /// Closed while AWS reviews, or until the next status: the change is kept and goes out later.
    Later,
    /// Closed for good.
    Never,
}

/// Where a record stands at AWS, as far as that decides what is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// The review; none for an AWS referral, which follows the rules of an approved opportunity.
    pub status: Option<ReviewStatus>,
    /// The partner's stage.
    pub stage: Option<Stage>,
    /// How the partner answered a lead or a referral that came in a file; none where nobody asks for an answer, or by the API.
    pub acceptance: Option<Acceptance>,
    /// Whether AWS sells along: that is not taken back.
    pub co_sell: bool,
    /// Whether the partner is a software partner (ISV), to whom AWS leaves a little more after launch.
    pub isv: bool,
}

impl Standing {
    /// The fields that it is read from.
    pub const FIELDS: [&'static str; 7] = [
        "status",
        "stage",
        "currentLeadStage",
        "opportunityOwnership",
        "acceptBy",
        "partnerAcceptanceStatus",
        "partnerPrimaryNeedFromAws",
    ];

    /// Reads it from the record that AWS has.
    pub fn of(record: &Record) -> Self {
        // Only files say until when a referral must be answered; the API keeps that with the invitation.
        let is_asked =
            || record.text("opportunityOwnership") == Some("AWS Referral") && record.value("acceptBy").is_some();
        let acceptance = match record.kind() {
            Kind::Lead => Acceptance::in_files(record.value("currentLeadStage")),
            Kind::Opportunity if is_asked() => Acceptance::in_files(record.value("partnerAcceptanceStatus")),
            Kind::Opportunity => None,
        };
        Self {
            status: record.text("status").and_then(ReviewStatus::from_name),
            stage: record.text("stage").and_then(Stage::from_name),
            acceptance,
            co_sell: api::involvement(record) == "Co-Sell",
            isv: false,
        }
    }

    /// Whether `field` may be changed: of an opportunity through the API, of a lead in a file.
    pub fn access(self, kind: Kind, field: &Field) -> Access {
        match kind {
            Kind::Opportunity => self.opportunity(field),
            Kind::Lead => self.lead(field),
        }
    }

    /// Before its acceptance AWS takes nothing of a lead but the answer.
    fn lead(self, field: &Field) -> Access {
        match self.acceptance {
            _ if !field.flow.sends() => Access::Never,
            Some(Acceptance::Pending) if field.key == "currentLeadStage" => Access::Open,
            Some(Acceptance::Pending) => Access::Later,
            Some(Acceptance::Rejected | Acceptance::Expired) => Access::Never,
            Some(Acceptance::Accepted) | None => Access::Open,
        }
    }

    fn opportunity(self, field: &Field) -> Access {
        let Self { status, stage, acceptance, co_sell, isv } = self;
        match acceptance {
            Some(Acceptance::Pending) if matches!(field.key, "partnerAcceptanceStatus" | "rejectionReason") => {
                return Access::Open;
            }
            Some(Acceptance::Pending) if field.is_writable() => return Access::Later,
            Some(Acceptance::Rejected | Acceptance::Expired) => return Access::Never,
            Some(Acceptance::Pending | Acceptance::Accepted) | None => {}
        }
        if !field.is_writable() {
            return Access::Never;
        }
        let open = |window| field.windows.any(window);
        match status {
            // AWS refuses a change of stage before submission: it starts as what was created.
            Some(ReviewStatus::PendingSubmission) if field.key == "stage" => Access::Later,
            Some(ReviewStatus::PendingSubmission) => Access::Open,
            Some(ReviewStatus::Rejected) => Access::Never,
            Some(ReviewStatus::ActionRequired) if open(Windows::ACTION_REQUIRED) => Access::Open,
            Some(ReviewStatus::Submitted | ReviewStatus::InReview | ReviewStatus::ActionRequired) => {
                if open(Windows::ACTION_REQUIRED.and(Windows::APPROVED)) { Access::Later } else { Access::Never }
            }
            Some(ReviewStatus::Approved) | None => {
                let is_open = match stage {
                    Some(Stage::Launched) => open(Windows::LAUNCHED) || (isv && open(Windows::LAUNCHED_ISV)),
                    Some(Stage::ClosedLost) => false,
                    _ if co_sell && field.key == "partnerPrimaryNeedFromAws" => false,
                    _ => open(Windows::APPROVED),
                };
                if is_open { Access::Open } else { Access::Never }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_the_review() {
        use ReviewStatus::{ActionRequired, Approved, InReview, PendingSubmission, Rejected, Submitted};
        use Stage::{ClosedLost, Launched, Prospect, Qualified};
        for (key, status, stage, isv, expected) in [
            ("partnerProjectTitle", Some(PendingSubmission), None, false, Access::Open),
            ("stage", Some(PendingSubmission), Some(Prospect), false, Access::Later),
            ("partnerProjectTitle", Some(Submitted), None, false, Access::Never),
            ("partnerProjectTitle", Some(Approved), Some(Qualified), false, Access::Never),
            ("stage", Some(InReview), None, false, Access::Later),
            ("stage", Some(ActionRequired), None, false, Access::Later),
            ("stage", Some(Approved), Some(Qualified), false, Access::Open),
            ("stage", Some(Approved), Some(Launched), false, Access::Never),
            ("stage", Some(Approved), Some(ClosedLost), false, Access::Never),
            ("additionalComments", Some(Approved), Some(Launched), false, Access::Open),
            ("deliveryModel", Some(Approved), Some(Launched), false, Access::Never),
            ("deliveryModel", Some(Approved), Some(Launched), true, Access::Open),
            ("stage", None, Some(Prospect), false, Access::Open),
            ("targetCloseDate", Some(ActionRequired), None, false, Access::Open),
            ("targetCloseDate", Some(Rejected), None, false, Access::Never),
            ("awsStage", Some(Approved), None, false, Access::Never),
        ] {
            let field = Kind::Opportunity.field(key).unwrap();
            assert_eq!(
                Standing { status, stage, isv, ..Standing::default() }.access(Kind::Opportunity, field),
                expected,
                "{key} {status:?} {stage:?}"
            );
        }
    }

    #[test]
    fn a_referral_of_a_file_is_answered_before_it_is_worked_on() {
        let access = |key, answer: Option<&str>, owner: &str| {
            let said = [("opportunityOwnership", owner), ("acceptBy", "2026-03-09T00:00:00Z")];
            let mut aws = Record::new(Kind::Opportunity);
            for (key, text) in said.into_iter().chain(answer.map(|answer| ("partnerAcceptanceStatus", answer))) {
                aws.set(Kind::Opportunity.field(key).unwrap(), Value::Text(text.to_owned()));
            }
            Standing::of(&aws).access(Kind::Opportunity, Kind::Opportunity.field(key).unwrap())
        };
        assert_eq!(access("partnerAcceptanceStatus", None, "AWS Referral"), Access::Open);
        assert_eq!(access("nextStep", None, "AWS Referral"), Access::Later);
        assert_eq!(access("nextStep", Some("Accepted"), "AWS Referral"), Access::Open);
        assert_eq!(access("nextStep", Some("Rejected"), "AWS Referral"), Access::Never);
        assert_eq!(access("nextStep", None, "Partner Referral"), Access::Open, "nobody asks for an answer");
    }

    #[test]
    fn a_lead_is_answered_before_it_is_worked_on() {
        let access = |key, acceptance| {
            let standing = Standing { acceptance: Some(acceptance), ..Standing::default() };
            standing.access(Kind::Lead, Kind::Lead.field(key).unwrap())
        };
        assert_eq!(access("currentLeadStage", Acceptance::Pending), Access::Open);
        assert_eq!(access("status", Acceptance::Pending), Access::Later);
        assert_eq!(access("status", Acceptance::Accepted), Access::Open);
        assert_eq!(access("campaignName", Acceptance::Accepted), Access::Never);
        assert_eq!(access("status", Acceptance::Expired), Access::Never);
    }

    #[test]
    fn moves_are_made_by_who_may_make_them() {
        use ReviewStatus::{ActionRequired, Approved, InReview, PendingSubmission, Rejected, Submitted};
        for (from, to, mover, catalog, expected) in [
            (PendingSubmission, Submitted, Mover::Partner, Catalog::Aws, true),
            (PendingSubmission, Approved, Mover::Partner, Catalog::Aws, false),
            (Submitted, Approved, Mover::Aws, Catalog::Aws, true),
            (Submitted, Approved, Mover::Partner, Catalog::Aws, false),
            (Submitted, Approved, Mover::Partner, Catalog::Sandbox, true),
            (Submitted, InReview, Mover::Partner, Catalog::Sandbox, false),
            (ActionRequired, Submitted, Mover::Partner, Catalog::Aws, true),
            (Approved, Rejected, Mover::Aws, Catalog::Aws, false),
            (Approved, Approved, Mover::Partner, Catalog::Aws, true),
        ] {
            assert_eq!(from.may_become(to, mover, catalog), expected, "{from} -> {to} {mover:?} {catalog}");
        }
        assert!(Approved.is_final() && Rejected.is_final() && !Submitted.is_final());
        assert!(Stage::Committed.may_become(Stage::Qualified, Mover::Partner, Catalog::Aws));
        assert!(!Stage::Launched.may_become(Stage::Committed, Mover::Partner, Catalog::Aws));
        assert!(Acceptance::Pending.may_become(Acceptance::Expired, Mover::Aws, Catalog::Aws));
        assert!(!Acceptance::Expired.may_become(Acceptance::Accepted, Mover::Partner, Catalog::Aws));
    }

    #[test]
    fn states_read_their_own_names() {
        fn every<S: State>() {
            for (state, name) in S::ALL {
                assert_eq!(S::from_name(name), Some(*state), "{name}");
                assert_eq!(state.as_str(), *name);
            }
        }
        every::<ReviewStatus>();
        every::<Acceptance>();
        every::<Stage>();
        assert_eq!(ReviewStatus::from_name("In Review"), None);
    }
}
