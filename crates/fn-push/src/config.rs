use cosell_wiring::settings::ConvergerSettings;

cosell_wiring::config! {
    /// What this function is told by its environment.
    pub struct Config {
        /// The way into the CRM, and from there to AWS.
        converger: ConvergerSettings,
    }
}
