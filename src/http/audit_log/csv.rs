//! Rows of an audit log for spreadsheets (RFC 4180). A cell that a spreadsheet would take for a formula
//! begins with an apostrophe: whoever may name something here could otherwise have a stranger's
//! program compute.

use super::AuditEntry;
use crate::export;

/// What each column holds; the last row has the manifest's place in them.
pub(super) const COLUMNS: [&str; 14] = [
    "id",
    "version",
    "created_at",
    "action",
    "actor",
    "actor_email",
    "resource_type",
    "resource_id",
    "resource_name",
    "ip_address",
    "user_agent",
    "request_id",
    "changes",
    "hash",
];

/// One entry as a row with its end.
pub(super) fn entry(entry: &AuditEntry) -> Vec<u8> {
    let changes = String::from_utf8(export::json(&entry.changes)).unwrap_or_default();
    let request = entry.request_id.map(|request| request.to_string());
    row(&[
        &entry.id.to_string(),
        &entry.version.to_string(),
        &entry.created_at.to_string(),
        &entry.action,
        &entry.actor.id,
        entry.actor.email.as_deref().unwrap_or_default(),
        &entry.resource.kind,
        &entry.resource.id,
        entry.resource.name.as_deref().unwrap_or_default(),
        entry.ip_address.as_deref().unwrap_or_default(),
        entry.user_agent.as_deref().unwrap_or_default(),
        request.as_deref().unwrap_or_default(),
        &changes,
        &entry.hash.to_string(),
    ])
}

pub(super) fn row(cells: &[&str; COLUMNS.len()]) -> Vec<u8> {
    let mut row = String::new();
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            row.push(',');
        }
        let cell = guarded(cell);
        if cell.contains([',', '"', '\r', '\n']) {
            row.push('"');
            row.push_str(&cell.replace('"', "\"\""));
            row.push('"');
        } else {
            row.push_str(&cell);
        }
    }
    row.push_str("\r\n");
    row.into_bytes()
}

fn guarded(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(cell: &str) -> String {
        let mut cells = [""; COLUMNS.len()];
        cells[0] = cell;
        let row = String::from_utf8(row(&cells)).expect("it is text");
        row.strip_suffix(",,,,,,,,,,,,,\r\n").expect("the others are empty").to_owned()
    }

    #[test]
    fn no_cell_is_a_formula() {
        for odd in ["=1+1", "+1", "-1", "@sum", "\t=1"] {
            assert_eq!(written(odd), format!("'{odd}"));
        }
        assert_eq!(written("\r=1"), "\"'\r=1\"");
        assert_eq!(written("=cmd|' /C calc'!\"A\",1"), "\"'=cmd|' /C calc'!\"\"A\"\",1\"");
        assert_eq!(written("a=1"), "a=1");
    }

    #[test]
    fn cells_keep_quotes_commas_and_lines() {
        assert_eq!(written("a,b"), "\"a,b\"");
        assert_eq!(written("say \"hi\"\nthere"), "\"say \"\"hi\"\"\nthere\"");
    }
}
