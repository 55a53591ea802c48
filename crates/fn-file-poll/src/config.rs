use cosell_wiring::settings::{FileSettings, LedgerSettings, MappingSettings};

cosell_wiring::config! {
    /// What this function is told by its environment.
    pub struct Config {
        /// cosell's memory.
        ledger: LedgerSettings,
        /// The mapping.
        mapping: MappingSettings,
        /// The file exchange.
        files: FileSettings,
    }
}
