//! Where an opportunity stands, and which fields are open there.

use std::fmt;

use crate::Field;

/// The review status of a partner referral, in the API's spelling.
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

impl ReviewStatus {
    /// Every status with the API's spelling.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::PendingSubmission, "Pending Submission"),
        (Self::Submitted, "Submitted"),
        (Self::InReview, "In review"),
        (Self::ActionRequired, "Action Required"),
        (Self::Approved, "Approved"),
        (Self::Rejected, "Rejected"),
    ];

    /// Reads the API's spelling, or `Draft`, which the files use for [`ReviewStatus::PendingSubmission`].
    pub fn parse(text: &str) -> Option<Self> {
        let text = if text == "Draft" { "Pending Submission" } else { text };
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(status, _)| *status)
    }
}

impl fmt::Display for ReviewStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, name) = Self::ALL.iter().find(|(status, _)| status == self).expect("every status is listed");
        f.write_str(name)
    }
}

/// The states after submission in which a field is open to the partner.
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

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn has(self, window: Self) -> bool {
        self.0 & window.0 != 0
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

/// Whether `field` may be changed in `status` at `stage`.
/// An absent status is an AWS referral, which follows the rules of an approved one.
pub fn access(field: &Field, status: Option<ReviewStatus>, stage: Option<&str>) -> Access {
    if !field.is_writable() {
        return Access::Never;
    }
    let open = match status {
        Some(ReviewStatus::PendingSubmission) => return Access::Open,
        Some(ReviewStatus::Rejected) => return Access::Never,
        Some(ReviewStatus::Submitted | ReviewStatus::InReview) => false,
        Some(ReviewStatus::ActionRequired) => field.windows.has(Windows::ACTION_REQUIRED),
        Some(ReviewStatus::Approved) | None if stage == Some("Launched") => {
            return if field.windows.has(Windows::LAUNCHED) { Access::Open } else { Access::Never };
        }
        Some(ReviewStatus::Approved) | None => {
            return if field.windows.has(Windows::APPROVED) { Access::Open } else { Access::Never };
        }
    };
    match (open, field.windows) {
        (true, _) => Access::Open,
        (false, Windows::NONE | Windows::LAUNCHED) => Access::Never,
        (false, _) => Access::Later,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn windows_follow_the_review() {
        use ReviewStatus::{ActionRequired, Approved, InReview, PendingSubmission, Rejected, Submitted};
        let access = |key, status, stage| access(Kind::Opportunity.field(key).unwrap(), status, stage);
        for (key, status, stage, expected) in [
            ("partnerProjectTitle", Some(PendingSubmission), None, Access::Open),
            ("partnerProjectTitle", Some(Submitted), None, Access::Never),
            ("partnerProjectTitle", Some(Approved), Some("Qualified"), Access::Never),
            ("stage", Some(InReview), None, Access::Later),
            ("stage", Some(ActionRequired), None, Access::Later),
            ("stage", Some(Approved), Some("Qualified"), Access::Open),
            ("stage", Some(Approved), Some("Launched"), Access::Never),
            ("stage", None, Some("Prospect"), Access::Open),
            ("targetCloseDate", Some(ActionRequired), None, Access::Open),
            ("targetCloseDate", Some(Rejected), None, Access::Never),
            ("awsStage", Some(Approved), None, Access::Never),
        ] {
            assert_eq!(access(key, status, stage), expected, "{key} {status:?} {stage:?}");
        }
    }

    #[test]
    fn statuses_read_their_own_names() {
        for (status, name) in ReviewStatus::ALL {
            assert_eq!(ReviewStatus::parse(name), Some(status));
            assert_eq!(status.to_string(), name);
        }
        assert_eq!(ReviewStatus::parse("Draft"), Some(ReviewStatus::PendingSubmission));
        assert_eq!(ReviewStatus::parse("In Review"), None);
    }
}
