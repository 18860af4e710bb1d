//! The loop of the status process: one thread, a few connections, no wait for any of them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::guest::{Guest, Host, Phase};
use super::question::{self, Question};
use super::site::Site;
use super::stall::Stall;
use crate::http::Policy;
use crate::sys::clock::Clock;
use crate::sys::leash;
use crate::sys::listener::Listener;

/// Connections at once. One more takes the place of the one that is least worth keeping.
const MOST: usize = 64;
/// Connections let in per turn of the loop: those that are there already get their turn.
const PER_TURN: usize = 16;
/// Bytes of answers that wait for their clients.
const MOST_BYTES: usize = 32 << 20;
/// The longest sleep: between two looks at the scoreboard, and at who our parent is.
const LOOK: Duration = Duration::from_secs(1);
/// How long those who are in may take when we are to leave: who has just come is about to ask.
const LAST_NS: u64 = 500_000_000;
/// After an error of accept(2).
const PAUSE_NS: u64 = 100_000_000;

/// Serves until the other end of `line` is closed, or the parent is gone.
///
/// # Errors
/// poll(2)'s; what is wrong with one connection ends that one only.
pub fn serve(listener: &Listener, line: BorrowedFd<'_>, site: &Site) -> io::Result<()> {
    let mut house = House {
        guests: Vec::new(),
        policy: question::policy(),
        reception: Reception { site, stall: Stall::default(), clock: Clock::new() },
        looked_ns: None,
        closed_until_ns: 0,
        leaves_at_ns: None,
    };
    while leash::holds(site.master) && !house.is_left() {
        let ready = house.wait(listener, line)?;
        house.reception.clock.tick();
        house.look();
        if ready.line && house.leaves_at_ns.is_none() {
            house.leaves_at_ns = Some(house.now_ns() + LAST_NS);
        }
        if ready.door {
            house.let_in(listener);
        }
        house.serve_all(&ready.guests);
    }
    Ok(())
}

struct House<'a> {
    guests: Vec<Guest>,
    policy: Policy,
    reception: Reception<'a>,
    looked_ns: Option<u64>,
    closed_until_ns: u64,
    leaves_at_ns: Option<u64>,
}

/// Who is ready; guests in their order.
struct Ready {
    line: bool,
    door: bool,
    guests: Vec<bool>,
}

impl House<'_> {
    fn now_ns(&self) -> u64 {
        self.reception.clock.now_ns()
    }

    fn is_left(&self) -> bool {
        self.leaves_at_ns.is_some_and(|leaves_at_ns| {
            self.now_ns() >= leaves_at_ns
                || self.guests.iter().all(|guest| guest.phase == Phase::Leaving)
        })
    }

    fn wait(&mut self, listener: &Listener, line: BorrowedFd<'_>) -> io::Result<Ready> {
        self.reception.clock.tick();
        let now_ns = self.now_ns();
        let leaves = self.leaves_at_ns.is_some();
        let open = !leaves && now_ns >= self.closed_until_ns;
        let when = |wanted: bool| if wanted { PollFlags::POLLIN } else { PollFlags::empty() };
        let mut fds = Vec::with_capacity(self.guests.len() + 2);
        fds.push(PollFd::new(listener.as_fd(), when(open)));
        // Once it is closed it would say so again and again.
        fds.push(PollFd::new(if leaves { listener.as_fd() } else { line }, when(!leaves)));
        fds.extend(self.guests.iter().map(|guest| PollFd::new(guest.as_fd(), guest.interest())));
        match poll(&mut fds, self.patience(now_ns)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(true));
        let door = ready.next().unwrap_or(false) && open;
        let line = ready.next().unwrap_or(false) && !leaves;
        Ok(Ready { line, door, guests: ready.collect() })
    }

    fn patience(&self, now_ns: u64) -> PollTimeout {
        let dues = self.guests.iter().map(|guest| guest.due_ns);
        let pause = Some(self.closed_until_ns).filter(|until_ns| *until_ns > now_ns);
        let next_ns = dues.chain(pause).chain(self.leaves_at_ns).min();
        let left = next_ns.map_or(LOOK, |next_ns| {
            // Rounded up: a millisecond too early would be a turn for nothing.
            Duration::from_millis(next_ns.saturating_sub(now_ns).div_ceil(1_000_000))
        });
        PollTimeout::try_from(left.min(LOOK)).unwrap_or(PollTimeout::ZERO)
    }

    /// Now and then, whether or not somebody asks.
    fn look(&mut self) {
        let now_ns = self.now_ns();
        if self.looked_ns.is_some_and(|then_ns| now_ns - then_ns < LOOK.as_nanos() as u64 / 2) {
            return;
        }
        self.looked_ns = Some(now_ns);
        self.reception.look();
    }

    fn let_in(&mut self, listener: &Listener) {
        for _ in 0..PER_TURN {
            match listener.accept() {
                Ok(Some((socket, _))) => {
                    if self.guests.len() >= MOST {
                        self.give_up_one();
                    }
                    let guest = Guest::new(socket, self.now_ns());
                    self.guests.push(guest);
                }
                Ok(None) => return,
                Err(_) => {
                    // No descriptors, or no memory: somebody has to make room.
                    self.give_up_one();
                    self.closed_until_ns = self.now_ns() + PAUSE_NS;
                    return;
                }
            }
        }
    }

    /// The oldest of those who have got the least.
    fn give_up_one(&mut self) {
        let worth = |guest: &Guest| (guest.phase.max(Phase::Asking), guest.since_ns);
        let least = (0..self.guests.len()).min_by_key(|n| self.guests.get(*n).map(worth));
        if let Some(least) = least {
            self.guests.remove(least);
        }
    }

    fn serve_all(&mut self, ready: &[bool]) {
        let now_ns = self.now_ns();
        let Self { guests, policy, reception, .. } = self;
        let mut n = 0;
        guests.retain_mut(|guest| {
            // Who has just come most likely has said what it wants.
            let is_ready = ready.get(n).copied().unwrap_or(true);
            n += 1;
            (!is_ready && now_ns < guest.due_ns) || guest.step(now_ns, policy, reception)
        });
        while self.guests.iter().map(Guest::burden).sum::<usize>() > MOST_BYTES {
            let burden = |n: &usize| self.guests.get(*n).map(Guest::burden);
            let Some(worst) = (0..self.guests.len()).max_by_key(burden) else { return };
            self.guests.remove(worst);
        }
    }
}

struct Reception<'a> {
    site: &'a Site,
    stall: Stall,
    clock: Clock,
}

impl Reception<'_> {
    fn look(&mut self) {
        let now_ns = self.clock.now_ns();
        self.stall.look(&self.site.board.snapshot(now_ns), now_ns);
    }
}

impl Host for Reception<'_> {
    fn answer(&mut self, question: Option<Question>) -> Vec<u8> {
        match question {
            Some(question) => {
                self.look();
                self.site.answer(question, &self.stall, &self.clock)
            }
            None => self.site.say_first(self.clock.now_ns()),
        }
    }
}
