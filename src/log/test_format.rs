//! Tests of `format.rs`.

use super::{Atom, Format, Piece};

#[test]
fn refuses_what_only_python_can_do() {
    let formats = [
        "%",
        "%s",
        "%(h",
        "%(h)",
        "%(h)%",
        "%(h)r",
        "%(h)d",
        "%(s)d",
        "%(b)d",
        "%(unknown)d",
        "%(D)x",
        "%(D)f",
        "%(D)ld",
        "%(D).3d",
        "%(D)+d",
        "%(D)*d",
        "%(h)1000s",
        "%5%",
        "%({remote_user}e)s",
        "%({http_host}e)s",
        "%((h)s",
    ];
    for format in formats {
        assert_eq!(Format::compile(format), None, "{format:?}");
    }
}

#[test]
fn merges_literals_and_ends_with_a_newline() {
    let format = Format::compile("a%%b%(h)s c").unwrap();
    let [Piece::Literal(before), Piece::Atom(Atom::RemoteAddr, _), Piece::Literal(after)] =
        &format.pieces[..]
    else {
        panic!("{format:?}");
    };
    assert_eq!((&**before, &**after), (&b"a%b"[..], &b" c\n"[..]));
}

#[test]
fn names_the_environ_variables_it_shows() {
    let format = Format::compile("%(h)s %(r)s %(m)s %({X-Real-IP}i)s %(D)s %(a)s").unwrap();
    assert_eq!(
        format.environ_keys(),
        ["REMOTE_ADDR", "REQUEST_METHOD", "RAW_URI", "SERVER_PROTOCOL", "HTTP_USER_AGENT"]
    );
}

#[test]
fn names_of_the_environ_that_are_known_here() {
    for (name, atom) in [
        ("remote_addr", Atom::RemoteAddr),
        ("request_method", Atom::Method),
        ("raw_uri", Atom::Target),
        ("path_info", Atom::Path),
        ("query_string", Atom::Query),
        ("server_protocol", Atom::Protocol),
    ] {
        assert_eq!(Atom::parse_braced(format!("{{{name}}}e").as_bytes()), Some(atom));
    }
}
