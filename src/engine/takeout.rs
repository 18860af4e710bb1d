//! An outbox for those who do not send its bytes as they are: TLS encrypts them first.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::outbox::{Outbox, Piece};

impl<C: AsRef<[u8]>> Outbox<C> {
    /// Takes the next bytes out, `most` at most, and appends them to `into`: for those who do not
    /// send them as they are.
    ///
    /// # Errors
    /// That of a file in the queue.
    pub(super) fn take(&mut self, most: usize, into: &mut Vec<u8>) -> io::Result<()> {
        let end = into.len() + most;
        while into.len() < end && !self.is_empty() {
            let room = end - into.len();
            let taken = match self.queue.front_mut() {
                None => copy(&self.bytes[self.at..], room, into),
                Some(Piece::Bytes(len)) => copy(&self.bytes[self.at..self.at + *len], room, into),
                Some(Piece::Chunk { chunk, at, end }) => {
                    copy(chunk.as_ref().get(*at..*end).unwrap_or_default(), room, into)
                }
                Some(Piece::File { file, offset, len, .. }) => {
                    let read = read_range(file, *offset as u64, *len, room, into)?;
                    *offset += read as i64;
                    *len -= read as u64;
                    if *len == 0 {
                        self.queue.pop_front();
                    }
                    continue;
                }
                Some(Piece::Spilled(len)) => {
                    let Some(spill) = &mut self.spill else {
                        return Err(io::ErrorKind::NotFound.into());
                    };
                    let read = read_range(&spill.file, spill.read_at, *len, room, into)? as u64;
                    *len -= read;
                    if *len == 0 {
                        self.queue.pop_front();
                    }
                    spill.advance(read)?;
                    continue;
                }
            };
            self.consume(taken);
        }
        if self.is_empty() {
            self.rewind();
        }
        Ok(())
    }
}

fn copy(from: &[u8], most: usize, into: &mut Vec<u8>) -> usize {
    let n = from.len().min(most);
    into.extend_from_slice(&from[..n]);
    n
}

/// Appends bytes of `file` from `offset` to `into`: `len` at most, and no more than `room`.
fn read_range(
    file: &File,
    offset: u64,
    len: u64,
    room: usize,
    into: &mut Vec<u8>,
) -> io::Result<usize> {
    let filled = into.len();
    into.resize(filled + usize::try_from(len).unwrap_or(room).min(room), 0);
    let read = file.read_at(&mut into[filled..], offset);
    into.truncate(filled + *read.as_ref().unwrap_or(&0));
    match read? {
        // The file is shorter than promised: the client must see a broken response.
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        n => Ok(n),
    }
}
