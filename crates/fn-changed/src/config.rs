use cosell_wiring::settings::{CrmSettings, MappingSettings, QueueSettings};

cosell_wiring::config! {
    /// What this function is told by its environment.
    pub struct Config {
        /// The mapping.
        mapping: MappingSettings,
        /// The CRM.
        crm: CrmSettings,
        /// The queue to AWS.
        deliver_queue_url: String = "COSELL_DELIVER_QUEUE_URL",
        /// The queue that feeds it.
        queue: QueueSettings,
    }
}
