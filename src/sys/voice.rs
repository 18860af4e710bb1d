//! Who speaks to the client of one request: the thread that runs it, or the watch that has seen it
//! pass its deadline. One atomic decides, so that a client gets one answer and the log one line.
//!
//! The watch speaks through a duplicate of the connection's descriptor. Whoever is entitled to it by
//! the state takes it out of its cell: the number is never used after somebody has closed it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};

use super::socket::{self, Transfer};

/// Nothing of a response has been sent.
const SILENT: u8 = 0;
/// The request's thread has begun to answer.
const SPEAKING: u8 = 1;
/// It has written its access line; it is not quite done.
const LOGGED: u8 = 2;
/// The watch has answered.
const ANSWERED: u8 = 3;
/// The watch has cut the connection in the middle of the response.
const CUT: u8 = 4;
/// The watch has cut the connection after the access line.
const LATE: u8 = 5;
/// The request is over.
const OVER: u8 = 6;

/// What the watch did to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overruled {
    /// It has sent its page.
    Answered,
    /// Nothing had been sent, and its page could not be: the connection was cut.
    Unheard,
    /// Something had been sent before: the connection was cut.
    Cut,
    /// The access line had been written before; the connection was cut.
    Late,
}

/// One request's right to speak.
#[derive(Debug)]
pub struct Voice {
    state: AtomicU8,
    fd: AtomicI32,
}

impl Voice {
    /// For a request on the connection `socket`. `free`: nothing is on its way to the client.
    ///
    /// # Errors
    /// EMFILE.
    pub fn new(socket: BorrowedFd<'_>, free: bool) -> io::Result<Self> {
        let fd = socket.try_clone_to_owned()?.into_raw_fd();
        let state = AtomicU8::new(if free { SILENT } else { SPEAKING });
        Ok(Self { state, fd: AtomicI32::new(fd) })
    }

    /// The request's thread is about to send something. False: it must not any more.
    pub fn speak(&self) -> bool {
        match self.change(SILENT, SPEAKING) {
            Ok(_) => true,
            Err(state) => matches!(state, SPEAKING | LOGGED),
        }
    }

    /// The request's thread is about to write its access line. False: there is one already.
    pub fn log(&self) -> bool {
        self.change(SILENT, LOGGED).is_ok() || self.change(SPEAKING, LOGGED).is_ok()
    }

    /// The request is over, for its thread. Tells what the watch did meanwhile, if anything.
    pub fn end(&self) -> Option<Overruled> {
        match self.state.swap(OVER, Ordering::AcqRel) {
            ANSWERED => Some(Overruled::Answered),
            CUT => Some(Overruled::Cut),
            LATE => Some(Overruled::Late),
            OVER => None,
            _ => {
                // It was ours alone: the watch takes it after it has changed the state only.
                drop(self.take());
                None
            }
        }
    }

    /// Whether the request's thread is done with it.
    pub fn is_over(&self) -> bool {
        self.state.load(Ordering::Acquire) == OVER
    }

    /// Whether the watch has taken it.
    pub fn is_overruled(&self) -> bool {
        matches!(self.state.load(Ordering::Acquire), ANSWERED | CUT | LATE)
    }

    /// The watch takes the request from its thread. `answers`: it has a page. None: it is over, or taken
    /// already.
    pub fn overrule(&self, answers: bool) -> Option<Seized> {
        let first = if answers { ANSWERED } else { CUT };
        let ways = [(SILENT, first), (SPEAKING, CUT), (LOGGED, LATE)];
        let (stage, _) = ways.into_iter().find(|(from, to)| self.change(*from, *to).is_ok())?;
        // Always there: the thread leaves it to whoever has changed the state.
        Some(Seized { fd: self.take(), stage, answers })
    }

    fn change(&self, from: u8, to: u8) -> Result<u8, u8> {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
    }

    fn take(&self) -> Option<OwnedFd> {
        let fd = self.fd.swap(-1, Ordering::AcqRel);
        // SAFETY: the number was put there by `new`, which owned it, and nobody else can have got
        // it out of the swap.
        (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// What the watch has taken: our side of the connection, until it is answered or dropped, which cuts it.
#[derive(Debug)]
pub struct Seized {
    fd: Option<OwnedFd>,
    /// Where the request stood.
    stage: u8,
    answers: bool,
}

impl Seized {
    /// Whether nothing was sent, and a page is to be.
    pub fn is_unanswered(&self) -> bool {
        self.stage == SILENT && self.answers
    }

    /// Sends `page`, and ends our side of the connection; or cuts it, if the page does not fit into the
    /// socket. Does not wait.
    pub fn answer(mut self, page: &[u8]) -> Overruled {
        let whole = |fd: &OwnedFd| matches!(socket::transmit(fd.as_fd(), page), Ok(Transfer::Bytes(n)) if n == page.len());
        if self.is_unanswered() && self.fd.as_ref().is_some_and(whole) {
            // The client may still send: its end is not ours to make.
            self.fd.take().iter().for_each(|fd| socket::end_writing(fd.as_fd()));
            return Overruled::Answered;
        }
        self.cut()
    }

    /// Ends the connection.
    pub fn cut(self) -> Overruled {
        match self.stage {
            SILENT => Overruled::Unheard,
            LOGGED => Overruled::Late,
            _ => Overruled::Cut,
        }
    }
}

impl Drop for Seized {
    fn drop(&mut self) {
        if let Some(fd) = &self.fd {
            socket::cut(fd.as_fd());
        }
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        drop(self.take());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn overrule(voice: &Voice, page: Option<&[u8]>) -> Option<Overruled> {
        let seized = voice.overrule(page.is_some())?;
        Some(match page.filter(|_| seized.is_unanswered()) {
            Some(page) => seized.answer(page),
            None => seized.cut(),
        })
    }

    fn read_all(stream: &mut UnixStream) -> Vec<u8> {
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        got
    }

    #[test]
    fn the_watch_answers_in_silence() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let voice = Voice::new(ours.as_fd(), true).unwrap();
        assert_eq!(overrule(&voice, Some(b"page")), Some(Overruled::Answered));
        // Half-closed, though our own descriptor is still open.
        assert_eq!(read_all(&mut theirs), b"page");
        assert!(voice.is_overruled() && !voice.speak() && !voice.log());
        assert_eq!(overrule(&voice, Some(b"page")), None);
        assert_eq!(voice.end(), Some(Overruled::Answered));
        assert!(voice.is_over());
        assert_eq!(voice.end(), None);
    }

    #[test]
    fn what_has_begun_is_cut() {
        use Overruled::{Cut, Unheard};
        for (free, speaks, page, told) in [
            (false, false, Some(&b"page"[..]), Cut),
            (true, true, Some(b"page"), Cut),
            (true, false, None, Unheard),
        ] {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let voice = Voice::new(ours.as_fd(), free).unwrap();
            assert!(!speaks || voice.speak());
            assert_eq!(overrule(&voice, page), Some(told));
            assert_eq!(read_all(&mut theirs), b"");
            assert!(!voice.log());
            assert_eq!(voice.end(), Some(Overruled::Cut));
        }
    }

    #[test]
    fn the_line_is_written_once() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let voice = Voice::new(ours.as_fd(), true).unwrap();
        assert!(voice.speak() && voice.log() && !voice.log() && voice.speak());
        assert_eq!(overrule(&voice, Some(b"page")), Some(Overruled::Late));
        assert_eq!(read_all(&mut theirs), b"");
        assert_eq!(voice.end(), Some(Overruled::Late));
    }

    #[test]
    fn a_request_that_is_over_is_left_alone_and_holds_no_descriptor() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let voice = Voice::new(ours.as_fd(), true).unwrap();
        drop(ours);
        assert!(voice.speak());
        assert_eq!(voice.end(), None);
        assert_eq!(read_all(&mut theirs), b"");
        assert_eq!(overrule(&voice, Some(b"page")), None);
        assert!(!voice.log() && !voice.is_overruled());
    }

    #[test]
    fn one_of_two_wins() {
        for _ in 0..200 {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let voice = Voice::new(ours.as_fd(), true).unwrap();
            let (logs, overruled) = std::thread::scope(|scope| {
                let watch = scope.spawn(|| overrule(&voice, Some(b"page")));
                let logs = voice.speak() && voice.log();
                (logs, watch.join().unwrap())
            });
            assert_eq!(!logs, matches!(overruled, Some(Overruled::Answered | Overruled::Cut)));
            voice.end();
            drop(ours);
            let page: &[u8] = if overruled == Some(Overruled::Answered) { b"page" } else { b"" };
            assert_eq!(read_all(&mut theirs), page);
        }
    }
}
