//! What an organization grants: by role, by scopes, from where, and since when.

use uuid::Uuid;

use super::*;
use crate::Event;
use crate::given::{ANA, BEN, created_by, given, joined, token_of};
use crate::organization::Changed;
use crate::setting;
use crate::token::{Ended, Kind};

const TOKEN: TokenId = TokenId(Uuid::from_u128(0x70));

fn by(who: Who, level: Level) -> Principal {
    Principal {
        who,
        level,
        address: "192.0.2.7".parse().ok(),
        signed_in_at: Time::EPOCH,
        has_second_factor: false,
        now: Time::from_millis(1_000),
    }
}

fn settings(update: setting::Update) -> Event {
    setting::Event::Updated(Box::new(update)).into()
}

const ON: Option<Changed<bool>> = Some(Changed { from: false, to: true });

#[test]
fn strangers_learn_nothing_whatever_they_ask() {
    let acme = given([created_by(ANA)]).state();
    let stranger = by(Who::Account(BEN), Level::Read);
    for permission in Permission::ALL {
        assert_eq!(acme.grants(&stranger, permission), Err(Refusal::Stranger));
    }
    let foreign = by(Who::Key(TOKEN), Level::Read);
    assert_eq!(acme.grants(&foreign, Permission::ReadOrganization), Err(Refusal::Stranger));
}

#[test]
fn no_token_can_do_what_its_owner_cannot() {
    for role in Role::ALL {
        let past =
            [created_by(ANA), joined(BEN, role), token_of(TOKEN, Kind::Personal, BEN, &["*"])];
        let acme = given(past).state();
        for (permission, level) in
            Permission::ALL.into_iter().flat_map(|it| Level::ALL.map(|level| (it, level)))
        {
            let own = acme.grants(&by(Who::Account(BEN), level), permission);
            let token = by(Who::Token { owner: BEN, token: TOKEN }, level);
            assert_eq!(acme.grants(&token, permission), own, "{role:?} {permission:?} {level:?}");
            for scope in ["members:read", "org:admin", "audit:write", "tokens:admin"] {
                let past = [
                    created_by(ANA),
                    joined(BEN, role),
                    token_of(TOKEN, Kind::Personal, BEN, &[scope]),
                ];
                let narrow = given(past).state().grants(&token, permission);
                assert!(narrow.is_err() || narrow == own, "{scope} {role:?} {permission:?}");
            }
        }
    }
}

#[test]
fn a_missing_scope_is_named() {
    let past = [created_by(ANA), token_of(TOKEN, Kind::Personal, ANA, &["members:read"])];
    let acme = given(past).state();
    let token = |level| by(Who::Token { owner: ANA, token: TOKEN }, level);
    assert_eq!(acme.grants(&token(Level::Read), Permission::ReadMembers), Ok(Role::Owner));
    let needed = "members:write".parse().expect("a scope");
    let refused = acme.grants(&token(Level::Write), Permission::ManageMembers);
    assert_eq!(refused, Err(Refusal::Scope(needed)));
}

#[test]
fn a_key_is_an_admin_and_no_person() {
    let past = [created_by(ANA), token_of(TOKEN, Kind::Organization, ANA, &["*"])];
    let acme = given(past).state();
    let key = by(Who::Key(TOKEN), Level::Admin);
    assert_eq!(acme.grants(&key, Permission::ManageMembers), Ok(Role::Admin));
    assert_eq!(acme.grants(&key, Permission::DeleteOrganization), Err(Refusal::Role));
    assert_eq!((key.account(), key.actor()), (None, Actor::Token(TOKEN)));
}

#[test]
fn a_token_ends_with_its_owners_membership_and_does_not_come_back_with_it() {
    let removed = crate::membership::Event::Removed { member: BEN, role: Role::Admin };
    let past = [
        created_by(ANA),
        joined(BEN, Role::Admin),
        token_of(TOKEN, Kind::Personal, BEN, &["*"]),
        removed.into(),
        joined(BEN, Role::Admin),
    ];
    let token = by(Who::Token { owner: BEN, token: TOKEN }, Level::Read);
    let refused = given(past).state().grants(&token, Permission::ReadOrganization);
    assert_eq!(refused, Err(Refusal::TokenEnded(Ended::Revoked)));
}

#[test]
fn the_allowlist_keeps_out_members_and_keys_and_tells_strangers_nothing() {
    let only = setting::Update {
        ip_allowlist_required: ON,
        ip_allowlist: Some(Changed {
            from: vec![],
            to: "198.51.100.0/24".parse().into_iter().collect(),
        }),
        ..setting::Update::default()
    };
    let key = token_of(TOKEN, Kind::Organization, ANA, &["*"]);
    let acme = given([created_by(ANA), key, settings(only)]).state();
    let asks = |who| acme.grants(&by(who, Level::Read), Permission::ReadOrganization);
    assert_eq!(asks(Who::Account(ANA)), Err(Refusal::Address));
    assert_eq!(asks(Who::Key(TOKEN)), Err(Refusal::Address));
    assert_eq!(asks(Who::Account(BEN)), Err(Refusal::Stranger));
    let mapped = "::ffff:198.51.100.9".parse().ok();
    let inside = Principal { address: mapped, ..by(Who::Account(ANA), Level::Read) };
    assert_eq!(acme.grants(&inside, Permission::ReadOrganization), Ok(Role::Owner));
}

#[test]
fn a_second_factor_is_demanded_from_the_next_sign_in() {
    let demanded = setting::Update { require_2fa: ON, ..setting::Update::default() };
    // recorded at the first millisecond
    let acme = given([created_by(ANA), settings(demanded)]).state();
    let asks = |signed_in_at: i64, has_second_factor| {
        let signed_in_at = Time::from_millis(signed_in_at);
        let by = by(Who::Account(ANA), Level::Read);
        acme.admits(&Principal { signed_in_at, has_second_factor, ..by })
    };
    assert_eq!(asks(1, false), Ok(Role::Owner));
    assert_eq!(asks(2, false), Err(Refusal::SecondFactor));
    assert_eq!(asks(2, true), Ok(Role::Owner));
}
