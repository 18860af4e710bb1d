//! What may happen to a fleet.

use proptest::prelude::*;
use rgunicorn::fleet::{Exit, Stop, Strategy as When, Wish};

use crate::machine::SECOND_NS;

#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// Time passes; the master looks at heartbeats and balances.
    Turn {
        pass_ns: u64,
    },
    Target(usize),
    Reload(When),
    /// The n-th living process says that it has booted.
    Boot {
        nth: usize,
    },
    /// The n-th living process ends by itself or by the signals it got.
    End {
        nth: usize,
        exit: Exit,
    },
    /// The n-th living process beats its heart.
    Beat {
        nth: usize,
    },
    /// The n-th living process asks to be replaced.
    Wish {
        nth: usize,
        wish: Wish,
    },
    Orphan {
        pid: i32,
    },
    Stop(Stop),
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let exit = prop_oneof![
        6 => Just(Exit::Code(0)),
        2 => Just(Exit::Code(255)),
        1 => Just(Exit::Code(3)),
        1 => Just(Exit::Code(4)),
        2 => (1..65_i32).prop_map(Exit::Signal),
    ];
    prop_oneof![
        8 => (0..2 * SECOND_NS).prop_map(|pass_ns| Event::Turn { pass_ns }),
        1 => (4 * SECOND_NS..100 * SECOND_NS).prop_map(|pass_ns| Event::Turn { pass_ns }),
        3 => (0..8_usize).prop_map(Event::Target),
        2 => Just(Event::Reload(When::Ready)),
        1 => Just(Event::Reload(When::Rolling)),
        1 => Just(Event::Reload(When::Forked)),
        3 => (0..16_usize).prop_map(|nth| Event::Wish { nth, wish: Wish::Successor }),
        1 => (0..16_usize).prop_map(|nth| Event::Wish { nth, wish: Wish::Departure }),
        8 => (0..16_usize).prop_map(|nth| Event::Boot { nth }),
        6 => (0..16_usize, exit).prop_map(|(nth, exit)| Event::End { nth, exit }),
        6 => (0..16_usize).prop_map(|nth| Event::Beat { nth }),
        1 => (1..1000_i32).prop_map(|pid| Event::Orphan { pid }),
        1 => prop_oneof![Just(Stop::Graceful), Just(Stop::Quick)].prop_map(Event::Stop),
    ]
}
