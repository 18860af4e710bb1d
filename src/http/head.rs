//! A request head: what was asked, read incrementally out of the connection's buffer.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memmem};

use super::fields::{read_head, read_plain_head};
use super::span::Span;
use super::{ParseError, Policy, Recent, request_line, uwsgi};

/// One header field the policy keeps.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Field {
    /// Name as the client wrote it.
    pub name: Span,
    /// Value without blanks at its ends.
    pub value: Span,
}

/// How the body of a request ends (RFC 9112 section 6.3).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Framing {
    /// No body.
    #[default]
    None,
    /// That many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// Which of the heads that a [`Recent`] remembers one is; 0 for none.
#[derive(Clone, Copy, Default, Debug)]
pub struct Known(pub u64);

/// What a head says is the same, whether it was remembered or read.
impl PartialEq for Known {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Known {}

/// A request head, as spans into the buffer it was read from. Reusable: `clear` keeps the memory.
#[derive(Default, Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Method, upper-cased when `casefold_http_method` is set.
    pub method: Span,
    /// Request target as sent; see [`Head::uri`].
    pub target: Span,
    /// Path of the target: still percent-encoded, without query and fragment. Of a uwsgi packet
    /// PATH_INFO, decoded.
    pub path: Span,
    /// Query of the target, without `?`.
    pub query: Span,
    /// Major and minor version.
    pub version: (u8, u8),
    /// The fields the policy keeps, in order.
    pub fields: Vec<Field>,
    /// How the body ends.
    pub framing: Framing,
    /// `wsgi.url_scheme` is https.
    pub https: bool,
    /// Version and Connection allow another request after this one.
    pub keep_alive: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
    /// `Connection: upgrade` was asked.
    pub upgrade: bool,
    /// The SCRIPT_NAME header; see [`Head::script_name`].
    pub script_name: Span,
    /// A SCRIPT_NAME header was kept, even if it is empty.
    pub has_script_name: bool,
    /// The method is HEAD.
    pub is_head: bool,
    /// The method is CONNECT.
    pub is_connect: bool,
    /// It came as a uwsgi packet.
    pub uwsgi: bool,
    /// PATH_INFO when the proxy has decoded it: below SCRIPT_NAME.
    pub path_info: Option<Span>,
    /// Variables of a uwsgi packet for the environ, beside the fields.
    pub params: Vec<Field>,
    /// Bytes of the buffer the head occupies, with a skipped leading CRLF.
    pub len: usize,
    /// Where it was remembered: two heads with the same number, not 0, and their bytes are the same.
    pub known: Known,
}

impl Head {
    /// Back to the empty head, with the memory kept.
    pub fn clear(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        let mut params = std::mem::take(&mut self.params);
        fields.clear();
        params.clear();
        *self = Self { fields, params, ..Self::default() };
    }

    /// Value of the field called `name` (any case). Of several the last one, as in Gunicorn's
    /// access log; the environ joins them all.
    pub fn field<'a>(&self, buf: &'a [u8], name: &str) -> Option<&'a [u8]> {
        let wanted = |field: &&Field| {
            field.name.len() == name.len()
                && field.name.of(buf).eq_ignore_ascii_case(name.as_bytes())
        };
        self.fields.iter().rev().find(wanted).map(|field| field.value.of(buf))
    }

    /// Value of the parameter called `name`; of several the last one.
    pub fn param<'a>(&self, buf: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
        let wanted = |param: &&Field| param.name.of(buf) == name;
        self.params.iter().rev().find(wanted).map(|param| param.value.of(buf))
    }

    /// RAW_URI: the target, or what comes closest to it when a uwsgi packet has no REQUEST_URI.
    pub fn uri<'a>(&self, buf: &'a [u8]) -> Cow<'a, [u8]> {
        match (self.target.of(buf), self.query.of(buf)) {
            (b"", b"") => Cow::Borrowed(self.path.of(buf)),
            (b"", query) => Cow::Owned([self.path.of(buf), b"?", query].concat()),
            (target, _) => Cow::Borrowed(target),
        }
    }

    /// HTTP version of the response: that of the request, but a uwsgi proxy translates.
    pub fn response_version(&self) -> (u8, u8) {
        if self.uwsgi { (1, 1) } else { self.version }
    }

    /// The SCRIPT_NAME that counts: that of the header, else that of the process environment.
    pub fn script_name<'a>(&self, buf: &'a [u8], policy: &'a Policy) -> &'a [u8] {
        if self.has_script_name { self.script_name.of(buf) } else { &policy.script_name_env }
    }
}

/// Reads heads one after the other. Remembers how far it has searched, so that a head that comes
/// in small pieces costs no more than one that comes whole.
#[derive(Default, Debug)]
pub struct HeadReader {
    /// Start of the request line: behind the one empty line that RFC 9112 section 2.2 lets pass.
    start: usize,
    /// No LF to be looked at lies before this offset.
    searched: usize,
    /// Start of the header section, once the request line was read.
    section: Option<usize>,
    /// Start of the header line that is not complete yet.
    line: usize,
}

impl HeadReader {
    /// Looks at `buf`: all bytes received since the start of this head.
    ///
    /// `Ok(true)`: `head` is filled, `buf[..head.len]` is the head, the rest is its body or the next
    /// request, and the reader is ready for the next head. `Ok(false)`: more bytes are needed; call
    /// again with the same bytes and more. `buf` is writable because a case-folded method and
    /// unfolded values are rewritten where they stand. `trusted`: the peer is in
    /// `policy.forwarded_allow`. `recent`: what was read before, with the same policy, by this
    /// reader or others.
    ///
    /// # Errors
    /// The request is refused; the connection can't be used any further. `head.method` and
    /// `head.target` are set when the request line was fine.
    pub fn poll(
        &mut self,
        buf: &mut [u8],
        trusted: bool,
        policy: &Policy,
        mut recent: Option<&mut Recent>,
        head: &mut Head,
    ) -> Result<bool, ParseError> {
        if policy.uwsgi.is_some() {
            // Its size comes first: there is nothing to remember.
            return uwsgi::read(buf, policy, head);
        }
        let section = match self.section {
            Some(section) => section,
            None => {
                let recall = |it: &&mut Recent| it.recall_head(buf, trusted, head);
                if self.searched == 0 && recent.as_ref().is_some_and(recall) {
                    return Ok(true);
                }
                head.clear();
                let Some(line_end) = self.find_request_line(buf, policy.limits.request_line)?
                else {
                    return Ok(false);
                };
                request_line::read(buf, self.start..line_end, policy, head)?;
                self.begin_section(line_end + 2)
            }
        };
        let again = recent.as_deref_mut();
        let (end, known) = match self.read_section(buf, section, trusted, policy, again, head) {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(false),
            Err(error) => {
                // Without a request there are no headers to be shown in an access line.
                if !error.has_request() {
                    head.fields.clear();
                }
                return Err(error);
            }
        };
        head.len = end + 2;
        if let Some(recent) = recent.filter(|_| known) {
            recent.learn_head(buf, section, trusted, head);
        }
        self.reset();
        Ok(true)
    }

    /// Bytes this head may still grow by when `have` are there, so that the caller never buffers
    /// more. At least 1 as long as `poll` asks for more.
    pub fn room(&self, have: usize, policy: &Policy) -> usize {
        if policy.uwsgi.is_some() {
            return uwsgi::LONGEST.saturating_sub(have);
        }
        let limits = &policy.limits;
        // One byte over the limit is what tells that it is passed.
        let most = match self.section {
            Some(section) => section + limits.section + 1,
            None => 2 + limits.request_line + 2 + limits.section + 1,
        };
        most.saturating_sub(have)
    }

    /// Starts over with a new head.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Offset of the CRLF that ends the request line.
    ///
    /// RFC 9112 section 2.2: lines end with CRLF. A bare LF is refused, never taken for one: two
    /// parsers that disagree on it see different requests.
    fn find_request_line(&mut self, buf: &[u8], limit: usize) -> Result<Option<usize>, ParseError> {
        if self.searched == 0 {
            match buf {
                [] | [b'\r'] => return Ok(None),
                [b'\r', b'\n', ..] => (self.start, self.searched) = (2, 2),
                _ => {}
            }
        }
        let window = buf.len().min(self.start + limit + 3);
        let Some(lf) = memchr(b'\n', buf.get(self.searched..window).unwrap_or_default())
            .map(|at| self.searched + at)
        else {
            self.searched = window;
            if window.saturating_sub(self.start) > limit + 2 {
                return Err(line_too_long(&buf[self.start..], limit));
            }
            return Ok(None);
        };
        if lf == self.start || buf[lf - 1] != b'\r' {
            return Err(ParseError::InvalidRequestLine(BARE_LF.to_vec()));
        }
        if lf - 1 - self.start > limit {
            return Err(line_too_long(&buf[self.start..], limit));
        }
        Ok(Some(lf - 1))
    }

    /// Reads the header section; returns its end, and whether it was known, or `None` when it is not
    /// all there.
    fn read_section(
        &mut self,
        buf: &mut [u8],
        section: usize,
        trusted: bool,
        policy: &Policy,
        recent: Option<&mut Recent>,
        head: &mut Head,
    ) -> Result<Option<(usize, bool)>, ParseError> {
        // Most heads come whole. One that does not is tried again when its end was found.
        if self.searched == section {
            let known = recent.as_ref().and_then(|it| it.recall(buf, section, trusted, head));
            if let Some(end) = known {
                return Ok(Some((end, true)));
            }
            if let Some(end) = read_plain_head(buf, section, trusted, policy, head)? {
                if let Some(recent) = recent {
                    recent.learn(buf, section, end, trusted, head);
                }
                return Ok(Some((end, false)));
            }
        }
        let Some(end) = self.find_section_end(buf, section, policy.limits.section)? else {
            return Ok(None);
        };
        if read_plain_head(buf, section, trusted, policy, head)?.is_none() {
            read_head(buf, section..end, trusted, policy, head)?;
        }
        Ok(Some((end, false)))
    }

    fn begin_section(&mut self, section: usize) -> usize {
        self.section = Some(section);
        self.searched = section;
        self.line = section;
        section
    }

    /// Offset of the empty line that ends the head.
    fn find_section_end(
        &mut self,
        buf: &[u8],
        section: usize,
        limit: usize,
    ) -> Result<Option<usize>, ParseError> {
        let window = buf.len().min(section + limit + 1);
        let unseen = buf.get(self.searched..window).unwrap_or_default();
        for at in memchr_iter(b'\n', unseen) {
            let lf = self.searched + at;
            if lf == self.line || buf[lf - 1] != b'\r' {
                return Err(ParseError::raw_line(BARE_LF));
            }
            if lf - 1 == self.line {
                return Ok(Some(self.line));
            }
            self.line = lf + 1;
        }
        self.searched = window;
        if window.saturating_sub(section) > limit {
            return Err(ParseError::LimitRequestHeaders("max buffer headers"));
        }
        Ok(None)
    }
}

pub(super) const BARE_LF: &[u8] = b"bare LF as line terminator";

/// `text` starts with a request line of more than `limit` bytes. Its size is that of the line, or
/// of what has come so far.
fn line_too_long(text: &[u8], limit: usize) -> ParseError {
    let size = memmem::find(text, b"\r\n").unwrap_or(text.len());
    ParseError::LimitRequestLine { size, limit }
}

#[cfg(test)]
#[path = "test_head.rs"]
mod tests;
