//! What the whole server is about to do, as the master says it to all workers on the scoreboard.

use std::sync::atomic::Ordering;

use super::scoreboard::Scoreboard;
use super::slot::Slot;

/// Where the server stands. A worker that is told to leave finds here whether its siblings stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u64)]
pub enum Course {
    /// It serves.
    #[default]
    Serving = 0,
    /// A stop is coming (`shutdown_delay`): everything is served, nothing promises another request.
    Parting = 1,
    /// It stops, and others go on listening on the same sockets: systemd, the other master of an
    /// upgrade.
    Leaving = 2,
    /// It stops, and its addresses with it: whoever waits in their queues has nobody else.
    Closing = 3,
    /// It stops at once: only requests that are running are waited for, for a moment.
    Quitting = 4,
}

impl Course {
    /// All of them, each at its number.
    pub const ALL: [Self; 5] =
        [Self::Serving, Self::Parting, Self::Leaving, Self::Closing, Self::Quitting];

    /// By its number; what nobody has written means nothing.
    pub(super) fn of(number: u64) -> Self {
        Self::ALL.into_iter().find(|course| *course as u64 == number).unwrap_or_default()
    }

    /// By its name in Python.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|course| course.name() == name)
    }

    /// Its name in Python.
    pub fn name(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Parting => "parting",
            Self::Leaving => "leaving",
            Self::Closing => "closing",
            Self::Quitting => "quitting",
        }
    }
}

impl Scoreboard {
    /// Tells all workers what the server is about to do; master only. `until_ns`: when the limit of
    /// a stop is over, CLOCK_MONOTONIC; 0 while there is none.
    pub fn set_course(&self, course: Course, until_ns: u64) {
        self.header.stops_until_ns.store(until_ns, Ordering::Relaxed);
        self.header.course.store(course as u64, Ordering::Release);
    }
}

impl Slot {
    /// What the server is about to do.
    #[inline]
    pub fn course(self) -> Course {
        Course::of(self.board.header.course.load(Ordering::Acquire))
    }

    /// Whether a stop has begun or is coming: no response promises another request.
    #[inline]
    pub fn server_parts(self) -> bool {
        self.board.header.course.load(Ordering::Relaxed) != 0
    }

    /// When the limit of the server's stop is over, CLOCK_MONOTONIC.
    pub fn stops_until_ns(self) -> Option<u64> {
        let until_ns = self.board.header.stops_until_ns.load(Ordering::Relaxed);
        Some(until_ns).filter(|until_ns| *until_ns != 0)
    }

    /// The worker has listeners that no worker after it will have; said by the master before it
    /// tells it to leave.
    pub fn set_heirless(self) {
        self.cells.heirless.store(1, Ordering::Relaxed);
    }

    /// Whether somebody may wait at its doors whom nobody else will let in.
    pub fn is_heirless(self) -> bool {
        self.cells.heirless.load(Ordering::Relaxed) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_slots_know_the_course_of_the_server() {
        let board = Scoreboard::new(None).unwrap();
        let (one, other) = (board.claim(0, 1).unwrap(), board.claim(1, 2).unwrap());
        assert_eq!((one.course(), one.stops_until_ns()), (Course::Serving, None));
        assert!(!one.server_parts());
        board.set_course(Course::Parting, 0);
        assert!(one.server_parts() && other.server_parts());
        board.set_course(Course::Closing, 77);
        assert_eq!((other.course(), other.stops_until_ns()), (Course::Closing, Some(77)));
        other.set_heirless();
        assert!(other.is_heirless() && !one.is_heirless());
    }

    #[test]
    fn names_and_numbers_lead_back() {
        for (number, course) in Course::ALL.into_iter().enumerate() {
            assert_eq!(Course::of(number as u64), course);
            assert_eq!(Course::named(course.name()), Some(course));
        }
        assert_eq!(Course::of(77), Course::Serving);
        assert_eq!(Course::named("sailing"), None);
    }
}
