//! A section of header fields: from lines to names and values.
//!
//! A plain head goes through httparse. What httparse does not like, or can't do (folded lines,
//! blanks before the colon, very many fields), is read line by line with Gunicorn's rules in
//! Gunicorn's order, so that the first fault gets Gunicorn's name. Both ways give each field to
//! the same [`Judge`].

use std::ops::Range;

use httparse::EMPTY_HEADER;
use memchr::{memchr, memmem};

use super::judge::{Judge, SectionRules};
use super::span::Span;
use super::{Field, Head, ParseError, Policy, token};

/// Fields a head may have on the fast way. More are rare.
const FAST_FIELDS: usize = 32;

/// Upper-case name and value.
pub(super) type Trailer = (Vec<u8>, Vec<u8>);

/// RFC 9110 section 6.5.1: fields that would change framing, routing or authentication.
const NEVER_IN_TRAILERS: [&[u8]; 6] =
    [b"HOST", b"CONTENT-LENGTH", b"TRANSFER-ENCODING", b"TRAILER", b"AUTHORIZATION", b"TE"];

/// Reads the header section at `buf[start..]` into `head`, at once and only if it is there as a
/// whole and plain; returns its end, before the empty line. `None`: nothing was done.
pub(super) fn read_plain_head(
    buf: &[u8],
    start: usize,
    trusted: bool,
    policy: &Policy,
    head: &mut Head,
) -> Result<Option<usize>, ParseError> {
    let mut parsed = [EMPTY_HEADER; FAST_FIELDS];
    let block = buf.get(start..).unwrap_or_default();
    let Ok(httparse::Status::Complete((len, parsed))) = httparse::parse_headers(block, &mut parsed)
    else {
        return Ok(None);
    };
    if len > policy.limits.section + 1 || !ends_in_crlf(&block[..len], parsed) {
        return Ok(None);
    }
    let end = start + len - 2;
    let mut judge = Judge::of_head(policy, trusted, head.version);
    let mut line_start = start;
    for (index, header) in parsed.iter().enumerate() {
        let line_end = parsed.get(index + 1).map_or(end, |next| offset(buf, next.name.as_bytes()));
        judge.count_field()?;
        judge.check_size(line_end - line_start)?;
        line_start = line_end;
        let field =
            Field { name: span(buf, header.name.as_bytes()), value: span(buf, header.value) };
        if judge.keeps(field, buf)? {
            head.fields.push(field);
        }
    }
    judge.conclude(buf, head)?;
    Ok(Some(end))
}

/// httparse takes a bare LF for a line end, too.
fn ends_in_crlf(block: &[u8], parsed: &[httparse::Header<'_>]) -> bool {
    let mut starts = parsed.iter().skip(1).map(|header| offset(block, header.name.as_bytes()));
    let ending: &[u8] = if parsed.is_empty() { b"\r\n" } else { b"\r\n\r\n" };
    block.ends_with(ending) && starts.all(|start| block[..start].ends_with(b"\r\n"))
}

/// Offset of `part`, a slice of `buf`: httparse gives slices, the head keeps spans.
fn offset(buf: &[u8], part: &[u8]) -> usize {
    part.as_ptr() as usize - buf.as_ptr() as usize
}

fn span(buf: &[u8], part: &[u8]) -> Span {
    if part.is_empty() {
        // An empty value of httparse points nowhere in particular.
        return Span::default();
    }
    let start = offset(buf, part);
    Span::new(start, start + part.len())
}

/// Reads the header section `buf[section]`, which is followed by the empty line, into `head`.
pub(super) fn read_head(
    buf: &mut [u8],
    section: Range<usize>,
    trusted: bool,
    policy: &Policy,
    head: &mut Head,
) -> Result<(), ParseError> {
    let mut judge = Judge::of_head(policy, trusted, head.version);
    read_lines(buf, section, false, &mut judge, &mut head.fields)?;
    judge.conclude(buf, head)
}

/// Reads a trailer section as `read_head` reads a head, believing nobody. Names are upper-cased.
pub(super) fn read_trailers(
    section: &mut [u8],
    rules: SectionRules,
) -> Result<Vec<Trailer>, ParseError> {
    let mut fields = Vec::new();
    let whole = 0..section.len();
    read_lines(section, whole, true, &mut Judge::of_trailers(rules), &mut fields)?;
    let section = &*section;
    let owned = |field: &Field| {
        (field.name.of(section).to_ascii_uppercase(), field.value.of(section).to_vec())
    };
    Ok(fields.iter().map(owned).collect())
}

/// The thorough way. Every LF in `section` is known to have its CR (`head`, `body`).
fn read_lines(
    buf: &mut [u8],
    section: Range<usize>,
    trailer: bool,
    judge: &mut Judge<'_>,
    fields: &mut Vec<Field>,
) -> Result<(), ParseError> {
    let mut at = section.start;
    while at < section.end {
        judge.count_field()?;
        let line = at..line_end(buf, at, section.end);
        let name = read_name(buf, line.clone(), judge.rules())?;
        let upper = name.of(buf);
        if trailer && NEVER_IN_TRAILERS.iter().any(|n| n.eq_ignore_ascii_case(upper)) {
            return Err(ParseError::InvalidHeaderName(upper.to_ascii_uppercase()));
        }
        let (value, next) = read_value(buf, line.clone(), section.end, name, judge)?;
        if !token::is_field_value(value.of(buf)) {
            return Err(ParseError::header(name.of(buf)));
        }
        judge.check_size(next - line.start)?;
        at = next;
        let field = Field { name, value };
        if judge.keeps(field, buf)? {
            fields.push(field);
        }
    }
    Ok(())
}

/// End of the line that starts at `at`, before its CRLF. In trailers and heads every LF has its CR,
/// but a lone CR may stand in a line.
fn line_end(buf: &[u8], at: usize, end: usize) -> usize {
    memmem::find(&buf[at..end], b"\r\n").map_or(end, |length| at + length)
}

fn read_name(buf: &[u8], line: Range<usize>, rules: SectionRules) -> Result<Span, ParseError> {
    let text = &buf[line.clone()];
    let colon = match memchr(b':', text) {
        None | Some(0) => return Err(ParseError::raw_line(text)),
        Some(colon) => colon,
    };
    let mut name = &text[..colon];
    if rules.strip_header_spaces {
        while let [shorter @ .., b' ' | b'\t'] = name {
            name = shorter;
        }
    }
    if !token::is_token(name) {
        return Err(ParseError::InvalidHeaderName(name.to_vec()));
    }
    Ok(Span::new(line.start, line.start + name.len()))
}

/// The value of the line and of the folded lines after it, and where the next field starts.
///
/// Folded pieces are moved together, one space between them, as Gunicorn joins them.
fn read_value(
    buf: &mut [u8],
    line: Range<usize>,
    section_end: usize,
    name: Span,
    judge: &Judge<'_>,
) -> Result<(Span, usize), ParseError> {
    let colon = memchr(b':', &buf[line.clone()]).map_or(line.end, |at| line.start + at);
    let first = trimmed(buf, colon + 1..line.end);
    let mut end = first.end;
    let mut next = (line.end + 2).min(section_end);
    while next < section_end && matches!(buf[next], b' ' | b'\t') {
        if !judge.rules().permit_obsolete_folding {
            return Err(ParseError::ObsoleteFolding(name.of(buf).to_ascii_uppercase()));
        }
        let piece_end = line_end(buf, next, section_end);
        let piece = trimmed(buf, next..piece_end);
        next = (piece_end + 2).min(section_end);
        judge.check_size(next - line.start)?;
        buf[end] = b' ';
        buf.copy_within(piece.clone(), end + 1);
        end += 1 + piece.len();
    }
    Ok((Span::new(first.start, end), next))
}

/// The range without OWS at both ends; when nothing is left, the empty range at its start.
fn trimmed(buf: &[u8], range: Range<usize>) -> Range<usize> {
    let text = &buf[range.clone()];
    let is_content = |b: &u8| !matches!(b, b' ' | b'\t');
    match (text.iter().position(is_content), text.iter().rposition(is_content)) {
        (Some(first), Some(last)) => range.start + first..range.start + last + 1,
        _ => range.start..range.start,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::http::test_policy::usual;

    /// The plain way and the thorough way must agree on whatever httparse takes.
    fn assert_same(section: &[u8], trusted: bool) {
        let policy = usual();
        let mut buf = [section, b"\r\n"].concat();
        let mut plain = Head { version: (1, 1), ..Head::default() };
        let mut thorough = plain.clone();
        let outcome = match read_plain_head(&buf, 0, trusted, &policy, &mut plain) {
            Ok(None) => return,
            Ok(Some(end)) => {
                assert_eq!(end, section.len(), "{section:?}");
                Ok(())
            }
            Err(error) => Err(error),
        };
        let range = 0..section.len();
        assert_eq!(read_head(&mut buf, range, trusted, &policy, &mut thorough), outcome);
        let values = |head: &Head| -> Vec<(Vec<u8>, Vec<u8>)> {
            let owned = |f: &Field| (f.name.of(&buf).to_vec(), f.value.of(&buf).to_vec());
            head.fields.iter().map(owned).collect()
        };
        assert_eq!(values(&plain), values(&thorough));
        plain.fields.clear();
        thorough.fields.clear();
        assert_eq!(plain, thorough);
    }

    #[test]
    fn each_byte_in_name_and_value() {
        for byte in (0..=255).filter(|byte| *byte != b'\n') {
            for line in [
                &[b'X', byte, b':', b'v', b'\r', b'\n'][..],
                &[b'X', b':', b'v', byte, b'v', b'\r', b'\n'],
                &[b'X', b':', byte, b'\r', b'\n'],
                &[byte, b':', b'v', b'\r', b'\n'],
                &[b'A', b':', b'\r', b'\n', byte, b'B', b':', b'c', b'\r', b'\n'],
            ] {
                assert_same(line, true);
            }
        }
    }

    #[test]
    fn plain_heads_are_read_plainly() {
        let policy = usual();
        let plain = |head: &[u8]| {
            let mut out = Head { version: (1, 1), ..Head::default() };
            read_plain_head(head, 0, true, &policy, &mut out)
        };
        assert_eq!(plain(b"\r\nrest"), Ok(Some(0)));
        assert_eq!(plain(b"A: b\r\nC:\r\n\r\nrest"), Ok(Some(10)));
        for other in [&b"A: b\n\r\n"[..], b"A: b\r\n\n", b"A: b\nC: d\r\n\r\n", b"\n", b"A: b\r\n"]
        {
            assert_eq!(plain(other), Ok(None), "{other:?}");
        }
        let many = [b"A: b\r\n".repeat(FAST_FIELDS + 1), b"\r\n".to_vec()].concat();
        assert_eq!(plain(&many), Ok(None));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn both_ways_agree(
            lines in vec(("[A-Za-z_-]{1,17}", "[ \t]{0,2}", "[ -~\t]{0,40}"), 0..40),
            extra in vec(proptest::sample::select(vec![
                "Host: a\r\n", "X-Forwarded-Proto: https\r\n", "X-Forwarded-Ssl: off\r\n",
                "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "Expect: x\r\n",
                "Connection: close, x\r\n", "SCRIPT_NAME: /a\r\n", "Content-Type: x\r\n",
            ]), 0..4),
            trusted: bool,
        ) {
            let mut section = String::new();
            for (name, blanks, value) in lines {
                section.push_str(&format!("{name}:{blanks}{value}{blanks}\r\n"));
            }
            extra.iter().for_each(|line| section.push_str(line));
            assert_same(section.as_bytes(), trusted);
        }
    }
}
