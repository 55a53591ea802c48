//! The vocabulary of ACE co-selling: which fields there are, what their values look like, how they are spelled
//! in the Partner Central API and in the S3 files, and what may be changed when.
//!
//! Everything here computes: no I/O, no clock, no environment.
//!
//! - [`catalog`]: the one table of fields; codecs, validation, mapping checks and documentation derive from it.
//! - [`Record`] and [`Value`]: a record in ACE words. Absent, [`Value::Null`] and a value are three things.
//! - [`api`] and [`file`](mod@file): the two wire forms, each of which reads what it writes.
//! - [`event`]: what an EventBridge event is about.
//! - [`normalize`](mod@normalize): values in the form that AWS takes.
//! - [`validate`](mod@validate) and [`life_cycle`]: what AWS would refuse, and when a field is open.

pub mod api;
pub mod catalog;
pub mod event;
pub mod file;
mod ids;
mod json;
pub mod life_cycle;
pub mod normalize;
mod path;
pub mod phone;
mod record;
pub mod request;
#[cfg(test)]
mod testing;
pub mod validate;
mod value;
mod wire;

pub use catalog::{Field, Kind};
pub use ids::{Catalog, EngagementId, InvalidId, InvitationId, LeadId, OpportunityId};
pub use record::Record;
pub use value::{MalformedValue, Value};
pub use wire::{Direction, PayloadVersion, UnknownVersion, Wire};
