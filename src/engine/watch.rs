//! The watcher: goes on with everybody's I/O while the application's threads are busy. In gthread
//! that is the main thread, which also runs signal handlers and beats; in sync a thread of our own,
//! which never holds the GIL.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::crew::{Crew, Task};
use super::reactor::Engine;
use super::reception::Visit;
use super::{App, Stage, Wake};
use crate::sys::bell::Woken;
use crate::sys::clock::monotonic_ns;
use crate::sys::file;
use crate::sys::scoreboard::Slot;
use crate::sys::thread;

/// A call that lasts longer gets the watcher to take the engine over: twice that at most.
const LASTS: Duration = Duration::from_millis(1);
/// The same while no call has lasted of late. Each look takes the CPU away from the application, where
/// there is one CPU for both.
const LASTS_SELDOM: Duration = Duration::from_millis(2);
/// By so much such a look may be late, where there is more than enough to do: an interrupt for the look alone
/// would take the time of a request or two. At 250 ticks a second that is long enough for one of them.
const SLACK: Duration = Duration::from_millis(2);
/// Looks one after the other, each at another call, after which that is so.
const CALM_AFTER: u32 = 16;
/// A thread that has been off the CPU for so long, in a call of which nothing else is known, is given up
/// for busy.
const TAKES_ITS_TIME: Duration = Duration::from_millis(3);
/// Looks in vain after which the watcher waits to be told.
const QUIET_AFTER: u32 = 4;
/// Connections accepted between two looks at the poller.
const ACCEPTS_PER_TURN: usize = 64;

/// Looks again and again whether the same call is still running.
#[derive(Default)]
struct Lookout {
    call: u64,
    /// How often the call was the same, one look after the other.
    quiet: u32,
    /// How often it was another one.
    calm: u32,
    /// Whether the leader had something to do.
    busy: bool,
}

impl Lookout {
    /// Waits a moment, or until there is something to watch. Gives the engine when the call of
    /// its leader lasts, or when the leader does not want it any more.
    fn look<A: App>(
        &mut self,
        crew: &Crew<A>,
        other: Option<BorrowedFd<'_>>,
    ) -> (Option<Box<Engine<A>>>, Woken) {
        let is_calm = self.calm >= CALM_AFTER;
        let mut timeout = if is_calm { LASTS_SELDOM } else { LASTS };
        if self.quiet >= QUIET_AFTER {
            crew.fall_asleep();
            if crew.call() == self.call {
                timeout = crew.shared.options.tick;
            }
        }
        let woken = match is_calm && self.busy {
            true => crew.watcher.wait_roughly(other, timeout, SLACK),
            false => crew.watcher.wait(other, timeout),
        };
        crew.wake_up();
        self.busy = !crew.shared.dozes();
        let call = crew.call();
        let lasts = call == self.call && !crew.is_wanted();
        (self.quiet, self.calm) = match call == self.call {
            true => (self.quiet.saturating_add(1), 0),
            false => (0, self.calm.saturating_add(1)),
        };
        self.call = call;
        let engine = if crew.take_offer() || lasts { crew.take_seat() } else { None };
        (engine, woken)
    }
}

/// The watcher of a sync worker: has the engine only while a call lasts. Never returns; the thread
/// ends with the process.
pub(super) fn guard<A: App>(crew: &Crew<A>) {
    let mut lookout = Lookout::default();
    loop {
        let (Some(mut engine), _) = lookout.look(crew, None) else { continue };
        engine.read_all();
        let mut call = Call { since_ns: monotonic_ns(), lasts: false };
        while !crew.is_wanted() {
            // The one slot is taken: whoever knocks now shall be heard by a sibling.
            let doors = engine.doors_while_busy();
            if call.lasts(crew) {
                engine.keep_in_line();
            } else {
                engine.hesitates = true;
            }
            engine.let_young_go();
            if doors.and_then(|()| engine.turn(false)).is_err() {
                // The leader will meet the same error, and ends with it.
                break;
            }
        }
        crew.hand_back(engine);
    }
}

/// The call during which the watcher has the engine.
struct Call {
    since_ns: u64,
    lasts: bool,
}

impl Call {
    /// Whether the others should look for another thread: the application waits for something, or
    /// computes for long. One that has lost the CPU in the middle of a short call is soon back, and
    /// moving a crowd takes longer than serving it. Where waiting is limited, or somebody is idle, there
    /// is no reason to wait for that.
    fn lasts<A: App>(&mut self, crew: &Crew<A>) -> bool {
        let shared = &crew.shared;
        self.lasts = self.lasts
            || shared.options.patience.is_limited()
            || shared.slot.is_none_or(Slot::sibling_waits)
            || thread::is_asleep(crew.runner.load(Ordering::Relaxed))
            || u128::from(monotonic_ns().saturating_sub(self.since_ns)) > TAKES_ITS_TIME.as_nanos();
        self.lasts
    }
}

/// The main thread of gthread: watches, dispatches when calls are long, runs signal handlers. The
/// engine was [offered](Crew::offer) before.
/// Returns when everything in flight is done, or the application wants to leave.
///
/// # Errors
/// Only when the poller itself fails.
pub fn watch<A: App>(
    crew: &Crew<A>,
    app: &mut A,
    signals: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let mut lookout = Lookout::default();
    let mut mine: Option<Box<Engine<A>>> = None;
    let mut next_tick_ns = 0;
    while !crew.is_leaving() {
        let mut signalled = false;
        match mine.take() {
            None => {
                let (engine, woken) = lookout.look(crew, signals);
                mine = engine;
                signalled = woken.other;
            }
            Some(mut engine) => {
                match app.stage() {
                    Stage::Serving => {}
                    Stage::Enough | Stage::Stopping => engine.begin_drain(false),
                    Stage::Alone => engine.begin_drain(true),
                }
                if let Some(mut engine) = dispatch(crew, engine)? {
                    engine.say_notices(app);
                    app.turn_over();
                    if engine.is_drained() {
                        return Ok(());
                    }
                    engine.turn(crew.has_idle())?;
                    signalled = engine.take_signal();
                    mine = Some(engine);
                }
            }
        }
        let now_ns = monotonic_ns();
        if let Some(slot) = crew.shared.slot {
            slot.beat(now_ns);
        }
        if !signalled && now_ns < next_tick_ns {
            continue;
        }
        next_tick_ns = now_ns + crew.shared.options.tick.as_nanos() as u64;
        if let Some(pipe) = signals {
            file::drain(pipe);
        }
        match app.woken() {
            Wake::Leave => return Ok(()),
            Wake::Serve | Wake::Drain => {}
        }
        if mine.is_none() && app.stage() != Stage::Serving {
            // Whoever leads gives the engine up then.
            crew.shared.wake();
        }
    }
    Ok(())
}

/// Gives what is ready to idle threads, or the engine itself when calls are short; the rest to
/// siblings. Lets people in while there is a thread for them. `None`: the engine is with a thread.
fn dispatch<A: App>(
    crew: &Crew<A>,
    mut engine: Box<Engine<A>>,
) -> io::Result<Option<Box<Engine<A>>>> {
    let inline_up_to = crew.shared.options.inline_up_to;
    engine.mind_line(crew);
    engine.read_all();
    for _ in 0..ACCEPTS_PER_TURN {
        if !engine.ready.is_empty() && crew.has_idle() {
            engine.first_come();
        }
        while !engine.ready.is_empty() && crew.book() {
            if !engine.drain.is_on() && !engine.pace.is_long(inline_up_to) {
                engine.open_doors()?;
                crew.assign(Task::Lead(engine));
                return Ok(None);
            }
            if let Some(mut job) = engine.next_job() {
                engine.secure(&mut job);
                crew.assign(Task::Run(job));
            }
        }
        if !crew.has_idle() {
            if !engine.line_up(crew) {
                engine.keep_in_line();
                engine.doors_while_busy()?;
                break;
            }
        } else {
            engine.line.reopen();
        }
        engine.open_doors()?;
        match engine.accept() {
            Visit::Came => {}
            Visit::Nobody => {
                engine.end_sweep();
                break;
            }
            Visit::NotNow => break,
        }
    }
    Ok(Some(engine))
}
