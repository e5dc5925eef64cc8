//! What it takes to bill: 50 databases over 24 months of the test clock. Each month is closed with its
//! invoice, which must take well under a second, and the costs so far are asked for, which must not
//! take longer the longer the organization lives.

use std::path::Path;
use std::time::{Duration, Instant};

use events::time::Time;
use reqwest::Method;
use rounds::say;
use serde_json::{Value, json};
use server::{Owner, Server};
use tokio::runtime::Runtime;

#[expect(dead_code, reason = "these rounds are months")]
mod rounds;
#[expect(dead_code, reason = "other benches ask more of it")]
mod server;

const DATABASES: usize = 50;
const MONTHS: usize = 24;
const ASKED: u32 = 50;
const EMAIL: &str = "owner@example.org";

fn main() {
    let runtime = Runtime::new().expect("a runtime starts");
    let data = tempfile::tempdir().expect("a folder can be made");
    let server = Server::start_with(data.path(), &[("CHANCERY_TEST_CLOCK", "on")]);
    runtime.block_on(measure(&server, data.path()));
}

async fn measure(server: &Server, data: &Path) {
    let token = std::fs::read_to_string(data.join("operator.token")).expect("it was made");
    let owner = server.registers(EMAIL).await;
    let operator = Owner { token: token.trim().to_owned(), ..owner.clone() };
    founded(server, &owner, &operator).await;

    say("\n50 databases, month by month: milliseconds");
    say(&format!(
        "{:>5} {:>14} {:>18} {:>8}",
        "month", "closing it", "GET /billing/usage", "lines"
    ));
    let mut first = None;
    for month in 1..=MONTHS {
        let until = server.now().await;
        let to_end = until.until(until.month().1) + Duration::from_secs(3599);
        advance(server, &operator, to_end).await;
        let closing = Instant::now();
        advance(server, &operator, Duration::from_secs(2)).await;
        let closing = closing.elapsed();

        let owner = signed_in(server, &owner).await;
        let asking = Instant::now();
        for _ in 0..ASKED {
            server.asks(Method::GET, "/v1/organizations/acme/billing/usage", &owner, None).await;
        }
        let asking = asking.elapsed() / ASKED;
        let lines = billed(server, &owner, month).await;
        let first = *first.get_or_insert(asking);
        if month == 1 || month % 6 == 0 {
            let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
            say(&format!(
                "{month:>5} {:>14.1} {:>10.2} ({:.2}×) {lines:>8}",
                milliseconds(closing),
                milliseconds(asking),
                asking.as_secs_f64() / first.as_secs_f64(),
            ));
        }
    }
}

/// An organization on a plan that is paid, with its databases running.
async fn founded(server: &Server, owner: &Owner, operator: &Owner) {
    let organization = json!({ "name": "Acme", "slug": "acme" });
    server.asks(Method::POST, "/v1/organizations", owner, Some(&organization)).await;
    let at = |path: &str| format!("/v1/organizations/acme/{path}");
    let pays = json!({ "provider": "manual" });
    server.asks(Method::POST, &at("payment-methods"), owner, Some(&pays)).await;
    let plan = json!({ "plan": "scale" });
    server.asks(Method::PUT, &at("plan"), owner, Some(&plan)).await;
    for number in 0..DATABASES {
        let database = json!({
            "name": format!("database-{number}"), "database_type": "postgresql",
            "region": "fsn1", "tier": "small", "storage_gb": 20,
        });
        let made = server.asks(Method::POST, &at("databases"), owner, Some(&database)).await;
        let id = made["id"].as_str().expect("it has an id");
        let path = format!("/v1/provisioner/databases/{id}/status");
        let running = json!({ "status": "running" });
        server.asks(Method::POST, &path, operator, Some(&running)).await;
    }
}

async fn advance(server: &Server, operator: &Owner, span: Duration) {
    let body = json!({ "advance": format!("{}s", span.as_secs().max(1)) });
    server.asks(Method::POST, "/v1/admin/clock", operator, Some(&body)).await;
}

/// Sessions do not last for months.
async fn signed_in(server: &Server, owner: &Owner) -> Owner {
    let body = json!({ "email": EMAIL, "password": "a long enough phrase" });
    let nobody = Owner { token: String::new(), ..owner.clone() };
    let answer = server.asks(Method::POST, "/v1/auth/login", &nobody, Some(&body)).await;
    Owner { token: answer["token"].as_str().expect("it is text").to_owned(), ..owner.clone() }
}

/// The lines of the newest invoice, of which there must be one for each month.
async fn billed(server: &Server, owner: &Owner, months: usize) -> usize {
    let path = "/v1/organizations/acme/invoices";
    let list = server.asks(Method::GET, &format!("{path}?page_size=100"), owner, None).await;
    let invoices: Vec<&Value> = list["invoices"].as_array().expect("it is a list").iter().collect();
    assert_eq!(invoices.len(), months + 1, "one for each month, and the draft");
    let id = invoices[1]["id"].as_str().expect("it has an id");
    let invoice = server.asks(Method::GET, &format!("{path}/{id}"), owner, None).await;
    invoice["lines"].as_array().expect("it has lines").len()
}

impl Server {
    /// What its clock shows.
    async fn now(&self) -> Time {
        let answer = self.client.get(format!("{}/livez", self.url)).send().await;
        let answer = answer.expect("the server answers");
        let shown = answer.headers().get("test-clock").expect("every answer tells the time");
        shown.to_str().expect("it is text").parse().expect("it is a time")
    }
}
