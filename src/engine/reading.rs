//! Heads on their way in: received where they outlive the worker (`src/sys/intake.rs`), so that a kill
//! between recv(2) and the moment in which others know of the request costs nothing, or is told of.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

use super::App;
use super::booking::Booking;
use super::conn::Conn;
use super::deposit::needs_file;
use super::lobby::Lobby;
use super::parcel::Parcel;
use super::reactor::Engine;
use super::transport::{Lost, may_have_more};
use crate::http::Framing;
use crate::log::notice::Notice;
use crate::sys::handoff::{Handoff, MESSAGE_BYTES};
use crate::sys::intake::Intake;
use crate::sys::landing::LEAST_PIECE;
use crate::sys::listener::{Listener, PeerAddr};
use crate::sys::reading_id::ReadingId;
use crate::sys::socket::{self, Transfer};
use crate::sys::stray::Place;
use crate::sys::vault::Vault;

/// Where heads are received, if anywhere but in the connection.
#[derive(Debug, Default)]
pub(super) struct Reading {
    intake: Option<Intake>,
    /// Who is not read, and not held either.
    pub(super) lobby: Lobby,
    /// What lies in the landing goes along with it, if it is too long for that.
    parcel: Option<File>,
}

impl Reading {
    pub(super) fn of(vault: Option<&Arc<Vault>>) -> Self {
        let intake = vault.and_then(Intake::of);
        // Without: somebody else of this process has both.
        let lobby = Lobby::of(vault.filter(|_| intake.is_some()).cloned());
        Self { intake, lobby, parcel: None }
    }

    /// Whether what follows the beginning of a request is received where it can be had elsewhere.
    pub(super) fn lands(&self) -> bool {
        self.intake.as_ref().is_some_and(Intake::lands)
    }

    /// Takes a message out of `queue`, into memory that outlives the worker if there is any, else into `buffer`: its
    /// bytes and descriptors. `None`: there is none.
    pub(super) fn collect<'b>(
        &'b mut self,
        queue: &Handoff,
        buffer: &'b mut Vec<u8>,
        now_ns: u64,
    ) -> io::Result<Option<(&'b [u8], Vec<OwnedFd>)>> {
        if let Some(intake) = &mut self.intake {
            return intake.collect(queue, now_ns);
        }
        buffer.resize(MESSAGE_BYTES, 0);
        let came = queue.receive(buffer)?;
        Ok(came.map(|(length, fds)| (buffer.get(..length).unwrap_or_default(), fds)))
    }

    /// `conn` is what came so.
    pub(super) fn keep_letter<A: App>(&mut self, conn: &mut Conn<A>) {
        if let Some(intake) = &mut self.intake {
            conn.reading = intake.keep_letter();
        }
    }

    /// Lets one in who waits at `listener`: nobody's yet, but others can tell who it was.
    #[inline]
    pub(super) fn accept(
        &mut self,
        listener: &Listener,
        index: usize,
        now_ns: u64,
    ) -> io::Result<Option<(OwnedFd, PeerAddr)>> {
        let Some(intake) = &mut self.intake else { return listener.accept() };
        let place = Place {
            fd: listener.as_fd().as_raw_fd(),
            listener: index as u16,
            has_been_served: false,
            may_move: true,
        };
        listener.accept_at(&intake.accept(now_ns, place))
    }

    /// Nobody is let in, or read.
    #[inline]
    pub(super) fn end(&mut self) {
        if let Some(intake) = &mut self.intake {
            intake.end();
        }
    }

    /// `conn` is held, has been answered, or is closed: there is nothing to tell of it.
    #[inline]
    pub(super) fn end_of<A: App>(&mut self, conn: &Conn<A>) {
        if let Some(intake) = self.intake.as_mut().filter(|it| it.is_at(conn.reading)) {
            intake.end();
        }
    }
}

impl<A: App> Engine<A> {
    /// Reads once into the free part of the connection's inbox, by way of the intake. Returns what came,
    /// and whether there may be more. `None`: there is no intake, or no room there.
    pub(super) fn take_in(&mut self, conn: &mut Conn<A>) -> Option<Result<(Transfer, bool), Lost>> {
        self.leave_none_behind();
        let intake = self.reading.intake.as_mut().filter(|_| conn.tls.is_none())?;
        let at = conn.filled;
        if intake.has_room(at) {
            if !intake.is_reading(conn.reading) {
                self.reading.lobby.leave(conn);
                begin(intake, conn, self.clock.now_ns());
            }
            let fd = conn.socket.as_ref()?.as_fd();
            let came = intake.receive(fd, at, conn.inbox.get_mut(at..)?)?;
            return Some(settle(came, conn.ended));
        }
        // Where it is received from here on: else who has said nothing is told of until he is put down.
        if !self.land(conn) {
            conn.lift();
            return None;
        }
        let fd = conn.socket.as_ref()?.as_fd();
        let came = self.reading.intake.as_mut()?.receive_piece(fd, conn.inbox.get_mut(at..)?)?;
        Some(settle(came, conn.ended))
    }

    /// What has come of the request of `conn` can be had elsewhere from here on, and what comes next is received
    /// where it can be had, too. False: that can't be.
    pub(super) fn land(&mut self, conn: &mut Conn<A>) -> bool {
        let lands = self.reading.lands() && conn.tls.is_none() && !conn.is_shared;
        self.leave_none_behind();
        if !lands || needs_file(conn) && conn.spool.share().is_err() {
            return false;
        }
        let since_ns = match conn.young_since_ns {
            0 => self.clock.now_ns(),
            young => young,
        };
        let most = MESSAGE_BYTES - LEAST_PIECE;
        let Ok(file) = self.pack_within(conn, since_ns, false, most) else { return false };
        let mut fds: Vec<_> = Parcel::descriptors(conn).iter().map(AsRawFd::as_raw_fd).collect();
        fds.extend(file.as_ref().map(AsRawFd::as_raw_fd));
        self.reading.lobby.leave(conn);
        // All there is to know goes along.
        let place = Place { may_move: true, ..place_of(conn) };
        let Some(intake) = &mut self.reading.intake else { return false };
        let Some(landed) = intake.land(conn.reading, &self.message, &fds, place) else {
            return false;
        };
        conn.reading = landed;
        conn.note_flight(conn.booking.as_ref().map(Booking::name));
        if let Some(deposit) = &conn.deposit {
            deposit.lift();
        }
        // Those of the one before are not needed any more.
        conn.spool.forget_past();
        self.reading.parcel = file;
        true
    }

    /// The same, and receives it; at most as much as `into` has room for. `None`: it can't be.
    pub(super) fn take_piece(
        &mut self,
        conn: &mut Conn<A>,
        into: &mut [u8],
    ) -> Option<Result<(Transfer, bool), Lost>> {
        if !self.land(conn) {
            conn.lift();
            return None;
        }
        let fd = conn.socket.as_ref()?.as_fd();
        let came = self.reading.intake.as_mut()?.receive_piece(fd, into)?;
        Some(settle(came, conn.ended))
    }

    /// What lies of `conn` in the intake is not what it has any more: of what a proxy has said before the request.
    pub(super) fn reread(&mut self, conn: &mut Conn<A>) {
        let is_at = |intake: &Intake| intake.is_at(conn.reading);
        if !self.reading.intake.as_ref().is_some_and(is_at) {
            conn.reading = ReadingId::default();
        } else if !self.land(conn) {
            self.take_over(conn);
        }
    }

    /// `conn` is waited for.
    pub(super) fn take_over(&mut self, conn: &mut Conn<A>) {
        if let Some(intake) = &mut self.reading.intake {
            begin(intake, conn, self.clock.now_ns());
        }
    }

    /// Whether what `conn` has is one request and nothing else: it was found where a killed worker had
    /// received it, and zeros at the end of it can not have been seen. If it is not, that is said.
    pub(super) fn is_whole(&mut self, conn: &mut Conn<A>) -> bool {
        let is_whole = match self.parse_head(conn) {
            Ok(true) => match conn.head.framing {
                Framing::None => conn.head.len == conn.filled,
                Framing::Length(length) => length == (conn.filled - conn.head.len) as u64,
                Framing::Chunked => false,
            },
            Ok(false) => false,
            // It is refused for that, whatever else there was.
            Err(_) => true,
        };
        if !is_whole {
            let bytes = conn.head_bytes();
            let words = [conn.head.method.of(bytes), conn.head.path.of(bytes)];
            let [method, path] = words.map(String::from_utf8_lossy);
            let error = format!(
                "{method} {path}: it was being received when its worker was killed, and may lack something"
            );
            self.notices.push(Notice::InvalidRequest { ip: conn.addr.ip_text(), error });
        }
        conn.head.clear();
        conn.reader.reset();
        is_whole
    }
}

/// What came, and whether there may be more; `ended`: the poller saw the peer's end.
fn settle(came: io::Result<(Transfer, usize)>, ended: bool) -> Result<(Transfer, bool), Lost> {
    let (got, room) = came?;
    Ok((got, may_have_more(got, room, ended)))
}

/// Where a keeper finds `conn`.
pub(super) fn place_of<A: App>(conn: &Conn<A>) -> Place {
    Place {
        fd: conn.socket.as_ref().map_or(-1, AsRawFd::as_raw_fd),
        listener: conn.listener as u16,
        has_been_served: conn.served > 0,
        may_move: conn.proxy.is_none() && !conn.is_shared,
    }
}

fn begin<A: App>(intake: &mut Intake, conn: &mut Conn<A>, now_ns: u64) {
    let record = conn.deposit.as_ref().map(|it| it.name);
    let before = conn.inbox.get(..conn.filled).unwrap_or_default();
    let place = place_of(conn);
    let is_new = conn.reading.number == 0 && conn.served == 0 && conn.addr == PeerAddr::Unix;
    conn.reading = intake.begin(record, &conn.addr, place, now_ns, before);
    if let Some(fd) = conn.socket.as_ref().filter(|_| is_new && intake.marks()) {
        // EBADF only.
        let _ = socket::set_nonblocking(fd.as_fd(), false);
    }
    if let Some(deposit) = &conn.deposit {
        deposit.begin_reading(conn.form());
    }
}
