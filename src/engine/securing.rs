//! Requests that are ready, held until their thread begins with them ([`super::keeping`]).

use super::App;
use super::deposit::{Deposit, Form};
use super::dispatch::may_travel;
use super::reactor::{Engine, Job, Work};

/// So many requests that are ready are held even where calls are short.
const FEW: usize = 4;

impl<A: App> Engine<A> {
    /// Holds requests that are ready and wait for a thread. Where calls are short, only if these are few: a
    /// crowd is served sooner than it is held.
    #[inline]
    pub(super) fn keep_ready(&mut self, is_long: bool) {
        if !self.ready.is_empty() && (is_long || self.ready.len() <= FEW) {
            self.secure_ready();
        }
    }

    fn secure_ready(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        ready.iter_mut().for_each(|job| self.secure(job));
        self.ready = ready;
    }

    /// Whether a connection is deposited at any cost: somebody speaks, or has, and nobody shall be lost. Who has said nothing a
    /// keeper finds without.
    pub(super) fn must_be_held(&self, form: Form) -> bool {
        self.reading.lands() && form != Form::Silent
    }

    /// Somebody else is let in or read from here on: where nobody shall be lost, those that are ready are held first.
    #[inline]
    pub(super) fn leave_none_behind(&mut self) {
        if self.reading.lands() && !self.ready.is_empty() {
            self.keep_ready(true);
        }
    }

    /// A request is about to run. Where nobody shall be lost, its connection is deposited before, if it will be kept:
    /// when its response is out the client may send the next one, before anybody here has heard of that.
    #[inline]
    pub(super) fn see_off(&mut self, job: &mut Job<A>) {
        let keeps = self.shared.options.keep_alive && job.conn.head.keep_alive;
        if keeps && job.conn.deposit.is_none() && self.reading.lands() {
            self.secure(job);
        }
    }

    /// Whether a request that is ready goes to a thread that may have to wait for the interpreter, after
    /// others: where threads are many and calls long.
    pub(super) fn is_deliberate(&self) -> bool {
        self.shared.options.watched && self.pace.is_long(self.shared.options.inline_up_to)
    }

    /// The same with one of them.
    pub(super) fn secure(&mut self, job: &mut Job<A>) {
        let is_held = job.conn.deposit.as_ref().is_some_and(Deposit::is_held);
        if is_held || !self.deposits.are_made() || !matches!(job.work, Work::Request) {
            return;
        }
        let may_be = !job.conn.ended && !job.conn.is_shared && !job.conn.owes() && may_travel(job);
        if !may_be || !self.hold(&mut job.conn, true) {
            // So it can at least be told of.
            self.book(&mut job.conn);
        }
    }
}
