//! CGI's variables (RFC 3875 section 4.1), as a uwsgi packet has them, become a request head.

use super::head::{Field, Framing, Head};
use super::path::{split_script_name, split_target, unquote};
use super::request_line::check_method;
use super::response::decimal;
use super::span::Span;
use super::{BadVersion, ParseError, Policy, token};

/// What the variables with a meaning of their own say. Of one that comes several times the last
/// counts: that is how an `uwsgi_param` below nginx's `include uwsgi_params` overrides it.
#[derive(Default)]
pub(super) struct Said {
    path: Option<Span>,
    query: Option<Span>,
    script_name: Option<Span>,
    protocol: Span,
    https: Span,
    /// By rank: that of the protocol's own name, uWSGI's, nginx's.
    schemes: [Span; 3],
    content_type: Option<Span>,
    length: Option<Span>,
    /// nginx also sends what the client said of its body.
    client_content_type: Option<Span>,
    client_length: Span,
    client_codings: bool,
    has_host: bool,
    /// A field that may stand once only says two things. Told last: the request is known then.
    contradiction: Option<&'static str>,
    asks_close: bool,
}

impl Said {
    /// Takes one variable: a field or a parameter into `head`, or into itself.
    pub(super) fn take(
        &mut self,
        packet: &mut [u8],
        name: Span,
        value: Span,
        head: &mut Head,
    ) -> Result<(), ParseError> {
        let text = value.of(packet);
        let key = name.of(packet);
        if key.is_empty() {
            return Err(ParseError::InvalidUwsgiHeader("empty key"));
        }
        if is_header(key) {
            return self.take_header(packet, name, value, head);
        }
        // Only paths may hold every byte: they are decoded. What is not known may hold a path.
        let known = match key {
            b"PATH_INFO" => {
                self.path = Some(value);
                return Ok(());
            }
            b"SCRIPT_NAME" => {
                self.script_name = Some(value);
                return Ok(());
            }
            b"REQUEST_METHOD" => Some(&mut head.method),
            b"QUERY_STRING" => Some(self.query.get_or_insert_default()),
            b"SERVER_PROTOCOL" => Some(&mut self.protocol),
            b"wsgi.url_scheme" => Some(&mut self.schemes[0]),
            b"UWSGI_SCHEME" => Some(&mut self.schemes[1]),
            b"REQUEST_SCHEME" => Some(&mut self.schemes[2]),
            b"HTTPS" => Some(&mut self.https),
            b"REQUEST_URI" => Some(&mut head.target),
            b"REMOTE_ADDR" | b"REMOTE_PORT" | b"SERVER_NAME" | b"SERVER_PORT"
                if text.is_empty() =>
            {
                // The proxy does not know; what we know stands.
                return Ok(());
            }
            _ => None,
        };
        if let Some(place) = known {
            if !token::is_field_value(text) {
                return Err(ParseError::header(key));
            }
            *place = value;
        }
        let ours = matches!(
            key,
            b"REQUEST_METHOD"
                | b"QUERY_STRING"
                | b"SERVER_PROTOCOL"
                | b"SERVER_SOFTWARE"
                | b"RAW_URI"
        );
        let reserved: [&[u8]; 3] = [b"wsgi.", b"gunicorn.", b"rgunicorn."];
        if !ours && !reserved.iter().any(|prefix| key.starts_with(prefix)) {
            head.params.push(Field { name, value });
        }
        Ok(())
    }

    /// `HTTP_*`, and the two fields that CGI writes without it.
    fn take_header(
        &mut self,
        packet: &mut [u8],
        name: Span,
        value: Span,
        head: &mut Head,
    ) -> Result<(), ParseError> {
        let value = trimmed(packet, value);
        if !token::is_field_value(value.of(packet)) {
            return Err(ParseError::header(name.of(packet)));
        }
        let from_client = name.of(packet).starts_with(PREFIX);
        let at = name.start as usize + if from_client { PREFIX.len() } else { 0 };
        let name = Span::new(at, name.end as usize);
        for byte in packet.get_mut(at..name.end as usize).unwrap_or_default() {
            *byte = if *byte == b'_' { b'-' } else { byte.to_ascii_uppercase() };
        }
        let text = value.of(packet);
        let key = name.of(packet);
        if !token::is_token(key) {
            return Err(ParseError::InvalidHeaderName(key.to_vec()));
        }
        match (key, from_client) {
            (b"CONTENT-TYPE", false) => self.content_type = Some(name),
            (b"CONTENT-TYPE", true) => self.client_content_type = Some(name),
            (b"CONTENT-LENGTH", true) => {
                self.client_length = value;
                return Ok(());
            }
            (b"CONTENT-LENGTH", false) => {
                let earlier = self.length.replace(value);
                if earlier.is_some_and(|earlier| earlier.of(packet) != text) {
                    self.contradiction = Some("CONTENT-LENGTH");
                }
            }
            (b"HOST", _) if std::mem::replace(&mut self.has_host, true) => {
                self.contradiction = Some("HOST");
            }
            (b"TRANSFER-ENCODING", _) => self.client_codings = true,
            (b"CONNECTION", _) => {
                for option in token::list(text) {
                    self.asks_close |= option.eq_ignore_ascii_case(b"close");
                    head.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
                }
            }
            _ => {}
        }
        head.fields.push(Field { name, value });
        Ok(())
    }

    /// What the variables say together goes into the head.
    pub(super) fn conclude(
        self,
        packet: &mut [u8],
        policy: &Policy,
        head: &mut Head,
    ) -> Result<(), ParseError> {
        self.settle_singletons(packet, head);
        let method = head.method.of(packet);
        if method.is_empty() {
            return Err(ParseError::InvalidUwsgiHeader("no REQUEST_METHOD"));
        }
        check_method(method, policy)?;
        if policy.casefold_method {
            let range = head.method.start as usize..head.method.end as usize;
            packet.get_mut(range).unwrap_or_default().make_ascii_uppercase();
        }
        let method = head.method.of(packet);
        head.is_head = method == b"HEAD";
        head.is_connect = method == b"CONNECT";
        head.version = version(self.protocol.of(packet))?;
        head.https = self.is_https(packet).unwrap_or(policy.tls);
        self.settle_path(packet, policy, head)?;
        if let Some(name) = self.contradiction {
            return Err(ParseError::header_of_request(name));
        }
        self.settle_body(packet, head)
    }

    /// Keeps one of each field that can come both from the client and as a variable of its own,
    /// or several times.
    fn settle_singletons(&self, packet: &[u8], head: &mut Head) {
        let kept = self.content_type.or(self.client_content_type);
        let length = self.length;
        head.fields.retain(|field| match field.name.of(packet) {
            b"CONTENT-TYPE" => Some(field.name) == kept,
            b"CONTENT-LENGTH" => Some(field.value) == length,
            _ => true,
        });
    }

    fn is_https(&self, packet: &[u8]) -> Option<bool> {
        let https = self.https.of(packet);
        let is = |word: &[u8]| https.eq_ignore_ascii_case(word);
        if is(b"on") || is(b"1") || is(b"true") {
            return Some(true);
        }
        let mut schemes = self.schemes.iter().map(|scheme| scheme.of(packet));
        let scheme = schemes.find(|scheme| !scheme.is_empty())?;
        Some(scheme.eq_ignore_ascii_case(b"https"))
    }

    /// PATH_INFO and QUERY_STRING, or what REQUEST_URI has for them.
    fn settle_path(
        &self,
        packet: &[u8],
        policy: &Policy,
        head: &mut Head,
    ) -> Result<(), ParseError> {
        let target = head.target.of(packet);
        let start = head.target.start as usize;
        let parts = split_target(target).filter(|_| !target.is_empty());
        if let Some((path, query)) = parts {
            head.path = Span::new(start + path.start, start + path.end);
            head.query = Span::new(start + query.start, start + query.end);
        }
        head.query = self.query.unwrap_or(head.query);
        if let Some(script_name) = self.script_name {
            head.has_script_name = true;
            // PEP 3333: SCRIPT_NAME ends without a slash, PATH_INFO begins with one.
            let kept =
                script_name.of(packet).iter().rposition(|b| *b != b'/').map_or(0, |at| at + 1);
            head.script_name =
                Span::new(script_name.start as usize, script_name.start as usize + kept);
        }
        let Some(path) = self.path else {
            if head.path.is_empty() {
                return Err(ParseError::InvalidUwsgiHeader("neither PATH_INFO nor REQUEST_URI"));
            }
            return Ok(());
        };
        let mut asked = Vec::new();
        unquote(head.path.of(packet), &mut asked);
        head.path = path;
        let below = match head.has_script_name {
            true => below(path.of(packet), head.script_name.of(packet), &asked),
            false => split_script_name(path.of(packet), &policy.script_name_env)?.len(),
        };
        head.path_info = Some(Span::new(path.end as usize - below, path.end as usize));
        Ok(())
    }

    fn settle_body(&self, packet: &[u8], head: &mut Head) -> Result<(), ParseError> {
        let client_length = self.client_length.of(packet);
        let wrong = || ParseError::header_of_request("CONTENT-LENGTH");
        let length = match self.length.map(|length| length.of(packet)) {
            Some(b"") => None,
            Some(digits) => Some(decimal(digits).ok_or_else(wrong)?),
            None if self.client_codings || !matches!(client_length, b"" | b"0") => {
                return Err(ParseError::InvalidUwsgiHeader("no CONTENT_LENGTH, but a body"));
            }
            None => None,
        };
        head.framing = length.map_or(Framing::None, Framing::Length);
        // A body that was not announced would be taken for the next packet: client's bytes in the
        // proxy's name. So only who is sure about the body may send another.
        let sure = match (self.length, client_length) {
            (None, _) => false,
            (Some(_), b"") => length.is_some() || !self.client_codings,
            (Some(_), digits) => decimal(digits) == Some(length.unwrap_or_default()),
        };
        head.keep_alive = sure && !self.asks_close && !head.is_connect;
        Ok(())
    }
}

const PREFIX: &[u8] = b"HTTP_";

/// Whether a variable is a header field. In the spelling that it leaves, too.
pub(super) fn is_header(name: &[u8]) -> bool {
    name.starts_with(PREFIX)
        || matches!(name, b"CONTENT_TYPE" | b"CONTENT-TYPE" | b"CONTENT_LENGTH" | b"CONTENT-LENGTH")
}

/// `value` without blanks at its ends.
fn trimmed(packet: &[u8], value: Span) -> Span {
    let text = value.of(packet);
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let start = value.start as usize + blanks;
    Span::new(start, start + token::trim_ows(text).len())
}

/// What the proxy's client spoke; HTTP/1.1 when it does not say.
fn version(text: &[u8]) -> Result<(u8, u8), ParseError> {
    match text {
        b"" => Ok((1, 1)),
        [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] => {
            Ok((major - b'0', minor - b'0'))
        }
        _ => Err(ParseError::InvalidHttpVersion(BadVersion::Text(text.to_vec()))),
    }
}

/// Bytes at the end of `path` that lie below `script_name`.
///
/// nginx sends the whole path beside a fixed `uwsgi_param SCRIPT_NAME`, or, after a `rewrite`, what
/// is below it. `asked`, the decoded path of REQUEST_URI, tells which when both could be.
fn below(path: &[u8], script_name: &[u8], asked: &[u8]) -> usize {
    match path.strip_prefix(script_name) {
        Some(rest @ ([] | [b'/', ..])) => {
            let is_cut = asked.strip_prefix(script_name) == Some(path);
            if is_cut { path.len() } else { rest.len() }
        }
        _ => path.len(),
    }
}
