//! What may be asked of a database, and what is wrong with it. The words of those who call it a
//! service are understood in the same places.

use events::database::Command;
use events::database::command::Wish;
use events::id::{DatabaseId, ProjectId};
use events::plan::Catalogue;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::engine::{ENGINES, Engine};
use crate::http::check::Checks;
use crate::http::field::{given, present};
use crate::http::problem::{FieldError, Problem};

const USUAL_STORAGE_GB: u32 = 10;
const LARGEST_STORAGE_GB: u32 = 16_384;
const MOST_NODES: u32 = 15;

#[derive(Deserialize, ToSchema)]
#[schema(as = CreateDatabaseBody)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateBody {
    /// 3 to 63 of `a-z 0-9 -`, a letter first, no hyphen last, no two in a row.
    #[schema(example = "orders")]
    name: String,
    /// `postgresql` (the usual), `mysql`, `mongodb`, `valkey`, `kafka`, `opensearch` or `mssql`.
    #[schema(example = "postgresql")]
    database_type: Option<String>,
    #[schema(example = "17")]
    version: Option<String>,
    /// The organization's `default_tier` when left out. Also as `plan_name`.
    #[serde(default, alias = "plan_name")]
    #[schema(example = "micro")]
    tier: Option<String>,
    /// One that the organization's settings allow; the project's when left out. Also as `zone`.
    #[serde(default, alias = "zone")]
    #[schema(example = "fsn1")]
    region: Option<String>,
    /// 1 to 16384; 10 when left out. Also as `storage_size_gb`.
    #[serde(default, alias = "storage_size_gb")]
    #[schema(example = 10)]
    storage_gb: Option<u32>,
    /// 1 to 15; 1 when left out.
    #[schema(example = 1)]
    node_count: Option<u32>,
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "prj_01h2xcejqtf2nbrexx3vqjhp41")]
    project_id: Option<ProjectId>,
}

impl CreateBody {
    pub(super) fn wish(self, catalogue: &Catalogue) -> Result<Wish, Problem> {
        let mut errors = Vec::new();
        let mut checks = Checks::new(&mut errors);
        checks.name("name", &self.name);
        let names = ENGINES.each_ref().map(|engine| engine.name);
        checks.one_of("database_type", self.database_type.as_deref(), &names);
        let engine = match &self.database_type {
            None => Some(&ENGINES[0]),
            Some(named) => ENGINES.iter().find(|engine| engine.name == named),
        };
        if let Some(Engine { versions, .. }) = engine {
            checks.one_of("version", self.version.as_deref(), versions);
        }
        checks.one_of("region", self.region.as_deref(), &regions(catalogue));
        size(&mut checks, catalogue, self.tier.as_deref(), self.storage_gb, self.node_count);
        let Some(engine) = engine.filter(|_| errors.is_empty()) else {
            return Err(Problem::invalid(errors));
        };
        Ok(Wish {
            name: self.name,
            database_type: engine.name.to_owned(),
            version: self.version.unwrap_or_else(|| engine.usual.to_owned()),
            tier: self.tier,
            region: self.region,
            storage_gb: self.storage_gb.unwrap_or(USUAL_STORAGE_GB),
            node_count: self.node_count.unwrap_or(1),
            project: self.project_id,
        })
    }
}

/// As the catalogue has them.
pub(in crate::http) fn regions(catalogue: &Catalogue) -> Vec<&str> {
    catalogue.regions.iter().map(String::as_str).collect()
}

fn size(
    checks: &mut Checks<'_>,
    catalogue: &Catalogue,
    tier: Option<&str>,
    storage_gb: Option<u32>,
    node_count: Option<u32>,
) {
    checks.one_of("tier", tier, &catalogue.tiers());
    checks.up_to("storage_gb", storage_gb, LARGEST_STORAGE_GB);
    checks.up_to("node_count", node_count, MOST_NODES);
}

/// A field that is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = UpdateDatabaseBody)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateBody {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "orders-two")]
    name: Option<String>,
    /// `null` takes it out of its project.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    project_id: Option<Option<ProjectId>>,
}

impl UpdateBody {
    pub(super) fn command(self, database: DatabaseId) -> Result<Command, Problem> {
        let mut errors = Vec::new();
        if let Some(name) = &self.name {
            Checks::new(&mut errors).name("name", name);
        }
        let Self { name, project_id: project } = self;
        sound(errors, Command::Update { database, name, project })
    }
}

fn sound<T>(errors: Vec<FieldError>, sound: T) -> Result<T, Problem> {
    if errors.is_empty() { Ok(sound) } else { Err(Problem::invalid(errors)) }
}

/// A field that is left out stays as it is; there is one at least.
#[derive(Deserialize, ToSchema)]
#[schema(as = ResizeDatabaseBody)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResizeBody {
    #[serde(default, alias = "plan_name")]
    #[schema(example = "small")]
    tier: Option<String>,
    /// Not less than it is.
    #[serde(default, alias = "storage_size_gb")]
    #[schema(example = 20)]
    storage_gb: Option<u32>,
    #[schema(example = 2)]
    node_count: Option<u32>,
}

impl ResizeBody {
    pub(super) fn command(
        self,
        database: DatabaseId,
        catalogue: &Catalogue,
    ) -> Result<Command, Problem> {
        let mut errors = Vec::new();
        let mut checks = Checks::new(&mut errors);
        if self.tier.is_none() && self.storage_gb.is_none() && self.node_count.is_none() {
            checks.wrong("tier", "is required, or `storage_gb`, or `node_count`");
        }
        size(&mut checks, catalogue, self.tier.as_deref(), self.storage_gb, self.node_count);
        let Self { tier, storage_gb, node_count } = self;
        sound(errors, Command::Resize { database, tier, storage_gb, node_count })
    }
}
