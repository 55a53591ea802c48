use cosell_wiring::settings::{LedgerSettings, MappingSettings, PartnerCentralSettings};

cosell_wiring::config! {
    /// What this function is told by its environment.
    pub struct Config {
        /// cosell's memory.
        ledger: LedgerSettings,
        /// The mapping.
        mapping: MappingSettings,
        /// Partner Central.
        partner_central: PartnerCentralSettings,
        /// The queue of opportunity events.
        opportunity_queue_url: String = "COSELL_OPPORTUNITY_QUEUE_URL",
        /// The queue to AWS.
        deliver_queue_url: String = "COSELL_DELIVER_QUEUE_URL",
        /// The queue of invitation events.
        invitation_queue_url: String = "COSELL_INVITATION_QUEUE_URL",
    }
}
