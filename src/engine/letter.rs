//! A message of the queue between workers: how it begins, and what whoever reaps a killed worker makes of one.

use std::io;
use std::os::fd::OwnedFd;

use super::parcel::Parcel;
use crate::sys::file;
use crate::sys::handoff::MESSAGE_BYTES;
use crate::sys::leftover::Leftover;
use crate::sys::stray::Stray;

/// A message begins with one of these and the time since when the request waits (u64). The parcel
/// follows, or lies in a file that goes along, and a label follows that has what names the request.
pub(super) const INLINE: u8 = 0;
pub(super) const IN_FILE: u8 = 1;
pub(super) const START_BYTES: usize = 9;
/// No parcel is longer: what is larger of a body lies in a file already.
const PARCEL_BYTES: u64 = 1 << 30;

pub(super) fn start(kind: u8, since_ns: u64) -> [u8; START_BYTES] {
    let mut start = [kind; START_BYTES];
    start[1..].copy_from_slice(&since_ns.to_ne_bytes());
    start
}

pub(super) fn since(message: &[u8]) -> Option<u64> {
    message.get(1..)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes))
}

pub(super) fn open(message: &[u8], fds: &[OwnedFd]) -> io::Result<Option<Parcel>> {
    match message.split_at_checked(START_BYTES).map(|(start, parcel)| (start[0], parcel)) {
        Some((INLINE, parcel)) => Ok(Parcel::read(parcel)),
        Some((IN_FILE, label)) => match (fds.last(), Parcel::read(label)) {
            (Some(file), Some(Parcel { come, is_exact, .. })) => {
                let file = std::fs::File::from(file.try_clone()?);
                let parcel = Parcel::read(&file::contents(&file, PARCEL_BYTES)?);
                Ok(parcel.map(|parcel| Parcel { come, is_exact, ..parcel }))
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// The message about a connection that was found when its worker had been killed, with what had come of its
/// request; `name` is that of its listener. `None`: that is too much for one.
pub fn about_stray(stray: &Stray, name: &str, leftover: &Leftover) -> Option<Vec<u8>> {
    let mut message = start(INLINE, leftover.started_ns).to_vec();
    Parcel::of_stray(stray, name.as_bytes()).write(&mut message);
    message.extend_from_slice(&leftover.come());
    (message.len() <= MESSAGE_BYTES).then_some(message)
}

/// A message that was found where a killed worker had received it, with zeros behind it: without them, and as
/// [`Leftover`] what it is about. `None`: it makes no sense.
pub fn reopened(message: &[u8]) -> Option<(Vec<u8>, Leftover)> {
    let (beginning, parcel) = message.split_at_checked(START_BYTES)?;
    let started_ns = since(message)?;
    let mut again = beginning.to_vec();
    if !matches!(beginning[0], INLINE | IN_FILE) {
        return None;
    }
    let parcel = Parcel::read(parcel)?;
    parcel.write(&mut again);
    let mut come = Leftover::default();
    (come.bytes, come.is_exact) = (parcel.come, parcel.is_exact);
    again.extend_from_slice(&come.come());
    let mut about = Leftover::default();
    about.started_ns = started_ns;
    about.is_sure = true;
    about.peer = parcel.peer.map(|addr| addr.ip());
    about.is_idle = parcel.served > 0 && parcel.inbox.is_empty() && come.bytes.is_empty();
    about.bytes = [parcel.inbox, come.bytes].concat();
    Some((again, about))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::leftover::UNSURE;

    #[test]
    fn a_message_is_found_again_among_zeros() {
        let parcel = Parcel {
            listener: b"127.0.0.1:8000".to_vec(),
            peer: Some("10.0.0.1:4711".parse().unwrap()),
            served: 3,
            inbox: b"GET /a HTTP/1.1\r\n".to_vec(),
            come: b"\r\n".to_vec(),
            ..Parcel::default()
        };
        for kind in [INLINE, IN_FILE] {
            let mut message = start(kind, 7).to_vec();
            parcel.write(&mut message);
            message.extend_from_slice(&parcel.come);
            message.push(UNSURE);
            let mut found = message.clone();
            found.resize(MESSAGE_BYTES, 0);
            let (again, about) = reopened(&found).unwrap();
            assert_eq!(again, message);
            assert_eq!((about.started_ns, about.is_sure, about.is_idle), (7, true, false));
            assert_eq!(about.peer, parcel.peer.map(|addr| addr.ip()));
            assert_eq!(about.words(), (&b"GET"[..], &b"/a"[..]));
        }
        assert_eq!(reopened(&[9; 100]), None);
        assert_eq!(reopened(&[0; 3]), None);
    }
}
