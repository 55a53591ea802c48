//! A file of the largest size that AWS sends: read, validated and written, against reading the same bytes as plain JSON
//! in the same run. Prints a line a figure and fails when a limit is broken.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot go on fails")]

use std::{
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use cosell_model::{
    file::{self, MAX_BYTES},
    validate::{Operation, validate},
};
use serde_json::{Value as Json, json};

const RUNS: usize = 15;
/// How many times the floor it may take.
const LIMIT: f64 = 4.0;

/// The sample's records over and over, each with an identifier of its own, up to AWS's limit.
fn largest() -> Vec<u8> {
    let sample: Json = serde_json::from_str(include_str!("../../../events/files/opportunities.json")).unwrap();
    let records = sample["opportunities"].as_array().unwrap();
    let mut all = Vec::new();
    let mut bytes = 0;
    for (number, record) in records.iter().cycle().enumerate() {
        let mut record = record.clone();
        record["apnCrmUniqueIdentifier"] = json!(format!("O{}", 1_000_000 + number));
        record["projectDescription"] =
            json!("The order system moves before the lease of the data centre ends. ".repeat(30));
        bytes += record.to_string().len() + 1;
        if bytes > MAX_BYTES - 1024 {
            break;
        }
        all.push(record);
    }
    json!({"version": "2.0", "spmsId": "1", "opportunities": all}).to_string().into_bytes()
}

/// The median of some runs.
fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    times.sort();
    times[RUNS / 2]
}

fn main() -> ExitCode {
    let bytes = largest();
    let today = jiff::civil::date(2026, 3, 9);
    let records = file::read(&bytes).unwrap().records.len();
    let floor = median(|| drop(black_box(serde_json::from_slice::<Json>(black_box(&bytes)).unwrap())));
    let ours = median(|| {
        let contents = file::read(black_box(&bytes)).unwrap();
        for record in &contents.records {
            black_box(validate(&record.decoded.record, Operation::Submit, today));
        }
        black_box(serde_json::to_vec(&contents).unwrap());
    });
    let read = median(|| drop(black_box(file::read(black_box(&bytes)).unwrap())));
    let contents = file::read(&bytes).unwrap();
    let validated = median(|| {
        for record in &contents.records {
            black_box(validate(&record.decoded.record, Operation::Submit, today));
        }
    });
    let written = median(|| drop(black_box(serde_json::to_vec(&contents).unwrap())));
    let ratio = ours.as_secs_f64() / floor.as_secs_f64();
    println!("{:<44}{:>8} kB   {records} records", "file", bytes.len() / 1000);
    println!("{:<44}{:>8.1} ms", "file read as plain JSON", floor.as_secs_f64() * 1e3);
    println!("{:<44}{:>8.1} ms", "file read, validated, written", ours.as_secs_f64() * 1e3);
    for (step, time) in [("read", read), ("validated", validated), ("written", written)] {
        println!("{:<44}{:>8.1} ms", format!("file {step}"), time.as_secs_f64() * 1e3);
    }
    let verdict = if ratio > LIMIT { "  BROKEN" } else { "" };
    println!("{:<44}{ratio:>8.2} x    limit {LIMIT:.1}{verdict}", "file ratio");
    if ratio > LIMIT { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
