use cosell_wiring::settings::{CrmSettings, LedgerSettings, QueueSettings};

cosell_wiring::config! {
    /// What this function is told by its environment.
    pub struct Config {
        /// cosell's memory.
        ledger: LedgerSettings,
        /// The CRM.
        crm: CrmSettings,
        /// The queue that feeds it.
        queue: QueueSettings,
    }
}
