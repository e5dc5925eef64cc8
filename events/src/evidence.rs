//! What an organization asks to have proven: which frameworks it subscribes to, and each packet. A
//! packet's request is an event of its own, and the last that the packet is about: so nobody can
//! cut the log short behind its back, date it back, or pass an old packet off as the answer.
//!
//! Whoever takes a packet along is recorded, so that a person who is erased later can be told who
//! has what was disclosed of them. The same of the same packet within a day is recorded once, so that
//! reading does not make the log grow without end.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::PacketId;
use crate::organization::Organization;
use crate::permission::Permission;
use crate::recorded::{Actor, Recorded};
use crate::time::Time;

/// Who took a packet along is not recorded again within this time.
const RECORDED_AGAIN_AFTER: Duration = Duration::from_hours(24);

/// What a packet gives evidence for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framework {
    /// SOC 2, Trust Services Criteria.
    Soc2,
    /// GDPR, Article 30: records of processing activities.
    GdprRopa,
    /// Regulation (EU) 2022/2554.
    Dora,
    /// Regulation (EU) 2024/1689.
    EuAiAct,
}

impl Framework {
    pub const ALL: [Self; 4] = [Self::Soc2, Self::GdprRopa, Self::Dora, Self::EuAiAct];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Soc2 => "soc2",
            Self::GdprRopa => "gdpr_ropa",
            Self::Dora => "dora",
            Self::EuAiAct => "eu_ai_act",
        }
    }

    /// The framework that is called so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|framework| framework.as_str() == name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    #[serde(rename = "compliance.subscribed")]
    Subscribed { framework: Framework },
    #[serde(rename = "compliance.unsubscribed")]
    Unsubscribed { framework: Framework },
    #[serde(rename = "compliance.packet_requested")]
    PacketRequested {
        packet: PacketId,
        framework: Framework,
        period_start: Time,
        period_end: Time,
        /// What the auditor asked to find here, or what was drawn where nobody asked.
        challenge: String,
        /// The last packet about the same framework and period.
        supersedes: Option<PacketId>,
    },
    /// The actor took it along, or a file of it.
    #[serde(rename = "compliance.packet_downloaded")]
    PacketDownloaded {
        packet: PacketId,
        /// Personal values that the packet opens were among it.
        discloses: bool,
    },
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Subscribed { .. } => ("compliance.subscribed", 1),
            Self::Unsubscribed { .. } => ("compliance.unsubscribed", 1),
            Self::PacketRequested { .. } => ("compliance.packet_requested", 1),
            Self::PacketDownloaded { .. } => ("compliance.packet_downloaded", 1),
        }
    }
}

/// A packet that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requested {
    pub packet: PacketId,
    pub framework: Framework,
    pub period_start: Time,
    pub period_end: Time,
    pub challenge: String,
    pub supersedes: Option<PacketId>,
    /// Of the request's event: the last that the packet is about.
    pub version: u64,
    pub at: Time,
}

/// Of one framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub framework: Framework,
    pub subscribed_at: Time,
    /// When it ended, if it has.
    pub canceled_at: Option<Time>,
}

/// What the fold of an organization knows of its evidence.
#[derive(Debug, Default)]
pub struct Evidence {
    subscriptions: Vec<Subscription>,
    packets: Vec<Requested>,
    /// When each last took a packet along, without and with what it discloses.
    downloads: BTreeMap<(PacketId, Actor, bool), Time>,
}

impl Evidence {
    /// As it stands now, also one that has ended.
    pub fn subscription(&self, framework: Framework) -> Option<&Subscription> {
        self.subscriptions.iter().find(|known| known.framework == framework)
    }

    pub fn is_subscribed(&self, framework: Framework) -> bool {
        self.subscription(framework).is_some_and(|known| known.canceled_at.is_none())
    }

    /// Oldest first.
    pub fn packets(&self) -> &[Requested] {
        &self.packets
    }

    pub fn packet(&self, packet: PacketId) -> Option<&Requested> {
        self.packets.iter().find(|known| known.packet == packet)
    }

    /// Whether it is recorded already that they have it, at least as much of it, not long before.
    fn is_known_to_have(&self, by: Actor, packet: PacketId, discloses: bool, at: Time) -> bool {
        let with = [discloses, true].map(|it| self.downloads.get(&(packet, by, it)));
        with.into_iter().flatten().any(|last| at < last.after(RECORDED_AGAIN_AFTER))
    }

    pub(crate) fn evolve(&mut self, event: &Event, recorded: &Recorded) {
        match event {
            Event::Subscribed { framework } => {
                self.subscriptions.retain(|known| known.framework != *framework);
                self.subscriptions.push(Subscription {
                    framework: *framework,
                    subscribed_at: recorded.at,
                    canceled_at: None,
                });
            }
            Event::Unsubscribed { framework } => {
                let known = self.subscriptions.iter_mut();
                for subscription in known.filter(|known| known.framework == *framework) {
                    subscription.canceled_at = Some(recorded.at);
                }
            }
            Event::PacketRequested {
                packet,
                framework,
                period_start,
                period_end,
                challenge,
                supersedes,
            } => self.packets.push(Requested {
                packet: *packet,
                framework: *framework,
                period_start: *period_start,
                period_end: *period_end,
                challenge: challenge.clone(),
                supersedes: *supersedes,
                version: recorded.version,
                at: recorded.at,
            }),
            Event::PacketDownloaded { packet, discloses } => {
                self.downloads.insert((*packet, recorded.actor, *discloses), recorded.at);
            }
        }
    }

    /// Subscriptions end with the organization; its packets stay what they are.
    pub(crate) fn end(&mut self) {
        self.subscriptions.clear();
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Subscribe {
        framework: Framework,
    },
    Unsubscribe {
        framework: Framework,
    },
    RequestPacket {
        packet: PacketId,
        framework: Framework,
        period_start: Time,
        period_end: Time,
        challenge: String,
    },
    /// Before anything of it is sent.
    RecordDownload {
        packet: PacketId,
        discloses: bool,
        by: Actor,
        at: Time,
    },
}

impl Command {
    pub fn requires(&self, _: &Organization) -> Permission {
        match self {
            Self::Subscribe { .. } | Self::Unsubscribe { .. } => Permission::ManageCompliance,
            Self::RequestPacket { .. } => Permission::GeneratePackets,
            Self::RecordDownload { .. } => Permission::ReadCompliance,
        }
    }

    pub fn resource_version(&self, _: &Organization) -> Option<u64> {
        None
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("the organization does not subscribe to this framework")]
    NotSubscribed(Framework),
    #[error("a period ends after it begins")]
    EmptyPeriod,
    #[error("there is no such packet")]
    NoSuchPacket,
}

pub fn decide(organization: &Organization, command: &Command) -> Result<Vec<Event>, Rejection> {
    let evidence = organization.evidence();
    match command {
        Command::Subscribe { framework } => {
            let is_news = !evidence.is_subscribed(*framework);
            Ok(is_news.then_some(Event::Subscribed { framework: *framework }).into_iter().collect())
        }
        Command::Unsubscribe { framework } => {
            if !evidence.is_subscribed(*framework) {
                return Err(Rejection::NotSubscribed(*framework));
            }
            Ok(vec![Event::Unsubscribed { framework: *framework }])
        }
        Command::RequestPacket { packet, framework, period_start, period_end, challenge } => {
            if !evidence.is_subscribed(*framework) {
                return Err(Rejection::NotSubscribed(*framework));
            }
            if period_start >= period_end {
                return Err(Rejection::EmptyPeriod);
            }
            let about_the_same = |known: &&Requested| {
                (known.framework, known.period_start, known.period_end)
                    == (*framework, *period_start, *period_end)
            };
            let before = evidence.packets.iter().rev().find(about_the_same);
            Ok(vec![Event::PacketRequested {
                packet: *packet,
                framework: *framework,
                period_start: *period_start,
                period_end: *period_end,
                challenge: challenge.clone(),
                supersedes: before.map(|before| before.packet),
            }])
        }
        Command::RecordDownload { packet, discloses, by, at } => {
            evidence.packet(*packet).ok_or(Rejection::NoSuchPacket)?;
            let is_news = !evidence.is_known_to_have(*by, *packet, *discloses, *at);
            let downloaded = Event::PacketDownloaded { packet: *packet, discloses: *discloses };
            Ok(is_news.then_some(downloaded).into_iter().collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{ANA, created_by, given};
    use uuid::Uuid;

    const SUBSCRIBED: Event = Event::Subscribed { framework: Framework::Soc2 };

    fn request(packet: u128, from: i64, to: i64) -> Command {
        Command::RequestPacket {
            packet: PacketId(Uuid::from_u128(packet)),
            framework: Framework::Soc2,
            period_start: Time::from_millis(from),
            period_end: Time::from_millis(to),
            challenge: "c".to_owned(),
        }
    }

    #[test]
    fn a_packet_takes_a_subscription_and_a_period() {
        let acme = given([created_by(ANA)]).state();
        let refused = Err(Rejection::NotSubscribed(Framework::Soc2));
        assert_eq!(decide(&acme, &request(1, 0, 1)), refused);
        let acme = given([created_by(ANA), SUBSCRIBED.into()]).state();
        assert!(decide(&acme, &request(1, 0, 1)).is_ok());
        assert_eq!(decide(&acme, &request(1, 1, 1)), Err(Rejection::EmptyPeriod));
        let ended = Event::Unsubscribed { framework: Framework::Soc2 };
        let acme = given([created_by(ANA), SUBSCRIBED.into(), ended.into()]).state();
        assert_eq!(decide(&acme, &request(1, 0, 1)), refused);
    }

    #[test]
    fn a_packet_names_the_one_it_supersedes() {
        let acme = given([created_by(ANA), SUBSCRIBED.into()]).state();
        let first = decide(&acme, &request(1, 0, 1)).expect("it is subscribed").remove(0);
        let acme = given([created_by(ANA), SUBSCRIBED.into(), first.into()]).state();
        let supersedes = |command| match &decide(&acme, &command).expect("it is subscribed")[..] {
            [Event::PacketRequested { supersedes, .. }] => *supersedes,
            other => panic!("{other:?}"),
        };
        assert_eq!(supersedes(request(2, 0, 1)), Some(PacketId(Uuid::from_u128(1))));
        assert_eq!(supersedes(request(2, 0, 2)), None);
    }

    #[test]
    fn who_has_a_packet_is_recorded_once_a_day() {
        let acme = given([created_by(ANA), SUBSCRIBED.into()]).state();
        let requested = decide(&acme, &request(1, 0, 1)).expect("it is subscribed").remove(0);
        let packet = PacketId(Uuid::from_u128(1));
        let whole = Event::PacketDownloaded { packet, discloses: true };
        let (by, recorded_at) = (Actor::Account(ANA), Time::from_millis(3));
        let and = |event: &Event| {
            let requested = requested.clone().into();
            given([created_by(ANA), SUBSCRIBED.into(), requested, event.clone().into()]).state()
        };
        let (before, after) = (and(&SUBSCRIBED), and(&whole));
        let download = |by, discloses, hours: u64| {
            let at = recorded_at.after(Duration::from_hours(hours));
            Command::RecordDownload { packet, discloses, by, at }
        };
        let report = Event::PacketDownloaded { packet, discloses: false };
        for discloses in [true, false] {
            let event = Event::PacketDownloaded { packet, discloses };
            assert_eq!(decide(&before, &download(by, discloses, 0)), Ok(vec![event]));
            assert_eq!(decide(&after, &download(by, discloses, 23)), Ok(vec![]));
        }
        assert_eq!(decide(&after, &download(by, false, 24)), Ok(vec![report.clone()]));
        assert_eq!(decide(&after, &download(Actor::System, false, 0)), Ok(vec![report.clone()]));
        // who has the report does not have what is disclosed
        let has_report = and(&report);
        assert_eq!(decide(&has_report, &download(by, true, 0)), Ok(vec![whole]));
        let unknown = PacketId(Uuid::from_u128(2));
        let other =
            Command::RecordDownload { packet: unknown, discloses: true, by, at: recorded_at };
        assert_eq!(decide(&after, &other), Err(Rejection::NoSuchPacket));
    }

    #[test]
    fn subscribing_twice_is_once() {
        let acme = given([created_by(ANA), SUBSCRIBED.into()]).state();
        let again = Command::Subscribe { framework: Framework::Soc2 };
        assert_eq!(decide(&acme, &again), Ok(vec![]));
    }
}
