//! Page tokens: where the next page begins, sealed against change and against use with another list.

use events::wire::{base64url, from_base64url};

use crate::App;

const MAC: usize = 16;

/// A token for going on after a sort key of a list.
pub(crate) fn write(app: &App, list: &str, after: &str) -> String {
    base64url(&[&mac(app, list, after), after.as_bytes()].concat())
}

/// The sort key in a token that [`write`] made for the same list.
pub(crate) fn read(app: &App, list: &str, token: &str) -> Option<String> {
    let bytes = from_base64url(token)?;
    let (found, after) = bytes.split_first_chunk::<MAC>()?;
    let after = str::from_utf8(after).ok()?;
    (*found == mac(app, list, after)).then(|| after.to_owned())
}

fn mac(app: &App, list: &str, after: &str) -> [u8; MAC] {
    let long = app.keyring.derive("page token", &[list.as_bytes(), after.as_bytes()]);
    std::array::from_fn(|place| long[place])
}
