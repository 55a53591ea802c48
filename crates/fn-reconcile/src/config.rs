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
        /// The queue of opportunity events.
        opportunity_queue_url: String = "COSELL_OPPORTUNITY_QUEUE_URL",
        /// The queue of invitation events.
        invitation_queue_url: String = "COSELL_INVITATION_QUEUE_URL",
    }
}
