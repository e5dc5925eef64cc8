//! Mails: what they say, and where they go. Each is made from an event, whenever and wherever it is
//! sent, so that sending it twice gives the same mail with the same `Message-ID`. No address is ever
//! logged: what a mail server says about one may repeat it, so only its code is.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use events::id::EventId;
use events::time::Time;
use lettre::address::AddressError;
use lettre::message::header::ContentTransferEncoding::{EightBit, SevenBit};
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox};
use lettre::{Address, Message};

use crate::config::MailPlace;

mod outbox;
pub(crate) mod smtp;
pub(crate) mod text;

use outbox::Outbox;
use smtp::Smtp;

/// Why a mail was not delivered, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undelivered {
    /// No mail can be delivered now.
    #[error("no mail can be sent: {0}")]
    Away(String),
    /// This one may be delivered later.
    #[error("the mail server puts a mail off ({0})")]
    Deferred(String),
    /// This one never will.
    #[error("the mail server refuses a mail (code {0})")]
    Refused(u16),
    /// This one cannot even be written.
    #[error("a mail cannot be written to its address")]
    Unwritable,
}

impl From<AddressError> for Undelivered {
    fn from(_: AddressError) -> Self {
        Self::Unwritable
    }
}

impl From<lettre::error::Error> for Undelivered {
    fn from(_: lettre::error::Error) -> Self {
        Self::Unwritable
    }
}

/// A mail that an event calls for.
pub(crate) struct Mail {
    pub(crate) event: EventId,
    /// When the event was recorded.
    pub(crate) at: Time,
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
}

/// Sends mails, or keeps them in a folder.
pub(crate) struct Post {
    /// What this installation calls itself in mails.
    host: String,
    from: Mailbox,
    way: Way,
}

enum Way {
    Outbox(Outbox),
    Smtp(Smtp),
}

impl Post {
    /// `origin` names the installation for ever.
    pub(crate) fn new(place: &MailPlace, data: &Path, origin: &str) -> Result<Self, Undelivered> {
        let host = host(origin).to_owned();
        let usual = || {
            let is_name = host.contains(|c: char| c.is_ascii_alphabetic()) && !host.contains(':');
            let domain = if is_name { host.as_str() } else { "localhost" };
            Address::new("chancery", domain)
        };
        let (from, way) = match place {
            MailPlace::Outbox => (usual()?, Way::Outbox(Outbox::new(data))),
            MailPlace::Smtp(server) => {
                let from = server.from.clone().map_or_else(usual, Ok)?;
                (from, Way::Smtp(Smtp::new(server.clone(), &host)))
            }
        };
        Ok(Self { from: Mailbox::new(Some("Chancery".to_owned()), from), way, host })
    }

    pub(crate) async fn deliver(&self, mail: &Mail) -> Result<(), Undelivered> {
        let to: Address = mail.to.parse()?;
        match &self.way {
            Way::Outbox(outbox) => {
                let bytes = self.message(mail, &to, true)?.formatted();
                outbox.keep(mail.event, &bytes)
            }
            Way::Smtp(smtp) => {
                let message = |eight_bits| self.message(mail, &to, eight_bits);
                smtp.send(&self.from.email, &to, message).await
            }
        }
    }

    /// The mails that are kept here, by the events that called for them; none where they are sent.
    pub(crate) fn kept(&self) -> Result<HashSet<EventId>, Undelivered> {
        match &self.way {
            Way::Outbox(outbox) => outbox.kept(),
            Way::Smtp(_) => Ok(HashSet::new()),
        }
    }

    /// Removes a mail that is kept here, if it is.
    pub(crate) fn discard(&self, event: EventId) -> Result<(), Undelivered> {
        match &self.way {
            Way::Outbox(outbox) => outbox.discard(event),
            Way::Smtp(_) => Ok(()),
        }
    }

    /// With 8 bits allowed, each line of the text is a line of the mail, however long it is.
    fn message(&self, mail: &Mail, to: &Address, eight_bits: bool) -> Result<Message, Undelivered> {
        let millis = u64::try_from(mail.at.millis()).unwrap_or_default();
        let body = if mail.text.is_ascii() || eight_bits {
            let is_ascii = mail.text.is_ascii();
            let encoding = if is_ascii { SevenBit } else { EightBit };
            // lettre would fold lines of more than 76 characters, and a link with them
            let lines = mail.text.replace('\n', "\r\n");
            Body::dangerous_pre_encoded(lines.into_bytes(), encoding)
        } else {
            Body::new(mail.text.clone())
        };
        let message = Message::builder()
            .message_id(Some(format!("<{}@{}>", mail.event, self.host)))
            .date(UNIX_EPOCH + Duration::from_millis(millis))
            .from(self.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(mail.subject.clone())
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN)
            .body(body)?;
        Ok(message)
    }
}

/// The origin's host: what stands before its port.
fn host(origin: &str) -> &str {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    match origin.rsplit_once(':') {
        Some((host, port)) if is_port(port) => host,
        _ => origin,
    }
}

/// RFC 3834: nobody's holiday notice answers it.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn written(origin: &str, text: &str) -> String {
        let post = Post::new(&MailPlace::Outbox, Path::new("."), origin).unwrap();
        let mail = Mail {
            event: EventId(Uuid::from_u128(1)),
            at: Time::from_millis(1_767_323_045_678),
            to: "ana@example.org".to_owned(),
            subject: "Verify your e-mail address".to_owned(),
            text: text.to_owned(),
        };
        let message = post.message(&mail, &mail.to.parse().unwrap(), true).unwrap();
        String::from_utf8(message.formatted()).unwrap()
    }

    #[test]
    fn a_mail_is_named_after_its_event_and_keeps_its_lines() {
        let link = format!("https://org.example.com/verify-email/{}", "x".repeat(60));
        for text in [format!("Open\n\n{link}\n"), format!("Öffne\n\n{link}\n")] {
            let mail = written("org.example.com", &text);
            assert!(mail.contains(&format!("\r\n{link}\r\n")), "{mail}");
            assert!(mail.contains("Date: Fri, 02 Jan 2026 03:04:05 +0000\r\n"), "{mail}");
            assert!(mail.contains("Auto-Submitted: auto-generated\r\n"), "{mail}");
            assert!(mail.contains("From: Chancery <chancery@org.example.com>\r\n"), "{mail}");
        }
        for (origin, host) in [
            ("org.example.com", "org.example.com"),
            ("org.example.com:8443", "org.example.com"),
            ("127.0.0.1:8080", "127.0.0.1"),
            ("[::1]:8080", "[::1]"),
        ] {
            let id = format!("Message-ID: <evt_00000000000000000000000001@{host}>\r\n");
            assert!(written(origin, "x").contains(&id), "{origin}");
        }
    }
}
