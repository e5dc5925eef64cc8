"""An honest compliance packet, made from the description of its format alone: nothing of the program
that verifies it is used here. Python's standard library, `cryptography` for Ed25519, `blake3`."""

import base64
import hashlib
import json
import random
from pathlib import Path

from blake3 import blake3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

INSTALLATION = "org.example.com"
SPECIFICATIONS = Path(__file__).parent.parent / "src/compliance/specifications"
DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
DAY = 86_400
# 2026-01-02T09:00:00Z
BEGIN = 1_767_344_400


def canonical(value):
    """RFC 8785, of values whose member names are ASCII and whose numbers are integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def base64url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def identifier(prefix, number):
    return f"{prefix}_" + "".join(DIGITS[number >> 5 * place & 31] for place in reversed(range(26)))


def time(seconds):
    from datetime import datetime, timezone

    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def uuid(number):
    text = f"{number:032x}"
    return "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]])


class Key:
    def __init__(self, seed):
        self.private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())
        form = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        self.public = self.private.public_key().public_bytes(*form)
        self.x = base64url(self.public)
        members = '{"crv":"Ed25519","kty":"OKP","x":"%s"}' % self.x
        self.id = base64url(hashlib.sha256(members.encode()).digest())

    def sign(self, message):
        return self.private.sign(message)

    def pem(self):
        form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(*form).decode()

    def jwk(self, **more):
        return {"kty": "OKP", "crv": "Ed25519", "x": self.x, "kid": self.id, "use": "sig", **more}

    def note_id(self, name):
        return hashlib.sha256(name.encode() + b"\n\x01" + self.public).digest()[:4]

    def line(self, name):
        key = base64.b64encode(b"\x01" + self.public).decode()
        return f"{name}+{self.note_id(name).hex()}+{key}"


# --- RFC 6962 ---------------------------------------------------------------------------------


def leaf_hash(line):
    return hashlib.sha256(b"\0" + line).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def split(size):
    return 1 << (size - 1).bit_length() - 1


def root(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    middle = split(len(leaves))
    return node_hash(root(leaves[:middle]), root(leaves[middle:]))


def inclusion(index, leaves):
    if len(leaves) == 1:
        return []
    middle = split(len(leaves))
    if index < middle:
        return inclusion(index, leaves[:middle]) + [root(leaves[middle:])]
    return inclusion(index - middle, leaves[middle:]) + [root(leaves[:middle])]


def consistency(size, leaves):
    def part(size, leaves, is_known):
        if size == len(leaves):
            return [] if is_known else [root(leaves)]
        middle = split(len(leaves))
        if size <= middle:
            return part(size, leaves[:middle], is_known) + [root(leaves[middle:])]
        return part(size - middle, leaves[middle:], False) + [root(leaves[:middle])]

    return [] if size in (0, len(leaves)) else part(size, leaves, True)


def b64(octets):
    return base64.b64encode(octets).decode()


# --- C2SP ---------------------------------------------------------------------------------------


def note(origin, leaves, key, name=INSTALLATION):
    text = f"{origin}\n{len(leaves)}\n{b64(root(leaves))}\n"
    signature = b64(key.note_id(name) + key.sign(text.encode()))
    return f"{text}\n\u2014 {name} {signature}\n"


def proof(index, leaves, checkpoint):
    hashes = "".join(f"{b64(part)}\n" for part in inclusion(index, leaves))
    return f"c2sp.org/tlog-proof@v1\nindex {index}\n{hashes}\n{checkpoint}"


# --- the log ------------------------------------------------------------------------------------


class Log:
    """The lines of one stream; `disclosures` holds (version, subject, field, disclosure)."""

    def __init__(self, stream, seed):
        self.stream, self.random = stream, random.Random(f"{stream} {seed}")
        self.lines, self.disclosures, self.at = [], [], BEGIN

    def copy(self):
        other = Log(self.stream, "copy")
        other.lines, other.disclosures = list(self.lines), list(self.disclosures)
        other.at = self.at
        return other

    def add(self, kind, data, actor="system", personal=(), type_version=1, at=None):
        self.at = at or self.at + self.random.randrange(60, DAY)
        version = len(self.lines)
        line = {
            "actor": actor,
            "cause": {
                "body": base64url(self.random.randbytes(32)),
                "command": identifier("cmd", self.random.getrandbits(128)),
                "request": uuid(self.random.getrandbits(128)),
            },
            "data": data,
            "id": identifier("evt", self.random.getrandbits(128)),
            "prev": self.link(),
            "recorded_at": time(self.at),
            "stream": self.stream,
            "type": kind,
            "type_version": type_version,
            "v": 1,
            "version": version,
        }
        digests = []
        for subject, field, value in personal:
            salt = base64url(self.random.randbytes(16))
            opened = json.dumps([salt, field, value], separators=(",", ":"), ensure_ascii=False)
            disclosure = base64url(opened.encode())
            self.disclosures.append((version, subject, field, disclosure))
            digests.append(base64url(hashlib.sha256(disclosure.encode()).digest()))
        if digests:
            line["_sd"], line["_sd_alg"] = sorted(digests), "sha-256"
        self.lines.append(canonical(line))
        return version

    def link(self):
        return "blake3:" + (blake3(self.lines[-1]).hexdigest() if self.lines else "0" * 64)

    def leaves(self):
        return [leaf_hash(line) for line in self.lines]

    def chained_anew(self):
        """Numbers, links and times as if the lines had always been these."""
        lines, self.lines, at = self.lines, [], ""
        for version, line in enumerate(lines):
            line = json.loads(line)
            at = max(at, line["recorded_at"])
            line |= {"version": version, "prev": self.link(), "recorded_at": at}
            self.lines.append(canonical(line))
        return self


class Organization:
    """An organization with some people, one of whom is erased at the end."""

    def __init__(self, number, seed):
        self.number, self.id = number, identifier("org", number)
        self.subject = identifier("sub", number)
        self.log = Log(f"organization-{self.id}", seed)
        self.random = random.Random(f"{number} {seed}")
        self.people = [self.person() for _ in range(self.random.randrange(4, 9))]
        self.owner, self.erased = self.people[0], self.people[-1]
        self.live()

    def person(self):
        number = self.random.getrandbits(128)
        return {
            "account": identifier("usr", number),
            "subject": identifier("sub", number + 1),
            "address": f"192.0.2.{self.random.randrange(256)}",
            "email": f"person-{self.random.randrange(10**6)}@example.org",
        }

    def by(self, person, *personal):
        client = (person["subject"], "ip_address", person["address"])
        return {"actor": person["account"], "personal": [client, *personal]}

    def live(self):
        log, owner = self.log, self.owner
        created = {
            "country": "DE",
            "is_personal": False,
            "name": "Acme",
            "organization": self.id,
            "owner": owner["account"],
            "slug": f"acme-{self.number}",
        }
        billing = (self.subject, "billing_email", "billing@example.org")
        log.add("organization.created", created, type_version=2, **self.by(owner, billing))
        self.roles = ["owner"]
        for member in self.people[1:]:
            invitation = identifier("inv", self.random.getrandbits(128))
            secret = "blake3:" + self.random.randbytes(32).hex()
            invited = {
                "expires_at": time(log.at + 7 * DAY),
                "invitation": invitation,
                "invitee": member["subject"],
                "issue": 1,
                "links": {"copied": secret},
                "role": self.random.choice(["viewer", "developer"]),
            }
            self.roles.append(invited["role"])
            invited["links"]["mailed"] = "blake3:" + self.random.randbytes(32).hex()
            email = (member["subject"], "email", member["email"])
            log.add("member.invited", invited, **self.by(owner, email))
            joined = {
                "invitation": invitation,
                "is_address_proven": True,
                "member": member["account"],
                "role": invited["role"],
            }
            log.add("member.joined", joined, **self.by(member))
        changed = {"member": self.people[1]["account"], "role": {"from": self.roles[1], "to": "admin"}}
        log.add("member.role_changed", changed, **self.by(owner))
        removed = {"member": self.erased["account"], "role": self.roles[-1]}
        log.add("member.removed", removed, **self.by(owner))
        log.add("person.erased", {"subject": self.erased["subject"]})
        log.add("compliance.subscribed", {"framework": "soc2"}, **self.by(owner))

    def request(self, packet, challenge, period, at=None, framework="soc2"):
        asked = {
            "challenge": challenge,
            "framework": framework,
            "packet": packet,
            "period_end": period[1],
            "period_start": period[0],
            "supersedes": None,
        }
        self.log.add("compliance.packet_requested", asked, at=at, **self.by(self.owner))


# --- the packet -----------------------------------------------------------------------------------

# Before any of the logs here began: so there is one result for every control, and everybody can say
# which without counting.
PERIOD = (time(BEGIN - 95 * DAY), time(BEGIN - 5 * DAY))
NOT_THERE = "the organization did not exist in the period"


def population_of(specified):
    return f"population-{specified['id']}.jsonl"


def results(specification):
    """What is found where the organization did not exist in the period."""
    controls = []
    for specified in specification["controls"]:
        parameters = specified.get("parameters", {}).items()
        control = {
            "id": specified["id"],
            "criteria": specified["criteria"],
            "statement": specified["statement"],
            "method": specified["method"],
            "parameters": {name: {"value": it, "source": "default"} for name, it in parameters},
            "result": "not_evidenced",
            "reason": NOT_THERE,
            "evidence_kind": "none",
            "observed": {},
            "exceptions": [],
            "events": [],
            "event_count": "0",
            "population": {"file": population_of(specified), "size": "0"},
        }
        control |= {name: specified[name] for name in ("applicable_from", "limits") if name in specified}
        controls.append(control)
    return controls


class Packet:
    """Everything that goes into a bundle, before and after it is signed."""

    def __init__(
        self, organization, keys, challenge, period=PERIOD, other=None, sealed_at=None,
        specification="soc2.v1",
    ):
        self.specification, self.framework = specification, specification.split(".")[0]
        self.organization, self.keys, self.challenge, self.period = organization, keys, challenge, period
        self.id = identifier("pkt", organization.random.getrandbits(128))
        self.other = other
        organization.request(self.id, challenge, period, framework=self.framework)
        self.log = organization.log.copy()
        self.files, self.statement = {}, {}
        self.sealed_at = sealed_at or len(self.log.lines) - 2
        self.heads(keys["log"])
        self.write()

    def heads(self, key):
        """What the log's key signs: the checkpoint, the proofs and the seal."""
        leaves = self.log.leaves()
        origin = f"{INSTALLATION}/organizations/{self.organization.id}"
        self.checkpoint = note(origin, leaves, key)
        proved = sorted({0, len(leaves) // 2, len(leaves) - 1}) if leaves else []
        self.proofs = {at: proof(at, leaves, self.checkpoint) for at in proved}
        self.seal = self.sealed(key, leaves)

    def sealed(self, key, leaves):
        size = self.sealed_at
        # its own lines beyond the packet's, where it was sealed later
        while len(leaves) < size:
            leaves = leaves + [leaf_hash(b"a later line")]
        lines = [
            {"root": b64(root(leaves[:size])), "size": size, "stream": self.log.stream},
            {"root": b64(root([])), "size": 0, "stream": "organization-" + identifier("org", 1)},
            {"root": b64(root([])), "size": 0, "stream": "organization-" + identifier("org", 2**127)},
        ]
        lines = [canonical(line) for line in sorted(lines, key=lambda line: line["stream"])]
        logs = [leaf_hash(line) for line in lines]
        index = next(at for at, line in enumerate(lines) if self.log.stream.encode() in line)
        platform = Log("platform", "platform")
        platform.add("platform.initialized", {"log_id": uuid(7), "origin": INSTALLATION})
        sealed = {"count": len(lines), "position": "17", "root": b64(root(logs))}
        version = platform.add("ledger.sealed", sealed)
        head = note(f"{INSTALLATION}/platform", platform.leaves(), key)
        packet = len(self.log.lines)
        both = leaves if size > packet else self.log.leaves()
        return {
            "event": platform.lines[version].decode(),
            "event_proof": proof(version, platform.leaves(), head),
            "leaf": lines[index].decode(),
            "index": index,
            "count": len(lines),
            "proof": [b64(part) for part in inclusion(index, logs)],
            "consistency": [b64(part) for part in consistency(min(size, packet), both)],
        }

    def write(self):
        """The files, and the statement about them."""
        organization, log = self.organization, self.log
        specification = (SPECIFICATIONS / f"{self.specification}.json").read_bytes()
        specified = json.loads(specification)
        gone = self.erased_by()
        self.files = {
            "events.jsonl": b"".join(line + b"\n" for line in log.lines),
            "checkpoint": self.checkpoint.encode(),
            "specification.json": specification,
            "seal.json": canonical(self.seal),
            "report.html": b"<!doctype html><title>Report</title>",
        }
        for control in specified["controls"]:
            self.files[population_of(control)] = b""
        for version, text in self.proofs.items():
            self.files[f"proof-{version}.tlog-proof"] = text.encode()
        opened = {}
        for version, subject, field, disclosure in log.disclosures:
            if subject not in gone and version < len(log.lines):
                line = {"disclosure": disclosure, "field": field, "version": version}
                opened.setdefault(subject, []).append(canonical(line) + b"\n")
        for subject, lines in opened.items():
            self.files[f"disclosures-{subject}.jsonl"] = b"".join(lines)
        last = json.loads(log.lines[-1]) if log.lines else {"recorded_at": PERIOD[1], "actor": "system"}
        size = len(log.lines)
        self.predicate = {
            "schema_version": "1.0.0",
            "packet": {
                "id": self.id,
                "challenge": self.challenge,
                "request_version": max(size - 1, 0),
                "generated_at": last["recorded_at"],
                "generated_by": last["actor"],
                "supersedes": None,
                "generator": {"name": "packet.py", "version": "1"},
            },
            "organization": {
                "id": organization.id,
                "slug": f"acme-{organization.number}",
                "country": "DE",
            },
            "issuer": {
                "name": INSTALLATION,
                "keys": f"https://{INSTALLATION}/.well-known/compliance-signing-keys",
                "log_keys": f"https://{INSTALLATION}/.well-known/log-keys",
                "key_id": self.keys["packet"].id,
            },
            "framework": {
                "id": self.framework,
                "edition": specified["edition"],
                "specification": {
                    "version": specified["version"],
                    "sha256": hashlib.sha256(specification).hexdigest(),
                },
            },
            "period": {"from": self.period[0], "to": self.period[1]},
            "log": {
                "origin": f"{INSTALLATION}/organizations/{organization.id}",
                "checkpoint": "checkpoint",
                "size": size,
                "root_sha256": b64(root(log.leaves())),
                "head_blake3": log.link().removeprefix("blake3:"),
                "hash": {"chain": "blake3-256", "tree": "rfc6962-sha256"},
            },
            "scope": {"boundary": specified["boundary"], "disclosure": "all-events"},
            "controls": results(specified),
            "not_evidenced": specified["not_evidenced"],
            "sections": self.sections(),
            "privacy": {
                "personal_fields": "sd-digests (RFC 9901 form, sha-256)",
                "disclosed": sorted(opened),
                "erased": [
                    {"subject": subject, "erased_by_version": version, "digests": self.digests_of(subject)}
                    for subject, version in gone.items()
                ],
            },
            "verifications": [],
            "declaration": "Evidence derived from recorded events.",
        }

    def sections(self):
        """Of an organization that was not there."""
        return {
            "access_at_period_end": {"members": [], "tokens": [], "pending_invitations": []},
            "privileged_at_period_end": [],
            "membership_changes": {"joiners": "0", "movers": "0", "leavers": "0"},
            "changes": {},
            "declared": {"ai_systems": [], "dora_role": None, "headcount": None},
        }

    def erased_by(self):
        gone = {}
        for version, line in enumerate(self.log.lines):
            if b'"type":"person.erased"' in line:
                gone[json.loads(line)["data"]["subject"]] = version
        return gone

    def digests_of(self, subject):
        mine = [it for it in self.log.disclosures if it[1] == subject]
        return sorted(base64url(hashlib.sha256(it[3].encode()).digest()) for it in mine)

    def subjects(self):
        media = {".jsonl": "application/jsonl", ".json": "application/json"}
        return [
            {
                "name": name,
                "digest": {"sha256": hashlib.sha256(octets).hexdigest()},
                "annotations": {"blake3": blake3(octets).hexdigest(), "bytes": str(len(octets))},
                "mediaType": media.get(Path(name).suffix, "text/plain; charset=utf-8"),
            }
            for name, octets in sorted(self.files.items())
        ]

    def payload(self):
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "predicateType": f"https://{INSTALLATION}/evidence-packet/v1",
            "subject": self.subjects(),
            "predicate": self.predicate,
        }
        return canonical(statement)

    def signed(self, payload=None, key=None, key_id=None):
        """The bundle's files; the envelope is signed by the packet key, or another."""
        key = key or self.keys["packet"]
        payload = self.payload() if payload is None else payload
        envelope = seal(payload, key, key_id or key.id)
        return {**self.files, "packet.dsse.json": json.dumps(envelope).encode()}


PAYLOAD_TYPE = "application/vnd.in-toto+json"


def seal(payload, key, key_id, kind=PAYLOAD_TYPE):
    message = b"DSSEv1 %d %s %d " % (len(kind), kind.encode(), len(payload)) + payload
    return {
        "payload": b64(payload),
        "payloadType": kind,
        "signatures": [{"keyid": key_id, "sig": b64(key.sign(message))}],
    }
