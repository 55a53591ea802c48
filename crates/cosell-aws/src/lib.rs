//! The ports of the work done with the AWS SDK: Partner Central, the ledger in DynamoDB, queues, files, and the settings
//! that a function starts with.
//!
//! [`Aws::connect`] reads the SDK's own environment once; every client comes from there. Endpoints are the SDK's matter
//! too (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_PARTNERCENTRAL_SELLING`): nothing here knows whether it talks to AWS.

use std::{sync::Arc, time::Duration};

use aws_config::{
    BehaviorVersion, Region, SdkConfig, retry::RetryConfig, sts::AssumeRoleProvider, timeout::TimeoutConfig,
};
use cosell_mapping::{InvalidMapping, Mapping};
use cosell_model::Catalog;
use cosell_sync::ports::{PortError, PortResult};
use secrecy::{ExposeSecret, SecretString};

use budget::Budget;

mod budget;
mod bus;
mod errors;
mod files;
mod inspect;
mod ledger;
mod partner_central;
mod queues;

pub use budget::Quotas;
pub use bus::EventBus;
pub use files::{AceS3, S3Files};
pub use inspect::{
    AwsClock, BucketSettings, Caller, DeployedResource, DeployedStack, QueueDepth, QuotaUse, Schedule, TableSettings,
};
pub use ledger::DynamoLedger;
pub use partner_central::PartnerCentralClient;
pub use queues::{SqsDeadLetters, SqsLetters, SqsQueue};

/// Where the mapping is in the configuration bucket.
pub const MAPPING_KEY: &str = "mapping.toml";
/// Where the last mapping is that was checked before it was put there.
pub const GOOD_MAPPING_KEY: &str = "mapping.last-good.toml";
/// AWS's buckets of the file exchange live here only.
const ACE_REGION: Region = Region::from_static("us-west-2");

/// The AWS account that we run in.
#[derive(Debug, Clone)]
pub struct Aws {
    config: SdkConfig,
}

impl Aws {
    /// Reads region, credentials and endpoints as the SDK does.
    pub async fn connect() -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_secs(10))
            .operation_timeout(Duration::from_secs(25))
            .build();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(timeouts)
            .load()
            .await;
        Self { config }
    }

    /// Partner Central, one of its two worlds, in our own region, since it sends its events nowhere else. It is called
    /// within its quotas: what is used of them stands in the ledger's table.
    pub fn partner_central(&self, catalog: Catalog, table: impl Into<String>, quotas: Quotas) -> PartnerCentralClient {
        // The tasks answer when they are done, which takes some seconds.
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(20)).build();
        let config = aws_sdk_partnercentralselling::config::Builder::from(&self.config)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled())
            .build();
        let client = aws_sdk_partnercentralselling::Client::from_conf(config);
        let budget = Budget::new(aws_sdk_dynamodb::Client::new(&self.config), table.into(), catalog, quotas);
        PartnerCentralClient::new(client, catalog, Arc::new(budget))
    }

    /// The ledger of a catalog; lines of its sync log are kept for so many days.
    pub fn ledger(&self, table: impl Into<String>, catalog: Catalog, log_retention_days: u16) -> DynamoLedger {
        DynamoLedger::new(aws_sdk_dynamodb::Client::new(&self.config), table.into(), catalog, log_retention_days)
    }

    /// The account's event bus, for cosell's own events.
    pub fn bus(&self) -> EventBus {
        EventBus::new(aws_sdk_eventbridge::Client::new(&self.config))
    }

    /// A queue to put messages on.
    pub fn queue(&self, url: impl Into<String>) -> SqsQueue {
        SqsQueue::new(self.sqs(), url.into())
    }

    /// The queue that a function is fed from, and where it parks.
    pub fn letters(&self, source_url: impl Into<String>, dead_letter_url: impl Into<String>) -> SqsLetters {
        SqsLetters::new(self.sqs(), source_url.into(), dead_letter_url.into())
    }

    /// A dead-letter queue, and where its messages go back to if they came from a queue.
    pub fn dead_letters(&self, dead_letter_url: impl Into<String>, source_url: Option<&str>) -> SqsDeadLetters {
        SqsDeadLetters::new(self.sqs(), dead_letter_url.into(), source_url.map(str::to_owned))
    }

    /// A bucket of ours.
    pub fn files(&self, bucket: impl Into<String>) -> S3Files {
        S3Files::new(self.s3(), bucket.into())
    }

    /// AWS's bucket of the file exchange, in the role that AWS gave for it if there is one. What is put there is encrypted with
    /// the key that AWS gave, else by S3's own.
    pub async fn ace_bucket(&self, bucket: &str, role_arn: Option<&str>, kms_key: Option<&str>) -> AceS3 {
        let mut config = aws_sdk_s3::config::Builder::from(&self.config).region(ACE_REGION);
        if let Some(role_arn) = role_arn {
            let role = AssumeRoleProvider::builder(role_arn).session_name("cosell").region(ACE_REGION);
            config = config.credentials_provider(role.configure(&self.config).build().await);
        }
        AceS3::new(aws_sdk_s3::Client::from_conf(config.build()), bucket.to_owned(), kms_key.map(str::to_owned))
    }

    /// The text of a secret.
    pub async fn secret(&self, arn: &str) -> PortResult<SecretString> {
        const WHAT: &str = "GetSecretValue of the CRM secret";
        let client = aws_sdk_secretsmanager::Client::new(&self.config);
        let answer = client.get_secret_value().secret_id(arn).send().await;
        let answer = answer.map_err(|error| errors::setup_error(WHAT, &error))?;
        answer.secret_string.map(SecretString::from).ok_or_else(|| errors::misfit(WHAT, "it holds no text"))
    }

    /// Keeps a text as a new secret and answers its ARN. One of this name that is there already stays as it is.
    pub async fn create_secret(&self, name: &str, description: &str, text: &SecretString) -> PortResult<String> {
        const WHAT: &str = "CreateSecret";
        let client = aws_sdk_secretsmanager::Client::new(&self.config);
        let create = client.create_secret().name(name).description(description).secret_string(text.expose_secret());
        let answer = create.send().await.map_err(|error| errors::port_error(WHAT, &error))?;
        answer.arn.ok_or_else(|| errors::misfit(WHAT, "it has no ARN"))
    }

    /// The mapping that is deployed, or the last one that was checked, with what is wrong with the one that is not used.
    pub async fn mapping(&self, config_bucket: &str) -> PortResult<(Mapping, Option<InvalidMapping>)> {
        let refused = match Mapping::parse(&self.config_file(config_bucket, MAPPING_KEY).await?) {
            Ok(mapping) => return Ok((mapping, None)),
            Err(refused) => refused,
        };
        let unusable = |cause: InvalidMapping| PortError::Unauthorized {
            what: format!("reading {MAPPING_KEY}"),
            cause: Some(Box::new(cause)),
        };
        match self.config_file(config_bucket, GOOD_MAPPING_KEY).await {
            Ok(good) => Ok((Mapping::parse(&good).map_err(unusable)?, Some(refused))),
            // Whyever there is none: what has to be mended is the one that is deployed.
            Err(_) => Err(unusable(refused)),
        }
    }

    /// A text file that the deployment put there.
    pub async fn config_file(&self, bucket: &str, key: &str) -> PortResult<String> {
        files::text(&self.s3(), bucket, key).await
    }

    fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::new(&self.config)
    }
}
