//! A section of header fields: from lines to names and values.
//!
//! A block goes through httparse. What httparse does not like, or can't do (folded lines, blanks
//! before the colon, very many fields), is read again line by line with Gunicorn's rules in
//! Gunicorn's order, so that the first fault gets Gunicorn's name. Both ways give each field to
//! the same [`Judge`]. That no line ends with a bare LF is known before (`head`, `body`).

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

/// Reads the header section `buf[section]`, which is followed by the empty line, into `head`.
/// `lines` is the number of its lines.
pub(super) fn read_head(
    buf: &mut [u8],
    section: Range<usize>,
    lines: usize,
    trusted: bool,
    policy: &Policy,
    head: &mut Head,
) -> Result<(), ParseError> {
    let mut judge = Judge::of_head(policy, trusted, head.version);
    if lines > FAST_FIELDS || !read_block(buf, section.clone(), &mut judge, head)? {
        read_lines(buf, section, false, &mut judge, &mut head.fields)?;
    }
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

/// The fast way. `Ok(false)`: not for this block, nothing was taken.
fn read_block(
    buf: &[u8],
    section: Range<usize>,
    judge: &mut Judge<'_>,
    head: &mut Head,
) -> Result<bool, ParseError> {
    let mut parsed = [EMPTY_HEADER; FAST_FIELDS];
    let block = buf.get(section.start..section.end + 2).unwrap_or_default();
    let Ok(httparse::Status::Complete((_, parsed))) = httparse::parse_headers(block, &mut parsed)
    else {
        return Ok(false);
    };
    // Offsets out of pointers: httparse gives slices of `buf`, the head keeps spans.
    let base = buf.as_ptr() as usize;
    let mut line_start = section.start;
    for (index, header) in parsed.iter().enumerate() {
        let name = header.name.as_ptr() as usize - base;
        let line_end = match parsed.get(index + 1) {
            Some(next) => next.name.as_ptr() as usize - base,
            None => section.end,
        };
        judge.count_field()?;
        judge.check_size(line_end - line_start)?;
        line_start = line_end;
        // An empty value points nowhere in particular.
        let value = match header.value {
            [] => Span::new(name, name),
            value => {
                let start = value.as_ptr() as usize - base;
                Span::new(start, start + value.len())
            }
        };
        let field = Field { name: Span::new(name, name + header.name.len()), value };
        if judge.keeps(field, buf)? {
            head.fields.push(field);
        }
    }
    Ok(true)
}

/// The thorough way.
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
