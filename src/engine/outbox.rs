//! Bytes on their way to a client, in order: small ones in one buffer, large chunks as the
//! application's runtime owns them, file ranges by sendfile(2), and, for a client that reads
//! slowly, an unlinked file.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::sys::file;

/// Pieces up to this size are copied: cheaper than an entry of their own, and the head and a
/// small body leave in one system call.
pub(super) const COPY_UP_TO: usize = 16 * 1024;
/// Pieces handed to one sendmsg(2).
pub(super) const PIECES_PER_CALL: usize = 16;
/// A buffer that grew past this is given back once it is empty.
const KEEP_CAPACITY: usize = 64 * 1024;
/// As much of a buffer stays with a connection that waits for its next request.
const IDLE_CAPACITY: usize = 1024;

pub(super) enum Piece<C> {
    /// The next so many of `Outbox::bytes`.
    Bytes(usize),
    /// `chunk[at..end]`.
    Chunk { chunk: C, at: usize, end: usize },
    /// `len` bytes of a file from `offset`; `read` and sent where there shall be no sendfile(2).
    File { file: File, offset: i64, len: u64, read: bool },
    /// The next so many bytes of the spill file.
    Spilled(u64),
}

#[derive(Debug)]
pub(super) struct Spill {
    pub(super) file: File,
    pub(super) read_at: u64,
    write_at: u64,
}

impl Spill {
    /// So many bytes were taken out.
    pub(super) fn advance(&mut self, n: u64) -> io::Result<()> {
        self.read_at += n;
        if self.read_at == self.write_at {
            self.file.set_len(0)?;
            (self.read_at, self.write_at) = (0, 0);
        }
        Ok(())
    }
}

/// What is still to be sent on one connection.
pub struct Outbox<C> {
    /// Small bytes. `bytes[at..closed]` belong to `Piece::Bytes` entries, `bytes[closed..]`
    /// follow all of `queue`.
    pub(super) bytes: Vec<u8>,
    pub(super) at: usize,
    pub(super) closed: usize,
    pub(super) queue: VecDeque<Piece<C>>,
    /// Bytes in `Piece::Chunk` entries.
    pub(super) chunked: usize,
    pub(super) spill: Option<Spill>,
}

impl<C> Default for Outbox<C> {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            at: 0,
            closed: 0,
            queue: VecDeque::new(),
            chunked: 0,
            spill: None,
        }
    }
}

impl<C: AsRef<[u8]>> Outbox<C> {
    /// The buffer behind everything else: whatever is appended to it is sent last.
    pub fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Whether everything has been sent.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.at == self.bytes.len()
    }

    /// Bytes in memory that are still to be sent.
    pub fn in_memory(&self) -> usize {
        self.bytes.len() - self.at + self.chunked
    }

    /// Whether nothing of it is in a file.
    pub fn is_in_memory(&self) -> bool {
        let is_file = |piece: &Piece<C>| matches!(piece, Piece::File { .. } | Piece::Spilled(_));
        !self.queue.iter().any(is_file)
    }

    /// Bytes of memory that are not free as long as it holds what it holds: of a chunk whose
    /// beginning has been sent, all of it.
    pub fn held(&self) -> usize {
        let chunks = self.queue.iter().map(|piece| match piece {
            Piece::Chunk { chunk, .. } => chunk.as_ref().len(),
            Piece::Bytes(_) | Piece::File { .. } | Piece::Spilled(_) => 0,
        });
        self.bytes.capacity() + chunks.sum::<usize>()
    }

    /// Gives back what an empty one keeps for the next response.
    pub fn slim(&mut self) {
        if self.is_empty() && self.bytes.capacity() > IDLE_CAPACITY {
            self.drop_buffer();
        }
        if self.queue.is_empty() && self.queue.capacity() > PIECES_PER_CALL {
            self.queue = VecDeque::new();
        }
    }

    /// Bytes held in the unlinked file.
    pub fn spilled(&self) -> u64 {
        self.spill.as_ref().map_or(0, |spill| spill.write_at - spill.read_at)
    }

    /// Appends `data` if it is short enough to be copied.
    pub fn copy(&mut self, data: &[u8]) -> bool {
        let is_short = data.len() <= COPY_UP_TO;
        if is_short {
            self.bytes.extend_from_slice(data);
        }
        is_short
    }

    /// Appends the first `len` bytes of `chunk`.
    pub fn push(&mut self, chunk: C, len: usize) {
        let data = chunk.as_ref();
        let len = len.min(data.len());
        if self.copy(&data[..len]) {
            return;
        }
        self.close_tail();
        self.chunked += len;
        self.queue.push_back(Piece::Chunk { chunk, at: 0, end: len });
    }

    /// Appends `len` bytes of `file` from `offset`.
    pub fn push_file(&mut self, file: OwnedFd, offset: i64, len: u64) {
        self.close_tail();
        self.queue.push_back(Piece::File { file: file.into(), offset, len, read: false });
    }

    /// The same without sendfile(2), which some file systems do badly.
    pub fn push_read(&mut self, file: OwnedFd, offset: i64, len: u64) {
        self.close_tail();
        self.queue.push_back(Piece::File { file: file.into(), offset, len, read: true });
    }

    /// Moves what waits in memory behind everything else to the unlinked file, made in `dir` when
    /// there is none yet, unless the file would hold more than `most` bytes then.
    ///
    /// # Errors
    /// The file system's; nothing was moved then.
    pub fn spill(&mut self, most: u64, dir: Option<&Path>) -> io::Result<()> {
        self.close_tail();
        let stored = |piece: &Piece<C>| matches!(piece, Piece::File { .. } | Piece::Spilled(_));
        let start = self.queue.iter().rposition(stored).map_or(0, |at| at + 1);
        let (mut copied, mut chunked) = (0, 0);
        for piece in self.queue.range(start..) {
            match piece {
                Piece::Bytes(len) => copied += len,
                Piece::Chunk { at, end, .. } => chunked += end - at,
                Piece::File { .. } | Piece::Spilled(_) => {}
            }
        }
        let len = (copied + chunked) as u64;
        if len == 0 || self.spilled() + len > most {
            return Ok(());
        }
        if self.spill.is_none() {
            let file = file::unlinked(dir)?;
            self.spill = Some(Spill { file, read_at: 0, write_at: 0 });
        }
        let Some(spill) = &mut self.spill else { return Ok(()) };
        let (mut write_at, mut at) = (spill.write_at, self.bytes.len() - copied);
        for piece in self.queue.range(start..) {
            let data = match piece {
                Piece::Bytes(len) => {
                    at += len;
                    &self.bytes[at - len..at]
                }
                Piece::Chunk { chunk, at, end } => {
                    chunk.as_ref().get(*at..*end).unwrap_or_default()
                }
                Piece::File { .. } | Piece::Spilled(_) => &[],
            };
            spill.file.write_all_at(data, write_at)?;
            write_at += data.len() as u64;
        }
        spill.write_at = write_at;
        self.queue.truncate(start);
        self.bytes.truncate(self.bytes.len() - copied);
        self.closed = self.bytes.len();
        if self.at == self.closed {
            self.drop_buffer();
        }
        self.chunked -= chunked;
        if let Some(Piece::Spilled(before)) = self.queue.back_mut() {
            *before += len;
        } else {
            self.queue.push_back(Piece::Spilled(len));
        }
        Ok(())
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.queue.clear();
        self.chunked = 0;
        self.spill = None;
        self.rewind();
    }

    fn close_tail(&mut self) {
        if self.bytes.len() > self.closed {
            self.queue.push_back(Piece::Bytes(self.bytes.len() - self.closed));
            self.closed = self.bytes.len();
        }
    }

    fn drop_buffer(&mut self) {
        self.bytes = Vec::new();
        (self.at, self.closed) = (0, 0);
    }

    pub(super) fn rewind(&mut self) {
        if self.bytes.capacity() > KEEP_CAPACITY {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        (self.at, self.closed) = (0, 0);
    }
}
