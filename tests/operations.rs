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
    pub(crate) stated: Stated,
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

const FRAMEWORK: &str = "soc2";

fn function() -> Value {
    json!({ "kind": "dora_function", "name": "Payments", "critical_or_important": true })
}

const ACTIVE: &str = "/v1/organization";
const NAMED: &str = "/v1/organizations/{org}";
/// What the document calls one way and old clients another: method, the one name, the other.
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
                "time": "2026-01-31T09:30:00Z", "data": { "database_id": "db", "value": 1 },
            }])),
            "PUT /plan" => Some(json!({ "plan": "scale" })),
            "PUT /seats" => Some(json!({ "extra_seats": 5 })),
            "PUT /spend-limit" => Some(json!({ "spend_limit": 100.5 })),
            "POST /payment-methods" => Some(json!({ "provider": "manual" })),
            "POST /compliance-reports" => Some(json!({ "framework": FRAMEWORK })),
            "PUT /compliance-subscriptions/{framework}"
            | "DELETE /compliance-subscriptions/{framework}"
            | "DELETE /declarations/{declaration}"
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
        let Places { org, member, invitation, event, token, payment_method, stated, packet } =
            places;
        let named = [
            ("{org}", org),
            ("{member}", member),
            ("{invitation}", invitation),
            ("{event_id}", event),
            ("{token}", token),
            ("{payment_method}", payment_method),
            ("{declaration}", &stated.declaration),
            ("{incident}", &stated.incident),
            ("{review}", &stated.review),
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
