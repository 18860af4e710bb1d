//! A connection of a worker that was killed of which nobody but a [keeper](super::keeper) has a descriptor; and how
//! its worker notes where it is, in memory that outlives it.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};

use super::keeper::Wanted;
use super::listener::PeerAddr;
use super::ticket;

/// Where a connection is, and what has to be known of it elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its descriptor; while it is let in, the listener's.
    pub fd: RawFd,
    /// Which of the worker's listeners it has come to.
    pub listener: u16,
    /// Whether a request of it has been answered.
    pub has_been_served: bool,
    /// Whether there is nothing else that would have to be known.
    pub may_move: bool,
}

const MAY_MOVE: u64 = 1 << 63;

impl Place {
    pub(super) fn to_word(self) -> u64 {
        u64::from(self.fd as u32)
            | u64::from(self.listener) << 32
            | u64::from(self.has_been_served) << 62
            | if self.may_move { MAY_MOVE } else { 0 }
    }

    pub(super) fn of(word: u64) -> Self {
        Self {
            fd: word as u32 as RawFd,
            listener: (word >> 32) as u16,
            has_been_served: word >> 62 & 1 != 0,
            may_move: word & MAY_MOVE != 0,
        }
    }
}

/// Such a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stray {
    /// What the keeper is to look for.
    pub wanted: Wanted,
    /// Who it is.
    pub addr: PeerAddr,
    /// Which of the worker's listeners it has come to.
    pub listener: usize,
    /// Whether a request of it has been answered.
    pub has_been_served: bool,
}

impl Stray {
    pub(super) fn new(wanted: Wanted, addr: PeerAddr, place: Place) -> Self {
        let Place { listener, has_been_served, .. } = place;
        Self { wanted, addr, listener: listener.into(), has_been_served }
    }
}

/// Words in memory of a connection: bytes of its peer's address, 0, 4 or 16, and above them the port; the address;
/// its place.
pub(super) const STRAY_WORDS: usize = 4;
const ADDR: usize = 1;
pub(super) const PLACE: usize = 3;

/// Notes a connection there.
#[inline]
pub(super) fn write(words: &[AtomicU64; STRAY_WORDS], peer: &PeerAddr, place: Place) {
    let (length, port) = match peer {
        PeerAddr::Unix => (0, 0),
        PeerAddr::Ip(addr) => {
            let length = match addr.ip() {
                IpAddr::V4(ip) => ticket::write(&words[ADDR..PLACE], &ip.octets()),
                IpAddr::V6(ip) => ticket::write(&words[ADDR..PLACE], &ip.octets()),
            };
            (length, addr.port())
        }
    };
    words[0].store(length | u64::from(port) << 8, Ordering::Relaxed);
    words[PLACE].store(place.to_word(), Ordering::Relaxed);
}

/// From here on what is noted there may not move.
#[inline]
pub(super) fn pin(words: &[AtomicU64; STRAY_WORDS]) {
    let place = words[PLACE].load(Ordering::Relaxed);
    words[PLACE].store(place & !MAY_MOVE, Ordering::Release);
}

/// What was noted there: who it is, and where.
pub(super) fn read(words: &[AtomicU64; STRAY_WORDS]) -> (PeerAddr, Place) {
    let first = words[0].load(Ordering::Relaxed);
    let octets = ticket::read(&words[ADDR..PLACE], 16);
    let ip = match first & 0xff {
        4 => octets.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        16 => octets.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
        _ => None,
    };
    let addr =
        ip.map_or(PeerAddr::Unix, |ip| PeerAddr::Ip(SocketAddr::new(ip, (first >> 8) as u16)));
    (addr, Place::of(words[PLACE].load(Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        let words = Default::default();
        let ips = ["10.0.0.1:4711", "[::1]:65535", "[1:2:3:4:5:6:7:8]:1"];
        let ips = ips.map(|text| PeerAddr::Ip(text.parse().unwrap()));
        for addr in ips.into_iter().chain([PeerAddr::Unix]) {
            for bit in [true, false] {
                let place = Place { fd: 65_537, listener: 9, has_been_served: bit, may_move: !bit };
                write(&words, &addr, place);
                assert_eq!(read(&words), (addr, place));
            }
        }
    }
}
