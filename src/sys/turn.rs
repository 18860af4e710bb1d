//! Whose a piece of shared memory is that goes from one writer to the next: a reader gets what is
//! there of one of them, or learns that it is changing hands.

use std::sync::atomic::{AtomicU64, Ordering, fence};

/// How often a reader looks again. It changes hands within nanoseconds, so this ends early but where
/// whoever gave it away was killed in the middle.
const LOOKS: usize = 100;

/// A sequence lock with one writer: odd while the memory changes hands. All-zero is a valid value.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Turn(AtomicU64);

impl Turn {
    /// Gives the memory to the next: `clear` makes it his. One at a time.
    pub(super) fn pass(&self, clear: impl FnOnce()) {
        let before = self.0.load(Ordering::Relaxed) | 1;
        self.0.store(before, Ordering::Relaxed);
        // A reader that sees any of what follows sees that it changes hands, too.
        fence(Ordering::Release);
        clear();
        self.0.store(before.wrapping_add(1), Ordering::Release);
    }

    /// What `look` makes of it, and whether all of that is of one writer.
    pub(super) fn read<T>(&self, mut look: impl FnMut() -> T) -> (T, bool) {
        for _ in 1..LOOKS {
            let before = self.0.load(Ordering::Acquire);
            let seen = look();
            fence(Ordering::Acquire);
            if before & 1 == 0 && self.0.load(Ordering::Relaxed) == before {
                return (seen, true);
            }
            std::hint::spin_loop();
        }
        (look(), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_while_it_changes_hands_looks_again() {
        let turn = Turn(AtomicU64::new(0));
        let mut looks = 0;
        let seen = turn.read(|| {
            looks += 1;
            if looks == 1 {
                turn.pass(|| ());
            }
            looks
        });
        assert_eq!(seen, (2, true));
    }

    #[test]
    fn whoever_was_killed_while_he_gave_it_away_keeps_nobody_waiting() {
        let turn = Turn(AtomicU64::new(7));
        assert_eq!(turn.read(|| 5), (5, false));
        turn.pass(|| assert!(!turn.read(|| ()).1));
        assert_eq!(turn.read(|| 5), (5, true));
    }
}
