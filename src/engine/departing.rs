//! How what is in an outbox gets to its client: as much as the socket takes, several pieces in one
//! system call.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;

use super::outbox::{Outbox, PIECES_PER_CALL, Piece};
use super::{App, Conn};
use crate::sys::socket::{self, Transfer};

/// Most bytes asked of one sendfile(2), so that one fast reader does not hold the loop.
const FILE_BYTES_PER_CALL: u64 = 1 << 20;
/// Read at once of a file that is not for sendfile(2).
const READ_AT_ONCE: usize = 64 * 1024;
/// Most bytes sent for one connection before the others get their turn.
const BYTES_PER_FLUSH: u64 = 8 << 20;

/// In flight at most to a client on this machine, of a file that is large: see [`Conn::limit_send_buffer`]. The kernel
/// doubles it (socket(7)).
const LOCAL_SEND_BUFFER: usize = 256 * 1024;
/// A file that is.
const LARGE_FILE: u64 = 2 << 20;

impl<A: App> Conn<A> {
    /// `len` bytes of a file are next. Over loopback nothing is gained by the megabytes that the kernel would take of
    /// it at once, for they are never on their way; and with less in flight the same gigabyte costs a third
    /// (benches/load/bare_sendfile.py).
    pub(super) fn limit_send_buffer(&self, len: u64) {
        let matters = len >= LARGE_FILE && self.addr.is_loopback();
        if let Some(fd) = self.socket().filter(|_| matters) {
            // Without it goes as well.
            let _ = socket::limit_send_buffer(fd, LOCAL_SEND_BUFFER);
        }
    }
}

impl<C: AsRef<[u8]>> Outbox<C> {
    /// Sends what the socket takes. Returns how many bytes that was; [`Outbox::is_empty`] tells
    /// whether it was all.
    ///
    /// # Errors
    /// The connection's own error, or that of a file in the queue.
    pub fn flush(&mut self, socket: BorrowedFd<'_>) -> io::Result<u64> {
        let mut total = 0;
        while !self.is_empty() && total < BYTES_PER_FLUSH {
            match self.send_some(socket)? {
                Transfer::Bytes(n) => total += n as u64,
                Transfer::Blocked => break,
            }
        }
        if self.is_empty() {
            self.rewind();
        }
        Ok(total)
    }

    fn send_some(&mut self, socket: BorrowedFd<'_>) -> io::Result<Transfer> {
        if self.queue.is_empty() {
            let sent = socket::transmit(socket, &self.bytes[self.at..])?;
            if let Transfer::Bytes(n) = sent {
                self.at += n;
                self.closed = self.closed.max(self.at);
            }
            return Ok(sent);
        }
        match self.queue.front_mut() {
            Some(Piece::File { file, offset, len, read }) => {
                let sent = match read {
                    true => read_and_send(socket, file, offset, *len)?,
                    false => send_range(socket, &*file, offset, *len)?,
                };
                if let Transfer::Bytes(n) = sent {
                    *len -= (n as u64).min(*len);
                    if *len == 0 {
                        self.queue.pop_front();
                    }
                }
                Ok(sent)
            }
            Some(Piece::Spilled(len)) => {
                let Some(spill) = &mut self.spill else {
                    return Err(io::ErrorKind::NotFound.into());
                };
                let mut offset = i64::try_from(spill.read_at).unwrap_or(i64::MAX);
                let sent = send_range(socket, &spill.file, &mut offset, *len)?;
                if let Transfer::Bytes(n) = sent {
                    *len -= (n as u64).min(*len);
                    if *len == 0 {
                        self.queue.pop_front();
                    }
                    spill.advance(n as u64)?;
                }
                Ok(sent)
            }
            _ => self.send_gathered(socket),
        }
    }

    fn send_gathered(&mut self, socket: BorrowedFd<'_>) -> io::Result<Transfer> {
        let mut slices = [IoSlice::new(&[]); PIECES_PER_CALL];
        let (mut count, mut at, mut only_memory) = (0, self.at, true);
        for piece in &self.queue {
            let slice = match piece {
                Piece::Bytes(len) => {
                    at += len;
                    &self.bytes[at - len..at]
                }
                Piece::Chunk { chunk, at, end } => {
                    chunk.as_ref().get(*at..*end).unwrap_or_default()
                }
                Piece::File { .. } | Piece::Spilled(_) => {
                    only_memory = false;
                    break;
                }
            };
            if count == PIECES_PER_CALL {
                only_memory = false;
                break;
            }
            slices[count] = IoSlice::new(slice);
            count += 1;
        }
        if only_memory && count < PIECES_PER_CALL && self.closed < self.bytes.len() {
            slices[count] = IoSlice::new(&self.bytes[self.closed..]);
            count += 1;
        }
        let more = matches!(self.queue.get(count), Some(Piece::File { read: false, .. }));
        let sent = socket::transmit_all(socket, &slices[..count], more)?;
        if let Transfer::Bytes(n) = sent {
            self.consume(n);
        }
        Ok(sent)
    }

    pub(super) fn consume(&mut self, mut n: usize) {
        while n > 0 {
            match self.queue.front_mut() {
                Some(Piece::Bytes(len)) => {
                    let step = n.min(*len);
                    *len -= step;
                    self.at += step;
                    n -= step;
                    if *len > 0 {
                        return;
                    }
                }
                Some(Piece::Chunk { at, end, .. }) => {
                    let step = n.min(*end - *at);
                    *at += step;
                    self.chunked -= step;
                    n -= step;
                    if at < end {
                        return;
                    }
                }
                Some(Piece::File { .. } | Piece::Spilled(_)) => return,
                None => {
                    self.at += n;
                    self.closed = self.closed.max(self.at);
                    return;
                }
            }
            self.queue.pop_front();
        }
    }
}

fn send_range(
    socket: BorrowedFd<'_>,
    file: impl AsFd,
    offset: &mut i64,
    len: u64,
) -> io::Result<Transfer> {
    let ask = usize::try_from(len.min(FILE_BYTES_PER_CALL)).unwrap_or(usize::MAX);
    match socket::send_file(socket, file, offset, ask)? {
        // The file is shorter than promised: the client must see a broken response.
        Transfer::Bytes(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        sent => Ok(sent),
    }
}

/// The same with a copy in between. What the socket does not take is read again.
fn read_and_send(
    socket: BorrowedFd<'_>,
    file: &File,
    offset: &mut i64,
    len: u64,
) -> io::Result<Transfer> {
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(READ_AT_ONCE).min(READ_AT_ONCE)];
    let n = file.read_at(&mut bytes, u64::try_from(*offset).unwrap_or(0))?;
    if n == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let sent = socket::transmit(socket, bytes.get(..n).unwrap_or_default())?;
    if let Transfer::Bytes(n) = sent {
        *offset += n as i64;
    }
    Ok(sent)
}
