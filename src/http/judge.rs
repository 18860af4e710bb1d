//! The rules that each header field must pass, one place for heads and trailers, fast and slow.

use super::span::Span;
use super::{Field, Head, HeaderMap, Limits, ParseError, Policy, framing, token};

/// The part of the policy that also holds for trailers; small enough to be kept with a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct SectionRules {
    pub(super) limits: Limits,
    pub(super) strip_header_spaces: bool,
    pub(super) permit_obsolete_folding: bool,
    header_map: HeaderMap,
}

impl SectionRules {
    pub(super) fn of(policy: &Policy) -> Self {
        Self {
            limits: policy.limits,
            strip_header_spaces: policy.strip_header_spaces,
            permit_obsolete_folding: policy.permit_obsolete_folding,
            header_map: policy.header_map,
        }
    }
}

/// Judges the fields of one section in their order, and collects what they say together.
pub(super) struct Judge<'a> {
    rules: SectionRules,
    /// Set for a trusted peer: whose scheme and forwarder headers count.
    believed: Option<&'a Policy>,
    /// Traces of all names that mean something. Most fields have none of them.
    known: u64,
    trailer: bool,
    version: (u8, u8),
    count: usize,
    has_host: bool,
    has_content_type: bool,
    /// What the scheme headers so far say.
    scheme_is_https: Option<bool>,
    tls: bool,
    expect_continue: bool,
    script_name: Option<Span>,
    /// Content-Length or Transfer-Encoding was seen.
    has_framing: bool,
    asks_close: bool,
    asks_keep_alive: bool,
    asks_upgrade: bool,
}

impl<'a> Judge<'a> {
    pub(super) fn of_head(policy: &'a Policy, trusted: bool, version: (u8, u8)) -> Self {
        let schemes = policy.secure_scheme_headers.iter().filter(|_| trusted);
        let known = schemes.fold(KNOWN, |known, (name, _)| known | trace(name));
        Self {
            believed: trusted.then_some(policy),
            known,
            trailer: false,
            version,
            tls: policy.tls,
            ..Self::of_trailers(SectionRules::of(policy))
        }
    }

    /// Nothing in a trailer is believed: the request was routed long before.
    pub(super) fn of_trailers(rules: SectionRules) -> Self {
        Self {
            rules,
            believed: None,
            known: KNOWN,
            trailer: true,
            version: (1, 1),
            count: 0,
            has_host: false,
            has_content_type: false,
            scheme_is_https: None,
            tls: false,
            expect_continue: false,
            script_name: None,
            has_framing: false,
            asks_close: false,
            asks_keep_alive: false,
            asks_upgrade: false,
        }
    }

    pub(super) fn rules(&self) -> SectionRules {
        self.rules
    }

    /// One more field: also those that are dropped count (in Gunicorn only those kept).
    pub(super) fn count_field(&mut self) -> Result<(), ParseError> {
        if self.count >= self.rules.limits.fields {
            return Err(ParseError::LimitRequestHeaders("limit request headers fields"));
        }
        self.count += 1;
        Ok(())
    }

    /// `bytes` is the length of the field's lines with their CRLFs.
    pub(super) fn check_size(&self, bytes: usize) -> Result<(), ParseError> {
        if bytes > self.rules.limits.field_size {
            return Err(ParseError::LimitRequestHeaders("limit request headers fields size"));
        }
        Ok(())
    }

    /// Whether a field of that name, without an underscore, may mean something: `keeps` must see it.
    pub(super) fn may_know(&self, name: &[u8]) -> bool {
        self.known & trace(name) != 0
    }

    /// Whether the field is kept. Not `rare`: there is no underscore in its name.
    pub(super) fn keeps(
        &mut self,
        field: Field,
        rare: bool,
        buf: &[u8],
    ) -> Result<bool, ParseError> {
        let name = field.name.of(buf);
        if self.may_know(name) {
            self.take_known(name, field.value.of(buf))?;
        }
        if !rare || !name.contains(&b'_') {
            return Ok(true);
        }
        let keeps = self.keeps_underscore(name)?;
        if keeps && name.eq_ignore_ascii_case(b"script_name") {
            self.script_name = Some(field.value);
        }
        Ok(keeps)
    }

    /// What the fields say together goes into the head.
    pub(super) fn conclude(self, buf: &[u8], head: &mut Head) -> Result<(), ParseError> {
        let mut must_close = head.is_connect;
        if self.has_framing {
            let verdict = framing::decide(&head.fields, buf, head.version)?;
            head.framing = verdict.framing;
            must_close |= verdict.must_close;
        }
        head.https = self.scheme_is_https.unwrap_or(self.tls);
        head.expect_continue = self.expect_continue;
        head.upgrade = self.asks_upgrade;
        head.has_script_name = self.script_name.is_some();
        head.script_name = self.script_name.unwrap_or_default();
        // RFC 9112 section 9.3; and what follows a CONNECT is never a request (RFC 9931 section 8).
        let willing = if head.version > (1, 0) { true } else { self.asks_keep_alive };
        head.keep_alive = willing && !self.asks_close && !must_close;
        Ok(())
    }

    /// The few names that mean something here.
    fn take_known(&mut self, name: &[u8], value: &[u8]) -> Result<(), ParseError> {
        let is = |known: &[u8]| token::same(name, known);
        match name.len() {
            4 if is(HOST) => once(&mut self.has_host, "HOST")?,
            6 if is(EXPECT) => self.take_expect(value)?,
            10 if is(CONNECTION) => self.take_connection(value),
            12 if is(CONTENT_TYPE) => once(&mut self.has_content_type, "CONTENT-TYPE")?,
            14 if is(CONTENT_LENGTH) => self.has_framing = true,
            17 if is(TRANSFER_ENCODING) => self.has_framing = true,
            _ => {}
        }
        match self.believed {
            Some(policy) => self.take_scheme(policy, name, value),
            None => Ok(()),
        }
    }

    fn take_expect(&mut self, value: &[u8]) -> Result<(), ParseError> {
        if self.trailer {
            return Ok(());
        }
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(ParseError::ExpectationFailed(value.to_vec()));
        }
        // RFC 9110 section 10.1.1: an HTTP/1.0 client can't wait for 100.
        self.expect_continue |= self.version >= (1, 1);
        Ok(())
    }

    /// Connection is a list, and several fields are one list (RFC 9110 section 7.6.1). Gunicorn
    /// looks at the whole first field only.
    fn take_connection(&mut self, value: &[u8]) {
        for option in token::list(value) {
            self.asks_close |= token::same(option, b"close");
            self.asks_keep_alive |= token::same(option, b"keep-alive");
            self.asks_upgrade |= token::same(option, b"upgrade");
        }
    }

    fn take_scheme(
        &mut self,
        policy: &Policy,
        name: &[u8],
        value: &[u8],
    ) -> Result<(), ParseError> {
        for (header, secure) in &policy.secure_scheme_headers {
            if !is_upper_of(name, header) {
                continue;
            }
            let https = value == secure;
            if self.scheme_is_https.is_some_and(|earlier| earlier != https) {
                return Err(ParseError::InvalidSchemeHeaders);
            }
            self.scheme_is_https = Some(https);
        }
        Ok(())
    }

    /// `X_Y` and `X-Y` become the same name in the environ, so only who may is believed.
    fn keeps_underscore(&self, name: &[u8]) -> Result<bool, ParseError> {
        let may = |policy: &Policy| {
            policy.forwarder_headers.iter().any(|n| n == b"*" || is_upper_of(name, n))
        };
        if self.believed.is_some_and(may) {
            return Ok(true);
        }
        match self.rules.header_map {
            HeaderMap::Dangerous => Ok(true),
            HeaderMap::Drop => Ok(false),
            HeaderMap::Refuse => Err(ParseError::InvalidHeaderName(name.to_ascii_uppercase())),
        }
    }
}

const HOST: &[u8] = b"Host";
const EXPECT: &[u8] = b"Expect";
const CONNECTION: &[u8] = b"Connection";
const CONTENT_TYPE: &[u8] = b"Content-Type";
const CONTENT_LENGTH: &[u8] = b"Content-Length";
const TRANSFER_ENCODING: &[u8] = b"Transfer-Encoding";

const KNOWN: u64 = trace(HOST)
    | trace(EXPECT)
    | trace(CONNECTION)
    | trace(CONTENT_TYPE)
    | trace(CONTENT_LENGTH)
    | trace(TRANSFER_ENCODING);

/// One bit of 64, of length and first letter (any case): names without a common bit are not equal.
const fn trace(name: &[u8]) -> u64 {
    match name {
        [first, ..] => 1 << (((*first as usize | 0x20) ^ name.len()) % 64),
        [] => 0,
    }
}

/// RFC 9110 section 5.3: a second field of a singleton makes the message ambiguous.
fn once(seen: &mut bool, name: &str) -> Result<(), ParseError> {
    if std::mem::replace(seen, true) {
        return Err(ParseError::header_of_request(name));
    }
    Ok(())
}

/// Whether `name` upper-cased is `upper`, a name of the configuration, which is taken as written.
fn is_upper_of(name: &[u8], upper: &[u8]) -> bool {
    name.len() == upper.len()
        && name.iter().zip(upper).all(|(byte, wanted)| byte.to_ascii_uppercase() == *wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configured_names_are_taken_as_written() {
        assert!(is_upper_of(b"x-Forwarded-proto", b"X-FORWARDED-PROTO"));
        assert!(!is_upper_of(b"X-Forwarded-Proto", b"X-Forwarded-Proto"));
        assert!(!is_upper_of(b"X", b"XY"));
    }

    #[test]
    fn a_name_without_letters_has_no_trace() {
        assert_eq!(trace(b""), 0);
        assert_eq!(trace(b"Host"), trace(b"hOST"));
    }
}
