//! Each rule of access reviews, allowed and refused.

use uuid::Uuid;

use super::*;
use crate::Event as Any;
use crate::given::{ANA, BEN, created_by, given, joined, token_of};
use crate::{membership, token};

const REVIEW: ReviewId = ReviewId(Uuid::from_u128(0x4e));
const KEY: TokenId = TokenId(Uuid::from_u128(0x70));

fn started() -> Any {
    Any::AccessReview(Event::Started { review: REVIEW, as_of: Time::EPOCH, members: 2, tokens: 1 })
}

fn decided(item: Item, decision: Decision) -> Any {
    let reason = Personal::Absent;
    Any::AccessReview(Event::Decided { review: REVIEW, item, decision, reason })
}

fn past() -> [Any; 4] {
    let key = token_of(KEY, token::Kind::Organization, ANA, &["*"]);
    [created_by(ANA), joined(BEN, Role::Viewer), key, started()]
}

fn complete() -> Command {
    Command::Complete { review: REVIEW, at: Time::EPOCH }
}

#[test]
fn everybody_with_access_at_its_start_is_reviewed() {
    let [created, joined, key, _] = past();
    given([created, joined, key])
        .when(Command::Start { review: REVIEW, at: Time::EPOCH })
        .then([started()]);
    let state = given(past()).state();
    let review = state.declared().review(REVIEW).expect("it has begun");
    let items: Vec<_> = review.undecided(&state, Time::EPOCH).collect();
    assert_eq!(items, [Item::Member(ANA), Item::Member(BEN), Item::Token(KEY)]);
}

#[test]
fn it_is_not_complete_while_somebody_is_undecided() {
    let [created, joined, key, started] = past();
    let keep = decided(Item::Member(ANA), Decision::Keep);
    given([created, joined, key, started, keep])
        .when(complete())
        .then_rejected(Rejection::Undecided(2));
}

#[test]
fn who_is_gone_needs_no_decision() {
    let [created, joined, key, started] = past();
    let ben_left = membership::Event::Left { member: BEN, role: Role::Viewer };
    let completed = Event::Completed { review: REVIEW, kept: 1, removed: 1, changed: 0, gone: 1 };
    given([
        created,
        joined,
        key,
        started,
        decided(Item::Member(ANA), Decision::Keep),
        decided(Item::Token(KEY), Decision::Keep),
        decided(Item::Token(KEY), Decision::Remove),
        ben_left.into(),
    ])
    .when(complete())
    .then([completed]);
}

#[test]
fn what_is_not_reviewed_is_not_decided() {
    let item = Item::Member(AccountId(Uuid::from_u128(9)));
    let verdicts = vec![Verdict { item, decision: Decision::Keep, reason: None }];
    let command = Command::Decide { review: REVIEW, verdicts };
    given(past()).when(command).then_rejected(Rejection::NotReviewed(item));
}

#[test]
fn a_complete_review_is_over() {
    let completed = Event::Completed { review: REVIEW, kept: 3, removed: 0, changed: 0, gone: 0 };
    let [created, joined, key, started] = past();
    given([created, joined, key, started, completed.into()])
        .when(complete())
        .then_rejected(Rejection::Completed);
}
