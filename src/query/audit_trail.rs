//! An organization's audit log, newest entry first.

use projections::audit_trail::{AuditTrail, Entry};

use super::{Error, Page, page};
use crate::App;
use crate::access::Access;

pub(crate) async fn list(
    app: &App,
    access: &Access,
    after: &str,
    size: usize,
) -> Result<Page<Entry>, Error> {
    page::<AuditTrail>(app, &access.organization().to_string(), after, size).await
}
