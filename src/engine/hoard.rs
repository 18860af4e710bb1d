//! The memory of what waits for its clients, counted over all connections of a worker.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::outbox::Outbox;

/// Bytes of memory that hold requests and responses whose clients take their time.
#[derive(Debug, Default)]
pub struct Hoard {
    /// Of the connections at home. Only whoever has the engine writes it: no lock, no atomic
    /// addition.
    at_home: AtomicUsize,
    /// Of responses that threads could not send at once, until whoever leads has the connection
    /// back.
    set_aside: AtomicUsize,
}

/// What a thread has set aside of one response. Never nothing, so that a response of which nothing
/// is owed is told from it without a word of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest(NonZeroUsize);

impl Rest {
    fn of<C: AsRef<[u8]>>(outbox: &Outbox<C>) -> Self {
        Self(NonZeroUsize::new(outbox.held()).unwrap_or(NonZeroUsize::MIN))
    }
}

impl Hoard {
    /// All of it.
    pub(super) fn bytes(&self) -> usize {
        self.at_home.load(Ordering::Relaxed) + self.set_aside.load(Ordering::Relaxed)
    }

    /// A connection that holds so much is put down. For whoever has the engine.
    pub(super) fn put_down(&self, bytes: usize) {
        self.at_home.store(self.at_home.load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
    }

    /// It is taken up again. For whoever has the engine.
    pub(super) fn take_up(&self, bytes: usize) {
        self.at_home.store(self.at_home.load(Ordering::Relaxed) - bytes, Ordering::Relaxed);
    }

    /// A thread has made a response that its client does not take at once. It counts from now on,
    /// not from when the leader has it back: on a busy machine threads make hundreds of others
    /// before that. Beyond `most` bytes in all it goes to a file in `dir`, before its thread makes
    /// the next one.
    pub(super) fn set_aside<C: AsRef<[u8]>>(
        &self,
        outbox: &mut Outbox<C>,
        most: usize,
        dir: Option<&Path>,
    ) -> Rest {
        let whole = Rest::of(outbox).0.get();
        // Counted before it is asked, so that of two threads at least one sees the other.
        self.set_aside.fetch_add(whole, Ordering::Relaxed);
        if self.bytes() > most {
            // On a full disk it stays in memory.
            let _ = outbox.spill(u64::MAX, dir);
        }
        let rest = Rest::of(outbox);
        self.set_aside.fetch_sub(whole.saturating_sub(rest.0.get()), Ordering::Relaxed);
        rest
    }

    /// Whoever leads has the connection with `rest` back.
    pub(super) fn take_over(&self, rest: Rest) {
        self.set_aside.fetch_sub(rest.0.get(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const RESPONSE: usize = 40 << 10;

    fn response() -> Outbox<Vec<u8>> {
        let mut outbox = Outbox::default();
        outbox.push(vec![b'x'; RESPONSE], RESPONSE);
        outbox
    }

    #[test]
    fn what_is_too_much_goes_to_a_file_before_the_leader_has_it_back() {
        let (hoard, most) = (Hoard::default(), 3 * RESPONSE);
        hoard.put_down(RESPONSE);
        let mut outboxes: Vec<_> = (0..5).map(|_| response()).collect();
        let rests: Vec<_> =
            outboxes.iter_mut().map(|outbox| hoard.set_aside(outbox, most, None)).collect();
        let spilled: Vec<_> = outboxes.iter().map(|outbox| outbox.spilled() as usize).collect();
        assert_eq!(spilled, [0, 0, RESPONSE, RESPONSE, RESPONSE]);
        // One byte for each that is nothing but a file.
        assert_eq!(hoard.bytes(), most + 3);

        // The leader takes them back, and the first is sent.
        for (outbox, rest) in outboxes.iter().zip(rests) {
            hoard.take_over(rest);
            hoard.put_down(outbox.held());
        }
        assert_eq!(hoard.bytes(), most);
        hoard.take_up(RESPONSE);
        let mut next = response();
        let _rest = hoard.set_aside(&mut next, most, None);
        assert_eq!(next.spilled(), 0);
    }

    #[test]
    fn threads_that_come_together_keep_to_it() {
        let (hoard, most) = (Hoard::default(), 3 * RESPONSE);
        let held = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut outboxes: Vec<_> = (0..20).map(|_| response()).collect();
                        for outbox in &mut outboxes {
                            hoard.set_aside(outbox, most, None);
                        }
                        outboxes.iter().map(Outbox::held).sum::<usize>()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert!(held <= most, "{held} of {most}");
        assert!(held > 0);
    }
}
