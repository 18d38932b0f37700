//! Files as the system gives them: opening without waiting, and its errors in plain words.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// `O_NONBLOCK`, which the standard library does not name.
const O_NONBLOCK: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    if cfg!(any(target_arch = "mips", target_arch = "mips64")) {
        0x80
    } else if cfg!(any(target_arch = "sparc", target_arch = "sparc64")) {
        0x4000
    } else {
        0o4000
    }
} else {
    0x4
};

/// Opens for reading, without waiting for a writer should the path be a FIFO (or have become one).
pub(crate) fn open_without_blocking(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)
}

/// Whether a path stands for a descriptor that the process was started with.
pub(crate) fn is_descriptor(path: &Path) -> bool {
    let proc = path.starts_with("/proc") && path.parent().is_some_and(|parent| parent.ends_with("fd"));
    proc || path.starts_with("/dev/fd") || path == Path::new("/dev/stdin")
}

/// Whether a path stands for standard input.
pub(super) fn is_standard_input(path: &Path) -> bool {
    ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|name| path == Path::new(name))
}

/// The system's errors in the words of a report, without numbers.
pub(crate) fn plain_reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file".into(),
        ErrorKind::PermissionDenied => "permission denied".into(),
        ErrorKind::NotADirectory => "a part of its path is no directory".into(),
        ErrorKind::IsADirectory => "a directory".into(),
        _ => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            let mut letters = text.chars();
            letters
                .next()
                .map(|first| first.to_lowercase().collect::<String>() + letters.as_str())
                .unwrap_or_default()
        }
    }
}
