//! Unpacks in a thread of its own, ahead of whoever reads the lines.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, Scope};

use super::End;
use super::bytes::{Fill, Filled};

/// Chunks that wait to be read, at most: enough to even out the pace of the two, little memory for each thread.
const WAITING: usize = 3;

/// A chunk of unpacked bytes.
struct Chunk {
    buffer: Vec<u8>,
    filled: Filled,
}

/// Bytes that another thread unpacks.
pub(super) struct Ahead {
    chunks: Receiver<Chunk>,
    /// Where buffers go back to.
    used: Sender<Vec<u8>>,
    /// The chunk being handed on, and how far it is.
    current: Option<(Chunk, usize)>,
}

impl Ahead {
    /// Starts to unpack, `chunk` bytes at a time, what `make` gives; it is made in the thread that unpacks, because some
    /// decoders may not change threads. `None` where no thread is to be had.
    pub(super) fn start<'scope, F: Fill>(
        scope: &'scope Scope<'scope, '_>,
        chunk: usize,
        make: impl FnOnce() -> F + Send + 'scope,
    ) -> Option<Self> {
        let (filled, chunks) = sync_channel(WAITING);
        let (used, empty) = channel();
        let unpack = move || unpack(&mut make(), chunk, &filled, &empty);
        Builder::new().name("unpack".into()).spawn_scoped(scope, unpack).ok()?;
        Some(Self { chunks, used, current: None })
    }

    fn next(&mut self) -> Option<(Chunk, usize)> {
        self.current.take().or_else(|| self.chunks.recv().ok().map(|chunk| (chunk, 0)))
    }
}

/// Sends chunk after chunk until the end, or until nobody wants them any more.
fn unpack(fill: &mut dyn Fill, size: usize, chunks: &SyncSender<Chunk>, empty: &Receiver<Vec<u8>>) {
    loop {
        let mut buffer = empty.try_recv().unwrap_or_default();
        buffer.resize(size, 0);
        let filled = fill.fill(&mut buffer);
        let last = filled.end.is_some();
        if chunks.send(Chunk { buffer, filled }).is_err() || last {
            return;
        }
    }
}

impl Fill for Ahead {
    fn fill(&mut self, into: &mut [u8]) -> Filled {
        let mut done = Filled { bytes: 0, consumed: 0, end: None };
        while done.bytes < into.len() {
            let Some((mut chunk, from)) = self.next() else {
                // its thread is gone without a word: it panicked, which ends the scope
                done.end = Some(End::Damaged("unpacking failed".into()));
                break;
            };
            let size = chunk.filled.bytes.saturating_sub(from).min(into.len() - done.bytes);
            let room = into.get_mut(done.bytes..done.bytes + size);
            if let (Some(room), Some(part)) = (room, chunk.buffer.get(from..from + size)) {
                room.copy_from_slice(part);
            }
            done.bytes += size;
            done.consumed = done.consumed.saturating_add(std::mem::take(&mut chunk.filled.consumed));
            if from + size < chunk.filled.bytes {
                self.current = Some((chunk, from + size));
            } else if let Some(end) = chunk.filled.end {
                done.end = Some(end);
                break;
            } else {
                // nobody takes it when all is unpacked
                let _ = self.used.send(chunk.buffer);
            }
        }
        done
    }
}
