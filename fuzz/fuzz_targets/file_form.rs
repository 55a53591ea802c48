//! Any bytes as a file of records or of results: nothing panics, and what is written is what was read.

#![no_main]

mod common;

use cosell_model::file::{self, Results};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    common::mutate(data, size, max_size, seed)
});

fuzz_target!(|bytes: &[u8]| {
    let _ = Results::read(bytes);
    let Ok(mut contents) = file::read(bytes) else { return };
    // Members of these names are no members to `serde_json`, which puts what they hold in their object's place.
    if str::from_utf8(bytes).is_ok_and(|text| text.contains("$serde_json::private::")) {
        return;
    }
    let written = serde_json::to_vec(&contents).expect("what was read is written");
    for decoded in contents.records.iter_mut().map(|record| &mut record.decoded) {
        common::check(&decoded.record, &decoded.record);
        // Not written: what could not be read, and what files of this version have no name for.
        decoded.unread.clear();
        let nameless =
            decoded.record.iter().map(|(field, _)| field).filter(|field| field.file(contents.version).is_none());
        for field in nameless.collect::<Vec<_>>() {
            decoded.record.remove(field);
        }
    }
    assert_eq!(file::read(&written).expect("what was written is read"), contents);
});
