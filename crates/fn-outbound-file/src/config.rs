use cosell_model::Catalog;

cosell_lambda::config! {
    /// What this function is told by its environment.
    pub struct Config {
        /// Which world of Partner Central.
        catalog: Catalog = "COSELL_CATALOG",
        /// The ledger's table.
        table: String = "COSELL_TABLE",
        /// How long the sync log is kept, in days.
        log_retention_days: u16 = "COSELL_LOG_RETENTION_DAYS",
        /// The bucket with the mapping file.
        mapping_bucket: String = "COSELL_CONFIG_BUCKET",
        /// The secret with the CRM's credentials.
        crm_secret_arn: String = "COSELL_CRM_SECRET_ARN",
        /// The Salesforce org's address.
        salesforce_endpoint: String = "SALESFORCE_ENDPOINT",
        /// The queue that feeds this function.
        queue_url: String = "COSELL_QUEUE_URL",
        /// Where messages are parked.
        dead_letter_queue_url: String = "COSELL_DEAD_LETTER_QUEUE_URL",
        /// Attempts after which a message is parked.
        max_receives: u32 = "COSELL_MAX_RECEIVES",
        /// The wait after the first attempt.
        retry_base_seconds: u32 = "COSELL_RETRY_BASE_SECONDS",
        /// AWS's bucket of the file exchange.
        ace_bucket: String = "COSELL_ACE_BUCKET",
        /// The role to read it with, if it takes another one.
        ace_role_arn: Option<String> = "COSELL_ACE_ROLE_ARN",
        /// Our bucket.
        landing_bucket: String = "COSELL_LANDING_BUCKET",
    }
}
