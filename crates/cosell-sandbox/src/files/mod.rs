//! AWS's half of the file exchange, as the partner sees it: files of the partner are worked off within a second, and what
//! changed at AWS is exported by the hour.

pub mod bucket;
mod fields;
pub mod inbound;
pub mod leads;
pub mod opportunities;
pub mod outbound;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};

use cosell_model::{Kind, PayloadVersion};
use jiff::Timestamp;
use serde::Serialize;

use leads::Leads;
use opportunities::Side;

/// Both kinds of files.
pub const KINDS: [Kind; 2] = [Kind::Opportunity, Kind::Lead];

/// What is known of the exchange.
pub struct Exchange {
    /// The leads.
    pub leads: Leads,
    /// What only files say of opportunities, by id.
    pub sides: BTreeMap<String, Side>,
    /// Every file that was met, in order.
    pub met: Vec<Met>,
    /// Every key that was met, with the time of its first file.
    keys: HashMap<String, i128>,
    taken: VecDeque<Timestamp>,
    highest: BTreeMap<Kind, PayloadVersion>,
    /// Result files that are not in the bucket yet: key and content.
    held: VecDeque<(String, Vec<u8>)>,
    /// What was exported last, by id: a digest.
    exported: BTreeMap<String, u64>,
    /// How many files were exported: their names are told apart by it.
    exports: u64,
}

/// A file of the partner that was met.
#[derive(Debug, Clone, Serialize)]
pub struct Met {
    /// Its key.
    pub key: String,
    /// How many records it has, as far as they were looked at.
    pub records: usize,
    /// How many of them were taken.
    pub succeeded: usize,
    /// Why the whole file was refused.
    pub refused: Option<String>,
    /// Its name does not end in `_MMDDYYYYHHMMSS`.
    pub odd_name: bool,
    /// When it was worked off.
    pub at: Timestamp,
}

impl Exchange {
    /// Nothing exchanged yet; `seed` keeps the identifiers of two runs apart.
    pub fn new(seed: u64) -> Self {
        Self {
            leads: Leads::new(seed),
            sides: BTreeMap::new(),
            met: Vec::new(),
            keys: HashMap::new(),
            taken: VecDeque::new(),
            highest: BTreeMap::new(),
            held: VecDeque::new(),
            exported: BTreeMap::new(),
            exports: 0,
        }
    }
}
