use std::time::Duration;

use cosell_aws::{Aws, DeployedStack, DynamoLedger, PartnerCentralClient, Quotas, SqsDeadLetters};
use cosell_crm::Salesforce;
use cosell_mapping::Mapping;
use cosell_model::{Catalog, OpportunityId};
use cosell_sync::{
    Converger, SyncError,
    backfill::Backfill,
    correct::Correct,
    deliver::Deliver,
    drift::Drift,
    every_opportunity,
    files::{Look, Resend},
    from_aws::FromAws,
    letter::Carries,
    migrate::Migration,
    named::Named,
    ports::{Crm, PortError, PortResult},
    quarantine::Quarantine,
};
use jiff::Timestamp;

use crate::progress::Bar;

/// Why a command failed.
pub type Error = Box<dyn std::error::Error>;

/// Whoever would have to wait longer for AWS's quota comes again later.
const LONGEST_WAIT: Duration = Duration::from_mins(2);

/// A deployed stack, by its outputs.
pub struct Stack {
    /// The account.
    pub aws: Aws,
    /// As CloudFormation knows it.
    pub deployed: DeployedStack,
    name: String,
}

#[derive(Debug, thiserror::Error)]
#[error("stack {stack} has no output `{output}`: was it deployed from another version of infra/template.yaml?")]
struct NoOutput {
    stack: String,
    output: String,
}

impl Stack {
    /// Looks it up.
    pub async fn find(name: &str) -> Result<Self, Error> {
        let aws = Aws::connect().await;
        Ok(Self::of(&aws, name).await?)
    }

    /// Looks it up in an account that is known.
    pub async fn of(aws: &Aws, name: &str) -> PortResult<Self> {
        Ok(Self { aws: aws.clone(), deployed: aws.stack(name).await?, name: name.to_owned() })
    }

    /// One of its outputs.
    pub fn output(&self, name: &str) -> Result<&str, Error> {
        let missing = || NoOutput { stack: self.name.clone(), output: name.to_owned() };
        Ok(self.deployed.outputs.get(name).ok_or_else(missing)?)
    }

    /// Its catalog.
    pub fn catalog(&self) -> Result<Catalog, Error> {
        Ok(self.output("Catalog")?.parse()?)
    }

    /// Partner Central's quotas that its functions keep to.
    pub fn quotas(&self) -> Result<Quotas, Error> {
        let number = |output| -> Result<u32, Error> { Ok(self.output(output)?.parse()?) };
        Ok(Quotas {
            reads_per_second: number("ReadsPerSecond")?,
            reads_per_day: number("ReadsPerDay")?,
            writes_per_second: number("WritesPerSecond")?,
            writes_per_day: number("WritesPerDay")?,
        })
    }

    /// Partner Central, within its quotas.
    pub fn partner_central(&self) -> Result<PartnerCentralClient, Error> {
        Ok(self.aws.partner_central(self.catalog()?, self.output("Table")?, self.quotas()?))
    }

    /// Every opportunity that AWS lists.
    pub async fn opportunities(&self) -> Result<Vec<OpportunityId>, Error> {
        let (partner_central, mut bar) = (self.partner_central()?, Bar::new());
        let work = async || Ok(every_opportunity(&partner_central, None, &mut |progress| bar.show(progress)).await?);
        Ok(patiently(work).await?.into_iter().map(|line| line.id).collect())
    }

    /// cosell's memory.
    pub fn ledger(&self) -> Result<DynamoLedger, Error> {
        Ok(self.aws.ledger(self.output("Table")?, self.catalog()?, self.output("LogRetentionDays")?.parse()?))
    }

    /// Its CRM.
    pub async fn crm(&self) -> Result<Box<dyn Crm>, Error> {
        let secret = self.aws.secret(self.output("CrmSecretArn")?).await?;
        Ok(Box::new(Salesforce::connect(self.output("SalesforceEndpoint")?, &secret)?))
    }

    /// The mapping that its functions use.
    async fn mapping(&self) -> Result<Mapping, Error> {
        let (mapping, refused) = self.aws.mapping(self.output("ConfigBucket")?).await?;
        if refused.is_some() {
            eprintln!(
                "note: the stack's mapping cannot be used, and the last good one is: `cosell config push` a sound one"
            );
        }
        Ok(mapping)
    }

    /// What links an existing pipeline.
    pub async fn backfill(&self) -> Result<Backfill, Error> {
        Ok(Backfill {
            partner_central: Box::new(self.partner_central()?),
            crm: self.crm().await?,
            ledger: Box::new(self.ledger()?),
            opportunities: Box::new(self.aws.queue(self.output("FnOpportunityQueue")?)),
            mapping: self.mapping().await?,
            catalog: self.catalog()?,
            now: Timestamp::now,
        })
    }

    /// What corrects records that the sync log tells of.
    pub async fn correct(&self) -> Result<Correct, Error> {
        Ok(Correct {
            ledger: Box::new(self.ledger()?),
            sync_log: Box::new(self.ledger()?),
            mapping: self.mapping().await?,
            catalog: self.catalog()?,
            now: Timestamp::now,
        })
    }

    /// What compares both sides.
    pub async fn drift(&self) -> Result<Drift, Error> {
        Ok(Drift {
            partner_central: Box::new(self.partner_central()?),
            crm: self.crm().await?,
            ledger: Box::new(self.ledger()?),
            mapping: self.mapping().await?,
            now: Timestamp::now,
        })
    }

    /// What prepares opportunities for going by the API.
    pub async fn migration(&self) -> Result<Migration, Error> {
        Ok(Migration { backfill: self.backfill().await?, drift: self.drift().await? })
    }

    /// What looks at files on their way to AWS.
    pub async fn look(&self) -> Result<Look, Error> {
        let exchange = self.mapping().await?.files;
        Ok(Look { ledger: Box::new(self.ledger()?), exchange, now: Timestamp::now })
    }

    /// What sends the records of files again.
    pub fn resend(&self) -> Result<Resend, Error> {
        Ok(Resend { ledger: Box::new(self.ledger()?), now: Timestamp::now })
    }

    /// What brings AWS in step with the CRM: the functions' own work, in this process.
    pub async fn deliver(&self) -> Result<Deliver, Error> {
        let converger = Converger {
            crm: self.crm().await?,
            ledger: Box::new(self.ledger()?),
            bus: Box::new(self.aws.bus()),
            to_aws: Box::new(self.aws.queue(self.output("FnDeliverQueue")?)),
            mapping: self.mapping().await?,
            catalog: self.catalog()?,
            now: Timestamp::now,
        };
        Ok(Deliver { from_aws: FromAws { partner_central: Box::new(self.partner_central()?), converger } })
    }

    /// What puts records of the CRM that are named on the queue to AWS.
    pub async fn named(&self) -> Result<Named, Error> {
        Ok(Named {
            crm: self.crm().await?,
            queue: Box::new(self.aws.queue(self.output("FnDeliverQueue")?)),
            mapping: self.mapping().await?,
            by_hand: true,
        })
    }

    /// All its dead-letter queues.
    pub fn dead_letter_queues(&self) -> impl Iterator<Item = DeadLetterQueue> {
        self.deployed.outputs.iter().filter_map(|(name, url)| {
            let function = name.strip_suffix(DEAD_LETTERS)?;
            let source = self.deployed.outputs.get(&format!("{function}Queue"));
            Some(DeadLetterQueue {
                name: name.clone(),
                queue: self.aws.dead_letters(url, source.map(String::as_str)),
                carries: match function {
                    "FnOpportunity" | "FnInvitation" => Some(Carries::Rings),
                    "FnOutboundFile" => Some(Carries::Files),
                    "FnDeliver" => Some(Carries::Changes),
                    "FnChanged" => Some(Carries::Names),
                    _ => None,
                },
            })
        })
    }

    /// Where dead letters are set aside.
    pub fn quarantine(&self) -> Result<Quarantine, Error> {
        let files = Box::new(self.aws.files(self.output("LandingBucket")?));
        Ok(Quarantine { files, now: Timestamp::now })
    }
}

const DEAD_LETTERS: &str = "DeadLetters";

/// A dead-letter queue of the stack.
pub struct DeadLetterQueue {
    /// Its output.
    pub name: String,
    /// The queue.
    pub queue: SqsDeadLetters,
    /// What its letters should be, where that is known.
    pub carries: Option<Carries>,
}

impl DeadLetterQueue {
    /// Whose letters it holds: `FnOpportunity` of `FnOpportunityDeadLetters`.
    pub fn function(&self) -> &str {
        self.name.strip_suffix(DEAD_LETTERS).unwrap_or(&self.name)
    }
}

/// Does something again that found AWS's quota used up by others, as long as there is more of it soon.
pub async fn patiently<T>(mut work: impl AsyncFnMut() -> Result<T, SyncError>) -> Result<T, SyncError> {
    loop {
        match work().await {
            Err(error) if let Some(wait) = error.retry_after().filter(|wait| *wait <= LONGEST_WAIT) => {
                tokio::time::sleep(wait).await;
            }
            done => return done,
        }
    }
}

/// As [`patiently`], and again where a function was at work on the same record, or a task of AWS's is still running: as
/// often as the functions' queue would come again.
pub async fn steadily<T>(mut work: impl AsyncFnMut() -> Result<T, SyncError>) -> Result<T, SyncError> {
    const ATTEMPTS: usize = 20;
    const PAUSE: Duration = Duration::from_secs(2);
    let mut attempts = 1..ATTEMPTS;
    loop {
        match patiently(&mut work).await {
            Err(SyncError::Port(PortError::Conflict { .. }) | SyncError::Running { .. })
                if attempts.next().is_some() =>
            {
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}
