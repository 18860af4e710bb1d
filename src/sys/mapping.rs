//! Memory that a process shares with those it forks later: mapped once, zeroed, and read and written
//! through atomics only.

use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

const ACCESS: ProtFlags = ProtFlags::PROT_READ.union(ProtFlags::PROT_WRITE);

/// Miri interprets one process, and knows no other memory.
const SHARED: MapFlags = if cfg!(miri) { MapFlags::MAP_PRIVATE } else { MapFlags::MAP_SHARED };

/// Maps `length` bytes of the file `fd`, or zeroed ones without a file, for this process and those that
/// it forks later. Nothing unmaps them. For Miri the file does not matter.
///
/// # Errors
/// What mmap(2) answers.
pub(super) fn shared(
    length: NonZeroUsize,
    access: ProtFlags,
    fd: Option<BorrowedFd<'_>>,
) -> io::Result<NonNull<c_void>> {
    let start = match fd.filter(|_| !cfg!(miri)) {
        // SAFETY: a new mapping at an address the kernel chooses; the pointer is all that is given.
        Some(fd) => unsafe { mmap(None, length, access, SHARED, fd, 0)? },
        // SAFETY: the same, of anonymous memory.
        None => unsafe { mmap_anonymous(None, length, access, SHARED)? },
    };
    Ok(start)
}

/// A mapping of whole words. Unmapped when dropped, in each process for itself.
#[derive(Debug)]
pub(super) struct Mapping {
    /// As mmap(2) gave it: a reference to the words has no right to unmap them.
    start: NonNull<AtomicU64>,
    length: NonZeroUsize,
}

// SAFETY: the memory belongs to no thread, and every access to it goes through atomics.
unsafe impl Send for Mapping {}
// SAFETY: the same.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `length` bytes, shared with all processes that are forked later; of the file `fd`, which has
    /// that length, if there is one. Pages that are never used cost nothing.
    ///
    /// # Errors
    /// What mmap(2) answers.
    pub(super) fn new(length: usize, fd: Option<BorrowedFd<'_>>) -> io::Result<Self> {
        let length = NonZeroUsize::new(length).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { start: shared(length, ACCESS, fd)?.cast(), length })
    }

    /// Where it begins, for those who know what lies where.
    pub(super) fn start(&self) -> NonNull<AtomicU64> {
        self.start
    }

    /// All of it.
    pub(super) fn words(&self) -> &[AtomicU64] {
        // SAFETY: page-aligned, zeroed, mapped until our drop, which the reference does not outlive;
        // every access in every process goes through atomics.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length.get() / 8) }
    }

    /// For a child that the application has forked: what it does from here on, nobody else sees.
    ///
    /// # Errors
    /// ENOMEM.
    pub(super) fn secede(&self) -> io::Result<()> {
        let start = NonZeroUsize::new(self.start.as_ptr() as usize);
        let own = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED;
        // SAFETY: in place of our own mapping, of the same length and with the same access; zeroed
        // memory is a valid value of everything in it.
        unsafe { mmap_anonymous(start, self.length, ACCESS, own)? };
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: our own mapping, with the length it was made with; what was handed out borrows from us.
        let unmapped = unsafe { munmap(self.start.cast(), self.length.get()) };
        debug_assert!(unmapped.is_ok());
    }
}
