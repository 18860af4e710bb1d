//! Where a connection goes when nothing is to be done for it: back to the table until something
//! happens to it, or to its end.

use std::io;
use std::os::fd::AsFd;

use super::App;
use super::conn::{Conn, Phase, Watch};
use super::reactor::{Engine, SPARE_CONNS};
use crate::log::notice::Notice;
use crate::sys::socket;

impl<A: App> Engine<A> {
    /// Puts a connection down until something happens to it.
    pub(super) fn park(&mut self, mut conn: Box<Conn<A>>) {
        let room = self.table.catch_up(&mut conn);
        let news = match conn.phase {
            Phase::Head | Phase::Body | Phase::Linger | Phase::Parted => {
                conn.readable || room && conn.owes()
            }
            Phase::FlushThenKeep | Phase::FlushThenClose => room,
            Phase::Busy => false,
        };
        if news {
            // It came while the connection was away.
            return self.proceed(conn);
        }
        // One that gives way shall be reported at once.
        let goes_on = conn.phase == Phase::FlushThenKeep;
        let wants = if conn.owes() || goes_on { Watch::Both } else { Watch::Input };
        if let Err(error) = self.watch(&mut conn, wants) {
            self.notices.push(Notice::SocketError { error: error.to_string() });
            return self.close(conn);
        }
        match self.patience(&conn) {
            None => conn.deadline.disarm(),
            Some(patience) => {
                let now_ns = self.clock.now_ns();
                let at_ns = now_ns + patience.as_nanos() as u64;
                self.deadlines.arm(&mut conn.deadline, conn.token, at_ns, now_ns);
            }
        }
        conn.count_traffic(self.till.as_mut());
        self.lighten(&mut conn);
        self.note(&mut conn);
        self.keep(&mut conn);
        self.table.settle(conn);
    }

    /// Watches a connection. A change to `Both` is told to the poller each time: it re-arms the
    /// edge, so that room which is there already is reported.
    pub(super) fn watch(&mut self, conn: &mut Conn<A>, wants: Watch) -> io::Result<()> {
        let Some(fd) = conn.socket.as_ref() else { return Ok(()) };
        let fd = fd.as_fd();
        match (conn.watch, wants) {
            (Watch::Nothing, _) => {
                self.poller.watch(fd, conn.token)?;
                if wants == Watch::Both {
                    self.poller.rewatch(fd, conn.token, true)?;
                }
            }
            (_, Watch::Both) => self.poller.rewatch(fd, conn.token, true)?,
            (Watch::Both, Watch::Input) => self.poller.rewatch(fd, conn.token, false)?,
            (Watch::Input, Watch::Input) | (_, Watch::Nothing) => return Ok(()),
        }
        conn.watch = wants;
        Ok(())
    }

    /// Ends a connection whose last byte has been handed to the kernel.
    pub(super) fn finish(&mut self, mut conn: Box<Conn<A>>) {
        conn.lift();
        self.table.catch_up(&mut conn);
        if !conn.has_unread_input() {
            return self.close(conn);
        }
        if let Some(fd) = conn.socket() {
            socket::end_writing(fd);
        }
        conn.phase = Phase::Linger;
        conn.filled = 0;
        conn.readable = true;
        self.proceed(conn);
    }

    /// Closes a connection at once.
    pub(super) fn close(&mut self, mut conn: Box<Conn<A>>) {
        self.reading.lobby.leave(&conn);
        self.reading.end_of(&conn);
        conn.settle_bill(self.till.as_mut(), self.clock.now_ns());
        // close(2) has the kernel forget it, but not where a duplicate of ours lives on. One in a process
        // that the application has forked means an event now and then for a token that is out of use.
        if conn.watch != Watch::Nothing && conn.may_live_on() {
            if let Some(fd) = conn.socket() {
                self.poller.forget(fd);
            }
        }
        conn.cut();
        self.table.release(conn.token);
        conn.retire();
        if !conn.inbox.is_empty() {
            self.keep_inbox(std::mem::take(&mut conn.inbox));
        }
        if self.spare.len() < SPARE_CONNS {
            self.spare.push(conn);
        }
    }
}
