//! Who is in, says nothing, and has no place in the vault: noted in memory that outlives the worker, so that a
//! kill does not end him unseen, and a [keeper](super::keeper) can pass him on.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::leftover::Leftover;
use super::listener::PeerAddr;
use super::mapping::Mapping;
use super::stray::{self, Place, STRAY_WORDS};
use super::vault::Vault;

/// So many find room; the others are nobody's.
pub const SPOTS: usize = 64;

/// One of them. All-zero: nobody.
#[repr(C)]
struct Spot {
    /// CLOCK_MONOTONIC, nanoseconds: since when; 0: nobody.
    since_ns: AtomicU64,
    who: [AtomicU64; STRAY_WORDS],
}

const SPOT_WORDS: usize = size_of::<Spot>() / 8;

/// The memory itself.
#[derive(Debug)]
pub(super) struct Memory(Mapping);

impl Memory {
    pub(super) fn new() -> io::Result<Self> {
        Mapping::new(SPOTS * size_of::<Spot>(), None).map(Self)
    }

    pub(super) fn secede(&self) -> io::Result<()> {
        self.0.secede()
    }

    fn spot(&self, index: usize) -> Option<(&AtomicU64, &[AtomicU64; STRAY_WORDS])> {
        let words = self.0.words().get(index * SPOT_WORDS..)?;
        let (since_ns, who) = words.split_first()?;
        Some((since_ns, who.first_chunk()?))
    }
}

impl Vault {
    /// Somebody is in the lobby, at a spot that is free, since `now_ns`.
    pub fn enter_lobby(&self, spot: usize, peer: &PeerAddr, place: Place, now_ns: u64) {
        if let Some((since_ns, who)) = self.lobby.spot(spot) {
            stray::write(who, peer, place);
            since_ns.store(now_ns.max(1), Ordering::Release);
        }
    }

    /// He is not any more.
    pub fn leave_lobby(&self, spot: usize) {
        if let Some((since_ns, _)) = self.lobby.spot(spot) {
            since_ns.store(0, Ordering::Release);
        }
    }

    /// Who was there when the worker ended; to be asked by whoever reaps it.
    pub fn lobby(&self) -> Vec<Leftover> {
        let spots = (0..SPOTS).filter_map(|spot| self.lobby.spot(spot));
        let found = spots.filter_map(|(since_ns, who)| {
            let since_ns = since_ns.load(Ordering::Acquire);
            let (addr, place) = stray::read(who);
            (since_ns != 0).then(|| Leftover::of_silent(since_ns, addr, place))
        });
        found.collect()
    }
}
