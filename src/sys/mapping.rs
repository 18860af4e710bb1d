//! Memory that a process shares with those it forks later: mapped once, zeroed, and read and written
//! through atomics only.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

const ACCESS: ProtFlags = ProtFlags::PROT_READ.union(ProtFlags::PROT_WRITE);

/// A mapping of whole words. Unmapped when dropped, in each process for itself.
#[derive(Debug)]
pub(super) struct Mapping {
    words: &'static [AtomicU64],
    length: NonZeroUsize,
}

impl Mapping {
    /// Maps `length` bytes, shared with all processes that are forked later; of the file `fd`, which has
    /// that length, if there is one. Pages that are never used cost nothing.
    ///
    /// # Errors
    /// What mmap(2) answers.
    pub(super) fn new(length: usize, fd: Option<BorrowedFd<'_>>) -> io::Result<Self> {
        let length = NonZeroUsize::new(length).ok_or(io::ErrorKind::InvalidInput)?;
        let start = match fd {
            // SAFETY: a file of this length, at an address the kernel chooses.
            Some(fd) => unsafe { mmap(None, length, ACCESS, MapFlags::MAP_SHARED, fd, 0)? },
            // SAFETY: fresh anonymous memory at an address the kernel chooses.
            None => unsafe { mmap_anonymous(None, length, ACCESS, MapFlags::MAP_SHARED)? },
        };
        // SAFETY: page-aligned, zeroed, mapped until our drop, which nothing handed out outlives; every
        // access in every process goes through atomics.
        let words = unsafe {
            std::slice::from_raw_parts(start.cast::<AtomicU64>().as_ptr(), length.get() / 8)
        };
        Ok(Self { words, length })
    }

    /// Where it begins, for those who know what lies where.
    pub(super) fn start(&self) -> NonNull<AtomicU64> {
        NonNull::from(self.words).cast()
    }

    /// All of it.
    pub(super) fn words(&self) -> &[AtomicU64] {
        self.words
    }

    /// For a child that the application has forked: what it does from here on, nobody else sees.
    ///
    /// # Errors
    /// ENOMEM.
    pub(super) fn secede(&self) -> io::Result<()> {
        let start = NonZeroUsize::new(self.words.as_ptr() as usize);
        let own = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED;
        // SAFETY: in place of our own mapping, of the same length and with the same access; zeroed
        // memory is a valid value of everything in it.
        unsafe { mmap_anonymous(start, self.length, ACCESS, own)? };
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let start = NonNull::from(self.words).cast();
        // SAFETY: our own mapping, with the length it was made with; the references to it borrow from us.
        let unmapped = unsafe { munmap(start, self.length.get()) };
        debug_assert!(unmapped.is_ok());
    }
}
