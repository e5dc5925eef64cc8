//! Whatever members, the invited and time do, in whatever order: no illegal state. Decisions are made
//! as the server makes them, the right first, and what they say is taken in; a second, simpler
//! account of who may be where is kept beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use crate::chain::Link;
use crate::given::{ACME, created_by, recorded};
use crate::id::{AccountId, InvitationId, SubjectId};
use crate::invitation::{self, Answer, Holder, Links, Status};
use crate::membership;
use crate::organization::{self, Organization};
use crate::permission::{Permission, Role};
use crate::recorded::Actor;
use crate::stream::Stream;
use crate::time::Time;
use crate::{Command, Event, State as _};

const PEOPLE: usize = 4;
const INVITATIONS: usize = 8;

fn account(person: usize) -> AccountId {
    AccountId(Uuid::from_u128(person as u128 + 1))
}

fn subject(person: usize) -> SubjectId {
    SubjectId(Uuid::from_u128(person as u128 + 0x50))
}

fn invitation(number: usize) -> InvitationId {
    InvitationId(Uuid::from_u128(number as u128 + 0x100))
}

/// The secrets of one issue of one invitation.
fn links(number: usize, issue: u32) -> Links {
    let link = |way: &str| Link::of_line(format!("{number} {issue} {way}").as_bytes());
    Links { copied: link("copied"), mailed: link("mailed") }
}

#[derive(Clone, Debug)]
enum Step {
    Invite {
        by: usize,
        whom: usize,
        role: Role,
    },
    Resend {
        by: usize,
        number: usize,
    },
    Cancel {
        by: usize,
        number: usize,
    },
    /// By the one it was sent to, or by anybody.
    Accept {
        by: Option<usize>,
        number: usize,
        issue: u32,
        is_mailed: bool,
    },
    Decline {
        by: usize,
        number: usize,
    },
    Expire {
        number: usize,
    },
    ChangeRole {
        by: usize,
        whom: usize,
        role: Role,
    },
    Remove {
        by: usize,
        whom: usize,
    },
    Leave {
        by: usize,
    },
    /// By the owner, or by anybody.
    Transfer {
        by: Option<usize>,
        whom: usize,
        kept: Role,
    },
    Delete {
        by: usize,
    },
    Wait {
        days: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let person = || 0..PEOPLE;
    let number = || 0..INVITATIONS;
    let role = || proptest::sample::select(&Role::ALL[..]);
    let kept = proptest::sample::select(&[Role::Owner, Role::Admin, Role::Member][..]);
    let step = prop_oneof![
        12 => (person(), person(), role())
            .prop_map(|(by, whom, role)| Step::Invite { by, whom, role }),
        4 => (person(), number()).prop_map(|(by, number)| Step::Resend { by, number }),
        2 => (person(), number()).prop_map(|(by, number)| Step::Cancel { by, number }),
        16 => (proptest::option::weighted(0.2, person()), number(), 1..3_u32, any::<bool>())
            .prop_map(|(by, number, issue, is_mailed)| {
                Step::Accept { by, number, issue, is_mailed }
            }),
        2 => (person(), number()).prop_map(|(by, number)| Step::Decline { by, number }),
        4 => number().prop_map(|number| Step::Expire { number }),
        8 => (person(), person(), role())
            .prop_map(|(by, whom, role)| Step::ChangeRole { by, whom, role }),
        4 => (person(), person()).prop_map(|(by, whom)| Step::Remove { by, whom }),
        4 => person().prop_map(|by| Step::Leave { by }),
        8 => (proptest::option::weighted(0.2, person()), person(), kept)
            .prop_map(|(by, whom, kept)| Step::Transfer { by, whom, kept }),
        1 => person().prop_map(|by| Step::Delete { by }),
        3 => (1..5_u64).prop_map(|days| Step::Wait { days }),
    ];
    proptest::collection::vec(step, 1..80)
}

/// What every step must leave true, told without asking the fold: who was sent what, by whom, and
/// how each invitation ended.
#[derive(Default)]
struct Model {
    roles: BTreeMap<AccountId, Role>,
    sent: BTreeMap<InvitationId, (Actor, SubjectId, Role, Time)>,
    closed: BTreeSet<InvitationId>,
    is_deleted: bool,
}

impl Model {
    fn take(&mut self, event: &Event, by: Actor, at: Time) {
        use invitation::Event::{Canceled, Expired, Rejected, Resent, Sent};
        use membership::Event::{
            Joined, Left, OwnershipTransferred, Removed, RoleChanged, SecondFactorChanged,
        };
        assert!(!self.is_deleted, "after its end nothing happens to an organization: {event:?}");
        match event {
            Event::Organization(organization::Event::Created { owner, .. }) => {
                self.roles.insert(*owner, Role::Owner);
            }
            Event::Organization(organization::Event::Deleted { members, .. }) => {
                assert_eq!(*members, self.roles.len() as u64);
                self.is_deleted = true;
                self.roles.clear();
            }
            Event::Membership(Joined { member, role, invitation, .. }) => {
                let (sender, invitee, granted, expires_at) = self.sent[invitation];
                assert!(self.closed.insert(*invitation), "a closed invitation admitted somebody");
                assert!(at < expires_at, "an invitation admitted somebody after its time");
                assert_eq!((granted, invitee.0.as_u128()), (*role, member.0.as_u128() + 0x4f));
                self.has_right(sender, Permission::to_grant(*role));
                assert_eq!(self.roles.insert(*member, *role), None, "a member joined twice");
            }
            Event::Membership(RoleChanged { member, role }) => {
                assert_eq!(self.roles.insert(*member, role.to), Some(role.from));
                self.has_right_before(by, *member, role.from, Permission::to_grant(role.to));
            }
            Event::Membership(Removed { member, role } | Left { member, role }) => {
                assert_eq!(self.roles.remove(member), Some(*role));
            }
            Event::Membership(OwnershipTransferred { from, to, kept_role, previous_role }) => {
                assert_eq!(self.roles.insert(*to, Role::Owner), Some(*previous_role));
                assert_eq!(self.roles.insert(*from, *kept_role), Some(Role::Owner));
            }
            Event::Invitation(Sent { invitation, invitee, role, expires_at, .. }) => {
                self.has_right(by, Permission::to_grant(*role));
                let is_held = |(id, sent): (&InvitationId, &(Actor, SubjectId, Role, Time))| {
                    sent.1 == *invitee && !self.closed.contains(id)
                };
                assert!(!self.sent.iter().any(is_held), "an address was invited twice");
                self.sent.insert(*invitation, (by, *invitee, *role, *expires_at));
            }
            Event::Invitation(Resent { invitation, expires_at, .. }) => {
                assert!(!self.closed.contains(invitation), "a closed invitation was sent again");
                let sent = self.sent.get_mut(invitation).expect("it was sent once");
                (sent.0, sent.3) = (by, *expires_at);
                let role = sent.2;
                self.has_right(by, Permission::to_grant(role));
            }
            Event::Invitation(
                Canceled { invitation, .. } | Rejected { invitation } | Expired { invitation },
            ) => assert!(self.closed.insert(*invitation), "an invitation was closed twice"),
            Event::Organization(organization::Event::Updated { .. })
            | Event::Membership(SecondFactorChanged { .. })
            | Event::Setting(_)
            | Event::Token(_)
            | Event::Erasure(_)
            | Event::Declaration(_)
            | Event::Incident(_)
            | Event::AccessReview(_)
            | Event::RestoreTest(_)
            | Event::Subscription(_)
            | Event::Invoice(_)
            | Event::Evidence(_)
            | Event::Project(_)
            | Event::Database(_)
            | Event::DatabasePart(_)
            | Event::Platform(_)
            | Event::Usage(_)
            | Event::Address(_)
            | Event::Account(_)
            | Event::AccessAttempt(_) => unreachable!("no step leads to {event:?}"),
        }
    }

    fn has_right(&self, by: Actor, permission: Permission) {
        let Actor::Account(by) = by else { unreachable!("only people act here") };
        let role = self.roles.get(&by).expect("a stranger did something");
        assert!(role.may(permission), "{role:?} did what takes {permission:?}");
    }

    /// The same for somebody who may just have changed their own role.
    fn has_right_before(
        &mut self,
        by: Actor,
        member: AccountId,
        role: Role,
        permission: Permission,
    ) {
        let now = self.roles.insert(member, role);
        self.has_right(by, permission.max(Permission::to_grant(role)));
        self.roles.extend(now.map(|now| (member, now)));
    }
}

struct World {
    organization: Organization,
    model: Model,
    version: u64,
    at: Time,
    invited: usize,
}

impl World {
    fn new() -> Self {
        let (organization, model) = (Organization::default(), Model::default());
        let mut world = Self { organization, model, version: 0, at: Time::EPOCH, invited: 0 };
        world.take(vec![created_by(account(0))], 0);
        world
    }

    fn take(&mut self, facts: Vec<Event>, by: usize) {
        for fact in facts {
            let actor = Actor::Account(account(by));
            self.model.take(&fact, actor, self.at);
            let stream = Stream::Organization(ACME);
            let mut recorded = recorded(stream, self.version, fact);
            (recorded.actor, recorded.at) = (actor, self.at);
            self.organization.evolve(&recorded);
            self.version += 1;
        }
    }

    /// As the server does it: the right is asked of the same state as the rule.
    fn orders<C: Command>(&mut self, by: usize, command: &C) -> bool {
        let role = self.organization.role_of(account(by));
        let may = role.is_some_and(|role| role.may(command.requires(&self.organization)));
        let facts = may.then(|| command.decide(&self.organization).ok()).flatten();
        let is_done = facts.is_some();
        self.take(facts.unwrap_or_default(), by);
        is_done
    }

    fn answers(&mut self, by: usize, answer: Answer) {
        let facts = invitation::answer(&self.organization, &answer).unwrap_or_default();
        self.take(facts, by);
    }

    fn holder(by: usize, link: Link) -> Holder {
        Holder { account: account(by), subject: subject(by), link }
    }

    fn does(&mut self, step: &Step) {
        use membership::Command::{ChangeRole, Leave, Remove, Transfer};
        let at = self.at;
        match *step {
            Step::Wait { days } => self.at = at.after(Duration::from_hours(24 * days)),
            Step::Invite { by, whom, role } => {
                let number = self.invited;
                let draft = invitation::Draft {
                    invitation: invitation(number),
                    invitee: subject(whom),
                    email: String::new(),
                    account: Some(account(whom)),
                    role,
                    links: links(number, 1),
                };
                let command = invitation::Command::Send { draft, at };
                if number < INVITATIONS && self.orders(by, &command) {
                    self.invited += 1;
                }
            }
            Step::Resend { by, number } => {
                let issue = self.organization.invitation(invitation(number));
                let links = links(number, issue.map_or(0, |sent| sent.issue) + 1);
                let invitation = invitation(number);
                self.orders(by, &invitation::Command::Resend { invitation, links, at });
            }
            Step::Cancel { by, number } => {
                let invitation = invitation(number);
                self.orders(by, &invitation::Command::Cancel { invitation, at });
            }
            Step::Accept { by, number, issue, is_mailed } => {
                let links = links(number, issue);
                let link = if is_mailed { links.mailed } else { links.copied };
                let invited = self.model.sent.get(&invitation(number)).map(|sent| sent.1);
                let by = by
                    .or_else(|| (0..PEOPLE).find(|person| Some(subject(*person)) == invited))
                    .unwrap_or_default();
                let by_holder = Self::holder(by, link);
                let invitation = invitation(number);
                self.answers(by, Answer::Accept { invitation, by: by_holder, at });
            }
            Step::Decline { by, number } => {
                let by_holder = Self::holder(by, links(number, 1).mailed);
                let invitation = invitation(number);
                self.answers(by, Answer::Decline { invitation, by: by_holder, at });
            }
            Step::Expire { number } => {
                self.answers(0, Answer::Expire { invitation: invitation(number), at });
            }
            Step::ChangeRole { by, whom, role } => {
                self.orders(by, &ChangeRole { member: account(whom), role });
            }
            Step::Remove { by, whom } => {
                self.orders(by, &Remove { member: account(whom) });
            }
            Step::Leave { by } => {
                self.orders(by, &Leave { member: account(by) });
            }
            Step::Transfer { by, whom, kept } => {
                let owner = self.organization.longest_standing_owner();
                let by = by
                    .or_else(|| (0..PEOPLE).find(|person| Some(account(*person)) == owner))
                    .unwrap_or_default();
                let (from, to) = (account(by), account(whom));
                self.orders(by, &Transfer { from, to, kept_role: kept });
            }
            Step::Delete { by } => {
                let confirmation = "acme".to_owned();
                self.orders(by, &organization::Command::Delete { confirmation, at: self.at });
            }
        }
    }

    fn is_legal(&self) {
        let Self { organization, model, .. } = self;
        let people = (0..PEOPLE).map(account);
        for person in people {
            assert_eq!(organization.role_of(person), model.roles.get(&person).copied());
        }
        assert_eq!(organization.member_count(), model.roles.len());
        assert_eq!(organization.profile().is_none(), model.is_deleted);
        if model.is_deleted {
            assert_eq!(organization.pending_invitations().count(), 0);
            return;
        }
        let owner = organization.longest_standing_owner().expect("there is always an owner");
        assert_eq!(model.roles[&owner], Role::Owner);
        for (id, sent) in (0..INVITATIONS)
            .map(invitation)
            .filter_map(|id| Some((id, organization.invitation(id)?)))
        {
            let is_open = sent.status_at(Time::EPOCH) == Status::Pending;
            assert_eq!(is_open, !model.closed.contains(&id), "{id}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_steps_leads_to_an_illegal_state(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.does(step);
            world.is_legal();
        }
    }
}

/// The steps must lead somewhere, or the test above would hold of nothing.
#[test]
fn steps_lead_through_every_kind_of_event() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut joined, mut transferred, mut deleted, mut closed) = (0, 0, 0, 0);
    for _ in 0..500 {
        let steps = steps().new_tree(&mut runner).expect("steps are drawn").current();
        let mut world = World::new();
        for step in &steps {
            let (before, owner) =
                (world.model.roles.len(), world.organization.longest_standing_owner());
            world.does(step);
            joined += usize::from(world.model.roles.len() > before);
            let moved = world.organization.longest_standing_owner() != owner;
            transferred += usize::from(moved && matches!(step, Step::Transfer { .. }));
        }
        deleted += usize::from(world.model.is_deleted);
        closed += world.model.closed.len();
    }
    let reached = [joined, transferred, deleted, closed];
    assert!(reached.iter().all(|count| *count >= 20), "{reached:?}");
}
