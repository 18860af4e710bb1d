//! The pages: a question to the bytes of its answer.

use std::io::Write;

use super::health::{self, Limits};
use super::question::{Page, Question};
use super::stall::Stall;
use super::vitals::Vitals;
use super::{metrics, stats};
use crate::sys::clock::Clock;
use crate::sys::scoreboard::Scoreboard;
use crate::sys::{diag, leash, usage};

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

const INDEX: &str = "\
/healthz   200 as long as the master lives
/readyz    200 when the server can take requests, else 503 and why
/metrics   for Prometheus
/stats     JSON, as uwsgitop reads it
";

/// What the pages are about.
#[derive(Clone, Debug)]
pub struct Site {
    /// Where everything else is read.
    pub board: Scoreboard,
    /// The master's process.
    pub master: i32,
    /// Release of this server.
    pub version: String,
    /// User of the workers.
    pub uid: u32,
    /// Their group.
    pub gid: u32,
    /// Directory of the master.
    pub cwd: String,
    /// What is spoken at the doors.
    pub protocol: String,
    /// Where the server listens.
    pub doors: Vec<Door>,
    /// When it is not ready.
    pub limits: Limits,
}

/// A listening socket of the server. This process does not have it: it only knows its number.
#[derive(Clone, Debug)]
pub struct Door {
    /// The address, for people.
    pub name: String,
    /// Inode number of the socket.
    pub inode: u64,
}

impl Site {
    /// The whole answer, head and body; the connection closes after it.
    pub fn answer(&self, question: Question, stall: &Stall, clock: &Clock) -> Vec<u8> {
        let (status, kind, body) = self.page(question.page, stall, clock.now_ns());
        let mut out = Vec::with_capacity(256 + body.len());
        // Writing into a Vec cannot fail.
        let _ = write!(out, "HTTP/1.1 {} {}\r\nServer: rgunicorn\r\nDate: ", status.0, status.1);
        out.extend_from_slice(clock.http_date());
        let _ = write!(
            out,
            "\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n{}\r\n",
            body.len(),
            if question.page == Page::Forbidden { "Allow: GET, HEAD\r\n" } else { "" },
        );
        if !question.head_only {
            out.extend_from_slice(&body);
        }
        out
    }

    /// What a client is told that says nothing: the stats, and no head, as uWSGI does.
    pub fn say_first(&self, now_ns: u64) -> Vec<u8> {
        self.stats(now_ns)
    }

    fn page(
        &self,
        page: Page,
        stall: &Stall,
        now_ns: u64,
    ) -> ((u16, &'static str), &'static str, Vec<u8>) {
        const OK: (u16, &str) = (200, "OK");
        const UNAVAILABLE: (u16, &str) = (503, "Service Unavailable");
        match page {
            Page::Index => (OK, TEXT, INDEX.into()),
            Page::Health if leash::holds(self.master) => (OK, TEXT, "ok\n".into()),
            Page::Health => (UNAVAILABLE, TEXT, "the master is gone\n".into()),
            Page::Ready => {
                let snapshot = self.board.snapshot(now_ns);
                let checks = health::checks(&snapshot, stall, &self.limits, now_ns);
                let ready = checks.iter().all(|check| check.passed);
                (if ready { OK } else { UNAVAILABLE }, TEXT, health::page(&checks).into_bytes())
            }
            Page::Stats => (OK, JSON, self.stats(now_ns)),
            Page::Metrics => match self.metrics(now_ns) {
                Ok(text) => (OK, metrics::CONTENT_TYPE, text.into_bytes()),
                Err(why) => ((500, "Internal Server Error"), TEXT, why.into_bytes()),
            },
            Page::Missing => {
                ((404, "Not Found"), TEXT, format!("No such page. There are:\n\n{INDEX}").into())
            }
            Page::Forbidden => {
                let text = "These pages can only be read, by GET and HEAD.\n";
                ((405, "Method Not Allowed"), TEXT, text.into())
            }
            Page::Refused(status, reason) => {
                ((status, reason), TEXT, format!("{reason}\n").into_bytes())
            }
        }
    }

    fn stats(&self, now_ns: u64) -> Vec<u8> {
        let snapshot = self.board.snapshot(now_ns);
        let queues = self.queues();
        let mut text = stats::render(&snapshot, self, usage::of, &queues, now_ns).to_string();
        text.push('\n');
        text.into_bytes()
    }

    fn metrics(&self, now_ns: u64) -> Result<String, String> {
        let snapshot = self.board.snapshot(now_ns);
        let mut vitals = Vitals::read(&snapshot, u64::from(self.master.unsigned_abs()));
        let known = self.doors.iter().zip(self.queues());
        vitals.backlogs =
            known.filter_map(|(door, queue)| Some((door.name.clone(), queue?.0))).collect();
        metrics::render(&snapshot, &vitals, now_ns)
    }

    /// Of each door: how many wait, and how many may; `None` when the kernel does not tell.
    fn queues(&self) -> Vec<Option<(u64, u64)>> {
        let found = diag::queues().unwrap_or_default();
        self.doors
            .iter()
            .map(|door| found.iter().find(|queue| queue.inode == door.inode))
            .map(|queue| queue.map(|queue| (queue.waiting, queue.most)))
            .collect()
    }

    #[cfg(test)]
    pub(super) fn of(board: Scoreboard) -> Self {
        Self {
            board,
            master: std::os::unix::process::parent_id() as i32,
            version: "1.2.3".into(),
            uid: 1,
            gid: 2,
            cwd: "/srv".into(),
            protocol: "http".into(),
            doors: Vec::new(),
            limits: Limits { timeout_ns: 0, stuck_ns: 60_000_000_000, max_queue: 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(page: Page, head_only: bool) -> String {
        let site = Site::of(Scoreboard::new(None).unwrap());
        let bytes = site.answer(Question { page, head_only }, &Stall::default(), &Clock::new());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_page_has_its_status() {
        for (page, status) in [
            (Page::Index, "200 OK"),
            (Page::Health, "200 OK"),
            (Page::Ready, "503 Service Unavailable"),
            (Page::Stats, "200 OK"),
            (Page::Metrics, "200 OK"),
            (Page::Missing, "404 Not Found"),
            (Page::Forbidden, "405 Method Not Allowed"),
            (Page::Refused(431, "Too Large"), "431 Too Large"),
        ] {
            let text = answer(page, false);
            assert!(text.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{text}");
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{text}");
            assert!(head.contains("\r\nCache-Control: no-store\r\n"));
            assert_eq!(head.contains("\r\nAllow: GET, HEAD"), page == Page::Forbidden);
        }
    }

    #[test]
    fn a_head_says_how_long_the_body_would_be() {
        let text = answer(Page::Health, true);
        assert!(text.ends_with("\r\nContent-Length: 3\r\n\r\n"), "{text}");
    }

    #[test]
    fn who_asks_for_nothing_gets_a_document() {
        let site = Site::of(Scoreboard::new(None).unwrap());
        let value: serde_json::Value = serde_json::from_slice(&site.say_first(9)).unwrap();
        assert_eq!(value["version"], "rgunicorn-1.2.3");
    }
}
