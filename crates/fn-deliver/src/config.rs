use cosell_wiring::settings::{ConvergerSettings, PartnerCentralSettings, QueueSettings};

cosell_wiring::config! {
    /// What this function is told by its environment.
    pub struct Config {
        /// The way into the CRM.
        converger: ConvergerSettings,
        /// Partner Central.
        partner_central: PartnerCentralSettings,
        /// The queue that feeds it.
        queue: QueueSettings,
    }
}
