//! What is noted of one running request, and how it lies in shared memory; see
//! [`super::flights`].

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::flights::{Mark, Phase};

/// Bytes kept of a path; the rest is cut off.
pub const PATH_BYTES: usize = 35 * 8;
/// Bytes kept of a request id.
pub const ID_BYTES: usize = 12 * 8;
/// Bytes kept of a method.
pub const METHOD_BYTES: usize = 3 * 8;
/// Bytes kept of a peer's name.
pub const PEER_BYTES: usize = 6 * 8;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer<'a> {
    /// Somebody on a unix socket.
    Nobody,
    /// An address.
    Ip(IpAddr),
    /// What a proxy, or a worker class of somebody else, calls it.
    Named(&'a [u8]),
}

/// What is noted of a request when it begins. All but the times is from the client.
#[derive(Clone, Copy, Debug)]
pub struct Ticket<'a> {
    /// Method.
    pub method: &'a [u8],
    /// Path, still percent-encoded, without its query.
    pub path: &'a [u8],
    /// Value of `X-Request-ID`; empty for none.
    pub id: &'a [u8],
    /// Who asks.
    pub peer: Peer<'a>,
    /// HTTP version.
    pub version: (u8, u8),
    /// CLOCK_MONOTONIC, nanoseconds.
    pub started_ns: u64,
    /// The thread that runs it: pthread_self(3) and gettid(2).
    pub thread: (u64, u32),
    /// The number under which its head was received ([`super::intake`]); 0 for none.
    pub reading: u64,
}

/// A request as the memory shows it: texts are what some client has sent, or garbage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Where it stands.
    pub phase: Phase,
    /// Method.
    pub method: Vec<u8>,
    /// Path without query, at most [`PATH_BYTES`].
    pub path: Vec<u8>,
    /// The path was longer.
    pub path_cut: bool,
    /// Request id; empty for none.
    pub id: Vec<u8>,
    /// The peer's address or name; empty for a unix peer.
    pub peer: Vec<u8>,
    /// HTTP version.
    pub version: (u8, u8),
    /// CLOCK_MONOTONIC, nanoseconds.
    pub started_ns: u64,
    /// CLOCK_MONOTONIC, nanoseconds; 0 for none.
    pub deadline_ns: u64,
    /// pthread_self(3) and gettid(2) of its thread.
    pub thread: (u64, u32),
    marks: u64,
}

impl Sighting {
    /// Whether the request has this mark.
    pub fn has(&self, mark: Mark) -> bool {
        self.marks & mark as u64 != 0
    }
}

/// The phase is in the lowest byte of a word.
pub(super) const CODE_BITS: u32 = 8;
pub(super) const CODE: u64 = 0xff;
pub(super) const FREE: u64 = 0;
/// Somebody is writing the ticket.
pub(super) const BOARDING: u64 = 1;

const UNNAMED: u64 = 0;
const NAMED: u64 = 1;
const V4: u64 = 4;
const V6: u64 = 6;

/// All-zero is a valid value and means a free place: that is what a fresh mapping holds.
#[derive(Debug)]
#[repr(C, align(512))]
pub(super) struct Place {
    pub(super) word: AtomicU64,
    pub(super) started_ns: AtomicU64,
    pub(super) deadline_ns: AtomicU64,
    pub(super) marks: AtomicU64,
    thread: AtomicU64,
    pub(super) tid: AtomicU64,
    /// Lengths of method, path, id and peer, kind of the peer, version: see [`Place::board`].
    pub(super) sizes: AtomicU64,
    pub(super) reading: AtomicU64,
    method: [AtomicU64; METHOD_BYTES / 8],
    path: [AtomicU64; PATH_BYTES / 8],
    id: [AtomicU64; ID_BYTES / 8],
    peer: [AtomicU64; PEER_BYTES / 8],
}

const _: () = assert!(size_of::<Place>() == 512);

impl Place {
    /// A place with these words, as they lie in memory; what is missing is 0.
    pub(super) fn copied(mut words: impl Iterator<Item = u64>) -> Self {
        let mut next = || AtomicU64::new(words.next().unwrap_or(0));
        Self {
            word: next(),
            started_ns: next(),
            deadline_ns: next(),
            marks: next(),
            thread: next(),
            tid: next(),
            sizes: next(),
            reading: next(),
            method: std::array::from_fn(|_| next()),
            path: std::array::from_fn(|_| next()),
            id: std::array::from_fn(|_| next()),
            peer: std::array::from_fn(|_| next()),
        }
    }

    /// Takes the place if it is free. Returns the flight's serial number.
    pub(super) fn board(&self, ticket: &Ticket<'_>) -> Option<u64> {
        let before = self.word.load(Ordering::Relaxed);
        let serial = (before >> CODE_BITS).wrapping_add(1) & u64::MAX >> CODE_BITS;
        if before & CODE != FREE {
            return None;
        }
        let boarding = serial << CODE_BITS | BOARDING;
        let taken =
            self.word.compare_exchange(before, boarding, Ordering::Acquire, Ordering::Relaxed);
        taken.ok()?;
        self.fill(serial, ticket);
        Some(serial)
    }

    /// The same where nobody else boards it: without an exchange.
    #[inline]
    pub(super) fn board_alone(&self, ticket: &Ticket<'_>) -> Option<u64> {
        let before = self.word.load(Ordering::Relaxed);
        if before & CODE != FREE {
            return None;
        }
        let serial = (before >> CODE_BITS).wrapping_add(1) & u64::MAX >> CODE_BITS;
        self.word.store(serial << CODE_BITS | BOARDING, Ordering::Relaxed);
        self.fill(serial, ticket);
        Some(serial)
    }

    /// Writes the ticket, and that it is there. By who has boarded.
    #[inline]
    fn fill(&self, serial: u64, ticket: &Ticket<'_>) {
        // A reader that sees any of what follows sees the new serial number, too.
        fence(Ordering::Release);
        self.started_ns.store(ticket.started_ns, Ordering::Relaxed);
        self.deadline_ns.store(0, Ordering::Relaxed);
        self.marks.store(0, Ordering::Relaxed);
        self.thread.store(ticket.thread.0, Ordering::Relaxed);
        self.tid.store(ticket.thread.1.into(), Ordering::Relaxed);
        self.reading.store(ticket.reading, Ordering::Relaxed);
        let (kind, peer) = match ticket.peer {
            Peer::Nobody => (UNNAMED, 0),
            Peer::Named(name) => (NAMED, write(&self.peer, name)),
            Peer::Ip(IpAddr::V4(addr)) => (V4, write(&self.peer, &addr.octets())),
            Peer::Ip(IpAddr::V6(addr)) => (V6, write(&self.peer, &addr.octets())),
        };
        let (method, path) = (write(&self.method, ticket.method), write(&self.path, ticket.path));
        let (major, minor) = ticket.version;
        let sizes = method
            | peer << 8
            | write(&self.id, ticket.id) << 16
            | kind << 24
            | path << 32
            | u64::from(major) << 48
            | u64::from(minor & 0x7f) << 56
            | u64::from(ticket.path.len() > PATH_BYTES) << 63;
        self.sizes.store(sizes, Ordering::Relaxed);
        self.word.store(serial << CODE_BITS | Phase::Waiting as u64, Ordering::Release);
    }

    pub(super) fn read(&self, phase: Phase) -> Sighting {
        let sizes = self.sizes.load(Ordering::Relaxed);
        let size = |shift: u32| (sizes >> shift & 0xff) as usize;
        let peer = read(&self.peer, size(8));
        Sighting {
            phase,
            method: read(&self.method, size(0)),
            path: read(&self.path, (sizes >> 32 & 0xffff) as usize),
            path_cut: sizes >> 63 != 0,
            id: read(&self.id, size(16)),
            peer: match (
                sizes >> 24 & 0xff,
                <[u8; 4]>::try_from(&peer[..]),
                <[u8; 16]>::try_from(&peer[..]),
            ) {
                (NAMED, ..) => peer,
                (V4, Ok(octets), _) => IpAddr::from(octets).to_string().into_bytes(),
                (V6, _, Ok(octets)) => IpAddr::from(octets).to_string().into_bytes(),
                _ => Vec::new(),
            },
            version: (size(48) as u8, (sizes >> 56 & 0x7f) as u8),
            started_ns: self.started_ns.load(Ordering::Relaxed),
            deadline_ns: self.deadline_ns.load(Ordering::Relaxed),
            thread: (self.thread.load(Ordering::Relaxed), self.tid.load(Ordering::Relaxed) as u32),
            marks: self.marks.load(Ordering::Relaxed),
        }
    }
}

/// Writes as much of `bytes` as there is room for. Returns how much that was.
#[inline]
pub(super) fn write(words: &[AtomicU64], bytes: &[u8]) -> u64 {
    let bytes = bytes.get(..words.len() * 8).unwrap_or(bytes);
    let (mut words, mut chunks) = (words.iter(), bytes.chunks_exact(8));
    for (chunk, word) in chunks.by_ref().zip(words.by_ref()) {
        if let Some(octets) = chunk.first_chunk() {
            word.store(u64::from_ne_bytes(*octets), Ordering::Relaxed);
        }
    }
    if let Some(word) = words.next().filter(|_| !chunks.remainder().is_empty()) {
        word.store(short_word(chunks.remainder()), Ordering::Relaxed);
    }
    bytes.len() as u64
}

/// Up to seven bytes as they lie in a word, followed by zeros. For a length that is not known before,
/// copying them would be a call.
#[inline]
fn short_word(bytes: &[u8]) -> u64 {
    let shifted = |byte: u64, at: usize| byte << (8 * at);
    let word = match (bytes, bytes.first_chunk(), bytes.last_chunk()) {
        // They may overlap.
        (_, Some(first), Some(last)) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            u64::from(first) | shifted(last.into(), bytes.len() - 4)
        }
        ([first, .., last], ..) => {
            let middle = bytes.get(bytes.len() / 2).copied().unwrap_or(0);
            let middle = shifted(middle.into(), bytes.len() / 2);
            u64::from(*first) | middle | shifted((*last).into(), bytes.len() - 1)
        }
        ([only], ..) => (*only).into(),
        ([], ..) => 0,
    };
    word.to_le()
}

pub(super) fn read(words: &[AtomicU64], length: usize) -> Vec<u8> {
    let octets = words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes());
    octets.take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_any_length_are_read_as_they_were_written() {
        let text: Vec<u8> = (1..=40).collect();
        for length in 0..=text.len() {
            let words = [const { AtomicU64::new(u64::MAX) }; 4];
            let kept = length.min(32);
            assert_eq!(write(&words, &text[..length]), kept as u64);
            assert_eq!(read(&words, kept), text[..kept]);
            // The rest of the last word is zeros, the words behind are as they were.
            let whole = read(&words, 32);
            let end = kept.div_ceil(8) * 8;
            assert!(whole[kept..end].iter().all(|octet| *octet == 0), "{length}");
            assert!(whole[end..].iter().all(|octet| *octet == 0xff), "{length}");
        }
    }
}
