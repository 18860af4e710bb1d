//! Request bodies: where they end, and what in them is data.

use super::{Framing, ParseError, Policy};

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

/// Decodes one request body.
#[derive(Debug)]
pub struct BodyDecoder {
    framing: Framing,
    trailers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl BodyDecoder {
    /// A decoder for a body framed as `framing`. The policy gives the limits and the rules for
    /// trailer fields.
    pub fn new(framing: Framing, policy: &Policy) -> Self {
        let _ = policy;
        Self { framing, trailers: Vec::new() }
    }

    /// Consumes from the front of `input`: returns how many bytes, and what they were. The data
    /// lies inside the consumed bytes. Call again with the rest until `NeedMore` or `End`.
    ///
    /// # Errors
    /// The chunked coding is broken; the connection can't be used any further.
    pub fn next(&mut self, input: &[u8]) -> Result<(usize, BodyEvent), ParseError> {
        Ok((input.len(), BodyEvent::NeedMore))
    }

    /// The body is over.
    pub fn is_done(&self) -> bool {
        self.framing == Framing::None
    }

    /// Bytes of body still to come, when that is known.
    pub fn remaining_hint(&self) -> Option<u64> {
        None
    }

    /// What the end of the connection means now, before the body is over. `None`: there is no
    /// ParseError for it; a Content-Length body ends short, a chunk that stops is `NoMoreData`.
    pub fn on_eof(&self) -> Option<ParseError> {
        None
    }

    /// Trailer fields with upper-case names, once the body is over.
    pub fn trailers(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.trailers
    }
}
