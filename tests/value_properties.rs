//! The checks of `tests/fuzz/values.rs`, driven by proptest.

#[allow(clippy::panic)]
#[path = "fuzz/values.rs"]
mod values;

use proptest::collection::vec;
use proptest::prelude::*;

const PIECES: &[&[u8]] = &[
    b"\n",
    b"\n",
    b"%(h)s",
    b"%({x-field}i)-20.3s",
    b"%(D)010d",
    b"%(r)s \"%(f)s\"",
    b"%(u)s",
    b"%%",
    b"Basic dTpw",
    b"Basic w6k6eA==",
    b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
    b"00000000",
    b"-",
    b",",
    b"bytes=0-4",
    b"bytes=-5",
    b"bytes=",
    b"18446744073709551616",
    b"\"a-b\"",
    b"W/\"a-b\", *",
    b"br;q=0.5, gzip;q=0",
    b"Sun, 06 Nov 1994 08:49:37 GMT",
    b"/static",
    b"/..",
    b"/.",
    b"//",
    b"/a",
    b"127.0.0.1",
    b"/255.0.0.0",
    b"/0.0.0.255",
    b"10.0.0.0/8",
    b"::1",
    b"fe80::/10",
    b"*",
    b"all,5xx",
    b"slow:1.5",
    b"sample:10",
    b"null",
    b"\\",
    b"\"",
    b"=",
    b"\x00",
    b"\x1b[0m",
    b"\x85\xff",
    "\u{9b}é".as_bytes(),
];

fn strung() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => proptest::sample::select(PIECES).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..6),
    ];
    vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

fn all(data: &[u8]) {
    values::config(data);
    values::access(data);
    values::named(data);
    values::traceparent(data);
    values::files(data);
    values::files(&[b"\x0a\0\0\0", data].concat());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes(data in vec(any::<u8>(), 0..200)) {
        all(&data);
    }

    #[test]
    fn pieces(data in strung()) {
        all(&data);
    }

    #[test]
    fn traces(data in "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.{0,2}", at in 0usize..58, byte: u8) {
        values::traceparent(data.as_bytes());
        let mut bent = data.into_bytes();
        if let Some(old) = bent.get_mut(at) {
            *old = byte;
        }
        values::traceparent(&bent);
    }
}
