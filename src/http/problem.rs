//! Every error -> status, code, problem+json (RFC 9457). The only place. What went wrong inside is
//! logged here, once, and never sent.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use events::{account, address, invitation, membership, organization, setting};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::Refusal;
use crate::causes::causes;
use crate::failure::Failure;
use crate::{execute, query};

/// What can go wrong for a caller. Codes are stable; clients match on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    MalformedBody,
    UnknownParameter,
    InvalidParameter,
    InvalidIdempotencyKey,
    InvalidHeader,
    OrganizationMismatch,
    Unauthenticated,
    InvalidCredentials,
    InvalidToken,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    SlugTaken,
    EmailTaken,
    AlreadyInvited,
    AlreadyMember,
    LastOwner,
    PersonalOrganization,
    SsoNotEnabled,
    WouldLockYouOut,
    ResendLimit,
    InvitationClosed,
    WrongAccount,
    IdempotencyInProgress,
    Contended,
    PreconditionFailed,
    PayloadTooLarge,
    UnsupportedMediaType,
    Invalid,
    IdempotencyKeyReused,
    Internal,
    NotCaughtUp,
    Unavailable,
}

impl Code {
    #[expect(clippy::too_many_lines, reason = "one table, two lines a row")]
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::MalformedBody => {
                (StatusCode::BAD_REQUEST, "malformed_body", "the body is not JSON")
            }
            Self::UnknownParameter => (
                StatusCode::BAD_REQUEST,
                "unknown_parameter",
                "a query parameter is not known here",
            ),
            Self::InvalidParameter => (
                StatusCode::BAD_REQUEST,
                "invalid_parameter",
                "a query parameter has no valid value",
            ),
            Self::InvalidIdempotencyKey => (
                StatusCode::BAD_REQUEST,
                "invalid_idempotency_key",
                "an idempotency key has 1 to 255 visible characters",
            ),
            Self::InvalidHeader => (
                StatusCode::BAD_REQUEST,
                "invalid_header",
                "a header of the request has no valid value",
            ),
            Self::OrganizationMismatch => (
                StatusCode::BAD_REQUEST,
                "organization_mismatch",
                "the header names another organization than the path; send one of them",
            ),
            Self::Unauthenticated => (
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "sign in: send a bearer token or an e-mail address and password",
            ),
            Self::InvalidCredentials => (
                StatusCode::UNAUTHORIZED,
                "invalid_credentials",
                "the e-mail address or the password is wrong",
            ),
            Self::InvalidToken => (
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "the token is unknown or has expired; sign in again",
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "your role in this organization does not allow this",
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "there is nothing here for you"),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this address does not take that method",
            ),
            Self::SlugTaken => {
                (StatusCode::CONFLICT, "slug_taken", "the slug is taken; choose another")
            }
            Self::EmailTaken => (
                StatusCode::CONFLICT,
                "email_taken",
                "the e-mail address belongs to an account already; sign in instead",
            ),
            Self::AlreadyInvited => (
                StatusCode::CONFLICT,
                "already_invited",
                "an invitation to this address is pending; resend or cancel that one",
            ),
            Self::AlreadyMember => (
                StatusCode::CONFLICT,
                "already_member",
                "whoever has this address is a member; change their role instead",
            ),
            Self::LastOwner => (
                StatusCode::CONFLICT,
                "last_owner",
                "an organization keeps at least one owner; make somebody else an owner first",
            ),
            Self::PersonalOrganization => (
                StatusCode::CONFLICT,
                "personal_organization",
                "a personal organization belongs to its account alone, as long as that lives",
            ),
            Self::SsoNotEnabled => (
                StatusCode::CONFLICT,
                "sso_not_enabled",
                "single sign-on cannot be enforced before it is enabled",
            ),
            Self::WouldLockYouOut => (
                StatusCode::CONFLICT,
                "would_lock_you_out",
                "this would keep you out of the organization; send `\"override\": true` if you mean it",
            ),
            Self::ResendLimit => (
                StatusCode::CONFLICT,
                "resend_limit",
                "the invitation was sent again five times; cancel it and invite anew",
            ),
            Self::InvitationClosed => (
                StatusCode::GONE,
                "invitation_closed",
                "the invitation is over: accepted, declined, canceled, expired or replaced",
            ),
            Self::WrongAccount => (
                StatusCode::FORBIDDEN,
                "wrong_account",
                "the invitation is for another e-mail address; sign in with that one",
            ),
            Self::IdempotencyInProgress => (
                StatusCode::CONFLICT,
                "idempotency_in_progress",
                "the first request with this idempotency key is still running; repeat it soon",
            ),
            Self::Contended => (
                StatusCode::CONFLICT,
                "contended",
                "too many changes at the same time; repeat the request",
            ),
            Self::PreconditionFailed => (
                StatusCode::PRECONDITION_FAILED,
                "precondition_failed",
                "it has changed since the version in `If-Match`; read it again and decide anew",
            ),
            Self::PayloadTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "payload_too_large",
                "the body is larger than 1 MiB",
            ),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "send the body as `Content-Type: application/json`",
            ),
            Self::Invalid => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "validation_failed",
                "the body does not validate; `errors` names the fields",
            ),
            Self::IdempotencyKeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "this idempotency key came first with another body; use a new key",
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "something went wrong here; the request id helps to find out what",
            ),
            Self::NotCaughtUp => (
                StatusCode::SERVICE_UNAVAILABLE,
                "not_caught_up",
                "the read models have not come to that position yet; repeat the request soon",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "a store cannot be reached now; repeat the request soon",
            ),
        }
    }

    fn retry_after(self) -> bool {
        matches!(
            self,
            Self::IdempotencyInProgress | Self::Contended | Self::NotCaughtUp | Self::Unavailable
        )
    }
}

/// One thing wrong with one field of a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// Dotted path in the body.
    pub(crate) field: String,
    pub(crate) detail: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Problem {
    code: Code,
    detail: Option<String>,
    errors: Vec<FieldError>,
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
    /// `urn:uuid:` and the request id.
    instance: String,
    code: &'a str,
    request_id: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    error: &'a str,
}

impl Problem {
    pub(crate) fn new(code: Code) -> Self {
        Self { code, detail: None, errors: Vec::new(), cause: None }
    }

    pub(crate) fn with_detail(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: Some(detail.into()), errors: Vec::new(), cause: None }
    }

    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        Self { code: Code::Invalid, detail: None, errors, cause: None }
    }

    /// The answer's body; only where the request id is known can it be written.
    pub(crate) fn render(&self, request: Uuid) -> Response {
        let (status, code, sentence) = self.code.parts();
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
            request_id: request.to_string(),
            errors: &self.errors,
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
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl IntoResponse for Problem {
    /// An empty answer that carries the problem; the outermost layer writes it.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.code.parts().0;
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
            Error::NotFound => Self::new(Code::NotFound),
            Error::Denied => Self::new(Code::Forbidden),
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
                invitation::Rejection::PersonalOrganization => {
                    Self::new(Code::PersonalOrganization)
                }
            },
            Error::Setting(rejection) => match rejection {
                setting::Rejection::NotFound => Self::new(Code::NotFound),
                setting::Rejection::WouldLockOut => Self::new(Code::WouldLockYouOut),
                setting::Rejection::SsoNotEnabled => Self::new(Code::SsoNotEnabled),
            },
            Error::Account(rejection) => match rejection {
                account::Rejection::Registered | account::Rejection::Abandoned => {
                    Self::new(Code::EmailTaken)
                }
                account::Rejection::Unregistered => Self::new(Code::InvalidCredentials),
            },
            Error::Failed(failure) => failure.into(),
        }
    }
}

impl From<query::Error> for Problem {
    fn from(error: query::Error) -> Self {
        match error {
            query::Error::NotFound => Self::new(Code::NotFound),
            query::Error::Failed(failure) => failure.into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::new(Code::NotFound),
            Refusal::Denied => Self::new(Code::Forbidden),
            Refusal::Failed(failure) => failure.into(),
        }
    }
}
