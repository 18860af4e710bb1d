//! A section of header fields: from lines to names and values.
//!
//! A plain head, in which every line is what RFC 9112 says, is read in one pass. Any other one
//! (folded lines, blanks before the colon, whatever is wrong) is read line by line with Gunicorn's
//! rules in Gunicorn's order, so that the first fault gets Gunicorn's name. Both ways give each
//! field to the same [`Judge`].

use std::ops::Range;

use memchr::{memchr, memmem};

use super::judge::{Judge, SectionRules};
use super::span::Span;
use super::{Field, Head, ParseError, Policy, scan, token};

/// Upper-case name and value.
pub(super) type Trailer = (Vec<u8>, Vec<u8>);

/// RFC 9110 section 6.5.1: fields that would change framing, routing or authentication.
const NEVER_IN_TRAILERS: [&[u8]; 6] =
    [b"HOST", b"CONTENT-LENGTH", b"TRANSFER-ENCODING", b"TRAILER", b"AUTHORIZATION", b"TE"];

/// Reads the header section at `buf[start..]` into `head`, at once and only if it is there as a
/// whole and plain; returns its end, before the empty line. `None`: nothing was done.
///
/// The fields are judged when all of them were found: a fault is told only in a head that is
/// whole, so that the outcome is the same however the bytes come.
pub(super) fn read_plain_head(
    buf: &[u8],
    start: usize,
    trusted: bool,
    policy: &Policy,
    head: &mut Head,
) -> Result<Option<usize>, ParseError> {
    let mut judge = Judge::of_head(policy, trusted, head.version);
    let found = read_plain_lines(buf, start, &judge, &mut head.fields);
    let Some((end, notable)) = found.filter(|(end, _)| end - start < policy.limits.section) else {
        head.fields.clear();
        return Ok(None);
    };
    judge_notable(&mut judge, notable, buf, &mut head.fields)?;
    judge.conclude(buf, head)?;
    Ok(Some(end))
}

/// The fields that the judge has to look at, bit n for field n. Most it has not.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Notable {
    /// The name may mean something.
    known: u64,
    /// There may be an underscore in the name.
    rare: u64,
}

/// Finds the fields of a section in which every line is `name:value`, within the limits, and ends
/// with CRLF; returns its end, and what the judge has to look at. `None`: it is another one, has
/// very many fields, or is not all there.
fn read_plain_lines(
    buf: &[u8],
    start: usize,
    judge: &Judge<'_>,
    fields: &mut Vec<Field>,
) -> Option<(usize, Notable)> {
    let limits = judge.rules().limits;
    let most = limits.fields.min(u64::BITS as usize);
    let offset_of = |rest: &[u8]| buf.len() - rest.len();
    let mut notable = Notable::default();
    let mut rest = buf.get(start..)?;
    loop {
        let name = scan::name(rest);
        let (text, behind) = rest.split_at_checked(name.length)?;
        let [b':', value @ ..] = behind else {
            let is_end = text.is_empty() && behind.starts_with(b"\r\n");
            return is_end.then(|| (offset_of(rest), notable));
        };
        if text.is_empty() || fields.len() == most {
            return None;
        }
        let value = scan::without_blanks(value);
        let (content, behind) = value.split_at_checked(scan::value_length(value))?;
        let next = behind.strip_prefix(b"\r\n")?;
        if rest.len() - next.len() > limits.field_size {
            return None;
        }
        let content = scan::without_blanks_behind(content);
        notable.known |= u64::from(judge.may_know(text)) << fields.len();
        notable.rare |= u64::from(name.rare) << fields.len();
        let (name_start, value_start) = (offset_of(rest), offset_of(value));
        fields.push(Field {
            name: Span::new(name_start, name_start + text.len()),
            value: Span::new(value_start, value_start + content.len()),
        });
        rest = next;
    }
}

/// Judges the notable ones of `fields` and leaves those that are kept; with a fault those that were
/// kept before it.
fn judge_notable(
    judge: &mut Judge<'_>,
    notable: Notable,
    buf: &[u8],
    fields: &mut Vec<Field>,
) -> Result<(), ParseError> {
    let (mut left, mut dropped) = (notable.known | notable.rare, 0);
    while left != 0 {
        let place = left.trailing_zeros();
        left &= left - 1;
        let index = place as usize - dropped;
        match judge.keeps(fields[index], notable.rare >> place & 1 == 1, buf) {
            Ok(true) => {}
            Ok(false) => {
                fields.remove(index);
                dropped += 1;
            }
            Err(error) => {
                fields.truncate(index);
                return Err(error);
            }
        }
    }
    Ok(())
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
        if judge.keeps(field, true, buf)? {
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
#[path = "test_fields.rs"]
mod tests;
