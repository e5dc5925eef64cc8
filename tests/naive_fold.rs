//! What the server says an organization was is what its export says, folded in the simplest way there
//! is: JSON in, JSON out, without a line of the product. After more has happened it still is.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::people::{Person, secret_of, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    each_moment_is_what_the_export_folds_to_and_stays_so
}

const ACME: &str = "/v1/organizations/acme";
const ROLES: [&str; 5] = ["owner", "admin", "developer", "member", "viewer"];
/// Random orders before the first look, and again before the second.
const ORDERS: usize = 45;
const SEED: u64 = 0x5eed_2026;

/// What a random life must hold, or nothing is shown by it.
const KINDS: [&str; 13] = [
    "organization.created",
    "organization.updated",
    "member.invited",
    "member.joined",
    "member.role_changed",
    "member.removed",
    "member.left",
    "invitation.resent",
    "invitation.canceled",
    "invitation.rejected",
    "api_key.created",
    "api_key.revoked",
    "settings.updated",
];

/// Everything that is compared, as it was after one event.
#[derive(Clone, Default)]
struct Folded {
    organization: Map<String, Value>,
    /// By the user.
    members: BTreeMap<String, Value>,
    invitations: BTreeMap<String, Value>,
    tokens: BTreeMap<String, Value>,
    settings: Map<String, Value>,
    at: String,
}

impl Folded {
    fn take(&mut self, exported: &Value) {
        let (line, personal) = (&exported["line"], &exported["personal"]);
        let (data, version) = (&line["data"], &line["version"]);
        self.at = words(&line["recorded_at"]);
        match line["type"].as_str().unwrap() {
            "organization.created" => self.is_created(line, personal),
            "organization.updated" => {
                take_changed(&mut self.organization, data, &["name", "country"]);
                take_opened(&mut self.organization, personal, "billing_email", Value::clone);
            }
            "member.invited" => {
                let invitation = json!({ "id": data["invitation"], "email": personal["email"],
                    "role": data["role"], "status": "pending", "expires_at": data["expires_at"],
                    "invited_by": line["actor"], "created_at": line["recorded_at"] });
                self.invitations.insert(words(&data["invitation"]), invitation);
            }
            "invitation.resent" => {
                let invitation = self.invitations.get_mut(&words(&data["invitation"])).unwrap();
                invitation["expires_at"] = data["expires_at"].clone();
                invitation["invited_by"] = line["actor"].clone();
            }
            "invitation.canceled" => self.ends(data, "canceled"),
            "invitation.rejected" => self.ends(data, "rejected"),
            "member.joined" => {
                self.ends(data, "accepted");
                let id = words(&line["id"]).replace("evt_", "mem_");
                let member = json!({ "id": id, "user_id": data["member"], "role": data["role"],
                    "joined_at": line["recorded_at"], "since": version });
                self.members.insert(words(&data["member"]), member);
            }
            "member.role_changed" => self.gives(&data["member"], &data["role"]["to"], version),
            "member.removed" | "member.left" => drop(self.members.remove(&words(&data["member"]))),
            "api_key.created" => self.token_begins(line, &data["token"]),
            "api_key.rotated" => {
                self.token_begins(line, &data["successor"]);
                let old = self.tokens.get_mut(&words(&data["token"])).unwrap();
                old["ends"] = data["previous_valid_until"].clone();
            }
            "api_key.revoked" => {
                self.tokens.get_mut(&words(&data["token"])).unwrap()["ends"] = json!("");
            }
            "settings.updated" => {
                let names: Vec<&str> =
                    data.as_object().unwrap().keys().map(String::as_str).collect();
                take_changed(&mut self.settings, data, &names);
                for name in ["ip_allowlist_descriptions", "controller"] {
                    let parsed = |text: &Value| {
                        text.as_str().map_or(Value::Null, |it| serde_json::from_str(it).unwrap())
                    };
                    take_opened(&mut self.settings, personal, name, parsed);
                }
            }
            "access.denied" => {}
            other => panic!("say here what `{other}` does"),
        }
    }

    fn is_created(&mut self, line: &Value, personal: &Value) {
        let (data, at) = (&line["data"], &line["recorded_at"]);
        for name in ["name", "slug", "country", "is_personal"] {
            self.organization.insert(name.to_owned(), data[name].clone());
        }
        self.organization.insert("id".to_owned(), data["organization"].clone());
        self.organization.insert("created_at".to_owned(), at.clone());
        self.organization.insert("billing_email".to_owned(), personal["billing_email"].clone());
        let id = words(&line["id"]).replace("evt_", "mem_");
        let owner = json!({ "id": id, "user_id": data["owner"], "role": "owner",
            "joined_at": at, "since": 0 });
        self.members.insert(words(&data["owner"]), owner);
        let settings = json!({ "require_2fa": false, "allowed_regions": [],
            "ip_allowlist_required": false, "ip_allowlist": [], "default_tier": "micro",
            "sso_enabled": false, "sso_enforced": false, "audit_retention_days": null,
            "controller": null, "ip_allowlist_descriptions": null });
        self.settings.clone_from(settings.as_object().unwrap());
    }

    fn ends(&mut self, data: &Value, status: &str) {
        let invitation = self.invitations.get_mut(&words(&data["invitation"])).unwrap();
        invitation["status"] = json!(status);
    }

    fn gives(&mut self, member: &Value, role: &Value, version: &Value) {
        let member = self.members.get_mut(&words(member)).unwrap();
        member["role"] = role.clone();
        member["since"] = version.clone();
    }

    fn token_begins(&mut self, line: &Value, id: &Value) {
        let data = &line["data"];
        let token = json!({ "id": id, "kind": data["kind"], "token_name": data["name"],
            "owner": data["owner"], "prefix": data["prefix"], "scopes": data["scopes"],
            "expires_at": data["expires_at"], "created_at": line["recorded_at"], "ends": null });
        self.tokens.insert(words(id), token);
    }

    /// As the server shows it: organization, members, invitations, tokens, settings.
    fn shown(&self) -> [Value; 5] {
        let owners = self.members.values().filter(|member| member["role"] == "owner");
        let owner = owners.min_by_key(|owner| owner["since"].as_u64()).unwrap();
        let mut organization = self.organization.clone();
        organization.insert("owner_id".to_owned(), owner["user_id"].clone());
        organization.insert("member_count".to_owned(), json!(self.members.len()));
        let mut settings = self.settings.clone();
        let descriptions = settings.remove("ip_allowlist_descriptions").unwrap();
        let networks = settings["ip_allowlist"].as_array().unwrap().iter().enumerate();
        let networks: Vec<Value> = networks
            .map(|(place, cidr)| json!({ "cidr": cidr, "description": descriptions[place] }))
            .collect();
        settings.insert("ip_allowlist".to_owned(), json!(networks));
        let members = self.members.clone().into_values().map(|member| without(member, "since"));
        let tokens = self.tokens.clone().into_values().map(|token| {
            // times of one form are in the order of their texts
            let is_before = |end: &Value| end.as_str().is_none_or(|end| self.at.as_str() < end);
            let is_active = is_before(&token["ends"]) && is_before(&token["expires_at"]);
            let mut token = without(token, "ends");
            token["is_active"] = json!(is_active);
            token
        });
        [
            Value::Object(organization),
            members.collect(),
            self.invitations.values().cloned().collect(),
            tokens.collect(),
            Value::Object(settings),
        ]
    }
}

fn without(mut value: Value, name: &str) -> Value {
    value.as_object_mut().unwrap().remove(name);
    value
}

fn take_changed(place: &mut Map<String, Value>, data: &Value, names: &[&str]) {
    for name in names {
        if let Some(to) = data[name].get("to") {
            place.insert((*name).to_owned(), to.clone());
        }
    }
}

/// A personal value that changed has an old or a new one.
fn take_opened(
    place: &mut Map<String, Value>,
    personal: &Value,
    name: &str,
    read: impl Fn(&Value) -> Value,
) {
    let [from, to] = ["from", "to"].map(|end| personal.get(format!("{name}.{end}")));
    if from.is_some() || to.is_some() {
        place.insert(name.to_owned(), to.map_or(Value::Null, read));
    }
}

/// What the export folds to after each event.
async fn folded(ana: &Person) -> Vec<[Value; 5]> {
    let answer = ana.gets(&format!("{ACME}/audit-log/export")).answer().await.expect(200);
    let mut now = Folded::default();
    let mut moments = Vec::new();
    for line in str::from_utf8(&answer.bytes).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["kind"] == "event" {
            assert_eq!(line["line"]["version"], moments.len());
            now.take(&line);
            moments.push(now.shown());
        }
    }
    moments
}

/// What the server shows of a version, with the members of `like` only.
async fn shown_at(ana: &Person, version: usize, like: &[Value; 5]) -> [Value; 5] {
    let read = async |what: &str| {
        let separator = if what.contains('?') { '&' } else { '?' };
        let answer = ana.gets(&format!("{ACME}{what}{separator}as_of={version}")).answer().await;
        let answer = answer.expect(200);
        assert_eq!(answer.header("as-of-version"), Some(version.to_string().as_str()));
        answer.body()
    };
    let list = async |plural: &str, key: &str, like: &Value| {
        let body = read(&format!("/{plural}?page_size=100")).await;
        let mut items = body[plural].as_array().unwrap().clone();
        items.sort_by_key(|item| words(&item[key]));
        assert!(body.get("next_page_token").is_none(), "a page holds all of them");
        items.iter().map(|item| narrowed(item, &like[0])).collect::<Value>()
    };
    [
        narrowed(&read("").await, &like[0]),
        list("members", "user_id", &like[1]).await,
        list("invitations", "id", &like[2]).await,
        list("tokens", "id", &like[3]).await,
        narrowed(&read("/settings").await, &like[4]),
    ]
}

fn narrowed(value: &Value, like: &Value) -> Value {
    let Some(like) = like.as_object() else { return value.clone() };
    let value = value.as_object().unwrap();
    like.keys().map(|name| (name.clone(), value.get(name).cloned().unwrap_or_default())).collect()
}

/// `SplitMix64`: the same numbers for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.below(items.len())) }
    }
}

struct Life {
    ana: Person,
    others: Vec<Person>,
    dice: Dice,
    number: usize,
}

impl Life {
    /// One random order. It may be refused, as orders are.
    async fn goes_on(&mut self) {
        self.number += 1;
        let number = self.number;
        let is_even = number.is_multiple_of(2);
        let order = self.dice.below(12);
        let other = self.dice.of(&self.others).unwrap().clone();
        let role = *self.dice.of(&ROLES).unwrap();
        let ana = self.ana.clone();
        let ids = async |plural: &str| -> Vec<String> {
            let all = ana.pages(&format!("{ACME}/{plural}?page_size=100"), plural).await;
            all.iter().map(|item| words(&item["id"])).collect()
        };
        let ask = match order {
            0 | 1 => {
                let sent = ana.invite("acme", &other.email, role).answer().await;
                if sent.status == 201 && order == 0 {
                    other.accepts(&secret_of(&sent.body())).await;
                } else if sent.status == 201 && self.dice.below(2) == 0 {
                    other.declines(&secret_of(&sent.body())).await;
                }
                return;
            }
            2 => ana.invite("acme", &format!("nobody-{number}@example.org"), role),
            3 | 4 => {
                let invitations = ids("invitations").await;
                let Some(id) = self.dice.of(&invitations) else { return };
                let path = format!("{ACME}/invitations/{id}");
                if order == 3 {
                    ana.posts(&format!("{path}/resend"), &json!({}))
                } else {
                    ana.deletes(&path)
                }
            }
            5 => ana.patches(&other.as_member_of("acme").await, &json!({ "role": role })),
            6 if self.dice.below(2) == 0 => ana.deletes(&other.as_member_of("acme").await),
            6 => other.posts(&format!("{ACME}/leave"), &json!({})),
            7 => {
                let kind = *self.dice.of(&["personal", "organization"]).unwrap();
                let by = if kind == "personal" { &other } else { &ana };
                let expiry = if self.dice.below(2) == 0 { json!("90d") } else { Value::Null };
                let mut body = json!({ "token_name": format!("token {number}"), "kind": kind,
                    "scopes": ["members:read", "org:write"] });
                if !expiry.is_null() {
                    body["expires_in"] = expiry;
                }
                by.posts(&format!("{ACME}/tokens"), &body)
            }
            8 => {
                let tokens = ids("tokens").await;
                let Some(id) = self.dice.of(&tokens) else { return };
                if self.dice.below(2) == 0 {
                    ana.deletes(&format!("{ACME}/tokens/{id}"))
                } else {
                    ana.posts(&format!("{ACME}/tokens/{id}/rotate"), &json!({ "overlap": "1h" }))
                }
            }
            9 | 10 => {
                let of_retention = [json!(30), json!(365), Value::Null];
                let description = if is_even { json!("office") } else { Value::Null };
                let settings = [
                    json!({ "default_tier": "large" }),
                    json!({ "default_tier": "micro", "sso_enabled": is_even }),
                    json!({ "allowed_regions": ["fsn1", "hel1"] }),
                    json!({ "allowed_regions": [] }),
                    json!({ "audit_retention_days": self.dice.of(&of_retention) }),
                    json!({ "ip_allowlist": [{ "cidr": "127.0.0.0/8" },
                        { "cidr": format!("10.{}.0.0/16", number % 200), "description": description }] }),
                    json!({ "controller": { "legal_name": format!("Acme {number}"), "dpo": "none" } }),
                    json!({ "controller": null }),
                ];
                let settings = self.dice.of(&settings).unwrap();
                ana.patches(&format!("{ACME}/settings"), settings)
            }
            _ => {
                let changes = [
                    json!({ "name": format!("Acme {number}") }),
                    json!({ "billing_email": format!("billing-{number}@acme.com") }),
                    json!({ "billing_email": null }),
                    json!({ "country": if is_even { "DE" } else { "AT" } }),
                ];
                ana.patches(ACME, self.dice.of(&changes).unwrap())
            }
        };
        let answer = ask.answer().await;
        assert!(answer.status < 500, "{answer:?}");
        let odd = [400, 415, 422];
        assert!(!odd.contains(&answer.status), "the order can be understood: {answer:?}");
    }
}

async fn each_moment_is_what_the_export_folds_to_and_stays_so(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let mut others = Vec::new();
    for name in ["ben", "cleo", "dan", "eve"] {
        others.push(Person::registers(&node, name).await);
    }
    ana.creates("acme").await;
    let mut life = Life { ana: ana.clone(), others, dice: Dice(SEED), number: 0 };
    let mut known: Vec<[Value; 5]> = Vec::new();
    for _ in 0..2 {
        for _ in 0..ORDERS {
            life.goes_on().await;
        }
        let moments = folded(&ana).await;
        assert!(moments.len() > known.len() + ORDERS / 3, "much has happened: {}", moments.len());
        for (version, expected) in moments.iter().enumerate() {
            assert_eq!(shown_at(&ana, version, expected).await, *expected, "version {version}");
        }
        assert_eq!(moments[..known.len()], known, "what was stays as it was");
        known = moments;
    }
    let mut unseen: Vec<&str> = KINDS.to_vec();
    let happened = ana.history("acme").await;
    unseen.retain(|kind| !happened.iter().any(|action| action == kind));
    assert!(unseen.is_empty(), "{unseen:?} never happened: choose another seed");
}
