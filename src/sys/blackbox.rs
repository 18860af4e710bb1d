//! Where stacks are written without Python's help: memory with a descriptor, which faulthandler's
//! C handler for one signal writes to.
//!
//! The handler reads the frames of all threads without the GIL, so those must not run meanwhile: it
//! would follow pointers to memory that has been freed. It runs in a [`stand_in`], therefore.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::file;
use super::stand_in::{self, Fate};

/// Longest text that is kept of a dump: the youngest frames of each thread come first.
const TEXT_BYTES: u64 = 64 * 1024;
/// A stand-in may have been made when a thread was half-way into a frame; the next one finds it
/// elsewhere. Of CPython 3.13 up to one in a hundred is of no use, of others fewer.
const ATTEMPTS: usize = 4;
/// It takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// One process's memory for stacks.
#[derive(Debug)]
pub struct BlackBox {
    file: File,
    signal: i32,
}

impl BlackBox {
    /// An empty box for the handler of `signal`, which somebody else installs.
    ///
    /// # Errors
    /// What memfd_create(2) answers.
    pub fn new(signal: i32) -> io::Result<Self> {
        let fd = file::memory("rgunicorn-stacks")?;
        Ok(Self { file: File::from(fd), signal })
    }

    /// What the handler is to write to.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Lets the handler write, in a copy of this process, and returns what it wrote; nothing when
    /// there is no handler.
    ///
    /// # Errors
    /// There can be no copy, see [`stand_in::handle`]; what reading the memory answers.
    pub fn dump(&mut self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        for _ in 0..ATTEMPTS {
            self.file.set_len(0)?;
            self.file.rewind()?;
            let fate = stand_in::handle(self.signal, None, PATIENCE)?;
            self.file.rewind()?;
            text.clear();
            (&self.file).take(TEXT_BYTES).read_to_end(&mut text)?;
            match fate {
                Fate::Done => return Ok(text),
                Fate::Crashed => {}
                Fate::Hung => break,
            }
        }
        text.extend_from_slice(b"\n\nThe rest could not be read\n");
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::sync::atomic::{AtomicI32, Ordering};

    use super::*;

    static FD: AtomicI32 = AtomicI32::new(-1);

    #[test]
    fn what_the_handler_writes_is_there_at_once() {
        let signal = libc::SIGRTMIN() + 9;
        let mut empty = BlackBox::new(signal).unwrap();
        assert_eq!(empty.dump().unwrap(), b"");

        let mut full = BlackBox::new(signal).unwrap();
        FD.store(full.fd().as_raw_fd(), Ordering::SeqCst);
        // SAFETY: the handler makes one write(2), which is async-signal-safe.
        unsafe {
            signal_hook::low_level::register(signal, || {
                libc::write(FD.load(Ordering::SeqCst), b"stack".as_ptr().cast(), 5);
            })
        }
        .unwrap();
        assert_eq!(full.dump().unwrap(), b"stack");
        assert_eq!(full.dump().unwrap(), b"stack");
    }
}
