//! Plans: what an organization pays, and how much it gets for it. The catalogue is a fact of the
//! platform; an organization that takes a plan gets its terms in full, so that no later change of the
//! catalogue reaches back.

use std::sync::{Arc, LazyLock};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// The plan that limits nothing: whoever was never given another is on it.
pub const UNLIMITED: &str = "unlimited";

/// US dollars, as a decimal string wherever they are written.
pub type Dollars = Decimal;

/// A plan as it was when an organization took it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Its name, which never changes.
    pub plan: String,
    pub label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub monthly_price: Dollars,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annual_price: Option<Dollars>,
    /// How long it is free for an organization that takes it for the first time.
    #[serde(default)]
    pub trial_days: u32,
    /// Whether an organization without a payment method is suspended when its trial is over.
    #[serde(default)]
    pub suspend_after_trial: bool,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub features: Features,
    pub prices: Prices,
}

/// Zero limits nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Until midnight UTC.
    pub queries_per_day: u64,
    /// Sent to applications in a billing month.
    pub bytes_per_month: u64,
    pub projects: u64,
    pub databases: u64,
    /// At once.
    pub connections: u64,
    pub query_shapes: u64,
    pub included_seats: u64,
    /// How far back the audit log is shown; the log itself is kept.
    pub audit_retention_days: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Features {
    pub sso: bool,
    pub custom_domains: bool,
}

/// What is paid beside the plan itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// A month.
    pub extra_seat: Dollars,
    /// For each thousand queries over the day's limit.
    pub thousand_queries: Dollars,
    /// For each 10⁹ bytes over the month's limit.
    pub gigabyte: Dollars,
    /// For 10⁹ bytes during a month of 720 hours.
    pub storage_gigabyte_month: Dollars,
    pub backup_gigabyte_month: Dollars,
    /// The smallest first.
    pub tiers: Vec<Tier>,
}

impl Prices {
    /// Of one node, for each started hour; `None` for a tier that is not offered.
    pub fn tier(&self, name: &str) -> Option<Dollars> {
        self.tiers.iter().find(|tier| tier.name == name).map(|tier| tier.hour)
    }
}

/// A size of databases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    pub name: String,
    /// Price of one node, for each started hour.
    pub hour: Dollars,
}

impl Terms {
    /// Without a price and without limits. What it says never changes: it is the plan of every
    /// organization whose log names none.
    pub fn unlimited() -> Arc<Self> {
        static TERMS: LazyLock<Arc<Terms>> = LazyLock::new(|| {
            Arc::new(Terms {
                plan: UNLIMITED.to_owned(),
                label: "Unlimited".to_owned(),
                description: Some("Everything, without a limit".to_owned()),
                monthly_price: Dollars::ZERO,
                annual_price: Some(Dollars::ZERO),
                trial_days: 0,
                suspend_after_trial: false,
                limits: Limits::default(),
                features: Features { sso: true, custom_domains: true },
                prices: Prices::built_in(),
            })
        });
        Arc::clone(&TERMS)
    }
}

impl Prices {
    /// Ten cents are 1 and a scale of 1.
    fn built_in() -> Self {
        let price = Dollars::new;
        let tier = |(name, hour): (&str, i64)| Tier { name: name.to_owned(), hour: price(hour, 4) };
        let tiers = [
            ("free", 0),
            ("micro", 278),
            ("small", 556),
            ("medium", 1111),
            ("large", 2083),
            ("xl", 4166),
            ("2xl", 6249),
            ("4xl", 12_499),
            ("8xl", 24_999),
        ];
        Self {
            extra_seat: price(1000, 2),
            thousand_queries: price(10, 2),
            gigabyte: price(20, 2),
            storage_gigabyte_month: price(10, 2),
            backup_gigabyte_month: price(5, 2),
            tiers: tiers.into_iter().map(tier).collect(),
        }
    }
}

/// Everything that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Which plan new organizations get.
    pub default_plan: String,
    /// In the order in which they are shown.
    pub plans: Vec<Terms>,
    /// Codes, in the order in which they are shown.
    pub regions: Vec<String>,
}

impl Catalogue {
    /// The one of an installation that says nothing of its own.
    pub fn built_in() -> Arc<Self> {
        static CATALOGUE: LazyLock<Arc<Catalogue>> = LazyLock::new(|| {
            let regions = ["fsn1", "nbg1", "hel1", "ash", "hil", "sin"];
            Arc::new(Catalogue {
                default_plan: UNLIMITED.to_owned(),
                plans: vec![starter(), pro(), scale(), (*Terms::unlimited()).clone()],
                regions: regions.map(str::to_owned).to_vec(),
            })
        });
        Arc::clone(&CATALOGUE)
    }

    pub fn plan(&self, name: &str) -> Option<&Terms> {
        self.plans.iter().find(|terms| terms.plan == name)
    }

    /// Every tier that some plan has, the smallest first.
    pub fn tiers(&self) -> Vec<&str> {
        let mut tiers = Vec::new();
        for tier in self.plans.iter().flat_map(|terms| &terms.prices.tiers) {
            if !tiers.contains(&tier.name.as_str()) {
                tiers.push(tier.name.as_str());
            }
        }
        tiers
    }

    /// What a new organization gets; `None` where that is what it has anyway.
    pub fn first_terms(&self) -> Option<&Terms> {
        self.plan(&self.default_plan).filter(|terms| **terms != *Terms::unlimited())
    }
}

const GIGABYTE: u64 = 1_000_000_000;

fn dear(plan: &str, label: &str, monthly: i64, annual: i64, limits: Limits) -> Terms {
    Terms {
        plan: plan.to_owned(),
        label: label.to_owned(),
        description: None,
        monthly_price: Dollars::new(monthly, 0),
        annual_price: Some(Dollars::new(annual, 0)),
        trial_days: 0,
        suspend_after_trial: false,
        limits,
        features: Features::default(),
        prices: Prices::built_in(),
    }
}

fn starter() -> Terms {
    let limits = Limits {
        queries_per_day: 50_000,
        bytes_per_month: 10 * GIGABYTE,
        projects: 5,
        databases: 3,
        connections: 20,
        query_shapes: 100,
        included_seats: 1,
        audit_retention_days: 7,
    };
    Terms { trial_days: 14, ..dear("starter", "Starter", 9, 90, limits) }
}

fn pro() -> Terms {
    let limits = Limits {
        queries_per_day: 250_000,
        bytes_per_month: 50 * GIGABYTE,
        projects: 20,
        databases: 10,
        connections: 100,
        query_shapes: 1000,
        included_seats: 3,
        audit_retention_days: 30,
    };
    dear("pro", "Pro", 29, 290, limits)
}

fn scale() -> Terms {
    let limits = Limits {
        queries_per_day: 2_000_000,
        bytes_per_month: 200 * GIGABYTE,
        projects: 100,
        databases: 50,
        connections: 500,
        query_shapes: 10_000,
        included_seats: 5,
        audit_retention_days: 90,
    };
    let features = Features { sso: true, custom_domains: true };
    Terms { features, ..dear("scale", "Scale", 99, 990, limits) }
}
