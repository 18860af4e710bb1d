//! What goes into an outbox comes out of the socket, in order.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use proptest::prelude::*;

use super::outbox::{COPY_UP_TO, Outbox};

#[derive(Clone, Debug)]
enum Step {
    Tail(Vec<u8>),
    Chunk(Vec<u8>, usize),
    File(Vec<u8>),
    Spill(u64),
    Flush,
    Read(usize),
    Take(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let small = proptest::collection::vec(any::<u8>(), 1..400);
    let large = (COPY_UP_TO - 2..COPY_UP_TO * 4, any::<u8>()).prop_map(|(n, b)| vec![b; n]);
    prop_oneof![
        small.clone().prop_map(Step::Tail),
        (large, 1..COPY_UP_TO * 4).prop_map(|(data, len)| Step::Chunk(data, len)),
        small.prop_map(Step::File),
        prop_oneof![Just(u64::MAX), 0..200_000u64].prop_map(Step::Spill),
        Just(Step::Flush),
        (1..200_000usize).prop_map(Step::Read),
        (1..100_000usize).prop_map(Step::Take),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn bytes_arrive_whole_and_in_order(steps in proptest::collection::vec(step(), 1..40)) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let mut outbox = Outbox::<Vec<u8>>::default();
        let (mut expected, mut got) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Tail(data) => {
                    expected.extend_from_slice(&data);
                    outbox.tail().extend_from_slice(&data);
                }
                Step::Chunk(data, len) => {
                    let len = len.min(data.len());
                    expected.extend_from_slice(&data[..len]);
                    outbox.push(data, len);
                }
                Step::File(data) => {
                    expected.extend_from_slice(&data);
                    let mut file = crate::sys::file::unlinked(None).unwrap();
                    file.write_all(b"skipped").unwrap();
                    file.write_all(&data).unwrap();
                    outbox.push_file(file.into(), 7, data.len() as u64);
                }
                Step::Spill(most) => {
                    let before = outbox.spilled();
                    outbox.spill(most, None).unwrap();
                    prop_assert!(outbox.spilled() <= most.max(before));
                }
                Step::Flush => {
                    outbox.flush(ours.as_fd()).unwrap();
                }
                Step::Take(most) => {
                    // What was sent before comes before.
                    let mut buf = vec![0; 1 << 20];
                    while let Ok(n) = theirs.read(&mut buf) {
                        got.extend_from_slice(&buf[..n]);
                    }
                    let had = got.len();
                    outbox.take(most, &mut got).unwrap();
                    prop_assert!(got.len() - had <= most);
                    prop_assert!(got.len() - had == most || outbox.is_empty());
                }
                Step::Read(n) => {
                    let mut buf = vec![0; n];
                    if let Ok(n) = theirs.read(&mut buf) {
                        got.extend_from_slice(&buf[..n]);
                    }
                }
            }
        }
        let mut buf = vec![0; 1 << 20];
        while !outbox.is_empty() {
            outbox.flush(ours.as_fd()).unwrap();
            while let Ok(n) = theirs.read(&mut buf) {
                got.extend_from_slice(&buf[..n]);
            }
        }
        while let Ok(n) = theirs.read(&mut buf) {
            got.extend_from_slice(&buf[..n]);
        }
        prop_assert_eq!(outbox.in_memory(), 0);
        prop_assert_eq!(outbox.spilled(), 0);
        prop_assert!(got == expected);
    }
}

#[test]
fn what_is_spilled_is_not_in_memory() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let mut outbox = Outbox::<Vec<u8>>::default();
    outbox.tail().extend_from_slice(b"head");
    outbox.push(vec![b'x'; 4 << 20], 4 << 20);
    outbox.tail().extend_from_slice(b"tail");
    let sent = outbox.flush(ours.as_fd()).unwrap();
    let left = (4 << 20) + 8 - sent;
    assert!(left > 0);
    // Not a byte more than it may hold, and not in part.
    outbox.spill(left - 1, None).unwrap();
    assert_eq!((outbox.in_memory() as u64, outbox.spilled()), (left, 0));
    outbox.spill(left, None).unwrap();
    assert_eq!((outbox.in_memory() as u64, outbox.spilled()), (0, left));
}

#[test]
fn what_can_not_be_freed_yet_is_held() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let mut outbox = Outbox::<Vec<u8>>::default();
    assert_eq!(outbox.held(), 0);
    outbox.tail().extend_from_slice(b"head");
    outbox.push(vec![b'x'; 4 << 20], 4 << 20);
    outbox.flush(ours.as_fd()).unwrap();
    assert!(outbox.in_memory() < 4 << 20 && outbox.held() >= 4 << 20);
    outbox.spill(u64::MAX, None).unwrap();
    assert_eq!(outbox.held(), 0);
}

#[test]
fn an_empty_one_keeps_little() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let mut outbox = Outbox::<Vec<u8>>::default();
    outbox.push(vec![b'x'; COPY_UP_TO], COPY_UP_TO);
    outbox.slim();
    assert_eq!(outbox.in_memory(), COPY_UP_TO);
    outbox.flush(ours.as_fd()).unwrap();
    assert!(outbox.is_empty() && outbox.held() >= COPY_UP_TO);
    outbox.slim();
    assert_eq!(outbox.held(), 0);
    outbox.tail().extend_from_slice(b"head");
    outbox.flush(ours.as_fd()).unwrap();
    outbox.slim();
    assert!(outbox.held() > 0);
}

#[test]
fn a_file_that_shrank_breaks_the_response() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let mut outbox = Outbox::<Vec<u8>>::default();
    outbox.push_file(crate::sys::file::unlinked(None).unwrap().into(), 0, 5);
    let error = outbox.take(10, &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    let error = outbox.flush(ours.as_fd()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}
