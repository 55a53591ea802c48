pub mod config;
pub mod convert;
pub mod dlq;
pub mod fields;
pub mod log;
pub mod mapping;
pub mod picklist;
pub mod validate;
