//! `access_log_when` and `access_log_skip`: which requests get an access line.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

use percent_encoding::percent_decode;

use super::named::path_of;

/// Decides for each request of a worker. Shared by its threads.
#[derive(Debug, Default)]
pub struct Choice {
    all: bool,
    client_errors: bool,
    server_errors: bool,
    slow_us: Option<u64>,
    sample: Option<NonZeroU64>,
    skip: Vec<Skip>,
    /// Requests that the sample was taken of.
    seen: AtomicU64,
}

#[derive(Debug, PartialEq, Eq)]
enum Skip {
    Path(Vec<u8>),
    Prefix(Vec<u8>),
}

impl Choice {
    /// Reads what the validators of the settings have made of them: `when` is `all`, or some of
    /// `4xx`, `5xx`, `slow:SECONDS` and `sample:N` with commas between them; `skip` has paths,
    /// decoded, in UTF-8.
    ///
    /// # Errors
    /// The part of `when` that is none of these.
    pub fn parse<'w>(when: &'w str, skip: &[String]) -> Result<Self, &'w str> {
        let mut this = Self::default();
        for part in when.split(',').map(str::trim) {
            let (word, value) = part.split_once(':').unwrap_or((part, ""));
            match (word, value) {
                ("all", "") => this.all = true,
                ("4xx", "") => this.client_errors = true,
                ("5xx", "") => this.server_errors = true,
                ("slow", _) => {
                    let seconds: f64 = value.parse().map_err(|_| part)?;
                    let micros = std::time::Duration::try_from_secs_f64(seconds);
                    let micros = micros.map_err(|_| part)?.as_micros();
                    this.slow_us = Some(u64::try_from(micros).map_err(|_| part)?);
                }
                ("sample", _) => this.sample = Some(value.parse().map_err(|_| part)?),
                _ => return Err(part),
            }
        }
        this.skip = skip.iter().map(|path| Skip::of(path.as_bytes())).collect();
        Ok(this)
    }

    /// Whether a request is to have a line: `status` and time in microseconds of its response,
    /// and the target as it came. Counts it, if there is a sample.
    pub fn wants(&self, status: u16, duration_us: u64, target: &[u8]) -> bool {
        let is_server_error = status / 100 == 5;
        if !self.skip.is_empty() && !is_server_error {
            let path = path_of(target);
            if self.skip.iter().any(|skip| skip.is_of(path)) {
                return false;
            }
        }
        if self.all {
            return true;
        }
        let sampled = self
            .sample
            .is_some_and(|every| (self.seen.fetch_add(1, Ordering::Relaxed) + 1) % every == 0);
        sampled
            || self.server_errors && is_server_error
            || self.client_errors && status / 100 == 4
            || self.slow_us.is_some_and(|limit_us| duration_us >= limit_us)
    }
}

impl Skip {
    fn of(path: &[u8]) -> Self {
        match path.strip_suffix(b"*") {
            Some(prefix) => Self::Prefix(prefix.to_vec()),
            None => Self::Path(path.to_vec()),
        }
    }

    /// Whether it means `path`, which is percent-encoded.
    fn is_of(&self, path: &[u8]) -> bool {
        let mut decoded = percent_decode(path);
        match self {
            Self::Path(whole) => decoded.eq(whole.iter().copied()),
            Self::Prefix(start) => start.iter().all(|byte| decoded.next() == Some(*byte)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Choice;

    fn choice(when: &str, skip: &[&str]) -> Choice {
        let skip: Vec<String> = skip.iter().map(|path| (*path).to_owned()).collect();
        Choice::parse(when, &skip).unwrap()
    }

    #[test]
    fn any_of_the_conditions_is_enough() {
        // status, microseconds
        let requests = [(200, 10), (200, 1_500_000), (404, 10), (499, 10), (500, 10), (302, 10)];
        let cases = [
            ("all", [true; 6]),
            ("4xx", [false, false, true, true, false, false]),
            ("5xx", [false, false, false, false, true, false]),
            ("slow:1.5", [false, true, false, false, false, false]),
            ("slow:0", [true; 6]),
            ("4xx,5xx,slow:1", [false, true, true, true, true, false]),
            ("5xx, all", [true; 6]),
        ];
        for (when, expected) in cases {
            let choice = choice(when, &[]);
            let wanted = requests.map(|(status, us)| choice.wants(status, us, b"/"));
            assert_eq!(wanted, expected, "{when}");
        }
    }

    #[test]
    fn every_nth_is_a_sample() {
        let choice = choice("5xx,sample:3", &["/healthz"]);
        let mut wanted = Vec::new();
        for _ in 0..7 {
            assert!(!choice.wants(200, 0, b"/healthz"));
            wanted.push(choice.wants(200, 0, b"/"));
        }
        assert_eq!(wanted, [false, false, true, false, false, true, false]);
    }

    #[test]
    fn paths_are_skipped_however_they_are_written() {
        let choice = choice("all", &["/healthz", "/static/*", "/caf\u{e9}"]);
        let skipped = [
            "/healthz",
            "/healthz?full=1",
            "/health%7A",
            "http://example.org/healthz?a",
            "/static/",
            "/static/a/b.css",
            "/caf%C3%A9",
        ];
        for target in skipped {
            assert!(!choice.wants(200, 0, target.as_bytes()), "{target}");
            assert!(choice.wants(503, 0, target.as_bytes()), "{target}");
        }
        for target in
            ["/", "*", "", "/healthz/", "/healthzz", "/static", "/x?/healthz", "//healthz"]
        {
            assert!(choice.wants(200, 0, target.as_bytes()), "{target}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        for when in
            ["", "2xx", "all:1", "slow", "slow:x", "slow:-1", "sample:0", "sample:x", "4xx,"]
        {
            assert!(Choice::parse(when, &[]).is_err(), "{when}");
        }
    }
}
