//! Every error -> status, code, problem+json (RFC 9457). The only place. What went wrong inside is
//! logged here, once, and never sent.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use events::id::OrganizationId;
use events::scope::Scope;
use events::token::{self, Ended};
use events::{account, address, invitation, membership, organization, principal, setting};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::{Denied, Refusal};
use crate::causes::causes;
use crate::failure::Failure;
use crate::identity::{Unproven, Wrong};
use crate::packet::{content, made};
use crate::rate_limit::{Left, TooOften};
use crate::{execute, query, seal, signer, signing_key};

mod code;
mod connection;
mod database;
mod invoice;
mod platform;
mod stated;
mod subscription;

pub(crate) use self::code::{Code, Explained};

/// One thing wrong with one field of a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// Dotted path in the body.
    pub(crate) field: String,
    pub(crate) detail: String,
}

/// Which organizations keep somebody who wants to be erased.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) by: Vec<NamedOrganization>,
    pub(crate) left: Vec<NamedOrganization>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct NamedOrganization {
    #[schema(value_type = String, example = "org_01h2xcejqtf2nbrexx3vqjhp41")]
    pub(crate) id: OrganizationId,
    #[schema(example = "acme-engineering")]
    pub(crate) slug: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Problem {
    code: Code,
    detail: Option<String>,
    errors: Vec<FieldError>,
    /// Seconds after which the same may be tried again.
    retry_after: u32,
    /// Whose attempt at what belongs to whom is to be recorded.
    pub(super) denied: Option<Box<Denied>>,
    /// What is left of a limit beside that of a credential's requests.
    pub(super) limited: Option<Box<Left>>,
    /// What keeps somebody from being erased.
    kept: Option<Box<Kept>>,
    /// What went wrong inside; for the program's own log only.
    cause: Option<String>,
}

/// RFC 9457, with a stable code, and the sentence once more as `error`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// Explains the code: `/errors/<code>`.
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    /// `urn:uuid:` and the request id as a UUID.
    instance: String,
    code: &'a str,
    /// As the header `X-Request-Id` has it.
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// What the token's scopes lack.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "members:write")]
    required_scope: Option<Scope>,
    /// Organizations that would be left without an owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_by: Option<&'a [NamedOrganization]>,
    /// Organizations that were left all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<&'a [NamedOrganization]>,
    error: &'a str,
}

impl Problem {
    pub(crate) fn new(code: Code) -> Self {
        let (retry_after, errors) = (1, Vec::new());
        let (denied, limited, kept) = (None, None, None);
        Self { code, detail: None, errors, retry_after, denied, limited, kept, cause: None }
    }

    pub(crate) fn with_detail(code: Code, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(code) }
    }

    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(Code::Invalid) }
    }

    fn denied(denied: Denied) -> Self {
        let code = match denied.because {
            principal::Refusal::Address => Code::AddressNotAllowed,
            principal::Refusal::SecondFactor => Code::TwoFactorRequired,
            principal::Refusal::Scope(_) => Code::MissingScope,
            // strangers and ended tokens are not denied anything: they are not there
            principal::Refusal::Role
            | principal::Refusal::Stranger
            | principal::Refusal::TokenEnded(_) => Code::Forbidden,
        };
        Self::new(code).recorded_as(denied)
    }

    /// The scope that a token would have needed.
    fn required_scope(&self) -> Option<Scope> {
        match self.denied.as_ref()?.because {
            principal::Refusal::Scope(scope) => Some(scope),
            principal::Refusal::Role
            | principal::Refusal::Address
            | principal::Refusal::SecondFactor
            | principal::Refusal::Stranger
            | principal::Refusal::TokenEnded(_) => None,
        }
    }

    #[cfg(test)]
    pub(super) fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// Stable, and one of a closed set.
    pub(super) fn code(&self) -> &'static str {
        self.code.explained().code
    }

    pub(super) fn is(&self, code: Code) -> bool {
        self.code == code
    }

    /// A refusal that the organization's audit log shall tell of.
    pub(super) fn recorded_as(self, denied: Denied) -> Self {
        Self { denied: Some(Box::new(denied)), ..self }
    }

    /// A refusal that names the organizations which keep somebody.
    pub(super) fn kept_by(kept: Kept) -> Self {
        let slugs: Vec<&str> = kept.by.iter().map(|it| it.slug.as_str()).collect();
        let detail = format!(
            "you are the only owner of {}; make somebody else an owner there, or delete it",
            slugs.join(", ")
        );
        let kept = Some(Box::new(kept));
        Self { kept, ..Self::with_detail(Code::LastOwner, detail) }
    }

    /// A refusal of what is limited.
    pub(super) fn limited(self, left: Option<Left>) -> Self {
        Self { limited: left.map(Box::new), ..self }
    }

    /// Status, code and sentence, where one answer tells of several: fields that are wrong stand in
    /// the sentence.
    pub(crate) fn told(&self) -> (StatusCode, &'static str, String) {
        let Explained { status, code, sentence, .. } = self.code.explained();
        let wrong = self.errors.iter().map(|error| match error.field.as_str() {
            "" | "." => error.detail.clone(),
            field => format!("`{field}` {}", error.detail),
        });
        let wrong = wrong.collect::<Vec<_>>().join("; ");
        let sentence = if wrong.is_empty() { sentence.to_owned() } else { wrong };
        (status, code, self.detail.clone().unwrap_or(sentence))
    }

    /// The answer's body; only where the request id is known can it be written.
    pub(crate) fn render(&self, request: Uuid, shown: &str) -> Response {
        let Explained { status, code, sentence, .. } = self.code.explained();
        match (&self.cause, self.code) {
            (Some(cause), Code::Internal) => tracing::error!(%request, cause, "a request failed"),
            (Some(cause), _) => tracing::warn!(%request, cause, "a request could not be served"),
            (None, _) => {}
        }
        let detail = self.detail.as_deref().unwrap_or(sentence);
        let body = ProblemBody {
            kind: format!("/errors/{code}"),
            title: status.canonical_reason().unwrap_or(code),
            status: status.as_u16(),
            detail,
            instance: format!("urn:uuid:{request}"),
            code,
            request_id: shown,
            errors: &self.errors,
            required_scope: self.required_scope(),
            kept_by: self.kept.as_ref().map(|kept| kept.by.as_slice()),
            left: self.kept.as_ref().map(|kept| kept.left.as_slice()),
            error: detail,
        };
        let body = serde_json::to_vec(&body).expect("a problem is always JSON");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if status == StatusCode::UNAUTHORIZED {
            let schemes = "Bearer, Basic realm=\"chancery\", charset=\"UTF-8\"";
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(schemes));
        }
        if self.code.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after));
        }
        response
    }
}

impl IntoResponse for Problem {
    /// An empty answer that carries the problem; the outermost layer writes it.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.code.explained().status;
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let code = match failure {
            Failure::Unavailable(_) => Code::Unavailable,
            Failure::Broken(_) => Code::Internal,
        };
        Self { cause: Some(causes(&failure)), ..Self::new(code) }
    }
}

impl From<execute::Error> for Problem {
    fn from(error: execute::Error) -> Self {
        use execute::Error;
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::KeyReused => Self::new(Code::IdempotencyKeyReused),
            Error::InProgress => Self::new(Code::IdempotencyInProgress),
            Error::EmailTaken | Error::Address(address::Rejection::Claimed) => {
                Self::new(Code::EmailTaken)
            }
            Error::Contended => Self::new(Code::Contended),
            Error::Stale => Self::new(Code::PreconditionFailed),
            Error::Organization(rejection) => match rejection {
                organization::Rejection::SlugTaken => Self::new(Code::SlugTaken),
                organization::Rejection::NotFound => Self::new(Code::NotFound),
                organization::Rejection::PersonalOrganization => {
                    Self::new(Code::PersonalOrganization)
                }
                organization::Rejection::WrongConfirmation => Self::invalid(vec![FieldError {
                    field: "confirm".to_owned(),
                    detail: "must be the organization's slug".to_owned(),
                }]),
            },
            Error::Membership(rejection) => match rejection {
                membership::Rejection::NotAMember => Self::new(Code::NotFound),
                membership::Rejection::LastOwner => Self::new(Code::LastOwner),
                membership::Rejection::PersonalOrganization => {
                    Self::new(Code::PersonalOrganization)
                }
                membership::Rejection::TransferToSelf => Self::invalid(vec![FieldError {
                    field: "new_owner_id".to_owned(),
                    detail: "must be another member".to_owned(),
                }]),
            },
            Error::Invitation(rejection) => match rejection {
                invitation::Rejection::NotFound => Self::new(Code::NotFound),
                invitation::Rejection::AlreadyInvited => Self::new(Code::AlreadyInvited),
                invitation::Rejection::AlreadyMember => Self::new(Code::AlreadyMember),
                invitation::Rejection::Closed => Self::new(Code::InvitationClosed),
                invitation::Rejection::ResentTooOften => Self::new(Code::ResendLimit),
                invitation::Rejection::WrongAccount => Self::new(Code::WrongAccount),
                invitation::Rejection::NoSeat => Self::new(Code::SeatLimit),
                invitation::Rejection::PersonalOrganization => {
                    Self::new(Code::PersonalOrganization)
                }
            },
            Error::Token(rejection) => match rejection {
                token::Rejection::NotFound => Self::new(Code::NotFound),
                token::Rejection::NobodyToActFor => Self::new(Code::PersonNeeded),
                token::Rejection::TooMany => Self::new(Code::TokenLimit),
                token::Rejection::NotTheOwner => Self::new(Code::NotYourToken),
                token::Rejection::Ended => Self::new(Code::TokenNotActive),
                token::Rejection::MoreScopes => Self::invalid(vec![FieldError {
                    field: "scopes".to_owned(),
                    detail: "must be within those of the token that is replaced".to_owned(),
                }]),
            },
            Error::Declaration(rejection) => rejection.into(),
            Error::Incident(rejection) => rejection.into(),
            Error::AccessReview(rejection) => rejection.into(),
            Error::RestoreTest(rejection) => rejection.into(),
            Error::Project(rejection) => rejection.into(),
            Error::Database(rejection) => rejection.into(),
            Error::Subscription(rejection) => rejection.into(),
            Error::Invoice(rejection) => rejection.into(),
            Error::Connection(rejection) => rejection.into(),
            Error::Evidence(rejection) => rejection.into(),
            Error::Platform(rejection) => rejection.into(),
            Error::Setting(rejection) => match rejection {
                setting::Rejection::NotFound => Self::new(Code::NotFound),
                setting::Rejection::WouldLockOut => Self::new(Code::WouldLockYouOut),
                setting::Rejection::SsoNotEnabled => Self::new(Code::SsoNotEnabled),
            },
            Error::Account(rejection) => rejection.into(),
            Error::Failed(failure) => failure.into(),
        }
    }
}

impl From<account::Rejection> for Problem {
    fn from(rejection: account::Rejection) -> Self {
        match rejection {
            account::Rejection::Registered | account::Rejection::Abandoned => {
                Self::new(Code::EmailTaken)
            }
            account::Rejection::Unregistered | account::Rejection::PasswordChanged => {
                Self::new(Code::InvalidCredentials)
            }
            account::Rejection::SessionOver => Self::new(Code::InvalidToken),
            account::Rejection::NoSuchSession => Self::new(Code::NotFound),
            account::Rejection::LinkClosed => Self::new(Code::LinkClosed),
            account::Rejection::AlreadyVerified => Self::new(Code::AlreadyVerified),
            account::Rejection::SecondFactorMissing => Self::new(Code::TotpRequired),
            account::Rejection::CodeUsed => Self::new(Code::WrongTotp),
            account::Rejection::SecondFactorEnabled => Self::new(Code::TwoFactorEnabled),
            account::Rejection::SecondFactorNotEnabled
            | account::Rejection::SecondFactorNotPrepared => Self::new(Code::TwoFactorNotSetUp),
            account::Rejection::Erasing => Self::new(Code::InvalidCredentials),
        }
    }
}

impl From<TooOften> for Problem {
    fn from(refusal: TooOften) -> Self {
        // the next whole second, so that who waits exactly so long is let in
        let retry_after = u32::try_from(refusal.after.as_secs()).map_or(u32::MAX, |secs| secs + 1);
        Self { retry_after, ..Self::new(Code::TooManyRequests) }.limited(Some(refusal.of))
    }
}

impl From<Unproven> for Problem {
    fn from(unproven: Unproven) -> Self {
        match unproven {
            Unproven::TooOften(refusal) => refusal.into(),
            Unproven::Failed(failure) => failure.into(),
        }
    }
}

/// To somebody who is not signed in; the password of who is has a code of its own.
impl From<Wrong> for Problem {
    fn from(wrong: Wrong) -> Self {
        Self::new(match wrong {
            Wrong::Password => Code::InvalidCredentials,
            Wrong::CodeMissing => Code::TotpRequired,
            Wrong::Code => Code::WrongTotp,
        })
    }
}

impl From<query::Error> for Problem {
    fn from(error: query::Error) -> Self {
        match error {
            query::Error::NotFound => Self::new(Code::NotFound),
            query::Error::Future => {
                Self::with_detail(Code::InvalidParameter, "`as_of` has not come yet")
            }
            query::Error::Failed(failure) => failure.into(),
        }
    }
}

impl From<signing_key::Error> for Problem {
    fn from(error: signing_key::Error) -> Self {
        let cause = Some(causes(&error));
        match error {
            signing_key::Error::NoKey(_) | signing_key::Error::Lost(_) => {
                Self { cause, ..Self::new(Code::Internal) }
            }
            signing_key::Error::Failed(failure) => failure.into(),
        }
    }
}

impl From<signer::Error> for Problem {
    fn from(error: signer::Error) -> Self {
        let cause = Some(causes(&error));
        match error {
            signer::Error::Elsewhere => Self::new(Code::SignerElsewhere),
            signer::Error::Shrank { .. } | signer::Error::Forked { .. } => {
                Self { cause, ..Self::new(Code::SignerRefuses) }
            }
            signer::Error::TooShort { .. } => Self { cause, ..Self::new(Code::Internal) },
            signer::Error::State(_) => Self { cause, ..Self::new(Code::Unavailable) },
            signer::Error::Query(error) => error.into(),
            signer::Error::Key(error) => error.into(),
        }
    }
}

impl From<made::Error> for Problem {
    fn from(error: made::Error) -> Self {
        let cause = Some(causes(&error));
        match error {
            made::Error::NotFound => Self::new(Code::NotFound),
            made::Error::Differs | made::Error::Content(content::Error::Damaged { .. }) => {
                Self { cause, ..Self::new(Code::SignerRefuses) }
            }
            made::Error::Signer(error) | made::Error::Seal(seal::Error::Signer(error)) => {
                error.into()
            }
            made::Error::Seal(seal::Error::Query(error)) | made::Error::Query(error) => {
                error.into()
            }
            made::Error::Seal(seal::Error::Execute(error)) => error.into(),
            made::Error::Key(error) => error.into(),
            made::Error::Content(content::Error::Failed(failure))
            | made::Error::Failed(failure) => failure.into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::new(Code::NotFound),
            Refusal::TokenEnded(ended) => Self::new(match ended {
                Ended::Revoked => Code::TokenRevoked,
                Ended::Rotated => Code::TokenRotated,
                Ended::Expired => Code::TokenExpired,
            }),
            Refusal::Denied(denied) => Self::denied(denied),
            Refusal::Failed(failure) => failure.into(),
        }
    }
}
