//! What can be wrong with a request, in Gunicorn's words.
//!
//! One variant per exception of `gunicorn.http.errors`. The text of `Display` is `str(exception)`
//! there: it ends up in the log line `Invalid request from ip=…: <text>`. The status, the reason
//! and the message on the error page follow the table of Gunicorn's `Worker.handle_error`.

use super::repr;

/// A request that is refused. The connection closes after the error page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The request line is not three parts, or its target is none of the four forms.
    #[error("Invalid HTTP request line: {}", repr::text(.0))]
    InvalidRequestLine(Vec<u8>),
    /// The method is no token, or an unconventional one.
    #[error("Invalid HTTP method: {}", repr::text(.0))]
    InvalidRequestMethod(Vec<u8>),
    /// The third part of the request line is not `HTTP/d.d`, or a version that is not served.
    #[error("Invalid HTTP Version: {0}")]
    InvalidHttpVersion(BadVersion),
    /// A header line, or a header whose value can't stand.
    #[error("Invalid HTTP Header: {}", repr::text(.text))]
    InvalidHeader {
        /// The raw line, or the upper-case name, or a description.
        text: Vec<u8>,
        /// Gunicorn has the request at hand here: such an error leaves an access line.
        request: bool,
    },
    /// A header name that is no token, or refused by `header_map`, or not allowed in a trailer.
    #[error("Invalid HTTP header name: {}", repr::text(.0))]
    InvalidHeaderName(Vec<u8>),
    /// A folded header line (RFC 9112 section 5.2) without `permit_obsolete_folding`.
    #[error("Obsolete line folding is unacceptable: {}", repr::text(.0))]
    ObsoleteFolding(Vec<u8>),
    /// The request line is longer than `limit_request_line`.
    #[error("Request Line is too large ({size} > {limit})")]
    LimitRequestLine {
        /// Bytes seen so far.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Too many header fields, or too large ones.
    #[error("{0}")]
    LimitRequestHeaders(&'static str),
    /// A transfer coding that is not known (RFC 9112 section 6.1).
    #[error("Unsupported transfer coding: {}", repr::text(.0))]
    UnsupportedTransferCoding(Vec<u8>),
    /// An `Expect` other than `100-continue`.
    #[error("Unable to comply with expectation: {}", repr::text(.0))]
    ExpectationFailed(Vec<u8>),
    /// A trusted proxy says both http and https.
    #[error("Contradictory scheme headers")]
    InvalidSchemeHeaders,
    /// A PROXY v1 line that can't be read.
    #[error("Invalid PROXY line: {}", repr::text(.0))]
    InvalidProxyLine(Vec<u8>),
    /// A PROXY v2 header that can't be read.
    #[error("Invalid PROXY header: {0}")]
    InvalidProxyHeader(String),
    /// A PROXY preamble from a peer that is not in `proxy_allow_ips`.
    #[error("Proxy request from {} not allowed", repr::text(.0.as_bytes()))]
    ForbiddenProxyRequest(String),
    /// A uwsgi packet that can't be read.
    #[error("Invalid uWSGI header: {0}")]
    InvalidUwsgiHeader(&'static str),
    /// A uwsgi packet that is no WSGI request, or not even uwsgi.
    #[error("Unsupported uWSGI modifier1: {0}{hint}", hint = http_hint(*.0))]
    UnsupportedModifier(u8),
    /// A uwsgi packet from a peer that is not in `uwsgi_allow_ips`.
    #[error("uWSGI request from {} not allowed", repr::text(.0.as_bytes()))]
    ForbiddenUwsgiRequest(String),
    /// A chunk size that is no hexadecimal number, or a line that is too long.
    #[error("Invalid chunk size: {}", repr::bytes(.0))]
    InvalidChunkSize(Vec<u8>),
    /// The bytes after a chunk's data are not CRLF.
    #[error("Invalid chunk terminator is not '\\r\\n': {}", repr::bytes(.0))]
    ChunkMissingTerminator(Vec<u8>),
    /// A chunk extension outside RFC 9112 section 7.1.1.
    #[error("Invalid chunk extension: {0}")]
    InvalidChunkExtension(&'static str),
    /// The path is not below SCRIPT_NAME: the proxy or the server is set up wrongly.
    #[error("Configuration problem: {0}")]
    ConfigurationProblem(String),
}

/// A letter is what HTTP begins with.
fn http_hint(modifier: u8) -> &'static str {
    match modifier.is_ascii_uppercase() {
        true => " (HTTP to a server with protocol = 'uwsgi'?)",
        false => "",
    }
}

/// What was wrong with the version: `HTTP/x.y` that is not served, or something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadVersion {
    /// Not of the form `HTTP/d.d`.
    Text(Vec<u8>),
    /// Major and minor number outside 1.0 … 1.9.
    Number(u8, u8),
}

impl std::fmt::Display for BadVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&repr::text(text)),
            Self::Number(major, minor) => write!(f, "({major}, {minor})"),
        }
    }
}

impl ParseError {
    pub(super) fn header(text: &[u8]) -> Self {
        Self::InvalidHeader { text: text.to_ascii_uppercase(), request: false }
    }

    pub(super) fn raw_line(text: &[u8]) -> Self {
        Self::InvalidHeader { text: text.to_vec(), request: false }
    }

    /// For errors Gunicorn raises with the request attached.
    pub(super) fn header_of_request(name: &str) -> Self {
        Self::InvalidHeader { text: name.as_bytes().to_vec(), request: true }
    }

    /// Status code of the answer.
    pub fn status(&self) -> u16 {
        self.answer().status
    }

    /// Reason phrase of the answer. Gunicorn says `Bad Request` for its 500 and 501 as well.
    pub fn reason(&self) -> &'static str {
        self.answer().reason()
    }

    /// Name of the exception class in `gunicorn.http.errors`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InvalidRequestLine(_) => "InvalidRequestLine",
            Self::InvalidRequestMethod(_) => "InvalidRequestMethod",
            Self::InvalidHttpVersion(_) => "InvalidHTTPVersion",
            Self::InvalidHeader { .. } => "InvalidHeader",
            Self::InvalidHeaderName(_) => "InvalidHeaderName",
            Self::ObsoleteFolding(_) => "ObsoleteFolding",
            Self::LimitRequestLine { .. } => "LimitRequestLine",
            Self::LimitRequestHeaders(_) => "LimitRequestHeaders",
            Self::UnsupportedTransferCoding(_) => "UnsupportedTransferCoding",
            Self::ExpectationFailed(_) => "ExpectationFailed",
            Self::InvalidSchemeHeaders => "InvalidSchemeHeaders",
            Self::InvalidProxyLine(_) => "InvalidProxyLine",
            Self::InvalidProxyHeader(_) => "InvalidProxyHeader",
            Self::ForbiddenProxyRequest(_) => "ForbiddenProxyRequest",
            Self::InvalidUwsgiHeader(_) => "InvalidUWSGIHeader",
            Self::UnsupportedModifier(_) => "UnsupportedModifier",
            Self::ForbiddenUwsgiRequest(_) => "ForbiddenUWSGIRequest",
            Self::InvalidChunkSize(_) => "InvalidChunkSize",
            Self::ChunkMissingTerminator(_) => "ChunkMissingTerminator",
            Self::InvalidChunkExtension(_) => "InvalidChunkExtension",
            Self::ConfigurationProblem(_) => "ConfigurationProblem",
        }
    }

    /// The message on the error page, before HTML escaping.
    pub fn page_message(&self) -> String {
        self.answer().page(&self.to_string())
    }

    /// Whether Gunicorn writes an access line for this error of a head: it does when the request
    /// was parsed far enough to be an object. Errors of a body always leave one.
    pub fn has_request(&self) -> bool {
        matches!(self, Self::InvalidHeader { request: true, .. })
    }

    fn answer(&self) -> Answer {
        Answer::to(self.name()).unwrap_or(BAD)
    }
}

/// How a client is told what was wrong with its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Text of the page around the exception's own.
    page: &'static str,
}

const BAD: Answer = Answer { status: 400, page: "{}" };

impl Answer {
    /// The answer to the exception class `name` of `gunicorn.http.errors` (or `SSLError`); `None`
    /// when such an exception is not the client's mistake.
    pub fn to(name: &str) -> Option<Self> {
        let (status, page) = match name {
            "InvalidRequestLine" => (400, "Invalid Request Line '{}'"),
            "InvalidRequestMethod" => (400, "Invalid Method '{}'"),
            "InvalidHTTPVersion" => (400, "Invalid HTTP Version '{}'"),
            "InvalidProxyLine" | "InvalidProxyHeader" => (400, "'{}'"),
            "InvalidHeader"
            | "InvalidHeaderName"
            | "ObsoleteFolding"
            | "InvalidSchemeHeaders"
            | "InvalidChunkSize"
            | "ChunkMissingTerminator"
            | "InvalidChunkExtension"
            | "InvalidH2CPreface" => return Some(BAD),
            "InvalidUWSGIHeader" => return Some(BAD),
            "ForbiddenProxyRequest" | "ForbiddenUWSGIRequest" => (403, "Request forbidden"),
            "SSLError" => (403, "'{}'"),
            "LimitRequestLine" => (414, "{}"),
            "ExpectationFailed" => (417, "{}"),
            "LimitRequestHeaders" => (431, "Error parsing headers: '{}'"),
            "ConfigurationProblem" => (500, "{}"),
            "UnsupportedTransferCoding" | "UnsupportedModifier" => (501, "{}"),
            _ => return None,
        };
        Some(Self { status, page })
    }

    /// Reason phrase.
    pub fn reason(self) -> &'static str {
        match self.status {
            403 => "Forbidden",
            414 => "URI Too Long",
            417 => "Expectation Failed",
            431 => "Request Header Fields Too Large",
            500 => "Internal Server Error",
            501 => "Not Implemented",
            _ => "Bad Request",
        }
    }

    /// The message on the error page for an exception that says `text`, before HTML escaping.
    pub fn page(self, text: &str) -> String {
        self.page.replacen("{}", text, 1)
    }
}

/// Appends a whole error response (head and page) to `out`, byte for byte Gunicorn's.
///
/// `mesg` is escaped here. Characters outside latin-1 become `?` (Gunicorn fails on them).
pub fn error_page(status: u16, reason: &str, mesg: &str, out: &mut Vec<u8>) {
    page_with("", status, reason, mesg, out);
}

/// The same for a 503 that passes (RFC 9110 section 10.2.3): when to come back, in seconds.
pub fn retry_page(retry_after_s: u64, reason: &str, mesg: &str, out: &mut Vec<u8>) {
    page_with(&format!("Retry-After: {retry_after_s}\r\n"), 503, reason, mesg, out);
}

fn page_with(fields: &str, status: u16, reason: &str, mesg: &str, out: &mut Vec<u8>) {
    let page = format!(
        "<html>\n  <head>\n    <title>{reason}</title>\n  </head>\n  <body>\n    \
         <h1><p>{reason}</p></h1>\n    {}\n  </body>\n</html>\n",
        escape(mesg)
    );
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: text/html\r\n\
         {fields}Content-Length: {}\r\n\r\n",
        page.chars().count()
    );
    out.extend(head.chars().chain(page.chars()).map(|c| u8::try_from(c).unwrap_or(b'?')));
}

/// As Python's `html.escape(text, quote=True)`.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages and statuses are in the corpus; reasons are ours where Gunicorn says Bad Request.
    #[test]
    fn reasons() {
        for (error, status, reason) in [
            (ParseError::raw_line(b"x"), 400, "Bad Request"),
            (ParseError::ForbiddenProxyRequest("::1".to_owned()), 403, "Forbidden"),
            (ParseError::LimitRequestLine { size: 2, limit: 1 }, 414, "URI Too Long"),
            (ParseError::ExpectationFailed(b"x".to_vec()), 417, "Expectation Failed"),
            (ParseError::LimitRequestHeaders("x"), 431, "Request Header Fields Too Large"),
            (ParseError::ConfigurationProblem("x".to_owned()), 500, "Internal Server Error"),
            (ParseError::UnsupportedTransferCoding(b"x".to_vec()), 501, "Not Implemented"),
        ] {
            assert_eq!((error.status(), error.reason()), (status, reason), "{error}");
        }
    }

    #[test]
    fn only_some_refused_heads_are_requests() {
        assert!(ParseError::header_of_request("HOST").has_request());
        assert!(!ParseError::header(b"host").has_request());
        assert!(!ParseError::InvalidSchemeHeaders.has_request());
    }

    #[test]
    fn exceptions_of_other_libraries_have_their_status_by_name() {
        let tls = Answer::to("SSLError").unwrap();
        assert_eq!((tls.page("no"), tls.reason()), ("'no'".to_owned(), "Forbidden"));
        assert!(Answer::to("KeyError").is_none());
    }

    #[test]
    fn who_is_to_come_back_is_told_when() {
        let mut out = Vec::new();
        retry_page(7, "Service Unavailable", "later", &mut out);
        let page = String::from_utf8(out).unwrap();
        assert!(page.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{page}");
        assert!(page.contains("\r\nRetry-After: 7\r\n") && page.contains("later"), "{page}");
    }
}
