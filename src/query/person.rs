//! Who accounts are, for those who share an organization with them.

use events::id::AccountId;
use projections::person::{People, Person, SCOPE};
use projections::{Key, ReadModel as _};

use super::{Error, row, rows};
use crate::App;

/// In the order of the accounts; `None` where there is no such account.
pub(crate) async fn all(app: &App, accounts: &[AccountId]) -> Result<Vec<Option<Person>>, Error> {
    let keys: Vec<Key> = accounts.iter().map(|account| Key::new(SCOPE, account)).collect();
    let found = rows::<People>(app).await?.rows(People::NAME, &keys).await?;
    keys.iter().map(|key| found.get(key).map(|body| row::<People>(body)).transpose()).collect()
}
