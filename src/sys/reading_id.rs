//! The number of a reading: what is received of one request, or of one connection, in memory that outlives the
//! worker (`intake.rs`, `landing.rs`).

use std::sync::Arc;

use super::vault::Vault;

/// The number, and where it is known: for whoever goes on with its connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadingId {
    /// 0: none.
    pub number: u64,
    /// It is to be [pinned](Self::pin) even if it is deposited: a keeper would be asked for it all the same.
    pub has_stray: bool,
    pub(super) vault: Option<&'static Arc<Vault>>,
}

impl ReadingId {
    /// Somebody does something with the connection from here on: nobody else can have it. By whichever thread does. Where another
    /// is read by now, that one may not be had either, at worst.
    #[inline]
    pub fn pin(&self) {
        if let Some(vault) = self.vault {
            vault.intake.pin(self.number);
        }
    }

    /// The flight of its request, from here on, if it can be had.
    pub fn note_flight(&self, flight: Option<(usize, u64)>) {
        if let Some(vault) = self.vault.filter(|_| self.has_stray) {
            vault.intake.note_flight(self.number, flight);
        }
    }
}
