//! An account's rules: given its past, when it is told something, then what.

use uuid::Uuid;

use super::*;
use crate::State as _;
use crate::account::Code;
use crate::given::{ANA, recorded};
use crate::id::SubjectId;
use crate::personal::Sealed;
use crate::stream::Stream;

const SUBJECT: SubjectId = SubjectId(Uuid::from_u128(0x50));
const FIRST: SessionId = SessionId(Uuid::from_u128(1));
const SECOND: SessionId = SessionId(Uuid::from_u128(2));
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

fn start_of_time() -> Time {
    Time::from_millis(0)
}

fn hash(text: &str) -> Link {
    Link::of_line(text.as_bytes())
}

fn secrets(generation: u32) -> Secrets {
    Secrets {
        secret_hash: hash(&format!("token {generation}")),
        refresh_hash: hash(&format!("refresh {generation}")),
    }
}

/// As the log gives it back.
fn sealed(by: u128) -> Personal {
    Personal::Sealed(Box::new(Sealed {
        subject: SUBJECT,
        event: EventId(Uuid::from_u128(by)),
        field: "password_hash".into(),
        sealed_box: "".into(),
    }))
}

fn link(issue: u64, at: Time, valid: Duration) -> LinkIssue {
    LinkIssue { issue, secret_hash: hash(&format!("link {issue}")), expires_at: at.after(valid) }
}

/// An account that remembers the time and number of what happens to it.
#[derive(Default)]
struct Ana {
    state: Account,
    version: u64,
}

impl Ana {
    /// Registered at the beginning of time, with one session.
    fn registered() -> Self {
        let person = Person {
            subject: SUBJECT,
            email: Personal::known(SUBJECT, "ana@example.org"),
            name: Personal::known(SUBJECT, "Ana"),
            company: Personal::Absent,
            password_hash: sealed(1),
            registered_at: start_of_time(),
            email_verified_at: None,
            second_factor: None,
            changed_version: 0,
            seen_version: 0,
        };
        let mut ana = Self::default();
        let now = start_of_time();
        ana.told(
            now,
            &Command::Register {
                person: Box::new(person),
                session: FIRST,
                secrets: secrets(0),
                verification: link(1, now, 48 * HOUR),
                now,
            },
        );
        ana
    }

    fn decides(&self, command: &Command) -> Result<Vec<Event>, Rejection> {
        decide(&self.state, command)
    }

    /// Does what it is told, and says what happened.
    #[track_caller]
    fn told(&mut self, now: Time, command: &Command) -> Vec<Event> {
        let events = self.decides(command).expect("the command is allowed");
        for event in &events {
            let stream = Stream::Account(ANA);
            let happened = crate::Event::Account(event.clone());
            let happened =
                crate::recorded::Recorded { at: now, ..recorded(stream, self.version, happened) };
            self.state.evolve(&happened);
            self.version += 1;
        }
        events
    }

    fn refresh(generation: u32, now: Time) -> Command {
        Command::Refresh {
            session: FIRST,
            generation,
            presented: secrets(generation).refresh_hash,
            next: secrets(generation + 1),
            now,
        }
    }

    fn serves(&self, generation: u32, now: Time) -> bool {
        let session = self.state.session(FIRST, now);
        session.is_some_and(|session| {
            session.serving(now).any(|hash| *hash == secrets(generation).secret_hash)
        })
    }
}

#[test]
fn a_session_is_refreshed_until_its_family_is_ninety_days_old() {
    let mut ana = Ana::registered();
    let mut now = start_of_time();
    for generation in 0..4 {
        now = now.after(22 * DAY);
        ana.told(now, &Ana::refresh(generation, now));
        assert!(ana.serves(generation + 1, now));
    }
    let end = start_of_time().after(90 * DAY);
    assert!(ana.state.session(FIRST, end.after(Duration::ZERO)).is_none());
    assert_eq!(ana.decides(&Ana::refresh(4, end)), Err(Rejection::SessionOver));
}

#[test]
fn a_refresh_token_that_lies_idle_for_thirty_days_is_dead() {
    let ana = Ana::registered();
    let late = start_of_time().after(30 * DAY);
    assert_eq!(ana.decides(&Ana::refresh(0, late)), Err(Rejection::SessionOver));
}

#[test]
fn a_lost_answer_is_given_again_and_a_stolen_token_ends_the_session() {
    let mut ana = Ana::registered();
    let now = start_of_time().after(HOUR / 2);
    ana.told(now, &Ana::refresh(0, now));
    let soon = now.after(Duration::from_secs(29));
    assert_eq!(ana.decides(&Ana::refresh(0, soon)), Ok(vec![]));
    assert!(ana.serves(0, soon) && ana.serves(1, soon));
    let later = now.after(Duration::from_secs(30));
    assert!(!ana.serves(0, later) && ana.serves(1, later));
    let ended = ana.told(later, &Ana::refresh(0, later));
    assert_eq!(ended, [Event::SessionEnded { session: FIRST, reason: EndReason::RefreshReused }]);
    assert!(!ana.serves(1, later));
}

#[test]
fn a_token_two_generations_old_is_never_a_retry() {
    let mut ana = Ana::registered();
    let now = start_of_time().after(HOUR);
    ana.told(now, &Ana::refresh(0, now));
    ana.told(now, &Ana::refresh(1, now));
    let ended = ana.decides(&Ana::refresh(0, now)).expect("it is genuine");
    assert!(matches!(ended[..], [Event::SessionEnded { .. }]), "{ended:?}");
}

#[test]
fn a_new_password_ends_every_other_session() {
    let mut ana = Ana::registered();
    let now = start_of_time();
    let start = |password_set_by| Command::StartSession {
        session: SECOND,
        secrets: secrets(0),
        password_set_by,
        second_factor: None,
        now,
    };
    let old = EventId(Uuid::from_u128(1));
    ana.told(now, &start(Some(old)));
    let change = Command::ChangePassword {
        password_hash: sealed(2),
        password_set_by: Some(old),
        kept: Some(SECOND),
    };
    ana.told(now, &change);
    assert!(ana.state.session(FIRST, now).is_none());
    assert!(ana.state.session(SECOND, now).is_some());
    // what was proven with the old password counts no more
    assert_eq!(ana.decides(&change), Err(Rejection::PasswordChanged));
    assert_eq!(ana.decides(&start(Some(old))), Err(Rejection::PasswordChanged));
}

fn reset(issue: u64, now: Time) -> Command {
    Command::ResetPassword {
        secret_hash: link(issue, now, HOUR).secret_hash,
        password_hash: sealed(9),
        now,
    }
}

#[test]
fn a_reset_link_works_once_for_an_hour_and_until_the_next_one() {
    let mut ana = Ana::registered();
    let now = start_of_time().after(HOUR);
    for issue in 1..=2 {
        assert_eq!(ana.state.next_reset(), issue);
        ana.told(now, &Command::RequestPasswordReset { link: link(issue, now, HOUR) });
    }
    assert_eq!(ana.decides(&reset(1, now)), Err(Rejection::LinkClosed));
    assert_eq!(ana.decides(&reset(2, now.after(HOUR))), Err(Rejection::LinkClosed));
    ana.told(now, &reset(2, now));
    assert!(ana.state.sessions(now).next().is_none(), "every session has ended");
    let person = ana.state.person().expect("it is there");
    assert_eq!(person.email_verified_at, Some(now), "who reads the mail has proven the address");
    assert_eq!(ana.decides(&reset(2, now)), Err(Rejection::LinkClosed));
}

#[test]
fn an_address_nobody_has_verified_goes_to_who_reads_its_mail() {
    for (age, is_verified, loses_it) in
        [(6 * DAY, false, false), (7 * DAY, false, true), (7 * DAY, true, false)]
    {
        let mut ana = Ana::registered();
        if is_verified {
            let now = start_of_time().after(HOUR);
            ana.told(now, &Command::VerifyEmail { secret_hash: hash("link 1"), now });
        }
        let now = start_of_time().after(age);
        ana.told(now, &Command::RequestPasswordReset { link: link(1, now, HOUR) });
        ana.told(now, &reset(1, now));
        assert_eq!(ana.state.has_address(), !loses_it, "after {age:?}");
        let abandoned = ana.decides(&Command::Abandon);
        assert_eq!(abandoned.is_ok(), loses_it, "the claim can be taken over: {abandoned:?}");
    }
}

#[test]
fn an_address_is_verified_by_the_newest_link_for_two_days() {
    let mut ana = Ana::registered();
    let now = start_of_time().after(HOUR);
    let verify =
        |issue: u64, now| Command::VerifyEmail { secret_hash: hash(&format!("link {issue}")), now };
    ana.told(now, &Command::RequestEmailVerification { link: link(2, now, 48 * HOUR) });
    assert_eq!(ana.decides(&verify(1, now)), Err(Rejection::LinkClosed));
    let late = now.after(48 * HOUR);
    assert_eq!(ana.decides(&verify(2, late)), Err(Rejection::LinkClosed));
    assert_eq!(
        ana.told(now, &verify(2, now)),
        [Event::EmailVerified { issue: Some(2), invitation: None }]
    );
    assert_eq!(ana.decides(&verify(2, late)), Ok(vec![]), "a second click is no mistake");
    let again = Command::RequestEmailVerification { link: link(3, now, 48 * HOUR) };
    assert_eq!(ana.decides(&again), Err(Rejection::AlreadyVerified));
}

#[test]
fn an_invitation_accepted_by_its_mailed_link_proves_the_address_once() {
    let mut ana = Ana::registered();
    let invitation = InvitationId(Uuid::from_u128(7));
    let taken = Command::TakeInvitationAsProof { invitation };
    let verified = Event::EmailVerified { issue: None, invitation: Some(invitation) };
    assert_eq!(ana.told(start_of_time(), &taken), [verified]);
    assert!(ana.state.person().expect("it is there").email_verified_at.is_some());
    assert_eq!(ana.decides(&taken), Ok(vec![]));
}

fn start(second_factor: Option<Proof>, now: Time) -> Command {
    let password_set_by = Some(EventId(Uuid::from_u128(1)));
    let (session, secrets) = (SECOND, secrets(0));
    Command::StartSession { session, secrets, password_set_by, second_factor, now }
}

const SET_BY: EventId = EventId(Uuid::from_u128(9));

fn proof(code: Code) -> Proof {
    Proof { of: Some(SET_BY), code }
}

/// With a second factor whose code of step 7 was the first.
fn ana_with_a_second_factor() -> Ana {
    let mut ana = Ana::registered();
    let now = start_of_time();
    ana.told(now, &Command::PrepareSecondFactor { secret: sealed(8) });
    let prepared_by = Some(EventId(Uuid::from_u128(8)));
    let backup_codes = sealed(9);
    ana.told(now, &Command::EnableSecondFactor { prepared_by, step: 7, backup_codes });
    ana
}

#[test]
fn with_a_second_factor_nobody_signs_in_without_a_code() {
    let mut ana = ana_with_a_second_factor();
    let now = start_of_time();
    assert_eq!(ana.decides(&start(None, now)), Err(Rejection::SecondFactorMissing));
    let events = ana.told(now, &start(Some(proof(Code::Step(8))), now));
    assert_eq!(events[0], Event::SecondFactorUsed { step: 8 });
    assert!(matches!(events[1], Event::SessionStarted { .. }));
}

#[test]
fn no_code_serves_twice() {
    let mut ana = ana_with_a_second_factor();
    let now = start_of_time();
    let with = |code| start(Some(proof(code)), now);
    // the one that enabled it, too
    assert_eq!(ana.decides(&with(Code::Step(7))), Err(Rejection::CodeUsed));
    ana.told(now, &with(Code::Step(9)));
    assert_eq!(ana.decides(&with(Code::Step(8))), Err(Rejection::CodeUsed));
    ana.told(now, &Command::UseSecondFactor { proof: proof(Code::Backup(0)) });
    assert_eq!(ana.decides(&with(Code::Backup(0))), Err(Rejection::CodeUsed));
    assert!(ana.decides(&with(Code::Backup(1))).is_ok());
}

#[test]
fn a_code_of_an_earlier_second_factor_proves_nothing() {
    let ana = ana_with_a_second_factor();
    let other = Proof { of: Some(EventId(Uuid::from_u128(4))), code: Code::Step(8) };
    let refused = ana.decides(&start(Some(other), start_of_time()));
    assert_eq!(refused, Err(Rejection::SecondFactorMissing));
}

#[test]
fn a_second_factor_is_enabled_once_and_by_its_own_secret() {
    let mut ana = Ana::registered();
    let enable = |prepared_by: u128| Command::EnableSecondFactor {
        prepared_by: Some(EventId(Uuid::from_u128(prepared_by))),
        step: 7,
        backup_codes: sealed(9),
    };
    assert_eq!(ana.decides(&enable(8)), Err(Rejection::SecondFactorNotPrepared));
    ana.told(start_of_time(), &Command::PrepareSecondFactor { secret: sealed(8) });
    assert_eq!(ana.decides(&enable(7)), Err(Rejection::SecondFactorNotPrepared));
    ana.told(start_of_time(), &enable(8));
    assert_eq!(ana.decides(&enable(8)), Err(Rejection::SecondFactorEnabled));
    let again = Command::PrepareSecondFactor { secret: sealed(8) };
    assert_eq!(ana.decides(&again), Err(Rejection::SecondFactorEnabled));
}

#[test]
fn a_started_erasure_keeps_everybody_out_until_it_is_abandoned() {
    let mut ana = Ana::registered();
    let now = start_of_time();
    let password_set_by = Some(EventId(Uuid::from_u128(1)));
    let erase = Command::StartErasure { password_set_by, second_factor: None };
    assert_eq!(ana.told(now, &erase), [Event::ErasureStarted {}]);
    assert_eq!(ana.decides(&start(None, now)), Err(Rejection::Erasing));
    assert!(!ana.state.admits());
    ana.told(now, &Command::AbandonErasure { kept_by: vec![], left: vec![] });
    assert!(ana.state.admits() && ana.decides(&start(None, now)).is_ok());
    ana.told(now, &erase);
    ana.told(now, &Command::FinishErasure);
    assert_eq!(ana.state.erasure(), Some(Erasure::Done));
    assert_eq!(ana.decides(&start(None, now)), Err(Rejection::Unregistered));
    assert_eq!(ana.decides(&Command::FinishErasure), Ok(vec![]));
}
