//! Where a worker receives the heads of requests: memory that outlives it. What recv(2) has put there is
//! not lost when the worker is killed inside it, or before anybody knows of the request: the master can
//! tell whose it was, and often pass it on (docs/design/dispatch.md).
//!
//! How much lies there nobody can say who was killed inside the system call. So it is wiped before, and
//! what lies there is what is not zero: a head ends with a line feed. Zeros behind it may have been of the
//! client, too; who needs to know that has no use for it.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{io, slice};

use super::doorstep::{DOORSTEP_WORDS, Doorstep};
use super::handoff::Handoff;
use super::keeper::Wanted;
use super::leftover::Leftover;
use super::letterbox::Letterbox;
use super::listener::PeerAddr;
use super::mapping::Mapping;
use super::records::Name;
use super::stray::{self, Place, STRAY_WORDS, Stray};
use super::ticket;
use super::vault::Vault;

const HEADER_WORDS: usize = 4;
/// Bytes of a head that find room. The rest of a longer one is received elsewhere.
pub const INTAKE_BYTES: usize = 16 * 1024 - size_of::<Header>();

// Where it lies in the header.
/// What it is at, in the lowest byte, and above it the number of the reading.
const WORD: usize = 0;
/// One more than the number of the connection's record; 0 for none.
const RECORD: usize = 1;
const RECORD_SERIAL: usize = 2;
const STARTED_NS: usize = 3;

const KIND_BITS: u32 = 8;
const KIND: u64 = 0xff;
const NOBODY: u64 = 0;
/// Somebody is taken out of the queue, or has been: the message lies in the [letterbox](super::letterbox).
const COLLECTING: u64 = 1;
const READING: u64 = 2;
/// Somebody is let in, and who it is lies on the doorstep.
const ACCEPTING: u64 = 3;

/// What lies before the bytes. All-zero means that nobody is read.
#[repr(C, align(64))]
struct Header {
    words: [AtomicU64; HEADER_WORDS],
    who: [AtomicU64; STRAY_WORDS],
    doorstep: [AtomicU64; DOORSTEP_WORDS],
}

/// The memory itself, and whether it is in use here.
#[derive(Debug)]
pub(super) struct Memory {
    mapping: Mapping,
    taken: AtomicBool,
}

impl Memory {
    pub(super) fn new() -> io::Result<Self> {
        let mapping = Mapping::new(size_of::<Header>() + INTAKE_BYTES, None)?;
        Ok(Self { mapping, taken: AtomicBool::new(false) })
    }

    pub(super) fn secede(&self) -> io::Result<()> {
        self.mapping.secede()
    }

    fn header(&self) -> &Header {
        // SAFETY: at the beginning, page-aligned, of a mapping that lives as long as we do; only atomics touch it.
        unsafe { self.mapping.start().cast().as_ref() }
    }

    /// What the worker has left there, which has ended; `None`: it was not reading.
    pub(super) fn leftover(&self) -> Option<Leftover> {
        let Header { words, who, doorstep } = self.header();
        let header = words.each_ref().map(|word| word.load(Ordering::Acquire));
        let (reading, started_ns) = (header[WORD] >> KIND_BITS, header[STARTED_NS]);
        let new = Leftover { started_ns, ..Leftover::default() };
        let (addr, place) = stray::read(who);
        match header[WORD] & KIND {
            READING => {}
            COLLECTING => {
                let is_pinned = !place.may_move;
                return Some(Leftover { reading, is_pinned, is_letter: true, ..new });
            }
            ACCEPTING => {
                let addr = Doorstep::new(doorstep, false).who()?;
                let wanted = match addr {
                    PeerAddr::Ip(addr) => Wanted::From(addr),
                    PeerAddr::Unix => Wanted::At(place.fd),
                };
                let stray = Some(Stray::new(wanted, addr, place));
                return Some(Leftover { is_sure: true, peer: addr.ip(), stray, ..new });
            }
            _ => return None,
        }
        let content = self.mapping.words().get(size_of::<Header>() / 8..).unwrap_or_default();
        let mut bytes = ticket::read(content, INTAKE_BYTES);
        let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(length);
        let record = Name::from_words(header[RECORD], header[RECORD_SERIAL]);
        let stray = (place.may_move && record.is_none())
            .then(|| Stray::new(Wanted::Number(place.fd), addr, place));
        let peer = addr.ip();
        let is_idle = bytes.is_empty() && place.has_been_served;
        Some(Leftover { reading, is_sure: true, record, peer, bytes, is_idle, stray, ..new })
    }
}

/// The number of a reading, and where it is known: for whoever goes on with its connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadingId {
    /// 0: none.
    pub number: u64,
    vault: Option<&'static Arc<Vault>>,
}

impl ReadingId {
    /// Somebody does something with the connection from here on: nobody else can have it. By whichever thread does. Where another
    /// is read by now, that one may not be had either, at worst.
    #[inline]
    pub fn pin(&self) {
        if let Some(vault) = self.vault {
            let Header { words, who, .. } = vault.intake.header();
            if words[WORD].load(Ordering::Relaxed) >> KIND_BITS == self.number {
                stray::pin(who);
            }
        }
    }
}

/// The one who receives there.
#[derive(Debug)]
pub struct Intake {
    vault: &'static Arc<Vault>,
    reading: u64,
    /// Bytes from the beginning that may not be zero.
    dirty: usize,
    letterbox: Letterbox,
    /// Of the connection that is read, or was the last.
    record: Option<Name>,
}

impl Intake {
    /// That of a vault; `None` when somebody of this process has it. The vault stays until the process ends.
    pub fn of(vault: &Arc<Vault>) -> Option<Self> {
        let taken = vault.intake.taken.swap(true, Ordering::AcqRel);
        (!taken).then(|| {
            let vault: &'static Arc<Vault> = Box::leak(Box::new(vault.clone()));
            Self { vault, reading: 0, dirty: 0, letterbox: Letterbox::of(vault), record: None }
        })
    }

    /// Whether who is accepted at a unix socket is non-blocking until he is [read](Self::begin): a keeper has
    /// nothing else to know him by.
    #[inline]
    pub fn marks(&self) -> bool {
        self.vault.keeper.is_some()
    }

    fn header(&self) -> &[AtomicU64; HEADER_WORDS] {
        &self.vault.intake.header().words
    }

    /// Whether this is what is being read.
    #[inline]
    pub fn is_reading(&self, reading: ReadingId) -> bool {
        let number = reading.number;
        number != 0 && self.header()[WORD].load(Ordering::Relaxed) == word(number, READING)
    }

    /// Takes out of `queue` what a sibling has put there: the message and its descriptors. `None`: nobody has.
    ///
    /// # Errors
    /// [`Handoff::receive`]'s.
    pub fn collect(
        &mut self,
        queue: &Handoff,
        now_ns: u64,
    ) -> io::Result<Option<(&[u8], Vec<OwnedFd>)>> {
        self.end();
        let place = Place { fd: -1, listener: 0, has_been_served: false, may_move: true };
        self.vault.intake.header().who[stray::PLACE].store(place.to_word(), Ordering::Relaxed);
        self.header()[STARTED_NS].store(now_ns, Ordering::Relaxed);
        self.header()[WORD].store(COLLECTING, Ordering::Release);
        self.letterbox.receive(queue)
    }

    /// The message that was collected last goes on as a connection. Returns the number of the reading.
    pub fn keep_letter(&mut self) -> ReadingId {
        self.reading += 1;
        self.header()[WORD].store(word(self.reading, COLLECTING), Ordering::Release);
        ReadingId { number: self.reading, vault: Some(self.vault) }
    }

    /// Whether this is what is being read, or lies in the letterbox.
    #[inline]
    pub fn is_at(&self, reading: ReadingId) -> bool {
        let word = self.header()[WORD].load(Ordering::Relaxed);
        reading.number != 0 && word >> KIND_BITS == reading.number
    }

    /// Somebody is about to be accepted, there, at the listener that is in `place`.
    #[inline]
    pub fn accept(&mut self, now_ns: u64, place: Place) -> Doorstep<'_> {
        let Header { words, who, doorstep } = self.vault.intake.header();
        let doorstep = Doorstep::new(doorstep, self.marks());
        doorstep.wipe();
        words[STARTED_NS].store(now_ns, Ordering::Relaxed);
        who[stray::PLACE].store(place.to_word(), Ordering::Relaxed);
        words[WORD].store(ACCEPTING, Ordering::Release);
        doorstep
    }

    /// From here on a connection is read, of which `before` has come already. Returns the number of the
    /// reading. Who was read before and has gone no further is lost by a kill from here on.
    pub fn begin(
        &mut self,
        record: Option<Name>,
        peer: &PeerAddr,
        place: Place,
        now_ns: u64,
        before: &[u8],
    ) -> ReadingId {
        if let Some(last) = self.record.take() {
            self.vault.end_reading(last);
        }
        self.header()[WORD].store(NOBODY, Ordering::Release);
        let dirty = std::mem::replace(&mut self.dirty, before.len().min(INTAKE_BYTES));
        let content = self.content();
        if let Some(rest) = content.get_mut(..dirty) {
            rest.fill(0);
        }
        content.iter_mut().zip(before).for_each(|(to, from)| *to = *from);
        self.record = record;
        // Its highest bits are not kept; nobody reads so much.
        self.reading += 1;
        let header = self.header();
        let (index, serial) = record.map_or((0, 0), Name::to_words);
        header[RECORD].store(index, Ordering::Relaxed);
        header[RECORD_SERIAL].store(serial, Ordering::Relaxed);
        header[STARTED_NS].store(now_ns, Ordering::Relaxed);
        stray::write(&self.vault.intake.header().who, peer, place);
        header[WORD].store(word(self.reading, READING), Ordering::Release);
        ReadingId { number: self.reading, vault: Some(self.vault) }
    }

    /// Has `read` receive at most `most` bytes, behind `at` others. It says what came of it, and how many
    /// bytes did. `None`: there is no room there.
    pub fn receive<T>(
        &mut self,
        at: usize,
        most: usize,
        read: impl FnOnce(&mut [u8]) -> (T, usize),
    ) -> Option<T> {
        let end = at.checked_add(most)?.min(INTAKE_BYTES);
        let space = self.content().get_mut(at..end).filter(|space| !space.is_empty())?;
        let (came, n) = read(space);
        self.dirty = self.dirty.max(end.min(at + n));
        Some(came)
    }

    /// Nobody is read any more, or let in.
    #[inline]
    pub fn end(&mut self) {
        self.header()[WORD].store(NOBODY, Ordering::Release);
    }

    fn content(&mut self) -> &mut [u8] {
        let start = self.vault.intake.mapping.start();
        // SAFETY: mapped as long as the vault lives, which we keep, zeroed at first; the header before it
        // is not part of it. Nobody else of this process has it, for `taken` makes us the only one and we
        // are borrowed mutably; `leftover` is asked by another process, when ours has ended.
        unsafe {
            let first = start.cast::<Header>().add(1).cast::<u8>();
            slice::from_raw_parts_mut(first.as_ptr(), INTAKE_BYTES)
        }
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        let dirty = self.dirty;
        self.content()[..dirty].fill(0);
        self.vault.intake.taken.store(false, Ordering::Release);
    }
}

fn word(reading: u64, kind: u64) -> u64 {
    reading << KIND_BITS | kind
}

#[cfg(test)]
#[path = "test_intake.rs"]
mod tests;
