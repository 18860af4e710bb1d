//! loom's atomics. To loom `SeqCst` is `AcqRel`, except for fences, so each such access gets one on
//! either side: with all accesses of a variable made so, that is what the standard promises.

use std::cell::Cell;

use loom::sync::atomic as inner;
pub(crate) use loom::sync::atomic::{Ordering, fence};
use loom::sync::{Arc, Condvar, Mutex};

fn fenced<T>(ordering: Ordering, access: impl FnOnce() -> T) -> T {
    let strong = ordering == Ordering::SeqCst;
    if strong {
        fence(Ordering::SeqCst);
    }
    let result = access();
    if strong {
        fence(Ordering::SeqCst);
    }
    result
}

macro_rules! atomic {
    ($name:ident, $value:ty) => {
        #[derive(Debug)]
        pub(crate) struct $name(inner::$name);

        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                Self(inner::$name::new(value))
            }

            pub(crate) fn load(&self, ordering: Ordering) -> $value {
                fenced(ordering, || self.0.load(ordering))
            }

            /// A store with Release or SeqCst is an exchange here: loom lets an exchange of another thread,
            /// that comes later, take effect before a plain store, and then shows its value to the
            /// thread that has stored; no variable has such an order.
            pub(crate) fn store(&self, value: $value, ordering: Ordering) {
                fenced(ordering, || match ordering {
                    Ordering::Release | Ordering::SeqCst => drop(self.0.swap(value, ordering)),
                    _ => self.0.store(value, ordering),
                });
            }

            pub(crate) fn swap(&self, value: $value, ordering: Ordering) -> $value {
                fenced(ordering, || self.0.swap(value, ordering))
            }

            pub(crate) fn compare_exchange(
                &self,
                from: $value,
                to: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                fenced(success, || self.0.compare_exchange(from, to, success, failure))
            }
        }
    };
}

macro_rules! number {
    ($name:ident, $value:ty) => {
        atomic!($name, $value);

        impl $name {
            pub(crate) fn fetch_add(&self, value: $value, ordering: Ordering) -> $value {
                fenced(ordering, || self.0.fetch_add(value, ordering))
            }

            pub(crate) fn fetch_sub(&self, value: $value, ordering: Ordering) -> $value {
                fenced(ordering, || self.0.fetch_sub(value, ordering))
            }

            pub(crate) fn fetch_or(&self, value: $value, ordering: Ordering) -> $value {
                fenced(ordering, || self.0.fetch_or(value, ordering))
            }

            pub(crate) fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                f: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                fenced(success, || self.0.fetch_update(success, failure, f))
            }
        }
    };
}

atomic!(AtomicBool, bool);
number!(AtomicU64, u64);
number!(AtomicIsize, isize);

#[derive(Debug)]
pub(crate) struct AtomicPtr<T>(inner::AtomicPtr<T>);

impl<T> AtomicPtr<T> {
    pub(crate) fn new(value: *mut T) -> Self {
        Self(inner::AtomicPtr::new(value))
    }

    pub(crate) fn load(&self, ordering: Ordering) -> *mut T {
        fenced(ordering, || self.0.load(ordering))
    }

    /// As with the others.
    pub(crate) fn store(&self, value: *mut T, ordering: Ordering) {
        let _before = fenced(ordering, || self.0.swap(value, ordering));
    }

    pub(crate) fn swap(&self, value: *mut T, ordering: Ordering) -> *mut T {
        fenced(ordering, || self.0.swap(value, ordering))
    }
}

/// An eventfd: it rings on until somebody has heard it.
#[derive(Debug)]
pub(crate) struct Bell {
    rings: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self { rings: Mutex::new(false), heard: Condvar::new() }
    }

    pub(crate) fn ring(&self) {
        *self.rings.lock().unwrap() = true;
        self.heard.notify_one();
    }

    /// Waits for ever: who is not rung for is found.
    pub(crate) fn listen(&self) {
        let mut rings = self.rings.lock().unwrap();
        while !*rings {
            rings = self.heard.wait(rings).unwrap();
        }
        *rings = false;
    }

    /// As when the time is over.
    pub(crate) fn hush(&self) -> bool {
        std::mem::take(&mut *self.rings.lock().unwrap())
    }
}

/// A channel with room for one.
pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let cell = Arc::new((Mutex::new(None), Condvar::new()));
    (Sender(cell.clone()), Receiver(cell))
}

pub(crate) struct Sender<T>(Arc<(Mutex<Option<T>>, Condvar)>);
pub(crate) struct Receiver<T>(Arc<(Mutex<Option<T>>, Condvar)>);

impl<T> Sender<T> {
    pub(crate) fn try_send(&self, value: T) -> Result<(), ()> {
        let old = self.0.0.lock().unwrap().replace(value);
        assert!(old.is_none(), "two engines");
        self.0.1.notify_one();
        Ok(())
    }
}

impl<T> Receiver<T> {
    pub(crate) fn try_recv(&self) -> Result<T, ()> {
        self.0.0.lock().unwrap().take().ok_or(())
    }

    pub(crate) fn recv(&self) -> Result<T, std::io::Error> {
        let mut slot = self.0.0.lock().unwrap();
        loop {
            if let Some(value) = slot.take() {
                return Ok(value);
            }
            slot = self.0.1.wait(slot).unwrap();
        }
    }
}

/// How often something has happened; not seen by loom.
#[derive(Default)]
pub(crate) struct Count(Cell<u32>);

impl Count {
    pub(crate) fn next(&self) -> u32 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}
