//! Each rule of plans, seats and trials, allowed and refused.

use uuid::Uuid;

use super::*;
use crate::State as _;
use crate::given::{ACME, ANA, BEN, created_by, given, joined, recorded};
use crate::permission::Role;
use crate::plan::Catalogue;
use crate::quota::Quota;
use crate::stream::Stream;

const NOW: Time = Time::EPOCH;
const DAY: i64 = 24 * 60 * 60 * 1000;
const CORA: crate::id::AccountId = crate::id::AccountId(Uuid::from_u128(3));
const CARD: PaymentMethodId = PaymentMethodId(Uuid::from_u128(0xca));

fn terms(plan: &str) -> Arc<Terms> {
    Arc::new(Catalogue::built_in().plan(plan).expect("it is built in").clone())
}

fn boxed(terms: &Arc<Terms>) -> Box<Terms> {
    Box::new((**terms).clone())
}

fn month_ends() -> Time {
    Time::from_millis(31 * DAY)
}

fn take(plan: &str) -> Command {
    take_with(plan, 0)
}

fn take_with(plan: &str, extra_seats: u64) -> Command {
    let terms = terms(plan);
    Command::ChangePlan { terms, extra_seats, at: NOW, month_ends_at: month_ends() }
}

fn seats(extra_seats: u64) -> Command {
    Command::SetSeats { extra_seats, at: NOW, month_ends_at: month_ends() }
}

fn on(plan: &str) -> crate::Event {
    taken(&terms(plan), None).into()
}

fn taken(terms: &Arc<Terms>, trial_ends_at: Option<Time>) -> Event {
    Event::PlanChanged { previous: "unlimited".to_owned(), terms: boxed(terms), trial_ends_at }
}

fn changed(previous: &str, plan: &str) -> Event {
    let (previous, terms) = (previous.to_owned(), boxed(&terms(plan)));
    Event::PlanChanged { previous, terms, trial_ends_at: None }
}

fn scheduled(plan: &str) -> Event {
    let takes_effect_at = month_ends();
    Event::PlanChangeScheduled { terms: boxed(&terms(plan)), takes_effect_at }
}

fn seats_changed(from: u64, to: u64) -> Event {
    Event::SeatsChanged { extra_seats: Changed { from, to } }
}

fn too_many_seats(used: u64, limit: u64) -> Rejection {
    Rejection::DoesNotFit(vec![Excess { quota: Quota::Seats, used, limit }])
}

fn passed<const N: usize>(past: [crate::Event; N], at: Time) -> Vec<Event> {
    time_passes(&given(past).state(), at)
}

#[test]
fn who_never_chose_a_plan_has_no_limits() {
    let organization = given([created_by(ANA), joined(BEN, Role::Member)]).state();
    assert_eq!(organization.subscription().terms().plan, UNLIMITED);
    assert_eq!(organization.free_seats(NOW), None);
}

#[test]
fn the_first_plan_is_taken_at_once_and_has_its_trial() {
    let trial_ends_at = Some(Time::from_millis(14 * DAY));
    given([created_by(ANA)]).when(take("starter")).then([taken(&terms("starter"), trial_ends_at)]);
    given([created_by(ANA)]).when(take("pro")).then([taken(&terms("pro"), None)]);
}

#[test]
fn a_trial_comes_once_and_not_to_who_pays() {
    let trial = taken(&terms("starter"), Some(Time::from_millis(14 * DAY)));
    let with_trial = [created_by(ANA), trial.into(), on("unlimited")];
    given(with_trial).when(take("starter")).then([changed(UNLIMITED, "starter")]);
    let card = Event::PaymentMethodAdded {
        payment_method: CARD,
        provider: Provider::Manual,
        text: Personal::Absent,
    };
    let paying = [created_by(ANA), card.into()];
    given(paying).when(take("starter")).then([changed(UNLIMITED, "starter")]);
}

#[test]
fn a_dearer_plan_comes_at_once_and_a_cheaper_one_at_the_end_of_the_month() {
    given([created_by(ANA), on("pro")]).when(take("scale")).then([changed("pro", "scale")]);
    given([created_by(ANA), on("scale")]).when(take("pro")).then([scheduled("pro")]);
    let waiting = [created_by(ANA), on("scale"), scheduled("pro").into()];
    given(waiting).when(take("pro")).then::<Event, 0>([]);
    let waiting = || [created_by(ANA), on("scale"), scheduled("pro").into()];
    assert_eq!(passed(waiting(), Time::from_millis(31 * DAY - 1)), []);
    assert_eq!(passed(waiting(), month_ends()), [changed("scale", "pro")]);
}

#[test]
fn naming_the_plan_one_has_takes_back_what_was_scheduled() {
    let waiting = [created_by(ANA), on("scale"), scheduled("pro").into()];
    let because = Cause::Withdrawn;
    let canceled = Event::PlanChangeCanceled { plan: "pro".to_owned(), because };
    given(waiting).when(take("scale")).then([canceled]);
    given([created_by(ANA), on("scale")]).when(take("scale")).then::<Event, 0>([]);
}

#[test]
fn a_plan_must_hold_what_there_is() {
    let two = || [created_by(ANA), joined(BEN, Role::Member), on("pro")];
    given(two()).when(take("starter")).then_rejected(too_many_seats(2, 1));
    let with_seats = [changed("pro", "scale"), seats_changed(0, 3)];
    given(two()).when(take_with("scale", 3)).then(with_seats);
    let fits = [created_by(ANA), joined(BEN, Role::Member)];
    let starts = taken(&terms("starter"), Some(Time::from_millis(14 * DAY)));
    given(fits).when(take_with("starter", 1)).then([starts, seats_changed(0, 1)]);
    let grown =
        [created_by(ANA), on("pro"), scheduled("starter").into(), joined(BEN, Role::Member)];
    let because = Cause::DoesNotFit;
    let canceled = Event::PlanChangeCanceled { plan: "starter".to_owned(), because };
    assert_eq!(passed(grown, month_ends()), [canceled]);
}

#[test]
fn seats_come_at_once_and_go_at_the_end_of_the_month() {
    let pro = || [created_by(ANA), on("pro")];
    given(pro()).when(seats(2)).then([seats_changed(0, 2)]);
    let more = || [created_by(ANA), on("pro"), seats_changed(0, 2).into()];
    let extra_seats = Changed { from: 2, to: 1 };
    let fewer = Event::SeatsChangeScheduled { extra_seats, takes_effect_at: month_ends() };
    given(more()).when(seats(1)).then([fewer.clone()]);
    given(more()).when(seats(2)).then::<Event, 0>([]);
    let [a, b, c] = more();
    assert_eq!(passed([a, b, c, fewer.into()], month_ends()), [seats_changed(2, 1)]);
}

#[test]
fn seats_that_are_taken_stay() {
    let full = [
        created_by(ANA),
        on("starter"),
        seats_changed(0, 2).into(),
        joined(BEN, Role::Member),
        joined(CORA, Role::Viewer),
    ];
    given(full).when(seats(1)).then_rejected(too_many_seats(3, 2));
}

#[test]
fn nobody_buys_seats_that_nobody_counts() {
    given([created_by(ANA)]).when(seats(1)).then_rejected(Rejection::SeatsUnlimited);
    let leaving =
        [created_by(ANA), on("pro"), seats_changed(0, 2).into(), scheduled(UNLIMITED).into()];
    let left = [changed("pro", UNLIMITED), seats_changed(2, 0)];
    assert_eq!(passed(leaving, month_ends()), left);
}

#[test]
fn a_trial_ends_by_itself_and_suspends_where_the_catalogue_says_so() {
    let ends = Time::from_millis(14 * DAY);
    let on_trial = |suspend_after_trial| {
        let terms = Arc::new(Terms { suspend_after_trial, ..(*terms("starter")).clone() });
        [created_by(ANA), taken(&terms, Some(ends)).into()]
    };
    let ended = Event::TrialEnded { has_payment_method: false };
    let reason = Personal::Absent;
    let suspended = Event::Suspended { because: SuspendedFor::TrialEnded, reason };
    assert_eq!(passed(on_trial(false), Time::from_millis(14 * DAY - 1)), []);
    assert_eq!(passed(on_trial(false), ends), std::slice::from_ref(&ended));
    assert_eq!(passed(on_trial(true), ends), [ended.clone(), suspended.clone()]);
    // who pays then goes on
    let [created, taken] = on_trial(true);
    let pay =
        Command::AddPaymentMethod { payment_method: CARD, provider: Provider::Manual, text: None };
    let added = Event::PaymentMethodAdded {
        payment_method: CARD,
        provider: Provider::Manual,
        text: Personal::Absent,
    };
    given([created.clone(), taken.clone()])
        .when(pay.clone())
        .then([added.clone(), Event::TrialEnded { has_payment_method: true }]);
    given([created, taken, ended.into(), suspended.into()])
        .when(pay)
        .then([added, Event::Resumed {}]);
}

#[test]
fn what_the_operator_suspended_only_the_operator_resumes() {
    let because = SuspendedFor::Operator;
    let suspended = Event::Suspended { because, reason: Personal::Absent };
    let organization = given([created_by(ANA), on("starter"), suspended.clone().into()]).state();
    assert_eq!(suspend(&organization, true, None), Ok(vec![]));
    assert_eq!(suspend(&organization, false, None), Ok(vec![Event::Resumed {}]));
    let dearer = decide(&organization, &take("pro"));
    assert_eq!(dearer, Ok(vec![changed("starter", "pro")]));
    let mut resumed = organization;
    resumed.evolve(&recorded(Stream::Organization(ACME), 9, Event::Resumed {}.into()));
    assert_eq!(suspend(&resumed, false, None), Ok(vec![]));
    assert_eq!(suspend(&resumed, true, None), Ok(vec![suspended]));
}

#[test]
fn a_spend_limit_is_told_with_the_one_before() {
    let limit = |cents: i64| Some(Dollars::new(cents, 2));
    let set = |spend_limit| Command::SetSpendLimit { spend_limit };
    let changed = |from, to| Event::SpendLimitChanged { spend_limit: Changed { from, to } };
    given([created_by(ANA)]).when(set(limit(5000))).then([changed(None, limit(5000))]);
    let limited = || [created_by(ANA), changed(None, limit(5000)).into()];
    given(limited()).when(set(limit(5000))).then::<Event, 0>([]);
    given(limited()).when(set(None)).then([changed(limit(5000), None)]);
}
