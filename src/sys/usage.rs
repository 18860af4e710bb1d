//! How much memory a process has, as /proc says.

use std::fs;

/// Memory of one process, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Resident.
    pub rss: u64,
    /// Address space.
    pub vsz: u64,
}

/// What everybody may read of the process; `None` when it is gone.
pub fn of(pid: u64) -> Option<Usage> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(Usage { rss: bytes(&text, "VmRSS:")?, vsz: bytes(&text, "VmSize:")? })
}

/// Resident memory, each page divided by the processes that share it. `None` when this process may
/// not ask (proc(5): as for ptrace), or the kernel does not count. The kernel goes through all pages
/// for it.
pub fn share_of(pid: u64) -> Option<u64> {
    bytes(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?, "Pss:")
}

/// The value of the line that begins with `name`; the files give kilobytes.
fn bytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_its_own_memory() {
        let own = u64::from(std::process::id());
        let usage = of(own).unwrap();
        assert!(usage.rss > 0 && usage.vsz > usage.rss, "{usage:?}");
        assert!(share_of(own).is_none_or(|share| share > 0 && share < usage.vsz));
        assert_eq!(of(u64::MAX), None);
        assert_eq!(share_of(u64::MAX), None);
    }

    #[test]
    fn lines_are_read_as_the_kernel_writes_them() {
        let text = "Name:\tVmRSS: 9 kB\nVmSize:\t  12 kB\nVmRSS:\t    3 kB\n";
        assert_eq!((bytes(text, "VmRSS:"), bytes(text, "VmSize:")), (Some(3072), Some(12288)));
        assert_eq!((bytes(text, "Pss:"), bytes("Pss: 3\n", "Pss:")), (None, None));
    }
}
