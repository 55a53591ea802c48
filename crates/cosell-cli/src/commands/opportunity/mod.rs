mod show;

use std::collections::BTreeMap;

use clap::{Args, Subcommand, builder::PossibleValuesParser};
use cosell_model::{
    Field, Kind,
    catalog::{Entity, picklist::REJECTION_REASON},
};
use cosell_sync::{
    Converger, Progress,
    deliver::Deliver,
    dry::{Note, Notes, To},
    order::{Deed, Order},
    ports::Rejection,
};
use serde::Serialize;

use crate::{
    output::{self, Format},
    progress::Bar,
    stack::{Error, Stack, steadily},
};

#[derive(Subcommand)]
pub enum Command {
    /// Shows what AWS has of an opportunity now. It may be personal data.
    ///
    /// Example: `cosell opportunity show O1234567`
    Show(show::Args),
    /// Shares records of the CRM with AWS now, as if the rep had ticked the check box. What is shared already stays as it is.
    ///
    /// Example: `cosell opportunity share 006A0000001 --dry-run`, or
    /// `cosell opportunity share --where "StageName = 'Proposal' AND Amount > 10000" --dry-run`
    Share(Many),
    /// Brings AWS in step with records of the CRM now. What AWS takes later waits, and goes by itself.
    ///
    /// Example: `cosell opportunity update O1234567`, or `cosell opportunity update --where "LastModifiedDate = TODAY"`
    Update(Many),
    /// Accepts referrals, as if the rep had.
    ///
    /// Example: `cosell opportunity accept engi-0123456789abc engi-0123456789abd`, or
    /// `cosell opportunity accept --where "ACE_Referral_Status__c = 'Pending' AND ACE_Customer_Country__c = 'DE'"`
    Accept(Many),
    /// Rejects referrals, as if the rep had. AWS hides them afterwards.
    ///
    /// Example: `cosell opportunity reject engi-0123456789abc --reason "Unable to support"`
    Reject {
        #[command(flatten)]
        many: Many,
        /// Why; AWS takes these reasons only.
        #[arg(long, value_parser = PossibleValuesParser::new(REJECTION_REASON.values()))]
        reason: String,
    },
    /// Associates a solution, a product or an offer with an opportunity: in the CRM, and at AWS.
    ///
    /// Example: `cosell opportunity associate O1234567 Solutions S-1234567`
    Associate(Association),
    /// Ends such an association. AWS wants one solution or product at least.
    ///
    /// Example: `cosell opportunity disassociate O1234567 Solutions S-1234567`
    Disassociate(Association),
    /// Gives opportunities to another owner: in the CRM, and at AWS.
    ///
    /// Example: `cosell opportunity assign O1234567 --email jane@partner.example`, or
    /// `cosell opportunity assign --where "Owner.Email = 'joe@partner.example'" --email jane@partner.example`
    Assign {
        #[command(flatten)]
        many: Many,
        /// A user of Partner Central with the right to work on opportunities; AWS takes the name from there.
        #[arg(long)]
        email: String,
    },
    /// Closes opportunities as lost or launched: in the CRM, and at AWS. That is not taken back.
    ///
    /// Example: `cosell opportunity close O1234567 --lost "Customer Deficiency"`
    #[command(group(clap::ArgGroup::new("end").required(true)))]
    Close {
        #[command(flatten)]
        many: Many,
        /// Lost, for one of AWS's reasons: `cosell picklist closedLostReason` lists them.
        #[arg(long, value_name = "REASON", group = "end")]
        lost: Option<String>,
        /// Launched.
        #[arg(long, group = "end")]
        launched: bool,
        /// The customer's AWS account, which AWS wants of consulting partners.
        #[arg(long, requires = "launched", value_name = "ID")]
        aws_account_id: Option<String>,
    },
}

/// Records, and whether it is meant seriously.
#[derive(Args)]
pub struct Many {
    #[command(flatten)]
    which: Which,
    /// With `--where`: goes on although more than 100 records meet the condition.
    #[arg(long, conflicts_with = "ids")]
    yes: bool,
    #[command(flatten)]
    rehearse: Rehearse,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The records. One that cannot be worked off does not stop the others; the exit code is then 1.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// In place of identifiers: the CRM's opportunities that meet a condition in the CRM's own query language. Of Salesforce's
    /// SOQL that is what follows WHERE, such as `StageName = 'Proposal' AND Amount > 10000`.
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
}

#[derive(Args)]
struct Rehearse {
    /// Writes nothing anywhere. Prints the calls that would be made, with their bodies, and everything that is wrong with the
    /// records. Bodies may hold personal data.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args)]
pub struct Association {
    /// The record.
    id: String,
    /// Of what kind the entity is.
    #[arg(value_parser = entity, value_name = "TYPE")]
    entity_type: Entity,
    /// The entity: `S-1234567` (`cosell solutions` lists yours), the code of an AWS product, an ARN.
    entity: String,
    #[command(flatten)]
    rehearse: Rehearse,
}

fn entity(text: &str) -> Result<Entity, String> {
    let known = || Kind::Opportunity.fields().iter().filter_map(Field::entity);
    known().find(|entity| entity.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
        let names: Vec<_> = known().map(Entity::as_str).collect();
        format!("there are {}", names.join(", "))
    })
}

impl Association {
    fn ordered(self, order: impl Fn(Entity, String) -> Order) -> (Many, Order) {
        let Self { id, entity_type, entity, rehearse } = self;
        let which = Which { ids: vec![id], condition: None };
        (Many { which, yes: false, rehearse }, order(entity_type, entity))
    }
}

pub async fn run(stack: &str, format: Format, command: Command) -> Result<(), Error> {
    let (many, order) = match command {
        Command::Show(args) => return show::run(stack, format, args).await,
        Command::Share(many) => (many, Order::Share),
        Command::Update(many) => (many, Order::Update),
        Command::Accept(many) => (many, Order::Accept),
        Command::Reject { many, reason } => (many, Order::Reject(reason)),
        Command::Associate(association) => association.ordered(Order::Associate),
        Command::Disassociate(association) => association.ordered(Order::Disassociate),
        Command::Assign { many, email } => (many, Order::Assign(email)),
        Command::Close { many, lost: Some(reason), .. } => (many, Order::Lose(reason)),
        Command::Close { many, lost: None, aws_account_id, .. } => (many, Order::Launch(aws_account_id)),
    };
    carry_out(&Stack::find(stack).await?, format, many, &order).await
}

/// How a record's order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
enum End {
    Carried(Deed),
    /// It could not be found out.
    Failed(Failed),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Failed {
    Failed,
}

#[derive(Serialize)]
struct Row {
    id: String,
    ace_id: Option<String>,
    crm_id: Option<String>,
    result: End,
    why: Option<String>,
    problems: Vec<Rejection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<Vec<Note>>,
}

#[derive(Debug, thiserror::Error)]
enum OpportunityError {
    #[error("{0} record(s) could not be worked off")]
    Unfinished(usize),
    #[error("{0} records meet the condition: look at them with --dry-run first, then go on with --yes")]
    Unconfirmed(usize),
    #[error("more than {0} records meet the condition: narrow it down")]
    TooMany(usize),
}

/// So many records a condition may mean before somebody has to confirm that.
const UNCONFIRMED: usize = 100;
/// So many records are worked off in one run at most: about what AWS takes in a day.
const MOST: usize = 10_000;

/// The records that are meant.
async fn chosen(deliver: &Deliver, Many { which, yes, rehearse }: Many) -> Result<Vec<String>, Error> {
    let Some(condition) = which.condition else { return Ok(which.ids) };
    let Converger { crm, mapping, .. } = &deliver.from_aws.converger;
    let ids = crm.select(&mapping.opportunity.object, &condition, MOST + 1).await?;
    if ids.len() > MOST {
        return Err(OpportunityError::TooMany(MOST).into());
    }
    if ids.len() > UNCONFIRMED && !yes && !rehearse.dry_run {
        return Err(OpportunityError::Unconfirmed(ids.len()).into());
    }
    eprintln!("{} record(s) meet the condition", ids.len());
    Ok(ids)
}

async fn carry_out(stack: &Stack, format: Format, many: Many, order: &Order) -> Result<(), Error> {
    let deliver = stack.deliver().await?;
    let (deliver, notes) = if many.rehearse.dry_run {
        let (deliver, notes) = cosell_sync::dry::rehearsal(deliver);
        (deliver, Some(notes))
    } else {
        (deliver, None)
    };
    let ids = chosen(&deliver, many).await?;
    let (mut bar, mut rows) = (Bar::new(), Vec::new());
    for id in &ids {
        let mut attempts = 0_usize;
        let work = async || {
            attempts += 1;
            // Each record, and each attempt, starts from the world as it is.
            notes.as_ref().map(Notes::take);
            deliver.carry_out(id, order).await
        };
        let done = steadily(work).await;
        let calls = notes.as_ref().map(Notes::take);
        let id = id.clone();
        rows.push(match done {
            // The attempt before was cut after it had done it.
            Ok(it) if attempts > 1 && it.deed == Deed::Unchanged => Row {
                id,
                ace_id: it.ace_id,
                crm_id: it.crm_id,
                result: End::Carried(Deed::Done),
                why: None,
                problems: Vec::new(),
                calls,
            },
            Ok(it) => Row {
                id,
                ace_id: it.ace_id,
                crm_id: it.crm_id,
                result: End::Carried(it.deed),
                why: it.why.map(|why| why.to_string()),
                problems: it.problems,
                calls,
            },
            Err(error) => Row {
                id,
                ace_id: None,
                crm_id: None,
                result: End::Failed(Failed::Failed),
                why: Some(error.chain()),
                problems: Vec::new(),
                calls,
            },
        });
        bar.show(Progress { step: "working off", done: rows.len(), of: Some(ids.len()) });
    }
    drop(bar);
    print(format, &rows)?;
    let mut counts: BTreeMap<End, usize> = BTreeMap::new();
    for row in &rows {
        *counts.entry(row.result).or_default() += 1;
    }
    let counted: Vec<String> = counts.iter().map(|(end, count)| format!("{count} {}", output::word(end))).collect();
    if !counted.is_empty() {
        let nothing = if notes.is_some() { "; nothing was written" } else { "" };
        eprintln!("{}{nothing}", counted.join(", "));
    }
    let is_bad = |end: &End| matches!(end, End::Failed(_) | End::Carried(Deed::Refused));
    match counts.iter().filter(|(end, _)| is_bad(end)).map(|(_, count)| count).sum() {
        0 => Ok(()),
        bad => Err(OpportunityError::Unfinished(bad).into()),
    }
}

fn print(format: Format, rows: &[Row]) -> Result<(), Error> {
    output::rows(format, &["id", "ace id", "crm id", "result", "why"], rows, |row| {
        let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let why = row.why.clone().unwrap_or_default();
        vec![row.id.clone(), dash(&row.ace_id), dash(&row.crm_id), output::word(&row.result), why]
    })?;
    if format != Format::Table {
        return Ok(());
    }
    for Row { id, problems, calls, .. } in rows {
        for Rejection { field, code, message } in problems {
            let field = field.as_deref().unwrap_or("record");
            output::line(&format!("\n{id}: {field}: {}", if message.is_empty() { code } else { message }))?;
        }
        // What cosell remembers and tells by the way is in the JSON.
        let seen = |note: &&Note| matches!(note.to, To::PartnerCentral | To::Crm);
        for Note { to, operation, record, body } in calls.iter().flatten().filter(seen) {
            let body = serde_json::to_string_pretty(body)?;
            output::line(&format!("\n{}: {operation} {record}\n{body}", output::word(to)))?;
        }
    }
    Ok(())
}
