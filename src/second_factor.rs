//! The second factor as its owner sees it: a secret for an authenticator (RFC 6238: SHA-1, six
//! digits, 30 seconds), its codes, and the backup codes. What is made here follows from the command
//! that asks for it, so that the repeat of a lost answer shows it again.
//!
//! A code serves half a minute before and after its time, by the clock that tests move. Whether it
//! was used already is decided where its use is recorded (`events::account`); what is known to be used
//! is no proof to begin with, and counts as a wrong guess.

use std::fmt;
use std::fmt::Write as _;

use events::account::{Code, Proof, SecondFactor};
use events::id::CommandId;
use events::personal::{Opened, Personal};
use events::time::Time;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use qrcode::{Color, EcLevel, QrCode};
use secrecy::{ExposeSecret as _, SecretString};
use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroizing;

use crate::App;
use crate::failure::Failure;
use crate::keyring::Keyring;

mod backup_code;

pub(crate) use backup_code::BackupCodes;

const DIGITS: u8 = 6;
/// Seconds that a code is for.
const STEP: u64 = 30;
/// Bytes of a secret: as many as SHA-1 gives.
const SECRET: usize = 20;
/// Longer is no code, however it is written.
const LONGEST_CODE: usize = 64;
/// What stands as it is in a URI.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');
/// Modules without anything around a QR code.
const MARGIN: usize = 4;

/// What an authenticator is given. Never printed.
pub(crate) struct Secret(Zeroizing<String>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// The secret that a command makes.
    pub(crate) fn of_command(keyring: &Keyring, command: CommandId) -> Self {
        let long = keyring.derive("second factor secret", &[command.0.as_bytes()]);
        let long = Zeroizing::new(long);
        Self(Zeroizing::new(totp_rs::Secret::from(&long[..SECRET]).to_base32()))
    }

    /// Base32, without padding.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// What authenticators read (Key URI Format). Neither name has a colon.
    pub(crate) fn otpauth_uri(&self, issuer: &str, owner: &str) -> Zeroizing<String> {
        let issuer = utf8_percent_encode(issuer, ENCODED);
        let owner = utf8_percent_encode(owner, ENCODED);
        let secret = self.reveal();
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{owner}?secret={secret}&issuer={issuer}&algorithm=SHA1\
             &digits={DIGITS}&period={STEP}"
        ))
    }

    /// The time step of a code that is right about now, newer than the last one used.
    pub(crate) fn step_of(&self, code: &str, now: Time, last_used: Option<u64>) -> Option<u64> {
        let totp = self.totp()?;
        let current = u64::try_from(now.millis()).ok()? / 1000 / STEP;
        let around = [current.checked_sub(1), Some(current), current.checked_add(1)];
        let mut found = None;
        // each is compared, so that it takes as long whichever is right
        for step in around.into_iter().flatten() {
            let is_right = totp.check(code, step * STEP).is_some();
            if is_right && last_used.is_none_or(|last| step > last) {
                found = found.or(Some(step));
            }
        }
        found
    }

    fn totp(&self) -> Option<Totp> {
        let secret = totp_rs::Secret::try_from_base32(self.reveal()).ok()?;
        let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(DIGITS);
        builder.with_step_duration(STEP).with_skew(0).with_secret(secret).build().ok()
    }
}

async fn opened(app: &App, value: &Personal) -> Result<Option<Secret>, Failure> {
    Ok(text(app, value).await?.map(Secret))
}

/// The time step of the first code of a secret; `None` for a wrong one.
pub(crate) async fn first_step(
    app: &App,
    prepared: &Personal,
    code: &SecretString,
) -> Result<Option<u64>, Failure> {
    let secret = opened(app, prepared).await?;
    Ok(secret.and_then(|secret| secret.step_of(&bare(code), app.clock.now(), None)))
}

/// What proves that somebody has the second factor; `None` for a code that is wrong or was used.
pub(crate) async fn proof(
    app: &App,
    factor: &SecondFactor,
    code: &SecretString,
) -> Result<Option<Proof>, Failure> {
    let code = bare(code);
    let is_of_authenticator =
        code.len() == usize::from(DIGITS) && code.bytes().all(|byte| byte.is_ascii_digit());
    let code = if is_of_authenticator {
        let secret = opened(app, &factor.secret).await?;
        let now = app.clock.now();
        let step = secret.and_then(|secret| secret.step_of(&code, now, Some(factor.last_step)));
        step.map(Code::Step)
    } else {
        let hashes = text(app, &factor.backup_codes).await?;
        let number = hashes.and_then(|hashes| backup_code::find(&hashes, &code));
        number.filter(|number| !factor.used_backup_codes.contains(number)).map(Code::Backup)
    };
    Ok(code.map(|code| Proof { of: factor.set_by(), code }))
}

/// A code without what is only there for the eye.
fn bare(code: &SecretString) -> Zeroizing<String> {
    let code = code.expose_secret();
    if code.len() > LONGEST_CODE {
        return Zeroizing::default();
    }
    let letters = code.chars().filter(|letter| !letter.is_whitespace() && *letter != '-');
    Zeroizing::new(letters.map(|letter| letter.to_ascii_lowercase()).collect())
}

/// What cannot be opened any more proves nothing.
async fn text(app: &App, value: &Personal) -> Result<Option<Zeroizing<String>>, Failure> {
    let Some(sealed) = value.sealed() else { return Ok(None) };
    Ok(match app.keyring.open_value(sealed).await? {
        Opened::Known(text) => Some(Zeroizing::new(text)),
        Opened::Erased | Opened::KeyMissing => None,
    })
}

/// A QR code as a drawing that scales; `None` for what is too long for one.
pub(crate) fn qr_code_svg(text: &str) -> Option<Zeroizing<String>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let mut dark = Zeroizing::new(String::new());
    for (place, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (place % width + MARGIN, place / width + MARGIN);
            write!(dark, "M{x} {y}h1v1h-1z").expect("a string takes any text");
        }
    }
    let whole = width + 2 * MARGIN;
    Some(Zeroizing::new(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {whole} {whole}\" role=\"img\" \
         shape-rendering=\"crispEdges\"><title>QR code</title><path fill=\"#fff\" \
         d=\"M0 0h{whole}v{whole}H0z\"/><path fill=\"#000\" d=\"{}\"/></svg>",
        &*dark
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of RFC 6238, appendix B: the ASCII text `12345678901234567890`.
    fn of_the_rfc() -> Secret {
        Secret(Zeroizing::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned()))
    }

    fn at(seconds: i64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        for (seconds, code) in
            [(59_i64, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")]
        {
            let step = seconds.unsigned_abs() / STEP;
            assert_eq!(of_the_rfc().step_of(code, at(seconds), None), Some(step), "{seconds}");
        }
    }

    #[test]
    fn a_code_serves_one_step_before_and_after_and_none_that_was_used() {
        let (secret, code) = (of_the_rfc(), "081804");
        let of = 1_111_111_109 / 30;
        let start = i64::try_from(of).unwrap() * 30;
        for (seconds, found) in
            [(-31, None), (-30, Some(of)), (0, Some(of)), (59, Some(of)), (60, None)]
        {
            assert_eq!(secret.step_of(code, at(start + seconds), None), found, "{seconds}");
        }
        assert_eq!(secret.step_of(code, at(start), Some(of - 1)), Some(of));
        assert_eq!(secret.step_of(code, at(start), Some(of)), None);
        for wrong in ["", "81804", "0818040", "08180a", "081805"] {
            assert_eq!(secret.step_of(wrong, at(start), None), None, "{wrong}");
        }
    }

    #[test]
    fn a_uri_names_whose_secret_it_is() {
        let uri = of_the_rfc().otpauth_uri("id.example.org", "ana+shop@example.org");
        let expected = "otpauth://totp/id.example.org:ana%2Bshop@example.org?secret=\
                        GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=id.example.org&algorithm=SHA1\
                        &digits=6&period=30";
        assert_eq!(*uri, expected);
        let drawing = qr_code_svg(&uri).unwrap();
        assert!(drawing.starts_with("<svg ") && drawing.ends_with("</svg>"));
        assert_eq!(qr_code_svg(&"x".repeat(5000)), None);
    }
}
