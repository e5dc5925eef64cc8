//! What mails say. A link stands on a line of its own.

use events::permission::Role;
use events::time::Time;

/// Subject and text.
pub(crate) type Letter = (String, String);

pub(crate) fn password_reset(link: &str) -> Letter {
    let text = format!(
        "Somebody, hopefully you, wants to set a new password for your account.\n\n\
         To set one, open this link within an hour. It works once:\n\n\
         {link}\n\n\
         If it was not you, there is nothing to do: your password stays as it is.\n"
    );
    ("Set a new password".to_owned(), text)
}

pub(crate) fn email_verification(link: &str) -> Letter {
    let text = format!(
        "An account was registered with this e-mail address.\n\n\
         To confirm that the address is yours, open this link within 48 hours:\n\n\
         {link}\n\n\
         If you did not register, there is nothing to do.\n"
    );
    ("Confirm your e-mail address".to_owned(), text)
}

/// What the mail to somebody invited tells.
pub(crate) struct Invited<'a> {
    pub(crate) organization: &'a str,
    /// Nobody's name is given where no person sent it, or one who is erased.
    pub(crate) inviter: Option<&'a str>,
    pub(crate) role: Role,
    pub(crate) expires_at: Time,
    pub(crate) link: &'a str,
}

pub(crate) fn invitation(invited: &Invited) -> Letter {
    let Invited { organization, inviter, role, expires_at, link } = invited;
    let article = match role {
        Role::Owner | Role::Admin => "an",
        Role::Developer | Role::Member | Role::Viewer => "a",
    };
    let invites = match inviter {
        Some(name) => format!("{name} invites you"),
        None => "You are invited".to_owned(),
    };
    let role = role.as_str();
    let time = expires_at.to_string();
    let (day, hour) = time.split_once('T').unwrap_or((&time, ""));
    let minute = hour.get(..5).unwrap_or(hour);
    let text = format!(
        "{invites} to join {organization} as {article} {role}.\n\n\
         To accept or decline, open this link until {day} {minute} UTC:\n\n\
         {link}\n\n\
         The invitation is for this e-mail address alone. If you have no account with it yet, \
         register one first, and come back to the link.\n\n\
         If you do not know what this is about, there is nothing to do.\n"
    );
    (format!("{invites} to join {organization}"), text)
}
