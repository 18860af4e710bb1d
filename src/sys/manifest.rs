//! The flights of a worker as another process finds them: memory with a descriptor that the master
//! keeps open while it knows the worker, and a header that says whose it is.
//!
//! Whoever may look at the master's descriptors (the same user, or root) opens it for reading,
//! `/proc/PID/fd/N`. A reader believes nothing, not even that a master made the memory.
//!
//! # Layout, version 1
//! Records of 512 bytes of native-endian u64: this header, then the places (`ticket.rs`), then what
//! readers leave alone. Whoever changes a field of either raises the version.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::flights::{Flight, MOST_PLACES, running};
use super::ticket::Place;

const MAGIC: u64 = u64::from_be_bytes(*b"rgunflts");
const VERSION: u64 = 1;
const RECORD: usize = size_of::<Place>();

/// The worker that flights are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Number of its slot; `None` for a worker without one.
    pub slot: Option<u64>,
    /// Serial number of its fork, as on the scoreboard.
    pub age: u64,
}

/// All-zero is a valid value, and nobody's.
#[derive(Debug)]
#[repr(C, align(512))]
pub(super) struct Header {
    magic: AtomicU64,
    version: AtomicU64,
    /// One more than the number, 0 for none.
    slot: AtomicU64,
    age: AtomicU64,
    room: AtomicU64,
    /// No place from here on was ever taken: to read them would make the kernel give them memory.
    reached: AtomicU64,
    /// Requests that found no room.
    pub(super) overflow: AtomicU64,
    pub(super) stack_signal: AtomicU64,
}

const _: () = assert!(RECORD == size_of::<Header>());

impl Header {
    /// Says whose it is. The magic comes last: without it nobody believes the rest.
    pub(super) fn entitle(&self, label: Label, room: usize) {
        self.version.store(VERSION, Ordering::Relaxed);
        self.slot.store(label.slot.map_or(0, |slot| slot.saturating_add(1)), Ordering::Relaxed);
        self.age.store(label.age, Ordering::Relaxed);
        self.room.store(room as u64, Ordering::Relaxed);
        self.magic.store(MAGIC, Ordering::Release);
    }

    /// The place with this number has been taken.
    #[inline]
    pub(super) fn reach(&self, index: usize) {
        let index = index as u64;
        if self.reached.load(Ordering::Relaxed) <= index {
            self.reached.fetch_max(index + 1, Ordering::Relaxed);
        }
    }
}

/// New memory of that many bytes, zeroed, which nobody can make shorter or longer.
///
/// # Errors
/// What memfd_create(2) answers: EMFILE, ENOMEM …
pub(super) fn memory(length: usize) -> io::Result<OwnedFd> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let file = File::from(memfd_create("rgunicorn-flights", flags)?);
    file.set_len(length as u64)?;
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file.into())
}

/// The flights of a worker of another server, to look at. Unmapped when dropped.
#[derive(Debug)]
pub struct Manifest {
    header: &'static Header,
    places: &'static [Place],
    length: NonZeroUsize,
}

impl Manifest {
    /// By a descriptor of the memory, opened for reading.
    ///
    /// # Errors
    /// `InvalidData`: it is something else, or of another version, which the message names; what
    /// mmap(2) answers.
    pub fn open(fd: OwnedFd) -> io::Result<Self> {
        let file = File::from(fd);
        // What can be cut short would kill its reader by SIGBUS.
        let seals = fcntl(&file, FcntlArg::F_GET_SEALS).map(SealFlag::from_bits_truncate);
        if !seals.is_ok_and(|seals| seals.contains(SealFlag::F_SEAL_SHRINK)) {
            return Err(invalid("no flights of a worker"));
        }
        let mut start = [0; 16];
        let readable = file.read_exact_at(&mut start, 0).is_ok();
        let [magic, version] = [&start[..8], &start[8..]].map(|octets| {
            u64::from_ne_bytes(std::array::from_fn(|n| octets.get(n).copied().unwrap_or(0)))
        });
        if !readable || magic != MAGIC {
            return Err(invalid("no flights of a worker"));
        }
        if version != VERSION {
            return Err(invalid(&format!(
                "the flights have layout {version}, and this rgunicorn reads layout {VERSION}"
            )));
        }
        let records = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX) / RECORD;
        let room = records.saturating_sub(1).min(MOST_PLACES);
        let length = NonZeroUsize::new((room + 1) * RECORD).filter(|_| room > 0);
        let length = length.ok_or_else(|| invalid("no flights of a worker"))?;
        let access = ProtFlags::PROT_READ;
        // SAFETY: a fresh mapping that lies within the file, which stays as long as it is.
        let start = unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, file.as_fd(), 0)? };
        // SAFETY: page-aligned, mapped until our drop, any bytes are a valid value, and all access
        // goes through atomics.
        let header = unsafe { start.cast::<Header>().as_ref() };
        // SAFETY: the same, for as many records behind it as were mapped.
        let places =
            unsafe { std::slice::from_raw_parts(start.cast::<Place>().add(1).as_ptr(), room) };
        Ok(Self { header, places, length })
    }

    /// Whose flights they say that they are.
    pub fn label(&self) -> Label {
        let slot = self.header.slot.load(Ordering::Relaxed).checked_sub(1);
        Label { slot, age: self.header.age.load(Ordering::Relaxed) }
    }

    /// The requests that run now. Each may end at any time.
    pub fn running(&self) -> impl Iterator<Item = Flight<'_>> {
        let [reached, room] = [&self.header.reached, &self.header.room]
            .map(|cell| usize::try_from(cell.load(Ordering::Relaxed)).unwrap_or(usize::MAX));
        running(&self.places[..reached.min(room).min(self.places.len())])
    }
}

impl Drop for Manifest {
    fn drop(&mut self) {
        // SAFETY: our own mapping, with the length it was made with; the references to it are
        // private, or borrow from us.
        let unmapped = unsafe { munmap(NonNull::from(self.header).cast(), self.length.get()) };
        debug_assert!(unmapped.is_ok());
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
#[path = "test_manifest.rs"]
mod tests;
