//! Who is at home, says nothing, and is not held in the vault, which had no room, or no time: noted, so that
//! a kill does not end him unseen (`src/sys/lobby.rs`).

use std::sync::Arc;

use super::App;
use super::conn::Conn;
use super::reading::place_of;
use crate::sys::lobby::SPOTS;
use crate::sys::poller::Token;
use crate::sys::vault::Vault;

/// The spots of a worker, and who is there.
#[derive(Debug, Default)]
pub(super) struct Lobby {
    vault: Option<Arc<Vault>>,
    spots: Vec<Option<Token>>,
    /// How many are taken.
    taken: usize,
}

impl Lobby {
    pub(super) fn of(vault: Option<Arc<Vault>>) -> Self {
        Self { vault, ..Self::default() }
    }

    /// `conn` is put down, since `now_ns`.
    pub(super) fn enter<A: App>(&mut self, conn: &Conn<A>, now_ns: u64) {
        let Some(vault) = self.vault.as_ref().filter(|_| self.taken < SPOTS) else { return };
        if self.spot_of(conn.token).is_some() {
            return;
        }
        let spot = self.spots.iter().position(Option::is_none).unwrap_or(self.spots.len());
        vault.enter_lobby(spot, &conn.addr, place_of(conn), now_ns);
        match self.spots.get_mut(spot) {
            Some(free) => *free = Some(conn.token),
            None => self.spots.push(Some(conn.token)),
        }
        self.taken += 1;
    }

    /// `conn` is in the vault, or read, or somebody else's, or closed from here on.
    #[inline]
    pub(super) fn leave<A: App>(&mut self, conn: &Conn<A>) {
        if self.taken > 0 {
            self.forget(conn.token);
        }
    }

    fn forget(&mut self, token: Token) {
        let Some((spot, vault)) = self.spot_of(token).zip(self.vault.as_ref()) else { return };
        vault.leave_lobby(spot);
        self.spots[spot] = None;
        self.taken -= 1;
    }

    fn spot_of(&self, token: Token) -> Option<usize> {
        self.spots.iter().position(|it| *it == Some(token))
    }
}
