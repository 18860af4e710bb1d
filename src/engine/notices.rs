//! What the engine wants said, until somebody can say it: a watcher without the GIL cannot.

use crate::log::notice::Notice;

/// Kept at most; past that they are only counted. A flood of bad clients must not fill the memory
/// while the application is busy.
const KEPT: usize = 200;

/// Notices in order.
#[derive(Debug, Default)]
pub(super) struct Notices {
    kept: Vec<Notice>,
    suppressed: u64,
}

impl Notices {
    pub(super) fn push(&mut self, notice: Notice) {
        if self.kept.len() < KEPT {
            self.kept.push(notice);
        } else {
            self.suppressed += 1;
        }
    }

    /// Takes them all.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Notice> + '_ {
        let suppressed = std::mem::take(&mut self.suppressed);
        let rest = (suppressed > 0).then_some(Notice::Suppressed { count: suppressed });
        self.kept.drain(..).chain(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_not_kept() {
        let mut notices = Notices::default();
        for _ in 0..KEPT + 5 {
            notices.push(Notice::BrokenPipe);
        }
        let said: Vec<_> = notices.drain().collect();
        assert_eq!(said.len(), KEPT + 1);
        assert_eq!(said.last(), Some(&Notice::Suppressed { count: 5 }));
        assert_eq!(notices.drain().count(), 0);
    }
}
