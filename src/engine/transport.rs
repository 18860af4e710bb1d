//! TLS as the engine sees it: ciphertext on the socket, plaintext everywhere else. Who encrypts is
//! behind [`Transport`]; who owns the socket, and how much may wait for it, is here.

use std::any::Any;
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use super::herald::Herald;
use super::outbox::Outbox;
use crate::sys::socket::{self, Transfer};

/// Plaintext encrypted at once: four full records (RFC 8446 §5.1).
pub const PIECE_BYTES: usize = 64 * 1024;
/// Ciphertext that waits for its client at most: a piece, what encryption adds to it, and as much
/// again of what the protocol says by itself. Who makes it say more does not listen.
pub const UNSENT_BYTES: usize = 2 * PIECE_BYTES;
/// Most bytes sent for one connection before the others get their turn.
const BYTES_PER_FLUSH: u64 = 8 << 20;
/// So little of what the protocol says waits for what else there is to send: session tickets.
pub(super) const FEW_BYTES: usize = 2 * 1024;
/// A buffer that grew past this is given back once it is empty.
const KEEP_CAPACITY: usize = 8 * 1024;
/// Room for ciphertext that has been received: two full records.
pub(super) const CIPHER_BYTES: usize = 32 * 1024;

/// What became of ciphertext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// So many bytes of plaintext; `more`: there may be more without further ciphertext.
    Bytes {
        /// How many.
        n: usize,
        /// Whether to ask again first.
        more: bool,
    },
    /// None until more ciphertext comes.
    Hungry,
    /// The peer has said its last byte.
    Ended,
}

/// Why a connection can not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The peer does not speak the protocol, or is refused: the library's words.
    Refused(String),
    /// Its stream ended in the middle of things.
    Ragged,
    /// We failed.
    Failed(String),
}

/// One side of an encrypted connection. Touches no socket and never waits for the peer.
pub trait Transport: Send {
    /// Takes all of `ciphertext`, decrypts what fits into `plain` (which has room), and appends
    /// what the protocol itself has to say to `out`, also when it fails.
    ///
    /// # Errors
    /// The connection can't go on; what there is in `out` is still to be sent.
    fn receive(
        &mut self,
        ciphertext: &[u8],
        plain: &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Plain, Fault>;

    /// There will be no more ciphertext: what is hungry now has ended, if that is no fault.
    fn end(&mut self);

    /// Encrypts all of `plain` to the end of `out`.
    ///
    /// # Errors
    /// The connection can't go on.
    fn send(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Fault>;

    /// Appends the protocol's goodbye to `out`, if it is in a state for one.
    fn farewell(&mut self, out: &mut Vec<u8>);

    /// Whether the handshake is complete.
    fn is_established(&self) -> bool;

    /// Who encrypts for somebody else, if anybody can.
    fn herald(&self) -> Option<Arc<dyn Herald>> {
        None
    }

    /// For whoever made it.
    fn as_any(&self) -> &dyn Any;
}

/// Makes a [`Transport`] for each connection, when its first bytes have come.
pub trait Opener: Send + Sync {
    /// One more.
    ///
    /// # Errors
    /// [`Fault::Failed`].
    fn open(&self) -> Result<Box<dyn Transport>, Fault>;
}

impl fmt::Debug for dyn Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}

/// Why nothing was read.
#[derive(Debug)]
pub enum Lost {
    /// The connection's own error.
    Broken,
    /// TLS's.
    Fault(Fault),
}

impl From<io::Error> for Lost {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

/// Reads from `fd` without waiting, through `tls` if there is one. Returns what came, and whether
/// there may be more. `ended`: the poller saw the peer's end, so it is to be read up to that.
pub(super) fn receive(
    fd: BorrowedFd<'_>,
    tls: Option<&mut Secured>,
    ended: bool,
    into: &mut [u8],
    cipher: &mut [u8],
) -> Result<(Transfer, bool), Lost> {
    if let Some(tls) = tls {
        return tls.receive(fd, ended, into, cipher);
    }
    let got = socket::receive(fd, into)?;
    let more = may_have_more(got, into.len(), ended);
    Ok((got, more))
}

/// Whether there may be more than was read where there was `room`. A short read has emptied the socket; what
/// comes later is a new edge. After an end was seen, one reads on until it is found.
pub(super) fn may_have_more(got: Transfer, room: usize, ended: bool) -> bool {
    matches!(got, Transfer::Bytes(n) if n > 0 && (n == room || ended))
}

/// TLS of one connection.
pub struct Secured {
    opener: Arc<dyn Opener>,
    /// None until the first bytes have come: who connects and says nothing costs nothing.
    transport: Option<Box<dyn Transport>>,
    /// Ciphertext on its way out; `unsent[..sent]` has gone.
    unsent: Vec<u8>,
    sent: usize,
    /// Plaintext that was encrypted since somebody asked.
    plain: u64,
    /// There may be plaintext without further ciphertext.
    more: bool,
    /// No more is said: after the goodbye, or a fault.
    silent: bool,
    /// The goodbye follows what is in the outbox.
    parts: bool,
}

impl Secured {
    /// For a connection whose client has said nothing yet.
    pub fn new(opener: Arc<dyn Opener>) -> Self {
        Self {
            opener,
            transport: None,
            unsent: Vec::new(),
            sent: 0,
            plain: 0,
            more: false,
            silent: false,
            parts: false,
        }
    }

    /// Who encrypts, once the client has said something.
    pub fn transport(&self) -> Option<&dyn Transport> {
        self.transport.as_deref()
    }

    /// Whether a handshake has begun and is not complete.
    pub(super) fn is_greeting(&self) -> bool {
        self.transport.as_ref().is_some_and(|transport| !transport.is_established())
    }

    /// Somebody else has read from the connection: there may be more than was known.
    pub fn disturb(&mut self) {
        self.more = true;
    }

    /// Bytes that were encrypted since this was last asked, before they were.
    pub(super) fn take_plain(&mut self) -> u64 {
        std::mem::take(&mut self.plain)
    }

    /// Bytes that wait for the client.
    pub fn unsent(&self) -> usize {
        self.unsent.len() - self.sent
    }

    /// Reads from `fd` without waiting, into `cipher` and decrypted into `into`. Returns what came,
    /// and whether there may be more. `ended`: the poller saw the peer's end.
    ///
    /// # Errors
    /// The connection's own, or TLS's: nothing is to be read any more.
    pub fn receive(
        &mut self,
        fd: BorrowedFd<'_>,
        ended: bool,
        into: &mut [u8],
        cipher: &mut [u8],
    ) -> Result<(Transfer, bool), Lost> {
        loop {
            // Without a look at the socket it may hold more.
            let (mut came, mut emptied, mut over) = (0, false, false);
            if !std::mem::take(&mut self.more) {
                match socket::receive(fd, cipher)? {
                    Transfer::Blocked => return Ok((Transfer::Blocked, false)),
                    Transfer::Bytes(0) => over = true,
                    Transfer::Bytes(n) => (came, emptied) = (n, n < cipher.len() && !ended),
                }
            }
            let transport = match &mut self.transport {
                Some(transport) => transport,
                None if over => return Ok((Transfer::Bytes(0), false)),
                empty => empty.insert(self.opener.open().map_err(Lost::Fault)?),
            };
            if over {
                transport.end();
            }
            let ciphertext = cipher.get(..came).unwrap_or_default();
            let got = transport.receive(ciphertext, into, &mut self.unsent);
            self.silent |= got.is_err();
            // With a request comes its response: one packet for both.
            if !matches!(got, Ok(Plain::Bytes { .. })) || self.unsent() > FEW_BYTES {
                self.pay(fd)?;
            }
            let got = got.map_err(Lost::Fault)?;
            if self.unsent() > UNSENT_BYTES {
                // It makes the protocol talk and does not listen.
                self.silent = true;
                return Err(Lost::Fault(Fault::Refused("the client reads nothing".to_owned())));
            }
            match got {
                Plain::Bytes { n, more } => {
                    self.more = more;
                    return Ok((Transfer::Bytes(n), more || !emptied || over));
                }
                Plain::Ended => return Ok((Transfer::Bytes(0), false)),
                Plain::Hungry if over => return Ok((Transfer::Bytes(0), false)),
                Plain::Hungry => {}
            }
            if came > 0 && emptied {
                return Ok((Transfer::Blocked, false));
            }
        }
    }

    /// Encrypts from `outbox` as much as the socket takes, and little more. Returns how many
    /// bytes went out.
    ///
    /// # Errors
    /// The connection's own, that of a file in the outbox, or TLS takes no more.
    pub fn flush<C: AsRef<[u8]>>(
        &mut self,
        fd: BorrowedFd<'_>,
        outbox: &mut Outbox<C>,
    ) -> io::Result<u64> {
        let mut total = 0;
        if outbox.is_empty() || self.unsent() > FEW_BYTES {
            total = self.pay(fd)?;
        }
        let mut piece = Vec::new();
        while self.unsent() <= FEW_BYTES && !outbox.is_empty() && total < BYTES_PER_FLUSH {
            if self.silent {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            piece.clear();
            outbox.take(PIECE_BYTES, &mut piece)?;
            let Some(transport) = &mut self.transport else {
                return Err(io::ErrorKind::NotConnected.into());
            };
            if transport.send(&piece, &mut self.unsent).is_err() {
                self.silent = true;
                // The peer has said that it takes no more.
                return Err(socket::gone());
            }
            self.plain += piece.len() as u64;
            if self.parts && outbox.is_empty() {
                self.silent = true;
                transport.farewell(&mut self.unsent);
            }
            total += self.pay(fd)?;
        }
        if self.unsent() == 0 && outbox.is_empty() && self.unsent.capacity() > KEEP_CAPACITY {
            self.unsent = Vec::new();
        }
        Ok(total)
    }

    /// Sends what was encrypted, as far as the socket takes it. Returns how many bytes that was.
    pub(super) fn pay(&mut self, fd: BorrowedFd<'_>) -> io::Result<u64> {
        let mut total = 0;
        while self.unsent() > 0 {
            let rest = self.unsent.get(self.sent..).unwrap_or_default();
            match socket::transmit(fd, rest)? {
                Transfer::Bytes(n) => {
                    self.sent += n;
                    total += n as u64;
                }
                Transfer::Blocked => return Ok(total),
            }
        }
        self.unsent.clear();
        self.sent = 0;
        Ok(total)
    }

    /// The goodbye goes out together with the last of what is still to be encrypted.
    pub(super) fn part(&mut self) {
        self.parts = true;
    }

    /// Says goodbye (RFC 8446 §6.1), once, as far as the socket takes it.
    ///
    /// # Errors
    /// The connection's own.
    pub fn farewell(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        if !std::mem::replace(&mut self.silent, true) {
            if let Some(transport) = &mut self.transport {
                transport.farewell(&mut self.unsent);
            }
        }
        self.pay(fd).map(drop)
    }
}
