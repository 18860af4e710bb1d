//! What a client sends is read, what it is sent is bounded, whoever encrypts.

use std::any::Any;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::sync::Arc;

use proptest::prelude::*;

use super::outbox::Outbox;
use super::transport::{
    FEW_BYTES, Fault, Lost, Opener, PIECE_BYTES, Plain, Secured, Transport, UNSENT_BYTES,
};
use crate::sys::socket::Transfer;

const KEY: u8 = 0x55;
const BROKEN: u8 = 0xff;

/// Turns bits around; answers each `?`, refuses [`BROKEN`].
#[derive(Default)]
struct Toy {
    held: Vec<u8>,
    ended: bool,
}

impl Transport for Toy {
    fn receive(
        &mut self,
        ciphertext: &[u8],
        plain: &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Plain, Fault> {
        self.held.extend(ciphertext.iter().map(|byte| byte ^ KEY));
        out.extend(ciphertext.iter().filter(|byte| **byte ^ KEY == b'?').map(|_| b'!' ^ KEY));
        if ciphertext.contains(&BROKEN) {
            out.push(b'#' ^ KEY);
            return Err(Fault::Refused("broken".to_owned()));
        }
        let n = self.held.len().min(plain.len());
        plain[..n].copy_from_slice(&self.held[..n]);
        self.held.drain(..n);
        match n {
            0 if self.ended => Ok(Plain::Ended),
            0 => Ok(Plain::Hungry),
            n => Ok(Plain::Bytes { n, more: !self.held.is_empty() }),
        }
    }

    fn end(&mut self) {
        self.ended = true;
    }

    fn send(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        out.extend(plain.iter().map(|byte| byte ^ KEY));
        Ok(())
    }

    fn farewell(&mut self, out: &mut Vec<u8>) {
        out.push(b'.' ^ KEY);
    }

    fn is_established(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct Toys;

impl Opener for Toys {
    fn open(&self) -> Result<Box<dyn Transport>, Fault> {
        Ok(Box::new(Toy::default()))
    }
}

fn pair() -> (UnixStream, UnixStream, Secured) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    (ours, theirs, Secured::new(Arc::new(Toys)))
}

fn heard(theirs: &mut UnixStream) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 20];
    let n = theirs.read(&mut bytes).unwrap_or(0);
    bytes[..n].iter().map(|byte| byte ^ KEY).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// "Nothing more for now" is only said of an empty socket: nobody would look again.
    #[test]
    fn all_that_came_is_read(
        writes in proptest::collection::vec(1..5000usize, 1..20),
        (room, cipher) in (1..3000usize, 1..3000usize),
        ends: bool,
    ) {
        let (ours, mut theirs, mut tls) = pair();
        let total: usize = writes.iter().sum();
        for n in writes {
            theirs.write_all(&vec![b'a' ^ KEY; n]).unwrap();
        }
        if ends {
            drop(theirs);
        }
        let (mut space, mut cipher) = (vec![0; room], vec![0; cipher]);
        let mut got = 0;
        loop {
            match tls.receive(ours.as_fd(), ends, &mut space, &mut cipher).unwrap() {
                (Transfer::Bytes(0), _) => {
                    prop_assert!(ends);
                    break;
                }
                (Transfer::Bytes(n), more) => {
                    got += n;
                    if !more {
                        break;
                    }
                }
                (Transfer::Blocked, more) => {
                    prop_assert!(!more);
                    break;
                }
            }
        }
        prop_assert_eq!(got, total);
    }
}

#[test]
fn a_slow_client_gets_all_and_makes_us_hold_little() {
    let (ours, mut theirs, mut tls) = pair();
    let (mut space, mut cipher) = ([0; 10], [0; 10]);
    theirs.write_all(&[b'a' ^ KEY]).unwrap();
    tls.receive(ours.as_fd(), false, &mut space, &mut cipher).unwrap();
    let mut outbox = Outbox::<Vec<u8>>::default();
    let body: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    outbox.push(body.clone(), body.len());
    let mut got = Vec::new();
    while got.len() < body.len() {
        tls.flush(ours.as_fd(), &mut outbox).unwrap();
        assert!(tls.unsent() <= PIECE_BYTES + FEW_BYTES);
        got.append(&mut heard(&mut theirs));
    }
    assert!(outbox.is_empty() && tls.unsent() == 0);
    assert!(got == body);
    tls.farewell(ours.as_fd()).unwrap();
    tls.farewell(ours.as_fd()).unwrap();
    assert_eq!(heard(&mut theirs), b".");
}

#[test]
fn what_the_protocol_says_leaves_with_the_response() {
    // One read is one packet.
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let mut theirs = UnixStream::from(OwnedFd::from(theirs));
    let mut tls = Secured::new(Arc::new(Toys));
    let (mut space, mut cipher) = ([0; 10], [0; 10]);
    theirs.write_all(&[b'?' ^ KEY]).unwrap();
    tls.receive(ours.as_fd(), false, &mut space, &mut cipher).unwrap();
    assert_eq!(heard(&mut theirs), b"");
    let mut outbox = Outbox::<Vec<u8>>::default();
    outbox.tail().extend_from_slice(b"first");
    tls.flush(ours.as_fd(), &mut outbox).unwrap();
    assert_eq!(heard(&mut theirs), b"!first");
    outbox.tail().extend_from_slice(b"last");
    tls.part();
    tls.flush(ours.as_fd(), &mut outbox).unwrap();
    assert_eq!(heard(&mut theirs), b"last.");
    tls.farewell(ours.as_fd()).unwrap();
    assert_eq!(heard(&mut theirs), b"");
}

#[test]
fn a_fault_is_told_and_silences() {
    let (ours, mut theirs, mut tls) = pair();
    let (mut space, mut cipher) = ([0; 10], [0; 10]);
    theirs.write_all(&[b'?' ^ KEY, BROKEN]).unwrap();
    let lost = tls.receive(ours.as_fd(), false, &mut space, &mut cipher).unwrap_err();
    assert!(matches!(lost, Lost::Fault(Fault::Refused(_))));
    tls.farewell(ours.as_fd()).unwrap();
    assert_eq!(heard(&mut theirs), b"!#");
    let mut outbox = Outbox::<Vec<u8>>::default();
    outbox.tail().push(b'x');
    assert!(tls.flush(ours.as_fd(), &mut outbox).is_err());
}

#[test]
fn who_makes_the_protocol_talk_and_does_not_listen_is_left() {
    let (ours, mut theirs, mut tls) = pair();
    let (mut space, mut cipher) = (vec![0; 70_000], vec![0; 70_000]);
    for _ in 0..1000 {
        let _ = theirs.write(&[b'?' ^ KEY; 60_000]);
        if tls.receive(ours.as_fd(), false, &mut space, &mut cipher).is_err() {
            assert!(tls.unsent() <= UNSENT_BYTES + 70_000);
            return;
        }
    }
    panic!("it was listened to for ever");
}
