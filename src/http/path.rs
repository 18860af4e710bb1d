//! From the request target to SCRIPT_NAME and PATH_INFO.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::{ParseError, repr};

/// What is left of `path` (raw) below `script_name`: PATH_INFO before [`unquote`].
///
/// # Errors
/// [`ParseError::ConfigurationProblem`] when `path` does not start with `script_name`.
pub fn split_script_name<'a>(path: &'a [u8], script_name: &[u8]) -> Result<&'a [u8], ParseError> {
    path.strip_prefix(script_name).ok_or_else(|| {
        ParseError::ConfigurationProblem(format!(
            "Request path {} does not start with SCRIPT_NAME {}",
            repr::text(path),
            repr::text(script_name)
        ))
    })
}

/// Appends `path` percent-decoded to `out`. Raw bytes; an escape that is none stays as it is, as
/// in Python's `unquote_to_bytes`.
pub fn unquote(path: &[u8], out: &mut Vec<u8>) {
    match Cow::from(percent_decode(path)) {
        Cow::Borrowed(same) => out.extend_from_slice(same),
        Cow::Owned(_) => out.extend(percent_decode(path)),
    }
}
