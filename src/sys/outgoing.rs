//! What a worker is giving to a sibling, in memory that outlives it: whoever reaps the worker can tell whether it
//! has been given, for the kernel notes that ([`super::noted`]). Until then it is still the worker's.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use super::handoff::{Handoff, MESSAGE_BYTES, Sent};
use super::mapping::Mapping;
use super::noted::{NOTED_WORDS, Noted};
use super::records::Name;
use super::vault::Vault;

// Where it lies: one more than the descriptor's number, 0 for nobody; the record, as two words; the number of the
// reading; one more than the number of its flight's place, 0 for none, and its serial number; what is noted.
const FD: usize = 0;
const RECORD: usize = 1;
const READING: usize = 3;
const FLIGHT: usize = 4;
const NOTED: usize = 6;

/// Somebody who is given to a sibling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The socket.
    pub fd: RawFd,
    /// His record.
    pub record: Option<Name>,
    /// The number under which his request was read; 0: none.
    pub reading: u64,
    /// Where his request is noted.
    pub flight: Option<(usize, u64)>,
}

/// The memory itself.
#[derive(Debug)]
pub(super) struct Memory(Mapping);

impl Memory {
    pub(super) fn new() -> io::Result<Self> {
        Mapping::new((NOTED + NOTED_WORDS) * 8, None).map(Self)
    }

    pub(super) fn secede(&self) -> io::Result<()> {
        self.0.secede()
    }

    fn parts(&self) -> Option<(&[AtomicU64; NOTED], Noted<'_>)> {
        let (words, noted) = self.0.words().split_first_chunk()?;
        Some((words, Noted::new(noted.first_chunk()?)))
    }
}

impl Vault {
    /// Gives somebody to the siblings who read `queue`. Once he is there he is theirs, whatever becomes of this
    /// worker; [`Vault::has_let_go`] is to be said when nothing of him is left here.
    ///
    /// # Errors
    /// The message can never be sent.
    pub fn give(
        &self,
        who: &Outgoing,
        queue: &Handoff,
        message: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<Sent> {
        let Some((words, noted)) = self.outgoing.parts() else { return queue.send(message, fds) };
        noted.wipe();
        let (index, serial) = who.record.map_or((0, 0), Name::to_words);
        let flight = who.flight.map_or((0, 0), |(place, serial)| (place as u64 + 1, serial));
        let all = [index, serial, who.reading, flight.0, flight.1];
        words[RECORD..].iter().zip(all).for_each(|(word, it)| word.store(it, Ordering::Relaxed));
        words[FD].store(who.fd as u64 + 1, Ordering::Release);
        let sent = queue.send_noted(message, fds, noted);
        if !matches!(sent, Ok(Sent::Whole)) {
            self.has_let_go();
        }
        sent
    }

    /// Nobody is given.
    pub fn has_let_go(&self) {
        if let Some((words, _)) = self.outgoing.parts() {
            words[FD].store(0, Ordering::Release);
        }
    }

    /// Who had been given to a sibling when the worker ended, of whom something may be left here; to be asked by
    /// whoever reaps it.
    pub fn given(&self) -> Option<Outgoing> {
        let (words, noted) = self.outgoing.parts()?;
        let word = |at: usize| words[at].load(Ordering::Acquire);
        let fd = word(FD).checked_sub(1)? as RawFd;
        let place = word(FLIGHT).checked_sub(1).and_then(|place| usize::try_from(place).ok());
        (noted.length(MESSAGE_BYTES) > 0).then(|| Outgoing {
            fd,
            record: Name::from_words(word(RECORD), word(RECORD + 1)),
            reading: word(READING),
            flight: place.map(|place| (place, word(FLIGHT + 1))),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn who_has_been_given_is_known_until_he_is_let_go() {
        let vault = Vault::new(1, false).unwrap();
        let queue = Handoff::new().unwrap();
        let stdin = std::io::stdin();
        let records = [None, Name::from_words(1, 7)];
        for (record, flight) in records.into_iter().zip([Some((3, 9)), None]) {
            let who = Outgoing { fd: 0, record, reading: 5, flight };
            assert_eq!(vault.given(), None);
            let sent = vault.give(&who, &queue, b"message", &[stdin.as_fd()]);
            assert_eq!(sent.unwrap(), Sent::Whole);
            assert_eq!(vault.given(), Some(who));
            vault.has_let_go();
            let mut into = [0; 16];
            let (length, fds) = queue.receive(&mut into).unwrap().unwrap();
            assert_eq!((&into[..length], fds.len()), (&b"message"[..], 1));
        }
    }

    #[test]
    fn who_finds_no_room_has_not_been_given() {
        let vault = Vault::new(1, false).unwrap();
        let queue = Handoff::new().unwrap();
        let who = Outgoing { fd: 4, record: None, reading: 0, flight: None };
        for _ in 0..100_000 {
            if vault.give(&who, &queue, b"x", &[]).unwrap() == Sent::Full {
                assert_eq!(vault.given(), None);
                return;
            }
        }
        panic!("there is no end to it");
    }
}
