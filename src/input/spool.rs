//! What can be read only once → an unnamed temporary file that can be read again.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::discover::{HEAD, Origin, Source, is_descriptor, open_without_blocking, packing_of};

use super::bytes::read_full_at;
use super::{End, Opened, UNPACKED_LIMIT};

/// How long a FIFO may stay without a writer: enough for a writer started in the same breath, too short to be taken
/// for a hang.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes copied at a time: twice a pipe's usual capacity.
const COPY: usize = 128 << 10;

/// The longest wait between two looks at a pipe that is empty.
const LONGEST_NAP: Duration = Duration::from_millis(10);

/// Copies a stream (standard input, a FIFO, `/dev/fd/N`) to an unnamed temporary file; its packing is told by its
/// first bytes. Blocks until the writer is done.
///
/// What goes wrong after the first bytes shortens the source, and reading its last range says so.
///
/// # Errors
///
/// What the system says when the stream cannot be opened or there is no room for temporary files; `TimedOut` when
/// nobody writes to a FIFO; `InvalidData` when its first bytes are no log's, with the reason.
pub fn spool(source: &Source) -> io::Result<Opened> {
    match &source.origin {
        Origin::Stdin => copy(&mut io::stdin().lock(), Duration::ZERO),
        Origin::Path(path) => {
            let mut file = open_without_blocking(path)?;
            copy(&mut file, patience(path))
        }
    }
}

/// The writer of a pipe that we inherited has it open already; that of a FIFO may still be on its way.
fn patience(path: &Path) -> Duration {
    if is_descriptor(path) { Duration::ZERO } else { PATIENCE }
}

/// Copies `stream` and opens the copy.
pub(super) fn copy(stream: &mut dyn Read, patience: Duration) -> io::Result<Opened> {
    let mut file = tempfile::tempfile()?;
    let (length, ending) = pour(stream, &mut file, patience)?;
    let mut head = vec![0; HEAD];
    let read = read_full_at(&file, &mut head, 0)?;
    head.truncate(read);
    let packing = packing_of(&head).map_err(|reason| io::Error::new(ErrorKind::InvalidData, reason))?;
    Ok(Opened { bytes: Box::new(file), length, packing, ending })
}

/// Pours everything into `file`; says how much and, if not all, why.
fn pour(stream: &mut dyn Read, file: &mut File, patience: Duration) -> io::Result<(u64, Option<End>)> {
    let began = Instant::now();
    let mut buffer = vec![0; COPY];
    let mut length = 0u64;
    let mut nap = Duration::from_micros(50);
    loop {
        let wait = match stream.read(&mut buffer) {
            Ok(0) if length == 0 && !patience.is_zero() => {
                // An open FIFO without a writer looks like one at its end.
                if began.elapsed() >= patience {
                    return Err(io::Error::new(ErrorKind::TimedOut, "no program writes to this FIFO"));
                }
                true
            }
            Ok(0) => return Ok((length, None)),
            Ok(read) => {
                let part = buffer.get(..read).unwrap_or_default();
                if let Err(e) = file.write_all(part) {
                    let why = crate::discover::plain_reason(&e);
                    let text = format!("the temporary copy holds only the first {length} bytes: {why}");
                    return Ok((length, Some(End::Limit(text))));
                }
                length = length.saturating_add(read as u64);
                if length >= UNPACKED_LIMIT {
                    return Ok((length, Some(End::Limit("more than 64 GiB from a stream".into()))));
                }
                nap = Duration::from_micros(50);
                false
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => false,
            Err(e) if e.kind() == ErrorKind::WouldBlock => true,
            Err(e) if length == 0 => return Err(e),
            Err(e) => return Ok((length, Some(super::bytes::unreadable(&e)))),
        };
        if wait {
            sleep(nap);
            nap = (nap * 2).min(LONGEST_NAP);
        }
    }
}
