//! One connection to the status process.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::poll::PollFlags;

use super::question::{Ear, Question};
use crate::http::Policy;
use crate::sys::socket::{Transfer, end_writing, receive, transmit};

const MILLISECOND_NS: u64 = 1_000_000;
/// A client that has said nothing for so long is one that waits for us to speak first, as uWSGI
/// does.
const SILENCE_NS: u64 = 250 * MILLISECOND_NS;
/// From the connection to the end of the request's head.
const ASKING_NS: u64 = 5_000 * MILLISECOND_NS;
/// For taking the answer.
const ANSWERING_NS: u64 = 10_000 * MILLISECOND_NS;
/// For closing after it.
const LEAVING_NS: u64 = 1_000 * MILLISECOND_NS;
/// What is read, and thrown away, after the request: closing a socket with unread bytes in it would
/// reset the connection, and the answer with it.
const IGNORED: usize = 64 * 1024;

/// How far a connection is; the further, the more is lost when it is given up for a newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It has said nothing yet.
    Silent,
    /// A head is on its way.
    Asking,
    /// All was said; it may close.
    Leaving,
    /// An answer is on its way.
    Answering,
}

/// Who gives the answers.
pub(super) trait Host {
    /// The answer to a question; to none, what is said first.
    fn answer(&mut self, question: Option<Question>) -> Vec<u8>;
}

#[derive(Debug)]
pub(super) struct Guest {
    socket: OwnedFd,
    pub(super) phase: Phase,
    pub(super) since_ns: u64,
    /// When the phase is over, whatever comes.
    pub(super) due_ns: u64,
    ear: Ear,
    out: Vec<u8>,
    sent: usize,
    ignored: usize,
}

impl Guest {
    /// Somebody who has just connected.
    pub(super) fn new(socket: OwnedFd, now_ns: u64) -> Self {
        Self {
            socket,
            phase: Phase::Silent,
            since_ns: now_ns,
            due_ns: now_ns + SILENCE_NS,
            ear: Ear::default(),
            out: Vec::new(),
            sent: 0,
            ignored: 0,
        }
    }

    /// What it waits for.
    pub(super) fn interest(&self) -> PollFlags {
        match self.phase {
            Phase::Answering => PollFlags::POLLOUT,
            _ => PollFlags::POLLIN,
        }
    }

    /// Bytes that wait to be sent.
    pub(super) fn burden(&self) -> usize {
        self.out.len()
    }

    /// Goes on as far as it can without waiting. False: it is over, close.
    pub(super) fn step(&mut self, now_ns: u64, policy: &Policy, host: &mut impl Host) -> bool {
        if matches!(self.phase, Phase::Silent | Phase::Asking) && !self.listen(now_ns, policy, host)
        {
            return false;
        }
        if self.phase == Phase::Answering && !self.send(now_ns) {
            return false;
        }
        if self.phase == Phase::Leaving && !self.ignore() {
            return false;
        }
        now_ns < self.due_ns
    }

    fn listen(&mut self, now_ns: u64, policy: &Policy, host: &mut impl Host) -> bool {
        let mut buffer = [0; 4096];
        let question = match receive(self.socket.as_fd(), &mut buffer) {
            // Half a request is none.
            Ok(Transfer::Bytes(0)) if self.phase == Phase::Asking => return false,
            // It will not speak, and may listen.
            Ok(Transfer::Bytes(0)) => None,
            Ok(Transfer::Bytes(n)) => {
                if self.phase == Phase::Silent {
                    (self.phase, self.due_ns) = (Phase::Asking, self.since_ns + ASKING_NS);
                }
                let heard = self.ear.hear(buffer.get(..n).unwrap_or_default(), policy);
                if heard.is_none() {
                    return true;
                }
                heard
            }
            Ok(Transfer::Blocked) if self.phase == Phase::Silent && now_ns >= self.due_ns => None,
            Ok(Transfer::Blocked) => return true,
            Err(_) => return false,
        };
        self.out = host.answer(question);
        (self.phase, self.due_ns) = (Phase::Answering, now_ns + ANSWERING_NS);
        true
    }

    fn send(&mut self, now_ns: u64) -> bool {
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match transmit(self.socket.as_fd(), rest) {
                Ok(Transfer::Bytes(n)) => self.sent += n,
                Ok(Transfer::Blocked) => return true,
                Err(_) => return false,
            }
        }
        self.out = Vec::new();
        end_writing(self.socket.as_fd());
        (self.phase, self.due_ns) = (Phase::Leaving, now_ns + LEAVING_NS);
        true
    }

    fn ignore(&mut self) -> bool {
        let mut buffer = [0; 4096];
        while self.ignored < IGNORED {
            match receive(self.socket.as_fd(), &mut buffer) {
                Ok(Transfer::Bytes(0)) | Err(_) => return false,
                Ok(Transfer::Bytes(n)) => self.ignored += n,
                Ok(Transfer::Blocked) => return true,
            }
        }
        false
    }
}

impl AsFd for Guest {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::status::question::{Page, policy};

    struct Answers(Vec<u8>);

    impl Host for Answers {
        fn answer(&mut self, question: Option<Question>) -> Vec<u8> {
            let text = format!("{:?}", question.map(|question| question.page));
            [text.into_bytes(), self.0.clone()].concat()
        }
    }

    fn pair() -> (Guest, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Guest::new(ours.into(), 0), theirs)
    }

    fn text(mut stream: UnixStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn who_asks_is_answered_and_who_does_not_is_told() {
        let (policy, mut host) = (policy(), Answers(Vec::new()));
        let (mut guest, mut client) = pair();
        client.write_all(b"GET /stats HTTP/1.1\r\nHost: x\r\n\r").unwrap();
        assert!(guest.step(1, &policy, &mut host) && guest.phase == Phase::Asking);
        client.write_all(b"\n").unwrap();
        assert!(guest.step(2, &policy, &mut host) && guest.phase == Phase::Leaving);
        assert_eq!(text(client), format!("{:?}", Some(Page::Stats)));
        assert!(!guest.step(3, &policy, &mut host));

        let (mut guest, client) = pair();
        assert!(guest.step(SILENCE_NS - 1, &policy, &mut host) && guest.phase == Phase::Silent);
        assert!(guest.step(SILENCE_NS, &policy, &mut host) && guest.phase == Phase::Leaving);
        assert_eq!(text(client), "None");
    }

    #[test]
    fn nobody_stays_for_ever() {
        let (policy, mut host) = (policy(), Answers(vec![7; 4 << 20]));
        let (mut guest, mut client) = pair();
        client.write_all(b"GET /st").unwrap();
        assert!(guest.step(1, &policy, &mut host));
        client.write_all(b"a").unwrap();
        assert!(guest.step(ASKING_NS - 1, &policy, &mut host));
        assert!(!guest.step(ASKING_NS, &policy, &mut host));

        let (mut guest, mut client) = pair();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        assert!(guest.step(1, &policy, &mut host) && guest.phase == Phase::Answering);
        assert!(guest.burden() > 1 << 20);
        assert!(guest.step(ANSWERING_NS, &policy, &mut host));
        assert!(!guest.step(ANSWERING_NS + 1, &policy, &mut host));

        let (mut guest, mut client) = pair();
        host.0.clear();
        client.write_all(b"POST / HTTP/1.1\r\n\r\n").unwrap();
        assert!(guest.step(1, &policy, &mut host) && guest.phase == Phase::Leaving);
        client.write_all(&[0; 60_000]).unwrap();
        assert!(guest.step(2, &policy, &mut host));
        client.write_all(&[0; 60_000]).unwrap();
        assert!(!guest.step(3, &policy, &mut host));
    }

    #[test]
    fn half_a_request_is_none() {
        let (policy, mut host) = (policy(), Answers(Vec::new()));
        let (mut guest, mut client) = pair();
        client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        assert!(guest.step(1, &policy, &mut host));
        drop(client);
        assert!(!guest.step(2, &policy, &mut host));
    }
}
