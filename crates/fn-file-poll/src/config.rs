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
        /// AWS's bucket of the file exchange.
        ace_bucket: String = "COSELL_ACE_BUCKET",
        /// The role to read it with, if it takes another one.
        ace_role_arn: Option<String> = "COSELL_ACE_ROLE_ARN",
        /// Our bucket.
        landing_bucket: String = "COSELL_LANDING_BUCKET",
    }
}
