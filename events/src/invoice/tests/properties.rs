//! What holds for any life of an organization.

use proptest::prelude::*;

use super::super::line::total;
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Take(usize),
    Seats(u64),
    Suspend(bool),
    Start(u128),
    Stop(u128),
    Resize(u128, usize),
}

const PLANS: [&str; 4] = ["starter", "pro", "scale", "unlimited"];
const TIERS: [&str; 3] = ["small", "medium", "large"];

fn life_of(steps: &[(i64, Step)], until: i64) -> Life {
    let mut life = Life::begins(JANUARY);
    for database in 1..4 {
        life.creates(JANUARY, database, TIERS[0], 1);
    }
    let mut now = 0;
    let id = |number: u128| DatabaseId(Uuid::from_u128(number));
    for (seconds, step) in steps {
        now += seconds;
        if now >= until {
            break;
        }
        let when = Time::from_millis(JANUARY.millis() + now * 1000);
        match step {
            Step::Take(plan) => life.takes(when, PLANS[*plan]),
            Step::Seats(seats) => life.has_seats(when, *seats),
            Step::Suspend(true) => {
                let because = SuspendedFor::Operator;
                life.happens(when, Subscribed::Suspended { because, reason: Personal::Absent });
            }
            Step::Suspend(false) => life.happens(when, Subscribed::Resumed {}),
            Step::Start(database) => life.starts(when, id(*database)),
            Step::Stop(database) => life.stops(when, id(*database)),
            Step::Resize(database, tier) => {
                life.resizes(when, id(*database), TIERS[0], TIERS[*tier]);
            }
        }
    }
    life
}

fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let step = prop_oneof![
        3 => (0..PLANS.len()).prop_map(Step::Take),
        3 => (0..5_u64).prop_map(Step::Seats),
        1 => any::<bool>().prop_map(Step::Suspend),
        3 => (1..4_u128).prop_map(Step::Start),
        2 => (1..4_u128).prop_map(Step::Stop),
        2 => (1..4_u128, 0..TIERS.len()).prop_map(|(database, tier)| Step::Resize(database, tier)),
    ];
    proptest::collection::vec((1..300_000_i64, step), 1..20)
}

/// What plan and seats cost, counted second by second, in 2 678 400ths of a dollar.
fn by_the_second(steps: &[(i64, Step)]) -> Decimal {
    let (mut plan, mut seats, mut is_suspended) = (3, 0, false);
    let mut sum = Decimal::ZERO;
    let mut next = steps.iter();
    let mut due = next.next();
    let mut waits = due.map_or(0, |(seconds, _)| *seconds);
    for _ in 0..31 * 86_400 {
        while waits == 0 {
            let Some((_, step)) = due else { break };
            match step {
                Step::Take(taken) => plan = *taken,
                Step::Seats(had) => seats = *had,
                Step::Suspend(suspended) => is_suspended = *suspended,
                Step::Start(_) | Step::Stop(_) | Step::Resize(..) => {}
            }
            due = next.next();
            waits = due.map_or(i64::MAX, |(seconds, _)| *seconds);
        }
        waits -= 1;
        if !is_suspended {
            let price = [9, 29, 99, 0][plan] + if plan == 3 { 0 } else { 10 * seats };
            sum += Decimal::from(price);
        }
    }
    sum
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn changes_cost_what_they_cost_by_the_second(steps in steps()) {
        let month = 31 * 86_400;
        let mut life = life_of(&steps, month);
        let lines = life.bills(JANUARY, None);
        let prorated = lines.iter().filter(|line| matches!(line.item, Item::Plan { .. } | Item::Seats { .. }));
        let (mut exact, mut rounded, mut count) = (Decimal::ZERO, Decimal::ZERO, 0);
        for line in prorated {
            exact += line.unit_price * line.quantity;
            rounded += line.amount;
            count += 1;
        }
        prop_assert_eq!(exact, by_the_second(&steps));
        let half_a_cent = Decimal::new(5, 3) * Decimal::from(count);
        prop_assert!((rounded - exact / Decimal::from(month)).abs() <= half_a_cent);
    }

    #[test]
    fn no_time_is_billed_twice_whatever_the_order_of_the_ticks(
        steps in steps(),
        ticks in proptest::collection::vec(0..3_i64, 1..12),
    ) {
        let until = 3 * 31 * 86_400;
        // each month closed once, in order
        let mut orderly = life_of(&steps, until);
        let month = |number: i64| Time::from_millis(JANUARY.millis() + number * 31 * DAY + DAY);
        let in_order: Vec<_> = (0..3).map(|number| orderly.bills(month(number), None)).collect();
        // and by any ticks: one that comes too early does nothing, one that comes again neither
        let mut ticked = life_of(&steps, until);
        let mut billed = vec![Vec::new(); 3];
        for tick in ticks.into_iter().chain(0..3) {
            for event in ticked.closes(month(tick), None) {
                if let Event::Itemized { lines, .. } = event {
                    billed[usize::try_from(tick).expect("small")].extend(lines);
                }
            }
        }
        prop_assert_eq!(&billed, &in_order);
        for lines in &billed {
            let sum: Decimal = lines.iter().map(|line| line.amount).sum();
            prop_assert_eq!(total(lines), sum);
        }
    }

    #[test]
    fn credit_notes_never_exceed_their_invoice(amounts in proptest::collection::vec(1..2000_i64, 1..12)) {
        let mut life = Life::begins(JANUARY);
        life.takes(JANUARY, "pro");
        life.closes(JANUARY, None);
        let id = life.organization.billing().invoices()[0].id;
        for (number, amount) in (1..).zip(amounts) {
            let wish = credit_note(number, id, &Decimal::new(amount, 2).to_string());
            let before = life.organization.billing().invoices()[0].credited();
            match credit(&life.organization, &wish, JANUARY) {
                Ok(events) => events.into_iter().for_each(|event| life.happens(JANUARY, event)),
                Err(_) => prop_assert!(before + wish.amount > dollars("29")),
            }
            let billing = life.organization.billing();
            let invoice = &billing.invoices()[0];
            prop_assert!(invoice.credited() <= invoice.total);
            let rest = invoice.amount_due + invoice.credited() - billing.balance();
            prop_assert_eq!(rest, invoice.total);
        }
    }
}
