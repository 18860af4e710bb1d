//! Which of the numbers of a slot mean something: a worker class that can't know a number does not
//! tell it, and whoever looks leaves it out. 0 would be a claim.

use std::sync::atomic::Ordering;

use super::slot::Slot;
use super::tally::Event;

/// A set of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tells(u64);

impl Tells {
    /// Everything.
    pub const ALL: Self = Self(u64::MAX);
    /// Nothing at all.
    pub const NONE: Self = Self(0);
    /// Requests by status class.
    pub const REQUESTS: Self = Self(1 << 0);
    /// Histogram of [`super::tally::Outcome::queue_ns`].
    pub const QUEUE_TIME: Self = Self(1 << 1);
    /// Histogram of [`super::tally::Outcome::app_ns`].
    pub const APP_TIME: Self = Self(1 << 2);
    /// Histogram of [`super::tally::Outcome::write_ns`].
    pub const WRITE_TIME: Self = Self(1 << 3);
    /// Histogram of [`super::tally::Outcome::whole_ns`].
    pub const WHOLE_TIME: Self = Self(1 << 4);
    /// Bytes from and to clients.
    pub const BYTES: Self = Self(1 << 5);
    /// What the connections are at, and with that how many requests wait for a thread.
    pub const CONNECTIONS: Self = Self(1 << 6);
    /// What its threads are at.
    pub const WORK: Self = Self(1 << 7);
    /// How many requests it can run at once.
    pub const ROOM: Self = Self(1 << 8);
    /// Where events begin.
    const EVENTS: u32 = 32;
    /// What is of the one worker, and not counted on by the next one of its slot.
    const OWN: Self = Self(Self::CONNECTIONS.0 | Self::WORK.0 | Self::ROOM.0);

    /// How often this has happened.
    pub const fn of(event: Event) -> Self {
        Self(1 << (Self::EVENTS + event as u32))
    }

    /// By its name in Python: of a part of a worker's view, of a histogram, or of an event.
    pub fn named(name: &str) -> Option<Self> {
        let known = NAMES.iter().find(|(known, _)| *known == name).map(|(_, numbers)| *numbers);
        known.or_else(|| Event::named(name).map(Self::of))
    }

    /// Both sets.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in it.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn of_word(word: u64) -> Self {
        Self(word)
    }
}

const NAMES: [(&str, Tells); 9] = [
    ("requests", Tells::REQUESTS),
    ("queue", Tells::QUEUE_TIME),
    ("app", Tells::APP_TIME),
    ("write", Tells::WRITE_TIME),
    ("whole", Tells::WHOLE_TIME),
    ("bytes", Tells::BYTES),
    ("connections", Tells::CONNECTIONS),
    ("running", Tells::WORK),
    ("room", Tells::ROOM),
];

impl Slot {
    /// From now on the worker tells these numbers, too.
    pub fn tell(self, numbers: Tells) {
        self.cells.tells.fetch_or(numbers.0, Ordering::Relaxed);
    }

    /// What the next worker of the slot does not tell before it says so. Counters go on.
    pub(super) fn tell_nothing_of_its_own(self) {
        self.cells.tells.fetch_and(!Tells::OWN.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::scoreboard::Scoreboard;

    #[test]
    fn counters_are_told_on_and_gauges_anew() {
        let board = Scoreboard::new(None).unwrap();
        let slot = board.claim(0, 1).unwrap();
        let told = || board.snapshot(0).workers.remove(0).tells;
        assert_eq!(told(), Tells::NONE);
        let counters = Tells::REQUESTS.and(Tells::of(Event::WriteError));
        slot.tell(counters.and(Tells::ROOM));
        assert!(told().has(Tells::ROOM) && told().has(counters));
        slot.release();
        board.claim(0, 2).unwrap();
        assert_eq!(told(), counters);
        assert!(!told().has(Tells::REQUESTS.and(Tells::BYTES)));
        assert_eq!(Tells::named("room"), Some(Tells::ROOM));
        assert_eq!(Tells::named("shed"), Some(Tells::of(Event::Shed)));
        assert_eq!(Tells::named("nothing"), None);
    }
}
