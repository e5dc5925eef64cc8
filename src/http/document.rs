//! The OpenAPI document: what is the same for many routes, said once.

use std::collections::BTreeMap;

use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use super::problem::ProblemBody;

mod mounted;
mod shared;

pub(super) use self::mounted::{name_active, name_organization};
pub(super) use self::shared::finished;

const PROBLEM_JSON: &str = "application/problem+json";

/// How a read of the caller's own things can be refused.
pub(super) struct Reads;
/// How a read of an organization can be refused.
pub(super) struct OrganizationReads;
/// How a command can be refused.
pub(super) struct Commands;
/// How a command can be refused that asks for the caller's password once more.
pub(super) struct ProvenCommands;
/// How the erasure of the caller can be refused.
pub(super) struct ErasureCommands;
/// How a command can be refused that is for one version of a resource.
pub(super) struct ConditionalCommands;
/// How a command to an organization can be refused.
pub(super) struct OrganizationCommands;
/// How a command to an organization can be refused that takes a subscription, or what a plan limits.
pub(super) struct SubscribedCommands;
/// How a question about a command to an organization can be refused.
pub(super) struct OrganizationPreviews;
/// How a command can be refused that wants to be confirmed.
pub(super) struct ConfirmedCommands;
/// How a read that needs no credential can be refused.
pub(super) struct PublicReads;
/// How the verification of what somebody brings can be refused.
pub(super) struct PublicVerifications;
/// How a command of the operator can be refused.
pub(super) struct OperatorCommands;
/// How a question of the operator can be refused.
pub(super) struct OperatorReads;
/// How a report of a provisioner can be refused.
pub(super) struct ProvisionerCommands;
/// How a question of a provisioner can be refused.
pub(super) struct ProvisionerReads;
/// How a stream of ended leases can be refused.
pub(super) struct LeaseStreams;
/// The same of a command about an organization.
pub(super) struct OperatorOrganizationCommands;
/// How a command can be refused that needs no credential.
pub(super) struct PublicCommands;

/// How a command about an invitation can be refused.
pub(super) struct InvitationCommands;
/// How the read of an invitation by its link can be refused.
pub(super) struct InvitationReads;

macro_rules! refusals {
    ($($name:ident: $($status:literal)*;)*) => {$(
        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$($status),*].map(refusal).into()
            }
        }
    )*};
}

refusals! {
    Reads: 400 401 403 429 503;
    OrganizationReads: 400 401 403 404 429 503;
    Commands: 400 401 403 404 409 413 415 422 429 503;
    ErasureCommands: 400 401 403 409 413 415 422 429 503;
    ProvenCommands: 400 401 403 404 409 413 415 422 429 503;
    ConditionalCommands: 400 401 403 409 412 413 415 422 429 503;
    OrganizationCommands: 400 401 403 404 409 412 413 415 422 429 503;
    SubscribedCommands: 400 401 402 403 404 409 413 415 422 429 503;
    OrganizationPreviews: 400 401 403 404 409 413 415 422 429 503;
    ConfirmedCommands: 400 401 403 404 409 412 413 415 422 428 429 503;
    PublicCommands: 400 401 404 409 410 413 415 422 429 503;
    PublicReads: 404 429 503;
    PublicVerifications: 400 413 415 429 503;
    OperatorCommands: 400 401 413 415 422 429 503;
    OperatorReads: 400 401 429 503;
    ProvisionerCommands: 400 401 404 409 413 415 422 429 503;
    ProvisionerReads: 400 401 404 429 503;
    LeaseStreams: 400 401 410 429 503;
    OperatorOrganizationCommands: 400 401 404 409 413 415 422 429 503;
    InvitationCommands: 400 401 403 404 409 410 412 413 415 422 429 503;
    InvitationReads: 400 401 404 410 429 503;
}

/// For reads that can also show what was.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is read as text; this documents it")]
pub(super) struct AsOf {
    /// Shows what it was: a version of the organization's stream, or a time (RFC 3339), which
    /// means the last event recorded until then. Personal values and your role are today's.
    as_of: Option<String>,
}

/// How a read of one resource is answered to who has it already.
pub(super) struct Unmodified;

impl IntoResponses for Unmodified {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let description = "`If-None-Match` names the version that is current";
        let response = ResponseBuilder::new().description(description).build();
        [("304".to_owned(), RefOr::T(response))].into()
    }
}

fn refusal(status: u16) -> (String, RefOr<Response>) {
    let problem = Ref::from_schema_name(ProblemBody::name());
    let content = ContentBuilder::new().schema(Some(problem)).build();
    let response = ResponseBuilder::new().content(PROBLEM_JSON, content).build();
    (status.to_string(), RefOr::T(response))
}
