//! The checks of the fuzz targets, driven by proptest: any bytes, and bytes that look like HTTP.

#[allow(clippy::panic)]
#[path = "fuzz/checks.rs"]
mod checks;
#[path = "fuzz/session.rs"]
mod session;

use proptest::collection::vec;
use proptest::prelude::*;
use rgunicorn::http::queue_time::since;

/// Pieces of requests: strung together at random they get far into the parser.
const REQUEST_PIECES: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\n",
    b"POST /a?b#c HTTP/1.1\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n",
    b"get / HTTP/1.0\r\n",
    b"Host: a\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Connection: close\r\n",
    b"X-P: https\r\n",
    b"X-Request-Start: t=1799999999.5\r\n",
    b"X-Request-Start: 1799900000000\r\n",
    b"SCRIPT_NAME: /\r\n",
    b"x_y: z\r\n",
    b"Expect: 100-continue\r\n",
    b"X : a\r\n",
    b"X: a\r\n b\r\n\tc\r\n",
    b"X: 0123456789012345678901234567890\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"abc",
    b"3\r\nabc\r\n",
    b"3;a=\"b\"\r\nabc\r\n",
    b"0\r\n\r\n",
    b"0\r\nT: x\r\n\r\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
    b"PROXY UNKNOWN\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\0\x01\0\x02",
    b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    b"\r",
    b"\n",
    b" ",
    b":",
];

/// Pieces of what an application says: status, fields, body lines.
const RESPONSE_PIECES: &[&[u8]] = &[
    b"\x00200 OK\n",
    b"\x05200 OK\n",
    b"\x04404 Not Found\n",
    b"\x01204 No Content\n",
    b"\x03304\n",
    b"\x07101 x\n",
    b"Content-Length: 3\n",
    b"Content-Length: 30\n",
    b"Connection: close\n",
    b"Connection: upgrade\nUpgrade: websocket\n",
    b"Transfer-Encoding: chunked\n",
    b"X-Y: a b\tc\n",
    b"X: \xe9\n",
    b"bad name: x\n",
    b"body\n",
    b"\n",
    b"0\r\n",
];

fn strung(pieces: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => proptest::sample::select(pieces).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..6),
    ];
    vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

/// Names and values that mean something, and a few that must not.
const NAMES: &[&[u8]] = &[
    b"REQUEST_METHOD",
    b"PATH_INFO",
    b"SCRIPT_NAME",
    b"QUERY_STRING",
    b"REQUEST_URI",
    b"SERVER_PROTOCOL",
    b"CONTENT_LENGTH",
    b"CONTENT-LENGTH",
    b"CONTENT_TYPE",
    b"REMOTE_ADDR",
    b"HTTPS",
    b"REQUEST_SCHEME",
    b"wsgi.url_scheme",
    b"wsgi.input",
    b"gunicorn.socket",
    b"foo",
    b"",
    b"HTTP_HOST",
    b"HTTP_host",
    b"HTTP_CONNECTION",
    b"HTTP_CONTENT_LENGTH",
    b"HTTP_CONTENT_TYPE",
    b"HTTP_TRANSFER_ENCODING",
    b"HTTP_X_Y",
    b"HTTP_",
    b"HTTP_A B",
];
const VALUES: &[&[u8]] = &[
    b"",
    b"GET",
    b"POST",
    b"get",
    b"/",
    b"/a/b?c#d",
    b"/%2541",
    b"/a",
    b"/a/",
    b"//x:y",
    b"a=b",
    b"HTTP/1.1",
    b"HTTP/2.0",
    b"0",
    b"3",
    b"-1",
    b"99999999999999999999",
    b"close, upgrade",
    b"chunked",
    b"on",
    b"https",
    b" \t",
    b" a\t",
    b"a\r\nb",
    b"a\0b",
    b"\xe9",
];

/// A packet; mostly one whose sizes are right, and with what a request needs.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let var = (proptest::sample::select(NAMES), proptest::sample::select(VALUES));
    let lie = prop_oneof![20 => Just(0usize), 1 => 0usize..9];
    let usual = proptest::bool::weighted(0.7);
    ([usual; 3], vec(var, 0..9), lie, prop_oneof![30 => Just(0u8), 1 => any::<u8>()]).prop_map(
        |(usual, vars, lie, modifier)| {
            let usuals = [
                (b"REQUEST_METHOD".as_slice(), b"GET".as_slice()),
                (b"PATH_INFO", b"/a/b"),
                (b"CONTENT_LENGTH", b""),
            ];
            let usuals = usuals.into_iter().zip(usual).filter(|(_, is_there)| *is_there);
            let usuals = usuals.map(|(var, _)| var);
            let mut block = Vec::new();
            for text in usuals.chain(vars).flat_map(|(name, value)| [name, value]) {
                block.extend_from_slice(&(text.len() as u16).to_le_bytes());
                block.extend_from_slice(text);
            }
            let size = ((block.len() + lie) as u16).to_le_bytes();
            [&[modifier, size[0], size[1], 0], block.as_slice()].concat()
        },
    )
}

fn with_choices(pieces: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    (vec(0u8..40, 0..6), any::<u8>(), strung(pieces)).prop_map(|(cuts, choice, data)| {
        let mut input = vec![choice];
        input.extend(cuts);
        input.extend(data);
        input
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes(data in vec(any::<u8>(), 0..300)) {
        checks::head(&data);
        checks::recent(&data);
        checks::body(&data);
        checks::split(&data);
        checks::proxy(&data);
        checks::uwsgi(&data);
        checks::response(&data);
    }

    #[test]
    fn start(
        ago_us in 0u64..86_000_000_000,
        unit in 0usize..4,
        fraction in "[0-9]{0,12}",
        any in "[t=]{0,3}[0-9]{0,25}[.]?[0-9]{0,25}.?",
    ) {
        checks::start(any.as_bytes());
        let now = std::time::Duration::from_secs(1_800_000_000);
        let at_us = 1_800_000_000_000_000 - ago_us;
        let whole = [at_us / 1_000_000, at_us / 1000, at_us, at_us * 1000][unit];
        let unit_ns = [1_000_000_000, 1_000_000, 1000, 1][unit];
        let said = if fraction.is_empty() { format!("{whole}") } else { format!("t={whole}.{fraction}") };
        let waited = since(said.as_bytes(), now).map(|waited| waited.as_nanos() as i128);
        let error = waited.map(|waited| waited - i128::from(ago_us) * 1000);
        prop_assert!(error.is_some_and(|error| error.abs() <= unit_ns), "{said}: {waited:?}");
    }

    #[test]
    fn head(choice: u8, data in strung(REQUEST_PIECES)) {
        checks::head(&[&[choice], b"GET / HTTP/1.1\r\n".as_slice(), &data].concat());
        checks::head(&[&[choice], data.as_slice()].concat());
    }

    #[test]
    fn body(data in with_choices(REQUEST_PIECES)) {
        checks::body(&data);
    }

    #[test]
    fn split(choice: u8, cuts in vec(0u8..40, 4), data in strung(REQUEST_PIECES)) {
        checks::split(&[&[choice], cuts.as_slice(), &data].concat());
        let request = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        checks::split(&[&[choice], cuts.as_slice(), request, &data].concat());
    }

    #[test]
    fn recent(choice: u8, pieces in vec((0u8..8, strung(REQUEST_PIECES)), 1..5)) {
        let pieces: Vec<_> = pieces.iter().map(|(how, piece)| [&[*how], piece.as_slice()].concat()).collect();
        checks::recent(&[&[choice], pieces.join(&0xff).as_slice()].concat());
    }

    #[test]
    fn proxy(data in with_choices(REQUEST_PIECES)) {
        checks::proxy(&data);
    }

    #[test]
    fn uwsgi(choice: u8, cuts in vec(0u8..200, 4), packets in vec(packet(), 1..4), rest in strung(REQUEST_PIECES)) {
        checks::uwsgi(&[&[choice], cuts.as_slice(), &packets.concat(), &rest].concat());
    }

    #[test]
    fn response(data in strung(RESPONSE_PIECES)) {
        checks::response(&data);
    }
}
