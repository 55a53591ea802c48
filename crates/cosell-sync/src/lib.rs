//! What cosell does on each ring, tick and file, once, for functions and command line alike.
//!
//! Work acts only through the traits in [`ports`]; how a message ends is decided here ([`Disposition`]) and by no door.

pub mod again;
pub mod backfill;
mod converge;
pub mod correct;
pub mod deliver;
mod disposition;
pub mod drift;
pub mod dry;
pub mod files;
pub mod from_aws;
pub mod letter;
mod link;
pub mod log;
pub mod migrate;
pub mod named;
pub mod notice;
pub mod order;
pub mod ports;
pub mod push;
pub mod quarantine;
pub mod reconcile;
pub mod replay;
pub mod run;
pub mod show;
pub mod status;
mod walk;
mod who;
mod work;

pub use converge::{Arrival, Converged, Converger};
pub use disposition::{Disposition, RetryPolicy, SkipReason, SyncError};
pub use link::{Conversion, CrmRef, Link, LinkKey, Referral, Share, Shipment, Stage, Tick};
pub use walk::{Progress, every_opportunity, every_solution};
pub use work::Work;
