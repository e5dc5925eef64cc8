//! How an organization stands at this moment: the controls of SOC 2 over the last 90 days, signed like
//! a packet and kept nowhere. It asks for no event, and so proves less than a packet: whoever reads
//! it believes the installation when it says that nothing came after.

use events::evidence::{Framework, Requested};
use events::id::{OrganizationId, PacketId};
use events::platform::Purpose;
use events::stream::Stream;
use events::time::Time;
use serde_json::{Value, json};
use uuid::Uuid;

use super::CHECKPOINT;
use super::content::Digests;
use super::made::{DECLARATION, Error, canonical, find, verifications};
use super::statement::{Hashes, STATEMENT_TYPE};
use crate::compliance::Specification;
use crate::dsse::Envelope;
use crate::{App, signer, signing_key};

/// Behind the issuer's address.
const PREDICATE: &str = "/posture-report/v1";
const SPAN_MILLIS: i64 = 90 * 24 * 60 * 60 * 1000;

pub(crate) struct Posture {
    pub(crate) predicate: Value,
    pub(crate) envelope: Envelope,
}

pub(crate) async fn posture(app: &App, organization: OrganizationId) -> Result<Posture, Error> {
    let stream = Stream::Organization(organization);
    let tree = signer::current_tree(app, stream).await?;
    let size = tree.size();
    let (now, framework) = (app.clock.now(), Framework::Soc2);
    let about = Requested {
        packet: PacketId(Uuid::nil()),
        framework,
        period_start: Time::from_millis(now.millis() - SPAN_MILLIS),
        period_end: now,
        challenge: String::new(),
        supersedes: None,
        version: size.saturating_sub(1),
        at: now,
    };
    let runs = verifications(app, &about).await?;
    let specification = Specification::current(framework);
    let found = find(app, organization, &about, specification, &runs).await?;
    if tree.root(app, size).await? != Some(found.root) {
        return Err(Error::Differs);
    }
    let (head, checkpoint) = signer::sign(app, stream, Some(size)).await?;
    let key = signing_key::active(app, Purpose::Packet).await?;
    let predicate = json!({
        "schema_version": "1.0.0",
        "generated_at": now,
        "organization": { "id": organization },
        "issuer": { "name": app.origin, "key_id": key.key_id },
        "framework": { "id": framework, "specification": specification.version },
        "period": { "from": about.period_start, "to": about.period_end },
        "log": {
            "origin": head.origin, "size": size, "root_sha256": head.root,
            "head_blake3": found.head, "hash": Hashes::default(),
        },
        "checkpoint": checkpoint,
        "controls": found.report.controls,
        "not_evidenced": found.report.not_evidenced,
        "sections": found.report.sections,
        "scope": { "boundary": specification.boundary },
        "verifications": runs,
        "declaration": DECLARATION,
    });
    let text = "text/plain; charset=utf-8";
    let statement = json!({
        "_type": STATEMENT_TYPE,
        "predicateType": format!("https://{}{PREDICATE}", app.origin),
        "subject": [Digests::of(checkpoint.as_bytes()).file(CHECKPOINT, text)],
        "predicate": predicate,
    });
    let envelope = Envelope::seal(&canonical(&statement), &key.key_id, |text| key.sign(text));
    Ok(Posture { predicate, envelope })
}
