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
#[path = "test_body.rs"]
mod tests;
