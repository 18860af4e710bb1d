//! The flights of a worker as another process finds them: memory with a descriptor that the master
//! keeps open while it knows the worker, and a header that says whose it is.
//!
//! Whoever may look at the master's descriptors (the same user, or root) opens it for reading,
//! `/proc/PID/fd/N`, and reads it as a file: what has never been used stays without memory, and a file
//! that becomes shorter is no SIGBUS. A reader believes nothing, not even that a master made it.
//!
//! # Layout, version 1
//! Records of 512 bytes of native-endian u64: this header, then the places (`ticket.rs`), then what
//! readers leave alone. Whoever changes a field of either raises the version.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::file;
use super::flights::{MOST_PLACES, Phase};
use super::ticket::{CODE_BITS, Place, Sighting};

const MAGIC: u64 = u64::from_be_bytes(*b"rgunflts");
const VERSION: u64 = 1;
const RECORD: usize = size_of::<Place>();
/// Places that are read at once.
const AT_ONCE: usize = 256;

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
}

/// New memory of that many bytes, zeroed.
///
/// # Errors
/// What memfd_create(2) answers: EMFILE, ENOMEM …
pub(super) fn memory(length: usize) -> io::Result<OwnedFd> {
    let file = File::from(file::memory("rgunicorn-flights")?);
    file.set_len(length as u64)?;
    Ok(file.into())
}

/// The flights of a worker of another server, to look at.
#[derive(Debug)]
pub struct Manifest {
    file: File,
    label: Label,
    room: usize,
}

impl Manifest {
    /// By a descriptor of the memory, opened for reading.
    ///
    /// # Errors
    /// `InvalidData`: it is something else, or of another version, which the message names.
    pub fn open(fd: OwnedFd) -> io::Result<Self> {
        let file = File::from(fd);
        let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
        let mut octets = [0; 5 * 8];
        let readable = file.read_exact_at(&mut octets, 0).is_ok();
        let mut words = words(&octets);
        let mut next = || words.next().unwrap_or(0);
        if !readable || next() != MAGIC {
            return Err(invalid("no flights of a worker"));
        }
        let version = next();
        if version != VERSION {
            return Err(invalid(&format!(
                "the flights have layout {version}, and this rgunicorn reads layout {VERSION}"
            )));
        }
        let label = Label { slot: next().checked_sub(1), age: next() };
        let room = usize::try_from(next()).unwrap_or(usize::MAX).min(MOST_PLACES);
        Ok(Self { file, label, room })
    }

    /// Whose flights they say that they are.
    pub fn label(&self) -> Label {
        self.label
    }

    /// The requests that run now.
    ///
    /// # Errors
    /// What pread(2) answers.
    pub fn running(&self) -> io::Result<Vec<Sighting>> {
        let mut found = Vec::new();
        let mut octets = vec![0; AT_ONCE.min(self.room) * RECORD];
        for first in (0..self.room).step_by(AT_ONCE) {
            let some = octets.len().min((self.room - first) * RECORD);
            let got = self.file.read_at(&mut octets[..some], offset(first))?;
            for (n, record) in octets[..got].chunks_exact(RECORD).enumerate() {
                let word = words(record).next().unwrap_or(0);
                if Phase::of(word).is_some() {
                    found.extend(self.sight(first + n, word >> CODE_BITS)?);
                }
            }
            if got < some {
                break;
            }
        }
        Ok(found)
    }

    /// What is noted at a place, if all of that is of the flight with that serial number.
    fn sight(&self, index: usize, serial: u64) -> io::Result<Option<Sighting>> {
        let mut record = [0; RECORD];
        // As `Flight::sight`: its number, then the rest, then its number again.
        fence(Ordering::Acquire);
        if self.file.read_at(&mut record, offset(index))? < RECORD {
            return Ok(None);
        }
        fence(Ordering::Acquire);
        let mut after = [0; 8];
        if self.file.read_at(&mut after, offset(index))? < after.len() {
            return Ok(None);
        }
        let place = Place::copied(words(&record));
        let word = place.word.load(Ordering::Relaxed);
        let is_one = [word, u64::from_ne_bytes(after)].iter().all(|it| it >> CODE_BITS == serial);
        Ok(Phase::of(word).filter(|_| is_one).map(|phase| place.read(phase)))
    }
}

/// Where a place lies.
fn offset(index: usize) -> u64 {
    (index as u64 + 1) * RECORD as u64
}

fn words(octets: &[u8]) -> impl Iterator<Item = u64> {
    octets.chunks_exact(8).map(|chunk| {
        u64::from_ne_bytes(std::array::from_fn(|n| chunk.get(n).copied().unwrap_or(0)))
    })
}

#[cfg(test)]
#[path = "test_manifest.rs"]
mod tests;
