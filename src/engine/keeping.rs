//! Which connections are deposited, and when, so that a kill costs only what runs: idle ones, requests
//! that are being received, those that wait for a thread. Why and how: docs/design/dispatch.md.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::App;
use super::booking::Booking;
use super::burden::Allowance;
use super::conn::Conn;
use super::deposit::{Deposit, File, Form, Stand, cost_of_file, file_of, needs_file};
use super::notices::Notices;
use super::parcel::Parcel;
use super::reactor::{Engine, Job};
use crate::http::ProxyMode;
use crate::log::notice::Notice;
use crate::sys::clock::Clock;
use crate::sys::handoff::MESSAGE_BYTES;
use crate::sys::poller::Token;
use crate::sys::records::RECORD_BYTES;
use crate::sys::vault::{Deposited, Vault};

/// A worker that has waited so long has time.
const LEISURE: Duration = Duration::from_millis(1);
/// Stale messages are taken out so often.
const PURGE_AFTER: Duration = Duration::from_millis(100);
/// Nothing is deposited for so long when too many descriptors are on their way.
const REST: Duration = Duration::from_secs(30);
/// Room for so many tokens before those are looked for that lead nowhere.
const SURPLUS: usize = 256;

/// What the engine knows of its vault.
#[derive(Debug)]
pub(super) struct Deposits {
    pub(super) vault: Option<Arc<Vault>>,
    /// Connections that were put down and could not be held.
    unheld: Vec<Token>,
    pub(super) allowance: Allowance,
    /// Somebody was not deposited because there was not enough of it.
    is_short: bool,
    next_purge_ns: u64,
    /// Nothing is deposited before: monotonic nanoseconds.
    rests_until_ns: u64,
    /// That was said.
    has_said_so: bool,
    buffer: Vec<u8>,
    /// Whose they are: a child that the application has forked has a copy of this.
    pid: u32,
}

impl Drop for Deposits {
    fn drop(&mut self) {
        // Clients shall see their end now, however long the process still lives. The master would
        // close what is left.
        if let Some(vault) = self.vault.as_ref().filter(|_| std::process::id() == self.pid) {
            let _ = vault.clear();
        }
    }
}

impl Deposits {
    pub(super) fn of(vault: Option<Arc<Vault>>) -> Self {
        Self {
            vault,
            unheld: Vec::new(),
            allowance: Allowance::default(),
            is_short: false,
            next_purge_ns: 0,
            rests_until_ns: 0,
            has_said_so: false,
            buffer: Vec::new(),
            pid: std::process::id(),
        }
    }

    /// When stale messages are to be taken out, if there are any.
    pub(super) fn next_purge_ns(&self) -> Option<u64> {
        let stale = self.vault.as_ref().is_some_and(|vault| vault.stale() > 0);
        stale.then_some(self.next_purge_ns)
    }

    /// Whether the worker should look soon whether it has time, for those who are not held for want of an
    /// allowance.
    pub(super) fn want_leisure(&self) -> bool {
        self.is_short && !self.unheld.is_empty()
    }

    /// The worker has waited for `waited_ns`, for nothing if nobody has come. Who has time needs no
    /// allowance; who has had some has earned one.
    pub(super) fn rest(&mut self, waited_ns: u64, for_nothing: bool) {
        if u128::from(waited_ns) < LEISURE.as_nanos() {
            return;
        }
        if for_nothing {
            self.allowance.refill();
            self.is_short = false;
        } else {
            self.allowance.earn(waited_ns);
        }
    }

    /// Takes so many moves from the allowance, or as many as there can be. False: there are not so many.
    fn pay(&mut self, moves: u64) -> bool {
        let paid = self.allowance.take(moves);
        self.is_short |= !paid;
        paid
    }

    fn rest_for(&mut self, clock: &Clock, pause: Duration) {
        self.rests_until_ns = self.rests_until_ns.max(clock.now_ns() + pause.as_nanos() as u64);
    }

    /// Whether workers of this server have vaults.
    pub(super) fn are_made(&self) -> bool {
        self.vault.is_some()
    }

    /// More descriptors are on their way than the kernel allows to this user: gives those of the vault
    /// back, and deposits none for a while. The queue between workers comes first, and so do others.
    /// False: there were none.
    pub(super) fn give_way(&mut self, clock: &Clock, notices: &mut Notices) -> bool {
        let Some(vault) = self.vault.clone() else { return false };
        self.rest_for(clock, REST);
        self.unheld.clear();
        if !std::mem::replace(&mut self.has_said_so, true) {
            notices.push(Notice::NothingDeposited);
        }
        vault.give_up()
    }
}

impl<A: App> Engine<A> {
    /// A connection is put down: from here on a kill shall not close it.
    #[inline]
    pub(super) fn keep(&mut self, conn: &mut Conn<A>) {
        if self.deposits.vault.is_none() || !conn.is_holdable() {
            return;
        }
        // Who was only looked at is held all the time: while he is held anew a kill closes him.
        if conn.form() == Form::Other && conn.deposit.as_ref().is_some_and(Deposit::is_still_held) {
            return self.reading.end_of(conn);
        }
        // The file of a body that nobody needs shall not lie there for long.
        let as_it_is = |it: &Deposit| it.hold(conn.form()) && it.file == File::None;
        if conn.deposit.as_ref().is_some_and(as_it_is) {
            return self.reading.end_of(conn);
        }
        if self.hold(conn, false) {
            return;
        }
        if conn.form() != Form::Other {
            self.reading.lobby.enter(conn, self.clock.now_ns());
            self.reading.end_of(conn);
        }
        if self.may_come_later(conn) && !std::mem::replace(&mut conn.is_listed, true) {
            let list = &mut self.deposits.unheld;
            if list.len() >= SURPLUS.max(2 * self.table.len()) {
                list.retain(|token| self.table.knows(*token));
            }
            list.push(conn.token);
        }
    }

    /// Puts a connection down that was only looked at.
    pub(super) fn put_down(&mut self, mut conn: Box<Conn<A>>) {
        self.keep(&mut conn);
        self.table.settle(conn);
    }

    /// Whether there may be room later, for a connection that could not be held.
    fn may_come_later(&self, conn: &Conn<A>) -> bool {
        conn.deposit.is_none() || self.deposits.is_short
    }

    /// Goes on with those that could not be deposited before, as far as there is room and it may cost
    /// that; before a wait, or a call that may last. And with what nobody needs any more. Both take system
    /// calls, so the request that is about to run (`in_hand`) is held first.
    pub(super) fn keep_more(&mut self, in_hand: Option<&mut Job<A>>) {
        let (purges, keeps) = (self.is_purge_due(), self.may_keep_more());
        if !purges && !keeps {
            return;
        }
        if let Some(job) = in_hand {
            self.secure(job);
        }
        if purges {
            self.purge();
        }
        if keeps {
            self.keep_listed();
        }
    }

    fn may_keep_more(&self) -> bool {
        let deposits = &self.deposits;
        let rests = || self.clock.now_ns() < deposits.rests_until_ns;
        let has_room = || deposits.vault.as_ref().is_some_and(|vault| vault.has_room());
        !deposits.unheld.is_empty() && !rests() && deposits.allowance.is_left() && has_room()
    }

    fn keep_listed(&mut self) {
        let mut unheld = std::mem::take(&mut self.deposits.unheld);
        unheld.retain(|token| {
            let Some(mut conn) = self.table.take(*token) else { return self.table.knows(*token) };
            let left = conn.is_holdable() && !self.hold(&mut conn, false);
            conn.is_listed = left && self.may_come_later(&conn);
            let stays = conn.is_listed;
            self.table.settle(conn);
            stays
        });
        self.deposits.unheld = unheld;
    }

    /// Deposits a connection, if it is not, and holds it as it is now. False: it is not held.
    pub(super) fn hold(&mut self, conn: &mut Conn<A>, ready: bool) -> bool {
        let held = self.try_to_hold(conn, ready);
        if held {
            // There is nothing to tell of it.
            self.reading.lobby.leave(conn);
            self.reading.end_of(conn);
        }
        held
    }

    fn try_to_hold(&mut self, conn: &mut Conn<A>, ready: bool) -> bool {
        let form = if ready { Form::Other } else { conn.form() };
        if !self.move_body(conn) {
            return false;
        }
        let file = file_of(conn);
        if conn.deposit.as_ref().is_some_and(|it| it.file == file && it.hold(form)) {
            return true;
        }
        let since_ns = match ready {
            true => conn.waits_since_ns,
            false if conn.young_since_ns != 0 => conn.young_since_ns,
            false => self.clock.now_ns(),
        };
        // The file of a request before it, or none, does not serve.
        let as_deposited = conn
            .deposit
            .as_ref()
            .is_some_and(|it| it.file == file && it.vault.state(it.name).is_some());
        if as_deposited {
            return self.write_down(conn, since_ns, ready, form);
        }
        // It may be had as it was until it can be as it is.
        let before = conn.deposit.take();
        self.deposit(conn, since_ns, ready, form);
        let held = conn.deposit.as_ref().is_some_and(Deposit::is_held)
            || self.write_down(conn, since_ns, ready, form);
        drop(before);
        held
    }

    /// Holds what is deposited as it is now, by its record.
    fn write_down(&mut self, conn: &mut Conn<A>, since_ns: u64, ready: bool, form: Form) -> bool {
        let Some(deposit) = &mut conn.deposit else { return false };
        deposit.lift();
        deposit.written = Form::Other;
        let Some((vault, name)) = conn.deposit.as_ref().map(|it| (it.vault.clone(), it.name))
        else {
            return false;
        };
        let fits = self.pack(conn, since_ns, ready) <= RECORD_BYTES;
        if !fits || !vault.write(name, &self.message) {
            return false;
        }
        let held = vault.hold(name, true, conn.booking.as_ref().map(Booking::name));
        if let Some(deposit) = &mut conn.deposit {
            deposit.written = form;
            deposit.stand.set(if held { Stand::Held } else { Stand::Away });
        }
        held
    }

    /// Deposits a connection; away, unless it is idle.
    fn deposit(&mut self, conn: &mut Conn<A>, since_ns: u64, ready: bool, form: Form) {
        let Some(vault) = self.deposits.vault.clone().filter(|vault| vault.has_room()) else {
            return;
        };
        let rests = self.clock.now_ns() < self.deposits.rests_until_ns;
        let must_be = self.must_be_held(form);
        // On the way out it will soon have come to its end.
        if rests || !must_be && (self.drain.is_on() || !self.deposits.pay(1)) {
            return;
        }
        // Behind a proxy that says who the client is, before it has said so, nobody knows.
        let is_idle = conn.preamble_over || self.shared.options.policy.proxy == ProxyMode::Off;
        let length = match is_idle {
            true => self.pack_idle(conn, since_ns),
            false => self.pack(conn, since_ns, ready),
        };
        if length > MESSAGE_BYTES {
            if !must_be {
                // Or the worker would look again and again whether it can afford this.
                self.deposits.allowance.refund();
            }
            return;
        }
        match vault.deposit(&self.message, &Parcel::descriptors(conn)) {
            Ok(Deposited::Full) => {}
            Ok(Deposited::Crowded) => {
                self.deposits.give_way(&self.clock, &mut self.notices);
            }
            Ok(Deposited::As(name)) => {
                conn.has_twin = true;
                let held = is_idle && form == Form::Idle && vault.hold(name, false, None);
                let stand = Cell::new(if held { Stand::Held } else { Stand::Away });
                let (written, file) = (Form::Other, file_of(conn));
                conn.deposit = Some(Deposit { vault, name, is_idle, written, file, stand });
            }
            Err(error) => self.notices.push(Notice::SocketError { error: error.to_string() }),
        }
    }

    /// What has been received of a large body goes into memory that others can have, too. False: that
    /// can't be.
    fn move_body(&mut self, conn: &mut Conn<A>) -> bool {
        if !needs_file(conn) {
            return true;
        }
        let has_room = self.deposits.vault.as_ref().is_some_and(|vault| vault.has_room());
        if !has_room || !self.reading.lands() && !self.deposits.pay(cost_of_file(conn)) {
            return false;
        }
        // Without a descriptor for it, it stays where it is; there will be none for a while.
        let is_shared = conn.spool.share().is_ok();
        if !is_shared {
            self.deposits.rest_for(&self.clock, PURGE_AFTER);
        }
        is_shared
    }

    /// Whether what nobody needs any more is to be taken out, now and then: duplicates keep sockets open.
    fn is_purge_due(&self) -> bool {
        let Some(vault) = &self.deposits.vault else { return false };
        let stale = vault.stale();
        let is_time = || self.clock.now_ns() >= self.deposits.next_purge_ns;
        stale > 0 && (is_time() || stale >= vault.room() / 4)
    }

    fn purge(&mut self) {
        let Some(vault) = &self.deposits.vault else { return };
        self.deposits.next_purge_ns = self.clock.now_ns() + PURGE_AFTER.as_nanos() as u64;
        vault.purge(&mut self.deposits.buffer);
    }
}
