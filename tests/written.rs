//! Events written straight into an organization's stream, for what no request can do.

use events::Event;
use events::id::EventId;
use events::stream::Stream;
use events::wire;
use uuid::Uuid;

use crate::line::Writer;
use crate::server::Installation;

/// Appends these facts; on SQLite the server must be stopped.
pub(crate) async fn write(installation: &Installation, organization: &str, facts: Vec<Event>) {
    write_on(installation, &format!("organization-{organization}"), facts).await;
}

/// The same on any stream, by its name.
pub(crate) async fn write_on(installation: &Installation, stream: &str, facts: Vec<Event>) {
    let stream: Stream = stream.parse().unwrap();
    let log = installation.log().await;
    let stored = log.read_stream(&stream, 0, 1000).await.unwrap();
    let at = wire::head(&stored.last().unwrap().line).unwrap().recorded_at;
    let mut writer = Writer::after(stream, &stored);
    let expected = writer.expected();
    let lines = facts.into_iter().map(|fact| writer.line_of(EventId(Uuid::new_v4()), at, fact));
    log.append(&stream, expected, lines.collect()).await.unwrap();
    log.close().await;
}
