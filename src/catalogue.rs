//! The catalogue as an installation's own file says it: plans, prices and regions. Whatever the file
//! leaves out is as built in. `docs/plans.md` explains it.

use std::collections::BTreeSet;

use events::plan::{Catalogue, Dollars, Features, Limits, Prices, Terms};
use events::platform::MOST_PLANS;
use serde::{Deserialize, Deserializer, de};
use utoipa::ToSchema;

/// The whole of it is one line of the log.
const LARGEST: usize = 60_000;
/// The largest integer that every JSON reader keeps.
const LARGEST_LIMIT: u64 = 9_007_199_254_740_991;
const LONGEST_NAME: usize = 40;
const LONGEST_TEXT: usize = 200;
const LONGEST_TRIAL: u32 = 3650;
const DEAREST: i64 = 1_000_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    default_plan: Option<String>,
    suspend_after_trial: Option<bool>,
    regions: Option<Vec<String>>,
    prices: Option<Prices>,
    plans: Option<Vec<toml::Table>>,
}

/// A plan but its name. Prices are US dollars: strings like `"29.00"`, or whole numbers.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanOfFile {
    /// The name when left out.
    #[schema(example = "Pro")]
    label: Option<String>,
    description: Option<String>,
    #[serde(deserialize_with = "price")]
    #[schema(value_type = String, example = "29")]
    monthly_price: Dollars,
    #[serde(default, deserialize_with = "optional_price")]
    #[schema(value_type = Option<String>, example = "290")]
    annual_price: Option<Dollars>,
    #[serde(default)]
    trial_days: u32,
    suspend_after_trial: Option<bool>,
    /// `queries_per_day`, `bytes_per_month`, `projects`, `databases`, `connections`, `query_shapes`,
    /// `included_seats`, `audit_retention_days`; zero, or left out, limits nothing.
    #[serde(default)]
    #[schema(value_type = Object)]
    limits: Limits,
    /// `sso`, `custom_domains`.
    #[serde(default)]
    #[schema(value_type = Object)]
    features: Features,
    /// All prices beside the plan's own, in place of the built-in ones.
    #[schema(value_type = Option<Object>)]
    prices: Option<Prices>,
}

impl PlanOfFile {
    /// The terms, or everything that is wrong with them.
    pub(crate) fn terms(self, name: &str) -> Result<Terms, Vec<String>> {
        let prices = Terms::unlimited().prices.clone();
        let terms = self.terms_among(name, &prices, false);
        let mut mistakes = Vec::new();
        check(&terms, &mut mistakes);
        if mistakes.is_empty() { Ok(terms) } else { Err(mistakes) }
    }

    fn terms_among(self, name: &str, prices: &Prices, suspends: bool) -> Terms {
        Terms {
            plan: name.to_owned(),
            label: self.label.unwrap_or_else(|| name.to_owned()),
            description: self.description,
            monthly_price: self.monthly_price,
            annual_price: self.annual_price,
            trial_days: self.trial_days,
            suspend_after_trial: self.suspend_after_trial.unwrap_or(suspends),
            limits: self.limits,
            features: self.features,
            prices: self.prices.unwrap_or_else(|| prices.clone()),
        }
    }
}

/// Reads the file's text; fails with everything that is wrong with it.
pub(crate) fn read(text: &str) -> Result<Catalogue, Vec<String>> {
    let file: File = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
    let built_in = Catalogue::built_in();
    let prices = file.prices.unwrap_or_else(|| Terms::unlimited().prices.clone());
    let suspends = file.suspend_after_trial.unwrap_or(false);
    let plans = match file.plans {
        Some(plans) => plans
            .into_iter()
            .map(|plan| named(plan, &prices, suspends))
            .collect::<Result<_, _>>()
            .map_err(|mistake| vec![mistake])?,
        None => built_in
            .plans
            .iter()
            .map(|terms| Terms {
                prices: prices.clone(),
                suspend_after_trial: suspends && terms.trial_days > 0,
                ..terms.clone()
            })
            .collect(),
    };
    let catalogue = Catalogue {
        default_plan: file.default_plan.unwrap_or_else(|| built_in.default_plan.clone()),
        plans,
        regions: file.regions.unwrap_or_else(|| built_in.regions.clone()),
    };
    let mistakes = mistakes(&catalogue);
    if mistakes.is_empty() { Ok(catalogue) } else { Err(mistakes) }
}

fn named(mut plan: toml::Table, prices: &Prices, suspends: bool) -> Result<Terms, String> {
    let Some(toml::Value::String(name)) = plan.remove("name") else {
        return Err("each of `plans` needs a `name`".to_owned());
    };
    let said: Result<PlanOfFile, _> = plan.try_into();
    let said = said.map_err(|error| format!("plan `{name}`: {}", error.message()))?;
    Ok(said.terms_among(&name, prices, suspends))
}

fn mistakes(catalogue: &Catalogue) -> Vec<String> {
    let mut mistakes = Vec::new();
    if catalogue.plan(&catalogue.default_plan).is_none() {
        mistakes.push(format!("`default_plan` names no plan: `{}`", catalogue.default_plan));
    }
    let mut names = BTreeSet::new();
    for terms in &catalogue.plans {
        if !names.insert(&terms.plan) {
            mistakes.push(format!("two plans are called `{}`", terms.plan));
        }
        check(terms, &mut mistakes);
    }
    if catalogue.plans.len() > MOST_PLANS {
        mistakes.push(format!("there are more than {MOST_PLANS} plans"));
    }
    if catalogue.regions.is_empty() || !catalogue.regions.iter().all(|region| is_name(region)) {
        mistakes.push("`regions` must be codes of `a-z 0-9 -`".to_owned());
    }
    let size = serde_json::to_vec(catalogue).map_or(usize::MAX, |bytes| bytes.len());
    if size > LARGEST {
        mistakes.push(format!("it is larger than {LARGEST} bytes"));
    }
    mistakes
}

fn check(terms: &Terms, mistakes: &mut Vec<String>) {
    let plan = &terms.plan;
    let mut wrong = |what: &str| mistakes.push(format!("plan `{plan}`: {what}"));
    if !is_name(plan) {
        wrong("its name must be 1 to 40 of `a-z 0-9 -`");
    }
    let texts = [Some(&terms.label), terms.description.as_ref()];
    let is_text =
        |text: &String| text.chars().count() <= LONGEST_TEXT && !text.contains(char::is_control);
    if !texts.into_iter().flatten().all(is_text) {
        wrong("its texts must be up to 200 printable characters");
    }
    let whole_cents = [Some(terms.monthly_price), terms.annual_price];
    if whole_cents.into_iter().flatten().any(|price| !is_price(price, 2)) {
        wrong("its prices must be dollars with at most two decimals");
    }
    let prices = &terms.prices;
    let beside = [
        prices.extra_seat,
        prices.thousand_queries,
        prices.gigabyte,
        prices.storage_gigabyte_month,
        prices.backup_gigabyte_month,
    ];
    let hours = prices.tiers.iter().map(|tier| tier.hour);
    if beside.into_iter().chain(hours).any(|price| !is_price(price, 8)) {
        wrong("`prices` must be dollars with at most eight decimals");
    }
    let tiers: BTreeSet<_> = prices.tiers.iter().map(|tier| &tier.name).collect();
    let are_named = prices.tiers.iter().all(|tier| is_name(&tier.name));
    if tiers.is_empty() || tiers.len() != prices.tiers.len() || !are_named {
        wrong("`prices.tiers` must have names of `a-z 0-9 -`, each once");
    }
    let limits = &terms.limits;
    let limits = [
        limits.queries_per_day,
        limits.bytes_per_month,
        limits.projects,
        limits.databases,
        limits.connections,
        limits.query_shapes,
        limits.included_seats,
        limits.audit_retention_days,
    ];
    if limits.into_iter().any(|limit| limit > LARGEST_LIMIT) {
        wrong("its limits must be below 2 to the power of 53");
    }
    if terms.trial_days > LONGEST_TRIAL {
        wrong("its trial must last ten years at most");
    }
}

fn is_name(name: &str) -> bool {
    let is_sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(is_sound)
}

fn is_price(price: Dollars, decimals: u32) -> bool {
    !price.is_sign_negative() && price.scale() <= decimals && price <= DEAREST.into()
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Price {
    Whole(i64),
    Text(String),
}

impl Price {
    fn read<E: de::Error>(self) -> Result<Dollars, E> {
        match self {
            Self::Whole(dollars) => Ok(dollars.into()),
            Self::Text(text) => text.parse().map_err(|_| {
                E::custom(format_args!("`{text}` is no price; write it like \"29.00\""))
            }),
        }
    }
}

fn price<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Dollars, D::Error> {
    Price::deserialize(deserializer)?.read()
}

fn optional_price<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Dollars>, D::Error> {
    Option::<Price>::deserialize(deserializer)?.map(Price::read).transpose()
}

#[cfg(test)]
mod tests;
