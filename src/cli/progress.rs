//! Progress for a person: a moving line on a terminal, plain lines elsewhere.

use super::console;
use crate::dataset::Event;
use crate::figures::text::printable;
use crate::record::Metrics;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};

/// Training's progress.
pub struct Training {
    bar: Option<ProgressBar>,
    started: Instant,
    tokens_before: Option<u64>,
    total_tokens: u64,
    loss: f32,
    last_line: Option<Instant>,
    quiet: bool,
}

/// Time between plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

impl Training {
    /// Progress towards so many tokens.
    pub fn new(total_tokens: u64, quiet: bool) -> Self {
        let bar = (console::is_terminal() && !quiet).then(|| {
            let bar = ProgressBar::new(total_tokens);
            let template = "{bar:30} {msg}  {eta} left";
            bar.set_style(ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar()));
            bar
        });
        let (started, loss) = (Instant::now(), f32::NAN);
        Training { bar, started, tokens_before: None, total_tokens, loss, last_line: None, quiet }
    }

    /// After a step.
    pub fn step(&mut self, metrics: &Metrics, tokens_per_step: u64) {
        let before = *self.tokens_before.get_or_insert(metrics.tokens - tokens_per_step);
        // The loss of one batch jumps about: a mean over about twenty is shown.
        let smooth = if self.loss.is_nan() { metrics.loss } else { 0.95 * self.loss + 0.05 * metrics.loss };
        self.loss = smooth;
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = (metrics.tokens - before) as f64 / seconds.max(1e-9);
        let (done, total) = (count(metrics.tokens), count(self.total_tokens));
        let message = format!("{done} of {total} tokens  loss {smooth:.3}  {} tokens/s", count(rate as u64));
        if let Some(bar) = &self.bar {
            bar.set_position(metrics.tokens);
            bar.set_message(message);
        } else if !self.quiet {
            let due = self.last_line.is_none_or(|t| t.elapsed() >= LINE_EVERY);
            if due || metrics.tokens >= self.total_tokens {
                let left = (self.total_tokens.saturating_sub(metrics.tokens)) as f64 / rate.max(1e-9);
                console::note(&format!("{message}  {left:.0} s left"));
                self.last_line = Some(Instant::now());
            }
        }
    }

    /// Takes the moving line away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Shows what preparing a dataset reports.
pub struct Preparing {
    bar: Option<ProgressBar>,
    quiet: bool,
    said: &'static str,
    last_line: Instant,
}

impl Preparing {
    /// Nothing reported yet.
    pub fn new(quiet: bool) -> Self {
        let bar = (console::is_terminal() && !quiet).then(|| {
            let bar = ProgressBar::no_length();
            let template = "{bar:30} {msg}  {bytes} of {total_bytes}  {eta} left";
            bar.set_style(ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar()));
            bar
        });
        Preparing { bar, quiet, said: "", last_line: Instant::now() }
    }

    /// Shows one event.
    pub fn show(&mut self, event: Event) {
        let (what, done, total) = match event {
            Event::Warning(words) => return self.line(&format!("warning: {}", plain(&words))),
            Event::Progress { what, done, total } => (what, done, total),
        };
        let new = self.said != what;
        self.said = what;
        if let Some(bar) = &self.bar {
            if new {
                bar.reset();
                bar.set_message(what);
            }
            bar.set_length(total);
            bar.set_position(done);
        } else if !self.quiet && new {
            self.line(&format!("{what} …"));
        } else if !self.quiet && self.last_line.elapsed() >= 2 * LINE_EVERY {
            let percent = 100.0 * done as f64 / total.max(1) as f64;
            self.line(&format!("{what}: {percent:.1} % of {} bytes", count(total)));
        }
    }

    fn line(&mut self, words: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| console::note(words)),
            None => console::note(words),
        }
        self.last_line = Instant::now();
    }

    /// Takes the moving line away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `1.25 M`, `310 k`, `42`.
pub fn count(n: u64) -> String {
    match n {
        0..=9_999 => n.to_string(),
        10_000..=999_999 => format!("{:.0} k", n as f64 / 1e3),
        _ => format!("{:.2} M", n as f64 / 1e6),
    }
}

/// Words without what a terminal obeys: names of files may hold it.
fn plain(words: &str) -> String {
    words.lines().map(printable).collect::<Vec<_>>().join("\n")
}
