//! Environs of earlier requests, kept to be copied.
//!
//! What a client sends changes little from one request to the next, and what two browsers send
//! differs in values, seldom in names. So the environ of a request whose field names came before,
//! in the same order, is that one with the values that differ set anew: nothing is looked up,
//! joined or grown, and a value that did not change stays the same `str`.

use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::environ::Unfit;
use super::ffi::latin1;
use super::keys::Keys;
use super::variables::{put_method, put_scheme, put_target, put_unix_server, put_version};
use crate::http::{Field, Head, Policy, Span};
use crate::sys::listener::PeerAddr;

/// Sets of field names remembered at most, by each thread.
const MOULDS: usize = 8;

/// Bytes of a head at most: what a client says is not held in memory without bound.
const LONGEST: usize = 8 * 1024;

/// A request whose environ can be made from a mould, or become one.
#[derive(Clone, Copy)]
pub(super) struct Original<'a> {
    /// Number of its listener.
    pub(super) listener: usize,
    /// Path of the unix socket it came through.
    pub(super) unix: Option<&'a str>,
    pub(super) addr: PeerAddr,
    pub(super) head: &'a Head,
    /// What the spans of `head` point into.
    pub(super) bytes: &'a [u8],
    pub(super) policy: &'a Policy,
}

/// What a connection keeps: the environ of its requests as long as they are all the same, with what
/// belongs to the connection.
#[derive(Default)]
pub(super) struct Cast {
    /// Number of the shape of a mould; 0 for none.
    shape: u64,
    /// So many of its last requests were of that shape, one after the other.
    times: u32,
    environ: Option<Py<PyDict>>,
    /// The number of the head of the last of them ([`Head::known`]).
    head: u64,
}

/// Requests of one shape after which a connection keeps their environ: a copy more must be worth it.
const FAMILIAR: u32 = 4;

impl Cast {
    /// A new environ for a request with this head, if it is that of the request before.
    #[inline]
    pub(super) fn again<'py>(
        &self,
        py: Python<'py>,
        head: &Head,
    ) -> Option<PyResult<Bound<'py, PyDict>>> {
        let known = self.environ.as_ref().filter(|_| self.head == head.known.0 && self.head != 0);
        known.map(|environ| environ.bind(py).copy())
    }

    /// A request with this head was of the shape, too.
    pub(super) fn renew(&mut self, head: &Head) {
        self.head = head.known.0;
    }

    /// Takes note of a request of that shape, whose environ is complete. `may_keep`: there is room.
    pub(super) fn note(
        &mut self,
        shape: u64,
        environ: &Bound<'_, PyDict>,
        may_keep: bool,
    ) -> PyResult<()> {
        if shape == 0 || shape != self.shape {
            *self = Self { shape, times: 1, environ: None, head: 0 };
            return Ok(());
        }
        self.times = self.times.saturating_add(1);
        if may_keep && self.times == FAMILIAR {
            self.environ = Some(environ.copy()?.unbind());
        }
        Ok(())
    }
}

/// An environ that was made.
pub(super) enum Made<'py> {
    /// Nothing is missing.
    Whole(Bound<'py, PyDict>),
    /// What belongs to the connection and is not its address is missing. With the number of the mould's
    /// shape, 0 if it is of none.
    Common(Bound<'py, PyDict>, u64),
}

/// Threads that have moulds.
static THREADS: AtomicU64 = AtomicU64::new(0);
/// Each thread has so many numbers for shapes, which last longer than it does.
const SHAPES_BITS: u32 = 40;

/// Those of one thread.
pub(super) struct Moulds {
    kept: Vec<Mould>,
    /// The number that a shape was given last.
    shapes: u64,
    /// What was asked for and not there, the last few times: sets of names that never come again
    /// are not worth keeping.
    missed: [u32; MOULDS],
    misses: usize,
    requests: u64,
}

impl Default for Moulds {
    fn default() -> Self {
        let shapes = THREADS.fetch_add(1, Ordering::Relaxed) << SHAPES_BITS;
        Self { kept: Vec::new(), shapes, missed: [0; MOULDS], misses: 0, requests: 0 }
    }
}

struct Mould {
    /// Of what `environ` says, but for the address: never the same for two.
    shape: u64,
    /// Complete but for what belongs to the connection and is not its address.
    environ: Py<PyDict>,
    /// The keys of `fields`.
    keys: Vec<Py<PyString>>,
    listener: usize,
    addr: PeerAddr,
    line: Line,
    fields: Vec<Field>,
    /// What `line` and `fields` point into.
    bytes: Vec<u8>,
    /// When it was last used.
    used: u64,
    /// `environ` is what `bytes` say. False where setting a value failed half-way.
    sound: bool,
}

/// What a head says beside its fields, as far as the environ shows it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Line {
    method: Span,
    target: Span,
    path: Span,
    query: Span,
    version: (u8, u8),
    https: bool,
    has_script_name: bool,
    script_name: Span,
}

impl Line {
    fn of(head: &Head) -> Self {
        Self {
            method: head.method,
            target: head.target,
            path: head.path,
            query: head.query,
            version: head.version,
            https: head.https,
            has_script_name: head.has_script_name,
            script_name: head.script_name,
        }
    }
}

impl Moulds {
    /// An environ with everything but what [`Moulds::learn`] leaves out, and that, too, if it is in `known`,
    /// the connection's; none where no mould fits. `remote` sets REMOTE_ADDR and REMOTE_PORT of the
    /// client, when they are others than those of the peer it is given.
    pub(super) fn cast<'py>(
        &mut self,
        py: Python<'py>,
        keys: &Keys,
        scratch: &mut Vec<u8>,
        original: &Original<'_>,
        known: &Cast,
        remote: impl FnOnce(&Bound<'py, PyDict>, &PeerAddr) -> PyResult<()>,
    ) -> Result<Option<Made<'py>>, Unfit> {
        self.requests += 1;
        let mut found = None;
        for mould in &mut self.kept {
            let is_same = mould.equals(original);
            if is_same || mould.fits(original) {
                found = Some((mould, is_same));
                break;
            }
        }
        let Some((mould, is_same)) = found else { return Ok(None) };
        mould.used = self.requests;
        if let Some(whole) =
            known.environ.as_ref().filter(|_| is_same && known.shape == mould.shape)
        {
            return Ok(Some(Made::Whole(whole.bind(py).copy()?)));
        }
        if mould.addr != original.addr {
            mould.sound = false;
            remote(mould.environ.bind(py), &mould.addr)?;
            mould.addr = original.addr;
            mould.sound = true;
        }
        if !is_same {
            mould.sound = false;
            mould.adapt(py, keys, scratch, original)?;
            self.shapes += 1;
            mould.shape = self.shapes;
            mould.sound = true;
        }
        Ok(Some(Made::Common(mould.environ.bind(py).copy()?, mould.shape)))
    }

    /// Takes note of a request for which there was no mould. `environ` is its environ, but for the
    /// things of the connection that must not outlive it: the client's socket and what writes on
    /// it are at no time in a mould. `keys` are those of its fields, each another one.
    pub(super) fn learn<'py>(
        &mut self,
        environ: &Bound<'py, PyDict>,
        original: &Original<'_>,
        keys: impl FnOnce() -> PyResult<Vec<Py<PyString>>>,
    ) -> PyResult<()> {
        let Original { head, bytes, .. } = original;
        if head.len > LONGEST || !self.is_again(original) {
            return Ok(());
        }
        self.shapes += 1;
        let mould = Mould {
            shape: self.shapes,
            environ: environ.copy()?.unbind(),
            keys: keys()?,
            listener: original.listener,
            addr: original.addr,
            line: Line::of(head),
            fields: head.fields.clone(),
            bytes: bytes.get(..head.len).unwrap_or_default().to_vec(),
            used: self.requests,
            sound: true,
        };
        if self.kept.len() < MOULDS {
            self.kept.push(mould);
        } else if let Some(oldest) =
            self.kept.iter_mut().min_by_key(|mould| (mould.sound, mould.used))
        {
            *oldest = mould;
        }
        Ok(())
    }

    /// Whether requests of this kind have been missed before.
    fn is_again(&mut self, original: &Original<'_>) -> bool {
        let mut kind = original.head.fields.len() as u32 + original.listener as u32;
        for field in &original.head.fields {
            let name = field.name.of(original.bytes);
            let first = name.first().copied().unwrap_or_default();
            kind = kind.wrapping_mul(31) ^ (name.len() as u32) << 8 ^ u32::from(first);
        }
        let again = self.missed.contains(&kind);
        if !again {
            self.missed[self.misses % MOULDS] = kind;
            self.misses += 1;
        }
        again
    }
}

impl Mould {
    /// Whether its environ is that of the request, but for the address.
    fn equals(&self, original: &Original<'_>) -> bool {
        let Original { head, bytes, .. } = original;
        bytes.get(..head.len) == Some(&self.bytes)
            && self.line == Line::of(head)
            && self.fields == head.fields
            && self.may_serve(original)
    }

    /// Whether the keys of its environ are those that the request's would have.
    fn fits(&self, original: &Original<'_>) -> bool {
        let Original { head, bytes, .. } = original;
        self.fields.len() == head.fields.len()
            && self.may_serve(original)
            && self.fields.iter().zip(&head.fields).all(|(known, field)| {
                known.name.len() == field.name.len()
                    && known.name.of(&self.bytes) == field.name.of(bytes)
            })
            && head.len <= LONGEST
    }

    fn may_serve(&self, original: &Original<'_>) -> bool {
        let is_ip = |addr: &PeerAddr| matches!(addr, PeerAddr::Ip(_));
        self.sound
            && self.listener == original.listener
            && is_ip(&self.addr) == is_ip(&original.addr)
    }

    /// Sets what the request says otherwise. The request fits.
    fn adapt(
        &mut self,
        py: Python<'_>,
        keys: &Keys,
        scratch: &mut Vec<u8>,
        original: &Original<'_>,
    ) -> Result<(), Unfit> {
        let Original { head, bytes, policy, .. } = *original;
        let environ = self.environ.bind(py);
        let known = &self.line;
        if known.method.of(&self.bytes) != head.method.of(bytes) {
            put_method(py, keys, environ, head, bytes)?;
        }
        if known.target.of(&self.bytes) != head.target.of(bytes)
            || known.path.of(&self.bytes) != head.path.of(bytes)
            || known.has_script_name != head.has_script_name
            || known.script_name.of(&self.bytes) != head.script_name.of(bytes)
        {
            put_target(py, keys, environ, head, bytes, policy, scratch)?;
        }
        if known.version != head.version {
            put_version(py, keys, environ, head.version)?;
        }
        if known.https != head.https {
            put_scheme(py, keys, environ, head.https)?;
        }
        let mut is_renamed = known.https != head.https;
        for ((was, field), key) in self.fields.iter().zip(&head.fields).zip(&self.keys) {
            let value = field.value.of(bytes);
            if was.value.of(&self.bytes) != value {
                let key = key.bind(py);
                environ.set_item(key, latin1(py, value)?)?;
                is_renamed |= key.is(&keys.http_host);
            }
        }
        if let Some(path) = original.unix.filter(|_| is_renamed) {
            put_unix_server(py, keys, environ, path, head.field(bytes, "host"), head.https)?;
        }
        self.line = Line::of(head);
        self.fields.clone_from(&head.fields);
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes.get(..head.len).unwrap_or_default());
        Ok(())
    }
}
