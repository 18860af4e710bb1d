//! One reading of the clock per loop turn, and the two date texts made from it at most once a
//! second: the `Date` header (RFC 9110 §5.6.7) and the access log's local time.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// The wall clock is read so often at most. It has whole seconds here, and is behind by up to a tick of
/// the kernel (4 ms, mostly) anyway.
const WALL_EVERY_NS: u64 = 1_000_000;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Cached time of the current loop turn.
#[derive(Debug)]
pub struct Clock {
    monotonic_ns: u64,
    /// From then on the wall clock is to be read again.
    wall_due_ns: u64,
    wall_s: i64,
    http_date: Vec<u8>,
    log_time: Vec<u8>,
}

impl Clock {
    /// A clock that has been read once.
    pub fn new() -> Self {
        let mut clock = Self {
            monotonic_ns: 0,
            wall_due_ns: 0,
            wall_s: i64::MIN,
            http_date: Vec::with_capacity(32),
            log_time: Vec::with_capacity(32),
        };
        clock.tick();
        clock
    }

    /// Reads the clock. Both clocks are answered by the vDSO: no system call.
    pub fn tick(&mut self) {
        self.monotonic_ns = monotonic_ns();
        if self.monotonic_ns < self.wall_due_ns {
            return;
        }
        self.wall_due_ns = self.monotonic_ns + WALL_EVERY_NS;
        let wall_s =
            clock_gettime(ClockId::CLOCK_REALTIME_COARSE).map_or(self.wall_s, |t| t.tv_sec());
        if wall_s != self.wall_s {
            self.wall_s = wall_s;
            self.render();
        }
    }

    /// Another clock of this process has been read at `now_ns`, without having read this one.
    pub fn advance(&mut self, now_ns: u64) {
        self.monotonic_ns = self.monotonic_ns.max(now_ns);
    }

    /// CLOCK_MONOTONIC of the last [`Clock::tick`], nanoseconds.
    pub fn now_ns(&self) -> u64 {
        self.monotonic_ns
    }

    /// IMF-fixdate for the `Date` header, e.g. `Fri, 20 Nov 2026 13:16:00 GMT`.
    pub fn http_date(&self) -> &[u8] {
        &self.http_date
    }

    /// Local time for `%(t)s`, e.g. `[20/Nov/2026:13:16:00 +0000]`.
    pub fn log_time(&self) -> &[u8] {
        &self.log_time
    }

    fn render(&mut self) {
        let since_epoch = Duration::from_secs(self.wall_s.max(0).unsigned_abs());
        self.http_date.clear();
        self.log_time.clear();
        let local = local_time(self.wall_s);
        let month = MONTHS.get(local.tm_mon.rem_euclid(12).unsigned_abs() as usize).unwrap_or(&"");
        let offset_min = local.tm_gmtoff / 60;
        // Writing into a Vec cannot fail.
        let _ = write!(self.http_date, "{}", httpdate::HttpDate::from(UNIX_EPOCH + since_epoch));
        let _ = write!(
            self.log_time,
            "[{:02}/{}/{:04}:{:02}:{:02}:{:02} {}{:02}{:02}]",
            local.tm_mday,
            month,
            i64::from(local.tm_year) + 1900,
            local.tm_hour,
            local.tm_min,
            local.tm_sec,
            if offset_min < 0 { '-' } else { '+' },
            offset_min.abs() / 60,
            offset_min.abs() % 60,
        );
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// CLOCK_MONOTONIC now, nanoseconds.
pub fn monotonic_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |t| t.tv_sec().unsigned_abs() * 1_000_000_000 + t.tv_nsec().unsigned_abs())
}

/// Time since the epoch.
pub fn wall_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Wall clock, nanoseconds since 1970.
pub fn realtime_ns() -> u64 {
    u64::try_from(wall_time().as_nanos()).unwrap_or(u64::MAX)
}

/// Seconds of wall time now, for records that outlive the process.
pub fn wall_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

fn local_time(wall_s: i64) -> libc::tm {
    // SAFETY: `tm` is plain data; localtime_r fills it from a valid time_t and keeps no pointer.
    unsafe {
        let mut tm = std::mem::zeroed();
        libc::localtime_r(&wall_s, &mut tm);
        tm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_their_fixed_shape() {
        let clock = Clock::new();
        assert_eq!(clock.http_date().len(), 29);
        assert!(clock.http_date().ends_with(b" GMT"));
        assert_eq!(clock.log_time().len(), "[20/Nov/2026:13:16:00 +0000]".len());
    }

    #[test]
    fn the_monotonic_clock_does_not_go_back() {
        let mut clock = Clock::new();
        let before = clock.now_ns();
        clock.tick();
        assert!(clock.now_ns() >= before);
    }
}
