//! SIGINT, SIGTERM and SIGHUP: the run ends at once, with status 130 and a clean terminal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Set for good by the first signal.
static HAPPENED: AtomicBool = AtomicBool::new(false);
/// A report is being written: it is finished, so that nobody gets half a document.
static WRITING: AtomicBool = AtomicBool::new(false);
/// How long a reader that stalls may hold up the end.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked whether the writing is over.
const STEP: Duration = Duration::from_millis(10);

/// From here on signals end the program.
pub(crate) fn install() {
    // Without a handler the system's own end is as quick, only without the status.
    let _ = ctrlc::set_handler(|| {
        HAPPENED.store(true, Ordering::SeqCst);
        super::progress::clear();
        let mut waited = Duration::ZERO;
        while WRITING.load(Ordering::SeqCst) && waited < PATIENCE {
            std::thread::sleep(STEP);
            waited += STEP;
        }
        std::process::exit(i32::from(super::Exit::Interrupted.code()));
    });
}

/// Whether a signal came.
pub(crate) fn happened() -> bool {
    HAPPENED.load(Ordering::SeqCst)
}

/// Runs `write` to its end even if a signal comes.
pub(crate) fn shielded<T>(write: impl FnOnce() -> T) -> T {
    WRITING.store(true, Ordering::SeqCst);
    let result = write();
    WRITING.store(false, Ordering::SeqCst);
    result
}
