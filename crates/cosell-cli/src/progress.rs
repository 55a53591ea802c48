//! How far a long run is, on standard error: a bar with the remaining time for people, a line a page for logs.

use std::io::{IsTerminal, stderr};

use cosell_sync::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// Shows one step after the other.
pub struct Bar {
    bar: Option<ProgressBar>,
    step: &'static str,
}

impl Bar {
    /// Nothing is shown before the first step.
    pub fn new() -> Self {
        Self { bar: stderr().is_terminal().then(ProgressBar::no_length), step: "" }
    }

    /// Shows how far the step is.
    pub fn show(&mut self, Progress { step, done, of }: Progress) {
        let Some(bar) = &self.bar else {
            match of {
                Some(of) => eprintln!("{step}: {done} of {of}"),
                None => eprintln!("{step}: {done}"),
            }
            return;
        };
        if self.step == step {
            bar.set_position(done as u64);
            return;
        }
        self.step = step;
        // A new bar: how fast the last step was, or what an earlier run has done, says nothing about this one's speed.
        bar.finish_and_clear();
        let new = of.map_or_else(ProgressBar::no_length, |of| ProgressBar::new(of as u64));
        self.bar = Some(new.with_style(style(of.is_some())).with_message(step).with_position(done as u64));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(is_measured: bool) -> ProgressStyle {
    let template = if is_measured { "{msg} {wide_bar} {pos}/{len}, {eta} left" } else { "{msg} {spinner} {pos}" };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
