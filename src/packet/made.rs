//! Makes packets: reads the log once, evaluates the controls, has the head signed and all logs
//! sealed, and signs what was found. A packet is made once; whoever comes later gets the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use events::State as _;
use events::evidence::Requested;
use events::id::{OrganizationId, PacketId};
use events::organization::Organization;
use events::platform::Purpose;
use events::recorded::Actor;
use events::stream::Stream;
use events::tree::Outline;
use serde::Serialize;
use serde_json::Value;

use super::content::{self, Digests, JSON_LINES, Lines, decoded, disclose, hex};
use super::population::Passed;
use super::statement::{
    self, File, FrameworkEdition, Generator, Hashes, Issuer, Log, Period, Predicate, Privacy,
    STATEMENT_TYPE, Scope, Specification, Statement,
};
use super::{
    CHECKPOINT, ENVELOPE, EVENTS, REPORT_HTML, REPORT_PDF, SEAL, SPECIFICATION, disclosures_file,
    proof_file, report,
};
use crate::App;
use crate::compliance::{self, Evaluation, Facts, Verification};
use crate::dsse::Envelope;
use crate::failure::{Failure, fails_with};
use crate::note::Inclusion;
use crate::operational::{self, KeptFile};
use crate::query::ledger::Tree;
use crate::{fail_point, query, seal, signer, signing_key};

/// Events that are proven one by one, besides by the log as a whole.
const MOST_PROOFS: usize = 200;
pub(super) const DECLARATION: &str = "Evidence derived from recorded events. It is no opinion, no certificate \
                           and no legal advice.";
const DISCLOSURE: &str = "Every line of the log. Of personal values, the addresses that invitations \
                          went to and what the organization declared for this framework.";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such packet")]
    NotFound,
    #[error("the lines of the log are not those that its tree was grown from")]
    Differs,
    #[error(transparent)]
    Content(#[from] content::Error),
    #[error(transparent)]
    Signer(#[from] signer::Error),
    #[error(transparent)]
    Seal(#[from] seal::Error),
    #[error(transparent)]
    Key(#[from] signing_key::Error),
    #[error(transparent)]
    Query(#[from] query::Error),
    #[error(transparent)]
    Failed(#[from] Failure),
}

fails_with!(Error, Error::Failed: operational::Error, crate::event_log::ReadError);

/// What the organization asked for, if it did.
pub(crate) async fn requested(
    app: &App,
    organization: OrganizationId,
    packet: PacketId,
) -> Result<Option<Requested>, Failure> {
    let stream = Stream::Organization(organization);
    let entry = app.organizations.current(&app.log, stream).await?;
    let found = entry.read().state.evidence().packet(packet).cloned();
    Ok(found)
}

/// Makes a packet that was asked for, unless it is made already.
pub(crate) async fn ensure(
    app: &App,
    organization: OrganizationId,
    packet: PacketId,
) -> Result<(), Error> {
    let _turn = app.packets.lock().await;
    if app.operational.packet_key(packet).await?.is_some() {
        return Ok(());
    }
    let request = requested(app, organization, packet).await?.ok_or(Error::NotFound)?;
    let (key_id, files) = make(app, organization, &request).await?;
    fail_point::reached("packet.signed");
    app.operational.keep_packet(packet, key_id, files).await?;
    tracing::info!(%organization, %packet, "a compliance packet is made");
    Ok(())
}

/// What one pass over the log found.
pub(super) struct Found {
    events: File,
    pub(super) head: String,
    pub(super) root: events::tree::Hash,
    state: Organization,
    actor: Actor,
    pub(super) report: compliance::Report,
    populations: Vec<File>,
    disclosed: BTreeMap<events::id::SubjectId, Digests>,
}

pub(super) async fn find(
    app: &App,
    organization: OrganizationId,
    request: &Requested,
    specification: &'static compliance::Specification,
    verifications: &[Verification],
) -> Result<Found, Error> {
    let facts = Facts { verifications: verifications.to_vec() };
    let period = compliance::Period { from: request.period_start, to: request.period_end };
    let mut evaluation = Evaluation::of(specification, period, &facts);
    let mut lines = Lines::of(organization, request.version + 1);
    let (mut state, mut actor) = (Organization::default(), Actor::System);
    let (mut digests, mut disclosed) = (Digests::default(), BTreeMap::new());
    let mut withheld: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    let mut populations = Passed::default();
    loop {
        let page = lines.page(app).await?;
        if page.is_empty() {
            break;
        }
        for stored in &page {
            digests.update(&stored.line);
            digests.update(b"\n");
            let mut recorded = decoded(stored)?;
            evaluation.take(&recorded);
            state.evolve(&recorded);
            actor = recorded.actor;
            let gone = disclose(app, specification, &mut recorded, &mut disclosed).await?;
            if !gone.is_empty() {
                let digests = content::withheld(app, &stored.line, &mut recorded).await?;
                for subject in gone {
                    withheld.entry(subject).or_default().extend(digests.iter().cloned());
                }
            }
        }
        populations.add(&evaluation.standing());
    }
    let mut report = evaluation.finish();
    for erased in &mut report.erased {
        let digests = withheld.remove(&erased.subject).unwrap_or_default();
        erased.digests = digests.into_iter().collect();
    }
    Ok(Found {
        events: digests.file(EVENTS, JSON_LINES),
        head: lines.head(),
        root: lines.edge.root(),
        state,
        actor,
        populations: populations.files(&report),
        report,
        disclosed,
    })
}

/// The files of the bundle, as they are made.
#[derive(Default)]
struct Files {
    listed: Vec<File>,
    kept: Vec<KeptFile>,
}

impl Files {
    fn add(&mut self, name: &str, media_type: &str, body: Vec<u8>) {
        self.listed.push(Digests::of(&body).file(name, media_type));
        self.kept.push(KeptFile { name: name.to_owned(), body });
    }
}

async fn make(
    app: &App,
    organization: OrganizationId,
    request: &Requested,
) -> Result<(String, Vec<KeptFile>), Error> {
    let stream = Stream::Organization(organization);
    let size = request.version + 1;
    let verifications = verifications(app, request).await?;
    let specification = compliance::Specification::current(request.framework);
    let found = find(app, organization, request, specification, &verifications).await?;
    let tree = signer::current_tree(app, stream).await?;
    if tree.root(app, size).await? != Some(found.root) {
        return Err(Error::Differs);
    }
    let (head, checkpoint) = signer::sign(app, stream, Some(size)).await?;
    let mut files = Files::default();
    files.listed.push(found.events.clone());
    let text = "text/plain; charset=utf-8";
    files.add(CHECKPOINT, text, checkpoint.clone().into_bytes());
    let document = specification.document.as_bytes().to_vec();
    files.add(SPECIFICATION, "application/json", document);
    files.add(SEAL, "application/json", canonical(&sealed(app, stream, size).await?));
    files.listed.extend_from_slice(&found.populations);
    let mut cited: Vec<u64> =
        found.report.controls.iter().flat_map(|control| control.events.iter().copied()).collect();
    cited.push(request.version);
    cited.sort_unstable();
    cited.dedup();
    // the newest ones: the request is always among them
    for version in cited.into_iter().rev().take(MOST_PROOFS) {
        let proof = inclusion(app, &tree, version, size, &checkpoint).await?;
        files.add(&proof_file(version), text, proof.to_string().into_bytes());
    }
    for (subject, digests) in &found.disclosed {
        files.listed.push(digests.clone().file(&disclosures_file(*subject), JSON_LINES));
    }
    let key = signing_key::active(app, Purpose::Packet).await?;
    let log = Log {
        origin: head.origin,
        checkpoint: CHECKPOINT.to_owned(),
        size,
        root: found.root,
        head_blake3: found.head.clone(),
        hash: Hashes::default(),
    };
    let issuer = Issuer {
        name: app.origin.clone(),
        keys: format!("{}/.well-known/compliance-signing-keys", app.public_url),
        log_keys: format!("{}/.well-known/log-keys", app.public_url),
        key_id: key.key_id.clone(),
    };
    let predicate =
        predicate(organization, request, &found, specification, log, issuer, verifications);
    files.add(REPORT_HTML, "text/html; charset=utf-8", report::html(&predicate).into_bytes());
    files.add(REPORT_PDF, "application/pdf", report::pdf(&predicate));
    files.listed.sort_by(|a, b| a.name.cmp(&b.name));
    let statement = Statement {
        kind: STATEMENT_TYPE.to_owned(),
        predicate_type: format!("https://{}{}", app.origin, statement::PREDICATE),
        subject: files.listed,
        predicate,
    };
    let envelope = Envelope::seal(&canonical(&statement), &key.key_id, |text| key.sign(text));
    let body = serde_json::to_vec(&envelope).expect("strings are JSON");
    files.kept.push(KeptFile { name: ENVELOPE.to_owned(), body });
    Ok((key.key_id.to_string(), files.kept))
}

/// RFC 8785.
pub(super) fn canonical(value: &impl Serialize) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("numbers in it are integers")
}

/// When the log was verified until the packet was asked for.
pub(super) async fn verifications(
    app: &App,
    request: &Requested,
) -> Result<Vec<Verification>, Error> {
    let entry = app.platform.current(&app.log, Stream::Platform).await?;
    let folded = entry.read();
    let runs = folded.state.verifications().iter().filter(|run| run.at <= request.at);
    Ok(runs.map(|run| Verification { at: run.at, succeeded: run.succeeded }).collect())
}

async fn inclusion(
    app: &App,
    tree: &Tree,
    version: u64,
    size: u64,
    checkpoint: &str,
) -> Result<Inclusion, Error> {
    let missing = || Error::Failed(Failure::Broken("a line is not in its log's tree".into()));
    let outline = Outline::of_inclusion(version, size).ok_or_else(missing)?;
    let proof = tree.proof(app, &outline).await?.ok_or_else(missing)?;
    Ok(Inclusion { index: version, proof, checkpoint: checkpoint.to_owned() })
}

/// All logs are sealed, and this one stands among them.
async fn sealed(app: &App, stream: Stream, size: u64) -> Result<statement::Seal, Error> {
    let missing = |what: &'static str| Error::Failed(Failure::Broken(what.into()));
    let seal = seal::seal(app).await?;
    let sealed = seal.of(&stream).ok_or_else(|| missing("the log is not under the seal"))?;
    let tree = signer::current_tree(app, stream).await?;
    let (from, to) = (size.min(sealed.size), size.max(sealed.size));
    let outline = Outline::of_consistency(from, to);
    let outline = outline.ok_or_else(|| missing("the log was sealed at another size"))?;
    let consistency = tree.proof(app, &outline).await?;
    let consistency = consistency.ok_or_else(|| missing("the log has shrunk since its seal"))?;
    let platform = signer::current_tree(app, Stream::Platform).await?;
    let (head, checkpoint) = signer::sign(app, Stream::Platform, Some(platform.size())).await?;
    let proof = inclusion(app, &platform, seal.version, head.size, &checkpoint).await?;
    let stored = app.log.read_stream(&Stream::Platform, seal.version, 1).await?;
    let event = stored.into_iter().next().ok_or_else(|| missing("the seal is not in the log"))?;
    Ok(statement::Seal {
        event: String::from_utf8(event.line).map_err(|_| missing("a line is not text"))?,
        event_proof: proof.to_string(),
        leaf: sealed.leaf,
        index: sealed.index,
        count: sealed.count,
        proof: sealed.proof,
        consistency,
    })
}

fn values<T: Serialize>(items: &[T]) -> Vec<Value> {
    let value = |item| serde_json::to_value(item).expect("strings and integers are JSON");
    items.iter().map(value).collect()
}

fn predicate(
    organization: OrganizationId,
    request: &Requested,
    found: &Found,
    specification: &compliance::Specification,
    log: Log,
    issuer: Issuer,
    verifications: Vec<Verification>,
) -> Predicate {
    use sha2::Digest as _;
    let named = found.state.was();
    Predicate {
        schema_version: statement::SCHEMA_VERSION.to_owned(),
        packet: statement::Packet {
            id: request.packet,
            challenge: request.challenge.clone(),
            request_version: request.version,
            generated_at: request.at,
            generated_by: found.actor,
            supersedes: request.supersedes,
            generator: Generator {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
        },
        organization: statement::Organization {
            id: organization,
            slug: named.map(|profile| profile.slug.clone()).unwrap_or_default(),
            country: named.and_then(|profile| profile.country.clone()),
        },
        issuer,
        framework: FrameworkEdition {
            id: request.framework,
            edition: specification.edition.clone(),
            specification: Specification {
                version: specification.version.clone(),
                sha256: hex(&sha2::Sha256::digest(specification.document)),
            },
        },
        period: Period { from: request.period_start, to: request.period_end },
        log,
        scope: Scope {
            boundary: specification.boundary.clone(),
            disclosure: DISCLOSURE.to_owned(),
        },
        controls: values(&found.report.controls),
        not_evidenced: values(&found.report.not_evidenced),
        sections: found.report.sections.clone(),
        privacy: Privacy {
            personal_fields: "salted digests (RFC 9901, sha-256)".to_owned(),
            disclosed: found.disclosed.keys().copied().collect(),
            erased: values(&found.report.erased),
        },
        verifications,
        declaration: DECLARATION.to_owned(),
    }
}
