//! Where a worker receives what siblings hand over: memory that outlives it. The kernel writes message and
//! descriptors there before recvmsg(2) returns, and a process that is killed inside a system call dies at its end.
//! So what was taken out of the queue and not gone further lies there.

use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::slice;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::handoff::{Handoff, MESSAGE_BYTES, MESSAGE_FDS};
use super::mapping::Mapping;
use super::vault::Vault;

/// For the descriptors, cmsg(3); the message comes behind it.
const CONTROL_BYTES: usize = 64;
/// As the kernel aligns it: a header, then the descriptors.
const CONTROL_HEADER: usize = size_of::<libc::cmsghdr>().next_multiple_of(size_of::<usize>());

/// What lies there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// The message, and zeros behind it.
    pub bytes: Vec<u8>,
    /// Its descriptors, as they were in that worker.
    pub fds: Vec<RawFd>,
}

/// The memory itself.
#[derive(Debug)]
pub(super) struct Memory(Mapping);

impl Memory {
    pub(super) fn new() -> io::Result<Self> {
        Mapping::new(CONTROL_BYTES + MESSAGE_BYTES, None).map(Self)
    }

    pub(super) fn secede(&self) -> io::Result<()> {
        self.0.secede()
    }

    /// What the worker has left there, which has ended; `None`: nothing had come.
    pub(super) fn leftover(&self) -> Option<Letter> {
        let words = self.0.words().iter().map(|word| word.load(Ordering::Relaxed));
        let all: Vec<u8> = words.flat_map(u64::to_ne_bytes).collect();
        let (control, bytes) = all.split_at_checked(CONTROL_BYTES)?;
        let length = usize::from_ne_bytes(*control.first_chunk()?);
        let fds = control.get(CONTROL_HEADER..length.min(CONTROL_BYTES))?;
        let fds = fds.chunks_exact(size_of::<RawFd>()).filter_map(|fd| fd.first_chunk());
        let fds: Vec<_> = fds.map(|fd| RawFd::from_ne_bytes(*fd)).take(MESSAGE_FDS).collect();
        (!fds.is_empty()).then(|| Letter { bytes: bytes.to_vec(), fds })
    }
}

/// The one who receives there.
#[derive(Debug)]
pub(super) struct Letterbox {
    vault: &'static Arc<Vault>,
    /// Bytes of the message that lies there.
    dirty: usize,
}

impl Letterbox {
    /// That of a vault. Of the one intake that it has in this process.
    pub(super) fn of(vault: &'static Arc<Vault>) -> Self {
        Self { vault, dirty: 0 }
    }

    /// Empties it, and takes the next message out of `queue`: its bytes, which stay there, and its descriptors.
    /// `None`: there is none.
    ///
    /// # Errors
    /// [`Handoff::receive`]'s.
    pub(super) fn receive(&mut self, queue: &Handoff) -> io::Result<Option<(&[u8], Vec<OwnedFd>)>> {
        let start = self.vault.letterbox.0.start().cast::<u8>();
        // SAFETY: mapped as long as the vault lives, for ever, zeroed at first. Nobody else of this process has it, for there is
        // one intake, and we are borrowed mutably; `leftover` is asked by another process, when ours has ended.
        let all =
            unsafe { slice::from_raw_parts_mut(start.as_ptr(), CONTROL_BYTES + MESSAGE_BYTES) };
        let (control, bytes) = all.split_at_mut(CONTROL_BYTES);
        control.fill(0);
        bytes[..self.dirty].fill(0);
        self.dirty = 0;
        let Some((length, fds)) = queue.receive_at(bytes, control)? else { return Ok(None) };
        self.dirty = length;
        Ok(Some((&bytes[..length], fds)))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, AsRawFd};

    use super::*;

    #[test]
    fn what_was_taken_out_lies_there_until_the_next() {
        let vault: &Arc<Vault> = Box::leak(Box::new(Arc::new(Vault::new(1, false).unwrap())));
        let (mut letterbox, queue) = (Letterbox::of(vault), Handoff::new().unwrap());
        let mut receive = || {
            let found = letterbox.receive(&queue).unwrap();
            found.map(|(bytes, fds)| (bytes.to_vec(), fds))
        };
        assert!(receive().is_none());
        assert_eq!(vault.letter(), None);
        let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
        for (message, fds) in
            [(&b"longer"[..], vec![stdin.as_fd(), stdout.as_fd()]), (b"short", vec![stdin.as_fd()])]
        {
            queue.send(message, &fds).unwrap();
            let (bytes, got) = receive().unwrap();
            assert_eq!(bytes, message);
            let left = vault.letter().unwrap();
            assert_eq!(left.fds, got.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>());
            assert_eq!(left.fds.len(), fds.len());
            assert_eq!(left.bytes.len(), MESSAGE_BYTES);
            assert!(
                left.bytes.starts_with(message)
                    && left.bytes[message.len()..].iter().all(|it| *it == 0)
            );
        }
        assert!(receive().is_none());
        assert_eq!(vault.letter(), None);
    }
}
