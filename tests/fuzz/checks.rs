//! What must hold for any bytes. Each function is the body of a fuzz target and of a property test.

use std::time::Duration;

use rgunicorn::http::queue_time::{since, waited_before};
use rgunicorn::http::{
    AllowList, BodyDecoder, BodyEvent, Encoder, Facts, Framing, Head, HeadReader, HeaderMap,
    Limits, ParseError, Peer, Policy, Preamble, ProxyMode, Recent, ResponseFields, parse_status,
    poll_preamble, uwsgi_vars,
};

use crate::session::{Outcome, serve};

/// A policy chosen by one byte: small limits, so that they are met.
pub(crate) fn policy(choice: u8) -> Policy {
    let bit = |n: u8| choice & 1 << n != 0;
    Policy {
        limits: if bit(0) { Limits::new(4094, 100, 8190) } else { Limits::new(40, 4, 30) },
        permit_unconventional_method: bit(1),
        permit_unconventional_version: bit(1),
        casefold_method: bit(1),
        strip_header_spaces: bit(2),
        permit_obsolete_folding: bit(3),
        header_map: match (bit(4), bit(5)) {
            (false, false) => HeaderMap::Drop,
            (false, true) => HeaderMap::Refuse,
            _ => HeaderMap::Dangerous,
        },
        forwarder_headers: vec![b"SCRIPT_NAME".to_vec()],
        forwarded_allow: if bit(6) { AllowList::default() } else { everybody() },
        secure_scheme_headers: vec![(b"X-P".to_vec(), b"https".to_vec())],
        proxy: if bit(7) { ProxyMode::Auto } else { ProxyMode::Off },
        proxy_allow: everybody(),
        uwsgi: None,
        tls: false,
        script_name_env: Vec::new(),
    }
}

fn everybody() -> AllowList {
    AllowList::parse(&["*"]).unwrap_or_default()
}

const PEER: Peer = Peer::Ip(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

/// A head that is taken lies in the buffer, and reading only its own bytes gives the same.
pub(crate) fn head(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    let policy = policy(choice);
    let (mut reader, mut head) = (HeadReader::default(), Head::default());
    let mut buf = data.to_vec();
    match reader.poll(&mut buf, true, &policy, None, &mut head) {
        Ok(true) => {}
        Ok(false) => return assert!(reader.room(buf.len(), &policy) > 0),
        Err(error) => return assert_refusal(&error),
    }
    assert!(head.len <= data.len());
    let (line_limit, section) = (policy.limits.request_line, policy.limits.section);
    assert!(head.len <= line_limit + section + 8, "the limits were passed");
    assert!(head.fields.len() <= policy.limits.fields);
    let spans = [head.method, head.target, head.path, head.query, head.script_name];
    let fields = head.fields.iter().flat_map(|field| [field.name, field.value]);
    for span in spans.into_iter().chain(fields) {
        assert!(span.start <= span.end && span.end as usize <= head.len, "{span:?}");
        assert!(span.of(&buf).iter().all(|&b| b != b'\r' && b != b'\n' && b != 0));
    }
    for field in &head.fields {
        assert!(!field.name.is_empty());
        let value = field.value.of(&buf);
        assert!(policy.permit_obsolete_folding || !value.starts_with(b" "));
        assert!(!value.ends_with(b" ") || policy.permit_obsolete_folding);
    }
    start(&data[..head.len.min(40)]);
    if let Some(waited) = waited_before(&head, &buf, || NOW) {
        assert!(waited <= DAY);
    }
    let mut alone = data[..head.len].to_vec();
    let mut again = Head::default();
    assert_eq!(reader.poll(&mut alone, true, &policy, None, &mut again), Ok(true));
    assert_eq!(again, head);
}

/// Request lines: two behind which a section means the same, and two behind which it does not.
const LINES: [&[u8]; 4] = [
    b"GET / HTTP/1.1\r\n",
    b"POST /a/longer?one HTTP/1.1\r\n",
    b"GET / HTTP/1.0\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n",
];

/// With a memory of the sections before it, each head comes to what it comes to without. Sections,
/// with what follows them, have 0xFF between them; the first byte of each says what comes before it,
/// and from whom. They are read twice, so that each meets what all of them have left behind.
pub(crate) fn recent(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    let policy = policy(choice);
    let mut recent = Recent::default();
    for piece in data.split(|&byte| byte == 0xff).chain(data.split(|&byte| byte == 0xff)) {
        let Some((&how, section)) = piece.split_first() else { continue };
        let head = [LINES[usize::from(how) % LINES.len()], section].concat();
        // The second time it is known, if it may be.
        for _ in 0..2 {
            let afresh = read(&head, how & 4 == 0, &policy, None);
            assert_eq!(read(&head, how & 4 == 0, &policy, Some(&mut recent)), afresh);
        }
    }
}

/// What a head comes to, and what becomes of its bytes.
fn read(
    raw: &[u8],
    trusted: bool,
    policy: &Policy,
    recent: Option<&mut Recent>,
) -> (Result<bool, ParseError>, Head, Vec<u8>) {
    let (mut buf, mut head) = (raw.to_vec(), Head::default());
    let came = HeadReader::default().poll(&mut buf, trusted, policy, recent, &mut head);
    (came, head, buf)
}

const NOW: Duration = Duration::from_secs(1_800_000_000);
const DAY: Duration = Duration::from_secs(86_400);

/// Whatever `X-Request-Start` says: nobody has waited for longer than a day.
pub(crate) fn start(value: &[u8]) {
    if let Some(waited) = since(value, NOW) {
        assert!(waited <= DAY);
    }
}

fn assert_refusal(error: &ParseError) {
    assert!((400..=501).contains(&error.status()));
    assert!(!error.reason().is_empty() && !error.name().is_empty());
    assert!(!error.page_message().contains('\0'));
}

/// A decoder never takes more than it is given, never stands still, and keeps to Content-Length.
pub(crate) fn body(data: &[u8]) {
    let [choice, length, data @ ..] = data else { return };
    let framing = match choice & 1 {
        0 => Framing::Chunked,
        _ => Framing::Length(u64::from(*length)),
    };
    let mut decoder = BodyDecoder::new(framing, &policy(choice & !1));
    let (mut rest, mut decoded) = (data, 0);
    loop {
        let (taken, event) = match decoder.next(rest) {
            Ok(step) => step,
            Err(error) => return assert_refusal(&error),
        };
        match event {
            BodyEvent::NeedMore => {
                assert!(taken == rest.len() && !decoder.is_done());
                return;
            }
            BodyEvent::Data { start, end } => {
                assert!(start < end && end <= taken && taken <= rest.len());
                decoded += end - start;
            }
            BodyEvent::End => break,
        }
        rest = &rest[taken..];
    }
    assert!(decoder.is_done() && decoder.on_eof().is_none());
    assert_eq!(decoder.next(b"more"), Ok((0, BodyEvent::End)));
    match framing {
        Framing::Length(length) => assert_eq!(decoded as u64, length),
        _ => assert!(decoded < data.len()),
    }
}

/// However a connection's bytes are cut, the same requests, bodies and refusal come of them.
pub(crate) fn split(data: &[u8]) {
    let Some((&[choice, ref cuts @ ..], data)) = data.split_first_chunk::<5>() else { return };
    split_by(&policy(choice), *cuts, data);
}

fn split_by(policy: &Policy, cuts: [u8; 4], data: &[u8]) {
    let whole = without_size(serve(policy, PEER, [data]));
    let each = without_size(serve(policy, PEER, data.chunks(1)));
    assert_eq!(whole, each, "byte by byte");
    let mut pieces = Vec::new();
    let mut rest = data;
    for cut in cuts {
        let (piece, after) = rest.split_at(usize::from(cut).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    assert_eq!(whole, without_size(serve(policy, PEER, pieces)), "in pieces");
}

/// How much of a line that is too long was there depends on the pieces it came in.
fn without_size(mut outcome: Outcome) -> Outcome {
    if let Some(ParseError::LimitRequestLine { size, .. }) = &mut outcome.error {
        *size = 0;
    }
    outcome
}

/// What was decided of a preamble stands, whatever comes after it.
pub(crate) fn proxy(data: &[u8]) {
    let mut policy = policy(0x80);
    let Some((&choice, data)) = data.split_first() else { return };
    policy.proxy =
        [ProxyMode::Off, ProxyMode::V1, ProxyMode::V2, ProxyMode::Auto][choice as usize % 4];
    let verdict = poll_preamble(data, &PEER, &policy);
    if let Ok(Preamble::Present { len, info }) = &verdict {
        assert!(*len <= data.len());
        assert_eq!(info.source.is_some(), info.destination.is_some());
    }
    for have in 0..data.len() {
        let earlier = poll_preamble(&data[..have], &PEER, &policy);
        assert!(earlier == Ok(Preamble::NeedMore) || earlier == verdict, "after {have} bytes");
    }
}

/// A packet that is taken becomes a head like any other: what HTTP would refuse in a field is in
/// none, no parameter has a name of the server's own, and another packet is only awaited where the
/// end of this one's body is known. Read again, by a sibling, it is the same; cut anyhow, too.
pub(crate) fn uwsgi(data: &[u8]) {
    let Some((&[choice, ref cuts @ ..], data)) = data.split_first_chunk::<5>() else { return };
    let policy = Policy { uwsgi: Some(everybody()), ..policy(choice) };
    split_by(&policy, *cuts, data);

    let (mut reader, mut head) = (HeadReader::default(), Head::default());
    let mut buf = data.to_vec();
    match reader.poll(&mut buf, true, &policy, None, &mut head) {
        Ok(true) => {}
        Ok(false) => {
            return assert!(reader.room(buf.len(), &policy) > 0 && head == Head::default());
        }
        Err(error) => return assert_refusal(&error),
    }
    assert!(head.uwsgi && head.len <= buf.len() && head.len <= 4 + 65535);
    let mut again = Head::default();
    let mut once_more = buf[..head.len].to_vec();
    assert_eq!(reader.poll(&mut once_more, false, &policy, None, &mut again), Ok(true));
    assert_eq!((&again, &once_more[..]), (&head, &buf[..head.len]));

    let vars: Vec<_> = uwsgi_vars(&buf).collect();
    assert!(vars.len() <= 1000 && head.fields.len() + head.params.len() <= vars.len());
    let of = |span: rgunicorn::http::Span| {
        assert!(span.start <= span.end && span.end as usize <= head.len, "{span:?}");
        span.of(&buf)
    };
    let clean = |text: &[u8]| !text.iter().any(|b| matches!(b, b'\r' | b'\n' | 0));
    let (mut lengths, mut hosts) = (0, 0);
    for field in &head.fields {
        let name = of(field.name);
        assert!(!name.is_empty() && name.iter().all(u8::is_ascii_graphic));
        assert!(!name.iter().any(|b| *b == b'_' || b.is_ascii_lowercase()));
        assert!(clean(of(field.value)));
        lengths += usize::from(name == b"CONTENT-LENGTH");
        hosts += usize::from(name == b"HOST");
    }
    assert!(lengths <= 1 && hosts <= 1);
    for param in &head.params {
        let name = of(param.name);
        assert!(!name.is_empty() && !name.starts_with(b"HTTP_") && !name.starts_with(b"wsgi."));
        assert!(!name.starts_with(b"gunicorn.") && !name.starts_with(b"rgunicorn."));
        of(param.value);
    }
    assert!([head.method, head.target, head.query].into_iter().all(|span| clean(of(span))));
    assert!(!of(head.method).is_empty() && !head.uri(&buf).is_empty() | head.path_info.is_some());
    let path = of(head.path);
    assert!(head.path_info.is_none_or(|below| path.ends_with(of(below))));
    assert!(head.framing != Framing::Chunked && !head.expect_continue);
    assert!(!head.keep_alive || lengths == 1, "a body of unknown length, and another packet");
}

/// What the encoder writes is one response to another parser, and its body is the application's.
pub(crate) fn response(data: &[u8]) {
    let [choice, status @ .., b'\n'] = data.split_inclusive(|&b| b == b'\n').next().unwrap_or(b"")
    else {
        return;
    };
    if parse_status(status).is_err() {
        return;
    }
    let lines = data[status.len() + 2..].split(|&b| b == b'\n');
    let mut fields = ResponseFields::default();
    let mut pieces = Vec::new();
    for line in lines {
        match line.iter().position(|&b| b == b':') {
            Some(colon) => drop(fields.push(&line[..colon], &line[colon + 1..])),
            None => pieces.push(line),
        }
    }
    let facts = Facts {
        version: (1, choice & 1),
        chunks: choice & 8 == 0,
        is_head: choice & 2 != 0,
        keep_alive: choice & 4 != 0,
    };
    let mut encoder = Encoder::default();
    let mut wire = Vec::new();
    encoder.head(&mut wire, &facts, status, &fields, b"rgunicorn", b"DATE");
    let head_len = wire.len();
    let mut sent = Vec::new();
    for piece in pieces {
        let allowed = encoder.begin_chunk(&mut wire, piece.len());
        wire.extend_from_slice(&piece[..allowed]);
        sent.extend_from_slice(&piece[..allowed]);
        encoder.end_chunk(&mut wire);
    }
    let chunked = encoder.is_chunked();
    let finish = encoder.finish(&mut wire);
    assert_eq!(encoder.body_bytes(), sent.len() as u64);

    let mut parsed = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut parsed);
    match response.parse(&wire) {
        Ok(httparse::Status::Complete(len)) => assert_eq!(len, head_len),
        // More fields than this parser has room for.
        Err(httparse::Error::TooManyHeaders) => return,
        other => panic!("{other:?}"),
    }
    assert_eq!(response.code, parse_status(status).ok());
    let framing = if chunked { Framing::Chunked } else { Framing::Length(sent.len() as u64) };
    assert_eq!(decode(framing, &wire[head_len..]), sent);
    assert_eq!(
        response.headers.iter().any(|h| h.name.eq_ignore_ascii_case("transfer-encoding")),
        chunked
    );
    assert!(!(chunked && fields.content_length().is_some()));
    assert!(finish.short_by == 0 || !finish.keep_alive);
}

fn decode(framing: Framing, mut wire: &[u8]) -> Vec<u8> {
    let mut decoder = BodyDecoder::new(framing, &policy(1));
    let mut body = Vec::new();
    loop {
        match decoder.next(wire) {
            Ok((taken, BodyEvent::Data { start, end })) => {
                body.extend_from_slice(&wire[start..end]);
                wire = &wire[taken..];
            }
            Ok((taken, BodyEvent::End)) if taken == wire.len() => return body,
            other => panic!("{other:?} of {wire:?}"),
        }
    }
}
