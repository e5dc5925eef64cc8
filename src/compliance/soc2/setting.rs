//! A setting had to be on for the whole period: each interval in which it was not is a gap.

use events::recorded::Recorded;
use events::setting::{Event as SettingEvent, IpNet, Update};
use events::{Event, setting};
use serde_json::json;

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::Findings;
use crate::compliance::evaluation::interval::Timeline;
use crate::compliance::evaluation::log::{Log, Period};

/// What a setting amounted to: enforced, or why it was not.
type Enforcement = Result<(), &'static str>;

/// How one setting, or several together, amount to something.
pub(crate) trait Rule: Send {
    /// Takes a change; what it amounts to from now on.
    fn change(&mut self, update: &Update) -> Enforcement;
}

pub(crate) struct Enforced<R> {
    rule: R,
    timeline: Timeline<Enforcement>,
}

impl<R: Rule> Enforced<R> {
    pub(crate) fn new(mut rule: R) -> Self {
        // what holds as long as nobody says otherwise
        let default = rule.change(&Update::default());
        Self { rule, timeline: Timeline::new(default) }
    }
}

impl<R: Rule> Check for Enforced<R> {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        if let Event::Setting(SettingEvent::Updated(update)) = &recorded.event {
            let enforcement = self.rule.change(update);
            self.timeline.set(enforcement, log.now, recorded.version);
        }
    }

    fn finish(self: Box<Self>, _: &Log, window: Period) -> Findings {
        let mut found = Findings::default();
        let mut enforced = 0;
        for interval in self.timeline.within(window) {
            let versions = interval.versions();
            for version in &versions {
                found.cited.add(*version);
            }
            found.member(&json!({
                "from": interval.span.from,
                "is_enforced": interval.state.is_ok(),
                "to": interval.span.to,
                "versions": versions,
            }));
            match interval.state {
                Ok(()) => enforced += interval.span.millis(),
                Err(reason) => {
                    let mut gap = interval.locator();
                    gap["reason"] = json!(reason);
                    found.exceptions.push(gap);
                }
            }
        }
        found.observe("enforced_seconds", enforced / 1000);
        found.observe("period_seconds", window.millis() / 1000);
        found
    }
}

/// Members need a second factor.
#[derive(Default)]
pub(crate) struct SecondFactorRequired(bool);

impl Rule for SecondFactorRequired {
    fn change(&mut self, update: &Update) -> Enforcement {
        if let Some(changed) = &update.require_2fa {
            self.0 = changed.to;
        }
        if self.0 { Ok(()) } else { Err("not required") }
    }
}

/// Requests come from networks that are listed, and not everything is.
#[derive(Default)]
pub(crate) struct AllowlistEnforced {
    is_required: bool,
    networks: Vec<IpNet>,
}

impl Rule for AllowlistEnforced {
    fn change(&mut self, update: &setting::Update) -> Enforcement {
        if let Some(changed) = &update.ip_allowlist_required {
            self.is_required = changed.to;
        }
        if let Some(changed) = &update.ip_allowlist {
            self.networks.clone_from(&changed.to);
        }
        if !self.is_required {
            Err("not required")
        } else if self.networks.iter().any(|network| network.prefix_len() == 0) {
            Err("every address is listed")
        } else {
            Ok(())
        }
    }
}
