//! Backup codes: ten, each for one sign-in, for the day the authenticator is lost. 50 bits in two
//! groups of five, in letters that nobody takes for others.

use std::fmt;

use blake3::Hash;
use events::id::CommandId;
use zeroize::Zeroizing;

use crate::keyring::Keyring;

const CODES: u32 = 10;
/// Letters of a code, five bits each.
const LETTERS: usize = 10;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// All codes of one second factor. Never printed.
pub(crate) struct BackupCodes(Vec<Zeroizing<String>>);

impl fmt::Debug for BackupCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackupCodes(..)")
    }
}

impl BackupCodes {
    /// The codes that a command makes.
    pub(crate) fn of_command(keyring: &Keyring, command: CommandId) -> Self {
        let code = |number: u32| {
            let parts = [command.0.as_bytes().as_slice(), &number.to_be_bytes()];
            of_bits(&Zeroizing::new(keyring.derive("backup code", &parts)))
        };
        Self((0..CODES).map(code).collect())
    }

    /// What the log keeps of them: a JSON array of their BLAKE3 hashes.
    pub(crate) fn hashes(&self) -> String {
        let hashes: Vec<_> = self.0.iter().map(|code| blake3::hash(code.as_bytes())).collect();
        let hashes: Vec<_> = hashes.iter().map(Hash::to_hex).collect();
        let hashes: Vec<&str> = hashes.iter().map(AsRef::as_ref).collect();
        serde_json::json!(hashes).to_string()
    }

    /// The codes as their owner keeps them.
    pub(crate) fn reveal(&self) -> Vec<String> {
        let grouped = |code: &Zeroizing<String>| {
            let (one, other) = code.split_at(LETTERS / 2);
            format!("{one}-{other}")
        };
        self.0.iter().map(grouped).collect()
    }
}

fn of_bits(bits: &[u8; 32]) -> Zeroizing<String> {
    let letters = bits.iter().take(LETTERS);
    Zeroizing::new(letters.map(|bits| char::from(ALPHABET[usize::from(bits % 32)])).collect())
}

/// Which of the codes this is, as it was typed without spaces and hyphens.
pub(super) fn find(hashes: &str, typed: &str) -> Option<u32> {
    let meant = |letter: char| match letter {
        'o' => '0',
        'i' | 'l' => '1',
        letter => letter,
    };
    let code: Zeroizing<String> = Zeroizing::new(typed.chars().map(meant).collect());
    let hash = blake3::hash(code.as_bytes());
    let hashes: Vec<String> = serde_json::from_str(hashes).ok()?;
    let mut found = None;
    // each is compared, in constant time
    for (number, known) in (0..).zip(&hashes) {
        if Hash::from_hex(known).is_ok_and(|known| known == hash) {
            found = Some(number);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_however_it_was_typed() {
        let bits: [u8; 32] =
            std::array::from_fn(|place| u8::try_from(place).unwrap().wrapping_add(250));
        let codes = BackupCodes(vec![of_bits(&bits), of_bits(&[1; 32]), of_bits(&[32; 32])]);
        assert_eq!(codes.reveal(), ["tvwxy-z0123", "11111-11111", "00000-00000"]);
        let hashes = codes.hashes();
        assert_eq!(find(&hashes, "tvwxyz0123"), Some(0));
        assert_eq!(find(&hashes, "1il1i11l11"), Some(1));
        assert_eq!(find(&hashes, "oooo000000"), Some(2));
        for wrong in ["", "1", "000000000", "00000000000", "2222222222"] {
            assert_eq!(find(&hashes, wrong), None, "{wrong}");
        }
        assert_eq!(find("no JSON", "2222222222"), None);
    }
}
