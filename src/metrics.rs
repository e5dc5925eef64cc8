//! What an operator watches, in Prometheus' text format 0.0.4. Labels are closed sets: templates of
//! routes, names of read models, codes. Nothing personal, and nothing of one organization.
//!
//! Counters are moved where things happen, without any allocation; where the stores stand is asked
//! when somebody looks.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::event_log::{AppendError, Appended};
use crate::readiness::Readiness;
use crate::{App, readiness};

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Of HTTP's semantic conventions, in seconds.
const SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// What is counted while the program runs.
pub(crate) struct Metrics {
    registry: Registry,
    requests: HistogramVec,
    refusals: IntCounterVec,
    queue_refusals: IntCounterVec,
    appends: IntCounterVec,
    events: IntCounter,
    append_seconds: Histogram,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let registry = Registry::new();
        let histogram =
            |name: &str, help: &str| HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        let requests = histogram(
            "http_server_request_duration_seconds",
            "Requests by what they asked for, with the time until the answer's head.",
        );
        let labels = ["http_request_method", "http_route", "http_response_status_class"];
        let append_seconds = histogram(
            "chancery_append_duration_seconds",
            "Appends to the event log, with the time until it answered.",
        );
        let this = Self {
            requests: registered(&registry, HistogramVec::new(requests, &labels)),
            refusals: counters(
                &registry,
                "chancery_refusals_total",
                "Requests that were refused, by the code of the problem.",
                "code",
            ),
            queue_refusals: counters(
                &registry,
                "chancery_queue_refusals_total",
                "What found no place in a full queue.",
                "queue",
            ),
            appends: counters(
                &registry,
                "chancery_appends_total",
                "Appends to the event log by their outcome; after a conflict a command is decided \
                 anew.",
                "outcome",
            ),
            events: registered(
                &registry,
                IntCounter::new(
                    "chancery_events_appended_total",
                    "Events that this node has appended to the log.",
                ),
            ),
            append_seconds: registered(&registry, Histogram::with_opts(append_seconds)),
            registry,
        };
        let version = [env!("CARGO_PKG_VERSION")];
        gauges(&this.registry, "chancery_build_info", "The version that runs.", "version")
            .with_label_values(&version)
            .set(1);
        for outcome in ["written", "conflict", "rejected", "not_written", "unknown"] {
            this.appends.with_label_values(&[outcome]);
        }
        this
    }

    /// Counts an answer. `route` is the template that matched, if one did.
    pub(crate) fn answered(
        &self,
        method: &Method,
        route: Option<&str>,
        status: StatusCode,
        took: Duration,
    ) {
        let method = match *method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            _ => "other",
        };
        let class = match status.as_u16() {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        let route = route.map_or("unknown", |route| route.strip_prefix("/v1").unwrap_or(route));
        self.requests.with_label_values(&[method, route, class]).observe(took.as_secs_f64());
    }

    /// Counts a refusal by the code of its problem.
    pub(crate) fn refused(&self, code: &'static str) {
        self.refusals.with_label_values(&[code]).inc();
    }

    /// Counts what finds no place in this queue.
    pub(crate) fn full(&self, queue: &'static str) -> IntCounter {
        self.queue_refusals.with_label_values(&[queue])
    }

    /// Counts an append of so many events.
    pub(crate) fn appended(
        &self,
        outcome: &Result<Appended, AppendError>,
        events: u64,
        took: Duration,
    ) {
        let outcome = match outcome {
            Ok(appended) => {
                self.events.inc_by(if appended.replayed { 0 } else { events });
                "written"
            }
            Err(AppendError::Conflict { .. }) => "conflict",
            Err(AppendError::Rejected(_)) => "rejected",
            Err(AppendError::NotWritten(_)) => "not_written",
            Err(AppendError::Unknown(_)) => "unknown",
        };
        self.appends.with_label_values(&[outcome]).inc();
        self.append_seconds.observe(took.as_secs_f64());
    }
}

/// All metrics as text.
pub(crate) async fn show(app: &App) -> String {
    let mut families = app.metrics.registry.gather();
    let standing = Registry::new();
    let up = gauges(&standing, "chancery_store_up", "1 while the store answers.", "store");
    stores(&standing, &up, &readiness::ask(app).await);
    operational(app, &standing, &up).await;
    families.extend(standing.gather());
    TextEncoder::new().encode_to_string(&families).expect("what was registered has a text")
}

/// Where log and read models stand. What cannot be asked now is left out rather than guessed.
fn stores(registry: &Registry, up: &IntGaugeVec, readiness: &Readiness) {
    up.with_label_values(&["event_log"]).set(readiness.head.is_some().into());
    up.with_label_values(&["read_store"]).set(readiness.position.is_some().into());
    gauge(
        registry,
        "chancery_projector_owner",
        "1 on the node that advances the read models.",
        readiness.is_projecting().into(),
    );
    if let Some(head) = readiness.head {
        gauge(registry, "chancery_log_head_position", "Where the event log ends.", number(head.0));
    }
    let position = gauges(
        registry,
        "chancery_read_model_position",
        "The position up to which a read model has taken in the log.",
        "read_model",
    );
    let stuck = gauges(
        registry,
        "chancery_read_model_stuck",
        "1 when a read model has met an event that it cannot take in.",
        "read_model",
    );
    for model in &readiness.read_models {
        let name = [model.name.as_str()];
        position.with_label_values(&name).set(number(model.position.0));
        stuck.with_label_values(&name).set(model.is_stuck().into());
    }
    let trouble = gauges(
        registry,
        "chancery_reaction_in_trouble",
        "1 when a reaction does not come further on this node.",
        "reaction",
    );
    for reaction in &readiness.reactions {
        trouble.with_label_values(&[reaction.name]).set(reaction.error.is_some().into());
    }
}

async fn operational(app: &App, registry: &Registry, up: &IntGaugeVec) {
    let position = gauges(
        registry,
        "chancery_reaction_position",
        "The position up to which a reaction has followed the log; saved once a second.",
        "reaction",
    );
    gauge(
        registry,
        "chancery_missing_keys",
        "How often a personal value could not be opened because its key is missing.",
        number(app.keyring.missing()),
    );
    let mut is_up = true;
    for reaction in crate::reactions::Reaction::ALL {
        match readiness::answer(app.operational.cursor(&reaction.place(app))).await {
            Some(at) => position.with_label_values(&[reaction.name()]).set(number(at.0)),
            None => is_up = false,
        }
    }
    match readiness::answer(app.operational.waiting_mails()).await {
        Some(waiting) => gauge(
            registry,
            "chancery_mails_waiting",
            "Mails that the mail server has put off and that are tried again.",
            number(waiting),
        ),
        None => is_up = false,
    }
    up.with_label_values(&["state"]).set(is_up.into());
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn registered<T: Collector + Clone + 'static>(
    registry: &Registry,
    made: prometheus::Result<T>,
) -> T {
    let collector = made.expect("the name and the labels are valid");
    registry.register(Box::new(collector.clone())).expect("no name is given twice");
    collector
}

fn counters(registry: &Registry, name: &str, help: &str, label: &str) -> IntCounterVec {
    registered(registry, IntCounterVec::new(Opts::new(name, help), &[label]))
}

fn gauges(registry: &Registry, name: &str, help: &str, label: &str) -> IntGaugeVec {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), &[label]))
}

fn gauge(registry: &Registry, name: &str, help: &str, value: i64) {
    registered(registry, IntGauge::new(name, help)).set(value);
}
