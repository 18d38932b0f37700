//! Where a report goes: standard output, or a file that is replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use logtopsy::error::Error;

use super::interrupt;

/// The name of standard output in messages.
const STDOUT: &str = "standard output";

/// Where the report goes.
#[derive(Debug)]
pub(crate) enum Target {
    Stdout,
    /// A regular file, replaced by renaming a finished one over it.
    File(PathBuf),
    /// A device or pipe that was named on purpose.
    Special(PathBuf),
}

impl Target {
    /// The target, checked before the work begins rather than after it.
    pub(crate) fn new(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else { return Ok(Self::Stdout) };
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let refuse = |why: &str| {
            Err(Error::Output {
                target: path.to_path_buf(),
                source: io::Error::new(io::ErrorKind::InvalidInput, why),
            })
        };
        match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_symlink() => refuse("it is a symbolic link; name the file itself"),
            Ok(meta) if meta.is_dir() => refuse("it is a directory"),
            Ok(meta) if meta.is_file() => Ok(Self::File(path.to_path_buf())),
            // Renaming a file over /dev/null would be the end of /dev/null.
            Ok(_) => Ok(Self::Special(path.to_path_buf())),
            Err(e)
                if e.kind() == io::ErrorKind::NotFound
                    && directory(path).is_dir()
                    && path.file_name().is_some() =>
            {
                Ok(Self::File(path.to_path_buf()))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => refuse("there is no such directory"),
            Err(source) => Err(Error::Output { target: path.to_path_buf(), source }),
        }
    }

    /// Whether somebody looks at it.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self, Self::Stdout) && io::stdout().is_terminal()
    }

    /// The error for this target.
    pub(crate) fn error(&self, source: io::Error) -> Error {
        match self {
            Self::Stdout if source.kind() == io::ErrorKind::BrokenPipe => Error::Closed,
            Self::Stdout => Error::Output { target: STDOUT.into(), source },
            Self::File(path) | Self::Special(path) => Error::Output { target: path.clone(), source },
        }
    }

    /// Writes it all or, for a file, nothing.
    pub(crate) fn write(&self, text: &[u8]) -> Result<(), Error> {
        interrupt::shielded(|| match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(text).and_then(|()| out.flush())
            }
            Self::File(path) => replace(path, text),
            Self::Special(path) => {
                OpenOptions::new().write(true).open(path).and_then(|mut f| f.write_all(text))
            }
        })
        .map_err(|source| self.error(source))
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Written beside (mode 0600), synced, renamed: a reader sees the old file or the new one, and a link that is put there
/// meanwhile is replaced, not followed.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let directory = directory(path);
    let mut file = tempfile::Builder::new().prefix(".logtopsy-").tempfile_in(directory)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    // The name is safe once the directory is; some file systems can't sync one.
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}

/// Standard output for a stream of records: buffered, and remembering what went wrong.
pub(crate) struct Stdout {
    out: io::BufWriter<io::Stdout>,
    failed: Option<io::Error>,
}

impl Stdout {
    pub(crate) fn new() -> Self {
        Self { out: io::BufWriter::with_capacity(1 << 16, io::stdout()), failed: None }
    }

    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
        {
            // A copy, since an error can't be cloned; the system's number keeps its words.
            let copy = error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
            self.failed.get_or_insert(copy);
        }
        result
    }

    /// Flushes and tells what went wrong first.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        if self.failed.is_none() {
            // The result is kept by `note`.
            let _ = self.flush();
        }
        match self.failed.take() {
            None => Ok(()),
            Some(error) => {
                // What is still buffered has nowhere to go.
                let _ = self.out.into_parts();
                Err(Target::Stdout.error(error))
            }
        }
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.out.write(bytes);
        self.note(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.out.flush();
        self.note(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn a_file_is_replaced_as_a_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.json");
        fs::write(&path, "old, and longer than the new").unwrap();
        Target::new(Some(&path)).unwrap().write(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_is_neither_followed_nor_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (victim, link) = (dir.path().join("victim"), dir.path().join("link"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &link).unwrap();
        assert!(matches!(Target::new(Some(&link)), Err(Error::Output { .. })));
        // One that is planted during the run is replaced.
        Target::File(link.clone()).write(b"new").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert!(!fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn what_cannot_be_written_is_told_before_the_work() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Target::new(Some(dir.path())).is_err());
        assert!(Target::new(Some(&dir.path().join("none/report"))).is_err());
        assert!(matches!(Target::new(Some(Path::new("/dev/null"))), Ok(Target::Special(_))));
        assert!(matches!(Target::new(Some(Path::new("-"))), Ok(Target::Stdout)));
    }
}
