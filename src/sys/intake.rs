//! Where a worker receives the heads of requests: memory that outlives it. What recv(2) has put there is
//! not lost when the worker is killed inside it, or before anybody knows of the request: the master can
//! tell whose it was, and often pass it on (docs/design/dispatch.md).
//!
//! How much lies there nobody can say who was killed inside recv(2). So it is wiped before, and what lies there
//! is what is not zero: a head ends with a line feed. Zeros behind it may have been of the client, too; who
//! needs to know that has no use for it. Where there is a keeper, to whom everything is of use, the kernel is
//! asked to note it ([`super::noted`]).

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{io, slice};

use super::doorstep::Doorstep;
use super::handoff::{Handoff, MESSAGE_BYTES};
pub use super::intake_memory::INTAKE_BYTES;
use super::intake_memory::{
    ACCEPTING, COLLECTING, HEADER_WORDS, Header, IS_EXACT, LANDING, NOBODY, READING, RECORD,
    RECORD_SERIAL, STARTED_NS, WORD, word,
};
use super::landing::LEAST_PIECE;
use super::letterbox::Letterbox;
use super::listener::PeerAddr;
use super::noted::Noted;
use super::reading_id::ReadingId;
use super::records::Name;
use super::socket::{self, Transfer};
use super::stray::{self, Place};
use super::vault::Vault;

/// The one who receives there.
#[derive(Debug)]
pub struct Intake {
    pub(super) vault: &'static Arc<Vault>,
    reading: u64,
    /// Bytes from the beginning that may not be zero.
    dirty: usize,
    letterbox: Letterbox,
    /// There is a landing.
    lands: bool,
    /// Of the connection that is read, or was the last.
    record: Option<Name>,
}

impl Intake {
    /// That of a vault; `None` when somebody of this process has it. The vault stays until the process ends.
    pub fn of(vault: &Arc<Vault>) -> Option<Self> {
        let taken = vault.intake.taken.swap(true, Ordering::AcqRel);
        (!taken).then(|| {
            let vault: &'static Arc<Vault> = Box::leak(Box::new(vault.clone()));
            let (letterbox, lands) = (Letterbox::of(vault), vault.landing.is_some());
            Self { vault, reading: 0, dirty: 0, letterbox, lands, record: None }
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
        self.reading_id()
    }

    fn reading_id(&self) -> ReadingId {
        ReadingId { number: self.reading, has_stray: self.lands, vault: Some(self.vault) }
    }

    /// Whether this is what is being read, or lies in the letterbox.
    #[inline]
    pub fn is_at(&self, reading: ReadingId) -> bool {
        reading.number != 0 && self.vault.intake.is_at(reading.number)
    }

    /// Somebody is about to be accepted, there, at the listener that is in `place`.
    #[inline]
    pub fn accept(&mut self, now_ns: u64, place: Place) -> Doorstep<'_> {
        let Header { words, who, doorstep, .. } = self.vault.intake.header();
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
        self.leave();
        self.header()[WORD].store(NOBODY, Ordering::Release);
        let dirty = std::mem::replace(&mut self.dirty, before.len().min(INTAKE_BYTES));
        let content = self.content();
        if let Some(rest) = content.get_mut(..dirty) {
            rest.fill(0);
        }
        content.iter_mut().zip(before).for_each(|(to, from)| *to = *from);
        self.record = record;
        let header = self.header();
        let (index, serial) = record.map_or((0, 0), Name::to_words);
        header[RECORD].store(index, Ordering::Relaxed);
        header[RECORD_SERIAL].store(serial, Ordering::Relaxed);
        header[STARTED_NS].store(now_ns, Ordering::Relaxed);
        stray::write(&self.vault.intake.header().who, peer, place);
        if self.lands && self.has_room(before.len()) {
            self.measure(before.len());
        } else if self.lands {
            self.vault.intake.header().extent.store(0, Ordering::Relaxed);
        }
        self.enter(READING)
    }

    fn enter(&mut self, kind: u64) -> ReadingId {
        // Its highest bits are not kept; nobody reads so much.
        self.reading += 1;
        let Header { words, flight, .. } = self.vault.intake.header();
        if self.lands {
            flight[0].store(0, Ordering::Relaxed);
        }
        words[WORD].store(word(self.reading, kind), Ordering::Release);
        self.reading_id()
    }

    /// From here on somebody is read on this side of the landing, who can be had.
    pub(super) fn enter_landing(&mut self, side: usize, place: Place) -> ReadingId {
        let who = &self.vault.intake.header().who;
        who[stray::PLACE].store(place.to_word(), Ordering::Relaxed);
        let reading = self.enter(LANDING + side as u64);
        self.leave();
        reading
    }

    /// Whether what follows the beginning of a request is received elsewhere, in the landing.
    #[inline]
    pub fn lands(&self) -> bool {
        self.lands
    }

    /// What has come of whoever was read before lies there no more.
    fn leave(&mut self) {
        if let Some(last) = self.record.take() {
            self.vault.end_reading(last);
        }
    }

    /// Bytes of a request that find room here: all of them in a message, where they may have to go into one.
    fn room(&self) -> usize {
        if self.lands { MESSAGE_BYTES - LEAST_PIECE } else { INTAKE_BYTES }
    }

    /// Whether something can be received here behind `at` bytes.
    #[inline]
    pub fn has_room(&self, at: usize) -> bool {
        at < self.room()
    }

    /// So many bytes lie there; the kernel notes what follows. Returns where.
    fn measure(&self, at: usize) -> Noted<'static> {
        let Header { extent, inflows, .. } = self.vault.intake.header();
        let side = !(extent.load(Ordering::Relaxed) >> 1) & 1;
        let inflow = Noted::new(&inflows[side as usize]);
        inflow.wipe();
        extent.store((at as u64) << 2 | side << 1 | IS_EXACT, Ordering::Release);
        inflow
    }

    /// Receives from `fd`, behind `at` other bytes, what `into` has room for, to which it is copied. Returns what
    /// came, and how much could have. `None`: there is no room here.
    pub fn receive(
        &mut self,
        fd: BorrowedFd<'_>,
        at: usize,
        into: &mut [u8],
    ) -> Option<io::Result<(Transfer, usize)>> {
        let end = at.checked_add(into.len())?.min(self.room());
        if at >= end {
            return None;
        }
        let inflow = self.lands.then(|| self.measure(at));
        let space = self.content().get_mut(at..end)?;
        let got = match inflow {
            Some(inflow) => inflow.receive(fd, space),
            None => socket::receive(fd, space),
        };
        let room = space.len();
        if let Ok(Transfer::Bytes(n)) = got {
            if let (Some(to), Some(from)) = (into.get_mut(..n), space.get(..n)) {
                to.copy_from_slice(from);
            }
            self.dirty = self.dirty.max(end.min(at + n));
        }
        Some(got.map(|got| (got, room)))
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

#[cfg(test)]
#[path = "test_intake.rs"]
mod tests;
