//! The vault of a worker, as the master has it: `src/sys/vault.rs`.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use pyo3::prelude::*;

use super::flights::Flights;
use super::worker::{handoff, server_name};
use crate::engine::{about_stray, reopened};
use crate::sys::flights::{self, MOST_PLACES, Mark, Peer, Phase, Ticket};
use crate::sys::handoff::{Handoff, Sent};
use crate::sys::keeper::Keeper;
use crate::sys::leftover::Leftover;
use crate::sys::vault;

/// Where a worker deposits connections that a kill would close. The master makes one before the fork.
#[pyclass(frozen, module = "rgunicorn._core")]
pub(crate) struct Vault {
    vault: Arc<vault::Vault>,
}

#[pymethods]
impl Vault {
    /// For `room` connections; with a `keeper` a process that [`Vault::keep`] starts has the others. Raises OSError when
    /// there are no descriptors, or there is no memory.
    #[new]
    #[pyo3(signature = (room, keeper=false))]
    fn new(room: usize, keeper: bool) -> PyResult<Self> {
        Ok(Self { vault: Arc::new(vault::Vault::new(room, keeper)?) })
    }

    /// In the worker, by its main thread: starts the keeper, if there is to be one. Raises OSError when there can be no
    /// other process, or clone(2) is forbidden.
    fn keep(&self) -> PyResult<()> {
        Ok(self.vault.keeper.as_ref().map_or(Ok(()), Keeper::start)?)
    }

    /// In the master, when the worker has been forked: what only the keeper needs is closed.
    fn part(&self) {
        if let Some(keeper) = &self.vault.keeper {
            keeper.part();
        }
    }

    /// Its worker was killed: moves what can go on elsewhere to the queue between workers, and closes
    /// the rest. Requests that go on are taken out of `flights`; the one that was being received is put
    /// there if it does not (phase "coming"; without method where nothing of it had come). It may only where
    /// what it had sent can not have been the cause (`blameless`). Returns how many connections were moved,
    /// how many more would have been if there had been room, and who has lost one between two requests, as far as that is
    /// known. Raises OSError when there are no descriptors left. `listeners` are the worker's listening sockets.
    #[pyo3(signature = (flights, blameless=true, listeners=None))]
    fn rescue(
        &self,
        py: Python<'_>,
        flights: Option<&Bound<'_, Flights>>,
        blameless: bool,
        listeners: Option<Vec<Bound<'_, PyAny>>>,
    ) -> PyResult<(usize, usize, Vec<String>)> {
        let mut closed = Vec::new();
        let flights = flights.map(|flights| flights.get().memory());
        let begun = |lost: &Leftover| flights.as_ref().is_some_and(|it| lost.has_begun(it));
        let given = self.vault.given();
        let is_here = |lost: &Leftover| !given.is_some_and(|it| lost.is(&it));
        let leftover = self.vault.leftover().filter(|lost| is_here(lost) && !begun(lost));
        let passed_on = leftover.as_ref().filter(|_| blameless);
        let queue = handoff(py)?;
        let listeners = listeners.unwrap_or_default();
        let mut found = self.vault.rescue(&queue, flights.as_deref(), passed_on)?;
        let is_read = found.read;
        let mut others = self.vault.lobby();
        others.retain(is_here);
        let flight = given.and_then(|it| flights.as_ref()?.named(it.flight?));
        if let Some(flight) = flight.filter(|it| it.has_not_begun()) {
            flight.end();
        }
        others.extend(leftover.filter(|_| !is_read));
        for other in others {
            let flight = flights.as_ref().and_then(|it| other.waiting(it));
            let lost = match other.is_letter {
                true => self.pass_on(&queue, &other, blameless, &mut found)?,
                // Who has said nothing can not have been the cause.
                false if !blameless && !other.bytes.is_empty() => Some(other),
                false => self.fetch(&queue, other, &mut found, &listeners)?,
            };
            match (lost, flight) {
                (None, Some(flight)) => drop(flight.end()),
                (Some(lost), None) if lost.is_idle => {
                    let peer = lost.peer.map(|addr| addr.to_string());
                    closed.push(peer.unwrap_or_else(|| "a unix socket".to_owned()));
                }
                (Some(lost), None) => {
                    flights.iter().for_each(|it| note(it, &lost));
                }
                _ => {}
            }
        }
        self.vault.clear()?;
        Ok((found.moved, found.left, closed))
    }

    /// Its worker has left as it should: closes what lies there. Raises OSError as `rescue` does.
    fn clear(&self) -> PyResult<()> {
        Ok(self.vault.clear()?)
    }

    /// For a child that the application has forked: it has no connections.
    fn secede(&self) -> PyResult<()> {
        Ok(self.vault.secede()?)
    }

    /// How many connections there is room for.
    #[getter]
    fn room(&self) -> usize {
        self.vault.room()
    }
}

impl Vault {
    /// The connection of `leftover`, which was not deposited, goes on elsewhere, too, if there is a keeper. Else
    /// returns what is to be told of.
    fn fetch(
        &self,
        queue: &Handoff,
        leftover: Leftover,
        found: &mut vault::Rescue,
        listeners: &[Bound<'_, PyAny>],
    ) -> PyResult<Option<Leftover>> {
        let Some((socket, stray)) = self.vault.fetch(&leftover)? else {
            return Ok(Some(leftover));
        };
        if !found.is_new(&socket) {
            return Ok(None);
        }
        // Without a name, one that has been closed here since, it counts as the first.
        let name = listeners.get(stray.listener).and_then(|socket| server_name(socket).ok());
        let name = name.map(|name| name.text()).unwrap_or_default();
        let Some(message) = about_stray(&stray, &name, &leftover) else {
            return Ok(Some(leftover));
        };
        let is_sent = put(queue, &message, &[socket.as_fd()], found)?;
        Ok((!is_sent).then_some(leftover))
    }

    /// The same for what was taken out of the queue and went no further.
    fn pass_on(
        &self,
        queue: &Handoff,
        leftover: &Leftover,
        blameless: bool,
        found: &mut vault::Rescue,
    ) -> PyResult<Option<Leftover>> {
        let Some(letter) = self.vault.letter() else { return Ok(None) };
        let Some((message, mut lost)) = reopened(&letter.bytes) else { return Ok(None) };
        lost.reading = leftover.reading;
        // Of one that lies in a file nobody knows what it had sent.
        let is_silent = lost.is_sure && lost.bytes.is_empty();
        if leftover.is_pinned || !blameless && !is_silent {
            return Ok(Some(lost));
        }
        let Some((socket, files)) = self.vault.fetch_all(&letter)? else { return Ok(Some(lost)) };
        if !found.is_new(&socket) {
            return Ok(None);
        }
        let fds: Vec<_> = [&socket].into_iter().chain(&files).map(AsFd::as_fd).collect();
        let is_sent = put(queue, &message, &fds, found)?;
        Ok((!is_sent).then_some(lost))
    }
}

/// Puts a connection that was found into the queue between workers, and counts it. False: there is no room.
fn put(
    queue: &Handoff,
    message: &[u8],
    fds: &[BorrowedFd<'_>],
    found: &mut vault::Rescue,
) -> PyResult<bool> {
    let is_sent = queue.send(message, fds)? == Sent::Whole;
    let count = if is_sent { &mut found.moved } else { &mut found.left };
    *count += 1;
    Ok(is_sent)
}

/// Notes what a worker was receiving when it ended.
fn note(flights: &flights::Flights, lost: &Leftover) {
    let (method, path) = lost.words();
    let ticket = Ticket {
        method,
        path,
        id: b"",
        peer: match lost.peer {
            Some(addr) => Peer::Ip(addr),
            // By this, too, it is known that there was somebody. No access line is made of it.
            None if lost.is_sure && lost.bytes.is_empty() => Peer::Named(b"a unix socket"),
            None => Peer::Nobody,
        },
        version: (1, 1),
        started_ns: lost.started_ns,
        thread: (0, 0),
        reading: lost.reading,
    };
    let flight = flights.begin_beside(MOST_PLACES, &ticket, Phase::Coming);
    // Without a request there is nothing to count, and no access line.
    if let Some(flight) = flight.filter(|_| lost.bytes.is_empty()) {
        flight.mark(Mark::Counted);
        flight.mark(Mark::Logged);
    }
}

/// That of `worker`. A worker that was not made by our master has none.
pub(super) fn of(worker: &Bound<'_, PyAny>) -> PyResult<Option<Arc<vault::Vault>>> {
    let Some(blackbox) = worker.getattr_opt("blackbox")? else { return Ok(None) };
    let Some(vault) = blackbox.getattr_opt("vault")? else { return Ok(None) };
    Ok(vault.cast::<Vault>().ok().map(|vault| vault.get().vault.clone()))
}
