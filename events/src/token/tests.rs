//! Tokens: made, replaced, ended.

use uuid::Uuid;

use super::*;
use crate::given::{ANA, BEN, created_by, given, joined, token_of};
use crate::permission::Role;

const OLD: TokenId = TokenId(Uuid::from_u128(0x70));
const NEW: TokenId = TokenId(Uuid::from_u128(0x71));
const NEWEST: TokenId = TokenId(Uuid::from_u128(0x72));
const HOUR: Duration = Duration::from_hours(1);

fn rotation(token: TokenId, successor: TokenId, at: Time) -> Rotation {
    Rotation {
        token,
        by: Some(ANA),
        successor,
        secret_hash: Link::of_line(b"next"),
        prefix: "chy_pat_next".to_owned(),
        scopes: None,
        expires_at: None,
        overlap: HOUR,
        at,
    }
}

fn rotate(token: TokenId, successor: TokenId, at: Time) -> Command {
    Command::Rotate(Box::new(rotation(token, successor, at)))
}

fn rotated(until: Time) -> crate::Event {
    crate::Event::Token(Event::Rotated {
        token: OLD,
        successor: NEW,
        kind: Kind::Personal,
        name: "ci".to_owned(),
        owner: Some(ANA),
        secret_hash: Link::of_line(b"next"),
        prefix: "chy_pat_next".to_owned(),
        scopes: Scopes::everything(),
        expires_at: None,
        previous_valid_until: until,
    })
}

fn own() -> crate::Event {
    token_of(OLD, Kind::Personal, ANA, &["*"])
}

#[test]
fn a_replaced_token_serves_through_the_overlap_and_then_says_why_not() {
    let at = Time::from_millis(5);
    given([created_by(ANA), own()]).when(rotate(OLD, NEW, at)).then([rotated(at.after(HOUR))]);
    let acme = given([created_by(ANA), own(), rotated(at.after(HOUR))]).state();
    let old = |now| acme.token(OLD).expect("it is kept").ended(now);
    assert_eq!(old(at), None);
    assert_eq!(old(at.after(HOUR)), Some(Ended::Rotated));
    let new = acme.token(NEW).expect("it was made");
    assert_eq!((new.ended(at.after(HOUR)), new.owner), (None, Some(ANA)));
}

#[test]
fn a_token_is_replaced_once() {
    let past = [created_by(ANA), own(), rotated(Time::from_millis(9))];
    given(past).when(rotate(OLD, NEWEST, Time::EPOCH)).then_rejected(Rejection::Ended);
}

#[test]
fn a_successor_may_do_less_but_never_more() {
    let narrow = token_of(OLD, Kind::Personal, ANA, &["org:read"]);
    let more = Scopes::from(vec!["org:write".parse().expect("a scope")]);
    let wider = Rotation { scopes: Some(more), ..rotation(OLD, NEW, Time::EPOCH) };
    given([created_by(ANA), narrow])
        .when(Command::Rotate(Box::new(wider)))
        .then_rejected(Rejection::MoreScopes);
}

#[test]
fn nobody_else_gets_the_secret_of_a_personal_token() {
    let by_ben = Rotation { by: Some(BEN), ..rotation(OLD, NEW, Time::EPOCH) };
    let command = Command::Rotate(Box::new(by_ben));
    let state = given([created_by(ANA), own(), joined(BEN, Role::Admin)]).state();
    assert_eq!(command.requires(&state), Permission::ManageTokens);
    assert_eq!(decide(&state, &command), Err(Rejection::NotTheOwner));
}

#[test]
fn a_revoked_token_is_dead_at_once_and_is_revoked_once() {
    let revoke = || Command::Revoke { token: OLD, by: Some(ANA), at: Time::EPOCH };
    let revoked = Event::Revoked { token: OLD };
    given([created_by(ANA), own()]).when(revoke()).then([revoked.clone()]);
    let past = [created_by(ANA), own(), revoked.into()];
    let acme = given(past.clone()).state();
    let ended = acme.token(OLD).and_then(|token| token.ended(Time::EPOCH));
    assert_eq!(ended, Some(Ended::Revoked));
    given(past).when(revoke()).then::<Event, 0>([]);
}

#[test]
fn whoever_is_removed_loses_their_tokens_with_the_same_append() {
    let removed = crate::membership::Event::Removed { member: BEN, role: Role::Admin };
    let bens = token_of(NEW, Kind::Personal, BEN, &["*"]);
    given([created_by(ANA), joined(BEN, Role::Admin), own(), bens])
        .when(crate::membership::Command::Remove { member: BEN })
        .then([crate::Event::from(removed), Event::Revoked { token: NEW }.into()]);
}

#[test]
fn a_key_belongs_to_the_organization() {
    let key = token_of(OLD, Kind::Organization, ANA, &["*"]);
    let left = crate::membership::Event::Left { member: ANA, role: Role::Owner };
    let acme = given([created_by(ANA), joined(BEN, Role::Owner), key, left.into()]).state();
    let token = acme.token(OLD).expect("it outlives who made it");
    assert_eq!((token.acts_for(), token.ended(Time::EPOCH)), (None, None));
    let revoke = Command::Revoke { token: OLD, by: Some(BEN), at: Time::EPOCH };
    assert_eq!(revoke.requires(&acme), Permission::ManageKeys);
}

fn create(kind: Kind, by: Option<AccountId>) -> Command {
    let draft = Draft {
        token: OLD,
        secret_hash: Link::FIRST,
        prefix: String::new(),
        scopes: Scopes::everything(),
        expires_at: None,
    };
    Command::Create { draft, kind, name: "ci".to_owned(), by, at: Time::EPOCH }
}

#[test]
fn nobody_makes_a_personal_token_for_nobody() {
    given([created_by(ANA)])
        .when(create(Kind::Personal, None))
        .then_rejected(Rejection::NobodyToActFor);
}

#[test]
fn nobody_has_more_than_a_hundred_at_once() {
    let made = |number: usize| match number {
        0 => created_by(ANA),
        _ => token_of(TokenId(Uuid::from_u128(number as u128)), Kind::Personal, ANA, &["*"]),
    };
    let past: [crate::Event; MOST + 1] = std::array::from_fn(made);
    let acme = given(past).state();
    let own = create(Kind::Personal, Some(ANA));
    assert_eq!(decide(&acme, &own), Err(Rejection::TooMany));
    for (kind, by) in [(Kind::Organization, ANA), (Kind::Personal, BEN)] {
        assert!(decide(&acme, &create(kind, Some(by))).is_ok(), "those are counted apart");
    }
    let revoked = Event::Revoked { token: TokenId(Uuid::from_u128(1)) };
    let past: [crate::Event; MOST + 2] = std::array::from_fn(|number| match number {
        number if number > MOST => revoked.clone().into(),
        number => made(number),
    });
    assert!(decide(&given(past).state(), &own).is_ok(), "only those that serve count");
}
