//! Shared memory in which workers say how they are and the master reads it.
//!
//! Mapped before the first fork and never unmapped, so a [`Slot`] is valid as long as the
//! process. All slots are reserved up front: untouched pages cost nothing, and SIGTTIN never runs
//! out. Each slot has one writer (its worker; before the fork the master) and any number of
//! readers; every field is one relaxed atomic, so a reader may see fields of different moments, but
//! not of different workers (`turn.rs`).
//!
//! # Layout, version 10
//! Places of 2048 bytes (whole cache lines, so that neighbours do not share one). The first is the
//! header (`header.rs`), the others are slots (`slot.rs`): what is of one worker, then what all workers of the slot
//! have counted (`tally.rs`). Everything is a native-endian u64. Whoever changes a field raises
//! the version: `rgunicorn top` may be of another release than the server.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::atomic::Ordering;

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};

use super::header::Header;
pub use super::slot::Slot;
use super::slot::{Cells, SLOT_SIZE};
use super::{file, mapping};

/// How many workers the board has room for.
pub const SLOTS: usize = 4096;

const LENGTH: usize = (SLOTS + 1) * SLOT_SIZE;

/// The mapping. Cheap to copy; never unmapped.
#[derive(Clone, Copy, Debug)]
pub struct Scoreboard {
    pub(super) header: &'static Header,
    pub(super) slots: &'static [Cells],
    fd: RawFd,
}

impl Scoreboard {
    /// Maps a new board: anonymous memory, or an unlinked file when a directory is given
    /// (`worker_tmp_dir`).
    ///
    /// # Errors
    /// What memfd_create(2), or making a file in `dir`, or mmap(2) answers.
    pub fn new(dir: Option<&Path>) -> io::Result<Self> {
        let fd = match dir {
            None => file::memory("rgunicorn-scoreboard")?,
            Some(dir) => OwnedFd::from(tempfile::tempfile_in(dir)?),
        };
        let file = File::from(fd);
        file.set_len(LENGTH as u64)?;
        let (header, slots) = map(&file, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)?;
        header.entitle();
        // The descriptor is the board's name for others (`/proc/PID/fd`): it stays open.
        let fd = OwnedFd::from(file);
        let board = Self { header, slots, fd: fd.as_raw_fd() };
        std::mem::forget(fd);
        Ok(board)
    }

    /// The slot with this number, 0…[`SLOTS`]-1.
    pub fn slot(&self, index: usize) -> Option<Slot> {
        self.slots.get(index).map(|cells| Slot { cells, board: *self })
    }

    /// Takes the slot with this number for a worker; siblings look at those up to the highest.
    pub fn claim(&self, index: usize, age: u64) -> Option<Slot> {
        let slot = self.slot(index)?;
        slot.claim(age);
        self.header.taken.fetch_max(index as u64 + 1, Ordering::Relaxed);
        Some(slot)
    }

    /// The free slot with the highest number.
    pub fn last_free(&self) -> Option<usize> {
        (0..SLOTS).rev().find(|index| self.slot(*index).is_some_and(|slot| slot.is_free()))
    }

    /// For a child that the application has forked: what it writes here from now on, nobody else
    /// sees. It may come back from the application and end requests that are its parent's.
    ///
    /// # Errors
    /// mmap(2)'s.
    pub fn secede(&self) -> io::Result<()> {
        let start = NonZeroUsize::new(std::ptr::from_ref(self.header) as usize);
        let length = NonZeroUsize::new(LENGTH).ok_or(io::ErrorKind::InvalidInput)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let own = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED;
        // SAFETY: in place of our own mapping, of the same length and with the same access; zeroed
        // memory is a valid value of everything in it.
        unsafe { mmap_anonymous(start, length, access, own)? };
        Ok(())
    }

    /// The same to work with.
    pub fn as_fd(&self) -> BorrowedFd<'static> {
        // SAFETY: nobody ever closes it; see `new`.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }

    /// The descriptor behind the mapping; open as long as the process.
    pub fn as_raw_fd(&self) -> RawFd {
        self.fd
    }
}

type Places = (&'static Header, &'static [Cells]);

/// The board in `file`, which may be anything, to read.
///
/// # Errors
/// `InvalidData` when it is too short; what mmap(2) answers.
pub(super) fn map_to_read(file: &File) -> io::Result<Places> {
    if file.metadata()?.len() != LENGTH as u64 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no scoreboard of this version"));
    }
    map(file, ProtFlags::PROT_READ)
}

fn map(file: &File, access: ProtFlags) -> io::Result<Places> {
    let length = NonZeroUsize::new(LENGTH).ok_or(io::ErrorKind::InvalidInput)?;
    let start = mapping::shared(length, access, Some(file.as_fd()))?;
    // SAFETY: page-aligned, as long as a place, zeroed or what was written through the same type,
    // never unmapped, and every access in every process goes through atomics.
    let header = unsafe { start.cast::<Header>().as_ref() };
    // SAFETY: the same, for the SLOTS places behind it.
    let slots = unsafe { std::slice::from_raw_parts(start.cast::<Cells>().add(1).as_ptr(), SLOTS) };
    Ok((header, slots))
}

#[cfg(test)]
#[path = "test_scoreboard.rs"]
mod tests;
