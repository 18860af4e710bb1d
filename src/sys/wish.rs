//! What a worker asks of the master, as a word on the scoreboard.

/// Why a worker asks to be replaced, the more urgent the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u64)]
pub enum Wish {
    /// It has served `max_requests`.
    MaxRequests = 1,
    /// It is older than `max_worker_lifetime`.
    Lifetime = 2,
    /// It uses more memory than `max_rss`.
    Rss = 3,
    /// It uses more memory than `max_rss_hard`, and takes no more requests.
    RssHard = 4,
    /// A request is past its `request_timeout`: a thread is lost.
    Deadline = 5,
}

impl Wish {
    pub(super) const ALL: [Self; 5] =
        [Self::MaxRequests, Self::Lifetime, Self::Rss, Self::RssHard, Self::Deadline];
}
