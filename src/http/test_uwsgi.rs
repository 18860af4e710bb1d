//! Tests of `uwsgi.rs` and `cgi.rs`; more of them speak to a server: `tests/uwsgi`.

use super::*;
use crate::http::test_policy::usual;
use crate::http::{AllowList, HeadReader};

fn policy() -> Policy {
    Policy { uwsgi: AllowList::parse(&["127.0.0.1"]).ok(), ..usual() }
}

fn packet(vars: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for text in vars.iter().flat_map(|(name, value)| [name, value]) {
        body.extend_from_slice(&(text.len() as u16).to_le_bytes());
        body.extend_from_slice(text.as_bytes());
    }
    let [low, high] = (body.len() as u16).to_le_bytes();
    [vec![0, low, high, 0], body].concat()
}

fn head(vars: &[(&str, &str)], policy: &Policy) -> Result<(Vec<u8>, Head), ParseError> {
    let mut buf = packet(vars);
    let mut head = Head::default();
    HeadReader::default().poll(&mut buf, true, policy, None, &mut head)?;
    Ok((buf, head))
}

const GET: [(&str, &str); 2] = [("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/a/b?c")];

#[test]
fn only_those_who_are_allowed_speak() {
    let ip = |text: &str| Peer::Ip(text.parse().unwrap());
    assert!(admit(&ip("127.0.0.1"), &policy()).is_ok());
    let refused = admit(&ip("10.0.0.1"), &policy()).unwrap_err();
    assert_eq!((refused.name(), refused.status()), ("ForbiddenUWSGIRequest", 403));
    assert!(admit(&ip("10.0.0.1"), &usual()).is_ok());
}

#[test]
fn a_packet_has_a_thousand_variables() {
    let many = |extra: usize| {
        let mut vars = GET.to_vec();
        vars.extend(std::iter::repeat_n(("A", ""), MAX_VARS - GET.len() + extra));
        head(&vars, &policy())
    };
    assert!(many(0).is_ok());
    assert!(many(1).unwrap_err().to_string().contains("too many variables"));
}

#[test]
fn any_word_for_yes_is_https_and_a_scheme_is_one() {
    for (name, value, https) in [
        ("HTTPS", "on", true),
        ("HTTPS", "1", true),
        ("HTTPS", "TRUE", true),
        ("HTTPS", "off", false),
        ("UWSGI_SCHEME", "https", true),
        ("wsgi.url_scheme", "http", false),
    ] {
        let vars = [&GET[..], &[(name, value)]].concat();
        let (_, head) = head(&vars, &policy()).unwrap();
        assert_eq!(head.https, https, "{name} {value}");
        assert_eq!(head.response_version(), (1, 1));
    }
}

/// nginx with a `rewrite` sends what is below SCRIPT_NAME, else the whole path.
#[test]
fn what_is_below_a_script_name_may_have_been_cut_already() {
    let below_of = |uri: &str, path: &str| {
        let vars = [
            ("REQUEST_METHOD", "GET"),
            ("REQUEST_URI", uri),
            ("PATH_INFO", path),
            ("SCRIPT_NAME", "/a"),
        ];
        let (buf, head) = head(&vars, &policy()).unwrap();
        String::from_utf8(head.path_info.unwrap().of(&buf).to_vec()).unwrap()
    };
    assert_eq!(below_of("/a/b", "/a/b"), "/b");
    assert_eq!(below_of("/a/a/b", "/a/b"), "/a/b");
    assert_eq!(below_of("/a/b", "/b"), "/b");
}

#[test]
fn a_path_outside_of_the_script_name_of_the_environment_is_refused() {
    let policy = Policy { script_name_env: b"/app".to_vec(), ..policy() };
    let path = |path| head(&[GET[0], ("PATH_INFO", path)], &policy);
    assert!(path("/app/x").is_ok());
    assert_eq!(path("/other").unwrap_err().status(), 500);
}
