//! A page of ours for a client whose connection is encrypted, while the thread that owns it is stuck. Who
//! encrypts may have to wait for the interpreter, which the stuck thread may keep for ever; so a thread of
//! its own waits, and whoever wants the page said waits for that one, for a moment.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;

use crate::sys::thread::spawn_deaf;

/// How long the interpreter is waited for. CPython asks its owner to let it go every 5 ms.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Encrypts for somebody who does not own the connection.
pub trait Herald: Send + Sync {
    /// What is to be sent: `page`, and the protocol's goodbye; nothing, if that has been done on the way. `None`: the
    /// connection is over. Waits for the interpreter.
    fn encrypt(&self, page: &[u8]) -> Option<Vec<u8>>;
}

impl fmt::Debug for dyn Herald {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Herald")
    }
}

/// How a page of ours reaches the client of a request.
#[derive(Clone, Debug)]
pub enum Road {
    /// It is sent as it is.
    Plain,
    /// Encrypted.
    Secured(Arc<dyn Herald>),
    /// Not at all.
    None,
}

/// Lets pages be encrypted by a thread of its own, one at a time.
#[derive(Debug, Default)]
pub(super) struct Heralds {
    /// Such a thread is at work, or still waits for the interpreter.
    busy: Arc<AtomicBool>,
}

impl Heralds {
    /// Has each page encrypted, and hands it to `say` with its place in `pages`. Those that were not ready
    /// within a second are left out, and are never encrypted for anybody else.
    pub(super) fn encrypt(
        &self,
        pages: Vec<(Arc<dyn Herald>, Vec<u8>)>,
        mut say: impl FnMut(usize, &[u8]),
    ) {
        // It has waited for longer than that already.
        if pages.is_empty() || self.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let (sender, encrypted) = unbounded();
        let busy = self.busy.clone();
        let started = spawn_deaf("rgunicorn-late", move || {
            for (index, (herald, page)) in pages.into_iter().enumerate() {
                // Nobody waits any more: what would be encrypted could not be sent.
                if sender.send((index, herald.encrypt(&page))).is_err() {
                    break;
                }
            }
            busy.store(false, Ordering::Release);
        });
        if started.is_err() {
            return self.busy.store(false, Ordering::Release);
        }
        let until = Instant::now() + PATIENCE;
        while let Ok((index, bytes)) = encrypted.recv_deadline(until) {
            if let Some(bytes) = bytes {
                say(index, &bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    struct Upper;

    impl Herald for Upper {
        fn encrypt(&self, page: &[u8]) -> Option<Vec<u8>> {
            (!page.is_empty()).then(|| page.to_ascii_uppercase())
        }
    }

    /// Waits until somebody lets it go.
    struct Stuck(Barrier);

    impl Herald for Stuck {
        fn encrypt(&self, page: &[u8]) -> Option<Vec<u8>> {
            self.0.wait();
            Some(page.to_vec())
        }
    }

    fn said(heralds: &Heralds, pages: &[&[u8]]) -> Vec<(usize, Vec<u8>)> {
        let mut said = Vec::new();
        let upper = |page: &&[u8]| (Arc::new(Upper) as Arc<dyn Herald>, page.to_vec());
        heralds.encrypt(pages.iter().map(upper).collect(), |index, bytes| {
            said.push((index, bytes.to_vec()));
        });
        said
    }

    #[test]
    fn each_page_is_said_that_can_be() {
        let heralds = Heralds::default();
        assert!(said(&heralds, &[]).is_empty());
        let pages: [&[u8]; 3] = [b"one", b"", b"three"];
        assert_eq!(said(&heralds, &pages), [(0, b"ONE".to_vec()), (2, b"THREE".to_vec())]);
    }

    #[test]
    fn one_that_waits_for_ever_holds_nobody_up() {
        let heralds = Heralds::default();
        let stuck = Arc::new(Stuck(Barrier::new(2)));
        heralds.encrypt(vec![(stuck.clone(), b"page".to_vec())], |_, _| unreachable!());
        // Without another second, for it is known that nobody encrypts now.
        assert!(said(&heralds, &[b"one"]).is_empty());
        stuck.0.wait();
        while heralds.busy.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        assert_eq!(said(&heralds, &[b"one"]).len(), 1);
    }
}
