//! The records of a vault: what each says of a deposited connection, and how they lie in memory.

use std::sync::atomic::{AtomicU64, Ordering};

use super::ticket::{read, write};
use super::vault::Vault;

/// Most records of one vault.
pub const MOST_RECORDS: usize = 256;
/// Bytes for which a record has room.
pub const RECORD_BYTES: usize = RECORD_WORDS * 8 - HEADER_WORDS * 8;
pub(super) const RECORD_WORDS: usize = 2048;
const HEADER_WORDS: usize = 8;
const CONTENT_WORDS: usize = RECORD_WORDS - HEADER_WORDS;

// The headers of all records lie side by side, and their contents behind them: a header is written several
// times for each request, and sixteen KiB apart they would all want the same few places of the CPU's caches.

// Where it lies in a record's header.
const WORD: usize = 0;
pub(super) const LENGTH: usize = 1;
/// One more than the number of the flight's place; 0 for none.
const FLIGHT_PLACE: usize = 2;
const FLIGHT_SERIAL: usize = 3;
/// Bytes written to the connection when its response is out.
const OUTFLOW: usize = 4;

/// The state is in the lowest byte of a record's word, the serial number above it.
const STATE_BITS: u32 = 8;
const STATE: u64 = 0xff;
const FREE: u64 = 0;
const AWAY: u64 = 1;
const HELD: u64 = 2;
const HELD_AS_WRITTEN: u64 = 3;
const READ: u64 = 4;
const READ_AS_WRITTEN: u64 = 5;
const SENT: u64 = 6;

/// Before the bytes of a message: number of the record, serial number.
pub(super) const START_BYTES: usize = 16;

/// Which record, and which of those who have had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    index: usize,
    serial: u64,
}

impl Name {
    /// As a message begins.
    pub(super) fn to_bytes(self) -> [u8; START_BYTES] {
        let mut start = [0; START_BYTES];
        start[..8].copy_from_slice(&(self.index as u64).to_ne_bytes());
        start[8..].copy_from_slice(&self.serial.to_ne_bytes());
        start
    }

    /// The one that `message` begins with, which may be anything.
    pub(super) fn of(message: &[u8]) -> Option<Self> {
        let (index, rest) = message.split_first_chunk()?;
        let index = usize::try_from(u64::from_ne_bytes(*index)).ok()?;
        Some(Self { index, serial: u64::from_ne_bytes(*rest.first_chunk()?) })
    }

    /// As two words that are not both zero.
    pub(super) fn to_words(self) -> (u64, u64) {
        (self.index as u64 + 1, self.serial)
    }

    pub(super) fn from_words(index: u64, serial: u64) -> Option<Self> {
        Some(Self { index: usize::try_from(index.checked_sub(1)?).ok()?, serial })
    }
}

/// Where a deposited connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is in somebody's hands: lost when the worker is killed.
    Away,
    /// Nobody does anything with it: it can be had as its message has it.
    Held,
    /// The same, as its record has it.
    HeldAsWritten,
    /// Its request is being received ([`super::intake`]): it can be had as its message has it, with what
    /// lies there.
    Read,
    /// The same, as its record has it.
    ReadAsWritten,
    /// The last of its response is being sent, or has been: when so many bytes were ever written to it, it can
    /// be had as its message has it.
    Sent(u64),
}

impl Vault {
    /// Where it stands; `None`: it is not in the vault any more.
    pub fn state(&self, name: Name) -> Option<State> {
        let header = self.header(name.index)?;
        let word = header[WORD].load(Ordering::Acquire);
        match (word >> STATE_BITS == name.serial, word & STATE) {
            (true, AWAY) => Some(State::Away),
            (true, HELD) => Some(State::Held),
            (true, HELD_AS_WRITTEN) => Some(State::HeldAsWritten),
            (true, READ) => Some(State::Read),
            (true, READ_AS_WRITTEN) => Some(State::ReadAsWritten),
            (true, SENT) => Some(State::Sent(header[OUTFLOW].load(Ordering::Relaxed))),
            _ => None,
        }
    }

    /// It is in somebody's hands now. False: it is not in the vault any more.
    #[inline]
    pub fn lift(&self, name: Name) -> bool {
        self.set(name, AWAY)
    }

    /// Nobody does anything with it from here on: it can be had as its message has it, or `as_written`.
    /// `flight` is that of its request, which does not end with the worker if the connection is
    /// rescued. False: it is not in the vault any more.
    #[inline]
    pub fn hold(&self, name: Name, as_written: bool, flight: Option<(usize, u64)>) -> bool {
        let Some(header) = self.known(name) else { return false };
        write_flight(header, flight);
        let state = if as_written { HELD_AS_WRITTEN } else { HELD };
        header[WORD].store(name.serial << STATE_BITS | state, Ordering::Release);
        true
    }

    /// Its request is being received, and nothing had come of it that its message has not, or its record
    /// (`as_written`). False: it is not in the vault any more.
    #[inline]
    pub fn begin_reading(&self, name: Name, as_written: bool) -> bool {
        let Some(header) = self.known(name) else { return false };
        let state = if as_written { READ_AS_WRITTEN } else { READ };
        header[FLIGHT_PLACE].store(0, Ordering::Relaxed);
        header[WORD].store(name.serial << STATE_BITS | state, Ordering::Release);
        true
    }

    /// The last of its response is about to be sent, which is out when `outflow` bytes were ever written to the
    /// connection. False: it is not in the vault any more.
    #[inline]
    pub fn begin_sending(&self, name: Name, outflow: u64) -> bool {
        let Some(header) = self.known(name) else { return false };
        header[OUTFLOW].store(outflow, Ordering::Relaxed);
        header[WORD].store(name.serial << STATE_BITS | SENT, Ordering::Release);
        true
    }

    /// What has come of it lies there no more: it is away, if nobody has done anything with it since. An
    /// exchange, for its connection may be in another thread's hands.
    #[inline]
    pub(super) fn end_reading(&self, name: Name) {
        let Some([word, ..]) = self.header(name.index) else { return };
        let [away, states @ ..] =
            [AWAY, READ, READ_AS_WRITTEN].map(|it| name.serial << STATE_BITS | it);
        let now = word.load(Ordering::Relaxed);
        if states.contains(&now) {
            // It did not wait for us: so much the better.
            let _ = word.compare_exchange(now, away, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Writes what a sibling would need, in place of the message; while it is away. False: there is no
    /// room for that.
    pub fn write(&self, name: Name, bytes: &[u8]) -> bool {
        if bytes.len() > RECORD_BYTES || self.state(name) != Some(State::Away) {
            return false;
        }
        let Some((header, content)) = self.parts(name) else { return false };
        write(content, bytes);
        header[LENGTH].store(bytes.len() as u64, Ordering::Relaxed);
        true
    }

    /// The flight of its request, from here on. False: it is not in the vault any more.
    #[inline]
    pub fn note_flight(&self, name: Name, flight: Option<(usize, u64)>) -> bool {
        let Some(header) = self.known(name) else { return false };
        write_flight(header, flight);
        true
    }

    /// The record has nobody from here on. False: it had somebody else, or nobody.
    pub(super) fn free(&self, name: Name) -> bool {
        self.set(name, FREE)
    }

    /// No record has anybody from here on.
    pub(super) fn free_all(&self) {
        for index in 0..self.room() {
            if let Some([word, ..]) = self.header(index) {
                word.fetch_and(!STATE, Ordering::AcqRel);
            }
        }
    }

    /// A record for a connection, which is away.
    pub(super) fn reserve(&self) -> Option<Name> {
        (0..self.room()).find_map(|index| {
            let [word, ..] = self.header(index)?;
            let before = word.load(Ordering::Acquire);
            if before & STATE != FREE {
                return None;
            }
            let serial = (before >> STATE_BITS).wrapping_add(1) & u64::MAX >> STATE_BITS;
            word.store(serial << STATE_BITS | AWAY, Ordering::Release);
            Some(Name { index, serial })
        })
    }

    /// A load and a store, and no exchange: a record is written by whoever has its connection, or, when
    /// the worker has ended, by whoever reaps it. [`Vault::give_up`] alone may be beside that, and what it
    /// overlooks then is a record whose message is gone, which nobody rescues.
    #[inline]
    fn set(&self, name: Name, state: u64) -> bool {
        let Some(header) = self.known(name) else { return false };
        header[WORD].store(name.serial << STATE_BITS | state, Ordering::Release);
        true
    }

    #[inline]
    fn header(&self, index: usize) -> Option<&[AtomicU64; HEADER_WORDS]> {
        let start = Some(index).filter(|index| *index < self.room())? * HEADER_WORDS;
        self.memory.words().get(start..)?.first_chunk()
    }

    /// The header of a record that is still that of `name`.
    #[inline]
    fn known(&self, name: Name) -> Option<&[AtomicU64; HEADER_WORDS]> {
        self.header(name.index).filter(|it| is_known(it[WORD].load(Ordering::Relaxed), name))
    }

    /// Its header and its content.
    pub(super) fn parts(&self, name: Name) -> Option<(&[AtomicU64; HEADER_WORDS], &[AtomicU64])> {
        let header = self.header(name.index)?;
        let contents = self.memory.words().get(self.room() * HEADER_WORDS..)?;
        Some((header, contents.chunks_exact(CONTENT_WORDS).nth(name.index)?))
    }

    /// What was written there.
    pub(super) fn written(&self, name: Name) -> Vec<u8> {
        let Some((header, content)) = self.parts(name) else { return Vec::new() };
        let length = usize::try_from(header[LENGTH].load(Ordering::Relaxed)).unwrap_or(0);
        read(content, length)
    }

    /// The flight that was noted there.
    pub(super) fn flight(&self, name: Name) -> Option<(usize, u64)> {
        let (header, _) = self.parts(name)?;
        let place = header[FLIGHT_PLACE].load(Ordering::Relaxed).checked_sub(1)?;
        Some((usize::try_from(place).ok()?, header[FLIGHT_SERIAL].load(Ordering::Relaxed)))
    }
}

#[inline]
fn write_flight(header: &[AtomicU64; HEADER_WORDS], flight: Option<(usize, u64)>) {
    let (place, serial) = flight.map_or((0, 0), |(place, serial)| (place as u64 + 1, serial));
    header[FLIGHT_SERIAL].store(serial, Ordering::Relaxed);
    header[FLIGHT_PLACE].store(place, Ordering::Relaxed);
}

/// Whether a record's word is that of `name`.
#[inline]
fn is_known(word: u64, name: Name) -> bool {
    word >> STATE_BITS == name.serial && word & STATE != FREE
}
