//! How the records of a CRM and of ACE correspond: a TOML file, read once and checked whole ([`Mapping`]), values
//! turned both ways ([`ObjectMapping`]), and the three-way merge ([`merge`](mod@merge)).
//!
//! Everything here computes: no I/O, no clock, no environment. Nothing about a particular CRM is compiled in.

mod check;
pub mod compile;
mod describe;
pub mod explain;
pub mod file;
mod fit;
mod hint;
mod mapping;
pub mod merge;
mod propose;
#[cfg(feature = "schema")]
mod reference;
#[cfg(feature = "schema")]
mod schema;
mod value;
mod wanted;
mod way;

pub use check::check;
pub use compile::{Coverage, Finding, InvalidMapping, Severity};
pub use cosell_model::Direction;
pub use describe::{CrmField, CrmKind, Description};
pub use file::{
    Answer, ConvertFields, Deleted, FileExchange, Policy, ReferralFields, ReferralRule, Related, RelatedWrite, Retry,
    StatusFields, Unshared,
};
pub use hint::{fold, meant};
pub use mapping::{Arrival, CrmFields, FieldMapping, Mapping, ObjectMapping, Scope, Source, Unmappable};
pub use merge::{FieldOutcome, Outcome, Plan, Side};
pub use propose::{begin, propose};
#[cfg(feature = "schema")]
pub use reference::reference;
#[cfg(feature = "schema")]
pub use schema::schema;
pub use value::CrmValue;
pub use wanted::WantedField;
pub use way::{Translation, Untranslatable};
