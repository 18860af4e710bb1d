//! How the [intake](super::intake) lies in memory, and what whoever reaps the worker finds there.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::doorstep::{DOORSTEP_WORDS, Doorstep};
use super::keeper::Wanted;
use super::leftover::Leftover;
use super::listener::PeerAddr;
use super::mapping::Mapping;
use super::noted::{NOTED_WORDS, Noted};
use super::records::Name;
use super::stray::{self, STRAY_WORDS, Stray};
use super::ticket;

pub(super) const HEADER_WORDS: usize = 4;
/// Bytes of a head that find room. The rest of a longer one is received elsewhere.
pub const INTAKE_BYTES: usize = 16 * 1024 - size_of::<Header>();

// Where it lies in the header.
/// What it is at, in the lowest byte, and above it the number of the reading.
pub(super) const WORD: usize = 0;
/// One more than the number of the connection's record; 0 for none.
pub(super) const RECORD: usize = 1;
pub(super) const RECORD_SERIAL: usize = 2;
pub(super) const STARTED_NS: usize = 3;

const KIND_BITS: u32 = 8;
const KIND: u64 = 0xff;
pub(super) const NOBODY: u64 = 0;
/// Somebody is taken out of the queue, or has been: the message lies in the [letterbox](super::letterbox).
pub(super) const COLLECTING: u64 = 1;
pub(super) const READING: u64 = 2;
/// Somebody is let in, and who it is lies on the doorstep.
pub(super) const ACCEPTING: u64 = 3;
/// A piece of somebody's request is received in the [landing](super::landing), on its first side, or, one more, on
/// its second.
pub(super) const LANDING: u64 = 4;
const LANDING_TOO: u64 = LANDING + 1;

/// How much lies there, if that is known: this bit, then which of the two inflows is to be added, then how
/// many bytes lay there before.
pub(super) const IS_EXACT: u64 = 1;

/// What lies before the bytes. All-zero means that nobody is read.
#[repr(C, align(64))]
pub(super) struct Header {
    pub(super) words: [AtomicU64; HEADER_WORDS],
    pub(super) who: [AtomicU64; STRAY_WORDS],
    pub(super) doorstep: [AtomicU64; DOORSTEP_WORDS],
    pub(super) extent: AtomicU64,
    pub(super) inflows: [[AtomicU64; NOTED_WORDS]; 2],
    /// One more than the number of its flight's place, 0 for none; and its serial number.
    pub(super) flight: [AtomicU64; 2],
}

/// The memory itself, and whether it is in use here.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) mapping: Mapping,
    pub(super) taken: AtomicBool,
}

impl Memory {
    pub(super) fn new() -> io::Result<Self> {
        let mapping = Mapping::new(size_of::<Header>() + INTAKE_BYTES, None)?;
        Ok(Self { mapping, taken: AtomicBool::new(false) })
    }

    pub(super) fn secede(&self) -> io::Result<()> {
        self.mapping.secede()
    }

    pub(super) fn header(&self) -> &Header {
        // SAFETY: at the beginning, page-aligned, of a mapping that lives as long as we do; only atomics touch it.
        unsafe { self.mapping.start().cast().as_ref() }
    }

    /// What the worker has left there, which has ended; `None`: it was not reading.
    pub(super) fn leftover(&self) -> Option<Leftover> {
        let Header { words, who, doorstep, extent, inflows, flight } = self.header();
        let header = words.each_ref().map(|word| word.load(Ordering::Acquire));
        let (reading, started_ns) = (header[WORD] >> KIND_BITS, header[STARTED_NS]);
        let [flight, serial] = flight.each_ref().map(|word| word.load(Ordering::Relaxed));
        let flight =
            flight.checked_sub(1).and_then(|place| Some((usize::try_from(place).ok()?, serial)));
        let new = Leftover { started_ns, flight, ..Leftover::default() };
        let (addr, place) = stray::read(who);
        match header[WORD] & KIND {
            READING => {}
            COLLECTING | LANDING | LANDING_TOO => {
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
        let extent = extent.load(Ordering::Acquire);
        let is_exact = extent & IS_EXACT != 0;
        let length = match is_exact {
            true => {
                (extent >> 2) as usize
                    + Noted::new(&inflows[(extent >> 1 & 1) as usize]).length(INTAKE_BYTES)
            }
            false => bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1),
        };
        bytes.truncate(length);
        let record = Name::from_words(header[RECORD], header[RECORD_SERIAL]);
        let stray = (place.may_move && (is_exact || record.is_none()))
            .then(|| Stray::new(Wanted::Number(place.fd), addr, place));
        let peer = addr.ip();
        let is_idle = bytes.is_empty() && place.has_been_served;
        Some(Leftover {
            reading,
            is_sure: true,
            record,
            peer,
            bytes,
            is_exact,
            is_idle,
            stray,
            ..new
        })
    }

    fn word(&self) -> u64 {
        self.header().words[WORD].load(Ordering::Acquire)
    }

    /// Whether this is the number of what is read.
    #[inline]
    pub(super) fn is_at(&self, number: u64) -> bool {
        self.header().words[WORD].load(Ordering::Relaxed) >> KIND_BITS == number
    }

    /// What is read under this number may not move from here on.
    #[inline]
    pub(super) fn pin(&self, number: u64) {
        if self.is_at(number) {
            stray::pin(&self.header().who);
        }
    }

    /// The flight of what is read under this number, from here on.
    pub(super) fn note_flight(&self, number: u64, flight: Option<(usize, u64)>) {
        let [place, serial] = &self.header().flight;
        if self.is_at(number) {
            serial.store(flight.map_or(0, |it| it.1), Ordering::Relaxed);
            place.store(flight.map_or(0, |it| it.0 as u64 + 1), Ordering::Release);
        }
    }

    /// On which side of the landing somebody is read, if anybody is.
    pub(super) fn side(&self) -> Option<usize> {
        let kind = self.word() & KIND;
        matches!(kind, LANDING | LANDING_TOO).then(|| (kind - LANDING) as usize)
    }
}

/// The first word: what it is at, as which reading.
pub(super) fn word(reading: u64, kind: u64) -> u64 {
    reading << KIND_BITS | kind
}
