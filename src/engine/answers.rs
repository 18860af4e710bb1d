//! Answers of our own, in place of the application's.

use super::conn::Phase;
use super::exchange::Exchange;
use super::{App, Refusal, Verdict};
use crate::http::error_page;

impl<A: App> Exchange<'_, A> {
    /// Puts the page for `refusal` in the outbox.
    pub fn refuse(&mut self, refusal: &Refusal) {
        if !self.speak() {
            return;
        }
        self.conclude_refused(refusal, self.facts().2.now_ns());
        let start = self.conn.outbox.tail().len();
        refusal.answer(self.conn.outbox.tail());
        self.sign(start, None);
        // Nothing that came with it is a request.
        self.conn.readable = true;
    }

    /// Puts the 500 page in the outbox, if nothing of a response has been sent.
    pub fn fail(&mut self) -> Verdict {
        if self.encoder.head_sent() || !self.speak() {
            return Verdict::Drop;
        }
        let now_ns = self.facts().2.now_ns();
        self.conn.bill.speak_last(now_ns);
        self.conclude(500);
        let start = self.conn.outbox.tail().len();
        error_page(500, "Internal Server Error", "", self.conn.outbox.tail());
        self.sign(start, None);
        self.conn.phase = Phase::Busy;
        Verdict::Close
    }
}
