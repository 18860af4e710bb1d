//! How large a request head may be.

/// Longest request line Gunicorn's parser can be told to accept, in bytes.
const MAX_REQUEST_LINE: usize = 8190;
/// What "unlimited" means for the request line. Gunicorn's Python parser then reads without end,
/// its C parser stops here.
const UNLIMITED_REQUEST_LINE: usize = 1024 * 1024;
const MAX_FIELDS: usize = 32768;
const DEFAULT_FIELD_SIZE: usize = 8190;
/// Keeps every offset in a head well inside `u32`.
const MAX_HEAD: usize = 1 << 30;

/// The limits on a request head, after Gunicorn's clamping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Longest request line in bytes, without its CRLF.
    pub request_line: usize,
    /// Most header fields.
    pub fields: usize,
    /// Longest header line in bytes, with its CRLF (folded lines count together).
    pub field_size: usize,
    /// Longest header or trailer section in bytes: room for `fields` lines of `field_size`.
    pub section: usize,
}

impl Limits {
    /// Limits from `limit_request_line`, `limit_request_fields` and `limit_request_field_size`
    /// (bytes, number, bytes), clamped as Gunicorn's WSGI parser clamps them.
    pub fn new(request_line: usize, fields: usize, field_size: usize) -> Self {
        let request_line = match request_line {
            0 => UNLIMITED_REQUEST_LINE,
            n => n.min(MAX_REQUEST_LINE),
        };
        let fields = if fields == 0 || fields > MAX_FIELDS { MAX_FIELDS } else { fields };
        let field_size = match field_size {
            0 => DEFAULT_FIELD_SIZE,
            n => n.min(MAX_HEAD),
        };
        let section = (fields * (field_size + 2) + 4).min(MAX_HEAD);
        Self { request_line, fields, field_size, section }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clamping() {
        let usual = Limits::new(4094, 100, 8190);
        assert_eq!((usual.request_line, usual.fields, usual.field_size), (4094, 100, 8190));
        assert_eq!(usual.section, 819_204);
        let zero = Limits::new(0, 0, 0);
        assert_eq!((zero.request_line, zero.fields, zero.field_size), (1 << 20, 32768, 8190));
        let huge = Limits::new(usize::MAX, usize::MAX, usize::MAX);
        assert_eq!((huge.request_line, huge.fields), (8190, 32768));
        assert!(huge.section <= MAX_HEAD);
    }
}
