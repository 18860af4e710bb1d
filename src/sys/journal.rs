//! Lines on their way to a file. What it does not take waits for the next attempt, within a bound:
//! a disk that is full for a while costs no line, and never a piece of one.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use super::flights::Flights;
use super::slate::Slate;

/// So much is kept while the file takes nothing; a slate has room for it.
pub const KEPT_BYTES: usize = 32 * 1024;

/// The slate with this number.
pub type OwnSlate = (Arc<Flights>, usize);

/// What is to be said of a write.
#[derive(Debug)]
pub enum News {
    /// The file has begun to refuse lines.
    Refused(io::Error),
    /// It takes them again; so many have been lost meanwhile.
    Restored {
        /// Lines that are gone.
        lost: usize,
    },
}

/// Lines that are not written yet.
#[derive(Debug)]
pub struct Journal {
    /// Whole lines, but that the first may have been written in part.
    lines: Vec<u8>,
    /// Where they are kept for the case that the worker dies.
    slate: Option<OwnSlate>,
    /// The file took nothing at the last attempt; lines lost since.
    refused: Option<usize>,
}

impl Journal {
    /// An empty one.
    pub fn new(slate: Option<OwnSlate>) -> Self {
        Self { lines: Vec::new(), slate, refused: None }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether what waits would survive the process.
    pub fn survives(&self) -> bool {
        self.slate.is_some()
    }

    /// Takes a line, which `make` appends with its end; `false`: the slate has no room for it.
    pub fn add(&mut self, make: impl FnOnce(&mut Vec<u8>)) -> bool {
        let start = self.lines.len();
        make(&mut self.lines);
        let line = self.lines.get(start..).unwrap_or_default();
        slate_of(&self.slate).is_none_or(|slate| slate.keep(line))
    }

    /// Forgets what waits.
    pub fn clear(&mut self) {
        self.lines.clear();
        if let Some(slate) = slate_of(&self.slate) {
            slate.wipe();
        }
    }

    /// Writes all that waits, as far as the file takes it.
    pub fn write(&mut self, file: &mut File) -> Option<News> {
        let (written, failure) = write_through(file, &self.lines);
        let Some(error) = failure else {
            self.clear();
            return self.restored();
        };
        // A line of which the file has a part goes on there, or the next one would be written into it.
        self.lines.drain(..written);
        let is_news = self.refused.is_none();
        let lost = self.refused.unwrap_or(0) + self.trim();
        self.refused = Some(lost);
        self.note(lost);
        is_news.then_some(News::Refused(error))
    }

    /// The file takes lines: whether that is news.
    fn restored(&mut self) -> Option<News> {
        let lost = self.refused.take()?;
        if let Some(slate) = slate_of(&self.slate) {
            slate.set_lost(0);
        }
        Some(News::Restored { lost })
    }

    /// Writes on the slate what is there now, and how many lines are gone if we end before the file
    /// takes any.
    fn note(&self, lost: usize) {
        let Some(slate) = slate_of(&self.slate) else { return };
        slate.wipe();
        let mut lines = self.lines.split_inclusive(|octet| *octet == b'\n');
        // Each is kept as whole words, so there may be less room than for the lines alone.
        let beyond = lines.by_ref().find(|line| !slate.keep(line)).map_or(0, |_| 1 + lines.count());
        slate.set_lost(lost + beyond);
    }

    /// Gives the newest lines up when there are too many; how many that were.
    fn trim(&mut self) -> usize {
        let Some(beyond) = self.lines.get(KEPT_BYTES..) else { return 0 };
        let rest = beyond.iter().position(|octet| *octet == b'\n');
        let end = rest.map_or(self.lines.len(), |at| KEPT_BYTES + at + 1);
        let dropped = self.lines.get(end..).unwrap_or_default();
        let lost = dropped.iter().filter(|octet| **octet == b'\n').count();
        self.lines.truncate(end);
        lost
    }
}

fn slate_of(slate: &Option<OwnSlate>) -> Option<&Slate> {
    slate.as_ref().and_then(|(flights, number)| flights.slate(*number))
}

/// Writes as much as the file takes: how much that was, and why not more.
fn write_through(file: &mut File, lines: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while let Some(rest) = lines.get(written..).filter(|rest| !rest.is_empty()) {
        match file.write(rest) {
            Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use nix::fcntl::OFlag;
    use nix::unistd::pipe2;

    use super::*;

    fn add(journal: &mut Journal, line: &str) {
        journal.add(|into| into.extend_from_slice(line.as_bytes()));
    }

    /// Both ends of something that takes 64 KiB, and of a write beyond that a part.
    fn narrow() -> (File, File) {
        let (read, write) = pipe2(OFlag::O_NONBLOCK).unwrap();
        (File::from(read), File::from(write))
    }

    fn taken(from: &mut File) -> Vec<u8> {
        let mut bytes = vec![0; 1 << 20];
        let count = from.read(&mut bytes).unwrap_or(0);
        bytes.truncate(count);
        bytes
    }

    #[test]
    fn what_a_full_disk_refuses_is_written_later_and_said_once() {
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        let (mut read, mut write) = narrow();
        let mut journal = Journal::new(None);
        add(&mut journal, "one\n");
        assert!(matches!(journal.write(&mut full), Some(News::Refused(_))));
        add(&mut journal, "two\n");
        assert!(journal.write(&mut full).is_none());
        assert!(matches!(journal.write(&mut write), Some(News::Restored { lost: 0 })));
        assert_eq!(taken(&mut read), b"one\ntwo\n");
        assert!(journal.is_empty() && journal.write(&mut write).is_none());
    }

    #[test]
    fn a_line_that_was_written_in_part_is_completed() {
        let (mut read, mut write) = narrow();
        let mut journal = Journal::new(None);
        let line = format!("{}\n", "x".repeat(69_999));
        add(&mut journal, &line);
        add(&mut journal, "next\n");
        assert!(matches!(journal.write(&mut write), Some(News::Refused(_))));
        let mut seen = taken(&mut read);
        assert!(!seen.is_empty() && seen.len() < 70_000);
        journal.write(&mut write);
        seen.extend(taken(&mut read));
        assert_eq!(seen, format!("{line}next\n").into_bytes());
    }

    #[test]
    fn what_is_kept_has_a_bound_and_the_newest_are_lost() {
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        let (mut read, mut write) = narrow();
        let flights = Arc::new(Flights::new(1, 1).unwrap());
        let mut journal = Journal::new(Some((flights.clone(), 0)));
        let line = format!("{}\n", "x".repeat(999));
        for _ in 0..50 {
            add(&mut journal, &line);
            journal.write(&mut full);
        }
        assert_eq!(journal.len(), KEPT_BYTES.div_ceil(1000) * 1000);
        let kept = journal.len() / 1000;
        // Who finds what is left when we have died finds the same.
        assert_eq!(flights.unwritten().next().unwrap(), line.repeat(kept).into_bytes());
        assert_eq!(flights.lost_lines() as usize + kept, 50);
        let News::Restored { lost } = journal.write(&mut write).unwrap() else { panic!() };
        assert_eq!((lost + kept, flights.lost_lines()), (50, 0));
        assert_eq!(taken(&mut read), line.repeat(kept).into_bytes());
    }

    #[test]
    fn what_a_slate_has_no_room_for_is_lost_with_the_process_only() {
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        let (mut read, mut write) = narrow();
        let flights = Arc::new(Flights::new(1, 1).unwrap());
        let mut journal = Journal::new(Some((flights.clone(), 0)));
        // On a slate each takes sixteen bytes.
        let count = KEPT_BYTES / 9;
        for _ in 0..count {
            add(&mut journal, "12345678\n");
        }
        assert!(journal.write(&mut full).is_some());
        let kept = flights.unwritten().next().unwrap().len() / 9;
        assert!(kept > 1000 && kept < count);
        assert_eq!(flights.lost_lines() as usize, count - kept);
        assert!(matches!(journal.write(&mut write), Some(News::Restored { lost: 0 })));
        assert_eq!(taken(&mut read), "12345678\n".repeat(count).into_bytes());
        assert_eq!((flights.lost_lines(), flights.unwritten().count()), (0, 0));
    }
}
