//! A half-open range in the buffer that holds a request head.
//!
//! Spans instead of slices: the head outlives the borrow of the buffer it was read from, so the
//! connection can keep both, and nothing is copied.

/// Half-open byte range `start..end` of a head buffer.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// A span from offsets. Heads are bounded far below 4 GiB (`Limits::new`), so nothing is lost.
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// The bytes of this span in `buf`; empty when the span does not lie inside `buf`.
    pub fn of(self, buf: &[u8]) -> &[u8] {
        buf.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// The same text in a buffer in which it lies `distance` bytes further behind.
    pub(super) fn moved_by(self, distance: usize) -> Self {
        let distance = distance as u32;
        Self { start: self.start.wrapping_add(distance), end: self.end.wrapping_add(distance) }
    }

    /// The other way.
    pub(super) fn moved_back_by(self, distance: usize) -> Self {
        let distance = distance as u32;
        Self { start: self.start.wrapping_sub(distance), end: self.end.wrapping_sub(distance) }
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    /// Whether the span holds no byte.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_panics() {
        assert_eq!(Span { start: 1, end: 3 }.of(b"abcd"), b"bc");
        assert_eq!(Span { start: 3, end: 9 }.of(b"abcd"), b"");
        assert_eq!(Span { start: 3, end: 1 }.of(b"abcd"), b"");
        assert_eq!(Span { start: 3, end: 1 }.len(), 0);
    }
}
