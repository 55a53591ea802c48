//! How the records of a CRM and of ACE correspond: a TOML file, read once and checked whole ([`Mapping`]), values
//! turned both ways ([`FieldMapping`]), and the three-way merge ([`merge`](mod@merge)).
//!
//! Everything here computes: no I/O, no clock, no environment. Nothing about a particular CRM is compiled in.

mod file;
pub mod merge;
mod value;

pub use cosell_model::Direction;
pub use file::{FieldMapping, InvalidMapping, Mapping, ObjectMapping, Policy, ReferralFields, StatusFields};
pub use merge::{FieldOutcome, Outcome, Plan, Side};
pub use value::{CrmValue, Unmappable};
