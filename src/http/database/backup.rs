//! Backups of a database, asked for or made by schedule, and the schedule. What came of one is told by
//! the provisioner.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use events::database::part::{self, Command, Order};
use events::id::{BackupId, DatabaseId};
use events::kept::Kept;
use events::organization::Organization;
use events::permission::Permission;
use events::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::execute;
use crate::http::answer;
use crate::http::authentication::Caller;
use crate::http::check::Checks;
use crate::http::document::{OrganizationCommands, OrganizationReads, Unmodified};
use crate::http::held::{self, List, NoFields};
use crate::http::organization::Meant;
use crate::http::problem::{Code, Problem};
use crate::http::request::{Authenticated, PathNames};

/// A week.
const LONGEST_INTERVAL_HOURS: u32 = 168;
/// Ten years.
const LONGEST_RETENTION_DAYS: u32 = 3_650;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(create_backup, list_backups))
        .routes(routes!(show_backup, delete_backup))
        .routes(routes!(show_backup_schedule, set_backup_schedule))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Backup {
    #[schema(value_type = String, example = "bak_01h2xcejqtf2nbrexx3vqjhp41")]
    id: BackupId,
    /// `running`, `succeeded` or `failed`.
    #[schema(example = "succeeded")]
    status: &'static str,
    /// `manual` or `scheduled`.
    #[schema(example = "manual")]
    kind: &'static str,
    /// `null` while it is under way.
    #[schema(example = 1_500_000_000)]
    size_bytes: Option<u64>,
    /// Whether it is encrypted, as the provisioner says.
    encrypted: Option<bool>,
    /// Where it is kept, if that is not where the database is.
    region: Option<String>,
    #[schema(value_type = Option<String>)]
    started_at: Option<Time>,
    #[schema(value_type = Option<String>)]
    finished_at: Option<Time>,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BackupList {
    backups: Vec<Backup>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackupSchedule {
    enabled: bool,
    /// 1 to 168.
    #[schema(example = 24)]
    interval_hours: u32,
    /// Hour of the day, UTC, from which the intervals count: 0 to 23.
    #[serde(default)]
    #[schema(example = 3)]
    hour: u32,
    /// For how long each is kept: 1 to 3650.
    #[schema(example = 7)]
    retention_days: u32,
}

impl BackupSchedule {
    fn schedule(&self) -> Result<part::Schedule, Problem> {
        let mut errors = Vec::new();
        let mut checks = Checks::new(&mut errors);
        checks.up_to("interval_hours", Some(self.interval_hours), LONGEST_INTERVAL_HOURS);
        checks.up_to("retention_days", Some(self.retention_days), LONGEST_RETENTION_DAYS);
        if self.hour > 23 {
            checks.wrong("hour", "must be 0 to 23");
        }
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let Self { enabled: is_enabled, interval_hours, hour, retention_days } = *self;
        Ok(part::Schedule { is_enabled, interval_hours, hour, retention_days })
    }
}

impl From<part::Schedule> for BackupSchedule {
    fn from(schedule: part::Schedule) -> Self {
        let part::Schedule { is_enabled: enabled, interval_hours, hour, retention_days } = schedule;
        Self { enabled, interval_hours, hour, retention_days }
    }
}

type Found = (BackupId, Kept<part::Backup>);

fn view(
    state: &Organization,
    database: Option<DatabaseId>,
    backup: Option<BackupId>,
) -> Option<(u64, Found)> {
    let kept = state.database(database?)?.content.parts.backups.get(&backup?)?.clone();
    Some((kept.changed_version, (backup?, kept)))
}

fn shown((id, kept): &Found) -> Backup {
    let part::Backup { is_requested, finished } = &kept.content;
    let ended = finished.as_ref();
    Backup {
        id: *id,
        status: match ended {
            None => "running",
            Some(finished) if finished.succeeded => "succeeded",
            Some(_) => "failed",
        },
        kind: if *is_requested { "manual" } else { "scheduled" },
        size_bytes: ended.map(|it| it.size_bytes),
        encrypted: ended.and_then(|it| it.is_encrypted),
        region: ended.and_then(|it| it.region.clone()),
        started_at: ended.and_then(|it| it.started_at),
        finished_at: ended.map(|it| it.finished_at),
        created_at: kept.created_at,
    }
}

/// Asks for a backup of a running database.
#[utoipa::path(post, path = "/databases/{database}/backups", operation_id = "createBackup",
    tag = "databases", params(("database" = String, Path)),
    responses((status = 201, body = Backup), OrganizationCommands))]
async fn create_backup(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let (database, backup) = (names.id("database"), execute::database::backup(&app, &order));
    let command = || {
        let database = database.ok_or(Problem::new(Code::NotFound))?;
        let NoFields {} = submission.json_or_empty()?;
        Ok(Command { database, order: Order::BackUp { backup } })
    };
    let needed = Permission::ManageBackups;
    let view = |state: &Organization| view(state, database, Some(backup));
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    let (version, found) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    Ok(held::tagged(StatusCode::CREATED, *version, &done, shown(found)))
}

#[utoipa::path(get, path = "/databases/{database}/backups", operation_id = "listBackups",
    tag = "databases",
    params(("database" = String, Path), ("page_size" = Option<usize>, Query),
        ("page_token" = Option<String>, Query)),
    responses((status = 200, body = BackupList), OrganizationReads))]
async fn list_backups(
    State(app): State<Arc<App>>,
    names: PathNames,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let database: Option<DatabaseId> = names.id("database");
    let (needed, what) = (Permission::ReadBackups, format!("backups of {database:?}"));
    let list = List { organization, needed, uri: &uri, what: &what, has_past: false };
    let all = |state: &Organization| {
        let all = &state.database(database?)?.content.parts.backups;
        Some(all.iter().map(|(id, it)| (it.created_version, *id)).collect())
    };
    let take = |state: &Organization, id| view(state, database, Some(id));
    let page = held::page(&app, &caller, list, all, take).await?;
    let backups = page.items.iter().flatten().map(|(_, found)| shown(found)).collect();
    let next_page_token = page.next(&app);
    let next = next_page_token.clone();
    Ok(page.answered(&uri, next.as_deref(), BackupList { backups, next_page_token }))
}

#[utoipa::path(get, path = "/databases/{database}/backups/{backup}", operation_id = "showBackup",
    tag = "databases", params(("database" = String, Path), ("backup" = String, Path)),
    responses((status = 200, body = Backup), Unmodified, OrganizationReads))]
async fn show_backup(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let needed = Permission::ReadBackups;
    let view = |state: &Organization| view(state, names.id("database"), names.id("backup"));
    let seen = held::one(&app, &caller, organization, needed, &uri, view).await?;
    Ok(seen.known(&headers).unwrap_or_else(|| seen.answered(shown(&seen.thing))))
}

/// Deletes a backup that has ended.
#[utoipa::path(delete, path = "/databases/{database}/backups/{backup}",
    operation_id = "deleteBackup", tag = "databases",
    params(("database" = String, Path), ("backup" = String, Path)),
    responses((status = 204), OrganizationCommands))]
async fn delete_backup(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let command = || {
        let database = names.id("database").ok_or(Problem::new(Code::NotFound))?;
        let backup = names.id("backup").ok_or(Problem::new(Code::NotFound))?;
        let NoFields {} = submission.json_or_empty()?;
        Ok(Command { database, order: Order::DeleteBackup { backup } })
    };
    let needed = Permission::DeleteBackups;
    let done = held::command(&app, &caller, organization, needed, &order, command, |_| ()).await?;
    Ok(answer::gone(&done))
}

/// As long as nobody has set one, the usual one, which is off.
fn schedule(state: &Organization, database: Option<DatabaseId>) -> Option<(u64, part::Schedule)> {
    let kept = state.database(database?)?;
    let set = kept.content.parts.schedule.as_ref();
    let usual = || (kept.created_version, part::Schedule::default());
    Some(set.map_or_else(usual, |set| (set.changed_version, set.content.clone())))
}

#[utoipa::path(get, path = "/databases/{database}/backup-schedule",
    operation_id = "showBackupSchedule", tag = "databases",
    params(("database" = String, Path)),
    responses((status = 200, body = BackupSchedule), Unmodified, OrganizationReads))]
async fn show_backup_schedule(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let needed = Permission::ReadBackups;
    let view = |state: &Organization| schedule(state, names.id("database"));
    let seen = held::one(&app, &caller, organization, needed, &uri, view).await?;
    let body = BackupSchedule::from(seen.thing.clone());
    Ok(seen.known(&headers).unwrap_or_else(|| seen.answered(body)))
}

/// Says when backups are made without being asked for, and for how long they are kept.
#[utoipa::path(put, path = "/databases/{database}/backup-schedule",
    operation_id = "setBackupSchedule", tag = "databases",
    params(("database" = String, Path)), request_body = BackupSchedule,
    responses((status = 200, body = BackupSchedule), OrganizationCommands))]
async fn set_backup_schedule(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let database = names.id("database");
    let command = || {
        let database = database.ok_or(Problem::new(Code::NotFound))?;
        let schedule = submission.json::<BackupSchedule>()?.schedule()?;
        Ok(Command { database, order: Order::SetSchedule { schedule } })
    };
    let needed = Permission::ManageBackups;
    let view = |state: &Organization| schedule(state, database);
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    let (version, schedule) = done.answer.clone().ok_or(Problem::new(Code::NotFound))?;
    Ok(held::tagged(StatusCode::OK, version, &done, BackupSchedule::from(schedule)))
}
