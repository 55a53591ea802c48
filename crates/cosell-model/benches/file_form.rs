//! A file of the largest size that AWS sends: read, validated and written, against reading the same bytes as plain JSON
//! in the same run. Prints a line a figure and fails when a limit is broken.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot go on fails")]

mod measure;

use std::{
    env, fs,
    hint::black_box,
    process::{Command, ExitCode},
    time::Duration,
};

use cosell_model::{
    Wire,
    file::{self, Contents, MAX_BYTES},
    life_cycle::Standing,
    validate::{Case, Operation, validate},
};
use serde_json::{Value as Json, json};

use measure::{figure, median};

/// How many times the floor it may take.
const RATIO_LIMIT: f64 = 4.0;
/// How much a process may hold that reads, validates and writes one such file, in MB.
const MEMORY_LIMIT: f64 = 40.0;

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

fn validate_all(contents: &Contents) {
    let case = Case {
        operation: Operation::Submit,
        wire: Wire::File(contents.version),
        standing: Standing::default(),
        changes: None,
        today: jiff::civil::date(2026, 3, 9),
    };
    for record in &contents.records {
        black_box(validate(&record.decoded.record, &case));
    }
}

/// All that is done with a file, once.
fn work(bytes: &[u8]) {
    let contents = file::read(black_box(bytes)).unwrap();
    validate_all(&contents);
    black_box(serde_json::to_vec(&contents).unwrap());
}

/// The most that this process has ever held, in MB, as the kernel counts it.
fn peak_memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kilobytes| kilobytes * 1.024 / 1000.0)
}

/// A process of its own does the work once: what this one has held meanwhile does not count.
fn memory_of_one_run(bytes: &[u8]) -> Option<f64> {
    let path = env::temp_dir().join(format!("cosell-file-form-{}.json", std::process::id()));
    fs::write(&path, bytes).unwrap();
    let answer = Command::new(env::current_exe().unwrap()).env("COSELL_MEASURE", &path).output().unwrap();
    fs::remove_file(&path).unwrap();
    String::from_utf8(answer.stdout).unwrap().trim().parse().ok()
}

fn main() -> ExitCode {
    if let Some(path) = env::var_os("COSELL_MEASURE") {
        work(&fs::read(path).unwrap());
        println!("{}", peak_memory().unwrap());
        return ExitCode::SUCCESS;
    }
    let bytes = largest();
    let contents = file::read(&bytes).unwrap();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let floor = median(|| drop(black_box(serde_json::from_slice::<Json>(black_box(&bytes)).unwrap())));
    let ours = median(|| work(&bytes));
    let read = median(|| drop(black_box(file::read(black_box(&bytes)).unwrap())));
    let validated = median(|| validate_all(&contents));
    let written = median(|| drop(black_box(serde_json::to_vec(&contents).unwrap())));
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    for (name, value, unit) in [
        ("file size", bytes.len() as f64 / 1e6, "MB"),
        ("file records", contents.records.len() as f64, ""),
        ("file read as plain JSON", milliseconds(floor), "ms"),
        ("file read", milliseconds(read), "ms"),
        ("file validated", milliseconds(validated), "ms"),
        ("file written", milliseconds(written), "ms"),
        ("file read, validated, written", milliseconds(ours), "ms"),
    ] {
        figure(name, value, unit, None);
    }
    let ratio = figure("file ratio to plain JSON", ours.as_secs_f64() / floor.as_secs_f64(), "x", Some(RATIO_LIMIT));
    // Only Linux says what a process held at most.
    let memory = memory_of_one_run(&bytes);
    let memory = memory.is_none_or(|peak| figure("file memory, peak of a process", peak, "MB", Some(MEMORY_LIMIT)));
    if ratio && memory { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
