//! What is checked of bodies in the same way, each mistake by its field.

use std::collections::BTreeSet;

use events::time::Time;

use super::problem::FieldError;
use crate::address::Address;

/// Entries of one list.
pub(crate) const MOST_ENTRIES: usize = 100;
const LONGEST_ID: usize = 64;

pub(crate) struct Checks<'a> {
    errors: &'a mut Vec<FieldError>,
}

impl<'a> Checks<'a> {
    pub(crate) fn new(errors: &'a mut Vec<FieldError>) -> Self {
        Self { errors }
    }

    pub(crate) fn wrong(&mut self, field: &str, detail: &str) {
        let (field, detail) = (field.to_owned(), detail.to_owned());
        self.errors.push(FieldError { field, detail });
    }

    /// 1 to so many printable characters, in one or several lines.
    pub(crate) fn text(&mut self, field: &str, text: Option<&str>, longest: usize) {
        let Some(text) = text else { return };
        let is_printable = !text.contains(|c: char| c.is_control() && c != '\n');
        if text.trim().is_empty() || text.chars().count() > longest || !is_printable {
            self.wrong(field, &format!("must be 1 to {longest} printable characters long"));
        }
    }

    pub(crate) fn email(&mut self, field: &str, email: Option<&str>) {
        if let Some(Err(error)) = email.map(str::parse::<Address>) {
            self.wrong(field, &error.to_string());
        }
    }

    /// Whether there are few enough of them.
    pub(crate) fn count(&mut self, field: &str, count: usize) -> bool {
        if count > MOST_ENTRIES {
            self.wrong(field, &format!("must have {MOST_ENTRIES} entries at most"));
        }
        count <= MOST_ENTRIES
    }

    pub(crate) fn texts(&mut self, field: &str, texts: &[String], longest: usize) {
        if self.count(field, texts.len()) {
            for (place, text) in texts.iter().enumerate() {
                self.text(&format!("{field}[{place}]"), Some(text), longest);
            }
        }
    }

    /// Ids of databases, each once. Whether there is such a database is not asked: it may be one
    /// that is kept elsewhere.
    pub(crate) fn databases(&mut self, field: &str, ids: &[String]) {
        if !self.count(field, ids.len()) {
            return;
        }
        let mut seen = BTreeSet::new();
        for (place, id) in ids.iter().enumerate() {
            let field = format!("{field}[{place}]");
            self.database(&field, id);
            if !seen.insert(id) {
                self.wrong(&field, "is there already");
            }
        }
    }

    pub(crate) fn database(&mut self, field: &str, id: &str) {
        let rest = id.strip_prefix("db_").unwrap_or_default();
        let is_sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if rest.is_empty() || id.len() > LONGEST_ID || !rest.bytes().all(is_sound) {
            self.wrong(field, "must be the id of a database, like db_01h2xcejqtf2nbrexx3vqjhp41");
        }
    }

    /// One of a closed set.
    pub(crate) fn one_of(&mut self, field: &str, text: Option<&str>, known: &[&str]) {
        if text.is_some_and(|text| !known.contains(&text)) {
            self.wrong(field, &format!("must be one of {}", known.join(", ")));
        }
    }

    /// What a database and what belongs to it is called: 3 to 63 lower-case letters, digits and
    /// hyphens, a letter first, no hyphen last and no two in a row.
    pub(crate) fn name(&mut self, field: &str, name: &str) {
        let is_sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(3..=63).contains(&name.len())
            || !name.bytes().all(is_sound)
            || !name.starts_with(|first: char| first.is_ascii_lowercase())
            || name.ends_with('-')
            || name.contains("--")
        {
            let detail = "must be 3 to 63 of a-z, 0-9 and single hyphens, with a letter first and \
                          no hyphen last";
            self.wrong(field, detail);
        }
    }

    pub(crate) fn country(&mut self, field: &str, country: Option<&str>) {
        let Some(country) = country else { return };
        if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            self.wrong(field, "must be a country's two capital letters (ISO 3166-1 alpha-2)");
        }
    }

    /// A number from 1 on.
    pub(crate) fn up_to(&mut self, field: &str, number: Option<u32>, most: u32) {
        if number.is_some_and(|number| !(1..=most).contains(&number)) {
            self.wrong(field, &format!("must be 1 to {most}"));
        }
    }

    /// A time that has come; now, where none is given.
    pub(crate) fn past(&mut self, field: &str, text: Option<&str>, now: Time) -> Time {
        let Some(text) = text else { return now };
        match text.parse::<Time>() {
            Ok(time) if time > now => self.wrong(field, "must not lie in the future"),
            Ok(time) => return time,
            Err(_) => self.wrong(field, "must be a time like 2026-01-31T09:30:00Z"),
        }
        now
    }
}
