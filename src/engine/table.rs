//! Where connections live between events: places with generations, so that an event for a
//! connection that has gone is never taken for its successor.

use std::sync::Arc;

use super::hoard::Hoard;
use super::{App, Conn};
use crate::sys::connections::Connections;
use crate::sys::poller::{Readiness, Token};
use crate::sys::scoreboard::Slot;

enum Place<A: App> {
    Vacant,
    Home(Box<Conn<A>>),
    /// The connection is in the ready queue or with the application; its edges are recorded
    /// here, so that coming back costs no probing read.
    Away {
        readable: bool,
        writable: bool,
        ended: bool,
    },
}

struct Entry<A: App> {
    generation: u32,
    place: Place<A>,
}

/// All connections of one worker.
pub struct Table<A: App> {
    entries: Vec<Entry<A>>,
    vacant: Vec<u32>,
    /// Where the memory that the connections at home hold is counted.
    hoard: Arc<Hoard>,
    /// What they are at, those at home.
    at: [usize; 3],
    /// What others were shown last.
    shown: Connections,
}

/// What a connection at home is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum At {
    /// A request, or a handshake, is on its way.
    #[default]
    Reading = 0,
    /// A response is, or the end after it.
    Writing = 1,
    /// Between two requests.
    Idle = 2,
}

impl<A: App> Table<A> {
    /// An empty one.
    pub fn new(hoard: Arc<Hoard>) -> Self {
        let (entries, vacant) = (Vec::new(), Vec::new());
        Self { entries, vacant, hoard, at: [0; 3], shown: Connections::default() }
    }

    /// Reserves a place for a connection that is away.
    pub fn reserve(&mut self) -> Token {
        let away = Place::Away { readable: false, writable: false, ended: false };
        if let Some(place) = self.vacant.pop() {
            let entry = &mut self.entries[place as usize];
            entry.place = away;
            return Token { place, generation: entry.generation };
        }
        self.entries.push(Entry { generation: 0, place: away });
        Token { place: (self.entries.len() - 1) as u32, generation: 0 }
    }

    /// How many connections there are, home or away.
    pub fn len(&self) -> usize {
        self.entries.len() - self.vacant.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows others what the connections are at; `ready` of those that are away wait for a thread.
    pub(super) fn show(&mut self, slot: Slot, ready: usize) {
        let [reading, writing, idle] = self.at.map(|n| n as u64);
        let (away, waiting) = (self.len() as u64 - reading - writing - idle, ready as u64);
        let running = away.saturating_sub(waiting);
        let now = Connections { reading, waiting, running, writing, idle };
        if now != self.shown {
            self.shown = now;
            slot.set_connection_states(now);
        }
    }

    /// Puts a connection down.
    pub fn settle(&mut self, mut conn: Box<Conn<A>>) {
        let place = conn.token.place as usize;
        if let Some(entry) = self.entries.get_mut(place) {
            conn.weighed = conn.weight();
            self.hoard.put_down(conn.weighed);
            conn.at = conn.phase_at();
            self.at[conn.at as usize] += 1;
            entry.place = Place::Home(conn);
        }
    }

    /// Takes a connection up; `None` when it has gone or is away already.
    pub fn take(&mut self, token: Token) -> Option<Box<Conn<A>>> {
        self.take_to_read(token).inspect(|conn| conn.lift())
    }

    /// The same, to see whether anything has come: it stays held until it is read, or sent something.
    pub(super) fn take_to_read(&mut self, token: Token) -> Option<Box<Conn<A>>> {
        let place = self.place(token)?;
        if !matches!(place, Place::Home(_)) {
            return None;
        }
        let away = Place::Away { readable: false, writable: false, ended: false };
        match std::mem::replace(place, away) {
            Place::Home(conn) => {
                self.hoard.take_up(conn.weighed);
                self.at[conn.at as usize] -= 1;
                Some(conn)
            }
            Place::Away { .. } | Place::Vacant => None,
        }
    }

    /// Whether there is such a connection, home or away.
    pub fn knows(&self, token: Token) -> bool {
        let entry = self.entries.get(token.place as usize);
        entry.is_some_and(|it| {
            it.generation == token.generation && !matches!(it.place, Place::Vacant)
        })
    }

    /// Looks at a connection that is home.
    pub fn peek(&mut self, token: Token) -> Option<&mut Conn<A>> {
        match self.place(token)? {
            Place::Home(conn) => Some(conn),
            Place::Away { .. } | Place::Vacant => None,
        }
    }

    /// Records an event for a connection that is away. False: it is home, or gone.
    pub fn note(&mut self, event: &Readiness) -> bool {
        match self.place(event.token) {
            Some(Place::Away { readable, writable, ended }) => {
                *readable |= event.readable || event.ended;
                *writable |= event.writable;
                *ended |= event.ended;
                true
            }
            Some(Place::Home(_) | Place::Vacant) | None => false,
        }
    }

    /// Hands the edges recorded while `conn` was away over to it. Returns whether room to write
    /// was among them.
    pub fn catch_up(&mut self, conn: &mut Conn<A>) -> bool {
        let Some(Place::Away { readable, writable, ended }) = self.place(conn.token) else {
            return false;
        };
        conn.readable |= *readable;
        conn.ended |= *ended;
        let had_room = *writable;
        (*readable, *writable, *ended) = (false, false, false);
        had_room
    }

    /// Gives the place of a connection that has ended free.
    pub fn release(&mut self, token: Token) {
        if let Some(entry) = self.entries.get_mut(token.place as usize) {
            if entry.generation == token.generation && !matches!(entry.place, Place::Vacant) {
                entry.generation = entry.generation.wrapping_add(1);
                entry.place = Place::Vacant;
                self.vacant.push(token.place);
            }
        }
    }

    /// Tokens of all connections that are home.
    pub fn home(&self) -> Vec<Token> {
        self.entries
            .iter()
            .filter_map(|entry| match &entry.place {
                Place::Home(conn) => Some(conn.token),
                Place::Away { .. } | Place::Vacant => None,
            })
            .collect()
    }

    fn place(&mut self, token: Token) -> Option<&mut Place<A>> {
        let entry = self.entries.get_mut(token.place as usize)?;
        (entry.generation == token.generation).then_some(&mut entry.place)
    }
}
