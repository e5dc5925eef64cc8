"""Makes honest packets and attacks on them, each in a folder of its own: `attacks.py FOLDER SEED`.

Beside the packet (`packet/`, `packet.zip` or `packet.json`) a folder may hold what the auditor has
for this case: `kept/` with checkpoints, `later.ndjson`, `packet-key`, `log-key`, `challenge`."""

import base64
import hashlib
import io
import json
import stat
import sys
import zipfile
from pathlib import Path

import jsonschema
from packet import (
    BEGIN, DAY, INSTALLATION, PERIOD, Key, Log, Organization, Packet, b64, base64url, canonical,
    consistency, identifier, inclusion, leaf_hash, node_hash, note, proof, root, seal, time,
)

OUT, SEED = Path(sys.argv[1]), sys.argv[2]
KEYS = {"packet": Key("packet"), "log": Key("log")}
EVIL = {"packet": Key("evil packet"), "log": Key("evil log")}
CHALLENGE = "auditor-nonce-1"
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def honest(number=7, **more):
    return Packet(Organization(number, SEED), KEYS, more.pop("challenge", CHALLENGE), **more)


def edited_line(line, edit):
    line = json.loads(line)
    edit(line)
    return canonical(line)


def of_kind(log, kind):
    return next(at for at, line in enumerate(log.lines) if b'"type":"%s"' % kind.encode() in line)


def demote(line):
    line["data"]["role"]["to"] = "developer"


# --- honest ones ------------------------------------------------------------------------------------


@case
def honest_packet(to):
    to.put(honest().signed())


@case
def honest_zip(to):
    to.zip(honest().signed())


@case
def honest_zip_written_as_a_stream(to):
    """As a server writes it that does not know sizes before."""

    class OneWay(io.RawIOBase):
        content = b""

        def writable(self):
            return True

        def write(self, octets):
            self.content += bytes(octets)
            return len(octets)

    out = OneWay()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in honest().signed().items():
            with archive.open(entry(name), "w", force_zip64=name == "events.jsonl") as file:
                file.write(content)
    to.write("packet.zip", out.content)


@case
def honest_envelope_alone(to):
    to.write("packet.json", honest().signed()["packet.dsse.json"])


@case
def honest_with_a_kept_checkpoint(to):
    packet = honest()
    to.keep(packet, 3)
    to.keep(packet, len(packet.log.lines))
    to.put(packet.signed())


@case
def honest_sealed_later(to):
    to.put(honest(sealed_at=40).signed())


@case
def honest_under_an_older_specification(to):
    to.put(honest(specification="gdpr_ropa.v1").signed())


@case
def honest_under_a_newer_specification(to):
    to.put(honest(specification="gdpr_ropa.v2").signed())


@case
def honest_erased_since(to):
    erased_since(to, honest())


@case
def honest_erased_since_by_an_export(to):
    erased_since(to, honest(), is_export=True)


def erased_since(to, packet, is_export=False, is_chained=True):
    subject = packet.organization.people[1]["subject"]
    log = packet.organization.log
    size = len(log.lines)
    log.add("person.erased", {"subject": subject})
    if not is_chained:
        log.lines[-1] = edited_line(log.lines[-1], lambda line: line.update(prev="blake3:" + "1" * 64))
    files = packet.signed()
    del files[f"disclosures-{subject}.jsonl"]
    lines = log.lines if is_export else log.lines[size:]
    if is_export:
        lines = [b'{"kind":"event","personal":{},"line":%s}' % line for line in lines]
        lines.append(b'{"kind":"manifest","lines":1}')
    to.write("later.ndjson", b"".join(line + b"\n" for line in lines))
    to.put(files)


# --- the attacker holds no key ----------------------------------------------------------------------


@case
def a01_edit_one_byte_of_an_event(to):
    files = honest().signed()
    files["events.jsonl"] = files["events.jsonl"].replace(b'"name":"Acme"', b'"name":"Acne"')
    to.put(files)


@case
def a01_edit_one_byte_in_a_zip(to):
    files = honest().signed()
    files["events.jsonl"] = files["events.jsonl"].replace(b'"name":"Acme"', b'"name":"Acne"')
    to.zip(files)


@case
def a02_edit_the_signed_statement(to):
    packet = honest()
    files = packet.signed()
    envelope = json.loads(files["packet.dsse.json"])
    packet.predicate["controls"][0]["result"] = "pass"
    envelope["payload"] = b64(packet.payload())
    files["packet.dsse.json"] = canonical(envelope)
    to.put(files)


@case
def a03_change_the_payload_type(to):
    files = honest().signed()
    envelope = json.loads(files["packet.dsse.json"]) | {"payloadType": "application/json"}
    files["packet.dsse.json"] = canonical(envelope)
    to.put(files)


@case
def a04_another_key_with_its_own_id(to):
    to.put(honest().signed(key=EVIL["packet"]))


@case
def a05_another_key_with_the_genuine_id(to):
    to.put(honest().signed(key=EVIL["packet"], key_id=KEYS["packet"].id))


@case
def a06_a_file_that_is_not_listed(to):
    to.put(honest().signed() | {"notes.txt": b"approved"})


def swapped(packet):
    """Another address for the first person who was invited, in the disclosures file."""
    person = packet.organization.people[1]
    name = f"disclosures-{person['subject']}.jsonl"
    lines = []
    for line in packet.files[name].splitlines():
        line = json.loads(line)
        if line["field"] == "email":
            salt = json.loads(base64.urlsafe_b64decode(line["disclosure"] + "=="))[0]
            opened = json.dumps([salt, "email", "x" * len(person["email"])], separators=(",", ":"))
            line["disclosure"] = base64url(opened.encode())
        lines.append(canonical(line) + b"\n")
    return {name: b"".join(lines)}


@case
def a07_swap_a_disclosed_address(to):
    packet = honest()
    to.put(packet.signed() | swapped(packet))


@case
def a08_delete_a_disclosures_file(to):
    packet = honest()
    files = packet.signed()
    del files[f"disclosures-{packet.organization.people[1]['subject']}.jsonl"]
    to.put(files)


@case
def a08_delete_another_file(to):
    files = honest().signed()
    del files["report.html"]
    to.put(files)


@case
def a09_a_later_log_that_does_not_continue(to):
    erased_since(to, honest(), is_chained=False)


@case
def a09_a_later_log_of_other_lines(to):
    packet = honest()
    other = honest(number=8)
    erased_since(to, packet)
    to.write("later.ndjson", b"".join(line + b"\n" for line in other.log.lines))


# --- the attacker holds the packet's key --------------------------------------------------------------


def forged(edit, is_chained, at_kind="member.role_changed"):
    """A log that was edited, with the genuine heads."""
    packet = honest()
    edit(packet.log.lines, of_kind(packet.log, at_kind))
    if is_chained:
        packet.log.chained_anew()
    packet.write()
    return packet.signed()


def change(lines, at):
    lines[at] = edited_line(lines[at], demote)


@case
def a10_edit_an_event(to):
    to.put(forged(change, False))


@case
def a11_edit_an_event_and_chain_anew(to):
    to.put(forged(change, True))


@case
def a12_delete_an_event_and_chain_anew(to):
    to.put(forged(lambda lines, at: lines.pop(at), True))


@case
def a13_delete_an_event(to):
    to.put(forged(lambda lines, at: lines.pop(at), False))


@case
def a14_insert_an_event_and_chain_anew(to):
    to.put(forged(lambda lines, at: lines.insert(at, lines[at]), True))


def swap(lines, at):
    lines[at], lines[at + 1] = lines[at + 1], lines[at]


@case
def a15_reorder_two_events_and_chain_anew(to):
    to.put(forged(swap, True))


@case
def a16_duplicate_an_event(to):
    to.put(forged(lambda lines, at: lines.insert(at, lines[at]), False))


def truncated(packet, size):
    packet.log.lines = packet.log.lines[:size]
    packet.sealed_at = min(packet.sealed_at, size)
    packet.heads(KEYS["log"])
    packet.write()
    return packet


@case
def a17_cut_the_tail_with_a_genuine_old_checkpoint(to):
    packet = honest()
    to.put(truncated(packet, len(packet.log.lines) - 1).signed())


@case
def a18_cut_below_what_the_auditor_saw(to):
    packet = honest()
    to.keep(packet, len(packet.log.lines))
    to.put(truncated(packet, len(packet.log.lines) - 3).signed())


@case
def a19_lie_in_a_result(to):
    packet = honest()
    packet.predicate["controls"][0]["result"] = "pass"
    to.put(packet.signed())


@case
def a19_leave_a_control_out(to):
    packet = honest()
    packet.predicate["controls"].pop()
    to.put(packet.signed())


@case
def a19_leave_a_gap_out(to):
    packet = honest()
    packet.predicate["not_evidenced"].pop()
    to.put(packet.signed())


@case
def a19_another_specification(to):
    packet = honest()
    specification = packet.files["specification.json"].replace(b"86400", b"864000")
    packet.files["specification.json"] = specification
    digest = hashlib.sha256(specification).hexdigest()
    packet.predicate["framework"]["specification"]["sha256"] = digest
    to.put(packet.signed())


@case
def a19_a_specification_that_is_not_known(to):
    under_another_name(to, honest(), "soc2/99.0.0")


@case
def a19_the_newer_specification_for_the_older_results(to):
    packet = honest(specification="gdpr_ropa.v1")
    newer = honest(specification="gdpr_ropa.v2")
    name = "specification.json"
    packet.files[name] = newer.files[name]
    packet.predicate["framework"] = newer.predicate["framework"]
    to.put(packet.signed())


@case
def a19_the_older_specification_by_the_newer_name(to):
    under_another_name(to, honest(specification="gdpr_ropa.v1"), "gdpr_ropa/2.0.0")


def under_another_name(to, packet, version):
    specification = packet.files["specification.json"]
    name = packet.predicate["framework"]["specification"]["version"].encode()
    packet.files["specification.json"] = specification.replace(name, version.encode())
    digest = hashlib.sha256(packet.files["specification.json"]).hexdigest()
    named = {"version": version, "sha256": digest}
    packet.predicate["framework"]["specification"] = named
    to.put(packet.signed())


@case
def a19_a_population_that_no_control_has(to):
    packet = honest()
    packet.files["population-soc2.cc9.9.none.jsonl"] = b'{"version":1}\n'
    to.put(packet.signed())


@case
def a19_an_edited_population(to):
    packet = honest()
    packet.files["population-soc2.cc6.2.joiners.jsonl"] = b'{"version":1}\n'
    to.put(packet.signed())


@case
def a19_an_edited_section(to):
    packet = honest()
    packet.predicate["sections"]["membership_changes"]["leavers"] = "1"
    to.put(packet.signed())


@case
def a20_a_checkpoint_by_another_log_key(to):
    packet = honest()
    change(packet.log.lines, of_kind(packet.log, "member.role_changed"))
    packet.log.chained_anew()
    packet.heads(EVIL["log"])
    packet.write()
    to.put(packet.signed())


@case
def a21_of_another_organization(to):
    to.put(honest(number=8).signed())


@case
def a21_the_log_of_another_organization(to):
    packet, other = honest(), honest(number=8)
    packet.files |= {name: other.files[name] for name in ("events.jsonl", "checkpoint", "seal.json")}
    to.put(packet.signed())


@case
def a22_another_period(to):
    packet = honest()
    packet.predicate["period"]["from"] = time(BEGIN - 300 * DAY)
    to.put(packet.signed())


@case
def a22_another_framework(to):
    packet = honest()
    packet.predicate["framework"]["id"] = "dora"
    to.put(packet.signed())


@case
def a23_reveal_an_erased_person(to):
    packet = honest()
    subject = packet.organization.erased["subject"]
    lines = [
        canonical({"disclosure": it[3], "field": it[2], "version": it[0]}) + b"\n"
        for it in packet.log.disclosures if it[1] == subject
    ]
    packet.files[f"disclosures-{subject}.jsonl"] = b"".join(lines)
    packet.predicate["privacy"]["disclosed"] = sorted(packet.predicate["privacy"]["disclosed"] + [subject])
    to.put(packet.signed())


@case
def a23_conceal_that_a_person_was_erased(to):
    packet = honest()
    packet.predicate["privacy"]["erased"] = []
    to.put(packet.signed())


def with_payload(edit):
    packet = honest()
    return packet.signed(payload=edit(packet.payload()))


@case
def a24_a_member_twice(to):
    to.put(with_payload(lambda payload: payload[:-1] + b',"predicateType":"x"}'))


@case
def a24_a_member_twice_deep_inside(to):
    to.put(with_payload(lambda payload: payload.replace(b'{"challenge":', b'{"challenge":"x","challenge":', 1)))


@case
def a25_a_line_that_is_not_canonical(to):
    packet = honest()
    lines = packet.log.lines
    lines[2] = json.dumps(json.loads(lines[2]), sort_keys=True).encode()
    packet.log.lines = lines[:3] + packet.log.lines[3:]
    packet.write()
    to.put(packet.signed())


def key_set(*keys):
    return json.dumps({"keys": list(keys)})


OLD = Key("old packet")
# the requests here are made some weeks after the logs begin
ENDED = BEGIN - DAY


def signed_by_the_old_key(**changes):
    packet = honest()
    packet.predicate["issuer"]["key_id"] = OLD.id
    packet.predicate["packet"] |= changes
    return packet.signed(key=OLD)


@case
def a26_a_retired_key_after_its_end(to):
    superseded = {"revoked_at": ENDED, "reason": "superseded"}
    old = OLD.jwk(nbf=ENDED - 365 * DAY, exp=ENDED, revoked=superseded)
    to.write("packet-key", key_set(old, KEYS["packet"].jwk(nbf=ENDED)))
    to.put(signed_by_the_old_key())


@case
def a27_a_retired_key_and_dated_back(to):
    to.write("packet-key", key_set(OLD.jwk(nbf=ENDED - 365 * DAY, exp=ENDED)))
    to.put(signed_by_the_old_key(generated_at=time(ENDED - 30 * DAY)))


@case
def a28_swap_a_disclosed_address_and_sign(to):
    packet = honest()
    packet.files |= swapped(packet)
    to.put(packet.signed())


# --- the attacker holds both keys -----------------------------------------------------------------------


def rewritten(at_kind, kept):
    """History rewritten at an event, everything signed anew. `kept` are sizes that somebody saw."""
    packet = honest()
    genuine = [(size, packet.log.leaves()[:size]) for size in kept(packet)]
    at = of_kind(packet.log, at_kind)
    packet.log.lines[at] = edited_line(packet.log.lines[at], demote)
    packet.log.chained_anew()
    packet.heads(KEYS["log"])
    packet.write()
    origin = f"{INSTALLATION}/organizations/{packet.organization.id}"
    return packet, [note(origin, leaves, KEYS["log"]) for _, leaves in genuine]


def up_to_the_change(packet):
    return [of_kind(packet.log, "member.role_changed")]


def behind_the_change(packet):
    return [of_kind(packet.log, "member.role_changed") + 1]


def whole(packet):
    return [len(packet.log.lines)]


def put_rewritten(to, kept):
    packet, notes = rewritten("member.role_changed", kept)
    for at, text in enumerate(notes):
        to.write(f"kept/{at}", text)
    to.put(packet.signed())


@case
def a30_rewrite_before_the_kept_checkpoint(to):
    put_rewritten(to, behind_the_change)


@case
def a31_rewrite_after_the_kept_checkpoint(to):
    put_rewritten(to, up_to_the_change)


@case
def a32_rewrite_and_another_kept_the_genuine_head(to):
    put_rewritten(to, lambda packet: up_to_the_change(packet) + whole(packet))


@case
def a33_an_old_packet_for_a_new_challenge(to):
    to.write("challenge", "auditor-nonce-2")
    to.put(honest().signed())


@case
def a35_results_for_a_period_that_has_not_ended(to):
    packet = honest(period=(time(BEGIN - DAY), time(BEGIN + 3650 * DAY)))
    for control in packet.predicate["controls"]:
        control["result"] = "pass"
    to.put(packet.signed())


def without_the_erasure(to, kept):
    packet = honest()
    notes = [packet.log.leaves()[:size] for size in kept(packet)]
    packet.log.lines.pop(of_kind(packet.log, "person.erased"))
    packet.log.chained_anew()
    packet.log.disclosures = [it for it in packet.log.disclosures if it[0] < len(packet.log.lines) - 2]
    packet.sealed_at = 2
    packet.heads(KEYS["log"])
    packet.write()
    origin = f"{INSTALLATION}/organizations/{packet.organization.id}"
    for at, leaves in enumerate(notes):
        to.write(f"kept/{at}", note(origin, leaves, KEYS["log"]))
    to.put(packet.signed())


@case
def a36_omit_the_erasure(to):
    without_the_erasure(to, up_to_the_change)


@case
def a36_omit_the_erasure_and_another_kept_the_genuine_head(to):
    without_the_erasure(to, lambda packet: up_to_the_change(packet) + whole(packet))


# --- keys and envelopes ---------------------------------------------------------------------------------


def with_envelope(edit):
    files = honest().signed()
    envelope = json.loads(files["packet.dsse.json"])
    edit(envelope)
    return files | {"packet.dsse.json": json.dumps(envelope).encode()}


@case
def k1_a_wrong_key_id_decides_nothing(to):
    to.put(with_envelope(lambda envelope: envelope["signatures"][0].update(keyid="x")))


@case
def k1_no_key_id_decides_nothing(to):
    to.put(with_envelope(lambda envelope: envelope["signatures"][0].pop("keyid")))


@case
def k1_one_good_signature_of_two(to):
    bad = {"keyid": KEYS["packet"].id, "sig": b64(bytes(64))}
    to.put(with_envelope(lambda envelope: envelope["signatures"].insert(0, bad)))


@case
def k1_no_signature(to):
    to.put(with_envelope(lambda envelope: envelope["signatures"].clear()))


ORDER = 2**252 + 27742317777372353535851937790883648493


@case
def k2_the_same_signature_in_another_form(to):
    def add_the_order(envelope):
        signature = base64.b64decode(envelope["signatures"][0]["sig"])
        scalar = int.from_bytes(signature[32:], "little") + ORDER
        other = signature[:32] + scalar.to_bytes(32, "little")
        envelope["signatures"][0]["sig"] = b64(other)

    to.put(with_envelope(add_the_order))


@case
def k3_a_key_that_is_not_valid_yet(to):
    to.write("packet-key", key_set(KEYS["packet"].jwk(nbf=BEGIN + 3650 * DAY)))
    to.put(honest().signed())


@case
def k3_a_compromised_key(to):
    revoked = {"revoked_at": BEGIN, "reason": "compromised"}
    to.write("packet-key", key_set(KEYS["packet"].jwk(revoked=revoked)))
    to.put(honest().signed())


@case
def k3_compromised_only_later(to):
    revoked = {"revoked_at": BEGIN + 3650 * DAY, "reason": "compromised"}
    to.write("packet-key", key_set(KEYS["packet"].jwk(nbf=BEGIN - DAY, revoked=revoked)))
    to.put(honest().signed())


@case
def k3_a_key_set_without_the_old_key(to):
    to.write("packet-key", key_set(KEYS["packet"].jwk()))
    to.put(signed_by_the_old_key())


@case
def k3_two_keys_with_one_id(to):
    twin = EVIL["packet"].jwk() | {"kid": KEYS["packet"].id}
    to.write("packet-key", key_set(KEYS["packet"].jwk(), twin))
    to.put(honest().signed())


@case
def k3_a_key_of_small_order(to):
    identity = base64url(b"\1" + bytes(31))
    to.write("packet-key", key_set({"kty": "OKP", "crv": "Ed25519", "x": identity}))
    to.put(honest().signed())


@case
def k3_a_log_key_of_another_installation(to):
    to.write("log-key", KEYS["log"].line("org.example.net"))
    to.put(honest().signed())


@case
def k3_one_key_for_both(to):
    to.write("log-key", KEYS["packet"].line(INSTALLATION))
    to.put(honest().signed())


@case
def k4_the_keys_in_the_packet(to):
    packet = honest()
    packet.files["keys.json"] = key_set(EVIL["packet"].jwk()).encode()
    to.put(packet.signed(key=EVIL["packet"]))


# --- JSON -------------------------------------------------------------------------------------------------


@case
def j1_a_lone_surrogate(to):
    to.put(with_payload(lambda payload: payload.replace(b'"slug":"acme', b'"slug":"\\ud800', 1)))


@case
def j1_a_byte_order_mark(to):
    to.put(with_payload(lambda payload: b"\xef\xbb\xbf" + payload))


@case
def j1_bytes_behind_the_end(to):
    to.put(with_payload(lambda payload: payload + b"{}"))


@case
def j1_white_space(to):
    to.put(with_payload(lambda payload: payload + b"\n"))


@case
def j1_a_number_in_another_form(to):
    to.put(with_payload(lambda payload: payload.replace(b'"verifications":[]', b'"verifications":[],"x":1e3', 1)))


@case
def j1_a_number_too_large(to):
    large = b'"verifications":[],"x":9007199254740993'
    to.put(with_payload(lambda payload: payload.replace(b'"verifications":[]', large, 1)))


def with_lines(edit):
    packet = honest()
    files = packet.files
    files["events.jsonl"] = edit(files["events.jsonl"])
    return packet.signed()


@case
def j1_carriage_returns(to):
    to.put(with_lines(lambda lines: lines.replace(b"\n", b"\r\n")))


@case
def j1_no_line_feed_at_the_end(to):
    to.put(with_lines(lambda lines: lines[:-1]))


@case
def j1_an_empty_line_at_the_end(to):
    to.put(with_lines(lambda lines: lines + b"\n"))


@case
def j1_a_lone_surrogate_in_a_line(to):
    to.put(with_lines(lambda lines: lines.replace(b'"slug":"acme', b'"slug":"\\udc00', 1)))


@case
def j1_a_member_twice_in_a_line(to):
    to.put(with_lines(lambda lines: lines.replace(b'"country":"DE"', b'"country":"DE","country":"FR"', 1)))


@case
def j1_minus_zero_in_a_line(to):
    to.put(with_lines(lambda lines: lines.replace(b'"version":0}', b'"version":-0}', 1)))


@case
def j2_deep_nesting(to):
    to.put(with_payload(lambda payload: b"[" * 200_000))


@case
def j2_a_line_too_long(to):
    to.put(with_lines(lambda lines: lines.replace(b'"slug":"acme', b'"slug":"' + b"a" * 65_600, 1)))


@case
def j2_an_empty_log(to):
    packet = honest()
    packet.sealed_at = 0
    packet.log.lines = []
    packet.log.disclosures = []
    packet.heads(KEYS["log"])
    packet.write()
    to.put(packet.signed())


@case
def j2_time_goes_back(to):
    packet = honest()
    line = json.loads(packet.log.lines[3])
    line["recorded_at"] = time(BEGIN - DAY)
    packet.log.lines[3] = canonical(line)
    lines, packet.log.lines = packet.log.lines, []
    for line in lines:
        packet.log.lines.append(edited_line(line, lambda it: it.update(prev=packet.log.link())))
    packet.heads(KEYS["log"])
    packet.write()
    to.put(packet.signed())


# --- bundles ----------------------------------------------------------------------------------------------


def entry(name, mode=0o100644):
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    made.compress_type = zipfile.ZIP_DEFLATED
    return made


@case
def b1_a_path_out_of_the_bundle(to):
    to.zip(honest().signed(), [(entry("../checkpoint"), b"x")])


@case
def b1_an_absolute_path(to):
    to.zip(honest().signed(), [(entry("/etc/passwd"), b"x")])


@case
def b1_a_path_with_backslashes(to):
    to.zip(honest().signed(), [(entry("..\\checkpoint"), b"x")])


@case
def b1_a_link(to):
    files = honest().signed()
    del files["events.jsonl"]
    to.zip(files, [(entry("events.jsonl", stat.S_IFLNK | 0o777), b"/etc/passwd")])


@case
def b1_a_link_in_a_folder(to):
    files = honest().signed()
    to.write("elsewhere", files.pop("events.jsonl"))
    to.put(files)
    (to.folder / "packet/events.jsonl").symlink_to(to.folder / "elsewhere")


@case
def b1_two_letter_cases(to):
    to.zip(honest().signed(), [(entry("CHECKPOINT"), b"x")])


@case
def b1_two_entries_of_one_name(to):
    to.zip(honest().signed(), [(entry("checkpoint"), b"x")])


@case
def b1_a_file_that_is_not_listed(to):
    to.zip(honest().signed(), [(entry("notes.txt"), b"x")])


@case
def b1_a_listed_file_that_is_not_there(to):
    files = honest().signed()
    del files["seal.json"]
    to.zip(files)


@case
def b1_a_bomb(to):
    files = honest().signed()
    del files["packet.dsse.json"]
    to.zip(files, [(entry("packet.dsse.json"), b" " * (80 << 20))])


@case
def b1_cut_off(to):
    to.zip(honest().signed())
    path = to.folder / "packet.zip"
    path.write_bytes(path.read_bytes()[:-40])


@case
def b1_a_name_listed_twice(to):
    packet = honest()
    subjects = packet.subjects
    packet.subjects = lambda: subjects() + subjects()[:1]
    to.put(packet.signed())


@case
def b1_a_listed_path_out_of_the_bundle(to):
    packet = honest()
    packet.files["../checkpoint"] = b"x"
    files = packet.signed()
    del files["../checkpoint"]
    to.put(files)


# --- disclosures ------------------------------------------------------------------------------------------


def with_disclosures(edit):
    packet = honest()
    person = packet.organization.people[1]
    name = f"disclosures-{person['subject']}.jsonl"
    lines = [json.loads(line) for line in packet.files[name].splitlines()]
    edit(lines)
    packet.files[name] = b"".join(canonical(line) + b"\n" for line in lines)
    return packet.signed()


@case
def p1_moved_to_another_event(to):
    to.put(with_disclosures(lambda lines: lines[0].update(version=lines[0]["version"] + 2)))


@case
def p1_moved_behind_the_end(to):
    to.put(with_disclosures(lambda lines: lines[-1].update(version=10_000)))


@case
def p1_named_as_another_field(to):
    to.put(with_disclosures(lambda lines: lines[0].update(field="user_agent")))


@case
def p1_disclosed_twice(to):
    to.put(with_disclosures(lambda lines: lines.append(lines[0])))


@case
def p1_of_another_person(to):
    packet = honest()
    one, two = (f"disclosures-{person['subject']}.jsonl" for person in packet.organization.people[:2])
    packet.files[one], packet.files[two] = packet.files[two], packet.files[one]
    to.put(packet.signed())


@case
def p1_a_person_who_is_not_named(to):
    packet = honest()
    packet.predicate["privacy"]["disclosed"].pop()
    to.put(packet.signed())


# --- proofs and seals ---------------------------------------------------------------------------------------


def with_seal(edit):
    packet = honest()
    edit(packet)
    packet.write()
    return packet.signed()


@case
def m2_an_inner_node_as_a_leaf(to):
    def edit(packet):
        packet.seal["leaf"] = "".join(packet.seal["proof"])

    to.put(with_seal(edit))


@case
def m3_an_index_behind_the_end(to):
    to.put(with_seal(lambda packet: packet.seal.update(index=packet.seal["count"])))


@case
def m3_a_proof_too_long(to):
    to.put(with_seal(lambda packet: packet.seal.update(proof=packet.seal["proof"] * 60)))


@case
def m3_another_leaf(to):
    def edit(packet):
        leaf = json.loads(packet.seal["leaf"])
        packet.seal["leaf"] = canonical(leaf | {"size": leaf["size"] - 1}).decode()

    to.put(with_seal(edit))


@case
def m3_a_seal_by_another_log_key(to):
    packet = honest()
    packet.seal = packet.sealed(EVIL["log"], packet.log.leaves())
    packet.write()
    to.put(packet.signed())


@case
def m3_a_seal_of_another_log(to):
    packet = honest()
    sealed = packet.log.copy().lines[:4]
    change_at = [leaf_hash(line + b" ") for line in sealed] + packet.log.leaves()[4:]
    packet.seal = packet.sealed(KEYS["log"], change_at)
    packet.write()
    to.put(packet.signed())


@case
def m3_the_proof_of_another_event(to):
    def edit(packet):
        last = max(packet.proofs)
        packet.proofs[last - 1] = packet.proofs[last]

    to.put(with_seal(edit))


@case
def m3_a_proof_with_an_edited_hash(to):
    def edit(packet):
        lines = packet.proofs[0].split("\n")
        lines[2] = b64(bytes(32))
        packet.proofs[0] = "\n".join(lines)

    to.put(with_seal(edit))


@case
def m3_a_checkpoint_of_a_huge_log(to):
    def edit(packet):
        lines = packet.checkpoint.split("\n")
        lines[1] = str(2**63)
        packet.checkpoint = "\n".join(lines)

    to.put(with_seal(edit))


@case
def m3_a_checkpoint_of_another_log(to):
    def edit(packet):
        origin = f"{INSTALLATION}/organizations/{identifier('org', 9)}"
        packet.checkpoint = note(origin, packet.log.leaves(), KEYS["log"])

    to.put(with_seal(edit))


# --- writing --------------------------------------------------------------------------------------------------


class Folder:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True)

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def put(self, files):
        for name, content in files.items():
            self.write(f"packet/{name}", content)

    def zip(self, files, more=()):
        import warnings

        warnings.simplefilter("ignore")
        with zipfile.ZipFile(self.folder / "packet.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(entry(name), content)
            for made, content in more:
                archive.writestr(made, content)

    def keep(self, packet, size):
        origin = f"{INSTALLATION}/organizations/{packet.organization.id}"
        self.write(f"kept/{size}", note(origin, packet.log.leaves()[:size], KEYS["log"]))


def is_as_published(payload):
    """The statement is what its published schema says."""
    root = Path(__file__).parent.parent
    schema = json.loads((root / "docs/packet.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    for statement in (payload, (root / "tests/packets/statement.json").read_bytes()):
        jsonschema.Draft202012Validator(schema).validate(json.loads(statement))


if __name__ == "__main__":
    is_as_published(honest().payload())
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "packet-key").write_text(KEYS["packet"].pem())
    (OUT / "log-key").write_text(KEYS["log"].line(INSTALLATION) + "\n")
    (OUT / "organization").write_text(Organization(7, SEED).id)
    (OUT / "challenge").write_text(CHALLENGE)
    for name, make in CASES.items():
        make(Folder(OUT / name))
