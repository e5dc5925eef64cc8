//! Can this node serve? Every store is asked, and every read model is named with its standing.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::due;
use crate::projector::Standing;
use crate::reactions::Reaction;

/// A store that has not answered by then is not there.
const WITHIN: Duration = Duration::from_secs(2);

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
    #[schema(example = "42")]
    head: String,
    /// Where the live read models stand.
    #[schema(example = "42")]
    position: String,
    read_models: Vec<ReadModelStanding>,
    reactions: Vec<ReactionStanding>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StoreStanding {
    Ok,
    Unavailable,
}

#[derive(Debug, Serialize, ToSchema)]
struct ReadModelStanding {
    name: String,
    /// `live`, `building` or `stuck`.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ReactionStanding {
    name: &'static str,
    /// Why it does not come further.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(crate) async fn ask(app: &App) -> Readiness {
    let head = answer(app.log.head()).await;
    let position = answer(app.read_store.position()).await;
    let progress = answer(app.read_store.progress()).await;
    let (projector, stopped) = match app.projector.borrow().clone() {
        Standing::Starting => ("starting".to_owned(), false),
        Standing::Owner => ("owner".to_owned(), false),
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
        })
        .collect();
    let trouble = app.trouble.borrow().clone();
    let names = Reaction::ALL.map(Reaction::name).into_iter().chain([due::NAME]);
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
        head: head.unwrap_or_default().to_string(),
        position: position.unwrap_or_default().to_string(),
        read_models,
        reactions,
    }
}

async fn answer<T, E>(question: impl Future<Output = Result<T, E>>) -> Option<T> {
    tokio::time::timeout(WITHIN, question).await.ok()?.ok()
}
