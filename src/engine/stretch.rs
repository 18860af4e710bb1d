//! How long a thread runs what is ready before the poller is asked again who else is.

use std::time::Duration;

use super::App;
use super::reactor::Engine;

/// While requests are always ready, signals and the heart have their turn so often.
const LONGEST: Duration = Duration::from_millis(100);
/// So many requests more than the poller has told of are run. Those are of clients who send the next one
/// before they have the response to the first (pipelining): to ask at each would be dear to them.
const UNTOLD: usize = 16;

/// Requests that are run in a row.
#[derive(Debug)]
pub(super) struct Stretch {
    until_ns: u64,
    calls: usize,
}

impl Stretch {
    /// Another request is to be run, at `now_ns` (monotonic). False: somebody of whom the poller has to tell
    /// may be waiting behind those who always have one ready.
    pub(super) fn goes_on(&mut self, now_ns: u64) -> bool {
        let goes_on = self.calls > 0 && now_ns < self.until_ns;
        self.calls = self.calls.saturating_sub(1);
        goes_on
    }

    /// Somebody was let in, who may have one.
    pub(super) fn lengthen(&mut self) {
        self.calls += 1;
    }
}

impl<A: App> Engine<A> {
    /// Everybody the poller has told of has his turn, and a few more.
    pub(super) fn stretch(&self) -> Stretch {
        Stretch {
            until_ns: self.clock.now_ns() + LONGEST.as_nanos() as u64,
            calls: self.ready.len() + self.unread.len() + UNTOLD,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_with_the_calls_or_with_the_time() {
        let mut stretch = Stretch { until_ns: 10, calls: 1 };
        assert!(stretch.goes_on(0));
        assert!(!stretch.goes_on(0));
        stretch.lengthen();
        assert!(stretch.goes_on(9));
        stretch.lengthen();
        assert!(!stretch.goes_on(10));
    }
}
