//! Where a query reads the rows of a model: as they are, or one organization's as they were. The
//! same query runs on both.

use events::organization::Organization;
use projections::{Key, ReadModel};

use super::{Error, Page, row, rows};
use crate::App;
use crate::access::Access;
use crate::past::{self, Moment, Past};
use crate::read_store::ReadStore;

pub(crate) enum View<'a, M> {
    Now(&'a ReadStore),
    Then(Past<M>),
}

impl From<past::Error> for Error {
    fn from(error: past::Error) -> Self {
        match error {
            past::Error::Future => Self::Future,
            past::Error::Before => Self::NotFound,
            past::Error::Failed(failure) => Self::Failed(failure),
        }
    }
}

/// The organization as its stream had it at a moment, and of which version that is.
pub(crate) async fn organization(
    app: &App,
    access: &Access,
    moment: Moment,
) -> Result<(Organization, u64), Error> {
    Ok(past::organization(app, access.organization(), moment).await?)
}

impl<'a, M: ReadModel> View<'a, M> {
    /// As the organization was then; as everything is now when no moment is given.
    pub(crate) async fn of(
        app: &'a App,
        access: &Access,
        moment: Option<Moment>,
    ) -> Result<Self, Error> {
        match moment {
            None => Self::now(app).await,
            Some(moment) => Ok(Self::Then(Past::of(app, access.organization(), moment).await?)),
        }
    }

    pub(super) async fn now(app: &'a App) -> Result<Self, Error> {
        Ok(Self::Now(rows::<M>(app).await?))
    }

    /// Which version the rows are of, when they are not today's.
    pub(crate) fn version(&self) -> Option<u64> {
        match self {
            Self::Now(_) => None,
            Self::Then(past) => Some(past.version),
        }
    }

    pub(super) async fn one(&self, key: Key) -> Result<M::Row, Error> {
        match self {
            Self::Now(store) => {
                let found = store.row(M::NAME, &key).await?;
                row::<M>(&found.ok_or(Error::NotFound)?)
            }
            Self::Then(past) => row::<M>(past.row(&key).ok_or(Error::NotFound)?),
        }
    }

    pub(super) async fn page(
        &self,
        scope: &str,
        after: &str,
        size: usize,
    ) -> Result<Page<M::Row>, Error> {
        // one more than asked tells whether there is a next page
        let limit = size + 1;
        let mut found: Vec<(String, M::Row)> = match self {
            Self::Now(store) => {
                let found = store.page(M::NAME, scope, after, limit).await?;
                let read = found.into_iter().map(|found| Ok((found.sort, row::<M>(&found.body)?)));
                read.collect::<Result<_, Error>>()?
            }
            Self::Then(past) => {
                let found = past.page(scope, after, limit).into_iter();
                let read = found.map(|(sort, body)| Ok((sort.to_owned(), row::<M>(body)?)));
                read.collect::<Result<_, Error>>()?
            }
        };
        let more = found.len() > size;
        found.truncate(size);
        let next = found.last().filter(|_| more).map(|(sort, _)| sort.clone());
        Ok(Page { items: found.into_iter().map(|(_, row)| row).collect(), next })
    }
}
