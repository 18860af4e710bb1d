//! The engine goes from hand to hand: it is never lost, never twice, and nobody sleeps through news.

use std::io;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::model;
use crate::sync::{
    AtomicBool, AtomicIsize, AtomicPtr, AtomicU64, Bell, Count, Ordering, Receiver, Sender, channel,
};

mod seat {
    use super::{AtomicPtr, Ordering};

    include!(concat!(env!("OUT_DIR"), "/seat.rs"));
}
use seat::Seat;

struct Options {
    tick: Duration,
}

struct Shared {
    options: Options,
    bell: Bell,
    news: AtomicBool,
    dozing: AtomicBool,
    lull: AtomicBool,
    idled: AtomicBool,
    idle: AtomicIsize,
}

include!(concat!(env!("OUT_DIR"), "/shared.rs"));

trait App {
    /// There is no GIL here.
    fn apart<R>(wait: impl FnOnce() -> R) -> R {
        wait()
    }
}

struct Nothing;
impl App for Nothing {}

/// The engine: here only what the leader does with it.
struct Engine<A> {
    calls: u64,
    /// What each who has it writes: loom finds two who do that at once.
    work: UnsafeCell<u32>,
    _of: PhantomData<A>,
}

impl<A: App> Engine<A> {
    /// Works with it.
    fn used(self: Box<Self>) -> Box<Self> {
        // SAFETY: that nobody else has it is what is tried here.
        self.work.with_mut(|work| unsafe { *work += 1 });
        self
    }

    /// A turn of the loop that finds nothing: it sleeps until somebody rings.
    fn turn(&mut self, crew: &Crew<A>) {
        self.turn_in(false, crew);
    }

    /// The same in a lull, whose end is not waited for here.
    fn turn_in(&mut self, lull: bool, crew: &Crew<A>) {
        if crew.shared.doze(lull) {
            crew.shared.bell.listen();
        }
        crew.shared.rise();
    }
}

struct Crew<A: App> {
    shared: Shared,
    seat: Seat<Engine<A>>,
    back: (Sender<Box<Engine<A>>>, Receiver<Box<Engine<A>>>),
    calls: AtomicU64,
    wanted: AtomicBool,
    offered: AtomicBool,
    asleep: AtomicBool,
    watcher: Ear,
}

struct Woken {
    other: bool,
}

/// The watcher's bell. A short wait is over at any time; a long one, only when somebody rings.
struct Ear(Bell);

impl Ear {
    fn ring(&self) {
        self.0.ring();
    }

    fn wait(&self, _: Option<BorrowedFd<'_>>, timeout: Duration) -> Woken {
        if timeout == LASTS || timeout == LASTS_SELDOM {
            self.0.hush();
        } else {
            self.0.listen();
        }
        Woken { other: false }
    }

    fn wait_roughly(&self, other: Option<BorrowedFd<'_>>, timeout: Duration, _: Duration) -> Woken {
        self.wait(other, timeout)
    }
}

const LASTS: Duration = Duration::from_millis(1);
const LASTS_SELDOM: Duration = Duration::from_millis(2);
const SLACK: Duration = Duration::from_millis(2);
const CALM_AFTER: u32 = 1;
/// Here the watcher waits to be told as soon as it has looked once.
const QUIET_AFTER: u32 = 1;

include!(concat!(env!("OUT_DIR"), "/crew.rs"));

fn crew() -> Arc<Crew<Nothing>> {
    Arc::new(Crew {
        shared: Shared {
            options: Options { tick: Duration::from_secs(1) },
            bell: Bell::new(),
            news: AtomicBool::new(false),
            dozing: AtomicBool::new(false),
            lull: AtomicBool::new(false),
            idled: AtomicBool::new(false),
            idle: AtomicIsize::new(0),
        },
        seat: Seat::new(),
        back: channel(),
        calls: AtomicU64::new(0),
        wanted: AtomicBool::new(false),
        offered: AtomicBool::new(false),
        asleep: AtomicBool::new(true),
        watcher: Ear(Bell::new()),
    })
}

fn engine() -> Box<Engine<Nothing>> {
    Box::new(Engine { calls: 0, work: UnsafeCell::new(0), _of: PhantomData })
}

/// The leader sleeps only when there are no news: who brings some is heard.
#[test]
fn nobody_sleeps_through_news() {
    model(3, || {
        let crew = crew();
        let others = [true, false].map(|in_peace| {
            let crew = crew.clone();
            thread::spawn(move || crew.become_idle(in_peace))
        });
        let mut engine = engine();
        let mut booked = 0;
        while booked < 2 {
            if crew.book() {
                booked += 1;
            } else {
                engine.turn(&crew);
            }
        }
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!(!crew.has_idle());
    });
}

/// Also in a lull, in which a thread that becomes idle in peace rings for nobody.
#[test]
fn news_are_heard_in_a_lull() {
    model(3, || {
        let crew = crew();
        let others = [true, false].map(|in_peace| {
            let crew = crew.clone();
            thread::spawn(move || crew.become_idle(in_peace))
        });
        let mut engine = engine();
        while !crew.book() {
            engine.turn_in(true, &crew);
        }
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!(crew.book());
    });
}

/// A thread is booked once.
#[test]
fn an_idle_thread_is_booked_once() {
    model(3, || {
        let crew = crew();
        crew.become_idle(false);
        let other = crew.clone();
        let second = thread::spawn(move || other.book());
        let first = crew.book();
        assert!(first ^ second.join().unwrap());
        assert!(!crew.has_idle());
    });
}

/// sync: two calls, each with the engine in the seat. The watcher may take it meanwhile, and sleeps
/// when it has looked in vain; the leader always gets it back.
#[test]
fn the_leader_gets_the_engine_back() {
    model(2, || {
        let crew = crew();
        let other = crew.clone();
        let watcher = thread::spawn(move || {
            let mut lookout = Lookout::default();
            let looks = Count::default();
            while looks.next() <= 2 {
                let (Some(mut engine), _) = lookout.look(&other, None) else { continue };
                engine = engine.used();
                while !other.is_wanted() {
                    engine.turn(&other);
                }
                other.hand_back(engine.used());
            }
        });
        let mut engine = engine();
        for _ in 0..2 {
            crew.leave_in_seat(engine.used());
            thread::yield_now();
            engine = crew.reclaim().unwrap();
        }
        // It may have gone to sleep behind the last call.
        crew.watcher.ring();
        watcher.join().unwrap();
        assert!(crew.take_seat().is_none(), "two engines");
    });
}

/// gthread: a leader gives the engine to the watcher for good.
#[test]
fn an_offer_is_taken() {
    model(3, || {
        let crew = crew();
        let other = crew.clone();
        let leader = thread::spawn(move || other.offer(engine().used()));
        let mut lookout = Lookout::default();
        loop {
            if let (Some(engine), _) = lookout.look(&crew, None) {
                break drop(engine.used());
            }
            thread::yield_now();
        }
        leader.join().unwrap();
    });
}

/// A call that lasts: the watcher, which may be asleep, finds the engine and goes on with it.
#[test]
fn a_call_that_lasts_is_noticed() {
    model(2, || {
        let crew = crew();
        let taken = Arc::new(Bell::new());
        let (other, heard) = (crew.clone(), taken.clone());
        let watcher = thread::spawn(move || {
            let mut lookout = Lookout::default();
            let mut engine = loop {
                if let (Some(engine), _) = lookout.look(&other, None) {
                    break engine;
                }
            };
            heard.ring();
            while !other.is_wanted() {
                engine.turn(&other);
            }
            other.hand_back(engine.used());
        });
        crew.leave_in_seat(engine().used());
        taken.listen();
        crew.reclaim().unwrap().used();
        watcher.join().unwrap();
    });
}
