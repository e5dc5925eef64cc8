//! Each control about what the platform records: kept, broken, with nothing to look at, and at the
//! edges of the period.

use std::time::Duration;

use events::organization::{Changed, ChangedPersonal};
use events::permission::Role;
use events::setting::{self, Update};
use events::{access_attempt, erasure, invitation as invitations, membership, organization, token};
use serde_json::json;
use uuid::Uuid;

use super::told::{ANA, BEN, CARA, SYSTEM, Told, acme, day, invitation, key, person};
use crate::compliance::Verdict::{NotApplicable, NotEvidenced};
use crate::compliance::{EvidenceKind, Verification};
use events::evidence::Framework;

const ENDLESS: &str = "the log does not reach the end of the period";

fn second_factor(from: bool, to: bool) -> setting::Event {
    let require_2fa = Some(Changed { from, to });
    setting::Event::Updated(Box::new(Update { require_2fa, ..Update::default() }))
}

fn allowlist(networks: &[&str]) -> setting::Event {
    let to = networks.iter().map(|network| network.parse().expect("a network")).collect();
    let update = Update {
        ip_allowlist_required: Some(Changed { from: false, to: true }),
        ip_allowlist: Some(Changed { from: vec![], to }),
        ..Update::default()
    };
    setting::Event::Updated(Box::new(update))
}

fn renamed(from: &str, to: &str) -> organization::Event {
    organization::Event::Updated {
        name: Some(Changed { from: from.to_owned(), to: to.to_owned() }),
        country: None,
        personal_name: ChangedPersonal::default(),
        billing_email: ChangedPersonal::default(),
    }
}

fn role_changed(member: events::id::AccountId, from: Role, to: Role) -> membership::Event {
    membership::Event::RoleChanged { member, role: Changed { from, to } }
}

fn has_second_factor(member: events::id::AccountId, is_enabled: bool) -> membership::Event {
    membership::Event::SecondFactorChanged { member, is_enabled }
}

fn verified(mut told: Told, days: impl Iterator<Item = i64>, succeeded: bool) -> Told {
    told.verifications.extend(days.map(|number| Verification { at: day(number), succeeded }));
    told
}

#[test]
fn a_change_takes_a_role_that_permits_it() {
    let id = "soc2.cc6.1.actor-known";
    acme().on(1).then(person(ANA), renamed("Acme", "Two")).ended().passes(id, 1);
    let stranger = acme().on(1).then(person(CARA), renamed("Acme", "Two")).ended();
    let failed = stranger.fails(id, 1);
    assert_eq!(failed.exceptions[0]["versions"], json!([1]));
    assert_eq!(failed.exceptions[0]["reason"], "not a member");
    let weak = acme().with_ben(Role::Viewer).on(1).then(person(BEN), renamed("Acme", "Two"));
    weak.ended().fails(id, 1);
    acme().ended().is(id, NotApplicable, "no_occurrence");
}

#[test]
fn who_takes_their_own_right_away_had_it() {
    let told = acme()
        .with_ben(Role::Owner)
        .on(1)
        .makes_token(BEN, 60, Some(30))
        .then(person(BEN), membership::Event::Left { member: BEN, role: Role::Owner })
        .and(person(BEN), token::Event::Revoked { token: key(60) })
        .ended();
    told.passes("soc2.cc6.1.actor-known", 3);
    told.passes("soc2.cc6.2.removal", 1);
}

#[test]
fn a_token_that_was_revoked_orders_nothing() {
    let id = "soc2.cc6.1.actor-known";
    let with = acme().on(1).makes_token(ANA, 60, Some(30));
    let with = with.then(person(ANA), renamed("Acme", "Two")).with_token(key(60));
    with.ended().passes(id, 2);
    let revoked = acme()
        .on(1)
        .makes_token(ANA, 60, Some(30))
        .then(person(ANA), token::Event::Revoked { token: key(60) })
        .then(person(ANA), renamed("Acme", "Two"))
        .with_token(key(60));
    revoked.ended().fails(id, 1);
}

#[test]
fn a_second_factor_is_required_from_the_first_moment_to_the_last() {
    let id = "soc2.cc6.1.mfa-required";
    acme().on(0).then(person(ANA), second_factor(false, true)).ended().passes(id, 1);
    let late = acme().on(0).after_millis(1).then(person(ANA), second_factor(false, true)).ended();
    let failed = late.fails(id, 1);
    assert_eq!(failed.exceptions[0]["gap_from"], json!(day(0)));
    let off = acme().on(-1).then(person(ANA), second_factor(false, true)).on(99);
    let off = off.then(person(ANA), second_factor(true, false)).ended();
    assert_eq!(off.fails(id, 1).exceptions[0]["gap_to"], json!(day(100)));
    // what follows the period changes nothing
    let after = acme().on(0).then(person(ANA), second_factor(false, true)).ended();
    after.then(person(ANA), second_factor(true, false)).passes(id, 1);
    acme().ended().fails(id, 1);
}

#[test]
fn members_have_a_second_factor() {
    let id = "soc2.cc6.1.mfa-coverage";
    let ana = || acme().then(SYSTEM, has_second_factor(ANA, true));
    ana().ended().passes(id, 1);
    let ben = ana().on(1).with_ben(Role::Member);
    ben.ended().fails(id, 1);
    // it is copied a little later
    let ben = ana().then(person(ANA), second_factor(false, true)).on(1).with_ben(Role::Member);
    let ben = ben.after_millis(3_600_000).then(SYSTEM, has_second_factor(BEN, true));
    ben.ended().passes(id, 3);
    let late = ana().then(person(ANA), second_factor(false, true)).on(1).with_ben(Role::Member);
    late.after_millis(3_600_001).then(SYSTEM, has_second_factor(BEN, true)).ended().fails(id, 1);
}

#[test]
fn tokens_end() {
    let id = "soc2.cc6.1.tokens";
    acme().on(1).makes_token(ANA, 60, Some(30)).ended().passes(id, 1);
    acme().on(1).makes_token(ANA, 60, None).ended().fails(id, 1);
    acme().ended().is(id, NotApplicable, "no_occurrence");
    // one that ended when the period began did not serve in it
    acme().on(-10).makes_token(ANA, 60, Some(10)).ended().is(id, NotApplicable, "no_occurrence");
    let mut long = acme().makes_token(ANA, 60, Some(1000)).ended();
    long.passes(id, 1);
    long.period.to = day(360);
    long.on(360).then(person(ANA), renamed("Acme", "Two")).fails(id, 1);
}

#[test]
fn whoever_joins_was_invited() {
    let id = "soc2.cc6.2.joiners";
    acme().on(1).with_ben(Role::Member).ended().passes(id, 1);
    acme().with_ben(Role::Member).ended().is(id, NotApplicable, "no_occurrence");
    acme().on(1).joins(BEN, 5, Role::Member).ended().fails(id, 1);
    let late = acme().on(1).invites(ANA, 5, Role::Member).on(9).joins(BEN, 5, Role::Member);
    late.ended().fails(id, 1);
    let weak = acme().with_ben(Role::Viewer).on(1).invites(BEN, 5, Role::Member);
    weak.joins(CARA, 5, Role::Member).ended().fails(id, 1);
    let own = acme().with_ben(Role::Owner).on(1).invites(BEN, 5, Role::Member);
    own.joins(BEN, 5, Role::Member).ended().fails(id, 1);
    let more = acme().on(1).invites(ANA, 5, Role::Viewer).joins(BEN, 5, Role::Owner);
    more.ended().fails(id, 1);
    let canceled = invitations::Event::Canceled {
        invitation: invitation(5),
        because: invitations::Cause::Withdrawn,
    };
    let closed = acme().on(1).invites(ANA, 5, Role::Viewer).then(person(ANA), canceled);
    closed.joins(BEN, 5, Role::Viewer).ended().fails(id, 1);
}

#[test]
fn whoever_is_removed_has_nothing_left() {
    let id = "soc2.cc6.2.removal";
    let removed = || {
        let told = acme().with_ben(Role::Admin).makes_token(BEN, 60, Some(300)).on(1);
        told.then(person(ANA), membership::Event::Removed { member: BEN, role: Role::Admin })
    };
    let revoked = token::Event::Revoked { token: key(60) };
    removed().and(person(ANA), revoked.clone()).ended().passes(id, 1);
    removed().on(2).then(person(ANA), revoked.clone()).ended().passes(id, 1);
    removed().on(3).then(person(ANA), revoked.clone()).ended().fails(id, 1);
    removed().ended().fails(id, 1);
    let acts = removed().and(person(ANA), revoked.clone()).then(person(BEN), renamed("Acme", "B"));
    acts.ended().fails(id, 1);
    let back = removed().and(person(ANA), revoked).on(5).invites(ANA, 5, Role::Admin);
    let back = back.joins(BEN, 5, Role::Admin).then(person(BEN), renamed("Acme", "B"));
    back.ended().passes(id, 1);
    acme().ended().is(id, NotApplicable, "no_occurrence");
}

#[test]
fn invitations_are_closed_when_they_expire() {
    let id = "soc2.cc6.2.stale-invites";
    let expired = invitations::Event::Expired { invitation: invitation(5) };
    let sent = || acme().on(1).invites(ANA, 5, Role::Member);
    sent().on(8).after_millis(1).then(SYSTEM, expired.clone()).ended().passes(id, 1);
    sent().on(10).then(SYSTEM, expired).ended().fails(id, 1);
    sent().ended().fails(id, 1);
    acme().on(98).invites(ANA, 5, Role::Member).ended().passes(id, 1);
    acme().ended().is(id, NotApplicable, "no_occurrence");
}

#[test]
fn nobody_raises_their_own_role() {
    let id = "soc2.cc6.3.role-changes";
    let ben = || acme().with_ben(Role::Member).on(1);
    let raised = role_changed(BEN, Role::Member, Role::Admin);
    ben().then(person(ANA), raised.clone()).ended().passes(id, 1);
    ben().then(person(BEN), raised.clone()).ended().fails(id, 1);
    let cara = ben().invites(ANA, 5, Role::Admin).joins(CARA, 5, Role::Admin);
    cara.then(person(CARA), raised.clone()).ended().fails(id, 1);
    ben().ended().is(id, NotApplicable, "no_occurrence");
    // the first moment is in the period, the last is not
    acme().with_ben(Role::Member).on(0).then(person(ANA), raised.clone()).ended().passes(id, 1);
    let after = ben().on(100).then(person(ANA), raised);
    after.is(id, NotApplicable, "no_occurrence");
}

#[test]
fn there_is_always_an_owner() {
    let id = "soc2.cc6.3.privileged";
    acme().ended().passes(id, 1);
    acme().with_ben(Role::Admin).ended().passes(id, 2);
    let none = acme().on(10).then(person(ANA), role_changed(ANA, Role::Owner, Role::Admin));
    assert_eq!(none.ended().fails(id, 1).exceptions[0]["gap_from"], json!(day(10)));
}

#[test]
fn an_allowlist_lists_not_everything() {
    let id = "soc2.cc6.6.ip-allowlist";
    acme().then(person(ANA), allowlist(&["192.0.2.0/24"])).ended().passes(id, 1);
    acme().then(person(ANA), allowlist(&["192.0.2.0/24", "::/0"])).ended().fails(id, 1);
    acme().on(50).then(person(ANA), allowlist(&["192.0.2.0/24"])).ended().fails(id, 1);
    acme().ended().fails(id, 1);
}

#[test]
fn the_log_is_verified_every_day() {
    let id = "soc2.cc7.2.log-complete";
    acme().ended().is(id, NotEvidenced, "nothing of the kind was ever recorded");
    verified(acme().ended(), -1..100, true).passes(id, 100);
    verified(acme().ended(), (-1..100).filter(|day| *day != 50), true).fails(id, 1);
    verified(verified(acme().ended(), -1..100, true), 50..51, false).fails(id, 1);
    let reason = "it was first recorded after the period began";
    verified(acme().ended(), 5..100, true).is(id, NotEvidenced, reason);
    let mut holed = acme();
    holed.version += 1;
    let holed = holed.on(1).then(person(ANA), renamed("Acme", "Two"));
    verified(holed.ended(), -1..100, true).fails(id, 1);
}

#[test]
fn refused_attempts_are_listed() {
    let id = "soc2.cc7.2.denied";
    let denied = access_attempt::Event::Denied { operation: "updateSettings".to_owned(), count: 3 };
    let told = acme().with_ben(Role::Viewer).on(1).then(person(BEN), denied).ended();
    told.passes(id, 1);
    assert_eq!(told.control(id).observed["operation.updateSettings"], "3");
    told.is("soc2.cc6.1.actor-known", NotApplicable, "no_occurrence");
    acme().ended().is(id, NotApplicable, "no_occurrence");
}

#[test]
fn a_change_says_what_stood_before() {
    let id = "soc2.cc8.1.attributable";
    let told = acme().on(1).then(person(ANA), renamed("Acme", "Two"));
    told.then(person(ANA), second_factor(false, true)).ended().passes(id, 2);
    acme().on(1).then(person(ANA), renamed("Amce", "Two")).ended().fails(id, 1);
    acme().on(1).then(person(ANA), second_factor(true, false)).ended().fails(id, 1);
    acme().ended().is(id, NotApplicable, "no_occurrence");
}

#[test]
fn erasures_are_counted_and_not_judged() {
    let subject = events::id::SubjectId(Uuid::from_u128(5));
    let erased = || erasure::Event::Erased { subject };
    let told = acme().on(1).then(SYSTEM, erased()).ended();
    let control = told.control("soc2.c1.2.disposal");
    assert_eq!((control.result, control.evidence_kind), (NotEvidenced, EvidenceKind::None));
    assert_eq!(control.observed["erasures_recorded"], "1");
    // whoever is erased after the period is withheld too
    let later = acme().ended().then(SYSTEM, erased()).report(Framework::Soc2);
    assert_eq!((later.erased.len(), later.erased[0].subject), (1, subject));
}

#[test]
fn what_no_event_says_is_not_evidenced() {
    for id in ["soc2.cc6.1.sso", "soc2.cc6.6.regions", "soc2.cc8.1.approved", "soc2.a1.2.backup"] {
        let control = acme().ended().control(id);
        assert_eq!((control.result, control.evidence_kind), (NotEvidenced, EvidenceKind::None));
        assert_eq!(control.population, None);
    }
}

#[test]
fn a_period_that_has_not_ended_is_not_judged() {
    let open = acme().on(99).then(person(ANA), renamed("Acme", "Two"));
    for framework in Framework::ALL {
        for control in open.report(framework).controls {
            assert_eq!(control.result, NotEvidenced, "{}", control.id);
        }
    }
    open.is("soc2.cc6.3.privileged", NotEvidenced, ENDLESS);
    // what was found is shown all the same
    assert_eq!(open.control("soc2.cc6.1.mfa-required").exceptions.len(), 1);
}

#[test]
fn a_period_before_the_organization_is_not_judged() {
    let mut told = acme().ended();
    (told.period.from, told.period.to) = (day(-30), day(-10));
    for framework in Framework::ALL {
        for control in told.report(framework).controls {
            assert_eq!(control.result, NotEvidenced, "{}", control.id);
        }
    }
}

#[test]
fn what_is_founded_or_deleted_in_the_period_is_judged_for_as_long_as_it_was() {
    let id = "soc2.cc6.1.mfa-required";
    let mut founded = acme().then(person(ANA), second_factor(false, true)).ended();
    founded.period.from = day(-30);
    founded.passes(id, 1);
    let gone = organization::Event::Deleted {
        members: 1,
        pending_invitations: 0,
        tokens: 0,
        projects: 0,
        databases: 0,
        is_billed: false,
    };
    let deleted = acme().then(person(ANA), second_factor(false, true)).on(50);
    let deleted = deleted.then(person(ANA), gone);
    deleted.passes(id, 1);
    let seconds = Duration::from_hours(50 * 24).as_secs().to_string();
    assert_eq!(deleted.control(id).observed["period_seconds"], seconds);
}

#[test]
fn who_has_access_at_the_end_is_listed_without_anything_personal() {
    let told = acme().with_ben(Role::Admin).makes_token(BEN, 60, Some(300)).ended();
    let sections = told.report(Framework::Soc2).sections;
    assert_eq!(sections["access_at_period_end"]["members"].as_array().map(Vec::len), Some(2));
    assert_eq!(sections["privileged_at_period_end"].as_array().map(Vec::len), Some(2));
    assert_eq!(sections["access_at_period_end"]["tokens"][0]["token"], json!(key(60)));
}
