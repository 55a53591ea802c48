cosell_wiring::config! {
    /// What this function is told by its environment.
    pub struct Config {
        /// Each dead-letter queue and the queue that its messages came from.
        routes: Vec<(String, String)> = "COSELL_REPLAY_ROUTES",
        /// How often a message may be sent back.
        max_replays: u32 = "COSELL_MAX_REPLAYS",
        /// Our bucket.
        landing_bucket: String = "COSELL_LANDING_BUCKET",
    }
}
