//! The whole story of one record: both sides, what they agreed on, what was done, and what comes next.

use std::fmt;

use cosell_model::{
    Kind, Record, api,
    life_cycle::{Acceptance, ReviewStatus, Standing},
};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    Link, LinkKey, Stage, SyncError,
    drift::{Drift, Goes, Line, Verdict, lines},
    from_aws::present,
    log::{Direction, Entry, Of, Query, Status},
    ports::{PortError, PortResult, Rejection},
    who::{Named, named},
};

/// How much of the sync log belongs to a story.
const ENTRIES: usize = 10;

/// Everything about one record.
#[derive(Debug)]
pub struct Story {
    /// What belongs together, as the ledger knows it.
    pub link: Option<Link>,
    /// What AWS says of the opportunity.
    pub aws: Option<AwsSide>,
    /// What the CRM says of the record.
    pub crm: Option<CrmSide>,
    /// What of the two differs.
    pub lines: Vec<Line>,
    /// What was done last, newest first.
    pub log: Vec<Entry>,
    /// What comes next.
    pub next: Next,
}

/// AWS's side in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AwsSide {
    /// The partner's stage.
    pub stage: Option<String>,
    /// The review.
    pub review_status: Option<String>,
    /// When it last changed.
    pub modified_at: Option<String>,
}

/// The CRM's side in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CrmSide {
    /// The object.
    pub object: String,
    /// The record.
    pub id: String,
    /// The partner's stage, in ACE's words, where it is mapped.
    pub stage: Option<String>,
    /// What cosell has written on the record: whether it is in step.
    pub sync_status: Option<String>,
    /// And why not.
    pub sync_message: Option<String>,
    /// When it last changed.
    pub modified_at: String,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nobody has it.
    Unknown,
    /// The mapping leaves it out.
    OutOfScope,
    /// AWS has it, and the CRM does not know it.
    Unlinked,
    /// The CRM has it, and nobody asked for it to be shared. The check box, if there is one.
    Unshared(Option<String>),
    /// It is to be shared, and has yet to be found.
    Shares,
    /// Sharing has begun and goes on.
    Sharing,
    /// Somebody has to answer the referral, until then.
    Answer(Option<Timestamp>),
    /// The referral has ended so.
    Ended(Acceptance),
    /// Somebody deleted the CRM's record.
    DeletedInCrm,
    /// It is on its way to AWS in a file.
    Ships(Ships),
    /// AWS does not have it, or does not show it.
    NotAtAws,
    /// The rep has to mend it.
    Mend(Vec<Rejection>),
    /// AWS's reviewer wants changes.
    Reviewer(Option<String>),
    /// AWS reviews.
    Review {
        /// Since then.
        since: Option<Timestamp>,
        /// So many edits wait for the end of it.
        waiting: usize,
    },
    /// A person has to decide: which fields.
    Decide(Vec<&'static str>),
    /// Changes go by themselves.
    Goes {
        /// So many to AWS.
        to_aws: usize,
        /// So many to the CRM.
        to_crm: usize,
    },
    /// AWS's review is over for good: it was rejected.
    Rejected,
    /// AWS does not take these any more, and both sides agree on the rest.
    Closed(Vec<&'static str>),
    /// It is a lead and needs nothing.
    Lead,
    /// Both sides agree.
    InStep,
}

/// Where a record is on its way to AWS in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ships {
    /// It waits for the next one, since then.
    Waits(Timestamp),
    /// It is in one.
    In {
        /// Which.
        file: String,
        /// When AWS had it for certain.
        sent_at: Option<Timestamp>,
        /// Whether AWS had time enough to answer.
        is_late: bool,
    },
}

impl fmt::Display for Ships {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waits(since) => write!(f, "it waits for the next file to AWS since {since}: fn-file-send sends it"),
            Self::In { file, sent_at: None, .. } => {
                write!(f, "it is in file {file}, which the next run of fn-file-send sends")
            }
            Self::In { file, sent_at: Some(sent), is_late: false } => {
                write!(f, "it is in file {file} since {sent}: AWS answers within minutes")
            }
            Self::In { file, sent_at: Some(sent), is_late: true } => write!(
                f,
                "it is in file {file} since {sent}, and AWS does not answer: ask AWS, or `cosell files resend {file}`"
            ),
        }
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let edits = |count: usize| if count == 1 { "1 edit".to_owned() } else { format!("{count} edits") };
        match self {
            Self::Unknown => f.write_str("nothing: neither AWS nor the CRM is known to have such a record"),
            Self::OutOfScope => f.write_str("nothing: the mapping leaves it out"),
            Self::Unlinked => f.write_str("not in the CRM: `cosell refresh` brings it there, `cosell backfill` links it with a record that is there"),
            Self::Unshared(Some(field)) => write!(f, "not shared: tick {field}"),
            Self::Unshared(None) => f.write_str("not shared: it does not meet the mapping's `share_when`"),
            Self::Shares => f.write_str("it is to be shared: the next push takes it along, `cosell opportunity share` does it now"),
            Self::Sharing => f.write_str("sharing has begun and goes on by itself"),
            Self::Answer(Some(until)) => write!(f, "accept or reject until {until}"),
            Self::Answer(None) => f.write_str("accept or reject"),
            Self::Ended(how) => write!(f, "nothing: the referral is {how}"),
            Self::DeletedInCrm => f.write_str("deleted in the CRM: restore it there, or leave it; the mapping's `deleted` says what arrivals do"),
            Self::Ships(ships) => ships.fmt(f),
            Self::NotAtAws => f.write_str("AWS does not show it: it was made in the other catalog, or access to it has ended"),
            Self::Mend(problems) => {
                f.write_str("the rep has to mend: ")?;
                let said = problems.iter().map(|Rejection { field, code, message }| {
                    let what = if message.is_empty() { code } else { message };
                    field.as_ref().map_or_else(|| what.clone(), |field| format!("{field}: {what}"))
                });
                f.write_str(&said.collect::<Vec<_>>().join("; "))
            }
            Self::Reviewer(Some(comments)) => write!(f, "the rep has to change what AWS's reviewer asks for: {comments}"),
            Self::Reviewer(None) => f.write_str("the rep has to change what AWS's reviewer asks for"),
            Self::Review { since, waiting } => {
                f.write_str("waiting for AWS's review")?;
                if let Some(since) = since {
                    write!(f, " since {since}")?;
                }
                match waiting {
                    0 => Ok(()),
                    1 => f.write_str("; 1 edit goes out by itself when it is over"),
                    _ => write!(f, "; {} go out by themselves when it is over", edits(*waiting)),
                }
            }
            Self::Decide(fields) => {
                write!(f, "somebody has to decide: both sides changed {}; give both the same value", fields.join(", "))
            }
            Self::Goes { to_aws, to_crm: 0 } => write!(f, "by itself: {} to AWS with the next push", edits(*to_aws)),
            Self::Goes { to_aws: 0, to_crm } => {
                write!(f, "by itself: {} to the CRM with the next event or reconciliation", edits(*to_crm))
            }
            Self::Goes { to_aws, to_crm } => {
                write!(f, "by itself: {} to AWS, {} to the CRM", edits(*to_aws), edits(*to_crm))
            }
            Self::Rejected => f.write_str("nothing: AWS has rejected it and takes no changes any more"),
            Self::Closed(fields) => write!(f, "nothing: AWS does not take {} any more", fields.join(", ")),
            Self::Lead => f.write_str("nothing: it is a lead that is in the CRM"),
            Self::InStep => f.write_str("nothing: both sides agree"),
        }
    }
}

/// What decides on what comes next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Facts {
    /// The CRM has it.
    pub in_crm: bool,
    /// AWS has it as an opportunity.
    pub at_aws: bool,
    /// The ledger has linked it with an opportunity.
    pub is_opportunity: bool,
    /// The ledger has linked it with a record of the CRM.
    pub has_crm: bool,
    /// It is on its way to AWS in a file.
    pub ships: Option<Ships>,
    /// The mapping leaves it out.
    pub out_of_scope: bool,
    /// It is a lead.
    pub is_lead: bool,
    /// The referral, and until when it can be answered.
    pub referral: Option<(Acceptance, Option<Timestamp>)>,
    /// Sharing has begun; whether it is done.
    pub share: Option<bool>,
    /// Somebody asks for it to be shared.
    pub wants_share: bool,
    /// The check box by which one does.
    pub share_box: Option<String>,
    /// The review, and when AWS's record last changed.
    pub review: Option<(ReviewStatus, Option<Timestamp>)>,
    /// What the reviewer said.
    pub comments: Option<String>,
    /// What was wrong when it was last sent.
    pub problems: Vec<Rejection>,
    /// How its fields stand.
    pub fields: Vec<(&'static str, Verdict, Option<Goes>)>,
}

/// What comes next, by the facts alone.
pub fn next(facts: &Facts) -> Next {
    let of = |verdicts: &[Verdict]| -> Vec<&'static str> {
        facts.fields.iter().filter(|(_, verdict, _)| verdicts.contains(verdict)).map(|(field, ..)| *field).collect()
    };
    let going = |verdicts: &[Verdict]| {
        let goes = |(_, verdict, goes): &&(_, Verdict, _)| verdicts.contains(verdict) && *goes == Some(Goes::Yes);
        facts.fields.iter().filter(goes).count()
    };
    if !facts.in_crm && facts.has_crm {
        return Next::DeletedInCrm;
    }
    // What was wrong before is mended: it would not be on its way.
    if let Some(ships) = &facts.ships {
        return Next::Ships(ships.clone());
    }
    match facts.referral {
        Some((Acceptance::Pending, _)) if !facts.problems.is_empty() => return Next::Mend(facts.problems.clone()),
        Some((Acceptance::Pending, until)) => return Next::Answer(until),
        Some((how @ (Acceptance::Rejected | Acceptance::Expired), _)) => return Next::Ended(how),
        Some((Acceptance::Accepted, _)) | None => {}
    }
    if facts.out_of_scope {
        return Next::OutOfScope;
    }
    if facts.is_lead {
        return Next::Lead;
    }
    if !facts.in_crm {
        return if facts.at_aws { Next::Unlinked } else { Next::Unknown };
    }
    if !facts.problems.is_empty() {
        return Next::Mend(facts.problems.clone());
    }
    if !facts.is_opportunity || facts.share == Some(false) {
        return match facts.share {
            Some(_) => Next::Sharing,
            None if facts.wants_share => Next::Shares,
            None => Next::Unshared(facts.share_box.clone()),
        };
    }
    if !facts.at_aws {
        return Next::NotAtAws;
    }
    let waiting = of(&[Verdict::Waits]).len();
    match facts.review {
        Some((ReviewStatus::ActionRequired, _)) => return Next::Reviewer(facts.comments.clone()),
        Some((ReviewStatus::Rejected, _)) => return Next::Rejected,
        _ => {}
    }
    let held = of(&[Verdict::Held]);
    if !held.is_empty() {
        return Next::Decide(held);
    }
    let to_aws = going(&[Verdict::CrmChanged, Verdict::CrmWins]);
    let to_crm = going(&[Verdict::AwsChanged, Verdict::AwsWins]);
    if to_aws + to_crm > 0 {
        return Next::Goes { to_aws, to_crm };
    }
    match facts.review {
        Some((ReviewStatus::Submitted | ReviewStatus::InReview, since)) => return Next::Review { since, waiting },
        Some((ReviewStatus::PendingSubmission, _)) if facts.wants_share => return Next::Shares,
        Some((ReviewStatus::PendingSubmission, _)) => return Next::Unshared(facts.share_box.clone()),
        _ => {}
    }
    let closed = of(&[Verdict::Closed]);
    if closed.is_empty() { Next::InStep } else { Next::Closed(closed) }
}

impl Drift {
    /// Tells everything about the record of an identifier: AWS's (an opportunity, a lead of a file, an invitation, an
    /// engagement) or the CRM's.
    pub async fn story(&self, id: &str) -> Result<Story, SyncError> {
        let Named { key, link, record } = named(self.ledger.as_ref(), self.crm.as_ref(), &self.mapping, id).await?;
        let object = &self.mapping.opportunity;
        let opportunity = match (&link, &key) {
            (Some(link), _) => link.opportunity(),
            (None, Some(LinkKey::Opportunity(id))) => Some(id),
            (None, _) => None,
        };
        let mut aws: Option<(Record, Record)> = None;
        if let Some(id) = opportunity {
            aws = match present(self.partner_central.as_ref(), id, object.needs_summary()).await {
                Err(PortError::NotFound { .. }) => None,
                answered => {
                    let (opportunity, summary) = answered?;
                    let shown = api::opportunity(&opportunity, summary.as_ref());
                    let redacted = shown.record.clone();
                    Some((shown.without_redacted().record, redacted))
                }
            };
        }
        let mut compared = Vec::new();
        if let (Some(link), Some(id), Some((aws, redacted)), Some((_, crm))) = (&link, opportunity, &aws, &record) {
            compared = lines(object, link, [aws, redacted], crm, id.as_str(), (self.now)());
        }
        let aws = aws.map(|(aws, _)| aws);
        let mut log = Vec::new();
        let ace_id = link.as_ref().and_then(Link::ace_id).or(opportunity.map(cosell_model::OpportunityId::as_str));
        let crm_id = record.as_ref().map(|(_, record)| record.id.as_str());
        for id in crm_id.or_else(|| Some(link.as_ref()?.crm()?.id.as_str())).into_iter().chain(ace_id) {
            log.extend(self.ledger.read_log(&Query::of(Of::Record(id)), ENTRIES).await?);
        }
        // An entry about both is found under both names.
        log.sort_by_key(|entry| std::cmp::Reverse(entry.id));
        log.dedup();
        log.truncate(ENTRIES);

        let facts = Facts {
            ships: match &link {
                Some(link) => self.ships(link).await?,
                None => None,
            },
            ..facts(object, link.as_ref(), aws.as_ref(), record.as_ref(), &compared, &log)
        };
        Ok(Story {
            aws: aws.as_ref().map(|record| {
                let text = |key| record.text(key).map(str::to_owned);
                AwsSide { stage: text("stage"), review_status: text("status"), modified_at: text("lastModifiedDate") }
            }),
            crm: record.as_ref().map(|(object, record)| {
                let text = |name: &Option<String>| record.fields.get(name.as_ref()?)?.to_text();
                CrmSide {
                    object: object.object.clone(),
                    id: record.id.clone(),
                    stage: object.to_ace(&record.fields).0.text("stage").map(str::to_owned),
                    sync_status: text(&object.status.sync_status),
                    sync_message: text(&object.status.sync_message),
                    modified_at: record.modified_at.clone(),
                }
            }),
            lines: compared,
            next: next(&facts),
            link,
            log,
        })
    }

    /// Where a record is on its way to AWS in a file, if it is.
    async fn ships(&self, link: &Link) -> PortResult<Option<Ships>> {
        let Some(shipment) = &link.shipment else { return Ok(None) };
        Ok(match &shipment.stage {
            Stage::Answered | Stage::Refused => None,
            Stage::Waiting => Some(Ships::Waits(shipment.since)),
            Stage::InFile(file) => {
                let manifest = self.ledger.manifest(file).await?;
                let hours = self.mapping.files.answer_hours;
                Some(Ships::In {
                    file: file.clone(),
                    sent_at: manifest.as_ref().and_then(|manifest| manifest.sent_at),
                    is_late: manifest.is_some_and(|manifest| manifest.is_late(hours, (self.now)())),
                })
            }
        })
    }
}

fn facts(
    opportunity: &cosell_mapping::ObjectMapping,
    link: Option<&Link>,
    aws: Option<&Record>,
    record: Option<&(&cosell_mapping::ObjectMapping, crate::ports::CrmRecord)>,
    lines: &[Line],
    log: &[Entry],
) -> Facts {
    // What was refused last, unless something went the same way since.
    let last = [Direction::ToAws, Direction::FromAws].map(|way| log.iter().find(|entry| entry.direction == way));
    let refused = last.into_iter().flatten().find(|entry| entry.status == Status::Error);
    let left_out_at_aws = aws.is_some_and(|aws| opportunity.is_dummy(aws) || !opportunity.welcomes(aws));
    let left_out_in_crm = record.is_some_and(|(object, record)| !object.in_scope(&record.fields));
    Facts {
        in_crm: record.is_some(),
        at_aws: aws.is_some(),
        is_opportunity: link.is_some_and(|link| link.opportunity().is_some()),
        has_crm: link.is_some_and(|link| link.crm().is_some()),
        ships: None,
        out_of_scope: left_out_in_crm || (record.is_none() && left_out_at_aws),
        is_lead: record.is_some_and(|(object, _)| object.kind == Kind::Lead),
        referral: link.and_then(|link| link.referral.as_ref()).map(|referral| (referral.status, referral.expires)),
        share: link.and_then(|link| link.share.as_ref()).map(|share| share.submitted),
        wants_share: record.is_some_and(|(object, record)| object.wants_share(&record.fields)),
        share_box: opportunity.share.clone(),
        review: aws.and_then(|aws| {
            let modified = aws.text("lastModifiedDate").and_then(|at| at.parse().ok());
            Standing::of(aws).status.map(|status| (status, modified))
        }),
        comments: aws.and_then(|aws| aws.text("apnReviewerComments")).map(str::to_owned),
        problems: refused.map(|entry| entry.problems.clone()).unwrap_or_default(),
        fields: lines.iter().filter_map(|line| Some((line.field?, line.verdict, line.goes))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_next_is_said_in_one_sentence() {
        let at = "2026-03-24T01:50:25Z".parse().ok();
        let problem = Rejection { field: Some("Name".into()), code: "REQUIRED".into(), message: "fill it in".into() };
        let crm = Facts { in_crm: true, share_box: Some("Share__c".into()), ..Facts::default() };
        let linked = Facts { at_aws: true, is_opportunity: true, has_crm: true, ..crm.clone() };
        let reviewed = |status| Facts { review: Some((status, at)), ..linked.clone() };
        let with =
            |fields: &[(&'static str, Verdict, Option<Goes>)]| Facts { fields: fields.to_vec(), ..linked.clone() };
        let referred = |status| Facts { referral: Some((status, at)), in_crm: true, has_crm: true, ..Facts::default() };
        let (yes, later, no) = (Some(Goes::Yes), Some(Goes::Later), Some(Goes::No));
        let since = Timestamp::UNIX_EPOCH;
        let shipped = |sent_at, is_late| Facts {
            ships: Some(Ships::In { file: "lead-inbound/a.json".into(), sent_at, is_late }),
            is_lead: true,
            problems: vec![problem.clone()],
            ..crm.clone()
        };
        for (facts, said) in [
            (Facts::default(), "nothing: neither AWS nor the CRM is known to have such a record"),
            (crm.clone(), "not shared: tick Share__c"),
            (Facts { share_box: None, ..crm.clone() }, "not shared: it does not meet the mapping's `share_when`"),
            (
                Facts { wants_share: true, ..crm.clone() },
                "it is to be shared: the next push takes it along, `cosell opportunity share` does it now",
            ),
            (
                Facts { wants_share: true, problems: vec![problem.clone()], ..crm.clone() },
                "the rep has to mend: Name: fill it in",
            ),
            (Facts { share: Some(false), ..crm.clone() }, "sharing has begun and goes on by itself"),
            (
                Facts { share: Some(false), ..reviewed(ReviewStatus::PendingSubmission) },
                "sharing has begun and goes on by itself",
            ),
            (reviewed(ReviewStatus::PendingSubmission), "not shared: tick Share__c"),
            (
                Facts { at_aws: true, ..Facts::default() },
                "not in the CRM: `cosell refresh` brings it there, `cosell backfill` links it with a record that is there",
            ),
            (Facts { out_of_scope: true, ..linked.clone() }, "nothing: the mapping leaves it out"),
            (referred(Acceptance::Pending), "accept or reject until 2026-03-24T01:50:25Z"),
            (
                Facts { problems: vec![problem.clone()], ..referred(Acceptance::Pending) },
                "the rep has to mend: Name: fill it in",
            ),
            (referred(Acceptance::Expired), "nothing: the referral is EXPIRED"),
            (Facts { is_lead: true, ..referred(Acceptance::Accepted) }, "nothing: it is a lead that is in the CRM"),
            (
                Facts { in_crm: false, ..linked.clone() },
                "deleted in the CRM: restore it there, or leave it; the mapping's `deleted` says what arrivals do",
            ),
            (
                Facts { at_aws: false, ..linked.clone() },
                "AWS does not show it: it was made in the other catalog, or access to it has ended",
            ),
            (
                Facts { ships: Some(Ships::Waits(since)), ..crm.clone() },
                "it waits for the next file to AWS since 1970-01-01T00:00:00Z: fn-file-send sends it",
            ),
            (shipped(None, false), "it is in file lead-inbound/a.json, which the next run of fn-file-send sends"),
            (
                shipped(Some(since), false),
                "it is in file lead-inbound/a.json since 1970-01-01T00:00:00Z: AWS answers within minutes",
            ),
            (
                shipped(Some(since), true),
                "it is in file lead-inbound/a.json since 1970-01-01T00:00:00Z, and AWS does not answer: ask AWS, or `cosell files resend lead-inbound/a.json`",
            ),
            (reviewed(ReviewStatus::Submitted), "waiting for AWS's review since 2026-03-24T01:50:25Z"),
            (
                Facts {
                    fields: vec![("stage", Verdict::Waits, later), ("nextStep", Verdict::Waits, later)],
                    ..reviewed(ReviewStatus::InReview)
                },
                "waiting for AWS's review since 2026-03-24T01:50:25Z; 2 edits go out by themselves when it is over",
            ),
            (
                Facts { comments: Some("Say more".into()), ..reviewed(ReviewStatus::ActionRequired) },
                "the rep has to change what AWS's reviewer asks for: Say more",
            ),
            (reviewed(ReviewStatus::Rejected), "nothing: AWS has rejected it and takes no changes any more"),
            (
                with(&[("stage", Verdict::Held, no)]),
                "somebody has to decide: both sides changed stage; give both the same value",
            ),
            (with(&[("stage", Verdict::CrmChanged, yes)]), "by itself: 1 edit to AWS with the next push"),
            (
                with(&[("stage", Verdict::AwsWins, yes)]),
                "by itself: 1 edit to the CRM with the next event or reconciliation",
            ),
            (
                with(&[("stage", Verdict::AwsWins, yes), ("city", Verdict::CrmWins, yes)]),
                "by itself: 1 edit to AWS, 1 edit to the CRM",
            ),
            (with(&[("stage", Verdict::Closed, no)]), "nothing: AWS does not take stage any more"),
            (reviewed(ReviewStatus::Approved), "nothing: both sides agree"),
        ] {
            assert_eq!(next(&facts).to_string(), said, "{facts:?}");
        }
    }
}
