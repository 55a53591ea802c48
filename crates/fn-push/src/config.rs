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
        /// The queue to AWS.
        deliver_queue_url: String = "COSELL_DELIVER_QUEUE_URL",
    }
}
