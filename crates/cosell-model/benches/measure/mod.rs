//! What every benchmark does: the median of some runs, and one line a figure.

use std::time::{Duration, Instant};

const RUNS: usize = 15;

/// The median of some runs.
pub fn median(mut work: impl FnMut()) -> Duration {
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

/// One line a figure: name, value, unit, and the limit where there is one. Says whether the limit holds.
pub fn figure(name: &str, value: f64, unit: &str, limit: Option<f64>) -> bool {
    let broken = limit.is_some_and(|limit| value > limit);
    let limit = limit.map_or_else(String::new, |limit| format!("limit {limit}"));
    println!("{name:<44}{value:>10.2} {unit:<4}{limit}{}", if broken { "  BROKEN" } else { "" });
    !broken
}
