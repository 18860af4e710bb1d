//! What a process uses: memory, as /proc says, and CPU time.

use std::fs;
use std::ops::RangeInclusive;

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// What the kernel calls processes (PID_MAX_LIMIT). 0 would be the caller, and so is what does not fit into a clock's
/// number.
const PIDS: RangeInclusive<i32> = 1..=1 << 22;

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

/// CPU time of the process and its threads, nanoseconds; `None` when it is gone. /proc tells it in ticks
/// of 10 ms.
pub fn cpu_ns(pid: i32) -> Option<u64> {
    let pid = Some(pid).filter(|pid| PIDS.contains(pid))?;
    let clock = clock_getcpuclockid(Pid::from_raw(pid)).ok()?;
    let time = clock.now().ok()?;
    Some(time.tv_sec().unsigned_abs() * 1_000_000_000 + time.tv_nsec().unsigned_abs())
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
    fn cpu_time_is_told_of_those_who_live() {
        let own = i32::try_from(std::process::id()).unwrap();
        let before = cpu_ns(own).unwrap();
        assert!(before > 0 && cpu_ns(own).unwrap() >= before);
        assert_eq!((cpu_ns(0), cpu_ns(-1), cpu_ns(i32::MAX)), (None, None, None));
    }

    #[test]
    fn lines_are_read_as_the_kernel_writes_them() {
        let text = "Name:\tVmRSS: 9 kB\nVmSize:\t  12 kB\nVmRSS:\t    3 kB\n";
        assert_eq!((bytes(text, "VmRSS:"), bytes(text, "VmSize:")), (Some(3072), Some(12288)));
        assert_eq!((bytes(text, "Pss:"), bytes("Pss: 3\n", "Pss:")), (None, None));
    }
}
