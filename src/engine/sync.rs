//! The sync worker's loop: the main thread leads the engine and runs the application, one call at
//! a time, never interleaved. A second thread is there only from the first call during which
//! other connections need somebody.

use std::io;
use std::sync::Arc;
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
/// While requests are always ready, signals and the heart have their turn so often.
const AT_A_STRETCH: Duration = Duration::from_millis(100);

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
    let mut guarded = Guarded::NotYet;
    let mut next_tick_ns = 0;
    // Before the first request, which may be the one that hangs.
    crew.shared.beat(engine.clock.now_ns());
    loop {
        engine = run_ready(crew, engine, &mut hand, &mut guarded)?;
        // One at a time, and only while no request is ready: whoever is idle shall have it.
        for _ in 0..ACCEPTS_PER_TURN {
            let serves = hand.app.stage() == Stage::Serving || engine.drain.is_sweeping();
            if !serves || !engine.ready.is_empty() {
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
            engine = run_ready(crew, engine, &mut hand, &mut guarded)?;
        }
        hand.say_notices(&mut engine);
        hand.app.turn_over();
        match hand.app.stage() {
            Stage::Serving => {}
            Stage::Enough => engine.begin_drain(false),
            Stage::Stopping => engine.begin_drain(true),
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
                // Told something on the way out after `max_requests`: perhaps that all shall stop.
                Wake::Serve if signalled && engine.drain.is_on() => engine.begin_drain(true),
                Wake::Serve => {}
                Wake::Drain => engine.begin_drain(true),
                Wake::Leave => return Ok(()),
            }
        }
    }
}

/// Whether there is a watcher.
enum Guarded {
    NotYet,
    Yes,
    /// It could not be started; that was said once.
    Never,
}

impl Guarded {
    fn ensure<A: App + 'static>(&mut self, crew: &Arc<Crew<A>>, engine: &mut Engine<A>) -> bool {
        if matches!(self, Self::NotYet) {
            let theirs = crew.clone();
            *self = match spawn_deaf("rgunicorn-watch", move || guard(&theirs)) {
                Ok(()) => Self::Yes,
                Err(error) => {
                    engine.notices.push(Notice::NoWatcher { error: error.to_string() });
                    Self::Never
                }
            };
        }
        matches!(self, Self::Yes)
    }
}

fn run_ready<A: App + 'static>(
    crew: &Arc<Crew<A>>,
    mut engine: Box<Engine<A>>,
    hand: &mut Hand<'_, A>,
    guarded: &mut Guarded,
) -> io::Result<Box<Engine<A>>> {
    let until_ns = engine.clock.now_ns() + AT_A_STRETCH.as_nanos() as u64;
    while let Some(job) = engine.next_job() {
        let done = if engine.has_others() && guarded.ensure(crew, &mut engine) {
            crew.leave_in_seat(engine);
            let done = hand.perform(job);
            engine = crew.reclaim()?;
            done
        } else {
            hand.perform(job)
        };
        engine.take_back(done);
        if !engine.ready.is_empty() && hand.app.stage() == Stage::Serving {
            engine.first_come();
        }
        if hand.clock.now_ns() >= until_ns {
            break;
        }
    }
    Ok(engine)
}
