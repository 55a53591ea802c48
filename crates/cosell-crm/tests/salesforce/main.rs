//! The Salesforce adapter over a real connection.

mod org;
mod together;
mod wire;
