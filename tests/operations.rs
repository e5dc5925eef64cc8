//! What the server's own document says it can do to an organization, with bodies that are valid for
//! each of them: an operation that is not known here fails the tests that go through all of them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::people::{Ask, PASSWORD, Person, words};
use crate::server::Node;

/// One thing that can be done to an organization.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// Where it is asked for, with names in braces.
    pub(crate) path: String,
    /// As the document writes that.
    documented: String,
}

/// What the names in a path stand for.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Slug or id; in the header where the path has no place for it.
    pub(crate) org: String,
    /// A user's id.
    pub(crate) member: String,
    pub(crate) invitation: String,
    pub(crate) event: String,
    /// A key of the organization.
    pub(crate) token: String,
    /// Empty where none is asked for.
    pub(crate) payment_method: String,
    /// The draft of the month.
    pub(crate) invoice: String,
    pub(crate) stated: Stated,
    pub(crate) holdings: Holdings,
    /// A packet of the framework that the organization subscribes to; empty where none is asked for.
    pub(crate) packet: String,
}

/// What members have stated: a function, an incident that is classified, and a review in which
/// everything is decided. Empty where nothing of it is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stated {
    pub(crate) declaration: String,
    pub(crate) incident: String,
    pub(crate) review: String,
}

impl Stated {
    pub(crate) async fn by(ana: &Person, slug: &str) -> Self {
        let of = |path: &str| format!("/v1/organizations/{slug}/{path}");
        let state = async |path: &str, body: &Value, status: u16| {
            ana.posts(&of(path), body).answer().await.expect(status).body()
        };
        let declaration = state("declarations", &function(), 201).await;
        let incident = state("incidents", &json!({ "title": "Outage" }), 201).await;
        let incident = words(&incident["id"]);
        state(&format!("incidents/{incident}/classify"), &json!({ "is_major": true }), 200).await;
        let review = state("access-reviews", &json!({}), 201).await;
        let items = review["items"].as_array().expect("there are members");
        let keep = |it: &Value| json!({ "item": it["item"], "decision": "keep" });
        let decisions: Vec<Value> = items.iter().map(keep).collect();
        let review = words(&review["id"]);
        let decisions = json!({ "decisions": decisions });
        state(&format!("access-reviews/{review}/decide"), &decisions, 200).await;
        Self { declaration: words(&declaration["id"]), incident, review }
    }
}

/// What an organization holds: a project with a domain and a cache rule, and a running database with
/// one of everything. Empty where nothing of it is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings {
    pub(crate) project: String,
    pub(crate) domain: String,
    pub(crate) cache_rule: String,
    pub(crate) database: String,
    pub(crate) user: String,
    /// It has ended.
    pub(crate) backup: String,
    pub(crate) rule: String,
    pub(crate) alert: String,
    pub(crate) pipeline: String,
    /// A lease on a connection to the database.
    pub(crate) connection: String,
}

impl Holdings {
    /// `provisioner` has the credential of those who run databases.
    pub(crate) async fn of(ana: &Person, provisioner: &Person, slug: &str) -> Self {
        Self::named_in(None, ana, provisioner, slug).await
    }

    /// Of a path only what it names: making everything each time would take longer than the test.
    pub(crate) async fn named_in(
        path: Option<&str>,
        ana: &Person,
        provisioner: &Person,
        slug: &str,
    ) -> Self {
        let is_about_connections = path.is_some_and(|path| path.contains("/connections"));
        let is_named = |name: &str| {
            let is_needed = is_about_connections && name == "database";
            is_needed || path.is_none_or(|path| path.contains(&format!("{{{name}}}")))
        };
        let make = async |name: &str, place: &str, body: &Value| {
            if !is_named(name) {
                return String::new();
            }
            let path = format!("/v1/organizations/{slug}/{place}");
            words(&ana.posts(&path, body).answer().await.expect(201).body()["id"])
        };
        let project = make("project", "projects", &json!({ "name": "Shop" })).await;
        let database = make("database", "databases", &database("orders")).await;
        if is_named("database") {
            provisioner.reports(&database, &json!({ "status": "running" })).await.expect(200);
        }
        let of_project = |part: &str| format!("projects/{project}/{part}");
        let of_database = |part: &str| format!("databases/{database}/{part}");
        let backup = make("backup", &of_database("backups"), &json!({})).await;
        if is_named("backup") {
            let ended = json!({ "id": backup, "status": "succeeded", "size_bytes": 7 });
            provisioner.reports(&database, &json!({ "backups": [ended] })).await.expect(200);
        }
        let user = json!({ "username": "app" });
        let to_database = json!({ "database_id": database });
        Self {
            connection: make("connection", "connections", &to_database).await,
            domain: make("domain", &of_project("domains"), &domain("db.example.com")).await,
            cache_rule: make("cache_rule", &of_project("cache-rules"), &cache_rule()).await,
            user: make("user", &of_database("users"), &user).await,
            rule: make("rule", &of_database("ip-allowlist"), &network("192.0.2.0/24")).await,
            alert: make("alert", &of_database("alerts"), &alert("disk")).await,
            pipeline: make("pipeline", &of_database("pipelines"), &pipeline("nightly")).await,
            project,
            database,
            backup,
        }
    }
}

/// The body of a request for a database.
pub(crate) fn database(name: &str) -> Value {
    json!({ "name": name, "database_type": "postgresql", "region": "fsn1", "storage_gb": 10 })
}

fn domain(hostname: &str) -> Value {
    json!({ "hostname": hostname })
}

fn cache_rule() -> Value {
    json!({ "query_shape": "a3f5", "ttl_seconds": 60 })
}

fn network(cidr: &str) -> Value {
    json!({ "cidr": cidr })
}

fn alert(name: &str) -> Value {
    json!({ "name": name, "metric": "storage_percent", "comparison": "above", "threshold": 80 })
}

fn pipeline(name: &str) -> Value {
    json!({ "name": name, "source": "orders", "target": "warehouse" })
}

/// Subscribes to a framework, and has a packet made.
pub(crate) async fn has_packet_made(ana: &Person, slug: &str) -> String {
    let subscription = format!("/v1/organizations/{slug}/compliance-subscriptions/{FRAMEWORK}");
    ana.puts(&subscription, &json!({})).answer().await.expect(200);
    let wanted = json!({ "framework": FRAMEWORK });
    let reports = format!("/v1/organizations/{slug}/compliance-reports");
    words(&ana.posts(&reports, &wanted).answer().await.expect(201).body()["report_id"])
}

/// Takes a plan that counts seats.
pub(crate) async fn takes_a_plan(ana: &Person, slug: &str) {
    let plan = format!("/v1/organizations/{slug}/plan");
    ana.puts(&plan, &json!({ "plan": "scale" })).answer().await.expect(200);
}

/// Adds a payment method.
pub(crate) async fn has_payment_method(ana: &Person, slug: &str) -> String {
    let methods = format!("/v1/organizations/{slug}/payment-methods");
    let added = ana.posts(&methods, &json!({ "provider": "manual" })).answer().await.expect(201);
    words(&added.body()["id"])
}

/// The draft of the month.
pub(crate) async fn draft_of(ana: &Person, slug: &str) -> String {
    let invoices = ana.gets(&format!("/v1/organizations/{slug}/invoices")).answer().await;
    words(&invoices.expect(200).body()["invoices"][0]["id"])
}

const FRAMEWORK: &str = "soc2";

fn function() -> Value {
    json!({ "kind": "dora_function", "name": "Payments", "critical_or_important": true })
}

const ACTIVE: &str = "/v1/organization";
const NAMED: &str = "/v1/organizations/{org}";
/// What the document calls one way and old clients another: method, the one name, the other. Paths that
/// are written anew before a route is looked for (`other_name.rs`) are not among them: they have no
/// route of their own that could behave otherwise.
const OTHER_NAMES: [(Option<Method>, &str, &str); 2] =
    [(None, "/invitations", "/invites"), (Some(Method::POST), "/invitations", "/members")];

/// Every operation on one organization, in the document's order.
pub(crate) async fn of_organizations(node: &Node) -> Vec<Operation> {
    let document = Person::stranger(node).gets("/openapi.json").answer().await.expect(200).body();
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("there are paths") {
        let is_active = path == ACTIVE || path.starts_with(&format!("{ACTIVE}/"));
        if !is_active && !path.starts_with(NAMED) {
            continue;
        }
        for (method, operation) in methods.as_object().expect("a path has methods") {
            assert!(!words(&operation["operationId"]).is_empty());
            let method = method.to_uppercase().parse().expect("it is a method");
            found.push(Operation { method, path: path.clone(), documented: path.clone() });
        }
    }
    found
}

impl Operation {
    pub(crate) fn is_active(&self) -> bool {
        !self.documented.starts_with(NAMED)
    }

    /// The same by every name that the document does not list.
    pub(crate) fn by_other_names(&self) -> Vec<Self> {
        let mut paths = vec![self.path.clone()];
        for (method, name, other) in OTHER_NAMES {
            // what is called otherwise for one method only is the collection
            let is_called_so = match method {
                Some(method) => self.method == method && self.path.ends_with(name),
                None => self.path.contains(name),
            };
            if is_called_so {
                paths.push(self.path.replace(name, other));
            }
        }
        let unversioned: Vec<String> =
            paths.iter().filter_map(|path| path.strip_prefix("/v1")).map(str::to_owned).collect();
        paths.extend(unversioned);
        let with_slash: Vec<String> = paths.iter().map(|path| format!("{path}/")).collect();
        paths.extend(with_slash);
        let mut others: Vec<Self> =
            paths.into_iter().skip(1).map(|path| Self { path, ..self.clone() }).collect();
        if self.method == Method::GET {
            others.push(Self { method: Method::HEAD, ..self.clone() });
        }
        others
    }

    /// What it does, whichever way the organization is named.
    fn what(&self) -> String {
        let path = &self.documented;
        let rest = path.strip_prefix(NAMED).or(path.strip_prefix(ACTIVE));
        format!("{} {}", self.method, rest.expect("it is about an organization"))
    }

    /// A body with which somebody who may do it succeeds.
    pub(crate) fn valid_body(&self, places: &Places) -> Option<Value> {
        let invitation = json!({ "email": "new@example.org", "role": "viewer" });
        match self.what().as_str() {
            "PATCH " => Some(json!({ "name": "Acme Two" })),
            "DELETE " => Some(json!({ "confirm": places.org })),
            "PATCH /members/{member}" => Some(json!({ "role": "member" })),
            "POST /leave" => Some(json!({})),
            "POST /transfer" => {
                Some(json!({ "new_owner_id": places.member, "password": PASSWORD }))
            }
            "PATCH /settings" | "POST /settings/preview" => Some(json!({ "require_2fa": true })),
            "POST /invitations" => Some(invitation),
            "POST /invitations/bulk" => Some(json!({ "invitations": [invitation] })),
            "POST /tokens" => Some(json!({ "token_name": "new", "kind": "organization" })),
            "POST /declarations" => Some(json!({ "kind": "dora_role", "role": "none" })),
            "PUT /declarations/{declaration}" => Some(function()),
            "POST /incidents" => Some(json!({ "title": "Outage" })),
            "POST /incidents/{incident}/classify" => Some(json!({ "is_major": false })),
            "POST /incidents/{incident}/report" => Some(json!({ "stage": "initial" })),
            "POST /incidents/{incident}/close" => {
                Some(json!({ "cause": "human_error", "root_cause": "the wrong switch" }))
            }
            "POST /access-reviews/{review}/decide" => {
                Some(json!({ "decisions": [{ "item": places.member, "decision": "remove" }] }))
            }
            "POST /restore-tests" => {
                Some(json!({ "scope": "mail", "result": "failed", "duration_seconds": 60 }))
            }
            "POST /usage/events" => Some(json!([{
                "specversion": "1.0", "id": "1", "source": "proxy", "type": "queries",
                "time": "2026-01-31T09:30:00Z", "data": { "database_id": places.holdings.database, "value": 1 },
            }])),
            "POST /connections" => Some(json!({ "database_id": places.holdings.database })),
            "POST /projects" => Some(json!({ "name": "New" })),
            "PATCH /projects/{project}" => Some(json!({ "name": "Other" })),
            "POST /projects/{project}/domains" => Some(domain("new.example.com")),
            "POST /projects/{project}/cache-rules"
            | "PUT /projects/{project}/cache-rules/{cache_rule}" => Some(cache_rule()),
            "POST /databases" => Some(database("new")),
            "PATCH /databases/{database}" => Some(json!({ "name": "other" })),
            "POST /databases/{database}/resize" => Some(json!({ "tier": "small" })),
            "POST /databases/{database}/users" => Some(json!({ "username": "new" })),
            "PUT /databases/{database}/backup-schedule" => {
                Some(json!({ "enabled": true, "interval_hours": 24, "retention_days": 7 }))
            }
            "POST /databases/{database}/ip-allowlist" => Some(network("198.51.100.0/24")),
            "PATCH /databases/{database}/ip-allowlist" => Some(json!({ "enabled": true })),
            "POST /databases/{database}/alerts" => Some(alert("new")),
            "PUT /databases/{database}/alerts/{alert}" => Some(alert("other")),
            "POST /databases/{database}/pipelines" => Some(pipeline("new")),
            "PUT /databases/{database}/pipelines/{pipeline}" => Some(pipeline("other")),
            "PUT /plan" => Some(json!({ "plan": "scale" })),
            "PUT /seats" => Some(json!({ "extra_seats": 5 })),
            "PUT /spend-limit" => Some(json!({ "spend_limit": 100.5 })),
            "POST /invoices/{invoice}/pay" => Some(json!({ "reference": "transfer" })),
            "POST /payment-methods" => Some(json!({ "provider": "manual" })),
            "POST /compliance-reports" => Some(json!({ "framework": FRAMEWORK })),
            "PUT /compliance-subscriptions/{framework}"
            | "DELETE /compliance-subscriptions/{framework}"
            | "DELETE /declarations/{declaration}"
            | "DELETE /projects/{project}"
            | "DELETE /projects/{project}/domains/{domain}"
            | "DELETE /projects/{project}/cache-rules/{cache_rule}"
            | "DELETE /databases/{database}"
            | "PUT /connections/{connection}"
            | "DELETE /connections/{connection}"
            | "POST /databases/{database}/start"
            | "POST /databases/{database}/stop"
            | "POST /databases/{database}/backups"
            | "POST /databases/{database}/users/{user}/reveal-password"
            | "POST /databases/{database}/users/{user}/reset-password"
            | "DELETE /databases/{database}/users/{user}"
            | "DELETE /databases/{database}/backups/{backup}"
            | "DELETE /databases/{database}/ip-allowlist/{rule}"
            | "DELETE /databases/{database}/alerts/{alert}"
            | "DELETE /databases/{database}/pipelines/{pipeline}"
            | "POST /declarations/{declaration}/review"
            | "POST /incidents/{incident}/recover"
            | "POST /access-reviews"
            | "POST /access-reviews/{review}/complete"
            | "POST /invitations/{invitation}/resend"
            | "POST /tokens/{token}/rotate"
            | "DELETE /tokens/{token}"
            | "DELETE /payment-methods/{payment_method}"
            | "DELETE /invitations/{invitation}"
            | "DELETE /members/{member}" => None,
            what => {
                let is_read = what.starts_with("GET ") || what.starts_with("HEAD ");
                assert!(is_read, "say here with which body `{what}` succeeds");
                None
            }
        }
    }

    /// Whether it is about something that members have stated.
    pub(crate) fn is_about_a_statement(&self) -> bool {
        ["{declaration}", "{incident}", "{review}"].iter().any(|name| self.path.contains(name))
    }

    /// Whether it is about a project, a database or connections to one.
    pub(crate) fn is_about_a_holding(&self) -> bool {
        ["{project}", "{database}", "/connections"].iter().any(|name| self.path.contains(name))
    }

    pub(crate) fn is_about_a_payment_method(&self) -> bool {
        self.path.contains("{payment_method}")
    }

    /// Whether it takes a plan that counts seats.
    pub(crate) fn is_about_seats(&self) -> bool {
        self.path.ends_with("/seats")
    }

    /// Whether it is about frameworks and packets.
    pub(crate) fn is_about_evidence(&self) -> bool {
        self.path.contains("/compliance-")
    }

    /// Where it is done.
    pub(crate) fn path_at(&self, places: &Places) -> String {
        let Places {
            org,
            member,
            invitation,
            event,
            token,
            payment_method,
            invoice,
            stated,
            holdings,
            packet,
        } = places;
        let named = [
            ("{org}", org),
            ("{member}", member),
            ("{invitation}", invitation),
            ("{event_id}", event),
            ("{token}", token),
            ("{payment_method}", payment_method),
            ("{invoice}", invoice),
            ("{declaration}", &stated.declaration),
            ("{incident}", &stated.incident),
            ("{review}", &stated.review),
            ("{project}", &holdings.project),
            ("{domain}", &holdings.domain),
            ("{cache_rule}", &holdings.cache_rule),
            ("{database}", &holdings.database),
            ("{user}", &holdings.user),
            ("{backup}", &holdings.backup),
            ("{rule}", &holdings.rule),
            ("{alert}", &holdings.alert),
            ("{pipeline}", &holdings.pipeline),
            ("{connection}", &holdings.connection),
            ("{framework}", &FRAMEWORK.to_owned()),
            ("{report_id}", packet),
            ("{name}", &"checkpoint".to_owned()),
        ];
        let path =
            named.iter().fold(self.path.clone(), |path, (name, value)| path.replace(name, value));
        assert!(!path.contains('{'), "say here what the names in `{path}` stand for");
        path
    }

    /// Somebody's request for it, with this added to the path.
    pub(crate) fn asked_by(&self, who: &Person, places: &Places, added: &str) -> Ask {
        let ask = who.asks(self.method.clone(), &format!("{}{added}", self.path_at(places)));
        if self.is_active() { ask.with("x-active-org-id", &places.org) } else { ask }
    }
}
