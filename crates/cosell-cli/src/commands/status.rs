use clap::Parser;
use cosell_sync::{
    Link, LinkKey, Stage,
    log::Entry,
    status::{AwsSide, CrmSide, Story},
};
use serde::Serialize;

use super::{drift, log};
use crate::{
    output::{self, Format},
    stack::{Error, Stack, patiently},
};

/// Tells everything about one record: both sides, what differs, what was done, and what comes next.
///
/// The last word is the next action: what has to happen, who does it, and whether it goes by itself. Nothing is written.
///
/// Values of fields are shown with `--values` only; they may be personal data. What AWS's reviewer or AWS's refusal says is
/// always shown.
///
/// Example: `cosell status O1234567`
#[derive(Parser)]
pub struct Args {
    /// An opportunity (`O1234567`), a lead of a file (`L1234567`), an invitation (`engi-…`), an engagement (`eng-…`), or the
    /// identifier of a CRM record.
    record: String,
    /// Shows the values of fields that differ.
    #[arg(long)]
    values: bool,
}

/// What the ledger has linked.
#[derive(Serialize)]
struct Linked {
    ace_id: Option<String>,
    crm_id: Option<String>,
    keys: Vec<String>,
    /// Fields that both sides have agreed on.
    agreed_fields: usize,
    read_at: Option<String>,
    share: Option<&'static str>,
    referral: Option<String>,
    answer_by: Option<String>,
    answered_by_rule: Option<String>,
    became: Option<String>,
    waits_for_file_since: Option<String>,
    in_file: Option<String>,
    unlinked: bool,
}

impl From<&Link> for Linked {
    fn from(link: &Link) -> Self {
        let share = link.share.as_ref().map(|share| match (share.submitted, link.opportunity()) {
            (true, _) => "submitted",
            (false, Some(_)) => "created, not submitted yet",
            (false, None) => "begun",
        });
        let referral = link.referral.as_ref();
        let waits = link.shipment.as_ref().filter(|shipment| shipment.stage == Stage::Waiting);
        Self {
            ace_id: link.ace_id().map(str::to_owned),
            crm_id: link.crm().map(|record| record.id.clone()),
            keys: link.keys.iter().map(LinkKey::to_string).collect(),
            agreed_fields: link.base.len(),
            read_at: link.read_at.map(|at| at.to_string()),
            share,
            referral: referral.map(|referral| output::word(&referral.status)),
            answer_by: referral.filter(|_| link.is_pending()).and_then(|it| it.expires).map(|until| until.to_string()),
            answered_by_rule: referral.and_then(|referral| referral.rule.clone()),
            became: link.conversion.as_ref().and_then(|it| it.opportunity.as_ref()).map(ToString::to_string),
            waits_for_file_since: waits.map(|shipment| shipment.since.to_string()),
            in_file: link.in_file().map(str::to_owned),
            unlinked: link.unlinked,
        }
    }
}

#[derive(Serialize)]
struct Told {
    next: String,
    link: Option<Linked>,
    aws: Option<AwsSide>,
    crm: Option<CrmSide>,
    differs: Vec<drift::Row>,
    log: Vec<Entry>,
}

pub async fn run(stack: &str, format: Format, args: Args) -> Result<(), Error> {
    let drift = Stack::find(stack).await?.drift().await?;
    let Story { link, aws, crm, mut lines, log, next } = patiently(async || drift.story(&args.record).await).await?;
    lines.retain(|line| !line.verdict.is_in_step());
    let told = Told {
        next: next.to_string(),
        link: link.as_ref().map(Linked::from),
        aws,
        crm,
        differs: lines.into_iter().map(|line| drift::Row::of(line, args.values)).collect(),
        log,
    };
    if format != Format::Table {
        return output::line(&serde_json::to_string_pretty(&told)?);
    }
    let head = |title: &str| output::line(&format!("\n{title}"));
    output::line(&args.record)?;
    if let Some(link) = &told.link {
        head("LINK")?;
        output::one(link)?;
    }
    if let Some(aws) = &told.aws {
        head("AT AWS")?;
        output::one(aws)?;
    }
    if let Some(crm) = &told.crm {
        head("IN THE CRM")?;
        output::one(crm)?;
    }
    if !told.differs.is_empty() {
        head("WHAT DIFFERS")?;
        drift::print(format, &told.differs, args.values)?;
    }
    if !told.log.is_empty() {
        head("WHAT WAS DONE")?;
        log::print(format, "%Y-%m-%d %H:%M:%S", &told.log)?;
    }
    head("NEXT")?;
    output::line(&told.next)
}
