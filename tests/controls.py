"""A second opinion on the controls of compliance packets, with nothing but the standard library.

    controls.py LINES FACTS

LINES holds an organization's canonical event lines, one each; FACTS is
{"from", "to", "verifications": [{"at", "succeeded"}]}. Prints, for every control that can be
computed, {"result", "exceptions", "population"}: what came out, how many exceptions there are, and
how many things were looked at. It follows the words of docs/controls.md and shares no code with the
server.
"""

import json
import sys
from datetime import datetime, timezone

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
NEVER = -(10 ** 18)
MANAGERS = {"owner", "admin"}
EVERYBODY = {"owner", "admin", "developer", "member", "viewer"}
RANK = ["viewer", "member", "developer", "admin", "owner"]


def millis(text):
    at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return round((at - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds() * 1000)


def when(text):
    return None if text is None else millis(text)


def may_grant(role):
    return {"owner"} if role in ("owner", "admin") else MANAGERS


class World:
    """Members, tokens, invitations, settings and declarations, as the events so far leave them."""

    def __init__(self):
        self.clear()
        self.exists = False
        self.name, self.country = None, None

    def clear(self):
        self.members, self.tokens, self.invitations = {}, {}, {}
        self.settings, self.declared, self.reviews = {}, {}, {}

    def setting(self, name):
        default = {"allowed_regions": [], "ip_allowlist": [], "default_tier": "micro",
                   "audit_retention_days": None}
        return self.settings.get(name, default.get(name, False))

    def serves(self, token, at):
        token = self.tokens.get(token)
        return token is not None and not token["revoked"] and all(
            end is None or at < end for end in (token["expires"], token["replaced"]))

    def take(self, event):
        kind, data = event["type"], event["data"]
        if kind == "organization.created":
            self.exists, self.name, self.country = True, data["name"], data["country"]
            self.members[data["owner"]] = "owner"
        elif kind == "organization.deleted":
            self.clear()
            self.exists = False
        elif kind == "organization.updated":
            self.name = data.get("name", {"to": self.name})["to"]
            self.country = data.get("country", {"to": self.country})["to"]
        elif kind == "member.joined":
            self.members[data["member"]] = data["role"]
            self.close(data["invitation"])
        elif kind == "member.role_changed":
            if data["member"] in self.members:
                self.members[data["member"]] = data["role"]["to"]
        elif kind in ("member.removed", "member.left"):
            self.members.pop(data["member"], None)
            for token in self.tokens.values():
                if token["kind"] == "personal" and token["owner"] == data["member"]:
                    token["revoked"] = True
        elif kind == "organization.ownership_transferred":
            for member, role in ((data["from"], data["kept_role"]), (data["to"], "owner")):
                if member in self.members:
                    self.members[member] = role
        elif kind == "member.invited":
            self.invitations[data["invitation"]] = {
                "role": data["role"], "expires": millis(data["expires_at"]), "open": True}
        elif kind == "invitation.resent":
            if data["invitation"] in self.invitations:
                self.invitations[data["invitation"]]["expires"] = millis(data["expires_at"])
        elif kind.startswith("invitation."):
            self.close(data["invitation"])
        elif kind == "settings.updated":
            for name, change in data.items():
                if isinstance(change, dict):
                    self.settings[name] = change["to"]
        elif kind in ("api_key.created", "api_key.rotated"):
            made = data.get("successor", data["token"])
            if kind == "api_key.rotated" and data["token"] in self.tokens:
                self.tokens[data["token"]]["replaced"] = millis(data["previous_valid_until"])
            self.tokens[made] = {"kind": data["kind"], "owner": data["owner"], "revoked": False,
                                 "expires": when(data["expires_at"]), "replaced": None}
        elif kind == "api_key.revoked":
            if data["token"] in self.tokens:
                self.tokens[data["token"]]["revoked"] = True
        elif kind == "declaration.set":
            known = self.declared.get(data["declaration"], {})
            self.declared[data["declaration"]] = dict(known, content=data["content"],
                                                      said=event["at"])
        elif kind == "declaration.removed":
            self.declared.pop(data["declaration"], None)
        elif kind == "declaration.reviewed":
            if data["declaration"] in self.declared:
                self.declared[data["declaration"]]["said"] = event["at"]
        elif kind == "access_review.started":
            as_of = millis(data["as_of"])
            items = list(self.members) + [it for it in self.tokens if self.serves(it, as_of)]
            self.reviews[data["review"]] = dict.fromkeys(items)
        elif kind == "access_review.decided":
            items = self.reviews.get(data["review"], {})
            if data["item"] in items:
                items[data["item"]] = data["decision"]

    def close(self, invitation):
        if invitation in self.invitations:
            self.invitations[invitation]["open"] = False


class Log:
    def __init__(self, lines, facts):
        self.start, self.end = millis(facts["from"]), millis(facts["to"])
        self.events, self.is_closed = [], False
        for line in lines:
            event = json.loads(line)
            event["at"] = millis(event["recorded_at"])
            if event["at"] >= self.end:
                self.is_closed = True
                break
            self.events.append(event)
        self.runs = sorted((millis(run["at"]), run["succeeded"]) for run in facts["verifications"])
        born = [e["at"] for e in self.events if e["type"] == "organization.created"]
        died = [e["at"] for e in self.events if e["type"] == "organization.deleted"]
        self.died = died[0] if died else None
        self.window = None
        if born:
            window = (max(self.start, born[0]), min(self.end, died[0] if died else self.end))
            self.window = window if window[0] < window[1] else None

    def inside(self, at):
        return self.start <= at < self.end

    def replay(self):
        """Each event with the world before it, and what its author was when the command began."""
        world, command = World(), None
        for event in self.events:
            event["follows"] = command == event["cause"]["command"]
            if not event["follows"]:
                command, standing = event["cause"]["command"], standing_of(world, event)
            yield event, world, standing
            world.take(event)

    def final(self):
        world = World()
        for event in self.events:
            world.take(event)
        return world

    def cut(self, changes, initial):
        """The states of something in the window: (state, from, to), each of which lasted."""
        points, state = [(NEVER, initial)], initial
        for at, new in changes:
            if new != state:
                points.append((at, new))
                state = new
        ends = [at for at, _ in points[1:]] + [self.window[1]]
        found = []
        for (begin, state), end in zip(points, ends):
            begin, end = max(begin, self.window[0]), min(end, self.window[1])
            if begin < end:
                found.append((state, begin, end))
        return found

    def gaps(self, times, longest):
        before = [at for at in times if at <= self.window[0]]
        points = [max(before) if before else self.window[0]]
        points += sorted(at for at in times if self.window[0] < at < self.window[1])
        points.append(self.window[1])
        return sum(b - a > longest for a, b in zip(points, points[1:]))


def standing_of(world, event):
    """Its roles: {"*"} for the platform, none for a stranger or a credential that did not serve."""
    actor, asked_at = event["actor"], event["at"] - MINUTE
    if actor in ("system", "operator"):
        return {"platform": True, "role": None, "valid": True}
    if actor.startswith("tok_"):
        token = world.tokens.get(actor)
        valid = (token is not None and token["kind"] == "organization"
                 and world.serves(actor, asked_at))
        return {"platform": False, "role": "admin" if valid else None, "valid": valid}
    token, valid = event["cause"].get("token"), True
    if token is not None:
        known = world.tokens.get(token)
        valid = (known is not None and known["kind"] == "personal" and known["owner"] == actor
                 and world.serves(token, asked_at))
    return {"platform": False, "role": world.members.get(actor), "valid": valid}


def entitled(standing, roles):
    return standing["platform"] or standing["role"] in roles


class Found:
    def __init__(self, population=0, exceptions=0, used=True, since=None, empty="not_applicable",
                 unknown=False):
        self.population, self.exceptions = population, exceptions
        self.used, self.since, self.empty, self.unknown = used, since, empty, unknown


# --- SOC 2 ---

def actors(log):
    found = Found()
    for event, world, standing in log.replay():
        if event["type"] != "access.denied" and log.inside(event["at"]):
            found.population += 1
            found.exceptions += not was_allowed(event, world, standing)
    return found


def was_allowed(event, world, standing):
    if standing["platform"]:
        return True
    if not standing["valid"]:
        return False
    kind, data, actor = event["type"], event["data"], event["actor"]
    person = actor.startswith("usr_")
    if kind in ("member.joined", "member.left"):
        return data["member"] == actor
    if kind == "organization.created":
        return data["owner"] == actor
    if kind in ("organization.updated", "settings.updated", "compliance.subscribed",
                "compliance.unsubscribed") or kind.startswith(
                    ("declaration.", "incident.", "access_review.", "restore_test.")):
        return standing["role"] in MANAGERS
    if kind in ("organization.deleted", "organization.ownership_transferred"):
        return standing["role"] == "owner"
    if kind in ("compliance.packet_requested", "compliance.packet_downloaded"):
        return standing["role"] in EVERYBODY
    if kind == "member.role_changed":
        return standing["role"] in may_grant(data["role"]["from"]) & may_grant(data["role"]["to"])
    if kind == "member.removed":
        return standing["role"] in ({"owner"} if data["role"] == "owner" else MANAGERS)
    if kind == "member.invited":
        return standing["role"] in may_grant(data["role"])
    if kind == "invitation.resent":
        role = world.invitations.get(data["invitation"], {"role": "member"})["role"]
        return standing["role"] in may_grant(role)
    if kind == "invitation.canceled":
        if data["because"] == "withdrawn":
            return standing["role"] in MANAGERS
        return event["follows"]
    if kind == "invitation.rejected":
        return person
    if kind.startswith("api_key."):
        if kind == "api_key.revoked" and event["follows"]:
            return True
        token = data if kind == "api_key.created" else world.tokens.get(data["token"])
        if token is None:
            return False
        if token["kind"] == "organization":
            return standing["role"] in MANAGERS
        if person and token["owner"] == actor:
            return standing["role"] in EVERYBODY
        return kind == "api_key.revoked" and standing["role"] in MANAGERS
    return False


def switch(log, is_on):
    """Intervals of a setting; those in which it was not on are exceptions."""
    world, changes = World(), []
    initial = is_on(world)
    for event in log.events:
        if event["type"] == "settings.updated":
            world.take(event)
            changes.append((event["at"], is_on(world)))
    intervals = log.cut(changes, initial)
    return Found(len(intervals), sum(state != "on" for state, _, _ in intervals))


def mfa_required(log):
    return switch(log, lambda world: "on" if world.setting("require_2fa") else "off")


def ip_allowlist(log):
    def state(world):
        if not world.setting("ip_allowlist_required"):
            return "off"
        wide = any(network.endswith("/0") for network in world.setting("ip_allowlist"))
        return "wide" if wide else "on"
    return switch(log, state)


def mfa_coverage(log, delay):
    people, required = {}, []
    for event in log.events:
        kind, data, at = event["type"], event["data"], event["at"]
        if kind == "organization.created":
            people.setdefault(data["owner"], []).append((at, "without"))
        elif kind == "member.joined":
            people.setdefault(data["member"], []).append((at, "without"))
        elif kind in ("member.removed", "member.left"):
            people.setdefault(data["member"], []).append((at, "nobody"))
        elif kind == "member.second_factor_changed":
            known = people.get(data["member"], [(0, "nobody")])
            if known[-1][1] != "nobody":
                known.append((at, "with" if data["is_enabled"] else "without"))
        elif kind == "settings.updated" and "require_2fa" in data:
            required.append((at, data["require_2fa"]["to"]))
    demanded = [span for span in log.cut(required, False) if span[0]]
    found = Found()
    for changes in people.values():
        for state, begin, end in log.cut(changes, "nobody"):
            if state == "nobody":
                continue
            found.population += 1
            if state == "without":
                for _, a, b in demanded:
                    found.exceptions += min(b, end) - max(a, begin) > delay
                found.exceptions += end == log.window[1] and end - begin > delay
    return found


def tokens(log, age):
    born, ends = {}, {}
    for event, world, _ in log.replay():
        kind, data, at = event["type"], event["data"], event["at"]
        if kind in ("api_key.created", "api_key.rotated"):
            made = data.get("successor", data["token"])
            born[made] = (at, when(data["expires_at"]))
            ends[made] = [] if born[made][1] is None else [born[made][1]]
            if kind == "api_key.rotated" and data["token"] in ends:
                ends[data["token"]].append(millis(data["previous_valid_until"]))
        elif kind == "api_key.revoked" and data["token"] in ends:
            ends[data["token"]].append(at)
        elif kind in ("member.removed", "member.left"):
            for token, known in world.tokens.items():
                if known["kind"] == "personal" and known["owner"] == data["member"]:
                    ends[token].append(at)
        elif kind == "organization.deleted":
            for token in ends.values():
                token.append(at)
    found = Found()
    for token, (at, expires) in born.items():
        end = min(ends[token] + [log.window[1]])
        if max(at, log.window[0]) < end:
            found.population += 1
            found.exceptions += expires is None or end - at > age
    return found


def joiners(log):
    sent, found = {}, Found()
    for event, _, standing in log.replay():
        kind, data = event["type"], event["data"]
        if kind == "member.invited":
            sent[data["invitation"]] = {"role": data["role"], "open": True}
        if kind in ("member.invited", "invitation.resent") and data["invitation"] in sent:
            known = sent[data["invitation"]]
            known["by"], known["expires"] = event["actor"], millis(data["expires_at"])
            known["entitled"] = entitled(standing, may_grant(known["role"]))
        elif kind in ("invitation.canceled", "invitation.rejected", "invitation.expired"):
            if data["invitation"] in sent:
                sent[data["invitation"]]["open"] = False
        elif kind == "member.joined":
            known = sent.get(data["invitation"])
            if log.inside(event["at"]):
                found.population += 1
                found.exceptions += not (
                    known is not None and known["open"] and known["entitled"]
                    and event["at"] < known["expires"] + MINUTE
                    and known["by"] != data["member"] and known["role"] == data["role"])
            if known is not None:
                known["open"] = False
    return found


def removal(log, latency):
    found = Found()
    for place, event in enumerate(log.events):
        if event["type"] not in ("member.removed", "member.left") or not log.inside(event["at"]):
            continue
        found.population += 1
        member, gone = event["data"]["member"], event["at"]
        owned, ends = set(), {}
        for number, other in enumerate(log.events):
            kind, data = other["type"], other["data"]
            if kind in ("api_key.created", "api_key.rotated"):
                made = data.get("successor", data["token"])
                if data["kind"] == "personal" and data["owner"] == member and number < place:
                    owned.add(made)
                    ends[made] = [] if data["expires_at"] is None else [when(data["expires_at"])]
                if kind == "api_key.rotated" and data["token"] in ends:
                    ends[data["token"]].append((millis(data["previous_valid_until"])))
            elif kind == "api_key.revoked" and data["token"] in ends:
                ends[data["token"]].append(other["at"])
            if number == place:
                # those that still served then
                owned = {it for it in owned if not ends[it] or min(ends[it]) > gone}
        late = any(min(ends[token] + [log.window[1]]) - gone > latency for token in owned)
        later = False
        for other in log.events[place + 1:]:
            if other["type"] == "member.joined" and other["data"]["member"] == member:
                break
            # a second end of a membership begins another story
            if other["type"] in ("member.removed", "member.left") \
                    and other["data"]["member"] == member:
                later = later or (other["actor"] == member
                                  and other["cause"]["command"] != event["cause"]["command"])
                break
            later = later or (
                other["actor"] == member
                and other["cause"]["command"] != event["cause"]["command"]
                and other["type"] not in ("access.denied", "invitation.rejected", "member.joined"))
        found.exceptions += late or later
    return found


def stale_invites(log, delay):
    sent = {}
    for event in log.events:
        kind, data, at = event["type"], event["data"], event["at"]
        if kind == "member.invited":
            sent[data["invitation"]] = [at, millis(data["expires_at"]), None]
        elif kind == "organization.deleted":
            for known in sent.values():
                known[2] = at if known[2] is None else known[2]
        elif kind == "invitation.resent":
            if data["invitation"] in sent:
                sent[data["invitation"]][1] = millis(data["expires_at"])
        elif kind.startswith("invitation.") or kind == "member.joined":
            known = sent.get(data["invitation"])
            if known is not None and known[2] is None:
                known[2] = at
    found = Found()
    for at, expires, closed in sent.values():
        end = log.window[1] if closed is None else closed
        if max(at, log.window[0]) < min(end, log.window[1]):
            found.population += 1
            found.exceptions += end - expires > delay
    return found


def role_changes(log):
    found = Found()
    for event, _, standing in log.replay():
        data = event["data"]
        if event["type"] == "member.role_changed":
            member, before, after = data["member"], data["role"]["from"], data["role"]["to"]
            roles = may_grant(before) & may_grant(after)
        elif event["type"] == "organization.ownership_transferred":
            member, before, after, roles = data["to"], data["previous_role"], "owner", {"owner"}
        else:
            continue
        if log.inside(event["at"]):
            found.population += 1
            raised = event["actor"] == member and RANK.index(after) > RANK.index(before)
            found.exceptions += raised or not entitled(standing, roles)
    return found


def privileged(log):
    held, owned = {}, []
    for event, world, _ in log.replay():
        after = dict(world.members)
        probe = World()
        probe.members, probe.tokens = after, {}
        if event["type"].startswith(("member.", "organization.")) \
                and event["type"] != "organization.deleted" and event["type"] != "member.invited":
            probe.take(event)
        for member in set(after) | set(held):
            role = probe.members.get(member)
            role = role if role in MANAGERS else None
            known = held.setdefault(member, [])
            if (known[-1][1] if known else None) != role:
                known.append((event["at"], role))
        owned.append((event["at"], any(role == "owner" for role in probe.members.values())))
    found = Found()
    for changes in held.values():
        found.population += sum(state is not None for state, _, _ in log.cut(changes, None))
    found.exceptions = sum(not state for state, _, _ in log.cut(owned, False))
    return found


def access_review(log, gap, delay, critical_gap=None):
    done, late, found = [], 0, Found()
    waiting = []
    for event, world, _ in log.replay():
        kind, data, at = event["type"], event["data"], event["at"]
        if kind == "access_review.completed" and data["review"] in world.reviews:
            items = world.reviews[data["review"]]
            there = [it for it in items if it in world.members or world.serves(it, at)]
            done.append(at)
            if log.inside(at):
                found.population += 1
                found.exceptions += any(items[item] is None for item in there)
            for item in there:
                if items[item] == "remove":
                    waiting.append((at, item))
    for completed, item in waiting:
        deadline = completed + delay
        if log.inside(deadline) and not went(log, item, completed, deadline):
            late += 1
    found.exceptions += late
    if critical_gap is not None and any(
            it["content"]["kind"] == "dora_function" and it["content"]["is_critical_or_important"]
            for it in log.final().declared.values()):
        gap = critical_gap
    if done and done[0] <= log.window[0]:
        found.exceptions += log.gaps(done, gap)
    found.used, found.since = bool(done), done[0] if done else None
    return found


def went(log, item, after, deadline):
    """Whether a member or token that was there is gone by a deadline."""
    if log.died is not None and log.died <= deadline:
        return True
    seen = False
    for event, world, _ in log.replay():
        at, kind, data = event["at"], event["type"], event["data"]
        if kind == "access_review.completed" and at == after:
            seen = True
        if not seen or at > deadline:
            continue
        if kind in ("member.removed", "member.left"):
            token = world.tokens.get(item)
            if data["member"] == item or (token is not None and token["kind"] == "personal"
                                          and token["owner"] == data["member"]):
                return True
        if kind == "api_key.revoked" and data["token"] == item:
            return True
    token = log.final().tokens.get(item)
    ends = [] if token is None else [it for it in (token["expires"], token["replaced"]) if it]
    return any(end <= deadline for end in ends)


def log_complete(log, gap):
    found = Found()
    versions = [event["version"] for event in log.events]
    found.exceptions = sum(b != a + 1 for a, b in zip([-1] + versions, versions))
    runs = [run for run in log.runs if run[0] < log.end]
    inside = [run for run in runs if log.window[0] <= run[0] < log.window[1]]
    found.population = len(inside)
    found.exceptions += sum(not succeeded for _, succeeded in inside)
    found.used, found.since = bool(runs), runs[0][0] if runs else None
    if runs and runs[0][0] <= log.window[0]:
        found.exceptions += log.gaps([at for at, succeeded in runs if succeeded], gap)
    return found


def denied(log):
    return Found(sum(e["type"] == "access.denied" and log.inside(e["at"]) for e in log.events))


def incidents(log, longest, of_ai=False):
    known, found = {}, Found()
    for event in log.events:
        kind, data, at = event["type"], event["data"], event["at"]
        if kind == "incident.opened" and (data["ai_systems"] or not of_ai):
            known[data["incident"]] = {"opened": at, "classified": False, "closed": None}
        elif data.get("incident") in known:
            incident = known[data["incident"]]
            incident["classified"] |= kind == "incident.classified"
            if kind == "incident.closed" and incident["closed"] is None:
                incident["closed"] = at
    for incident in known.values():
        closed = incident["closed"]
        if closed is not None and closed < log.start:
            continue
        found.population += 1
        end = log.window[1] if closed is None else closed
        found.exceptions += (end - incident["opened"] > longest
                             or (closed is not None and not incident["classified"]))
    found.used = bool(known)
    found.since = min((it["opened"] for it in known.values()), default=None)
    return found


def attributable(log):
    found = Found()
    for event, world, _ in log.replay():
        kind, data = event["type"], event["data"]
        if not log.inside(event["at"]):
            continue
        if kind == "settings.updated":
            wrong = any(world.setting(name) != change["from"]
                        for name, change in data.items() if isinstance(change, dict))
        elif kind == "organization.updated":
            stood = {"name": world.name, "country": world.country} if world.exists else {}
            wrong = any(stood.get(name) != data[name]["from"]
                        for name in ("name", "country") if name in data)
        elif kind == "member.role_changed":
            wrong = world.members.get(data["member"]) != data["role"]["from"]
        elif kind == "organization.ownership_transferred":
            wrong = world.members.get(data["to"]) != data["previous_role"]
        else:
            continue
        found.population += 1
        found.exceptions += wrong
    return found


def restore(log, age):
    succeeded = {}
    for event in log.events:
        if event["type"] == "restore_test.recorded":
            data, at = event["data"], millis(event["data"]["performed_at"])
            times = succeeded.setdefault(data["database"], [])
            if data["result"] == "succeeded" and at <= event["at"]:
                times.append(at)
    late = sum(not times or log.window[1] - max(times) > age for times in succeeded.values())
    return Found(len(succeeded), late, used=bool(succeeded))


def disposal(log):
    return Found(sum(e["type"] == "person.erased" and log.inside(e["at"]) for e in log.events),
                 unknown=True)


def recipients(log):
    """For each erasure of the period, who had taken along a packet that disclosed the person."""
    invited, asked, taken, told = {}, {}, [], 0
    for event in log.events:
        data, version = event["data"], event["version"]
        if event["type"] == "member.invited":
            invited.setdefault(data["invitee"], version)
        elif event["type"] == "compliance.packet_requested":
            asked[data["packet"]] = version
        elif event["type"] == "compliance.packet_downloaded" and data["discloses"]:
            taken.append(asked[data["packet"]])
        elif event["type"] == "person.erased":
            since = invited.pop(data["subject"], None)
            if since is not None and log.inside(event["at"]):
                told += sum(since < version for version in taken)
    return Found(told)


# --- GDPR, and other declarations ---

def missing(content):
    """Whether a declaration leaves something unsaid."""
    kind = content["kind"]
    if kind == "controller_record":
        stated = ("joint_controllers", "representative", "data_protection_officer")
        return not (content["has_name"] and content["has_contact"]) or any(
            content[name] == "missing" for name in stated)
    if kind == "processing_activity":
        if content["as_processor"]:
            said = content["controllers"] > 0 and content["processing_categories"] > 0
        else:
            said = (content["purposes"] > 0 and content["subject_categories"] > 0
                    and content["data_categories"] > 0 and content["recipients"] is not None
                    and content["retention"] != "missing")
        transfers = content["transfers"]
        return not (said and content["has_security_measures"] and transfers is not None
                    and all(transfer["has_safeguard"] for transfer in transfers))
    if kind == "dora_role":
        return content["role"] == "financial_entity" and (
            content["entity_type"] is None or not content["has_lei"])
    if kind == "dora_function":
        return not content["databases"] or (content["is_critical_or_important"] and (
            content["rto_seconds"] is None or content["rpo_seconds"] is None))
    due = content["role"] != "none" and content["high_risk"] != "no"
    deployer = content["role"] == "deployer"
    return content["high_risk"] == "undetermined" or (due and (
        not content["log_stores"] or content["log_retention_days"] is None
        or (deployer and (not content["overseers"] or content["instructions"] is None))))


def declarations(log, kinds, age=None):
    standing = [it for it in log.final().declared.values() if it["content"]["kind"] in kinds]
    found = Found(len(standing), used=bool(standing))
    if age is not None:
        found.exceptions = sum(log.window[1] - it["said"] > age for it in standing)
        return found
    found.exceptions = sum(missing(it["content"]) for it in standing)
    if standing and "controller_record" in kinds:
        there = {it["content"]["kind"] for it in standing}
        found.exceptions += sum(kind not in there for kind in kinds)
    return found


PROCESSING = ("controller_record", "processing_activity")


# --- DORA ---

def retention(log, days):
    changes = [(e["at"], e["data"]["audit_retention_days"]["to"]) for e in log.events
               if e["type"] == "settings.updated" and "audit_retention_days" in e["data"]]
    intervals = log.cut(changes, None)
    return Found(len(intervals), sum(it is not None and it < days for it, _, _ in intervals))


def elsewhere(log):
    tests = [e for e in log.events if e["type"] == "restore_test.recorded"]
    good = [e for e in tests if e["data"]["result"] == "succeeded" and log.inside(e["at"])]
    return Found(len(good), sum(not e["data"]["is_other_region"] for e in good), used=bool(tests))


def reported(log, stage):
    known, first = {}, None
    for event in log.events:
        kind, data = event["type"], event["data"]
        if kind == "incident.opened":
            first = event["at"] if first is None else first
            known[data["incident"]] = {"aware": millis(data["aware_at"]), "major": None,
                                       "initial": [], "intermediate": [], "final": []}
        elif kind == "incident.classified" and data["incident"] in known:
            if data["is_major"] and known[data["incident"]]["major"] is None:
                known[data["incident"]]["major"] = (millis(data["classified_at"]), event["at"])
        elif kind == "incident.reported" and data["incident"] in known:
            incident = known[data["incident"]]
            # an update after the final report moves nothing
            if data["stage"] != "intermediate" or not incident["final"] or not incident[
                    "intermediate"]:
                incident[data["stage"]].append((millis(data["submitted_at"]), event["at"],
                                                bool(incident["final"])))
    found = Found(used=first is not None, since=first)
    for incident in known.values():
        if incident["major"] is None:
            continue
        major, aware = incident["major"][0], incident["aware"]
        if stage == "initial":
            begun = incident["major"][1]
            due = major + 4 * HOUR
            if major <= aware + DAY:
                due = min(due, aware + DAY)
        else:
            before = incident["initial" if stage == "intermediate" else "intermediate"]
            if not before:
                continue
            begun = before[0][1]
            if stage == "intermediate":
                due = before[0][0] + 72 * HOUR
            else:
                counted = [at for at, _, after_final in before if not after_final]
                due = (max(counted) if counted else before[0][0]) + 31 * DAY
        if log.inside(begun):
            found.population += 1
            report = incident[stage]
            found.exceptions += (report[0][0] if report else log.window[1]) > due
    return found


# --- EU AI Act ---

def is_due(content):
    return content["role"] != "none" and content["high_risk"] != "no"


def systems(log):
    """What is declared of each AI system from when on; None where it is taken back."""
    found = {}
    for event in log.events:
        name = event["data"].get("declaration", "")
        if name.startswith("ais_") and event["type"] in ("declaration.set", "declaration.removed"):
            found.setdefault(name, []).append((event["at"], event["data"].get("content")))
    return found


def ai_retention(log, days):
    found = Found()
    for changes in systems(log).values():
        relevant = [(at, None if content is None or not is_due(content) else (
            content["log_retention_days"], content["has_retention_basis"],
            bool(content["log_stores"]))) for at, content in changes]
        for state, _, _ in log.cut(relevant, None):
            if state is not None:
                found.population += 1
                kept, basis, stores = state
                found.exceptions += not (stores and kept is not None and (kept >= days or basis))
    return found


def oversight(log):
    changes, overseers = {}, {}
    for event, world, _ in log.replay():
        probe = World()
        probe.members = dict(world.members)
        if event["type"] in ("organization.created", "member.joined", "member.removed",
                             "member.left"):
            probe.take(event)
        name, content = event["data"].get("declaration", ""), event["data"].get("content")
        if name.startswith("ais_") and event["type"] in ("declaration.set", "declaration.removed"):
            used = content is not None and is_due(content) and content["role"] == "deployer"
            overseers[name] = content["overseers"] if used else None
        for system, named in overseers.items():
            state = None if named is None else any(it in probe.members for it in named)
            changes.setdefault(system, []).append((event["at"], state))
    states = [state for it in changes.values() for state, _, _ in log.cut(it, None)]
    return Found(sum(state is not None for state in states), sum(state is False for state in states))


def in_scope(log, framework):
    """True, "not_applicable" or "not_evidenced", by what was declared."""
    if framework == "dora":
        changes = []
        for event in log.events:
            if event["data"].get("declaration") == "dora_role":
                if event["type"] == "declaration.set":
                    changes.append((event["at"], event["data"]["content"]["role"]))
                elif event["type"] == "declaration.removed":
                    changes.append((event["at"], None))
        stood = {state for state, _, _ in log.cut(changes, None)}
        is_none = bool(changes) and changes[-1][1] == "none"
        return "not_applicable" if is_none and stood <= {None, "none"} else True
    if framework == "aia":
        now, was_due = {}, False
        for event in log.events:
            name = event["data"].get("declaration", "")
            if not name.startswith("ais_") or event["type"] == "declaration.reviewed":
                continue
            if log.start < event["at"]:
                was_due |= any(is_due(it) for it in now.values())
            now.pop(name, None)
            if event["type"] == "declaration.set":
                now[name] = event["data"]["content"]
        due = [it for it in now.values() if is_due(it)]
        if any(it["high_risk"] == "undetermined" for it in due):
            return "not_evidenced"
        if due or was_due:
            return True
        return "not_applicable" if now else "not_evidenced"
    return True


YEAR = 365 * DAY
CONTROLS = {
    "soc2.cc6.1.actor-known": actors,
    "soc2.cc6.1.mfa-required": mfa_required,
    "soc2.cc6.1.mfa-coverage": lambda log: mfa_coverage(log, HOUR),
    "soc2.cc6.1.tokens": lambda log: tokens(log, YEAR),
    "soc2.cc6.2.joiners": joiners,
    "soc2.cc6.2.removal": lambda log: removal(log, DAY),
    "soc2.cc6.2.stale-invites": lambda log: stale_invites(log, DAY),
    "soc2.cc6.3.role-changes": role_changes,
    "soc2.cc6.3.privileged": privileged,
    "soc2.cc6.3.access-review": lambda log: access_review(log, 90 * DAY, 7 * DAY),
    "soc2.cc6.6.ip-allowlist": ip_allowlist,
    "soc2.cc7.2.log-complete": lambda log: log_complete(log, DAY),
    "soc2.cc7.2.denied": denied,
    "soc2.cc7.3.incidents": lambda log: incidents(log, 30 * DAY),
    "soc2.cc8.1.attributable": attributable,
    "soc2.a1.3.restore": lambda log: restore(log, YEAR),
    "soc2.c1.2.disposal": disposal,
    "ropa.complete": lambda log: declarations(log, PROCESSING),
    "ropa.reviewed": lambda log: declarations(log, PROCESSING, YEAR),
    "ropa.erasure-time": disposal,
    "ropa.recipients-notified": recipients,
    "ropa.measures.actor-known": actors,
    "ropa.measures.mfa-required": mfa_required,
    "ropa.measures.ip-allowlist": ip_allowlist,
    "ropa.measures.removal": lambda log: removal(log, DAY),
    "ropa.measures.log-complete": lambda log: log_complete(log, DAY),
    "ropa.measures.restore": lambda log: restore(log, YEAR),
    "dora.8.functions-complete": lambda log: declarations(log, ("dora_function",)),
    "dora.8.reviewed": lambda log: declarations(log, ("dora_function",), YEAR),
    "dora.9.actor-known": actors,
    "dora.20.joiners": joiners,
    "dora.21.removal": lambda log: removal(log, DAY),
    "dora.21.role-changes": role_changes,
    "dora.21.privileged": privileged,
    "dora.21.rights-updated": lambda log: access_review(log, YEAR, 7 * DAY, 184 * DAY),
    "dora.9.mfa-required": mfa_required,
    "dora.9.mfa-coverage": lambda log: mfa_coverage(log, HOUR),
    "dora.9.changes": attributable,
    "dora.12.log-integrity": lambda log: log_complete(log, DAY),
    "dora.12.log-retention": lambda log: retention(log, 365),
    "dora.10.denied": denied,
    "dora.17.incidents": lambda log: incidents(log, 30 * DAY),
    "dora.19.initial": lambda log: reported(log, "initial"),
    "dora.19.intermediate": lambda log: reported(log, "intermediate"),
    "dora.19.final": lambda log: reported(log, "final"),
    "dora.12.restore": lambda log: restore(log, YEAR),
    "dora.12.segregated": elsewhere,
    "dora.28.role-complete": lambda log: declarations(log, ("dora_role",)),
    "aia.3.systems-complete": lambda log: declarations(log, ("ai_system",)),
    "aia.3.systems-reviewed": lambda log: declarations(log, ("ai_system",), YEAR),
    "aia.26.6.retention": lambda log: ai_retention(log, 184),
    "aia.26.2.assigned": oversight,
    "aia.26.5.incidents": lambda log: incidents(log, 30 * DAY, True),
    "aia.15.actor-known": actors,
    "aia.15.mfa-required": mfa_required,
    "aia.15.removal": lambda log: removal(log, DAY),
    "aia.15.role-changes": role_changes,
    "aia.15.changes": attributable,
    "aia.15.log-complete": lambda log: log_complete(log, DAY),
}


def result(log, scope, found):
    if found.unknown or not (log.is_closed or log.died is not None):
        return "not_evidenced"
    if scope is not True:
        return scope
    if found.exceptions:
        return "fail"
    if not found.used or (found.since is not None and found.since > log.window[0]):
        return "not_evidenced"
    return "pass" if found.population else found.empty


def main():
    with open(sys.argv[1], encoding="utf-8") as lines, open(sys.argv[2], encoding="utf-8") as facts:
        log = Log(lines, json.load(facts))
    scopes, memory, answers = {}, {}, {}
    for name, compute in CONTROLS.items():
        if log.window is None:
            answers[name] = {"result": "not_evidenced", "exceptions": 0, "population": 0}
            continue
        framework = name.split(".")[0]
        if framework not in scopes:
            scopes[framework] = in_scope(log, framework)
        found = compute(log)
        answers[name] = {"result": result(log, scopes[framework], found),
                         "exceptions": found.exceptions, "population": found.population}
    json.dump(answers, sys.stdout, sort_keys=True)


if __name__ == "__main__":
    main()
