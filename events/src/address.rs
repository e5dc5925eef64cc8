//! The address stream: which account holds one e-mail address. The stream's subject stands for the
//! address; the address itself is nowhere here.

use serde::{Deserialize, Serialize};

use crate::State;
use crate::id::AccountId;
use crate::recorded::Recorded;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    #[serde(rename = "address.claimed")]
    Claimed { account: AccountId },
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Claimed { .. } => ("address.claimed", 1),
        }
    }
}

#[derive(Debug, Default)]
pub struct Address {
    holder: Option<AccountId>,
}

impl Address {
    /// Who claimed the address last; whether that account exists is asked of its own stream.
    pub fn holder(&self) -> Option<AccountId> {
        self.holder
    }
}

impl State for Address {
    fn evolve(&mut self, recorded: &Recorded) {
        if let crate::Event::Address(Event::Claimed { account }) = &recorded.event {
            self.holder = Some(*account);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("somebody else has claimed the address since")]
    Claimed,
}

/// Claims the address for `account`. A claim by `dead`, an account proven never to exist, is taken
/// over; any other holder keeps it.
pub fn claim(
    address: &Address,
    account: AccountId,
    dead: Option<AccountId>,
) -> Result<Vec<Event>, Rejection> {
    match address.holder {
        Some(holder) if holder == account => Ok(vec![]),
        Some(holder) if dead != Some(holder) => Err(Rejection::Claimed),
        _ => Ok(vec![Event::Claimed { account }]),
    }
}
