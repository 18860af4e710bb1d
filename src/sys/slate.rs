//! Lines that are made but not written yet, kept where they outlive the process; part of the memory
//! of [`super::flights`].
//!
//! One thread writes, into a slate of its own; the master reads when the worker has died.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::ticket::{read, write};

/// Bytes of lines for which a slate has room.
pub const SLATE_BYTES: usize = 36 * 1024 - 512;

/// Room for lines of one thread. All-zero is a valid value and means an empty slate.
#[derive(Debug)]
#[repr(C, align(512))]
pub struct Slate {
    /// Bytes of `words` in use; a multiple of 8.
    length: AtomicU64,
    /// Lines that were made, and have been given up since the file takes none.
    lost: AtomicU64,
    words: [AtomicU64; SLATE_BYTES / 8],
}

impl Slate {
    /// Keeps a line; `false`: there is no room. It must not contain NUL, with which it is filled
    /// up to whole words.
    pub fn keep(&self, line: &[u8]) -> bool {
        let start = self.length.load(Ordering::Relaxed) as usize / 8;
        let words = line.len().div_ceil(8);
        let Some(room) = self.words.get(start..).and_then(|free| free.get(..words)) else {
            return false;
        };
        write(room, line);
        self.length.store((start + words) as u64 * 8, Ordering::Release);
        true
    }

    /// The lines have been written elsewhere.
    pub fn wipe(&self) {
        self.length.store(0, Ordering::Relaxed);
        // Before the words of the next line: whoever is killed there has no torn lines to show.
        fence(Ordering::Release);
    }

    /// Says how many lines have been given up, of which nobody knows yet.
    pub fn set_lost(&self, lines: usize) {
        self.lost.store(lines as u64, Ordering::Relaxed);
    }

    /// Lines that have been given up, and that nobody has been told of.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// What is kept; whatever a process that died has made of it.
    pub fn lines(&self) -> Vec<u8> {
        let length = self.length.load(Ordering::Acquire);
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(SLATE_BYTES);
        let mut lines = read(&self.words, length);
        lines.retain(|octet| *octet != 0);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slate() -> Box<Slate> {
        let words = std::array::from_fn(|_| AtomicU64::new(0));
        Box::new(Slate { length: AtomicU64::new(0), lost: AtomicU64::new(0), words })
    }

    #[test]
    fn lines_are_kept_until_they_are_wiped() {
        let slate = slate();
        assert_eq!(slate.lines(), b"");
        assert!(
            slate.keep(b"one\n") && slate.keep(b"exactly\n") && slate.keep(b"the third line\n")
        );
        assert_eq!(slate.lines(), b"one\nexactly\nthe third line\n");
        slate.wipe();
        assert_eq!(slate.lines(), b"");
        assert!(slate.keep(b"\n"));
        assert_eq!(slate.lines(), b"\n");
    }

    #[test]
    fn a_full_slate_says_so_and_garbage_is_bounded() {
        let slate = slate();
        let line = [b'x'; 1000];
        let kept = std::iter::repeat_n((), 100).take_while(|()| slate.keep(&line)).count();
        assert_eq!(kept, SLATE_BYTES / 1000);
        assert_eq!(slate.lines().len(), kept * 1000);
        assert!(!slate.keep(&line) && !slate.keep(&[b'x'; 2 * SLATE_BYTES]));
        slate.length.store(u64::MAX, Ordering::Relaxed);
        assert!(slate.lines().len() <= SLATE_BYTES);
        assert!(!slate.keep(b"x"));
    }
}
