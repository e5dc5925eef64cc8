//! Each rule of organizations, allowed and refused.

use super::*;
use crate::given::{ACME, ANA, BEN, created_by, given, joined, personal_of, renamed};

fn rename(name: &str) -> Command {
    Command::Update { name: Some(name.to_owned()), billing_email: None, country: None }
}

#[test]
fn the_founder_owns_what_they_found() {
    let founded = given([created_by(ANA)]).state();
    assert_eq!(founded.role_of(ANA), Some(Role::Owner));
    assert_eq!(founded.longest_standing_owner(), Some(ANA));
}

#[test]
fn a_slug_is_given_out_once() {
    let command = Create {
        organization: ACME,
        slug: "acme".to_owned(),
        owner: ANA,
        is_personal: false,
        name: "Another".to_owned(),
        billing_email: None,
        country: None,
    };
    let outcome = create(&given([created_by(ANA)]).state(), &command);
    assert_eq!(outcome, Err(Rejection::SlugTaken));
}

#[test]
fn renaming_records_the_old_and_the_new_name() {
    given([created_by(ANA)]).when(rename("Acme Two")).then([renamed("Acme", "Acme Two")]);
}

#[test]
fn renaming_to_the_same_name_records_nothing() {
    given([created_by(ANA)]).when(rename("Acme")).then::<Event, 0>([]);
}

#[test]
fn the_name_of_a_personal_organization_is_a_personal_value() {
    let events =
        decide(&given([personal_of(ANA)]).state(), &rename("Ana")).expect("an owner may rename");
    let [Event::Updated { name: None, personal_name, .. }] = events.as_slice() else {
        unreachable!("one update without a plain name, not {events:?}")
    };
    assert_eq!(personal_name.to, Personal::known(ACME.subject(), "Ana"));
}

#[test]
fn a_personal_value_that_stays_is_no_change() {
    let known = |value: &str| Personal::known(ACME.subject(), value);
    let updated = |name: Option<Changed<String>>, from: &str, to: &str| Event::Updated {
        name,
        country: None,
        personal_name: ChangedPersonal::default(),
        billing_email: ChangedPersonal { from: known(from), to: known(to) },
    };
    assert!(updated(None, "a@acme.com", "b@acme.com").keep_changes());
    assert!(!updated(None, "a@acme.com", "a@acme.com").keep_changes());
    let renamed = Changed { from: "Acme".to_owned(), to: "Acme Two".to_owned() };
    let mut both = updated(Some(renamed.clone()), "a@acme.com", "a@acme.com");
    assert!(both.keep_changes());
    let Event::Updated { name, billing_email, .. } = both else { unreachable!("it is one") };
    assert_eq!((name, billing_email), (Some(renamed), ChangedPersonal::default()));
}

fn delete(confirmation: &str) -> Command {
    Command::Delete { confirmation: confirmation.to_owned(), at: Time::EPOCH }
}

#[test]
fn deleting_counts_what_ends_with_it() {
    given([created_by(ANA), joined(BEN, Role::Viewer)]).when(delete("acme")).then([
        Event::Deleted {
            members: 2,
            pending_invitations: 0,
            tokens: 0,
            projects: 0,
            databases: 0,
            is_billed: false,
        },
    ]);
}

#[test]
fn deleting_needs_the_slug_as_confirmation() {
    given([created_by(ANA)]).when(delete("acne")).then_rejected(Rejection::WrongConfirmation);
}

#[test]
fn a_personal_organization_cannot_be_deleted() {
    let confirmed = delete(&crate::slug::personal(ACME));
    given([personal_of(ANA)]).when(confirmed).then_rejected(Rejection::PersonalOrganization);
}

#[test]
fn a_deleted_organization_has_nobody_and_its_slug_is_not_given_out_again() {
    let deleted = Event::Deleted {
        members: 1,
        pending_invitations: 0,
        tokens: 0,
        projects: 0,
        databases: 0,
        is_billed: false,
    };
    let state = given([created_by(ANA), deleted.into()]).state();
    assert_eq!((state.profile(), state.role_of(ANA)), (None, None));
    let command = Create {
        organization: ACME,
        slug: "acme".to_owned(),
        owner: BEN,
        is_personal: false,
        name: "Again".to_owned(),
        billing_email: None,
        country: None,
    };
    assert_eq!(create(&state, &command), Err(Rejection::SlugTaken));
}

#[test]
fn what_does_not_exist_cannot_be_renamed() {
    given([]).when(rename("Acme")).then_rejected(Rejection::NotFound);
}
