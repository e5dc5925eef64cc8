//! Each rule of invitations, allowed and refused.

use uuid::Uuid;

use super::*;
use crate::given::{ANA, BEN, created_by, given, joined, person};
use crate::membership::Event::{Joined, Removed};
use crate::principal;

const FIRST: InvitationId = InvitationId(Uuid::from_u128(0x1a));
const SECOND: InvitationId = InvitationId(Uuid::from_u128(0x1b));
const DORA: SubjectId = SubjectId(Uuid::from_u128(0xd0));
const DORAS: AccountId = AccountId(Uuid::from_u128(0xd1));
const START: Time = Time::EPOCH;

fn links(issue: u8) -> Links {
    Links { copied: Link::of_line(&[issue, 0]), mailed: Link::of_line(&[issue, 1]) }
}

fn invited(role: Role) -> crate::Event {
    let email = Personal::known(DORA, "dora@example.org");
    let expires_at = START.after(LIFE);
    let (invitation, invitee, links) = (FIRST, DORA, links(1));
    Event::Sent { invitation, invitee, role, issue: 1, links, expires_at, email }.into()
}

fn resent(issue: u8) -> crate::Event {
    let (invitation, links, expires_at) = (FIRST, links(issue), START.after(LIFE));
    let previous_expires_at = Some(START.after(LIFE));
    let issue = issue.into();
    Event::Resent { invitation, issue, links, expires_at, previous_expires_at }.into()
}

fn draft(
    invitation: InvitationId,
    invitee: SubjectId,
    account: Option<AccountId>,
    role: Role,
) -> Draft {
    let email = "dora@example.org".to_owned();
    Draft { invitation, invitee, email, account, role, links: links(1) }
}

fn invite(account: Option<AccountId>, at: Time) -> Command {
    Command::Send { draft: draft(SECOND, DORA, account, Role::Member), at }
}

fn accept(link: Link, at: Time) -> Answer {
    let by = Holder { account: DORAS, subject: DORA, link };
    Answer::Accept { invitation: FIRST, by, at }
}

fn admitted(is_address_proven: bool) -> crate::Event {
    let (member, role, invitation) = (DORAS, Role::Viewer, FIRST);
    Joined { member, role, invitation, is_address_proven }.into()
}

#[test]
fn a_mailed_secret_admits_and_proves_the_address() {
    given([created_by(ANA), invited(Role::Viewer)])
        .when_answered(accept(links(1).mailed, START))
        .then([admitted(true)]);
}

#[test]
fn a_copied_secret_admits_and_proves_nothing() {
    given([created_by(ANA), invited(Role::Viewer)])
        .when_answered(accept(links(1).copied, START))
        .then([admitted(false)]);
}

#[test]
fn accepting_again_changes_nothing() {
    given([created_by(ANA), invited(Role::Viewer), admitted(true)])
        .when_answered(accept(links(1).mailed, START))
        .then::<Event, 0>([]);
}

#[test]
fn a_secret_admits_once() {
    let removed = Removed { member: DORAS, role: Role::Viewer };
    given([created_by(ANA), invited(Role::Viewer), admitted(true), removed.into()])
        .when_answered(accept(links(1).mailed, START))
        .then_rejected(Rejection::Closed);
}

#[test]
fn a_secret_that_was_replaced_admits_nobody() {
    given([created_by(ANA), invited(Role::Viewer), resent(2)])
        .when_answered(accept(links(1).mailed, START))
        .then_rejected(Rejection::Closed);
}

#[test]
fn time_closes_an_invitation_whether_or_not_it_is_recorded() {
    given([created_by(ANA), invited(Role::Viewer)])
        .when_answered(accept(links(1).mailed, START.after(LIFE)))
        .then_rejected(Rejection::Closed);
}

#[test]
fn an_invitation_is_for_its_address_alone() {
    let by = Holder { account: BEN, subject: SubjectId(BEN.0), link: links(1).mailed };
    given([created_by(ANA), invited(Role::Viewer)])
        .when_answered(Answer::Accept { invitation: FIRST, by, at: START })
        .then_rejected(Rejection::WrongAccount);
}

#[test]
fn an_address_is_invited_once() {
    given([created_by(ANA), invited(Role::Viewer)])
        .when(invite(None, START))
        .then_rejected(Rejection::AlreadyInvited);
}

#[test]
fn an_address_is_invited_again_when_its_time_is_over() {
    let at = START.after(LIFE);
    let state = given([created_by(ANA), invited(Role::Viewer)]).state();
    let events = decide(&state, &invite(None, at)).expect("the first is over");
    assert!(matches!(
        events.as_slice(),
        [Event::Expired { invitation: FIRST }, Event::Sent { invitation: SECOND, .. }]
    ));
}

#[test]
fn members_are_not_invited() {
    given([created_by(ANA), joined(BEN, Role::Viewer)])
        .when(invite(Some(BEN), START))
        .then_rejected(Rejection::AlreadyMember);
}

#[test]
fn an_invitation_is_sent_again_five_times_at_most() {
    let again = Command::Resend { invitation: FIRST, links: links(7), at: START };
    let [two, three, four, five, six] = [2, 3, 4, 5, 6].map(resent);
    given([created_by(ANA), invited(Role::Viewer), two, three, four, five, six])
        .when(again)
        .then_rejected(Rejection::ResentTooOften);
}

#[test]
fn an_invitation_ends_with_its_senders_right() {
    // whoever sends in these tests is ANA
    let demote = membership::Command::ChangeRole { member: ANA, role: Role::Developer };
    let state = given([created_by(ANA), joined(BEN, Role::Owner), invited(Role::Viewer)]);
    let events = membership::decide(&state.state(), &demote).expect("another owner is left");
    let canceled = Event::Canceled { invitation: FIRST, because: Cause::SenderLostRight }.into();
    assert_eq!(events.get(1), Some(&canceled));
}

#[test]
fn an_invitation_ends_with_its_senders_right_to_grant_that_role() {
    let demote = membership::Command::ChangeRole { member: ANA, role: Role::Admin };
    let past = |role| given([created_by(ANA), joined(BEN, Role::Owner), invited(role)]).state();
    let ended = |role| membership::decide(&past(role), &demote).expect("allowed").len() - 1;
    assert_eq!((ended(Role::Admin), ended(Role::Viewer)), (1, 0));
}

#[test]
fn of_many_each_is_sent_or_told_why_it_is_not() {
    let third = InvitationId(Uuid::from_u128(0x1c));
    let fourth = InvitationId(Uuid::from_u128(0x1d));
    let [emil, finn] = [0xe0, 0xf0].map(|bits| SubjectId(Uuid::from_u128(bits)));
    let drafts = vec![
        draft(SECOND, DORA, None, Role::Member),
        draft(third, emil, None, Role::Viewer),
        draft(fourth, emil, None, Role::Viewer),
        draft(fourth, SubjectId(BEN.0), Some(BEN), Role::Viewer),
        draft(fourth, finn, None, Role::Owner),
    ];
    // BEN is an admin, so grants no ownership
    let past = || [created_by(ANA), joined(BEN, Role::Admin), invited(Role::Viewer)];
    let state = given(past()).state();
    let by_ben = person(BEN);
    let command = Command::SendAll { drafts: drafts.clone(), by: by_ben, at: START };
    let events = decide(&state, &command).expect("what cannot be sent is left out");
    let [Event::Sent { invitation, .. }] = events.as_slice() else {
        unreachable!("one can be sent, not {events:?}")
    };
    assert_eq!(*invitation, third);

    let [created, joined, first] = past();
    let after = given([created, joined, first, events[0].clone().into()]).state();
    let week_later = START.after(LIFE);
    for at in [START, week_later] {
        let why = |index: usize| refused(&after, &drafts[index], &by_ben, at);
        assert_eq!(why(0), Refusal::Rejected(Rejection::AlreadyInvited));
        assert_eq!(why(2), Refusal::Rejected(Rejection::AlreadyInvited));
        assert_eq!(why(3), Refusal::Rejected(Rejection::AlreadyMember));
        assert_eq!(why(4), Refusal::Denied(principal::Refusal::Role));
    }
}
