//! What every report of a request says beside its head: its name, how long it waited, how long it
//! ran.

use super::exchange::Exchange;
use super::reactor::Work;
use super::{App, Conn};
use crate::http::{IdHeader, ResponseFields, add_field, request_id};
use crate::sys::flights::ID_BYTES;
use crate::sys::unique;

const _: () = assert!(ID_BYTES >= request_id::MOST);

impl Work {
    /// Whether there is a request, understood well enough to have a name.
    pub(super) fn has_request(&self) -> bool {
        match self {
            Self::Request => true,
            Self::Refusal(refusal) => refusal.has_request(),
        }
    }
}

impl<A: App> Conn<A> {
    /// Names the current request, once: as a peer that is believed calls it, or anew.
    pub(super) fn name_request(&mut self, header: Option<&IdHeader>) {
        let Some(header) = header.filter(|_| self.request_id.is_empty()) else { return };
        let bytes = self.inbox.get(..self.filled).unwrap_or_default();
        match header.sent(&self.head, bytes).filter(|_| self.trusted) {
            Some(name) => self.request_id.extend_from_slice(name),
            // A kernel without random numbers leaves it nameless.
            None => self.request_id.extend(unique::name().iter().flatten()),
        }
    }

    /// Adds the request's name to the response head that begins at `start` of the outbox's tail.
    pub(super) fn sign(&mut self, start: usize, header: Option<&IdHeader>) {
        if let Some(header) = header.filter(|_| !self.request_id.is_empty()) {
            add_field(self.outbox.tail(), start, header.name(), &self.request_id);
        }
    }

    /// The name of the current request; empty when it has none.
    pub fn request_id(&self) -> &[u8] {
        &self.request_id
    }

    /// The header fields of the current request. What a client has called it is not among them,
    /// but what it is called.
    pub fn fields<'c>(
        &'c self,
        header: Option<&'c IdHeader>,
    ) -> impl Iterator<Item = (&'c [u8], &'c [u8])> {
        let bytes = self.head_bytes();
        let sent =
            self.head.fields.iter().map(|field| (field.name.of(bytes), field.value.of(bytes)));
        let own = header.filter(|_| !self.request_id.is_empty());
        sent.filter(move |(name, _)| !header.is_some_and(|header| header.is(name)))
            .chain(own.map(|header| (header.name(), self.request_id())))
    }
}

impl<A: App> Exchange<'_, A> {
    /// The field that carries the request's name, if it is to have one.
    pub fn id_header(&self) -> Option<&IdHeader> {
        self.shared.options.id_header.as_ref()
    }

    /// See [`Conn::fields`].
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.conn.fields(self.id_header())
    }

    /// The field that carries the request's name, and the name.
    pub fn named(&self) -> Option<(&IdHeader, &[u8])> {
        let name = self.conn.request_id();
        self.id_header().filter(|_| !name.is_empty()).map(|header| (header, name))
    }

    /// How long the request had waited, here and where a proxy says, before the application began
    /// or, if it has not, until now. `None` when that is not known.
    pub fn waited_ns(&self) -> Option<u64> {
        let until_ns = self.conn.bill.begun_ns().unwrap_or(self.now_ns());
        let since_ns = Some(self.conn.waits_since_ns).filter(|since_ns| *since_ns != 0);
        since_ns.map(|since_ns| until_ns.saturating_sub(since_ns))
    }

    /// How long it has been with the application, up to the clock's last tick.
    pub fn ran_ns(&self) -> u64 {
        self.conn.bill.begun_ns().map_or(0, |begun_ns| self.now_ns().saturating_sub(begun_ns))
    }

    fn now_ns(&self) -> u64 {
        self.facts().2.now_ns()
    }

    /// Adds the request's name to the response head that begins at `start` of the outbox's tail,
    /// unless it is among `fields`, the application's.
    pub(super) fn sign(&mut self, start: usize, fields: Option<&ResponseFields>) {
        if let Some(header) = &self.shared.options.id_header {
            let said = fields.is_some_and(|fields| fields.iter().any(|(name, _)| header.is(name)));
            self.conn.sign(start, Some(header).filter(|_| !said));
        }
    }
}
