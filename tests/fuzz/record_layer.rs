//! A record layer that does what bytes say: kind, length, payload ([`Records::record`]). It asserts
//! what [`Transport`] promises its implementations.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;

use rgunicorn::engine::transport::{Fault, Opener, PIECE_BYTES, Plain, Transport};

/// What a record of ours is longer than its plaintext: as much as AES-CBC with SHA-384 adds in
/// TLS 1.2, more than any suite of TLS 1.3.
const OVERHEAD: usize = 85;
pub(super) const RECORD_BYTES: usize = 16 * 1024;
/// What the record layer reports to the checks.
pub(super) enum Event {
    Heard(Vec<u8>),
    Plain(Vec<u8>),
    Sent(Vec<u8>),
    Said(Vec<u8>),
    Call,
}

struct Records {
    log: Sender<Event>,
    /// Decodable plaintext that waits here, as the checks see it.
    waiting: Arc<AtomicUsize>,
    raw: Vec<u8>,
    plain: Vec<u8>,
    steps: u8,
    ended: bool,
    said_goodbye: bool,
    /// A fault or the end was told: nothing may be asked again.
    over: bool,
    deaf: bool,
    promised_more: bool,
}

impl Records {
    fn say(&self, bytes: Vec<u8>, out: &mut Vec<u8>) {
        out.extend_from_slice(&bytes);
        let _ = self.log.send(Event::Said(bytes));
    }

    fn give(&mut self, plain: &mut [u8], more: bool) -> Plain {
        let n = self.plain.len().min(plain.len());
        plain[..n].copy_from_slice(&self.plain[..n]);
        let _ = self.log.send(Event::Plain(self.plain.drain(..n).collect()));
        self.promised_more = more || !self.plain.is_empty();
        self.waiting.store(self.plain.len(), Ordering::Relaxed);
        Plain::Bytes { n, more: self.promised_more }
    }

    /// Works on the next record. None: there is none, or it was silent.
    fn record(&mut self, out: &mut Vec<u8>) -> Option<Result<Told, Fault>> {
        let (&kind, &len) = (self.raw.first()?, self.raw.get(1)?);
        let end = 2 + usize::from(len);
        let payload = self.raw.get(2..end)?.to_vec();
        self.raw.drain(..end);
        Some(Ok(match kind % 16 {
            0..=4 => {
                self.plain.extend(payload);
                Told::Nothing
            }
            // Much plaintext of little ciphertext: more than fits.
            5 | 6 => {
                self.plain.extend(payload.repeat(64));
                Told::Nothing
            }
            7 => {
                self.steps = self.steps.saturating_add(1);
                self.say(vec![b'h'; usize::from(len) + 1], out);
                Told::Nothing
            }
            8 => Told::Nothing,
            9 => {
                self.say(vec![b't'; usize::from(len) * 256], out);
                Told::Nothing
            }
            10 => Told::Ended,
            11 => {
                self.say(b"alert".to_vec(), out);
                return Some(Err(Fault::Refused("told to".to_owned())));
            }
            12 => return Some(Err(Fault::Ragged)),
            13 => return Some(Err(Fault::Failed("told to".to_owned()))),
            14 => {
                self.deaf = true;
                Told::Nothing
            }
            _ => Told::Enough,
        }))
    }
}

enum Told {
    Nothing,
    /// The peer's goodbye.
    Ended,
    /// Stop here and say that there is more, whether or not there is.
    Enough,
}

impl Transport for Records {
    fn receive(
        &mut self,
        ciphertext: &[u8],
        plain: &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Plain, Fault> {
        assert!(!self.over, "asked after the end or a fault");
        assert!(!plain.is_empty(), "no room");
        assert!(
            !std::mem::take(&mut self.promised_more) || ciphertext.is_empty(),
            "more ciphertext though there is plaintext: nothing bounds what is held"
        );
        let _ = self.log.send(Event::Call);
        let _ = self.log.send(Event::Heard(ciphertext.to_vec()));
        self.raw.extend_from_slice(ciphertext);
        while self.plain.len() < plain.len() && !self.said_goodbye {
            match self.record(out) {
                None => break,
                Some(Ok(Told::Nothing)) => {}
                Some(Ok(Told::Ended)) => self.said_goodbye = true,
                Some(Ok(Told::Enough)) if self.plain.is_empty() => {}
                Some(Ok(Told::Enough)) => return Ok(self.give(plain, true)),
                Some(Err(fault)) => {
                    self.over = true;
                    return Err(fault);
                }
            }
        }
        if !self.plain.is_empty() {
            let whole = |len: &u8| self.raw.len() >= 2 + usize::from(*len);
            let more = self.said_goodbye || self.raw.get(1).is_some_and(whole);
            return Ok(self.give(plain, more));
        }
        if self.said_goodbye {
            self.over = true;
            return Ok(Plain::Ended);
        }
        if self.ended && !self.raw.is_empty() {
            self.over = true;
            return Err(Fault::Ragged);
        }
        Ok(if self.ended { Plain::Ended } else { Plain::Hungry })
    }

    fn end(&mut self) {
        self.ended = true;
    }

    fn send(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        assert!(!plain.is_empty() && plain.len() <= PIECE_BYTES, "{} at once", plain.len());
        if self.deaf {
            return Err(Fault::Refused("takes no more".to_owned()));
        }
        let _ = self.log.send(Event::Sent(plain.to_vec()));
        for piece in plain.chunks(RECORD_BYTES) {
            self.say([piece, &[b'm'; OVERHEAD]].concat(), out);
        }
        Ok(())
    }

    fn farewell(&mut self, out: &mut Vec<u8>) {
        self.say(b"bye".to_vec(), out);
    }

    fn is_established(&self) -> bool {
        self.steps >= 2
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

pub(super) struct Factory {
    pub(super) log: Sender<Event>,
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) refuses: bool,
}

impl Opener for Factory {
    fn open(&self) -> Result<Box<dyn Transport>, Fault> {
        if self.refuses {
            return Err(Fault::Failed("no context".to_owned()));
        }
        Ok(Box::new(Records {
            log: self.log.clone(),
            waiting: self.waiting.clone(),
            raw: Vec::new(),
            plain: Vec::new(),
            steps: 0,
            ended: false,
            said_goodbye: false,
            over: false,
            deaf: false,
            promised_more: false,
        }))
    }
}
