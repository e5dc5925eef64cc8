"""Verifies a packet with programs that others wrote:
`verify.py PACKET-FOLDER PACKET-KEY.pem LOG.vkey ORGANIZATION CHALLENGE`; the exit code is not 0 at the first fault.

The envelope: securesystemslib. The statement: in-toto-attestation and sigstore. Canonical form:
rfc8785. Hashes: blake3 and Python's own. Roots: pymerkle. Signed notes: cryptography."""

import base64
import hashlib
import json
import sys
from pathlib import Path

import rfc8785
from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from pymerkle import InmemoryTree
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
from sigstore.dsse import Statement as SigstoreStatement

PACKET, PACKET_KEY, LOG_KEY = (Path(argument) for argument in sys.argv[1:4])
ORGANIZATION, CHALLENGE = sys.argv[4:6]


def hold(holds, why):
    """Unlike `assert`, it holds also where Python optimizes."""
    if not holds:
        sys.exit(f"verify.py: {why}")


def file(name):
    return (PACKET / name).read_bytes()


def thumbprint(key):
    x = base64.urlsafe_b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).rstrip(b"=").decode()
    members = rfc8785.dumps({"crv": "Ed25519", "kty": "OKP", "x": x})
    return base64.urlsafe_b64encode(hashlib.sha256(members).digest()).rstrip(b"=").decode()


def canonical(octets):
    value = json.loads(octets)
    hold(rfc8785.dumps(value) == octets, "something is not in canonical form")
    return value


def root(leaves):
    tree = InmemoryTree(algorithm="sha256")
    for leaf in leaves:
        tree.append_entry(leaf)
    return tree


# the envelope; securesystemslib goes by the key's id, and changes what it is given
key = load_pem_public_key(PACKET_KEY.read_bytes())
envelope = Envelope.from_dict(json.loads(file("packet.dsse.json")))
envelope.verify([SSlibKey.from_crypto(key, keyid=thumbprint(key))], threshold=1)
hold(envelope.payload_type == "application/vnd.in-toto+json", "another type of payload")

# the statement
payload = envelope.payload
statement = canonical(payload)
Statement.copy_from_pb(json_format.Parse(payload, statement_pb2.Statement())).validate()
SigstoreStatement(payload)
predicate = statement["predicate"]
issuer, log = predicate["issuer"]["name"], predicate["log"]
hold(predicate["organization"]["id"] == ORGANIZATION, "it is about another organization")
hold(predicate["packet"]["challenge"] == CHALLENGE, "it answers another challenge")

# the files
listed = [subject["name"] for subject in statement["subject"]]
there = sorted(path.name for path in PACKET.iterdir())
hold(sorted([*listed, "packet.dsse.json"]) == there, "other files than listed")
for subject in statement["subject"]:
    octets = file(subject["name"])
    found = hashlib.sha256(octets).hexdigest(), blake3(octets).hexdigest(), str(len(octets))
    annotations = subject["annotations"]
    expected = subject["digest"]["sha256"], annotations["blake3"], annotations["bytes"]
    hold(found == expected, f"{subject['name']} is not what was signed")

# the lines
events = file("events.jsonl")
hold(events.endswith(b"\n"), "the last line has no end")
lines, previous = events.split(b"\n")[:-1], "0" * 64
for version, line in enumerate(lines):
    read = canonical(line)
    hold((read["version"], read["prev"]) == (version, f"blake3:{previous}"), f"line {version} is unlinked")
    previous = blake3(line).hexdigest()
hold((log["size"], log["head_blake3"]) == (len(lines), previous), "the chain ends elsewhere")

# the checkpoint: text and signatures are parted by the last empty line
name, hint, public = LOG_KEY.read_text().strip().split("+", 2)
public = base64.b64decode(public)
hold(hashlib.sha256(name.encode() + b"\n" + public).hexdigest()[:8] == hint, "the log key's hash is wrong")
hold(name == issuer, "the log key is of another installation")
checkpoint = file("checkpoint").decode()
text, signatures = checkpoint.rsplit("\n\n", 1)
mine = [line.split(" ")[2] for line in signatures.splitlines() if line.startswith(f"\u2014 {name} ")]
mine = [signature for signature in map(base64.b64decode, mine) if signature[:4].hex() == hint]
hold(mine, "the log key has not signed the checkpoint")
Ed25519PublicKey.from_public_bytes(public[1:]).verify(mine[0][4:], f"{text}\n".encode())
tree = root(lines)
head = base64.b64encode(tree.get_root()).decode()
hold(text == f"{issuer}/organizations/{ORGANIZATION}\n{len(lines)}\n{head}", "the checkpoint is of other lines")
hold(log["root_sha256"] == head, "the statement names another root")

# the seal's leaf: the head that was sealed is that of the first lines, where it is not newer
leaf = canonical(json.loads(file("seal.json"))["leaf"].encode())
if leaf["size"] <= len(lines):
    hold(base64.b64encode(tree.get_root(leaf["size"])).decode() == leaf["root"], "another log was sealed")

last = json.loads(lines[-1])
hold(last["type"] == "compliance.packet_requested", "the last line asks for no packet")
asked = last["data"]["packet"], last["data"]["challenge"], last["recorded_at"]
packet = predicate["packet"]
hold(asked == (packet["id"], CHALLENGE, packet["generated_at"]), "the last line asks for another packet")
print(f"verify.py: {len(lines)} lines, {len(listed)} files: ok")
