//! One process of the toy machine.

use rgunicorn::fleet::{Sig, Wish};

#[derive(Default)]
pub(crate) struct Process {
    pub(crate) slot: usize,
    pub(crate) booted_ns: Option<u64>,
    pub(crate) beat_ns: Option<u64>,
    pub(crate) aborted_ns: Option<u64>,
    pub(crate) received: Vec<Sig>,
    pub(crate) wish: Option<Wish>,
}

impl Process {
    pub(crate) fn is_ready(&self) -> bool {
        self.booted_ns.is_some() && self.beat_ns >= self.booted_ns
    }

    /// Whether the fleet may take it for ready: one sign alone is believed after a while.
    pub(crate) fn seems_ready(&self) -> bool {
        self.booted_ns.is_some() || self.beat_ns.is_some()
    }

    pub(crate) fn was_told_to_leave(&self) -> bool {
        self.received.iter().any(|sig| *sig != Sig::Abrt)
    }

    /// To leave; or it was aborted and has not beaten its heart since.
    pub(crate) fn was_told(&self) -> bool {
        let stuck = self.aborted_ns.is_some() && self.beat_ns <= self.aborted_ns;
        stuck || self.received.iter().any(|sig| *sig != Sig::Abrt)
    }
}
