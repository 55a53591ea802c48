use clap::Parser;
use cosell_model::{Catalog, InvitationId, OpportunityId};
use cosell_sync::{
    ports::{Message, Queue},
    reconcile::{invitation_ring, opportunity_ring},
};
use serde::Serialize;

use crate::{
    output::{self, Format},
    stack::{Error, Stack},
};

/// Puts the records on the queues of events, as if AWS had just said that they changed: they are read, merged and written
/// as always, and what only the CRM changed stays. `cosell log --record ID` tells what became of one.
#[derive(Parser)]
pub struct Args {
    /// Opportunities (`O1234567`) and invitations (`engi-0123456789abc`).
    #[arg(required_unless_present = "all", conflicts_with = "all", value_parser = Id::parse)]
    ids: Vec<Id>,
    /// Every opportunity that AWS lists. A thousand take about four minutes of AWS's quota for reading.
    #[arg(long)]
    all: bool,
    /// Only says what would be refreshed.
    #[arg(long)]
    dry_run: bool,
}

/// A record at AWS.
#[derive(Debug, Clone)]
enum Id {
    Opportunity(OpportunityId),
    Invitation(InvitationId),
}

impl Id {
    fn parse(text: &str) -> Result<Self, String> {
        let invitation = || InvitationId::from_id_or_arn(text).map(Self::Invitation);
        text.parse()
            .map(Self::Opportunity)
            .or_else(|_| invitation())
            .map_err(|_| "neither an opportunity (`O` and digits) nor an engagement invitation (`engi-…`)".to_owned())
    }

    /// The output with the queue, and the message.
    fn ring(&self, catalog: Catalog) -> (&'static str, Message) {
        match self {
            Self::Opportunity(id) => ("FnOpportunityQueue", opportunity_ring(catalog, id)),
            Self::Invitation(id) => ("FnInvitationQueue", invitation_ring(catalog, id)),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Opportunity(id) => id.as_str(),
            Self::Invitation(id) => id.as_str(),
        }
    }
}

#[derive(Serialize)]
struct Row {
    id: String,
    queued: bool,
}

pub async fn run(stack: &str, format: Format, args: Args) -> Result<(), Error> {
    let stack = Stack::find(stack).await?;
    let ids = if args.all { stack.opportunities().await?.into_iter().map(Id::Opportunity).collect() } else { args.ids };
    let catalog = stack.catalog()?;
    if !args.dry_run {
        for queue in ["FnOpportunityQueue", "FnInvitationQueue"] {
            let rings = ids.iter().map(|id| id.ring(catalog)).filter(|(of, _)| *of == queue);
            let messages: Vec<Message> = rings.map(|(_, message)| message).collect();
            stack.aws.queue(stack.output(queue)?).send(&messages).await?;
        }
    }
    let rows: Vec<Row> = ids.iter().map(|id| Row { id: id.as_str().to_owned(), queued: !args.dry_run }).collect();
    output::rows(format, &["id", "queued"], &rows, |row| {
        vec![row.id.clone(), if row.queued { "yes" } else { "no" }.to_owned()]
    })
}
