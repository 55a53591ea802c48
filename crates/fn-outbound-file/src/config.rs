use cosell_wiring::settings::{ConvergerSettings, FileSettings, QueueSettings};

cosell_wiring::config! {
    /// What this function is told by its environment.
    pub struct Config {
        /// The way into the CRM.
        converger: ConvergerSettings,
        /// The queue that feeds it.
        queue: QueueSettings,
        /// The file exchange.
        files: FileSettings,
    }
}
