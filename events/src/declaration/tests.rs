//! Each rule of declarations, allowed and refused.

use uuid::Uuid;

use super::*;
use crate::Event as Any;
use crate::declaration;
use crate::given::{ANA, BEN, created_by, given};
use crate::organization;

const ACTIVITY: DeclarationId = DeclarationId::Activity(ActivityId(Uuid::from_u128(0xac)));
const SYSTEM: DeclarationId = DeclarationId::AiSystem(AiSystemId(Uuid::from_u128(0xa1)));

fn statement(content: Content) -> Statement {
    Statement { content, text: "{}".to_owned() }
}

fn function() -> Content {
    Content::DoraFunction(DoraFunction {
        is_critical_or_important: true,
        databases: vec![],
        rto_seconds: None,
        rpo_seconds: Some(60),
    })
}

fn role(role: DoraRoleName) -> Content {
    Content::DoraRole(DoraRole { role, entity_type: None, has_lei: false })
}

fn set(declaration: DeclarationId, content: Content) -> Any {
    declaration::Event::Set { declaration, content, text: Personal::Absent }.into()
}

fn system(overseer: crate::id::AccountId) -> Content {
    Content::AiSystem(AiSystem {
        role: AiRole::Deployer,
        high_risk: HighRisk::AnnexIii,
        log_stores: vec!["db_1".to_owned()],
        log_retention_days: Some(184),
        has_retention_basis: false,
        overseers: vec![overseer],
        is_suspended: false,
        instructions: None,
    })
}

#[test]
fn what_is_of_another_kind_is_refused() {
    let command = Command::Declare { declaration: ACTIVITY, statement: statement(function()) };
    given([created_by(ANA)]).when(command).then_rejected(Rejection::OtherKind);
}

#[test]
fn of_a_single_kind_there_is_one() {
    let past = [created_by(ANA), set(DeclarationId::DoraRole, role(DoraRoleName::None))];
    let statement = statement(role(DoraRoleName::IctThirdPartyProvider));
    let command = Command::Declare { declaration: DeclarationId::DoraRole, statement };
    given(past).when(command).then_rejected(Rejection::AlreadyDeclared);
}

#[test]
fn only_members_oversee_a_system() {
    let command =
        |overseer| Command::Declare { declaration: SYSTEM, statement: statement(system(overseer)) };
    given([created_by(ANA)]).when(command(BEN)).then_rejected(Rejection::OverseerNotAMember);
    assert!(decide(&given([created_by(ANA)]).state(), &command(ANA)).is_ok());
}

#[test]
fn what_was_reviewed_stays_reviewed_when_it_is_declared_anew() {
    let reviewed = declaration::Event::Reviewed { declaration: SYSTEM };
    let past =
        [created_by(ANA), set(SYSTEM, system(ANA)), reviewed.into(), set(SYSTEM, system(ANA))];
    let state = given(past).state();
    let declaration = state.declared().declaration(SYSTEM).expect("it is declared");
    assert_eq!((declaration.created_version, declaration.changed_version), (1, 3));
    assert_eq!(declaration.reviewed.map(|(at, _)| at.millis()), Some(2));
    assert_eq!(declaration.affirmed_at().millis(), 3);
}

#[test]
fn nothing_is_left_to_review_once_it_is_removed_or_the_organization_is_gone() {
    let removed = declaration::Event::Removed { declaration: SYSTEM };
    let past = [created_by(ANA), set(SYSTEM, system(ANA)), removed.into()];
    let review = || Command::Review { declaration: SYSTEM };
    given(past).when(review()).then_rejected(Rejection::NotFound);
    let deleted = organization::Event::Deleted {
        members: 1,
        pending_invitations: 0,
        tokens: 0,
        projects: 0,
        databases: 0,
        is_billed: false,
    };
    let past = [created_by(ANA), set(SYSTEM, system(ANA)), deleted.into()];
    let state = given(past).state();
    assert_eq!(state.declared().declarations().count(), 0);
}

#[test]
fn a_declaration_says_what_is_still_missing() {
    assert_eq!(function().missing(), ["databases", "rto_seconds"]);
    assert_eq!(role(DoraRoleName::FinancialEntity).missing(), ["entity_type", "lei"]);
    assert_eq!(role(DoraRoleName::None).missing(), Vec::<&str>::new());
    assert_eq!(system(ANA).missing(), ["instructions"]);
}

#[test]
fn each_kind_of_content_is_read_back_as_it_is_written() {
    let record = ControllerRecord {
        has_name: true,
        has_contact: false,
        joint_controllers: Stated::None,
        representative: Stated::Missing,
        data_protection_officer: Stated::Given,
        headcount: Some(12),
    };
    let kinds = [
        Content::ControllerRecord(record),
        function(),
        role(DoraRoleName::FinancialEntity),
        system(ANA),
    ];
    for content in kinds {
        let written = serde_json::to_string(&content).expect("it is JSON");
        assert!(written.contains(&format!("\"kind\":\"{}\"", content.kind())), "{written}");
        assert_eq!(serde_json::from_str::<Content>(&written).ok(), Some(content));
        let more = written.replacen('{', "{\"name\":\"written freely\",", 1);
        assert!(serde_json::from_str::<Content>(&more).is_err(), "{more}");
    }
}

#[test]
fn every_id_is_read_back_as_it_is_written() {
    let function = DeclarationId::Function(FunctionId(Uuid::from_u128(7)));
    for id in [DeclarationId::ControllerRecord, DeclarationId::DoraRole, ACTIVITY, function, SYSTEM]
    {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    assert!("usr_01h2xcejqtf2nbrexx3vqjhp41".parse::<DeclarationId>().is_err());
    let upper = format!("sha256:{}", "A".repeat(64));
    assert!(upper.parse::<DocumentDigest>().is_err());
    assert!(upper.to_lowercase().parse::<DocumentDigest>().is_ok());
}
