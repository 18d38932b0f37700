//! How far the run is, on standard error.

use std::io::{IsTerminal as _, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use logtopsy::pipeline::{Progress, Silent};

use super::args::Choice;

/// A bar where the length is known; it fits 80 columns.
const KNOWN: &str = "{msg:<14} {bar:24} {decimal_bytes:>9} of {decimal_total_bytes} · {eta} left";
/// Where it is not.
const UNKNOWN: &str = "{msg:<14} {spinner} {decimal_bytes:>9} · {decimal_bytes_per_sec}";

/// The bar on the screen, for the signal handler to clear.
static SHOWN: OnceLock<ProgressBar> = OnceLock::new();

/// What shows progress: a bar on a terminal, lines where there is none but progress was asked for, else nothing.
pub(crate) fn bar(choice: Choice, quiet: bool) -> Box<dyn Progress> {
    let terminal = std::io::stderr().is_terminal();
    match choice {
        Choice::Never => Box::new(Silent),
        Choice::Auto if quiet || !terminal => Box::new(Silent),
        _ if terminal => {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            Box::new(Bar(SHOWN.get_or_init(|| bar).clone()))
        }
        _ => Box::new(Lines::default()),
    }
}

/// Takes the bar off the screen, if there is one.
pub(crate) fn clear() {
    if let Some(bar) = SHOWN.get() {
        bar.finish_and_clear();
    }
}

struct Bar(ProgressBar);

impl Progress for Bar {
    fn begin(&self, stage: &'static str, bytes: Option<u64>) {
        let template = if bytes.is_some() { KNOWN } else { UNKNOWN };
        // A template that indicatif doesn't take would show as its plain bar; a test holds that it does.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.0.set_style(style.progress_chars("━╸ "));
        self.0.set_message(stage);
        match bytes {
            Some(bytes) => self.0.set_length(bytes),
            None => self.0.unset_length(),
        }
        self.0.reset();
        self.0.enable_steady_tick(Duration::from_millis(200));
    }

    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// A line per stage and tenth, for `--progress always` into a file.
#[derive(Default)]
struct Lines {
    total: AtomicU64,
    done: AtomicU64,
}

impl Progress for Lines {
    fn begin(&self, stage: &'static str, bytes: Option<u64>) {
        self.total.store(bytes.unwrap_or(0), Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
        let size = bytes.map(|n| format!(" {}", logtopsy::report::time::bytes(n))).unwrap_or_default();
        let _ = writeln!(std::io::stderr(), "logtopsy: {stage}{size}");
    }

    fn advance(&self, bytes: u64) {
        let before = self.done.fetch_add(bytes, Ordering::Relaxed);
        let total = self.total.load(Ordering::Relaxed);
        let tenth = |done: u64| u128::from(done) * 10 / u128::from(total.max(1));
        let now = tenth(before.saturating_add(bytes));
        if total > 0 && now > tenth(before) && now <= 10 {
            let _ = writeln!(std::io::stderr(), "logtopsy: {} %", now * 10);
        }
    }

    fn finish(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_sound() {
        assert!(ProgressStyle::with_template(KNOWN).is_ok());
        assert!(ProgressStyle::with_template(UNKNOWN).is_ok());
    }
}
