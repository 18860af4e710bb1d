//! Where a worker with a [keeper](super::keeper) receives what follows the beginning of a request: piece by piece,
//! each behind a message to a sibling about all that had come before. Both lie in memory that outlives the worker,
//! so whenever it is killed the connection can go on elsewhere. There are two such places: while one is made
//! ready, the other stands.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::handoff::{MESSAGE_BYTES, MESSAGE_FDS};
use super::intake::Intake;
use super::leftover::EXACT;
use super::letterbox::Letter;
use super::mapping::Mapping;
use super::noted::{NOTED_WORDS, Noted};
use super::reading_id::ReadingId;
use super::socket::Transfer;
use super::stray::Place;
use super::ticket;
use super::vault::Vault;

/// Room for a piece that there has to be. A message that leaves less is to go into a file.
pub const LEAST_PIECE: usize = 1024;

// Where it lies on a side: the length of the message; its descriptors, one more than each number, 0 for none; what
// the kernel has noted; the message, and behind it the piece.
const LENGTH: usize = 0;
const FDS: usize = 1;
const INFLOW: usize = FDS + MESSAGE_FDS;
const CONTENT: usize = (INFLOW + NOTED_WORDS).next_multiple_of(8);
const WORDS: usize = CONTENT + MESSAGE_BYTES / 8;

/// The memory itself.
#[derive(Debug)]
pub(super) struct Memory(Mapping);

impl Memory {
    pub(super) fn new() -> io::Result<Self> {
        Mapping::new(2 * WORDS * 8, None).map(Self)
    }

    pub(super) fn secede(&self) -> io::Result<()> {
        self.0.secede()
    }

    fn words(&self, side: usize) -> &[AtomicU64] {
        &self.0.words()[side * WORDS..][..WORDS]
    }

    fn inflow(&self, side: usize) -> Option<Noted<'_>> {
        self.words(side)[INFLOW..].first_chunk().map(Noted::new)
    }

    /// What the worker has left there, which has ended.
    pub(super) fn letter(&self, side: usize) -> Letter {
        let words = self.words(side);
        let length = MESSAGE_BYTES.min(words[LENGTH].load(Ordering::Acquire) as usize);
        let piece = self.inflow(side).map_or(0, |it| it.length(MESSAGE_BYTES - length));
        let mut bytes = ticket::read(&words[CONTENT..], length + piece);
        if piece > 0 {
            bytes.push(EXACT);
        }
        let fds = words[FDS..INFLOW].iter().map(|word| word.load(Ordering::Relaxed));
        let fds = fds.filter_map(|fd| fd.checked_sub(1)).map(|fd| fd as RawFd);
        Letter { bytes, fds: fds.collect() }
    }

    /// Puts a message there, behind which nothing has come.
    fn fill(&self, side: usize, message: &[u8], numbers: &[RawFd]) {
        let words = self.words(side);
        self.inflow(side).iter().for_each(Noted::wipe);
        let all = numbers.iter().map(|fd| *fd as u64 + 1).chain([0; MESSAGE_FDS]);
        words[FDS..INFLOW].iter().zip(all).for_each(|(word, fd)| word.store(fd, Ordering::Relaxed));
        let length = ticket::write(&words[CONTENT..], message);
        words[LENGTH].store(length, Ordering::Release);
    }

    /// The message, and what may be received behind it.
    #[allow(clippy::mut_from_ref, reason = "nothing of it is ours: other processes have it, too")]
    fn content(&self, side: usize) -> &mut [u8] {
        let start = self.words(side)[CONTENT..].as_ptr().cast_mut().cast();
        // SAFETY: so many bytes follow in a mapping that lives as long as we do, and atomics may be written to. Nobody
        // else of this process has them, for there is one intake, which alone calls this, and keeps it for one
        // call; `letter` is asked by another process, when ours has ended.
        unsafe { slice::from_raw_parts_mut(start, MESSAGE_BYTES) }
    }
}

impl Vault {
    /// What lies there, or was taken out of the queue last. `None`: nothing.
    pub fn letter(&self) -> Option<Letter> {
        match (self.intake.side(), &self.landing) {
            (Some(side), Some(landing)) => Some(landing.letter(side)),
            _ => self.letterbox.leftover(),
        }
    }
}

impl Intake {
    fn landing(&self) -> Option<(&'static Arc<Vault>, &'static Memory)> {
        self.vault.landing.as_ref().map(|landing| (self.vault, landing))
    }

    /// From here on the next piece of what is read as `reading` is received here; `message` is about all that had come
    /// before, with descriptors `fds`, which have to stay open until this is asked again for the same connection.
    /// Returns the number of the new reading. `None`: there is no such place, or the message is too long.
    pub fn land(
        &mut self,
        reading: ReadingId,
        message: &[u8],
        fds: &[RawFd],
        place: Place,
    ) -> Option<ReadingId> {
        let (vault, landing) = self.landing()?;
        if message.len() + LEAST_PIECE > MESSAGE_BYTES || fds.len() > MESSAGE_FDS {
            return None;
        }
        let side = vault.intake.side().map_or(0, |side| 1 - side);
        landing.fill(side, message, fds);
        if !self.is_at(reading) {
            // Of whoever was read before.
            self.end();
        }
        Some(self.enter_landing(side, place))
    }

    /// Receives a piece there, at most `into` has room for, to which it is copied. `None`: nobody is read there.
    ///
    /// # Errors
    /// The connection's own.
    pub fn receive_piece(
        &mut self,
        fd: BorrowedFd<'_>,
        into: &mut [u8],
    ) -> Option<io::Result<(Transfer, usize)>> {
        let (vault, landing) = self.landing()?;
        let side = vault.intake.side()?;
        let start = landing.words(side)[LENGTH].load(Ordering::Relaxed) as usize;
        // A byte has to be left for how sure it is.
        let end = (MESSAGE_BYTES - 1).min(start + into.len());
        let space = landing.content(side).get_mut(start..end)?;
        let got = landing.inflow(side)?.receive(fd, space);
        if let Ok(Transfer::Bytes(n)) = got {
            into[..n].copy_from_slice(&space[..n]);
        }
        Some(got.map(|got| (got, space.len())))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn place() -> Place {
        Place { fd: 9, listener: 0, has_been_served: false, may_move: true }
    }

    #[test]
    fn what_has_come_lies_behind_what_had_before() {
        let vault = Arc::new(Vault::new(1, true).unwrap());
        let mut intake = Intake::of(&vault).unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut into = [0; 64];
        assert!(intake.receive_piece(ours.as_fd(), &mut into).is_none());
        let mut reading = ReadingId::default();
        // Longer and shorter ones, on both sides.
        for (message, piece) in
            [("first", "\0a\0"), ("a longer one", ""), ("so", "bc\0"), ("message", "defghijkl")]
        {
            reading = intake.land(reading, message.as_bytes(), &[4, 0], place()).unwrap();
            let letter = |bytes: Vec<u8>| Letter { bytes, fds: vec![4, 0] };
            assert_eq!(vault.letter(), Some(letter(message.into())));
            let none = intake.receive_piece(ours.as_fd(), &mut into).unwrap().unwrap();
            assert_eq!(none, (Transfer::Blocked, into.len()));
            theirs.write_all(piece.as_bytes()).unwrap();
            if !piece.is_empty() {
                let (got, _) = intake.receive_piece(ours.as_fd(), &mut into).unwrap().unwrap();
                assert_eq!(got, Transfer::Bytes(piece.len()));
                assert_eq!(&into[..piece.len()], piece.as_bytes());
                let all = [message.as_bytes(), piece.as_bytes(), &[EXACT]].concat();
                assert_eq!(vault.letter(), Some(letter(all)));
            }
            let left = vault.leftover().unwrap();
            assert!(left.is_letter && !left.is_pinned && left.reading == reading.number);
        }
        reading.note_flight(Some((3, 4)));
        assert_eq!(vault.leftover().unwrap().flight, Some((3, 4)));
        reading.pin();
        assert!(vault.leftover().unwrap().is_pinned);
        // What comes next can be had again.
        intake.land(reading, b"next", &[4], place()).unwrap();
        let left = vault.leftover().unwrap();
        assert_eq!((left.is_pinned, left.flight), (false, None));
        intake.end();
        assert_eq!((vault.leftover(), vault.letter()), (None, None));
    }

    #[test]
    fn there_is_room_for_a_piece() {
        let vault = Arc::new(Vault::new(1, true).unwrap());
        let mut intake = Intake::of(&vault).unwrap();
        let most = vec![1; MESSAGE_BYTES - LEAST_PIECE];
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(&[2; 2 * LEAST_PIECE]).unwrap();
        let none = ReadingId::default();
        assert!(intake.land(none, &[&most[..], &[1]].concat(), &[], place()).is_none());
        assert!(intake.land(none, b"x", &[1; MESSAGE_FDS + 1], place()).is_none());
        intake.land(none, &most, &[1], place()).unwrap();
        let mut into = [0; 2 * LEAST_PIECE];
        let (got, room) = intake.receive_piece(ours.as_fd(), &mut into).unwrap().unwrap();
        assert_eq!((got, room), (Transfer::Bytes(LEAST_PIECE - 1), LEAST_PIECE - 1));
        assert_eq!(vault.letter().unwrap().bytes.len(), MESSAGE_BYTES);
    }

    #[test]
    fn without_a_keeper_there_is_none() {
        let vault = Arc::new(Vault::new(1, false).unwrap());
        let mut intake = Intake::of(&vault).unwrap();
        assert!(!intake.lands());
        assert!(intake.land(ReadingId::default(), b"x", &[1], place()).is_none());
    }
}
