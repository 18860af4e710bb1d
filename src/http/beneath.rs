//! From the path of a request to the name of a file beneath a directory. What is not certain to be
//! one is none, and left to the application.

/// What of `path` lies beneath `prefix`, if it can name a file there.
///
/// `path`: decoded once, as the application would see it. `prefix` begins with a slash and does not
/// end with one, or is empty. The prefix ends at a slash of the path, so `/static` has nothing to do
/// with `/staticfoo`.
///
/// No component of a name is empty or begins with a dot: that leaves out `.` and `..`, an absolute
/// path, a directory's slash at the end, and what is hidden, which is `.git` and `.env` oftener than
/// anything a browser wants. `.well-known` (RFC 8615) is the exception.
pub fn beneath<'a>(path: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let name = path.strip_prefix(prefix)?.strip_prefix(b"/")?;
    let fits = |component: &[u8]| match component.first() {
        None => false,
        Some(b'.') => component == b".well-known",
        Some(_) => true,
    };
    let fits = !name.contains(&0) && name.split(|byte| *byte == b'/').all(fits);
    fits.then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names() {
        for (path, prefix, expected) in [
            (&b"/static/x.css"[..], &b"/static"[..], Some(&b"x.css"[..])),
            (b"/static/a/b/x.css", b"/static", Some(b"a/b/x.css")),
            (b"/static/a..b/x..", b"/static", Some(b"a..b/x..")),
            (b"/static/\\..\\x", b"/static", Some(b"\\..\\x")),
            (b"/static/%2e%2e/x", b"/static", Some(b"%2e%2e/x")),
            (b"/static/\xff\xfe", b"/static", Some(b"\xff\xfe")),
            (b"/.well-known/acme", b"", Some(b".well-known/acme")),
            (b"/x", b"", Some(b"x")),
            (b"/", b"", None),
            (b"", b"", None),
            (b"*", b"", None),
            (b"/static", b"/static", None),
            (b"/static/", b"/static", None),
            (b"/staticfoo/x", b"/static", None),
            (b"/static/a/", b"/static", None),
            (b"/static//a", b"/static", None),
            (b"/static/a//b", b"/static", None),
            (b"/static/..", b"/static", None),
            (b"/static/../x", b"/static", None),
            (b"/static/a/../x", b"/static", None),
            (b"/static/./x", b"/static", None),
            (b"/static/.git/config", b"/static", None),
            (b"/static/a/.env", b"/static", None),
            (b"/static/.well-known2", b"/static", None),
            (b"/static/x\0.css", b"/static", None),
            (b"/other/x", b"/static", None),
        ] {
            assert_eq!(beneath(path, prefix), expected, "{:?}", path.escape_ascii().to_string());
        }
    }

    proptest! {
        #[test]
        fn a_name_never_leads_elsewhere(
            path in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                "/s(/|\\.|a|\\\\|%2e|%2f|\u{0}){0,12}".prop_map(String::into_bytes),
            ],
        ) {
            for prefix in [&b"/s"[..], b""] {
                let Some(name) = beneath(&path, prefix) else { continue };
                prop_assert_eq!([prefix, b"/", name].concat(), path.clone());
                prop_assert!(!name.contains(&0));
                for component in name.split(|byte| *byte == b'/') {
                    prop_assert!(!matches!(component, b"" | b"." | b".."));
                }
            }
        }
    }
}
