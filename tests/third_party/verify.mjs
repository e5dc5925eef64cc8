// Verifies a packet with programs that others wrote:
// `verify.mjs PACKET-FOLDER PACKET-KEY.pem LOG.vkey ORGANIZATION CHALLENGE`; the exit code is not 0 at the first fault.
//
// The envelope: @sigstore/bundle and @sigstore/verify. The checkpoint and the proofs of single events: the parts of
// @sigstore/verify that check Rekor's. Canonical form: canonicalize. The packages are found in $CHANCERY_TEST_NODE.

import assert from 'node:assert/strict';
import { createHash, createPublicKey } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const installed = join(process.env.CHANCERY_TEST_NODE, 'node_modules');
const require = createRequire(join(installed, 'resolved-from-here.js'));
const { bundleFromJSON } = require('@sigstore/bundle');
const { crypto, dsse } = require('@sigstore/core');
const { Verifier, toSignedEntity } = require('@sigstore/verify');
// not for everybody: where they stand is not part of the package's promise
const inside = (name) => require(join(installed, '@sigstore/verify/dist/tlog', name));
const { verifyCheckpoint } = inside('checkpoint.js');
const { verifyMerkleInclusion } = inside('merkle.js');
const { default: canonicalize } = await import(join(installed, 'canonicalize/lib/canonicalize.js'));

const [packet, packetKey, logKey, organization, challenge] = process.argv.slice(2);
const file = (name) => readFileSync(join(packet, name));
const sha256 = (octets) => createHash('sha256').update(octets).digest('hex');

function canonical(octets) {
  const value = JSON.parse(octets.toString('utf8'));
  assert.ok(Buffer.from(canonicalize(value), 'utf8').equals(octets), 'something is not in canonical form');
  return value;
}

// the envelope, once by the whole verifier, once by its parts
const envelope = JSON.parse(file('packet.dsse.json'));
const key = createPublicKey(readFileSync(packetKey));
const entity = toSignedEntity(
  bundleFromJSON({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: 'pinned' }, tlogEntries: [] },
    dsseEnvelope: envelope,
  }),
);
const trusted = {
  certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [],
  publicKey: () => ({ publicKey: key, validFor: () => true }),
};
new Verifier(trusted, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 }).verify(entity);
const payload = Buffer.from(envelope.payload, 'base64');
const encoded = dsse.preAuthEncoding('application/vnd.in-toto+json', payload);
const signature = Buffer.from(envelope.signatures[0].sig, 'base64');
assert.ok(crypto.verify(encoded, key, signature), 'the packet key has not signed it');

// the statement
const statement = canonical(payload);
const { predicate } = statement;
assert.equal(statement._type, 'https://in-toto.io/Statement/v1');
assert.equal(predicate.organization.id, organization);
assert.equal(predicate.packet.challenge, challenge);

// the files
const listed = statement.subject.map((subject) => subject.name);
assert.deepEqual([...listed, 'packet.dsse.json'].sort(), readdirSync(packet).sort(), 'other files than listed');
for (const { name, digest, annotations } of statement.subject) {
  const octets = file(name);
  assert.equal(sha256(octets), digest.sha256, `${name} is not what was signed`);
  assert.equal(String(octets.length), annotations.bytes);
}

// the checkpoint, and single events under it
const [name, hint, encodedKey] = readFileSync(logKey, 'utf8').trim().split(/\+(.*?)\+(.*)/s);
const noteKey = Buffer.from(encodedKey, 'base64');
assert.equal(sha256(Buffer.concat([Buffer.from(`${name}\n`), noteKey])).slice(0, 8), hint);
assert.equal(predicate.issuer.name, name);
const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), noteKey.subarray(1)]);
const log = {
  logID: Buffer.from(hint, 'hex'),
  publicKey: createPublicKey({ key: der, format: 'der', type: 'spki' }),
  baseURL: { match: (signer) => signer === name },
};
const checkpointOf = (note) => verifyCheckpoint({ inclusionProof: { checkpoint: { envelope: note } } }, [log]);
const lines = file('events.jsonl').toString('latin1').split('\n').slice(0, -1).map((line) => Buffer.from(line, 'latin1'));
const checkpoint = checkpointOf(file('checkpoint').toString('utf8'));
assert.equal(checkpoint.origin, `${name}/organizations/${organization}`);
assert.equal(checkpoint.logSize, BigInt(lines.length));
assert.equal(predicate.log.size, lines.length);
assert.equal(checkpoint.logHash.toString('base64'), predicate.log.root_sha256);

function proven(proof, leaf, origin) {
  const end = proof.indexOf('\n\n');
  const [version, index, ...hashes] = proof.slice(0, end).split('\n');
  assert.equal(version, 'c2sp.org/tlog-proof@v1');
  const head = checkpointOf(proof.slice(end + 2));
  assert.equal(head.origin, origin);
  const logIndex = index.replace(/^index /, '');
  const inclusionProof = { logIndex, hashes: hashes.map((hash) => Buffer.from(hash, 'base64')) };
  verifyMerkleInclusion({ inclusionProof, canonicalizedBody: leaf }, head);
  return [Number(logIndex), head];
}

lines.forEach((line, version) => assert.equal(canonical(line).version, version));
let proofs = 0;
for (const proof of listed.filter((it) => it.endsWith('.tlog-proof'))) {
  const version = Number(proof.match(/^proof-(\d+)\./)[1]);
  const [index, head] = proven(file(proof).toString('utf8'), lines[version], checkpoint.origin);
  assert.deepEqual([index, head], [version, checkpoint], `${proof} is about something else`);
  proofs += 1;
}
const seal = JSON.parse(file('seal.json'));
canonical(Buffer.from(seal.event));
proven(seal.event_proof, Buffer.from(seal.event), `${name}/platform`);

const asked = JSON.parse(lines.at(-1));
assert.equal(asked.type, 'compliance.packet_requested');
assert.deepEqual([asked.data.packet, asked.data.challenge], [predicate.packet.id, challenge]);
console.log(`verify.mjs: ${lines.length} lines, ${listed.length} files, ${proofs} proofs: ok`);
