//! A connection with its request as a message to a sibling: bytes here, descriptors beside them.
//!
//! The head goes as the client sent it and is read again over there, which costs less than any
//! other form of it. What was decoded of a body goes as it is.

use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{App, Conn};
use crate::http::{BodyDecoder, Policy, ProxyInfo, ProxyProtocol, Standing};
use crate::sys::leftover::EXACT;
use crate::sys::listener::PeerAddr;
use crate::sys::spool::Spool;
use crate::sys::stray::Stray;

/// Bytes of a head in which its first line usually ends.
const LABEL_BYTES: usize = 4 * 1024;

/// What a connection is at the moment it changes hands.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parcel {
    /// Name of the listener that accepted it.
    pub(super) listener: Vec<u8>,
    /// The peer; `None` for a unix peer.
    pub(super) peer: Option<SocketAddr>,
    /// Requests that were completed on it.
    pub(super) served: u64,
    /// What a PROXY preamble said.
    pub(super) proxy: Option<ProxyInfo>,
    pub(super) preamble_over: bool,
    /// The request was judged and is ready; else whoever gets it judges the bytes.
    pub(super) ready: bool,
    /// The head and what follows it, not yet understood.
    pub(super) inbox: Vec<u8>,
    /// Where the body's decoder stands.
    pub(super) body: Option<Standing>,
    /// Body bytes in memory.
    pub(super) memory: Vec<u8>,
    /// Body bytes in all.
    pub(super) spooled: u64,
    /// Whether a file with body bytes goes along.
    pub(super) has_file: bool,
    /// Whether that is memory.
    pub(super) file_is_memory: bool,
    /// What a worker was receiving on it when it was killed.
    pub(super) come: Vec<u8>,
    /// Nothing is missing from that; else it is to be judged before it is believed.
    pub(super) is_exact: bool,
}

impl Parcel {
    pub(super) fn of<A: App>(conn: &Conn<A>, listener: &[u8], ready: bool) -> Self {
        let (memory, file) = conn.spool.parts();
        Self {
            listener: listener.to_vec(),
            peer: match conn.addr {
                PeerAddr::Ip(addr) => Some(addr),
                PeerAddr::Unix => None,
            },
            served: conn.served,
            proxy: conn.proxy,
            preamble_over: conn.preamble_over,
            ready,
            inbox: conn.head_bytes().to_vec(),
            body: conn.body.as_ref().map(BodyDecoder::standing),
            memory: memory.to_vec(),
            spooled: conn.spool.len(),
            has_file: file.is_some(),
            file_is_memory: conn.spool.is_shareable(),
            ..Self::default()
        }
    }

    /// As much of it as names its request; the rest goes elsewhere.
    pub(super) fn label<A: App>(conn: &Conn<A>, listener: &[u8]) -> Self {
        let head = conn.head_bytes();
        let inbox = head.get(..LABEL_BYTES).unwrap_or(head).to_vec();
        Self { preamble_over: conn.preamble_over, inbox, ..Self::idle(conn, listener) }
    }

    /// The same when nothing of a request is there.
    pub(super) fn idle<A: App>(conn: &Conn<A>, listener: &[u8]) -> Self {
        Self {
            listener: listener.to_vec(),
            peer: match conn.addr {
                PeerAddr::Ip(addr) => Some(addr),
                PeerAddr::Unix => None,
            },
            served: conn.served.max(1),
            proxy: conn.proxy,
            preamble_over: true,
            ..Self::default()
        }
    }

    /// Of a connection that was found when its worker had been killed.
    pub(super) fn of_stray(stray: &Stray, listener: &[u8]) -> Self {
        Self {
            listener: listener.to_vec(),
            peer: match stray.addr {
                PeerAddr::Ip(addr) => Some(addr),
                PeerAddr::Unix => None,
            },
            served: stray.has_been_served.into(),
            preamble_over: stray.has_been_served,
            ..Self::default()
        }
    }

    /// Descriptors that go along: the socket, then the file.
    pub(super) fn descriptors<A: App>(conn: &Conn<A>) -> Vec<BorrowedFd<'_>> {
        let file = conn.spool.parts().1.map(AsFd::as_fd);
        conn.socket().into_iter().chain(file).collect()
    }

    /// Moves everything but socket and addresses into `conn`. False: the bytes make no sense.
    pub(super) fn unpack<A: App>(
        self,
        conn: &mut Conn<A>,
        file: Option<OwnedFd>,
        policy: &Policy,
    ) -> bool {
        if self.has_file != file.is_some() {
            return false;
        }
        conn.served = self.served;
        conn.proxy = self.proxy;
        conn.preamble_over = self.preamble_over;
        conn.inbox = self.inbox;
        conn.inbox.extend_from_slice(&self.come);
        conn.filled = conn.inbox.len();
        let file = file.map(File::from);
        match Spool::from_parts(self.memory, file, self.file_is_memory, self.spooled) {
            Ok(spool) => conn.spool = spool,
            // It is no file.
            Err(_) => return false,
        }
        match self.body.map(|standing| BodyDecoder::resume(standing, policy)) {
            None => conn.body = None,
            Some(None) => return false,
            Some(decoder) => conn.body = decoder,
        }
        true
    }

    pub(super) fn write(&self, into: &mut Vec<u8>) {
        let mut out = Writer(into);
        out.bytes(&self.listener);
        out.text(self.peer);
        out.number(self.served);
        out.number(u64::from(self.proxy.is_some()));
        if let Some(proxy) = &self.proxy {
            out.text(proxy.source);
            out.text(proxy.destination);
            out.number(
                PROTOCOLS.iter().position(|known| *known == proxy.protocol).unwrap_or(0) as u64
            );
        }
        out.number(u64::from(self.preamble_over));
        out.number(u64::from(self.ready));
        out.bytes(&self.inbox);
        out.number(u64::from(self.body.is_some()));
        if let Some(body) = &self.body {
            out.number(u64::from(body.kind));
            out.number(body.left);
            out.bytes(&body.partial);
            out.number(body.trailers.len() as u64);
            for (name, value) in &body.trailers {
                out.bytes(name);
                out.bytes(value);
            }
        }
        out.bytes(&self.memory);
        out.number(self.spooled);
        out.number(u64::from(self.has_file));
        out.number(u64::from(self.file_is_memory));
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader(bytes);
        let parcel = Self {
            listener: from.bytes()?,
            peer: from.text()?,
            served: from.number()?,
            proxy: match from.flag()? {
                false => None,
                true => Some(ProxyInfo {
                    source: from.text()?,
                    destination: from.text()?,
                    protocol: *PROTOCOLS.get(usize::try_from(from.number()?).ok()?)?,
                }),
            },
            preamble_over: from.flag()?,
            ready: from.flag()?,
            inbox: from.bytes()?,
            body: match from.flag()? {
                false => None,
                true => Some(Standing {
                    kind: u8::try_from(from.number()?).ok()?,
                    left: from.number()?,
                    partial: from.bytes()?,
                    trailers: from.trailers()?,
                }),
            },
            memory: from.bytes()?,
            spooled: from.number()?,
            has_file: from.flag()?,
            file_is_memory: from.flag()?,
            ..Self::default()
        };
        // Zeros are at the end where a message was found in memory.
        let last = from.0.iter().rposition(|byte| *byte != 0);
        let Some((come, mark)) = last.and_then(|last| Some((from.0.get(..last)?, from.0[last])))
        else {
            return Some(parcel);
        };
        Some(Self { come: come.to_vec(), is_exact: mark == EXACT, ..parcel })
    }
}

const PROTOCOLS: [ProxyProtocol; 4] =
    [ProxyProtocol::Tcp4, ProxyProtocol::Tcp6, ProxyProtocol::Local, ProxyProtocol::Unknown];

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_ne_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, addr: Option<SocketAddr>) {
        self.bytes(addr.map(|addr| addr.to_string()).unwrap_or_default().as_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_ne_bytes(*number))
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.number()? != 0)
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let len = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes.to_vec())
    }

    /// An address; the inner `None` where none was sent.
    fn text(&mut self) -> Option<Option<SocketAddr>> {
        let text = String::from_utf8(self.bytes()?).ok()?;
        if text.is_empty() { Some(None) } else { Some(Some(text.parse().ok()?)) }
    }

    fn trailers(&mut self) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let count = self.number()?;
        (0..count).map(|_| Some((self.bytes()?, self.bytes()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::leftover::UNSURE;

    #[test]
    fn comes_back_as_it_went_in_and_never_in_part() {
        let parcel = Parcel {
            listener: b"127.0.0.1:8000".to_vec(),
            peer: Some("[::1]:4711".parse().unwrap()),
            served: 3,
            proxy: Some(ProxyInfo {
                source: Some("10.0.0.1:5".parse().unwrap()),
                destination: None,
                protocol: ProxyProtocol::Unknown,
            }),
            preamble_over: true,
            ready: true,
            inbox: b"GET / HTTP/1.1\r\n\r\nGET".to_vec(),
            body: Some(Standing {
                kind: 5,
                left: 2,
                partial: b"ab".to_vec(),
                trailers: vec![(b"X".to_vec(), b"y".to_vec())],
            }),
            memory: vec![0; 100],
            spooled: 100,
            has_file: true,
            file_is_memory: true,
            come: b"GET\0\0".to_vec(),
            is_exact: true,
        };
        let mut bytes = Vec::new();
        parcel.write(&mut bytes);
        // The master adds it (`src/sys/vault.rs`).
        let whole = [&bytes[..], &parcel.come, &[EXACT], &[0; 5]].concat();
        assert_eq!(Parcel::read(&whole).as_ref(), Some(&parcel));
        let unsure = [&bytes[..], &parcel.come, &[UNSURE]].concat();
        assert_eq!(Parcel::read(&unsure), Some(Parcel { is_exact: false, ..parcel }));
        for len in 0..bytes.len() {
            assert_eq!(Parcel::read(&bytes[..len]), None);
        }
        let mut bytes = Vec::new();
        Parcel::default().write(&mut bytes);
        assert_eq!(Parcel::read(&bytes), Some(Parcel::default()));
    }
}
