//! What falls due, in the order of its time. No caller reads it, so it asks for no access.

use events::time::Time;
use projections::ReadModel as _;
use projections::due_list::{Due, DueList, SCOPE, sort_until};

use super::{Error, page};
use crate::App;
use crate::read_store::Status;

/// The next piece of what is due up to a time, and where the piece after it begins.
pub(crate) struct Piece {
    pub(crate) due: Vec<Due>,
    pub(crate) next: Option<String>,
}

/// What is due until then, after a place in the list that an earlier piece gave.
pub(crate) async fn until(app: &App, time: Time, after: &str, size: usize) -> Result<Piece, Error> {
    let page = page::<DueList>(app, SCOPE, after, size).await?;
    let count = page.items.len();
    let due: Vec<Due> = page.items.into_iter().take_while(|due| due.at <= time).collect();
    let next = if due.len() == count { page.next } else { None };
    Ok(Piece { due, next })
}

/// Whether the list has not come to the live position for the first time.
pub(crate) async fn is_being_built(app: &App) -> Result<bool, Error> {
    let models = app.read_store.progress().await?;
    let list = models.iter().find(|model| model.name == DueList::NAME);
    Ok(list.is_none_or(|list| list.status == Status::Building))
}

/// The place of one thing that is due: what falls due after it comes behind.
pub(crate) fn place_of(due: &Due) -> String {
    DueList::sort(due)
}

/// The place right before everything that is due at or after a time.
pub(crate) fn place_before(time: Time) -> String {
    sort_until(time)
}
