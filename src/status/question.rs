//! What a client asks for: bytes to the name of a page.

use crate::http::{AllowList, Head, HeadReader, HeaderMap, Limits, Policy, ProxyMode};

/// Longest request head, bytes.
pub const LONGEST_HEAD: usize = 8 * 1024;

/// Something that can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// `/`
    Index,
    /// `/healthz`
    Health,
    /// `/readyz`
    Ready,
    /// `/metrics`
    Metrics,
    /// `/stats`
    Stats,
    /// Nothing has that path.
    Missing,
    /// A method that would change something, or an unknown one.
    Forbidden,
    /// No request: status and reason.
    Refused(u16, &'static str),
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// What is asked for.
    pub page: Page,
    /// Only the head of the answer is wanted.
    pub head_only: bool,
}

/// Reads the one request of a connection.
#[derive(Debug, Default)]
pub struct Ear {
    inbox: Vec<u8>,
    reader: HeadReader,
    head: Head,
}

impl Ear {
    /// Takes bytes as they come; the question, when it is complete. What comes after is ignored.
    pub fn hear(&mut self, bytes: &[u8], policy: &Policy) -> Option<Question> {
        let room = LONGEST_HEAD.saturating_sub(self.inbox.len()).min(bytes.len());
        self.inbox.extend_from_slice(bytes.get(..room).unwrap_or_default());
        let page = match self.reader.poll(&mut self.inbox, false, policy, None, &mut self.head) {
            Ok(true) => self.page(),
            Ok(false) if self.inbox.len() < LONGEST_HEAD => return None,
            Ok(false) => Page::Refused(431, "Request Header Fields Too Large"),
            Err(error) => Page::Refused(error.status(), error.reason()),
        };
        let question = Question { page, head_only: self.head.is_head };
        // Nothing is read after the first request.
        self.inbox = Vec::new();
        Some(question)
    }

    fn page(&self) -> Page {
        if !matches!(self.head.method.of(&self.inbox), b"GET" | b"HEAD") {
            return Page::Forbidden;
        }
        match self.head.path.of(&self.inbox) {
            b"/" => Page::Index,
            b"/healthz" => Page::Health,
            b"/readyz" => Page::Ready,
            b"/metrics" => Page::Metrics,
            b"/stats" => Page::Stats,
            _ => Page::Missing,
        }
    }
}

/// Nobody is trusted, nothing is lenient.
pub fn policy() -> Policy {
    Policy {
        limits: Limits::new(4094, 100, LONGEST_HEAD),
        permit_unconventional_method: false,
        permit_unconventional_version: false,
        casefold_method: false,
        strip_header_spaces: false,
        permit_obsolete_folding: false,
        header_map: HeaderMap::Drop,
        forwarder_headers: Vec::new(),
        forwarded_allow: AllowList::default(),
        secure_scheme_headers: Vec::new(),
        proxy: ProxyMode::Off,
        proxy_allow: AllowList::default(),
        uwsgi: None,
        tls: false,
        script_name_env: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<Question> {
        let (policy, mut whole, mut slow) = (policy(), Ear::default(), Ear::default());
        let at_once = whole.hear(text.as_bytes(), &policy);
        let in_pieces = text.as_bytes().iter().find_map(|b| slow.hear(&[*b], &policy));
        assert_eq!(at_once, in_pieces, "{text:?}");
        at_once
    }

    fn page(text: &str) -> Page {
        asked(text).unwrap().page
    }

    #[test]
    fn pages_have_their_paths() {
        assert_eq!(page("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), Page::Index);
        assert_eq!(page("GET /healthz HTTP/1.0\r\n\r\n"), Page::Health);
        assert_eq!(page("GET /readyz?verbose HTTP/1.1\r\nHost: x\r\n\r\n"), Page::Ready);
        assert_eq!(page("GET http://x:1/metrics HTTP/1.1\r\nHost: x\r\n\r\n"), Page::Metrics);
        for path in ["/healthz/", "//healthz", "/stats/../stats", "/%73tats", "/HEALTHZ"] {
            assert_eq!(page(&format!("GET {path} HTTP/1.1\r\n\r\n")), Page::Missing, "{path}");
        }
        let head = asked("HEAD /stats HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!((head.page, head.head_only), (Page::Stats, true));
    }

    #[test]
    fn nothing_can_be_changed() {
        for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"] {
            assert_eq!(page(&format!("{method} /stats HTTP/1.1\r\n\r\n")), Page::Forbidden);
        }
        assert_eq!(page("OPTIONS * HTTP/1.1\r\n\r\n"), Page::Forbidden);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(page("hello\r\n\r\n"), Page::Refused(400, "Bad Request"));
        assert_eq!(page("get /stats HTTP/1.1\r\n\r\n"), Page::Refused(400, "Bad Request"));
        let line = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(5000));
        assert_eq!(page(&line), Page::Refused(414, "URI Too Long"));
        let head = format!("GET / HTTP/1.1\r\n{}", "a: 0123456789\r\n".repeat(600));
        assert!(matches!(page(&head), Page::Refused(431, _)));
        let endless = format!("GET / HTTP/1.1\r\na: {}", "b".repeat(9000));
        assert!(matches!(page(&endless), Page::Refused(431, _)));
        assert_eq!(asked("GET /stats HTTP/1.1\r\nHost: x\r\n"), None);
    }
}
