//! The CRM port done: one folder a CRM, each an implementation of [`Crm`](cosell_sync::ports::Crm).
//!
//! An adapter knows its vendor's wire and nothing of co-selling: which objects and fields there are comes from the
//! mapping, what happens to a record is decided by the work. It translates the vendor's errors into
//! [`PortError`](cosell_sync::ports::PortError) and marks, but never drops, what the integration user changed itself.

pub mod salesforce;

pub use salesforce::{Credentials, Salesforce, SalesforceConfig};
