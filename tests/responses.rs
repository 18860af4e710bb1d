//! Every response of `tests/corpus/responses.json` through the encoder, and what it leaves behind.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use rgunicorn::http::{
    Encoder, Facts, Finish, ResponseError, ResponseFields, SaidField, early_hints, error_page,
    parse_status,
};

#[test]
fn corpus() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/responses.json");
    let cases: Vec<Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.len() > 100, "the corpus is not all there: {} cases", cases.len());
    let mut encoder = Encoder::default();
    let mut fields = ResponseFields::default();
    for case in &cases {
        // The same encoder for all: nothing of one response may show in the next.
        let seen = match answer(case, &mut encoder, &mut fields) {
            Ok((wire, finish)) => json!({ "wire": text(&wire), "keep_alive": finish.keep_alive }),
            Err(error) => json!({ "error": error.name(), "text": error.to_string() }),
        };
        assert_eq!(seen, case["expect"], "{}", case["name"]);
    }
}

fn answer(
    case: &Value,
    encoder: &mut Encoder,
    fields: &mut ResponseFields,
) -> Result<(Vec<u8>, Finish), ResponseError> {
    let status = latin_1(&case["status"]);
    parse_status(&status)?;
    fields.clear();
    for field in case["headers"].as_array().unwrap() {
        fields.push(&latin_1(&field[0]), &latin_1(&field[1]))?;
    }
    let number = |value: &Value| value.as_u64().unwrap() as u8;
    let facts = Facts {
        version: (number(&case["version"][0]), number(&case["version"][1])),
        chunks: true,
        is_head: case["method"] == "HEAD",
        keep_alive: case["keep_alive"].as_bool().unwrap(),
    };
    let mut wire = Vec::new();
    encoder.head(&mut wire, &facts, &status, fields, b"gunicorn", b"DATE");
    for piece in case["pieces"].as_array().unwrap() {
        let piece = latin_1(piece);
        let allowed = encoder.begin_chunk(&mut wire, piece.len());
        wire.extend_from_slice(&piece[..allowed]);
        encoder.end_chunk(&mut wire);
    }
    let finish = encoder.finish(&mut wire);
    Ok((wire, finish))
}

fn latin_1(value: &Value) -> Vec<u8> {
    value.as_str().unwrap().chars().map(|c| u8::try_from(c).unwrap()).collect()
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|&b| char::from(b)).collect()
}

fn head(encoder: &mut Encoder, version: (u8, u8), status: &[u8], fields: &ResponseFields) {
    let facts = Facts { version, chunks: true, is_head: false, keep_alive: true };
    encoder.head(&mut Vec::new(), &facts, status, fields, b"", b"DATE");
}

#[test]
fn counts_of_a_body() {
    let mut fields = ResponseFields::default();
    fields.push(b"Content-Length", b"7").unwrap();
    let mut encoder = Encoder::default();
    assert!(!encoder.head_sent());
    assert!(!encoder.complete());
    head(&mut encoder, (1, 1), b"200 OK", &fields);
    assert!(encoder.head_sent());
    let mut out = Vec::new();
    assert_eq!(encoder.begin_chunk(&mut out, 5), 5);
    assert_eq!((encoder.body_bytes(), encoder.complete()), (5, false));
    let early = encoder.finish(&mut out);
    assert_eq!(early, Finish { keep_alive: false, short_by: 2, dropped_body: false });
    assert_eq!(encoder.begin_chunk(&mut out, 5), 2);
    assert_eq!((encoder.body_bytes(), encoder.complete()), (7, true));
    assert_eq!(encoder.begin_chunk(&mut out, 5), 0);
    let finish = encoder.finish(&mut out);
    assert_eq!(finish, Finish { keep_alive: true, short_by: 0, dropped_body: false });
    assert!(out.is_empty(), "a body with a length has no framing of its own");
}

#[test]
fn a_body_where_none_may_be() {
    let mut encoder = Encoder::default();
    head(&mut encoder, (1, 1), b"204 No Content", &ResponseFields::default());
    let mut out = Vec::new();
    assert_eq!(encoder.begin_chunk(&mut out, 0), 0);
    assert!(!encoder.finish(&mut out).dropped_body);
    assert_eq!(encoder.begin_chunk(&mut out, 3), 0);
    assert!(encoder.finish(&mut out).dropped_body);
    assert_eq!((encoder.body_bytes(), out.len()), (0, 0));
}

#[test]
fn chunks() {
    let mut encoder = Encoder::default();
    head(&mut encoder, (1, 1), b"200 OK", &ResponseFields::default());
    assert!(encoder.is_chunked());
    let mut out = Vec::new();
    for size in [1, 15, 16, 255, 256, 65535, 65536] {
        out.clear();
        assert_eq!(encoder.begin_chunk(&mut out, size), size);
        assert_eq!(text(&out), format!("{size:X}\r\n"));
        out.clear();
        encoder.end_chunk(&mut out);
        encoder.end_chunk(&mut out);
        assert_eq!(out, b"\r\n");
    }
    out.clear();
    encoder.begin_chunk(&mut out, 0);
    encoder.end_chunk(&mut out);
    assert!(out.is_empty(), "an empty chunk would end the body");
    encoder.finish(&mut out);
    assert_eq!(out, b"0\r\n\r\n");
    encoder.finish(&mut out);
    assert_eq!(out, b"0\r\n\r\n", "the last chunk is sent once");
}

#[test]
fn close_delimited() {
    let mut encoder = Encoder::default();
    head(&mut encoder, (1, 0), b"200 OK", &ResponseFields::default());
    assert!(encoder.is_close_delimited() && !encoder.is_chunked());
    let mut out = Vec::new();
    assert_eq!(encoder.begin_chunk(&mut out, 5), 5);
    assert!(!encoder.finish(&mut out).keep_alive);
}

#[test]
fn fields_as_the_access_log_reads_them() {
    let mut fields = ResponseFields::default();
    for (name, value) in [("X-A", "1"), ("x-a", " 2 "), ("Server", "x"), ("Content-Length", "3")] {
        fields.push(name.as_bytes(), value.as_bytes()).unwrap();
    }
    assert_eq!(fields.value(b"X-a"), Some(b"2".as_slice()));
    assert_eq!(fields.value(b"server"), None);
    assert_eq!(fields.content_length(), Some(3));
    let names: Vec<_> = fields.iter().map(|(name, _)| text(name)).collect();
    assert_eq!(names, ["X-A", "x-a", "Content-Length"]);
    fields.clear();
    assert_eq!((fields.iter().count(), fields.content_length()), (0, None));
}

#[test]
fn hints() {
    let mut out = b"before".to_vec();
    let link: (&[u8], &[u8]) = (b"Link", b" </a.css>; rel=preload ");
    early_hints(&mut out, (1, 0), [link].into_iter()).unwrap();
    assert_eq!(text(&out), "before");
    let bad: (&[u8], &[u8]) = (b"X", b"a\r\nb");
    let error = early_hints(&mut out, (1, 1), [link, bad].into_iter()).unwrap_err();
    assert_eq!(error.to_string(), "Invalid response header from the application: 'X'");
    assert_eq!(text(&out), "before");
    early_hints(&mut out, (1, 1), [link].into_iter()).unwrap();
    assert_eq!(text(&out), "beforeHTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
}

/// What Gunicorn 27.0.1 sent for `GET /caf\xe9"<&> HTTP/1.1` and for an application's exception.
#[test]
fn pages() {
    let mut out = Vec::new();
    let mesg = "Invalid Request Line 'Invalid HTTP request line: 'GET /café\"<&> HTTP/1.1''";
    error_page(400, "Bad Request", mesg, &mut out);
    assert_eq!(
        text(&out),
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/html\r\n\
         Content-Length: 230\r\n\r\n<html>\n  <head>\n    <title>Bad Request</title>\n  </head>\n  \
         <body>\n    <h1><p>Bad Request</p></h1>\n    Invalid Request Line &#x27;Invalid HTTP \
         request line: &#x27;GET /caf\u{e9}&quot;&lt;&amp;&gt; HTTP/1.1&#x27;&#x27;\n  </body>\n\
         </html>\n"
    );
    out.clear();
    error_page(500, "Internal Server Error", "\u{20ac}", &mut out);
    assert!(out.ends_with(b"</h1>\n    ?\n  </body>\n</html>\n"));
    assert!(text(&out).contains("Content-Length: 142\r\n"));
}

#[test]
fn what_is_said_again() {
    let said: [(&[u8], &[u8]); 6] = [
        (b"Content-Type", b" text/plain\t"),
        (b"X-Empty", b""),
        (b"content-length", b"007"),
        (b"X", b"y"),
        (b"Content-Length", b"8"),
        (b"Content-Length", b"7"),
    ];
    for first in 0..said.len() {
        for second in 0..said.len() {
            // Pushed, and remembered from another response.
            let (mut once, mut again) = (ResponseFields::default(), ResponseFields::default());
            for number in [first, second] {
                let (name, value) = said[number];
                let mut other = ResponseFields::default();
                other.push(b"Before", b"it").unwrap();
                other.push(name, value).unwrap();
                assert_eq!(other.count(), 2);
                let mut field = SaidField::default();
                other.last_into(&mut field);
                assert_eq!(once.push(name, value), again.push_again(&field));
            }
            assert!(once.iter().eq(again.iter()));
            assert_eq!(once.content_length(), again.content_length());
            let heads = [&once, &again].map(|fields| {
                let mut out = Vec::new();
                let facts =
                    Facts { version: (1, 1), chunks: true, is_head: false, keep_alive: true };
                Encoder::default().head(&mut out, &facts, b"200 OK", fields, b"s", b"d");
                out
            });
            assert_eq!(heads[0], heads[1]);
        }
    }
}
