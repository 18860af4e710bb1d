//! Files and descriptors that are no sockets: what Python hands over for sendfile(2), the signal
//! pipe, unlinked files.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{Whence, lseek};

/// A duplicate of `fd`; `None` when it is not open.
///
/// # Errors
/// EMFILE.
pub fn duplicate(fd: RawFd) -> io::Result<Option<OwnedFd>> {
    if fd < 0 {
        return Ok(None);
    }
    // SAFETY: borrowed only for this call; a number that is not open is answered with EBADF.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    match borrowed.try_clone_to_owned() {
        Ok(own) => Ok(Some(own)),
        Err(error) if error.raw_os_error() == Some(Errno::EBADF as i32) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where a regular file's offset stands and how many bytes follow; `None` for what is no regular
/// file.
pub fn rest(file: impl AsFd) -> Option<(i64, u64)> {
    let stat = fstat(&file).ok()?;
    if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
        return None;
    }
    let offset = lseek(&file, 0, Whence::SeekCur).ok()?;
    Some((offset, u64::try_from(stat.st_size.saturating_sub(offset)).unwrap_or(0)))
}

/// A file without a name in `dir`, or in the system's default directory when none is given.
///
/// # Errors
/// The file system's: EACCES, ENOENT when `dir` is gone, EMFILE …
pub fn unlinked(dir: Option<&Path>) -> io::Result<File> {
    match dir {
        Some(dir) => tempfile::tempfile_in(dir),
        None => tempfile::tempfile(),
    }
}

/// An empty file in memory; who looks into `/proc/PID/fd` reads `name`.
///
/// # Errors
/// What memfd_create(2) answers: EMFILE, ENOMEM …
pub(super) fn memory(name: &str) -> io::Result<OwnedFd> {
    if cfg!(miri) {
        // It does not know memfd_create(2).
        return Ok(unlinked(None)?.into());
    }
    Ok(memfd_create(name, MFdFlags::MFD_CLOEXEC)?)
}

/// An empty file in memory to whose end everybody writes, whoever else has cut it short meanwhile.
///
/// # Errors
/// EMFILE, ENOMEM.
pub fn notepad() -> io::Result<OwnedFd> {
    let fd = memory("rgunicorn-stacks")?;
    fcntl(&fd, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
    Ok(fd)
}

/// A file in memory that holds `bytes`.
///
/// # Errors
/// EMFILE, ENOMEM.
pub fn in_memory(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memory("rgunicorn-handoff")?);
    file.write_all(bytes)?;
    Ok(file)
}

/// All that `file` holds, wherever its offset stands; `limit` bytes at most.
///
/// # Errors
/// The file system's.
pub fn contents(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let len = file.metadata()?.len().min(limit);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Reads a non-blocking pipe empty.
pub fn drain(pipe: impl AsFd) {
    let mut bytes = [0; 256];
    while matches!(nix::unistd::read(&pipe, &mut bytes), Ok(n) if n == bytes.len()) {}
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom};
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn the_rest_of_a_regular_file() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        file.seek(SeekFrom::Start(4)).unwrap();
        let own = duplicate(file.as_raw_fd()).unwrap().unwrap();
        assert_eq!(rest(&own), Some((4, 6)));
        file.seek(SeekFrom::Start(20)).unwrap();
        assert_eq!(rest(&own), Some((20, 0)));
    }

    #[test]
    fn pipes_and_closed_numbers_have_none() {
        let (reader, _writer) = nix::unistd::pipe().unwrap();
        assert_eq!(rest(&reader), None);
        assert!(duplicate(-1).unwrap().is_none());
        assert!(duplicate(1_000_000).unwrap().is_none());
    }
}
