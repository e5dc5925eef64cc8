//! Every code a refusal can have, with all that is said about it: in problems, at `/errors/<code>`
//! and in the document. Codes are stable; clients match on them.

use axum::http::StatusCode;

/// What there is to say about one code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Explained {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    /// One sentence for the caller, in every problem with this code.
    pub(crate) sentence: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) remedy: &'static str,
}

macro_rules! codes {
    ($($name:ident: $status:ident $code:literal, $sentence:literal; $meaning:literal $remedy:literal;)*) => {
        /// What can go wrong for a caller.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code {
            $($name,)*
        }

        impl Code {
            /// In the order of their statuses.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            pub(crate) fn explained(self) -> Explained {
                match self {
                    $(Self::$name => Explained {
                        status: StatusCode::$status,
                        code: $code,
                        sentence: $sentence,
                        meaning: $meaning,
                        remedy: $remedy,
                    },)*
                }
            }
        }
    };
}

// name: status, code, sentence for the caller; what it means, what to do
codes! {
    MalformedBody: BAD_REQUEST "malformed_body", "the body is not JSON";
        "The body could not be read as JSON, or something follows after it."
        "Check quotes, commas and braces; send one JSON value and nothing else.";
    UnknownParameter: BAD_REQUEST "unknown_parameter", "a query parameter is not known here";
        "The address has a query parameter that this operation does not have. It is refused rather \
         than ignored, because a filter that is spelt wrong would otherwise show too much."
        "`detail` names the parameter. Correct or remove it; the reference lists what is known.";
    InvalidParameter: BAD_REQUEST "invalid_parameter", "a query parameter has no valid value";
        "A query parameter is out of its range, written in the wrong way, given twice, or does not \
         go with another one. Values are never clamped."
        "`detail` names the parameter and what it may be. A page token serves only the list and \
         the filters it was made for.";
    AsOfNotSupported: BAD_REQUEST "as_of_not_supported",
        "this cannot be asked for as it was; leave `as_of` away";
        "`as_of` shows an organization, its members, invitations, tokens, \
         settings, projects or databases as they were. \
         This operation shows or changes what is."
        "Leave `as_of` away, or read one of those.";
    UnknownScope: BAD_REQUEST "unknown_scope", "a scope that was asked for is not known here";
        "A token was to be made with a scope that does not exist. No token was made: one that can do \
         other things than was meant serves nobody."
        "`detail` names the scope. Scopes are `*`, or a family and `read`, `write` or `admin`, like \
         `members:read`.";
    InvalidIdempotencyKey: BAD_REQUEST "invalid_idempotency_key",
        "an idempotency key has 1 to 255 visible characters";
        "The header `Idempotency-Key` is empty, longer than 255 characters, or holds characters \
         that cannot be shown."
        "Send a UUID, or any other text that names this command and no other.";
    InvalidHeader: BAD_REQUEST "invalid_header", "a header of the request has no valid value";
        "A header that changes what the request does cannot be read."
        "`detail` names the header and how it is written.";
    OrganizationMismatch: BAD_REQUEST "organization_mismatch",
        "the header names another organization than the path, the body or the token; send one of them";
        "`X-Active-Org-ID` or `X-Organization-Id` names one organization, and the path, the body, the \
         token or the other header another one."
        "Send the organization in one place only.";
    Unauthenticated: UNAUTHORIZED "unauthenticated",
        "sign in: send a bearer token or an e-mail address and password";
        "The request has no credential, or one of a kind that is not known here."
        "Send `Authorization: Bearer <token>`, or `Authorization: Basic` with an e-mail address \
         and password.";
    OperatorOnly: UNAUTHORIZED "operator_only", "send the operator's credential as a bearer token";
        "Only whoever runs the installation may do this, with the operator's credential: no account \
         and no role is enough."
        "Send what `CHANCERY_OPERATOR_TOKEN` was set to, or what `operator.token` in the data folder \
         holds.";
    ProvisionerOnly: UNAUTHORIZED "provisioner_only",
        "send a provisioner's credential as a bearer token";
        "Only whoever makes and runs databases for this installation may do this. The operator's \
         credential serves, too; no account and no role is enough."
        "Send what `CHANCERY_PROVISIONER_TOKEN` was set to, or what `provisioner.token` in the data \
         folder holds.";
    InvalidCredentials: UNAUTHORIZED "invalid_credentials",
        "the e-mail address or the password is wrong";
        "No account has this address and password. Which of the two is wrong is not told."
        "Check both, or set a new password by mail.";
    InvalidToken: UNAUTHORIZED "invalid_token",
        "the token is unknown or has expired; sign in again";
        "The bearer token belongs to no session that still lives, and is no API token of this \
         installation."
        "Sign in again, or renew the session with its refresh token; copy an API token anew.";
    TotpRequired: UNAUTHORIZED "totp_required",
        "this account has a second factor; send its code, too";
        "The password is right, and the account has a second factor: signing in takes a code of the \
         authenticator, or a backup code."
        "Send the code as `totp_code` when you sign in, or as the header `X-OTP` with HTTP Basic.";
    WrongTotp: UNAUTHORIZED "invalid_totp_code",
        "the code is wrong or was used already; wait for the next one";
        "A code serves once and for half a minute, with half a minute's tolerance; a backup code \
         serves once."
        "Wait for the next code of your authenticator, and check that its clock is right.";
    TokenRevoked: UNAUTHORIZED "token_revoked", "the token was revoked";
        "Somebody revoked the API token, or the membership it stood on has ended."
        "Make another one, if you may.";
    TokenExpired: UNAUTHORIZED "token_expired", "the token has expired";
        "The API token was made for a time that is over."
        "Make another one.";
    TokenRotated: UNAUTHORIZED "token_rotated",
        "the token was replaced by another; use that one";
        "Another token has taken the place of this one, and the time in which both served is over."
        "Use the token that was given when this one was rotated.";
    NotSubscribed: PAYMENT_REQUIRED "not_subscribed",
        "the organization does not subscribe to this framework; an owner or admin can subscribe with \
         `PUT …/compliance-subscriptions/<framework>`";
        "A packet can be made for a framework that the organization subscribes to. Packets made \
         before a subscription ended stay."
        "Have an owner or admin subscribe, and repeat the request.";
    SeatLimit: PAYMENT_REQUIRED "seat_limit",
        "every seat of the plan is taken; add seats with `PUT …/seats`, or take a larger plan";
        "Members and pending invitations hold the seats that the plan includes and those that were \
         added to it, and none is free."
        "Add seats, cancel an invitation, or have the owner take a larger plan.";
    QuotaExceeded: PAYMENT_REQUIRED "quota_exceeded",
        "the plan allows no more of these; take a larger plan, or remove one";
        "The organization has as many as its plan allows. `errors` names the quota."
        "Remove what is not needed any more, or have the owner take a larger plan.";
    SpendLimitReached: PAYMENT_REQUIRED "spend_limit_reached",
        "the organization has spent what it wanted to spend in this month at most";
        "Usage is refused until the next month, or until the spend limit is raised or taken away."
        "Have the owner raise the spend limit, and send the same events again.";
    OrganizationSuspended: PAYMENT_REQUIRED "organization_suspended",
        "the organization is suspended: nothing of it runs until it is resumed";
        "Its trial is over and it has no payment method, or the operator has suspended it. What it \
         has stays, but nothing new is started."
        "Have the owner add a payment method, or ask whoever runs the installation.";
    Forbidden: FORBIDDEN "forbidden", "your role in this organization does not allow this";
        "You are a member, but members of your role may not do this. The attempt is in the \
         organization's audit log."
        "Ask an owner or admin of the organization to do it, or to change your role.";
    WrongAccount: FORBIDDEN "wrong_account",
        "the invitation is for another e-mail address; sign in with that one";
        "An invitation admits only the account that has the invited e-mail address, and you are \
         signed in with another one."
        "Sign in with the invited address, or have yourself invited with the one you use.";
    WrongPassword: FORBIDDEN "wrong_password", "the password is not that of your account";
        "What you ask for needs your password once more, and this is another one. You stay signed \
         in."
        "Send the password of the account you are signed in with.";
    MissingScope: FORBIDDEN "missing_scope", "the token's scopes do not include this";
        "Your role allows it, but the API token was made for less. The attempt is in the \
         organization's audit log."
        "`required_scope` names what is missing. Use a token that has it.";
    SignInNeeded: FORBIDDEN "sign_in_required",
        "a token does not do this; sign in with a session or your password";
        "An API token acts within one organization. What belongs to the account itself, such as its \
         password, its sessions and other organizations, is left to whoever has signed in."
        "Send a session token or e-mail address and password.";
    PersonNeeded: FORBIDDEN "person_required",
        "an organization key acts for no person, and this takes one";
        "What you ask for is done by a person for themselves, and the key is nobody."
        "Use a personal token, or sign in.";
    NotYourToken: FORBIDDEN "not_your_token", "only its owner can rotate a personal token";
        "Who rotates a token is shown its secret, and this one acts as somebody else."
        "Revoke it, or ask its owner to rotate it.";
    AddressNotAllowed: FORBIDDEN "address_not_allowed",
        "the organization lets requests in from listed networks only, and this address is in none";
        "The organization has an allowlist of networks, and the request came from elsewhere. The \
         attempt is in its audit log."
        "Come from a listed network, or ask an owner or admin of the organization to list yours.";
    TwoFactorRequired: FORBIDDEN "two_factor_required",
        "the organization asks for a second factor: set it up with `POST /v1/auth/2fa/setup` and \
         `POST /v1/auth/2fa/verify`";
        "Members of this organization need a second factor, and your account has none. Who had \
         signed in before that was asked for goes on until the session ends."
        "Call `POST /v1/auth/2fa/setup`, enter the secret into an authenticator, send its first code \
         to `POST /v1/auth/2fa/verify`, and repeat the request.";
    NotFound: NOT_FOUND "not_found", "there is nothing here for you";
        "Nothing has this address, or it belongs to an organization of which you are no member: \
         both are answered alike."
        "Check the address and which account you are signed in with.";
    MethodNotAllowed: METHOD_NOT_ALLOWED "method_not_allowed",
        "this address does not take that method";
        "There is something at this address, but it does not take this method."
        "The header `Allow` names the methods it takes.";
    DoesNotFit: CONFLICT "does_not_fit",
        "the organization has more than this would allow; `errors` lists what";
        "A smaller plan, or fewer seats, must hold what there is: members and invitations, projects, \
         databases. Nothing was changed."
        "Remove what `errors` lists until it fits, and repeat the request.";
    SeatsUnlimited: CONFLICT "seats_unlimited", "the plan counts no seats, so none can be added";
        "The organization's plan takes as many members as there are, and sells no seats."
        "Invite whom you want.";
    PaymentMethodLimit: CONFLICT "payment_method_limit",
        "there are 20 payment methods already; remove one";
        "An organization has 20 payment methods at most."
        "Remove one that is not used any more.";
    InvoiceSettled: CONFLICT "invoice_settled", "nothing is owed by this invoice";
        "Only an open or overdue invoice can be paid, and only a payment that was recorded last can \
         be reversed. `detail` tells what the invoice is."
        "Show the invoice: `status` and `payments` tell what became of it.";
    CreditTooLarge: CONFLICT "credit_too_large", "credit notes never exceed their invoice";
        "What credit notes take back of an invoice is at most its total. Nothing was changed."
        "`detail` says how much is left. Give the rest as credit, if it is meant so.";
    PlanLimit: CONFLICT "plan_limit", "the catalogue has 30 plans already; change one of them";
        "A catalogue has 30 plans at most."
        "Change a plan that is there.";
    SlugTaken: CONFLICT "slug_taken", "the slug is taken; choose another";
        "Another organization has this slug, or had it before it was deleted: a slug is given out \
         once."
        "Choose another slug.";
    EmailTaken: CONFLICT "email_taken",
        "the e-mail address belongs to an account already; sign in instead";
        "There is an account with this e-mail address."
        "Sign in, or set a new password by mail.";
    AlreadyInvited: CONFLICT "already_invited",
        "an invitation to this address is pending; resend or cancel that one";
        "One invitation for each address may be pending in an organization."
        "Resend the pending invitation, or cancel it and invite anew.";
    AlreadyMember: CONFLICT "already_member",
        "whoever has this address is a member; change their role instead";
        "The account with this e-mail address belongs to the organization already."
        "Change the member's role, if that was meant.";
    LastOwner: CONFLICT "last_owner",
        "an organization keeps at least one owner; make somebody else an owner first";
        "The last owner of an organization can neither step down nor leave nor be removed."
        "Make another member an owner first, or delete the organization.";
    PersonalOrganization: CONFLICT "personal_organization",
        "a personal organization belongs to its account alone, as long as that lives";
        "A personal organization has no other members, is given to nobody and ends with its \
         account."
        "Create an organization for what others take part in.";
    SsoNotEnabled: CONFLICT "sso_not_enabled",
        "single sign-on cannot be enforced before it is enabled";
        "`sso_enforced` would keep everybody out while `sso_enabled` is false."
        "Enable single sign-on, try it, and enforce it then.";
    WouldLockYouOut: CONFLICT "would_lock_you_out",
        "this would keep you out of the organization; send `\"override\": true` if you mean it";
        "With these settings your own requests, from where they come now, would be refused."
        "Change what you ask for, or send `\"override\": true`.";
    ResendLimit: CONFLICT "resend_limit",
        "the invitation was sent again five times; cancel it and invite anew";
        "An invitation may be sent again five times."
        "Cancel it and invite the person anew; check the address before.";
    AlreadyVerified: CONFLICT "already_verified",
        "the e-mail address of this account is verified already";
        "Whoever reads the mail of this account's address has proven it before."
        "There is nothing to do.";
    TokenLimit: CONFLICT "token_limit", "there are 100 of them already; revoke some first";
        "A member has 100 personal tokens in an organization at most, and an organization 100 keys."
        "Revoke those that nobody uses.";
    TokenNotActive: CONFLICT "token_not_active",
        "the token was revoked, replaced or has expired";
        "Only a token that serves can be rotated, and only once."
        "Make a new one.";
    NameTaken: CONFLICT "name_taken", "the name is taken; choose another";
        "Names are unique among the projects of an organization, among its databases, and among the \
         users, alerts and pipelines of one database."
        "Choose another name, or change the one that has it.";
    ProjectNotEmpty: CONFLICT "project_not_empty",
        "there are databases in the project; delete them or put them elsewhere first";
        "A project is not deleted with databases in it, those on their way out included."
        "Delete the databases, or give them another `project_id`, and repeat the request.";
    IllegalState: CONFLICT "illegal_state",
        "this cannot be done to a database that is in this state";
        "A database is pending, then provisioning, then running or stopped; it may have failed, and \
         is deleting until it is gone. What is asked for does not go with the state it is in."
        "Show the database: `status` tells its state. The documentation of databases tells what may \
         be done in it.";
    BackupUnfinished: CONFLICT "backup_unfinished", "the backup is under way";
        "Only a backup that has ended can be deleted."
        "Wait until the backup has a `status` of `succeeded` or `failed`.";
    NetworkListed: CONFLICT "network_listed", "the network is on the list already";
        "A network stands on the allowlist of a database once."
        "Remove its rule first, if it is to be described otherwise.";
    HostnameTaken: CONFLICT "hostname_taken",
        "a project of the organization has the hostname already";
        "A hostname leads to one project."
        "Remove the domain from the other project first.";
    ResourceLimit: CONFLICT "resource_limit", "there are as many of them as there may be";
        "An organization has 1000 projects and 10000 databases at most; a project has 100 domains \
         and 100 cache rules; a database has 100 users, alerts, pipelines and networks, and 1000 \
         backups."
        "Remove what nobody needs.";
    AlreadyDeclared: CONFLICT "already_declared",
        "it is declared already; replace it with `PUT`";
        "There is one declaration of this kind in an organization, and it has been made."
        "Send the declaration to its own address with `PUT`.";
    StatementLimit: CONFLICT "statement_limit", "there are as many of them as there may be";
        "An organization has 500 declarations, 500 open incidents with 100 reports each, 5 open \
         access reviews and 10000 restore tests at most."
        "Remove declarations that hold no more; close incidents and complete reviews that are over.";
    IncidentNotClassified: CONFLICT "incident_not_classified",
        "the incident is not classified yet; say first how grave it is";
        "Before an incident is reported or closed it has to be known whether it is major."
        "Classify it.";
    IncidentClosed: CONFLICT "incident_closed", "the incident is closed";
        "A closed incident stays as it is; only reports may follow."
        "Open another one, if something has happened again.";
    ReportOutOfOrder: CONFLICT "report_out_of_order",
        "a report of an earlier stage comes first: initial, intermediate, final";
        "An incident is reported in stages, and the one before is not recorded yet."
        "Record the earlier report first, with the time at which it was submitted.";
    ReviewCompleted: CONFLICT "review_completed", "the access review is complete";
        "What was decided in a review that is complete stays so."
        "Start another review.";
    ReviewUndecided: CONFLICT "review_undecided",
        "the access review has members or tokens without a decision";
        "A review is complete when everybody who still has access was decided about."
        "Show the review, and decide on each item that has no `decision` and is not gone.";
    TwoFactorEnabled: CONFLICT "two_factor_enabled", "the account has a second factor already";
        "An account has one second factor."
        "Disable it first, if you want another one.";
    TwoFactorNotSetUp: CONFLICT "two_factor_not_set_up",
        "the account has no second factor that this could be about";
        "Either no secret was made that waits for its first code, or the account has no second \
         factor."
        "Begin with `POST /v1/auth/2fa/setup`.";
    KeyRevoked: CONFLICT "key_revoked", "the key is revoked already";
        "A signing key is revoked once, and what is said then stays."
        "Nothing is left to do: another key signs already.";
    IdempotencyInProgress: CONFLICT "idempotency_in_progress",
        "the first request with this idempotency key is still running; repeat it soon";
        "Two requests with one idempotency key are under way at the same time."
        "Wait as long as `Retry-After` says and repeat the request: it then gets the answer of the \
         first.";
    Contended: CONFLICT "contended", "too many changes at the same time; repeat the request";
        "So many commands change the same thing at once that this one found no place between them. \
         Nothing was changed."
        "Repeat the request after `Retry-After`.";
    InvitationClosed: GONE "invitation_closed",
        "the invitation is over: accepted, declined, canceled, expired or replaced";
        "The link was good once, and admits nobody any more: the invitation was answered, \
         canceled or sent again with another link, or its time is over."
        "Ask whoever invited you for a new invitation.";
    LinkClosed: GONE "link_closed",
        "the link was used, was replaced by a newer one, or has run out; ask for another";
        "The link was good once. It sets a password once and within an hour, or verifies an address \
         within two days, and only the newest of its kind does."
        "Ask for another mail and open the link in that one.";
    LeasesForgotten: GONE "leases_forgotten",
        "what ended after that is not known any more; renew what you hold, and begin the stream anew";
        "It is known for a day which leases on connections have ended, and the stream was to go on \
         further back."
        "Renew each lease that you hold: those that have ended are 404. Then open the stream without \
         `Last-Event-ID`.";
    PreconditionFailed: PRECONDITION_FAILED "precondition_failed",
        "it has changed since the version in `If-Match`; read it again and decide anew";
        "`If-Match` names a version that is no longer the current one: somebody else was faster. \
         Nothing was changed."
        "Read the resource again, decide whether you still want the change, and send it with the \
         new `ETag`.";
    PayloadTooLarge: PAYLOAD_TOO_LARGE "payload_too_large", "the body is larger than 1 MiB";
        "Bodies of this operation may have 1 MiB at most."
        "Send less at once.";
    UnsupportedMediaType: UNSUPPORTED_MEDIA_TYPE "unsupported_media_type",
        "send the body as `Content-Type: application/json`";
        "The body's type is not one that this operation reads."
        "Send JSON, and say so in `Content-Type`.";
    Invalid: UNPROCESSABLE_ENTITY "validation_failed",
        "the body does not validate; `errors` names the fields";
        "The body is JSON, but one or more fields are missing, not known or have no valid value."
        "`errors` has an entry for each such field: its path in the body and what is wrong. Correct \
         them all and send the request again.";
    IdempotencyKeyReused: UNPROCESSABLE_ENTITY "idempotency_key_reused",
        "this idempotency key came first with another body; use a new key";
        "An idempotency key names one command for ever. It was sent before with another body."
        "Use a new key for a new command; repeat a command with exactly the same body.";
    ConfirmationRequired: PRECONDITION_REQUIRED "confirmation_required",
        "this cannot be undone; send the organization's slug as `confirm`";
        "What you ask for ends something for everybody and for ever, so it has to be confirmed."
        "Send `{\"confirm\": \"<slug>\"}` with the slug of the organization that is meant.";
    TooManyRequests: TOO_MANY_REQUESTS "too_many_requests",
        "too often; try again when `Retry-After` has passed";
        "Too many sign-ins have failed for this account or from this network address, too many \
         tokens were sent from it that do not exist, or too many accounts were registered and mails \
         asked for. While that is so, the right password has to wait as well; sessions go on."
        "Wait as long as `Retry-After` says.";
    TooManyStreams: TOO_MANY_REQUESTS "too_many_streams",
        "as many streams as one credential may have are open; close one";
        "A credential holds at most ten streams of audit logs open at once on each node."
        "Close one, or share one among those who read it.";
    Internal: INTERNAL_SERVER_ERROR "internal",
        "something went wrong here; the request id helps to find out what";
        "A fault of the server, which has written down what happened under the request id."
        "Give the request id to whoever runs the server.";
    NotCaughtUp: SERVICE_UNAVAILABLE "not_caught_up",
        "the read models have not come to that position yet; repeat the request soon";
        "The request asked with `At-Least` for a position that the read models did not reach \
         within 5 seconds."
        "Repeat the request after `Retry-After`. Check that the position came from this server.";
    NotReady: SERVICE_UNAVAILABLE "not_ready", "the packet is still being made";
        "Somebody asked for the packet, and it is not made yet: the program stopped meanwhile, or \
         what signs it is out of reach."
        "Repeat the request soon. `GET …/compliance-reports/<id>` tells its status.";
    SignerElsewhere: SERVICE_UNAVAILABLE "signer_elsewhere",
        "another node signs; ask there, or start this one with `--signer-state`";
        "Of nodes that share a database, only those sign that remember what was signed last: the \
         first one, or all that were given one place with `--signer-state`."
        "Ask the node that signs, or give all nodes one database of their own with `--signer-state`.";
    SignerRefuses: SERVICE_UNAVAILABLE "signer_refuses",
        "the log is not the one that was signed before; nothing more is signed";
        "The log has become shorter, or its beginning another, than what was signed: an older copy \
         was put back, or somebody has changed it. A second head that contradicts the first would \
         be evidence against the installation, so none is given."
        "The operator runs `chancery log verify`, puts the newest copy of the log back, or looks \
         for who changed it.";
    Unavailable: SERVICE_UNAVAILABLE "unavailable",
        "a store cannot be reached now; repeat the request soon";
        "A database that the answer depends on is out of reach. Rather than answer from what was \
         known before, the server refuses."
        "Repeat the request after `Retry-After`; commands with their idempotency key.";
}

impl Code {
    /// Whether the same request may well succeed a moment later.
    pub(super) fn retry_after(self) -> bool {
        matches!(
            self,
            Self::IdempotencyInProgress
                | Self::Contended
                | Self::TooManyRequests
                | Self::TooManyStreams
                | Self::NotCaughtUp
                | Self::NotReady
                | Self::SignerElsewhere
                | Self::SignerRefuses
                | Self::Unavailable
        )
    }

    pub(crate) fn named(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.explained().code == code)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_means_one_thing_for_ever() {
        let explained: Vec<_> = Code::ALL.iter().map(|code| code.explained()).collect();
        let codes: BTreeSet<_> = explained.iter().map(|explained| explained.code).collect();
        assert_eq!(codes.len(), explained.len(), "two codes have one name");
        for Explained { code, sentence, meaning, remedy, .. } in explained {
            assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code}");
            assert!(!sentence.ends_with('.'), "{sentence}");
            assert!(meaning.ends_with('.') && remedy.ends_with('.'), "{code}");
        }
    }
}
