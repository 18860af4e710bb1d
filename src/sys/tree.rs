//! A directory out of which files are opened by names that clients choose: nothing outside of it is
//! ever reached, whatever links lie in it.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};

/// openat2(2) gives up when something is renamed while it looks; so often it is asked again.
const TRIES: usize = 16;

/// The directory.
#[derive(Debug)]
pub struct Tree {
    path: PathBuf,
    /// `None` while it can't be opened.
    root: Option<OwnedFd>,
    /// The kernel has openat2(2), and lets us use it.
    resolves: bool,
}

/// A regular file that was found.
#[derive(Debug)]
pub struct Leaf {
    /// Open for reading.
    pub file: OwnedFd,
    /// Its size in bytes.
    pub len: u64,
    /// Its mtime, seconds since 1970; 0 when it is older.
    pub modified_s: u64,
    /// The nanoseconds of that second.
    pub modified_ns: u32,
}

impl Tree {
    /// Opens the directory at `path`. Where that fails it is tried again for each file.
    pub fn new(path: &Path) -> Self {
        let mut tree = Self { path: path.to_owned(), root: None, resolves: true };
        // What is wrong shows when a file is asked for.
        let _ = tree.renew();
        tree
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file called `name`, a path without `.` and `..`. `None`: there is none, or what is
    /// there is no regular file.
    ///
    /// Symbolic links lead to where they point within the directory; absolute ones, and those that
    /// lead out of it, are errors. Without openat2(2) (Linux before 5.6, or a sandbox that does not
    /// know it) no link is followed. A directory that has been removed is looked for again under its
    /// path; one that was replaced is not, so that files and code go on to belong together.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] for what may not be read, and for a link that is not
    /// followed; EMFILE and others.
    pub fn open(&mut self, name: &[u8]) -> io::Result<Option<Leaf>> {
        let file = match self.find(name) {
            Ok(file) => file,
            Err(error) if is_absence(error) && self.is_gone() => {
                if self.renew().is_err() {
                    return Ok(None);
                }
                match self.find(name) {
                    Ok(file) => file,
                    Err(error) if is_absence(error) => return Ok(None),
                    Err(error) => return Err(refusal(error)),
                }
            }
            Err(error) if is_absence(error) => return Ok(None),
            Err(error) => return Err(refusal(error)),
        };
        let stat = fstat(&file)?;
        Ok(is_regular(&stat).then(|| Leaf {
            file,
            len: u64::try_from(stat.st_size).unwrap_or(0),
            modified_s: u64::try_from(stat.st_mtime).unwrap_or(0),
            modified_ns: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        }))
    }

    fn find(&self, name: &[u8]) -> nix::Result<OwnedFd> {
        let root = self.root.as_ref().ok_or(Errno::ENOENT)?.as_fd();
        if !self.resolves {
            return walk(root, name);
        }
        let name = OsStr::from_bytes(name);
        let how = OpenHow::new().flags(reading()).resolve(confined());
        for _ in 1..TRIES {
            match openat2(root, name, how) {
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                answer => return answer,
            }
        }
        openat2(root, name, how)
    }

    /// Whether the directory was removed since, or has never been there.
    fn is_gone(&self) -> bool {
        let links = |root: &OwnedFd| fstat(root).map_or(0, |stat| stat.st_nlink);
        self.root.as_ref().is_none_or(|root| links(root) == 0)
    }

    fn renew(&mut self) -> nix::Result<()> {
        let root = openat(AT_FDCWD, self.path.as_path(), place(), Mode::empty())?;
        let how = OpenHow::new().flags(place()).resolve(confined());
        let asked = openat2(&root, ".", how);
        self.resolves = !matches!(asked, Err(Errno::ENOSYS | Errno::EPERM));
        self.root = Some(root);
        Ok(())
    }
}

/// Of the failure to open a file: there is none. A name that is too long, or that goes on behind a
/// file, is none; ENXIO is a socket.
fn is_absence(error: Errno) -> bool {
    matches!(
        error,
        Errno::ENOENT
            | Errno::ENOTDIR
            | Errno::EISDIR
            | Errno::ENAMETOOLONG
            | Errno::ENXIO
            | Errno::ENODEV
            | Errno::EINVAL
    )
}

fn refusal(error: Errno) -> io::Error {
    let words = match error {
        Errno::EXDEV => "a symbolic link leads out of the directory",
        Errno::ELOOP => "a symbolic link is not followed",
        error => return error.into(),
    };
    io::Error::new(io::ErrorKind::PermissionDenied, words)
}

fn is_regular(stat: &FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG
}

/// The same with what every kernel has: one component after the other, and no link.
fn walk(root: BorrowedFd<'_>, name: &[u8]) -> nix::Result<OwnedFd> {
    let (dirs, last) = match name.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (name.get(..at), name.get(at + 1..).unwrap_or_default()),
        None => (None, name),
    };
    let mut held: Option<OwnedFd> = None;
    for component in dirs.into_iter().flat_map(|dirs| dirs.split(|byte| *byte == b'/')) {
        let at = held.as_ref().map_or(root, AsFd::as_fd);
        let flags = place() | OFlag::O_NOFOLLOW;
        held = Some(openat(at, OsStr::from_bytes(component), flags, Mode::empty())?);
    }
    let at = held.as_ref().map_or(root, AsFd::as_fd);
    openat(at, OsStr::from_bytes(last), reading() | OFlag::O_NOFOLLOW, Mode::empty())
}

/// A FIFO without a writer must not hold us.
fn reading() -> OFlag {
    OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC
}

fn place() -> OFlag {
    OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC
}

fn confined() -> ResolveFlag {
    ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use nix::unistd::mkfifo;

    use super::*;

    struct Garden {
        dir: tempfile::TempDir,
        tree: Tree,
    }

    /// `in/` is the tree; `secret` lies beside it.
    fn garden(resolves: bool) -> Garden {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("in");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(dir.path().join("secret"), "secret").unwrap();
        fs::write(root.join("x.css"), "x").unwrap();
        fs::write(root.join("a/b/y.css"), "yy").unwrap();
        let mut tree = Tree::new(&root);
        assert!(tree.resolves, "this kernel has openat2");
        tree.resolves = resolves;
        Garden { dir, tree }
    }

    fn text(leaf: io::Result<Option<Leaf>>) -> Option<String> {
        let leaf = leaf.unwrap()?;
        let mut text = String::new();
        fs::File::from(leaf.file).read_to_string(&mut text).unwrap();
        assert_eq!(leaf.len, text.len() as u64);
        Some(text)
    }

    fn errno(tree: &mut Tree, name: &[u8]) -> Errno {
        assert_eq!(tree.open(name).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        tree.find(name).unwrap_err()
    }

    #[test]
    fn regular_files_only() {
        for resolves in [true, false] {
            let Garden { dir, mut tree } = garden(resolves);
            let root = dir.path().join("in");
            mkfifo(&root.join("fifo"), Mode::S_IRWXU).unwrap();
            let _listener = UnixListener::bind(root.join("socket")).unwrap();
            assert_eq!(text(tree.open(b"x.css")).as_deref(), Some("x"));
            assert_eq!(text(tree.open(b"a/b/y.css")).as_deref(), Some("yy"));
            let long = [b'x'; 300];
            let names: [&[u8]; 9] =
                [b"a", b"a/b", b"no", b"no/x", b"x.css/x", b"fifo", b"socket", b"nul\0", &long];
            for name in names {
                assert!(tree.open(name).unwrap().is_none(), "{:?}", name.escape_ascii());
            }
        }
    }

    #[test]
    fn links_lead_out_of_it_never() {
        for resolves in [true, false] {
            let Garden { dir, mut tree } = garden(resolves);
            let root = dir.path().join("in");
            symlink("../secret", root.join("out")).unwrap();
            symlink(dir.path().join("secret"), root.join("far")).unwrap();
            symlink("/proc/self/fd/0", root.join("magic")).unwrap();
            symlink("..", root.join("up")).unwrap();
            symlink("round", root.join("round")).unwrap();
            symlink("x.css", root.join("near")).unwrap();
            symlink("a/b", root.join("across")).unwrap();
            for name in [&b"out"[..], b"far", b"magic"] {
                let expected = if resolves { Errno::EXDEV } else { Errno::ELOOP };
                assert_eq!(errno(&mut tree, name), expected);
            }
            assert_eq!(errno(&mut tree, b"round"), Errno::ELOOP);
            if resolves {
                assert_eq!(errno(&mut tree, b"up/secret"), Errno::EXDEV);
                assert_eq!(text(tree.open(b"near")).as_deref(), Some("x"));
                assert_eq!(text(tree.open(b"across/y.css")).as_deref(), Some("yy"));
            } else {
                assert_eq!(errno(&mut tree, b"near"), Errno::ELOOP);
                assert!(tree.open(b"up/secret").unwrap().is_none());
                assert!(tree.open(b"across/y.css").unwrap().is_none());
            }
        }
    }

    /// Whoever calls us leaves such names out; the kernel would, too.
    #[test]
    fn names_lead_out_of_it_never() {
        let Garden { dir: _dir, mut tree } = garden(true);
        for name in [&b"../secret"[..], b"a/../../secret", b"/etc/passwd"] {
            assert_eq!(errno(&mut tree, name), Errno::EXDEV);
        }
    }

    #[test]
    fn a_directory_that_was_removed_is_looked_for_again() {
        let Garden { dir, mut tree } = garden(true);
        let root = dir.path().join("in");
        fs::remove_dir_all(&root).unwrap();
        assert!(tree.open(b"x.css").unwrap().is_none());
        fs::create_dir(&root).unwrap();
        fs::write(root.join("x.css"), "new").unwrap();
        assert_eq!(text(tree.open(b"x.css")).as_deref(), Some("new"));
        // One that was only moved is still ours.
        fs::rename(&root, dir.path().join("old")).unwrap();
        fs::create_dir(&root).unwrap();
        fs::write(root.join("x.css"), "newer").unwrap();
        assert_eq!(text(tree.open(b"x.css")).as_deref(), Some("new"));
    }

    #[test]
    fn a_directory_that_was_not_there_may_come() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("later");
        let mut tree = Tree::new(&root);
        assert!(tree.open(b"x").unwrap().is_none());
        fs::create_dir(&root).unwrap();
        fs::write(root.join("x"), "x").unwrap();
        assert_eq!(text(tree.open(b"x")).as_deref(), Some("x"));
    }
}
