//! The uwsgi protocol (nginx's `uwsgi_pass`): a packet of CGI variables in the place of a head.
//!
//! ```text
//! modifier1 · size (u16) · modifier2 · [ size (u16) · name · size (u16) · value ]… · body
//! ```
//!
//! Sizes are little-endian. A packet becomes a [`Head`], so that everything behind the parser is
//! the same for both protocols. Variables are the proxy's word, and only peers that
//! `uwsgi_allow_ips` names may speak; but the values of `HTTP_*` are the client's.

use super::cgi::{Said, is_header};
use super::head::Head;
use super::span::Span;
use super::{ParseError, Peer, Policy};

const HEADER: usize = 4;
/// The size has 16 bits.
pub(super) const LONGEST: usize = HEADER + u16::MAX as usize;
/// As in Gunicorn.
const MAX_VARS: usize = 1000;

/// Whether `peer` may speak, when the protocol is uwsgi at all.
///
/// # Errors
/// It is not in `uwsgi_allow_ips`.
pub fn admit(peer: &Peer, policy: &Policy) -> Result<(), ParseError> {
    match (&policy.uwsgi, peer) {
        (Some(allowed), Peer::Ip(ip)) if !allowed.allows(peer) => {
            Err(ParseError::ForbiddenUwsgiRequest(ip.to_string()))
        }
        _ => Ok(()),
    }
}

/// Names and values of the variables of a packet that was accepted, in its order. A name that
/// became a field's is given as the proxy wrote it.
pub fn vars(packet: &[u8]) -> impl Iterator<Item = (Vec<u8>, &[u8])> {
    let packet = packet.get(..packet_len(packet)).unwrap_or_default();
    Vars { buf: packet, at: HEADER, count: 0 }.map_while(Result::ok).map(|(name, value)| {
        let mut name = name.of(packet).to_vec();
        if is_header(&name) {
            name.iter_mut().filter(|byte| **byte == b'-').for_each(|byte| *byte = b'_');
        }
        (name, value.of(packet))
    })
}

/// Reads the packet at the start of `buf` into `head`; false when it is not all there.
///
/// Header names in `buf` are rewritten from CGI's spelling into HTTP's. Reading the outcome again
/// gives the same.
pub(super) fn read(buf: &mut [u8], policy: &Policy, head: &mut Head) -> Result<bool, ParseError> {
    head.clear();
    match buf.first() {
        None => return Ok(false),
        Some(0) => {}
        Some(&modifier) => return Err(ParseError::UnsupportedModifier(modifier)),
    }
    let len = packet_len(buf);
    let Some(packet) = buf.get_mut(..len) else { return Ok(false) };
    head.uwsgi = true;
    head.len = len;
    let pairs: Vec<_> = Vars { buf: packet, at: HEADER, count: 0 }.collect::<Result<_, _>>()?;
    let mut said = Said::default();
    for (name, value) in pairs {
        said.take(packet, name, value, head)?;
    }
    said.conclude(packet, policy, head)?;
    Ok(true)
}

/// Bytes of the packet that begins so; more than there are until its size has come.
fn packet_len(buf: &[u8]) -> usize {
    match buf {
        [_, low, high, ..] => HEADER + usize::from(u16::from_le_bytes([*low, *high])),
        _ => HEADER,
    }
}

/// The variables of a packet, as spans.
struct Vars<'a> {
    buf: &'a [u8],
    at: usize,
    count: usize,
}

impl Vars<'_> {
    fn text(&mut self, no_size: &'static str, no_text: &'static str) -> Result<Span, ParseError> {
        let rest = self.buf.get(self.at..).unwrap_or_default();
        let Some((size, rest)) = rest.split_first_chunk::<2>() else {
            return Err(ParseError::InvalidUwsgiHeader(no_size));
        };
        let size = usize::from(u16::from_le_bytes(*size));
        if size > rest.len() {
            return Err(ParseError::InvalidUwsgiHeader(no_text));
        }
        let start = self.at + 2;
        self.at = start + size;
        Ok(Span::new(start, self.at))
    }
}

impl Iterator for Vars<'_> {
    type Item = Result<(Span, Span), ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.buf.len() {
            return None;
        }
        if self.count == MAX_VARS {
            return Some(Err(ParseError::InvalidUwsgiHeader("too many variables")));
        }
        self.count += 1;
        let name = self.text("truncated key size", "truncated key");
        Some(
            name.and_then(|name| Ok((name, self.text("truncated value size", "truncated value")?))),
        )
    }
}

#[cfg(test)]
#[path = "test_uwsgi.rs"]
mod tests;
