use std::collections::BTreeMap;

use cosell_aws::{Aws, PartnerCentralClient, Quotas};
use cosell_crm::Salesforce;
use cosell_mapping::Mapping;
use cosell_model::Catalog;
use cosell_sync::{named::Named, ports::Crm};

/// Why a command failed.
pub type Error = Box<dyn std::error::Error>;

/// A deployed stack, by its outputs.
pub struct Stack {
    /// The account.
    pub aws: Aws,
    name: String,
    outputs: BTreeMap<String, String>,
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
        let outputs = aws.stack_outputs(name).await?;
        Ok(Self { aws, name: name.to_owned(), outputs })
    }

    /// One of its outputs.
    pub fn output(&self, name: &str) -> Result<&str, Error> {
        let missing = || NoOutput { stack: self.name.clone(), output: name.to_owned() };
        Ok(self.outputs.get(name).ok_or_else(missing)?)
    }

    /// Its catalog.
    pub fn catalog(&self) -> Result<Catalog, Error> {
        Ok(self.output("Catalog")?.parse()?)
    }

    /// Partner Central, within the quotas that its functions keep to as well.
    pub fn partner_central(&self) -> Result<PartnerCentralClient, Error> {
        let number = |output| -> Result<u32, Error> { Ok(self.output(output)?.parse()?) };
        let quotas = Quotas {
            reads_per_second: number("ReadsPerSecond")?,
            reads_per_day: number("ReadsPerDay")?,
            writes_per_second: number("WritesPerSecond")?,
            writes_per_day: number("WritesPerDay")?,
        };
        Ok(self.aws.partner_central(self.catalog()?, self.output("Table")?, quotas))
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

    /// What puts records of the CRM that are named on the queue to AWS.
    pub async fn named(&self) -> Result<Named, Error> {
        Ok(Named {
            crm: self.crm().await?,
            queue: Box::new(self.aws.queue(self.output("FnDeliverQueue")?)),
            mapping: self.mapping().await?,
        })
    }

    /// Its dead-letter queues that a function parks on: (name, queue, source).
    pub fn dead_letter_queues(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.outputs.iter().filter_map(|(name, url)| {
            let function = name.strip_suffix("DeadLetters")?;
            Some((name.as_str(), url.as_str(), self.outputs.get(&format!("{function}Queue"))?.as_str()))
        })
    }
}
