//! What mails say. A link stands on a line of its own.

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
