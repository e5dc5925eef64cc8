//! Can this node serve? Every store is asked, and every read model is named with its standing.

use std::time::Duration;

use events::recorded::Position;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::App;
use crate::due;
use crate::projector::Standing;
use crate::reactions::Reaction;
use crate::read_store;
use crate::signer;

/// A store that has not answered by then is not there.
const WITHIN: Duration = Duration::from_secs(2);
const OWNER: &str = "owner";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Ready,
    /// Serves, but a read model is stuck or still being built, or a reaction is in trouble.
    Degraded,
    NotReady,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    pub(crate) status: Status,
    event_log: StoreStanding,
    read_store: StoreStanding,
    /// `owner`, `standby`, `starting`, or why it stopped.
    projector: String,
    /// Where the log ends.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = String, example = "42")]
    pub(crate) head: Option<Position>,
    /// Where the live read models stand.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = String, example = "42")]
    pub(crate) position: Option<Position>,
    pub(crate) read_models: Vec<ReadModelStanding>,
    pub(crate) reactions: Vec<ReactionStanding>,
}

impl Readiness {
    /// This node advances the read models.
    pub(crate) fn is_projecting(&self) -> bool {
        self.projector == OWNER
    }
}

/// Position 0 where it is not known.
#[expect(clippy::ref_option, reason = "serde hands it over like this")]
fn as_text<S: Serializer>(position: &Option<Position>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&position.unwrap_or_default())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StoreStanding {
    Ok,
    Unavailable,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReadModelStanding {
    pub(crate) name: String,
    /// `live`, `building` or `stuck`.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Where it stands, alone or with the others.
    #[serde(skip)]
    pub(crate) position: Position,
}

impl ReadModelStanding {
    pub(crate) fn is_stuck(&self) -> bool {
        self.status == read_store::Status::Stuck.as_str()
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReactionStanding {
    pub(crate) name: &'static str,
    /// Why it does not come further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

pub(crate) async fn ask(app: &App) -> Readiness {
    let head = answer(app.log.head()).await;
    let position = answer(app.read_store.position()).await;
    let progress = answer(app.read_store.progress()).await;
    let (projector, stopped) = match app.projector.borrow().clone() {
        Standing::Starting => ("starting".to_owned(), false),
        Standing::Owner => (OWNER.to_owned(), false),
        Standing::Standby => ("standby".to_owned(), false),
        Standing::Stopped(why) => (why, true),
    };
    let read_models: Vec<ReadModelStanding> = progress
        .iter()
        .flatten()
        .map(|model| ReadModelStanding {
            name: model.name.clone(),
            status: model.status.as_str(),
            error: model.error.clone(),
            position: match model.status {
                read_store::Status::Live => position.unwrap_or(model.position),
                read_store::Status::Building | read_store::Status::Stuck => model.position,
            },
        })
        .collect();
    let trouble = app.trouble.borrow().clone();
    let names = Reaction::ALL.map(Reaction::name).into_iter().chain([due::NAME, signer::NAME]);
    let reactions =
        names.map(|name| ReactionStanding { name, error: trouble.get(name).cloned() }).collect();
    let all_live = !read_models.is_empty() && read_models.iter().all(|one| one.status == "live");
    let status = if head.is_none() || position.is_none() || progress.is_none() || stopped {
        Status::NotReady
    } else if all_live && trouble.is_empty() {
        Status::Ready
    } else {
        Status::Degraded
    };
    let standing = |there| if there { StoreStanding::Ok } else { StoreStanding::Unavailable };
    Readiness {
        status,
        event_log: standing(head.is_some()),
        read_store: standing(position.is_some() && progress.is_some()),
        projector,
        head,
        position,
        read_models,
        reactions,
    }
}

/// The answer of a store, unless it has none or takes too long.
pub(crate) async fn answer<T, E>(question: impl Future<Output = Result<T, E>>) -> Option<T> {
    tokio::time::timeout(WITHIN, question).await.ok()?.ok()
}
