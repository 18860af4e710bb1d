//! Connections of one worker, deposited where they outlive it: duplicates of their descriptors as
//! messages in a pair of unix sockets that the master has too, and beside them, in shared memory, a
//! record of each that says whether it may be rescued, and with what.
//!
//! A message can not be taken back out of the middle of the queue. So its record decides: it names the
//! message by a serial number, and a message that no record knows is *stale*, and dropped when it comes
//! to the front.
//!
//! Only [`State::Held`] is rescued, and a record is held only while nobody does anything with the
//! connection. A reader believes nothing: the process that wrote has died, perhaps of writing all over
//! its memory.

use std::borrow::Cow;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::flights::Flights;
use super::handoff::{Handoff, MESSAGE_BYTES, Sent};
use super::intake_memory;
use super::keeper::{self, Keeper, Wanted};
use super::landing;
use super::leftover::Leftover;
use super::letterbox::{self, Letter};
use super::lobby;
use super::mapping::Mapping;
use super::outflow;
use super::outgoing;
use super::records::{MOST_RECORDS, Name, RECORD_WORDS, START_BYTES, State};
use super::stray::Stray;

/// What became of a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deposited {
    /// It lies there.
    As(Name),
    /// There is no room for it, here or in the socket.
    Full,
    /// Too many descriptors are on their way in sockets of this user.
    Crowded,
}

/// What was found in the vault of a worker that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rescue {
    /// Connections that are in the queue between workers now.
    pub moved: usize,
    /// Connections for which there was no room.
    pub left: usize,
    /// The one whose request was being received is among the moved, or had been put down already.
    pub read: bool,
    /// The sockets of the moved, as the kernel knows them.
    inodes: Vec<Option<u64>>,
}

impl Rescue {
    /// Whether `socket` has not been found before, which is noted: it would be served twice.
    pub fn is_new(&mut self, socket: &OwnedFd) -> bool {
        let inode = keeper::inode(socket.as_raw_fd());
        let is_new = !self.inodes.contains(&inode);
        self.inodes.push(inode);
        is_new
    }
}

/// The vault of one worker.
#[derive(Debug)]
pub struct Vault {
    queue: Handoff,
    pub(super) memory: Mapping,
    pub(super) intake: intake_memory::Memory,
    pub(super) lobby: lobby::Memory,
    pub(super) letterbox: letterbox::Memory,
    pub(super) outgoing: outgoing::Memory,
    /// Beside a keeper.
    pub(super) landing: Option<landing::Memory>,
    /// Who has the worker's other connections, too.
    pub keeper: Option<Keeper>,
    /// Messages in the queue, as far as this process knows.
    messages: AtomicUsize,
    /// Those of them that are stale.
    stale: AtomicUsize,
}

impl Vault {
    /// With `room` records, at least one, at most [`MOST_RECORDS`]; shared with all processes that are
    /// forked later. What is never used costs nothing. The `keeper` is still to be started.
    ///
    /// # Errors
    /// EMFILE, ENOMEM.
    pub fn new(room: usize, keeper: bool) -> io::Result<Self> {
        let room = room.clamp(1, MOST_RECORDS);
        Ok(Self {
            queue: Handoff::new()?,
            memory: Mapping::new(room * RECORD_WORDS * 8, None)?,
            intake: intake_memory::Memory::new()?,
            lobby: lobby::Memory::new()?,
            letterbox: letterbox::Memory::new()?,
            outgoing: outgoing::Memory::new()?,
            landing: keeper.then(landing::Memory::new).transpose()?,
            keeper: keeper.then(Keeper::new).transpose()?,
            messages: AtomicUsize::new(0),
            stale: AtomicUsize::new(0),
        })
    }

    /// How many connections there is room for.
    pub fn room(&self) -> usize {
        self.memory.words().len() / RECORD_WORDS
    }

    /// For a child that the application has forked: it knows of no deposits.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn secede(&self) -> io::Result<()> {
        self.memory.secede()?;
        self.intake.secede()?;
        self.letterbox.secede()?;
        self.outgoing.secede()?;
        self.landing.as_ref().map_or(Ok(()), landing::Memory::secede)?;
        self.lobby.secede()
    }

    /// Stale messages in the queue.
    pub fn stale(&self) -> usize {
        self.stale.load(Ordering::Relaxed)
    }

    /// Whether another message may be sent now. By the one thread that deposits.
    pub fn has_room(&self) -> bool {
        self.messages.load(Ordering::Relaxed) < self.room()
    }

    /// Deposits a connection: `message` is what a sibling needs, `fds` are its descriptors. It is away
    /// then. By the one thread that deposits.
    ///
    /// # Errors
    /// This message can never be sent.
    pub fn deposit(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<Deposited> {
        let name = if self.has_room() { self.reserve() } else { None };
        let Some(name) = name else { return Ok(Deposited::Full) };
        let sent =
            self.queue.send_all(&[IoSlice::new(&name.to_bytes()), IoSlice::new(message)], fds);
        if matches!(sent, Ok(Sent::Whole)) {
            self.messages.fetch_add(1, Ordering::Relaxed);
            return Ok(Deposited::As(name));
        }
        self.free(name);
        Ok(if sent? == Sent::Crowded { Deposited::Crowded } else { Deposited::Full })
    }

    /// The connection is no business of the vault's any more: its message is stale.
    pub fn withdraw(&self, name: Name) {
        if self.free(name) {
            self.stale.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes the stale messages out: each in turn comes to the front, and those that are not stale go to the
    /// end. By the one thread that deposits. `buffer` is scratch space. Where there is no descriptor free
    /// for that, connections leave the vault.
    pub fn purge(&self, buffer: &mut Vec<u8>) {
        buffer.resize(START_BYTES + MESSAGE_BYTES, 0);
        let stale = self.stale.load(Ordering::Relaxed);
        for _ in 0..self.messages.load(Ordering::Relaxed) {
            let mut start = [0; START_BYTES];
            // recv(2) fails with EAGAIN only, which is the end.
            let Ok(Some(len)) = self.queue.peek(&mut start) else { break };
            let name = start.get(..len).and_then(Name::of);
            match name.filter(|name| self.state(*name).is_some()) {
                Some(name) => self.move_to_the_end(name, buffer),
                None => {
                    let _there = self.queue.drop_next();
                    self.messages.fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
        // Not those that have become stale meanwhile. Nobody else takes any away, nor counts one twice.
        self.stale.fetch_sub(stale, Ordering::Relaxed);
    }

    /// The next message, that of `name`, goes to the end. For a moment it lies there twice: while it lay
    /// nowhere, a kill would close the connection.
    fn move_to_the_end(&self, name: Name, buffer: &mut [u8]) {
        if matches!(self.queue.copy(buffer), Ok(Some((len, fds))) if self.put_back(buffer.get(..len), &fds))
        {
            let _there = self.queue.drop_next();
            return;
        }
        // There is no room in the kernel for both. An error: it had no descriptor to give, and has dropped
        // the message.
        if !matches!(self.queue.receive(buffer), Ok(Some((len, fds))) if self.put_back(buffer.get(..len), &fds))
        {
            self.messages.fetch_sub(1, Ordering::Relaxed);
            self.free(name);
        }
    }

    fn put_back(&self, message: Option<&[u8]>, fds: &[OwnedFd]) -> bool {
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        let Some(message) = message.filter(|_| !fds.is_empty()) else { return false };
        matches!(self.queue.send(message, &fds), Ok(Sent::Whole))
    }

    /// Gives everything back to the kernel that lies there. By the one thread that deposits. True if
    /// that was anything.
    pub fn give_up(&self) -> bool {
        self.free_all();
        self.stale.store(0, Ordering::Relaxed);
        // recv(2) fails with EAGAIN only, which is the end.
        let _ = self.queue.clear();
        self.messages.swap(0, Ordering::Relaxed) > 0
    }

    /// What the worker was receiving when it ended; to be asked by whoever reaps it.
    pub fn leftover(&self) -> Option<Leftover> {
        self.intake.leftover()
    }

    /// The worker has ended: moves what is held into `queue`, and its flights end with nobody's regret;
    /// so does the request that was being received, whose beginning is in `leftover`, if it is there. To be
    /// called by whoever reaps it. Everything else is to be closed.
    ///
    /// # Errors
    /// EMFILE and the like; the rest is still there.
    pub fn rescue(
        &self,
        queue: &Handoff,
        flights: Option<&Flights>,
        leftover: Option<&Leftover>,
    ) -> io::Result<Rescue> {
        let mut found = Rescue::default();
        let mut buffer = vec![0; START_BYTES + MESSAGE_BYTES];
        let given = self.given().and_then(|it| it.record);
        // No more than a worker may have put there.
        for _ in 0..2 * self.room() {
            let Some((len, fds)) = self.queue.receive(&mut buffer)? else { break };
            let bytes = buffer.get(..len).unwrap_or_default();
            let Some(name) = Name::of(bytes) else { continue };
            let Some(state) = self.state(name).filter(|_| given != Some(name)) else { continue };
            let is_read = leftover.is_some_and(|it| it.record == Some(name));
            let is_out =
                |outflow| fds.first().and_then(|fd| outflow::of(fd.as_fd())) == Some(outflow);
            let message = match state {
                State::Sent(outflow) if !is_out(outflow) => None,
                _ => self.message(name, state, bytes, leftover.filter(|_| is_read)),
            };
            let Some(message) = message else { continue };
            // Once only, should the same be there twice: while it is deposited anew it is.
            let is_new = fds.first().is_some_and(|socket| found.is_new(socket));
            if !is_new || !self.free(name) {
                continue;
            }
            let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
            if !matches!(queue.send(&message, &fds), Ok(Sent::Whole)) {
                found.left += 1;
                continue;
            }
            found.moved += 1;
            found.read |= is_read;
            let flight = self.flight(name).and_then(|it| flights?.named(it));
            // Else it is somebody else's by now, or somebody has begun to answer.
            if let Some(flight) = flight.filter(|it| it.has_not_begun()) {
                flight.end();
            }
        }
        Ok(found)
    }

    /// What a sibling shall get of a connection that lies there as `deposited`; `leftover` is what has come
    /// of its request. `None`: it can't go on.
    fn message<'d>(
        &self,
        name: Name,
        state: State,
        deposited: &'d [u8],
        leftover: Option<&Leftover>,
    ) -> Option<Cow<'d, [u8]>> {
        let base = match state {
            State::Held | State::Read | State::Sent(_) => Cow::from(deposited.get(START_BYTES..)?),
            State::HeldAsWritten | State::ReadAsWritten => Cow::from(self.written(name)),
            State::Away => return None,
        };
        if !matches!(state, State::Read | State::ReadAsWritten) {
            return Some(base);
        }
        let come = leftover.filter(|it| it.may_go_on())?;
        let message = [&base[..], &come.come()].concat();
        (message.len() <= MESSAGE_BYTES).then(|| message.into())
    }

    /// The connection of `leftover`, from the keeper.
    ///
    /// # Errors
    /// EMFILE and the like.
    pub fn fetch(&self, leftover: &Leftover) -> io::Result<Option<(OwnedFd, Stray)>> {
        let (Some(keeper), Some(stray)) = (&self.keeper, leftover.stray()) else { return Ok(None) };
        Ok(keeper.ask(stray.wanted)?.map(|socket| (socket, stray)))
    }

    /// The descriptors of `letter`, from the keeper: the socket's, and those of files.
    ///
    /// # Errors
    /// EMFILE and the like.
    pub fn fetch_all(&self, letter: &Letter) -> io::Result<Option<(OwnedFd, Vec<OwnedFd>)>> {
        let Some(keeper) = &self.keeper else { return Ok(None) };
        let mut fds = Vec::new();
        for fd in &letter.fds {
            let Some(fd) = keeper.ask(Wanted::Any(*fd))? else { return Ok(None) };
            fds.push(fd);
        }
        let mut fds = fds.into_iter();
        Ok(fds.next().map(|socket| (socket, fds.collect())))
    }

    /// Closes everything that lies there, and that a keeper has.
    ///
    /// # Errors
    /// recv(2)'s.
    pub fn clear(&self) -> io::Result<()> {
        if let Some(keeper) = &self.keeper {
            keeper.dismiss();
        }
        self.queue.clear()
    }
}

#[cfg(test)]
#[path = "test_vault.rs"]
mod tests;
