//! The sync worker's loop: the main thread leads the engine and runs the application, one call at
//! a time, never interleaved. A second thread is there only from the first call during which
//! other connections need somebody.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::crew::Crew;
use super::hand::Hand;
use super::reactor::Engine;
use super::reception::Visit;
use super::watch::guard;
use super::{App, Stage, Wake};
use crate::log::notice::Notice;
use crate::sys::thread::spawn_deaf;

/// Connections accepted between two looks at the poller.
const ACCEPTS_PER_TURN: usize = 64;
/// So often other threads of the application's runtime have one, if nothing else lets them.
const TOGETHER_FOR: Duration = Duration::from_millis(1);

/// Serves until the application wants to stop and everything in flight is done.
///
/// # Errors
/// Only when the poller itself fails.
pub fn serve<A: App + 'static>(
    crew: &Arc<Crew<A>>,
    mut engine: Box<Engine<A>>,
    app: &mut A,
) -> io::Result<()> {
    let mut hand = Hand::new(crew, app);
    let mut next_tick_ns = 0;
    // Before the first request, which may be the one that hangs.
    crew.shared.beat(engine.clock.now_ns());
    loop {
        // Files may have to wait for a disk.
        engine = if engine.has_work() && engine.static_files.is_none() {
            (hand.is_together, engine.is_together) = (true, true);
            engine = A::together(|| run_all(crew, engine, &mut hand))?;
            (hand.is_together, engine.is_together) = (false, false);
            engine
        } else {
            run_all(crew, engine, &mut hand)?
        };
        hand.say_notices(&mut engine);
        hand.app.turn_over();
        match hand.app.stage() {
            Stage::Serving => {}
            Stage::Enough | Stage::Stopping => engine.begin_drain(false),
            Stage::Alone => engine.begin_drain(true),
        }
        if engine.is_drained() {
            return Ok(());
        }
        engine.open_doors()?;
        engine.turn(true)?;
        crew.shared.beat(engine.clock.now_ns());
        let signalled = engine.take_signal();
        if signalled || engine.clock.now_ns() >= next_tick_ns {
            engine.drain_signals();
            let tick_ns = crew.shared.options.tick.as_nanos() as u64;
            next_tick_ns = engine.clock.now_ns() + tick_ns;
            match hand.app.woken() {
                // The stage says how.
                Wake::Serve | Wake::Drain => {}
                Wake::Leave => return Ok(()),
            }
        }
    }
}

/// Whether there is a watcher.
const NOT_YET: u8 = 0;
const YES: u8 = 1;
/// It could not be started; that was said once.
const NEVER: u8 = 2;

impl<A: App + 'static> Crew<A> {
    /// Whether there is a watcher of a sync worker. Asked at each request; once there is one, there always
    /// is.
    #[inline]
    fn is_guarded(&self) -> bool {
        self.guarded.load(Ordering::Relaxed) == YES
    }

    /// Starts it, if there is none yet. False: there can be none.
    ///
    /// # Errors
    /// EAGAIN, once: there are too many threads.
    #[cold]
    fn ensure_watcher(self: &Arc<Self>) -> io::Result<bool> {
        let mine = self.guarded.compare_exchange(NOT_YET, YES, Ordering::SeqCst, Ordering::SeqCst);
        if let Err(there) = mine {
            return Ok(there == YES);
        }
        let theirs = self.clone();
        spawn_deaf("rgunicorn-watch", move || guard(&theirs)).inspect_err(|_| {
            self.guarded.store(NEVER, Ordering::SeqCst);
        })?;
        Ok(true)
    }

    /// The server stops while the application runs: somebody has to see to those who wait. For
    /// signal handlers, from the application's own thread.
    ///
    /// # Errors
    /// EAGAIN: there are too many threads.
    pub fn attend(self: &Arc<Self>) -> io::Result<()> {
        if self.ensure_watcher()? {
            self.watcher.ring();
        }
        Ok(())
    }

    /// Whether the application is in a call.
    pub fn is_calling(&self) -> bool {
        self.calling.load(Ordering::Relaxed)
    }
}

/// Runs what is ready, and what those ask for who are let in.
fn run_all<A: App + 'static>(
    crew: &Arc<Crew<A>>,
    mut engine: Box<Engine<A>>,
    hand: &mut Hand<'_, A>,
) -> io::Result<Box<Engine<A>>> {
    engine = run_ready(crew, engine, hand)?;
    // One at a time, and only while no request is ready: whoever is idle shall have it.
    for _ in 0..ACCEPTS_PER_TURN {
        let serves = hand.app.stage() == Stage::Serving || engine.drain.is_sweeping();
        if !serves || engine.has_work() {
            break;
        }
        match engine.accept() {
            Visit::Came => {}
            Visit::Nobody => {
                engine.end_sweep();
                break;
            }
            Visit::NotNow => break,
        }
        engine = run_ready(crew, engine, hand)?;
    }
    Ok(engine)
}

fn run_ready<A: App + 'static>(
    crew: &Arc<Crew<A>>,
    mut engine: Box<Engine<A>>,
    hand: &mut Hand<'_, A>,
) -> io::Result<Box<Engine<A>>> {
    let mut stretch = engine.stretch();
    let mut apart_ns = engine.clock.now_ns() + TOGETHER_FOR.as_nanos() as u64;
    loop {
        // The time may be over for those that wait.
        engine.mind_exit(true);
        if !stretch.goes_on(engine.clock.now_ns()) {
            return Ok(engine);
        }
        let Some(mut job) = engine.next_job() else { return Ok(engine) };
        engine.unburden(&mut job);
        let watched = engine.has_others()
            && (crew.is_guarded()
                || crew.ensure_watcher().unwrap_or_else(|error| {
                    engine.notices.push(Notice::NoWatcher { error: error.to_string() });
                    false
                }));
        if watched && crew.must_ring() {
            engine.secure(&mut job);
        }
        let flight = hand.take_up(&mut job);
        if watched {
            crew.leave_in_seat(engine);
        } else {
            crew.leave_quietly(engine);
        }
        crew.calling.store(true, Ordering::Relaxed);
        let done = hand.run(job, flight);
        crew.calling.store(false, Ordering::Relaxed);
        engine = match crew.take_seat() {
            Some(engine) => engine,
            None => {
                // The watcher may have to be waited for.
                done.conn.hold_when_done(done.verdict);
                crew.reclaim()?
            }
        };
        // The times of whoever comes in now count from now on, however long that was.
        engine.clock.advance(hand.clock.now_ns());
        engine.take_back(done);
        if engine.has_work() && hand.app.stage() == Stage::Serving {
            engine.first_come();
        }
        let now_ns = hand.clock.now_ns();
        if now_ns >= apart_ns {
            A::apart(|| {});
            apart_ns = now_ns + TOGETHER_FOR.as_nanos() as u64;
        }
    }
}
