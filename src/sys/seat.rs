//! A place for one thing, in which one thread leaves it and another one, or the same, finds it: one store
//! and one exchange. Who waits for it waits elsewhere.

use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::mpsc::Sender;

/// Holds one `T`, or none.
#[derive(Debug)]
pub struct Seat<T> {
    /// From a box that is nobody's, or null.
    there: AtomicPtr<T>,
    /// Threads may share what such boxes go through, as with the end of a channel: nobody looks at one there.
    _owns: PhantomData<Sender<Box<T>>>,
}

impl<T> Seat<T> {
    /// An empty one.
    pub fn new() -> Self {
        Self { there: AtomicPtr::new(ptr::null_mut()), _owns: PhantomData }
    }

    /// Leaves `thing` there. The seat is free: there is one such thing, and who has it has taken it from
    /// here. Anything else that is there would never be freed.
    #[inline]
    pub fn put(&self, thing: Box<T>) {
        debug_assert!(self.there.load(Ordering::Relaxed).is_null(), "the seat is taken");
        // Who takes it sees all that was done with it.
        self.there.store(Box::into_raw(thing), Ordering::Release);
    }

    /// Takes what is there.
    #[inline]
    pub fn take(&self) -> Option<Box<T>> {
        let there = self.there.swap(ptr::null_mut(), Ordering::Acquire);
        // SAFETY: it comes from `Box::into_raw` in `put`, and whoever swaps it out is the only one to have
        // it.
        (!there.is_null()).then(|| unsafe { Box::from_raw(there) })
    }
}

impl<T> Default for Seat<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for Seat<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_was_left_there_is_taken_once() {
        let (thing, seat) = (Arc::new(()), Seat::new());
        assert!(seat.take().is_none());
        seat.put(Box::new(thing.clone()));
        assert!(seat.take().is_some());
        assert!(seat.take().is_none());
        seat.put(Box::new(thing.clone()));
        assert_eq!(Arc::strong_count(&thing), 2);
        drop(seat);
        assert_eq!(Arc::strong_count(&thing), 1);
    }
}
