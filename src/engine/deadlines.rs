//! When to look at a connection again that made no progress.
//!
//! A connection has at most one deadline. Moving it later, which every request on a kept-alive
//! connection does, costs one store: the queued entry is found early, and put back. So is that of a
//! distant deadline.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::sys::poller::Token;

/// Furthest ahead that an entry is queued. One for each connection that ever rested under a long
/// timeout would stay until then, although the connection has long gone.
const LOOK_AGAIN_NS: u64 = 64_000_000_000;

/// The deadline of one connection, kept in the connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deadline {
    /// Monotonic nanoseconds; 0 is none.
    at_ns: u64,
    /// The earliest entry in the queue for this connection; 0 is none.
    queued_ns: u64,
}

impl Deadline {
    /// Lets the connection rest without a limit; a queued entry stays and is skipped.
    pub fn disarm(&mut self) {
        self.at_ns = 0;
    }

    /// Monotonic nanoseconds, 0 for none.
    pub fn at_ns(&self) -> u64 {
        self.at_ns
    }
}

/// The queue of all deadlines.
#[derive(Debug, Default)]
pub struct Deadlines {
    queue: BinaryHeap<Reverse<(u64, u32, u32)>>,
}

impl Deadlines {
    /// Sets `deadline` of the connection `token` to `at_ns`.
    pub fn arm(&mut self, deadline: &mut Deadline, token: Token, at_ns: u64, now_ns: u64) {
        deadline.at_ns = at_ns;
        let look_ns = at_ns.min(now_ns + LOOK_AGAIN_NS);
        if deadline.queued_ns == 0 || look_ns < deadline.queued_ns {
            deadline.queued_ns = look_ns;
            self.queue.push(Reverse((look_ns, token.place, token.generation)));
        }
    }

    /// When the earliest entry is due.
    pub fn earliest_ns(&self) -> Option<u64> {
        self.queue.peek().map(|Reverse((at_ns, ..))| *at_ns)
    }

    /// Takes the next entry that is due, with the time it was queued for.
    pub fn pop_due(&mut self, now_ns: u64) -> Option<(u64, Token)> {
        let Reverse((at_ns, place, generation)) = *self.queue.peek()?;
        if at_ns > now_ns {
            return None;
        }
        self.queue.pop();
        Some((at_ns, Token { place, generation }))
    }

    /// Decides about a due entry: true when the connection's time is really up. Puts it back
    /// when its deadline has moved since.
    pub fn is_up(
        &mut self,
        deadline: &mut Deadline,
        token: Token,
        entry_ns: u64,
        now_ns: u64,
    ) -> bool {
        if entry_ns != deadline.queued_ns {
            return false;
        }
        deadline.queued_ns = 0;
        if deadline.at_ns == 0 {
            return false;
        }
        if deadline.at_ns <= now_ns {
            return true;
        }
        self.arm(deadline, token, deadline.at_ns, now_ns);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Token = Token { place: 3, generation: 9 };

    fn up(queue: &mut Deadlines, deadline: &mut Deadline, now_ns: u64) -> usize {
        let mut count = 0;
        while let Some((at_ns, token)) = queue.pop_due(now_ns) {
            assert_eq!(token, TOKEN);
            count += usize::from(queue.is_up(deadline, token, at_ns, now_ns));
        }
        count
    }

    #[test]
    fn fires_once_when_due() {
        let (mut queue, mut deadline) = (Deadlines::default(), Deadline::default());
        queue.arm(&mut deadline, TOKEN, 100, 1);
        assert_eq!(up(&mut queue, &mut deadline, 99), 0);
        assert_eq!(up(&mut queue, &mut deadline, 100), 1);
        assert_eq!(up(&mut queue, &mut deadline, 1000), 0);
    }

    #[test]
    fn moving_later_costs_no_entry_and_still_fires() {
        let (mut queue, mut deadline) = (Deadlines::default(), Deadline::default());
        for at in 100..200 {
            queue.arm(&mut deadline, TOKEN, at, 1);
        }
        assert_eq!(queue.queue.len(), 1);
        assert_eq!(up(&mut queue, &mut deadline, 150), 0);
        assert_eq!(queue.earliest_ns(), Some(199));
        assert_eq!(up(&mut queue, &mut deadline, 199), 1);
    }

    #[test]
    fn moving_earlier_fires_earlier_and_only_once() {
        let (mut queue, mut deadline) = (Deadlines::default(), Deadline::default());
        queue.arm(&mut deadline, TOKEN, 500, 1);
        queue.arm(&mut deadline, TOKEN, 50, 1);
        assert_eq!(up(&mut queue, &mut deadline, 60), 1);
        assert_eq!(up(&mut queue, &mut deadline, 600), 0);
    }

    #[test]
    fn a_distant_one_is_queued_near_and_fires_late() {
        let (mut queue, mut deadline) = (Deadlines::default(), Deadline::default());
        let at_ns = 3 * LOOK_AGAIN_NS;
        queue.arm(&mut deadline, TOKEN, at_ns, 1);
        for now_ns in [LOOK_AGAIN_NS + 1, 2 * LOOK_AGAIN_NS + 1, at_ns - 1] {
            assert_eq!(up(&mut queue, &mut deadline, now_ns), 0);
            assert_eq!(queue.queue.len(), 1);
        }
        assert_eq!(up(&mut queue, &mut deadline, at_ns), 1);
        assert_eq!(queue.earliest_ns(), None);
    }

    #[test]
    fn a_disarmed_deadline_never_fires() {
        let (mut queue, mut deadline) = (Deadlines::default(), Deadline::default());
        queue.arm(&mut deadline, TOKEN, 10, 1);
        deadline.disarm();
        assert_eq!(up(&mut queue, &mut deadline, 20), 0);
        queue.arm(&mut deadline, TOKEN, 30, 1);
        assert_eq!(up(&mut queue, &mut deadline, 30), 1);
    }
}
