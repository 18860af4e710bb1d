//! Request bodies: where they end, and what in them is data (RFC 9112 sections 6 and 7.1).

use memchr::memchr;

use super::fields::{Trailer, read_trailers};
use super::head::BARE_LF;
use super::judge::SectionRules;
use super::{Framing, ParseError, Policy, chunk};

/// What [`BodyDecoder::next`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyEvent {
    /// All of the input was used up and the body goes on.
    NeedMore,
    /// `input[start..end]` is body.
    Data {
        /// Offset of the first byte.
        start: usize,
        /// Offset after the last byte.
        end: usize,
    },
    /// The body is over; what follows the consumed bytes is the next request.
    End,
}

/// Decodes one request body. Takes all bytes it is given up to the end of the body, so the caller
/// never has to keep any.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
    rules: SectionRules,
    /// What has come so far of a chunk-size line, or of the trailer section.
    partial: Vec<u8>,
    trailers: Vec<Trailer>,
}

/// A decoder's state as plain values, for a message to another process of the same build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Which state.
    pub kind: u8,
    /// Its number.
    pub left: u64,
    /// What has come so far of a line.
    pub partial: Vec<u8>,
    /// Trailer fields.
    pub trailers: Vec<(Vec<u8>, Vec<u8>)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Done,
    /// Bytes to come.
    Length(u64),
    ChunkSize,
    /// Bytes to come in this chunk; never 0.
    ChunkData(u64),
    /// The CRLF after a chunk; its first byte when that has come.
    ChunkEnd(Option<u8>),
    /// Start of the trailer line in `partial` that is not complete yet.
    Trailers(usize),
}

impl BodyDecoder {
    /// A decoder for a body framed as `framing`. The policy gives the limits and the rules for
    /// trailer fields.
    pub fn new(framing: Framing, policy: &Policy) -> Self {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkSize,
        };
        let rules = SectionRules::of(policy);
        Self { state, rules, partial: Vec::new(), trailers: Vec::new() }
    }

    /// Goes on where another decoder has stopped. The policy as for [`BodyDecoder::new`].
    /// `None`: no decoder has ever stood so.
    pub fn resume(standing: Standing, policy: &Policy) -> Option<Self> {
        let Standing { kind, left, partial, trailers } = standing;
        let state = match (kind, left) {
            (0, _) => State::Done,
            (1, 1..) => State::Length(left),
            (2, _) => State::ChunkSize,
            (3, 1..) => State::ChunkData(left),
            (4, 0) => State::ChunkEnd(None),
            (4, _) => State::ChunkEnd(Some((left - 1) as u8)),
            (5, _) => State::Trailers(usize::try_from(left).ok()?),
            _ => return None,
        };
        if matches!(state, State::Trailers(line) if line > partial.len()) {
            return None;
        }
        Some(Self { state, rules: SectionRules::of(policy), partial, trailers })
    }

    /// Where it stands, to go on elsewhere.
    pub fn standing(&self) -> Standing {
        let (kind, left) = match self.state {
            State::Done => (0, 0),
            State::Length(left) => (1, left),
            State::ChunkSize => (2, 0),
            State::ChunkData(left) => (3, left),
            State::ChunkEnd(first) => (4, first.map_or(0, |first| u64::from(first) + 1)),
            State::Trailers(line) => (5, line as u64),
        };
        let (partial, trailers) = (self.partial.clone(), self.trailers.clone());
        Standing { kind, left, partial, trailers }
    }

    /// Consumes from the front of `input`: returns how many bytes, and what they were. The data
    /// lies inside the consumed bytes. Call again with the rest until `NeedMore` or `End`.
    ///
    /// # Errors
    /// The chunked coding is broken; the connection can't be used any further.
    pub fn next(&mut self, input: &[u8]) -> Result<(usize, BodyEvent), ParseError> {
        let mut at = 0;
        loop {
            let rest = &input[at..];
            match self.state {
                State::Done => return Ok((at, BodyEvent::End)),
                _ if rest.is_empty() => return Ok((at, BodyEvent::NeedMore)),
                State::Length(left) => {
                    let taken = fitting(left, rest.len());
                    self.state = match left - taken as u64 {
                        0 => State::Done,
                        left => State::Length(left),
                    };
                    return Ok((at + taken, BodyEvent::Data { start: at, end: at + taken }));
                }
                State::ChunkData(left) => {
                    let taken = fitting(left, rest.len());
                    self.state = match left - taken as u64 {
                        0 => State::ChunkEnd(None),
                        left => State::ChunkData(left),
                    };
                    return Ok((at + taken, BodyEvent::Data { start: at, end: at + taken }));
                }
                State::ChunkSize => at += self.take_size(rest)?,
                State::ChunkEnd(None) if rest.starts_with(b"\r\n") => {
                    self.state = State::ChunkSize;
                    at += 2;
                }
                State::ChunkEnd(None) => {
                    self.state = State::ChunkEnd(Some(rest[0]));
                    at += 1;
                }
                State::ChunkEnd(Some(first)) => {
                    if [first, rest[0]] != *b"\r\n" {
                        return Err(ParseError::ChunkMissingTerminator(vec![first, rest[0]]));
                    }
                    self.state = State::ChunkSize;
                    at += 1;
                }
                State::Trailers(line) => at += self.take_trailers(line, rest)?,
            }
        }
    }

    /// The body is over.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Bytes of body still to come, when that is known.
    pub fn remaining_hint(&self) -> Option<u64> {
        match self.state {
            State::Done => Some(0),
            State::Length(left) => Some(left),
            _ => None,
        }
    }

    /// What the end of the connection means now, before the body is over. `None`: there is no
    /// ParseError for it; a Content-Length body ends short, a chunk that stops is `NoMoreData`.
    pub fn on_eof(&self) -> Option<ParseError> {
        match self.state {
            State::ChunkEnd(first) => {
                Some(ParseError::ChunkMissingTerminator(first.into_iter().collect()))
            }
            State::Trailers(_) => Some(ParseError::ChunkMissingTerminator(Vec::new())),
            State::Done | State::Length(_) | State::ChunkSize | State::ChunkData(_) => None,
        }
    }

    /// Trailer fields with upper-case names, once the body is over.
    pub fn trailers(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.trailers
    }

    /// Takes a chunk-size line or a piece of it off `rest`; returns the bytes taken.
    fn take_size(&mut self, rest: &[u8]) -> Result<usize, ParseError> {
        let limit = self.rules.limits.field_size;
        if let Some((size, taken)) = chunk::plain_size(rest) {
            if self.partial.is_empty() && taken <= limit {
                self.state = after_size(size);
                return Ok(taken);
            }
        }
        let window = rest.len().min(limit + 1 - self.partial.len());
        let Some(lf) = memchr(b'\n', &rest[..window]) else {
            self.partial.extend_from_slice(&rest[..window]);
            if self.partial.len() > limit {
                let words = format!("line over {limit} bytes with no terminator");
                return Err(ParseError::InvalidChunkSize(words.into_bytes()));
            }
            return Ok(window);
        };
        let line = if self.partial.is_empty() {
            &rest[..=lf]
        } else {
            self.partial.extend_from_slice(&rest[..=lf]);
            &self.partial
        };
        let size = match line.strip_suffix(b"\r\n") {
            Some(line) => chunk::read_size(line)?,
            None => return Err(bare_lf(line)),
        };
        self.partial.clear();
        self.state = after_size(size);
        Ok(lf + 1)
    }

    /// Takes trailer lines off `rest`, up to the empty line; returns the bytes taken.
    fn take_trailers(&mut self, mut line: usize, rest: &[u8]) -> Result<usize, ParseError> {
        // No trailers: what nearly every client sends.
        if self.partial.is_empty() && rest.starts_with(b"\r\n") {
            self.state = State::Done;
            return Ok(2);
        }
        let mut taken = 0;
        while taken < rest.len() {
            let room = self.rules.limits.section + 1 - self.partial.len();
            let window = &rest[taken..rest.len().min(taken + room)];
            let lf = memchr(b'\n', window);
            let piece = &window[..lf.map_or(window.len(), |lf| lf + 1)];
            self.partial.extend_from_slice(piece);
            taken += piece.len();
            if lf.is_some() {
                let text = &self.partial[line..];
                if text == b"\r\n" {
                    self.trailers = read_trailers(&mut self.partial[..line], self.rules)?;
                    self.state = State::Done;
                    return Ok(taken);
                }
                if !text.ends_with(b"\r\n") {
                    return Err(ParseError::raw_line(BARE_LF));
                }
                line = self.partial.len();
            }
            if self.partial.len() > self.rules.limits.section {
                return Err(ParseError::LimitRequestHeaders("limit request trailer section size"));
            }
        }
        self.state = State::Trailers(line);
        Ok(taken)
    }
}

fn after_size(size: u64) -> State {
    if size == 0 { State::Trailers(0) } else { State::ChunkData(size) }
}

/// RFC 9112 section 2.2: a chunk-size line ends with CRLF; what has only an LF is refused at once.
fn bare_lf(line: &[u8]) -> ParseError {
    if memchr(b';', line).is_some() {
        return ParseError::InvalidChunkExtension("invalid chunk extension");
    }
    ParseError::InvalidChunkSize(line.to_vec())
}

fn fitting(left: u64, available: usize) -> usize {
    usize::try_from(left).map_or(available, |left| left.min(available))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::test_policy::usual;

    #[test]
    fn by_length() {
        let mut body = BodyDecoder::new(Framing::Length(5), &usual());
        assert_eq!((body.is_done(), body.remaining_hint()), (false, Some(5)));
        assert_eq!(body.next(b""), Ok((0, BodyEvent::NeedMore)));
        assert_eq!(body.next(b"abc"), Ok((3, BodyEvent::Data { start: 0, end: 3 })));
        assert_eq!((body.remaining_hint(), body.on_eof()), (Some(2), None));
        assert_eq!(body.next(b"deGET"), Ok((2, BodyEvent::Data { start: 0, end: 2 })));
        assert_eq!((body.is_done(), body.remaining_hint()), (true, Some(0)));
        assert_eq!(body.next(b"GET"), Ok((0, BodyEvent::End)));
    }

    #[test]
    fn no_body() {
        for framing in [Framing::None, Framing::Length(0)] {
            let mut body = BodyDecoder::new(framing, &usual());
            assert!(body.is_done());
            assert_eq!(body.next(b"GET"), Ok((0, BodyEvent::End)));
        }
    }

    #[test]
    fn data_lies_behind_its_size_line() {
        let mut body = BodyDecoder::new(Framing::Chunked, &usual());
        assert_eq!(body.next(b"3\r\nabc\r\n"), Ok((6, BodyEvent::Data { start: 3, end: 6 })));
        assert_eq!(body.next(b"\r\n0\r"), Ok((4, BodyEvent::NeedMore)));
        assert_eq!(body.remaining_hint(), None);
        assert_eq!(body.next(b"\nX: y\r\n\r\nGET"), Ok((9, BodyEvent::End)));
        assert_eq!(body.trailers(), [(b"X".to_vec(), b"y".to_vec())]);
    }

    #[test]
    fn ends_of_the_connection() {
        let terminator = |found: &[u8]| Some(ParseError::ChunkMissingTerminator(found.to_vec()));
        for (wire, expected) in [
            (&b""[..], None),
            (b"3", None),
            (b"3\r\nab", None),
            (b"3\r\nabc", terminator(b"")),
            (b"3\r\nabc\r", terminator(b"\r")),
            (b"3\r\nabc\r\n", None),
            (b"0\r\n", terminator(b"")),
            (b"0\r\nX: y\r\n", terminator(b"")),
            (b"0\r\n\r\n", None),
        ] {
            let mut body = BodyDecoder::new(Framing::Chunked, &usual());
            let mut rest = wire;
            while !rest.is_empty() {
                rest = &rest[body.next(rest).unwrap().0..];
            }
            assert_eq!(body.on_eof(), expected, "{wire:?}");
        }
    }

    /// A hand-over: after each byte another decoder goes on.
    #[test]
    fn another_goes_on_where_one_has_stopped() {
        let policy = usual();
        for (framing, wire) in [
            (Framing::Length(3), &b"abc"[..]),
            (Framing::Chunked, b"3\r\nabc\r\n0\r\nX: y\r\nZ: 1\r\n\r\n"),
        ] {
            let mut body = BodyDecoder::new(framing, &policy);
            let mut data = Vec::new();
            for byte in wire {
                let piece = [*byte];
                if let (1, BodyEvent::Data { .. }) = body.next(&piece).unwrap() {
                    data.push(*byte);
                }
                body = BodyDecoder::resume(body.standing(), &policy).unwrap();
            }
            assert!(body.is_done() && data == b"abc", "{framing:?} {data:?}");
            assert_eq!(body.trailers().len(), if framing == Framing::Chunked { 2 } else { 0 });
        }
    }

    #[test]
    fn nobody_has_ever_stood_so() {
        let standing = |kind, left| Standing { kind, left, partial: vec![b'x'], trailers: vec![] };
        for (kind, left) in [(1, 0), (3, 0), (5, 2), (6, 0)] {
            assert!(BodyDecoder::resume(standing(kind, left), &usual()).is_none(), "{kind} {left}");
        }
        assert!(BodyDecoder::resume(standing(5, 1), &usual()).is_some());
    }

    #[test]
    fn a_plain_size_line_has_the_limit_of_others() {
        let mut policy = usual();
        policy.limits = crate::http::Limits::new(4094, 100, 4);
        let mut body = BodyDecoder::new(Framing::Chunked, &policy);
        assert_eq!(body.next(b"0003\r\nabc").unwrap_err().status(), 400);
    }
}
