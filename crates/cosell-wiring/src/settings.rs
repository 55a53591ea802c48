//! Groups of settings that several doors have.

use cosell_aws::{Aws, Quotas};
use cosell_model::Catalog;
use cosell_sync::{
    RetryPolicy,
    ports::{AceBucket, Files, Ledger, Letters, SyncLog},
};

use crate::config::AceBucketName;

crate::config! {
    /// cosell's memory.
    pub struct LedgerSettings {
        /// Which world of Partner Central.
        catalog: Catalog = "COSELL_CATALOG",
        /// The ledger's table.
        table: String = "COSELL_TABLE",
        /// How long the sync log is kept, in days.
        log_retention_days: u16 = "COSELL_LOG_RETENTION_DAYS",
    }
}

impl LedgerSettings {
    /// The ledger.
    pub fn connect(&self, aws: &Aws) -> Box<dyn Ledger> {
        Box::new(aws.ledger(&self.table, self.catalog, self.log_retention_days))
    }

    /// What people ask the sync log.
    pub fn sync_log(&self, aws: &Aws) -> Box<dyn SyncLog> {
        Box::new(aws.ledger(&self.table, self.catalog, self.log_retention_days))
    }
}

crate::config! {
    /// Partner Central's quotas.
    pub struct PartnerCentralSettings {
        /// Reads in a second.
        reads_per_second: u32 = "COSELL_READS_PER_SECOND",
        /// Reads in 24 hours.
        reads_per_day: u32 = "COSELL_READS_PER_DAY",
        /// Writes in a second.
        writes_per_second: u32 = "COSELL_WRITES_PER_SECOND",
        /// Writes in 24 hours.
        writes_per_day: u32 = "COSELL_WRITES_PER_DAY",
    }
}

impl PartnerCentralSettings {
    /// As the client wants them.
    pub fn quotas(&self) -> Quotas {
        let Self { reads_per_second, reads_per_day, writes_per_second, writes_per_day } = *self;
        Quotas { reads_per_second, reads_per_day, writes_per_second, writes_per_day }
    }
}

crate::config! {
    /// The mapping.
    pub struct MappingSettings {
        /// The bucket with the mapping file.
        bucket: String = "COSELL_CONFIG_BUCKET",
    }
}

crate::config! {
    /// The way into the CRM, and back for what AWS takes now.
    pub struct ConvergerSettings {
        /// cosell's memory.
        ledger: LedgerSettings,
        /// The mapping.
        mapping: MappingSettings,
        /// The CRM.
        crm: CrmSettings,
        /// The queue to AWS.
        deliver_queue_url: String = "COSELL_DELIVER_QUEUE_URL",
    }
}

crate::config! {
    /// The CRM.
    pub struct CrmSettings {
        /// The secret with the CRM's credentials.
        secret_arn: String = "COSELL_CRM_SECRET_ARN",
        /// The Salesforce org's address.
        salesforce_endpoint: String = "SALESFORCE_ENDPOINT",
    }
}

crate::config! {
    /// The queue that feeds a function.
    pub struct QueueSettings {
        /// The queue.
        queue_url: String = "COSELL_QUEUE_URL",
        /// Where messages are parked.
        dead_letter_queue_url: String = "COSELL_DEAD_LETTER_QUEUE_URL",
        /// Attempts after which a message is parked.
        max_receives: u32 = "COSELL_MAX_RECEIVES",
        /// The wait after the first attempt, in seconds.
        retry_base_seconds: u32 = "COSELL_RETRY_BASE_SECONDS",
    }
}

impl QueueSettings {
    /// The queue from the function's side.
    pub fn letters(&self, aws: &Aws) -> impl Letters + use<> {
        aws.letters(&self.queue_url, &self.dead_letter_queue_url)
    }

    /// When a message comes again.
    pub fn retries(&self) -> RetryPolicy {
        RetryPolicy { max_attempts: self.max_receives, base_seconds: self.retry_base_seconds }
    }
}

crate::config! {
    /// The file exchange.
    pub struct FileSettings {
        /// AWS's bucket of the file exchange.
        ace_bucket: AceBucketName = "COSELL_ACE_BUCKET",
        /// The role to reach it with, if it takes another one.
        ace_role_arn: Option<String> = "COSELL_ACE_ROLE_ARN",
        /// The key that files to AWS are encrypted with, if AWS gave one.
        ace_kms_key_arn: Option<String> = "COSELL_ACE_KMS_KEY_ARN",
        /// Our bucket.
        landing_bucket: String = "COSELL_LANDING_BUCKET",
    }
}

impl FileSettings {
    /// AWS's bucket.
    pub async fn ace(&self, aws: &Aws) -> Box<dyn AceBucket> {
        let (role, key) = (self.ace_role_arn.as_deref(), self.ace_kms_key_arn.as_deref());
        Box::new(aws.ace_bucket(&self.ace_bucket.name, role, key).await)
    }

    /// Our bucket.
    pub fn landing(&self, aws: &Aws) -> Box<dyn Files> {
        Box::new(aws.files(&self.landing_bucket))
    }

    /// AWS's number of the partner.
    pub fn spms_id(&self) -> String {
        self.ace_bucket.partner.clone()
    }
}
