//! What the whole server is about to do, as the master says it to all workers on the scoreboard.

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

#[cfg(test)]
mod tests {
    use super::Course;

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
