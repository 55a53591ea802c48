use cosell_wiring::settings::{CrmSettings, LedgerSettings};

cosell_wiring::config! {
    /// What this function is told by its environment.
    pub struct Config {
        /// cosell's memory.
        ledger: LedgerSettings,
        /// The CRM.
        crm: CrmSettings,
        /// The queue to AWS.
        deliver_queue_url: String = "COSELL_DELIVER_QUEUE_URL",
    }
}
