//! The sync worker's loop: one thread does the I/O for all connections and runs the application
//! inline, one call at a time, never interleaved.

use std::io;

use super::exchange::Exchange;
use super::reactor::{Engine, Work};
use super::reception::Visit;
use super::{App, Stage, Verdict, Wake};

/// Connections accepted between two looks at the poller.
const ACCEPTS_PER_TURN: usize = 64;

/// Serves until the application wants to stop and everything in flight is done.
///
/// # Errors
/// Only when the poller itself fails.
pub fn serve<A: App>(engine: &mut Engine<A>, app: &mut A) -> io::Result<()> {
    let mut next_tick_ns = 0;
    loop {
        run_ready(engine, app);
        // One at a time, and only while no request is ready: whoever is idle shall have it.
        for _ in 0..ACCEPTS_PER_TURN {
            if app.stage() != Stage::Serving && !engine.drain.is_sweeping() {
                break;
            }
            match engine.accept() {
                Visit::Came => {}
                Visit::Nobody => {
                    if engine.drain.is_sweeping() {
                        engine.end_sweep();
                    }
                    break;
                }
                Visit::NotNow => break,
            }
            run_ready(engine, app);
        }
        for notice in engine.notices.drain(..) {
            app.notice(&notice);
        }
        app.turn_over(&engine.clock);
        match app.stage() {
            Stage::Serving => {}
            Stage::Enough => engine.begin_drain(false),
            Stage::Stopping => engine.begin_drain(true),
        }
        if engine.is_drained() {
            return Ok(());
        }
        engine.turn()?;
        let inside = std::mem::take(&mut engine.signalled_inside);
        let signalled = engine.take_signal() || inside;
        if signalled || engine.clock.now_ns() >= next_tick_ns {
            next_tick_ns = engine.clock.now_ns() + engine.options.tick.as_nanos() as u64;
            match app.woken() {
                // Told something on the way out after `max_requests`: perhaps that all shall stop.
                Wake::Serve if signalled && engine.drain.is_on() => engine.begin_drain(true),
                Wake::Serve => {}
                Wake::Drain => engine.begin_drain(true),
                Wake::Leave => return Ok(()),
            }
        }
    }
}

fn run_ready<A: App>(engine: &mut Engine<A>, app: &mut A) {
    while let Some((mut conn, work)) = engine.ready.pop_front() {
        let mut exchange = Exchange::new(engine, &mut conn);
        let verdict = match work {
            Work::Request => app.call(&mut exchange),
            Work::Refusal(refusal) => {
                app.refused(&mut exchange, &refusal);
                exchange.refuse(&refusal);
                Verdict::Close
            }
        };
        engine.take_back(conn, verdict);
    }
}
