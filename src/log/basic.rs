//! The user of an `Authorization: Basic` field (RFC 7617), for `%(u)s`.
//!
//! As forgiving as Gunicorn, which decodes with Python's non-strict `binascii.a2b_base64`: bytes
//! outside the alphabet are skipped, and the padding that completes a group ends the input.

/// Replaces the raw field value at the end of `out`, from `start` on, by the user it names.
///
/// `false` when it names none: another scheme, broken base64, no UTF-8, an empty user. What is then
/// left behind `start` means nothing.
pub(super) fn reduce_to_user(out: &mut Vec<u8>, start: usize) -> bool {
    const SCHEME: &[u8] = b"basic";

    let value = &out[start..];
    let is_basic = value.get(..SCHEME.len()).is_some_and(|it| it.eq_ignore_ascii_case(SCHEME));
    let Some(space) = memchr::memchr(b' ', value) else {
        return false;
    };
    if !is_basic || !decode_tail(out, start, start + space + 1) {
        return false;
    }

    if let Some(colon) = memchr::memchr(b':', &out[start..]) {
        out.truncate(start + colon);
    }
    out.len() > start && std::str::from_utf8(&out[start..]).is_ok()
}

/// Decodes `out[from..]` to `out[to..]` and cuts `out` behind it; `to <= from`, so what is written
/// never overtakes what is read. `false` when the last group is not complete.
fn decode_tail(out: &mut Vec<u8>, to: usize, from: usize) -> bool {
    let (mut group, mut digits, mut pads, mut end) = (0u8, 0, 0, to);
    for at in from..out.len() {
        let byte = out[at];
        if byte == b'=' {
            pads += usize::from(digits >= 2);
            if digits >= 2 && digits + pads >= 4 {
                digits = 0;
                break;
            }
            continue;
        }
        let Some(value) = digit(byte) else {
            continue;
        };

        pads = 0;
        let decoded = match digits {
            0 => None,
            1 => Some(group << 2 | value >> 4),
            2 => Some(group << 4 | value >> 2),
            _ => Some(group << 6 | value),
        };
        if let Some(decoded) = decoded {
            out[end] = decoded;
            end += 1;
        }
        group = value;
        digits = (digits + 1) % 4;
    }
    out.truncate(end);
    digits == 0
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::reduce_to_user;

    /// The expectations are what Python's `base64.b64decode` and Gunicorn's splitting give.
    #[test]
    fn users() {
        let cases: [(&str, Option<&str>); 20] = [
            ("Basic dXNlcjpwYXNz", Some("user")),
            ("basic dXNlcjpwYXNz", Some("user")),
            ("BASICX dXNlcjpwYXNz", Some("user")),
            ("Basic   dXNlcjpwYXNz  ", Some("user")),
            ("Basic dXNl~cjpw.YXNz", Some("user")),
            ("Basic dXNlcg==", Some("user")),
            ("Basic dXNlcg==garbage", Some("user")),
            ("Basic dXNlcg=!=", Some("user")),
            ("Basic dXNlcjo=", Some("user")),
            ("Basic =dXNlcjo=", Some("user")),
            ("Basic em/DqzpzZWNyZXQ=", Some("zoë")),
            ("Basic dXNlcg=", None),
            ("Basic dXNlcg", None),
            ("Basic d", None),
            ("Basic OnBhc3M=", None),
            ("Basic /////w==", None),
            ("Basic ", None),
            ("Basic", None),
            ("Bearer dXNlcjpwYXNz", None),
            ("", None),
        ];
        for (value, expected) in cases {
            let mut out = [b"line ", value.as_bytes()].concat();
            let user = reduce_to_user(&mut out, 5).then(|| std::str::from_utf8(&out[5..]).unwrap());
            assert_eq!(user, expected, "{value:?}");
            assert_eq!(&out[..5], b"line ");
        }
    }
}
