//! The ways in which a control can be computed, by the names that specifications use.

use events::recorded::Recorded;
use serde::Deserialize;

use super::finding::{Findings, Recording};
use super::log::{Log, Period};
use super::{Check, Facts};
use crate::compliance::dora::report::{Reports, Within};
use crate::compliance::dora::retention::AuditRetention;
use crate::compliance::eu_ai_act::oversight::Oversight;
use crate::compliance::eu_ai_act::retention::LogRetention;
use crate::compliance::gdpr_ropa::recipient::Recipients;
use crate::compliance::gdpr_ropa::{About, Asked, Declarations};
use crate::compliance::soc2::actor::Actors;
use crate::compliance::soc2::attempt::Attempts;
use crate::compliance::soc2::change::Changes;
use crate::compliance::soc2::disposal::Disposal;
use crate::compliance::soc2::incident::Incidents;
use crate::compliance::soc2::invitation::StaleInvitations;
use crate::compliance::soc2::joiner::Joiners;
use crate::compliance::soc2::leaver::Leavers;
use crate::compliance::soc2::privileged::Privileged;
use crate::compliance::soc2::restore_test::{RestoreTests, RestoredElsewhere};
use crate::compliance::soc2::review::Reviews;
use crate::compliance::soc2::role_change::RoleChanges;
use crate::compliance::soc2::second_factor::SecondFactors;
use crate::compliance::soc2::setting::{AllowlistEnforced, Enforced, SecondFactorRequired};
use crate::compliance::soc2::token::Tokens;
use crate::compliance::soc2::verification::Verifications;
use crate::compliance::specification::Specified;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Computation {
    Actors,
    AllowlistEnforced,
    AiIncidents,
    AiLogRetention,
    AiOversight,
    AiSystemsComplete,
    AiSystemsReviewed,
    Attempts,
    AuditRetention,
    Changes,
    Disposal,
    DoraFunctionsComplete,
    DoraFunctionsReviewed,
    DoraRoleComplete,
    Incidents,
    Joiners,
    Leavers,
    Privileged,
    ProcessingComplete,
    ProcessingReviewed,
    Recipients,
    ReportedInitially,
    ReportedIntermediately,
    ReportedFinally,
    RestoreTests,
    RestoredElsewhere,
    Reviews,
    ReviewsByCriticality,
    RoleChanges,
    SecondFactorRequired,
    SecondFactors,
    StaleInvitations,
    Tokens,
    /// No event says it yet.
    Unrecorded,
    Verifications,
}

impl Computation {
    pub(crate) fn check(self, of: &Specified, facts: &Facts) -> Box<dyn Check> {
        let number = |name| of.number(name);
        let declared = |about, asked| Box::new(Declarations::new(about, asked));
        let recent = || Asked::Recent(number("max_age_seconds"));
        match self {
            Self::Actors => Box::new(Actors::default()),
            Self::AllowlistEnforced => Box::new(Enforced::new(AllowlistEnforced::default())),
            Self::AiIncidents => Box::new(Incidents::new(number("max_open_seconds"), true)),
            Self::AiLogRetention => Box::new(LogRetention::new(number("min_retention_days"))),
            Self::AiOversight => Box::new(Oversight::default()),
            Self::AiSystemsComplete => declared(About::AiSystems, Asked::Complete),
            Self::AiSystemsReviewed => declared(About::AiSystems, recent()),
            Self::Attempts => Box::new(Attempts::default()),
            Self::AuditRetention => Box::new(AuditRetention::new(number("min_retention_days"))),
            Self::Changes => Box::new(Changes::default()),
            Self::Disposal => Box::new(Disposal::default()),
            Self::DoraFunctionsComplete => declared(About::DoraFunctions, Asked::Complete),
            Self::DoraFunctionsReviewed => declared(About::DoraFunctions, recent()),
            Self::DoraRoleComplete => declared(About::DoraRole, Asked::Complete),
            Self::Incidents => Box::new(Incidents::new(number("max_open_seconds"), false)),
            Self::Joiners => Box::new(Joiners::default()),
            Self::Leavers => Box::new(Leavers::new(number("max_latency_seconds"))),
            Self::Privileged => Box::new(Privileged::default()),
            Self::ProcessingComplete => declared(About::Processing, Asked::Complete),
            Self::ProcessingReviewed => declared(About::Processing, recent()),
            Self::Recipients => Box::new(Recipients::default()),
            Self::ReportedInitially => Box::new(Reports::new(Within::Initial {
                of_classification: number("max_seconds_after_classification"),
                of_awareness: number("max_seconds_after_awareness"),
            })),
            Self::ReportedIntermediately => {
                Box::new(Reports::new(Within::Intermediate(number("max_seconds"))))
            }
            Self::ReportedFinally => Box::new(Reports::new(Within::Final(number("max_seconds")))),
            Self::RestoreTests => Box::new(RestoreTests::new(number("max_age_seconds"))),
            Self::RestoredElsewhere => Box::new(RestoredElsewhere::default()),
            Self::Reviews => {
                let (gap, delay) = (number("max_gap_seconds"), number("max_removal_seconds"));
                Box::new(Reviews::new(gap, None, delay))
            }
            Self::ReviewsByCriticality => {
                let (gap, delay) = (number("max_gap_seconds"), number("max_removal_seconds"));
                let if_critical = number("max_gap_seconds_if_critical");
                Box::new(Reviews::new(gap, Some(if_critical), delay))
            }
            Self::RoleChanges => Box::new(RoleChanges::default()),
            Self::SecondFactorRequired => Box::new(Enforced::new(SecondFactorRequired::default())),
            Self::SecondFactors => Box::new(SecondFactors::new(number("max_delay_seconds"))),
            Self::StaleInvitations => Box::new(StaleInvitations::new(number("max_delay_seconds"))),
            Self::Tokens => Box::new(Tokens::new(number("max_age_seconds"))),
            Self::Unrecorded => Box::new(Unrecorded),
            Self::Verifications => Box::new(Verifications::new(number("max_gap_seconds"), facts)),
        }
    }
}

/// What no event says; the specification tells why.
struct Unrecorded;

impl Check for Unrecorded {
    fn take(&mut self, _: &Log, _: &Recorded) {}

    fn finish(self: Box<Self>, _: &Log, _: Period) -> Findings {
        Findings { recording: Recording::Never, ..Findings::default() }
    }
}
