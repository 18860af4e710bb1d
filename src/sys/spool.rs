//! A request body on its way to the application: in memory up to a threshold, then in an
//! unlinked file. The memory may be a file of its own that another process can have (memfd_create(2)).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::file;

/// Bytes written once, front to back, then read back.
#[derive(Debug, Default)]
pub struct Spool {
    /// The whole body while `file` is none; unused afterwards.
    memory: Vec<u8>,
    file: Option<File>,
    /// Whether `file` is memory.
    shareable: bool,
    /// What it was before, if somebody may still be given that.
    past: Option<File>,
    len: u64,
}

impl Spool {
    /// Appends `data`; moves everything to an unlinked file in `dir` (the system's default
    /// directory when `None`) once more than `threshold` bytes are held.
    ///
    /// # Errors
    /// The file system's: ENOSPC, EACCES, ENOENT when `dir` is gone …
    pub fn append(&mut self, data: &[u8], threshold: usize, dir: Option<&Path>) -> io::Result<()> {
        self.len += data.len() as u64;
        if let Some(file) = &mut self.file {
            if self.shareable && self.len > threshold as u64 {
                let mut other = file::unlinked(dir)?;
                file.seek(SeekFrom::Start(0))?;
                io::copy(file, &mut other)?;
                self.past = Some(std::mem::replace(file, other));
                self.shareable = false;
            }
            return file.write_all(data);
        }
        if self.memory.len() + data.len() <= threshold {
            self.memory.extend_from_slice(data);
            return Ok(());
        }
        let mut file = file::unlinked(dir)?;
        file.write_all(&self.memory)?;
        file.write_all(data)?;
        self.memory = Vec::new();
        self.file = Some(file);
        Ok(())
    }

    /// Makes what is in memory something that another process can have, too.
    ///
    /// # Errors
    /// EMFILE, ENOMEM; it is as it was then.
    pub fn share(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(file::in_memory(&self.memory)?);
            self.memory = Vec::new();
            self.shareable = true;
        }
        Ok(())
    }

    /// Bytes held.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory taken up.
    pub fn in_memory(&self) -> usize {
        let elsewhere = if self.shareable { self.len } else { 0 };
        self.memory.capacity() + usize::try_from(elsewhere).unwrap_or(usize::MAX)
    }

    /// Whether what another process can have is memory.
    pub fn is_shareable(&self) -> bool {
        self.shareable
    }

    /// What it holds, in memory or in the file.
    pub fn parts(&self) -> (&[u8], Option<&File>) {
        (&self.memory, self.file.as_ref())
    }

    /// Nobody is given any more what it was before.
    pub fn forget_past(&mut self) {
        self.past = None;
    }

    /// The same in another process: `file` shares its description, and so its offset. What was written behind
    /// `len` bytes does not count, and is cut off: whoever did was killed.
    ///
    /// # Errors
    /// ftruncate(2)'s and lseek(2)'s.
    pub fn from_parts(
        memory: Vec<u8>,
        mut file: Option<File>,
        shareable: bool,
        len: u64,
    ) -> io::Result<Self> {
        if let Some(file) = &mut file {
            file.set_len(len)?;
            file.seek(SeekFrom::Start(len))?;
        }
        Ok(Self { memory, file, shareable, past: None, len })
    }

    /// Turns to reading, from the front.
    ///
    /// # Errors
    /// lseek(2)'s on the file.
    pub fn into_reader(mut self) -> io::Result<SpoolReader> {
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(0))?;
        }
        Ok(SpoolReader { memory: self.memory, at: 0, file: self.file, left: self.len })
    }
}

/// The reading end of a [`Spool`].
#[derive(Debug, Default)]
pub struct SpoolReader {
    memory: Vec<u8>,
    at: usize,
    file: Option<File>,
    left: u64,
}

impl SpoolReader {
    /// Bytes not yet read.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The unread bytes when they are in memory; the caller says with [`SpoolReader::consume`]
    /// how many it took.
    pub fn in_memory(&self) -> Option<&[u8]> {
        if self.file.is_some() { None } else { self.memory.get(self.at..) }
    }

    /// Marks `n` bytes of [`SpoolReader::in_memory`] as read.
    pub fn consume(&mut self, n: usize) {
        self.at = (self.at + n).min(self.memory.len());
        self.left = (self.memory.len() - self.at) as u64;
    }
}

impl Read for SpoolReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else {
            let rest = self.memory.get(self.at..).unwrap_or_default();
            let n = rest.len().min(into.len());
            into[..n].copy_from_slice(&rest[..n]);
            self.consume(n);
            return Ok(n);
        };
        let n = file.read(into)?;
        self.left = self.left.saturating_sub(n as u64);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(spool: Spool) -> Vec<u8> {
        let mut all = Vec::new();
        let mut reader = spool.into_reader().unwrap();
        let left = reader.left();
        reader.read_to_end(&mut all).unwrap();
        assert_eq!((left, reader.left()), (all.len() as u64, 0));
        all
    }

    #[test]
    fn comes_back_as_it_went_in_on_both_sides_of_the_threshold() {
        for pieces in [&["ab", "cd"][..], &["ab", "cdefg", "h"], &["0123456789"], &[]] {
            let mut spool = Spool::default();
            for piece in pieces {
                spool.append(piece.as_bytes(), 4, None).unwrap();
            }
            assert_eq!(spool.file.is_some(), spool.len() > 4);
            assert_eq!(back(spool), pieces.concat().as_bytes());
        }
    }

    #[test]
    fn goes_on_in_shared_memory_and_beyond_the_threshold_in_a_file() {
        let mut spool = Spool::default();
        spool.append(b"ab", 4, None).unwrap();
        spool.share().unwrap();
        spool.append(b"cd", 4, None).unwrap();
        assert!(spool.file.is_some() && spool.is_shareable());
        assert_eq!(spool.in_memory(), 4);
        spool.append(b"e", 4, None).unwrap();
        assert!(spool.file.is_some() && !spool.is_shareable() && spool.in_memory() == 0);
        assert_eq!(back(spool), b"abcde");
        let mut spool = Spool::default();
        spool.append(b"abc", 4, None).unwrap();
        spool.share().unwrap();
        assert_eq!(back(spool), b"abc");
    }

    #[test]
    fn what_was_written_by_somebody_who_was_killed_does_not_count() {
        let mut spool = Spool::default();
        spool.append(b"abc", 9, None).unwrap();
        spool.share().unwrap();
        let file = spool.file.as_ref().unwrap().try_clone().unwrap();
        spool.append(b"lost", 9, None).unwrap();
        let mut spool = Spool::from_parts(Vec::new(), Some(file), true, 3).unwrap();
        // Into another file, with all that lies in the one before.
        spool.append(b"defghij", 9, None).unwrap();
        assert!(spool.past.is_some());
        spool.forget_past();
        assert!(spool.past.is_none());
        assert_eq!(back(spool), b"abcdefghij");
    }

    #[test]
    fn a_missing_directory_is_an_error() {
        let mut spool = Spool::default();
        let error = spool.append(b"12345", 4, Some(Path::new("/does/not/exist"))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
