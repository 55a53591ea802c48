pub mod config;
pub mod dlq;
pub mod log;
