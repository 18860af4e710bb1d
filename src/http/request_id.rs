//! `request_id_header`: the field that carries a request's name.

use super::Head;

/// Bytes of the longest name that is taken from a client; there is as much room for it wherever
/// requests are noted.
pub const MOST: usize = 96;

/// The field, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdHeader(Vec<u8>);

impl IdHeader {
    /// For a field of this name.
    pub fn new(name: &str) -> Self {
        Self(name.as_bytes().to_vec())
    }

    /// Its name, as it is sent.
    pub fn name(&self) -> &[u8] {
        &self.0
    }

    /// Whether a field called `name` is it, or would be where names are written as in an environ:
    /// there nothing tells `_` from `-`.
    pub fn is(&self, name: &[u8]) -> bool {
        let fold = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
        name.len() == self.0.len() && name.iter().map(fold).eq(self.0.iter().map(fold))
    }

    /// The name that a request brings along. `None`: it has none, or more than one field of that
    /// name, or one that may not be believed.
    pub fn sent<'a>(&self, head: &Head, buf: &'a [u8]) -> Option<&'a [u8]> {
        let mut fields = head.fields.iter().filter(|field| self.is(field.name.of(buf)));
        let value = fields.next()?.value.of(buf);
        (fields.next().is_none() && is_sane(value)).then_some(value)
    }
}

/// Whether a value can be a name: letters, digits and `-._~:+/=@;`, which stand for themselves in
/// every log and header. That is what proxies make: UUIDs, hex digits, base64, `Root=1-5e1b…`.
pub fn is_sane(value: &[u8]) -> bool {
    let is_fine = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:+/=@;".contains(byte);
    !value.is_empty() && value.len() <= MOST && value.iter().all(is_fine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HeadReader;
    use crate::http::test_policy::usual;

    #[test]
    fn it_is_sent_as_it_was_configured() {
        assert_eq!(IdHeader::new("X-Request-ID").name(), b"X-Request-ID");
    }

    #[test]
    fn one_sane_value_is_a_name() {
        let read = |fields: &str| {
            let mut buf = format!("GET / HTTP/1.1\r\n{fields}\r\n").into_bytes();
            let mut head = Head::default();
            assert_eq!(
                HeadReader::default().poll(&mut buf, true, &usual(), None, &mut head),
                Ok(true)
            );
            IdHeader::new("X-Request-ID").sent(&head, &buf).map(<[u8]>::to_vec)
        };
        let named = |name: &str| Some(name.as_bytes().to_vec());
        assert_eq!(read("X-Request-Id: abc\r\n"), named("abc"));
        assert_eq!(read("x-request-id:  Root=1-5e1b4151;a@b/c+d~e._: \r\n"), {
            named("Root=1-5e1b4151;a@b/c+d~e._:")
        });
        let longest = "x".repeat(MOST);
        assert_eq!(read(&format!("X-Request-Id: {longest}\r\n")), named(&longest));
        for fields in [
            String::new(),
            "X-Request-Id:\r\n".to_owned(),
            format!("X-Request-Id: {longest}x\r\n"),
            "X-Request-Id: a\r\nX-Request-Id: a\r\n".to_owned(),
            "X-Request-Id: a,b\r\n".to_owned(),
            "X-Request-Id: a b\r\n".to_owned(),
            "X-Request-Id: a\"b\r\n".to_owned(),
            "X-Request-Id: a\\b\r\n".to_owned(),
            "X-Request-Id: <b>\r\n".to_owned(),
            "X-Request-Id: caf\u{e9}\r\n".to_owned(),
            "X-Request-Ids: a\r\n".to_owned(),
        ] {
            assert_eq!(read(&fields), None, "{fields:?}");
        }
    }

    #[test]
    fn names_are_compared_as_an_environ_does() {
        let header = IdHeader::new("X-Request-ID");
        assert!(header.is(b"x-request-id") && header.is(b"X_REQUEST_ID"));
        assert!(!header.is(b"x-request-i") && !header.is(b"xx-request-id"));
    }
}
