"""Computes every invoice of an organization from its export alone, and shares no code with the server:
hour by hour and interval by interval, with exact fractions. Prints what each comes to as JSON.

    python billing.py EXPORT.ndjson
"""

import json
import sys
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from fractions import Fraction

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
KEYS_KEPT = timedelta(days=40)


def time(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def cents(amount):
    """To the cent, half to even: what `round` does with a fraction."""
    return round(amount * 100)


def next_month(at):
    return (at.replace(day=1) + timedelta(days=32)).replace(day=1)


def month_of(at):
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def read(path):
    events, usage = [], []
    for text in open(path, encoding="utf-8"):
        kind = (entry := json.loads(text))["kind"]
        if kind in ("event", "usage"):
            (usage if kind == "usage" else events).append(entry["line"])
    return events, usage


class Timeline:
    """What was so from when on."""

    def __init__(self):
        self.changes = []

    def put(self, at, now):
        if self.changes and at < self.changes[-1][0]:
            at = self.changes[-1][0]
        self.changes.append((at, now))

    def last(self):
        return self.changes[-1][1]

    def times(self):
        return [at for at, _ in self.changes]

    def at(self, when):
        found = None
        for at, now in self.changes:
            if at <= when:
                found = now
        return found


class Organization:
    def __init__(self):
        self.subscription = Timeline()
        self.databases = {}
        self.backups = []
        self.ended = None

    def subscribes(self, at, **changed):
        self.subscription.put(at, {**self.subscription.last(), **changed})

    def take(self, line):
        kind, data, at = line["type"], line["data"], time(line["recorded_at"])
        since = data.get("since")
        seen = max(time(since), month_of(at)) if since else at
        database = self.databases.get(data.get("database"))
        if kind == "organization.created":
            self.subscription.put(at, {"terms": None, "seats": 0, "trial": None, "suspended": False})
        elif kind == "organization.deleted":
            self.ended = at
        elif kind == "plan.changed":
            trial = data.get("trial_ends_at")
            self.subscribes(at, terms=data["terms"], trial=time(trial) if trial else None)
        elif kind == "plan.trial_ended":
            self.subscribes(at, trial=None)
        elif kind == "seats.changed":
            self.subscribes(at, seats=data["extra_seats"]["to"])
        elif kind == "organization.suspended":
            self.subscribes(at, suspended=True)
        elif kind == "organization.resumed":
            self.subscribes(at, suspended=False)
        elif kind == "database.created":
            made = self.databases[data["database"]] = Timeline()
            size = {name: data[name] for name in ("tier", "node_count", "storage_gb")}
            made.put(at, {**size, "runs": False, "stored": False})
        elif database is None:
            return
        elif kind == "database.started":
            database.put(seen, {**database.last(), "runs": True, "stored": True})
        elif kind in ("database.stopped", "database.failed"):
            database.put(seen, {**database.last(), "runs": False})
        elif kind == "database.resized":
            sizes = {name: data[name]["to"] for name in data if name != "database"}
            database.put(at, {**database.last(), **sizes})
        elif kind in ("database.deletion_started", "database.deleted"):
            database.put(at, {**database.last(), "runs": False, "stored": False})
            for backup in self.backups:
                if backup["database"] == data["database"]:
                    backup["until"] = min(backup["until"] or at, at)
        elif kind == "backup.completed" and data["finished"]["succeeded"]:
            self.backups.append({"database": data["database"], "id": data["backup"], "from": at,
                                 "until": None, "bytes": data["finished"]["size_bytes"]})
        elif kind == "backup.deleted":
            for backup in self.backups:
                if backup["id"] == data["backup"]:
                    backup["until"] = min(backup["until"] or at, at)

    def is_trial(self, now, when):
        return now["trial"] is not None and when < now["trial"]

    def intervals(self, start, end, *timelines):
        """Times in which nothing changes."""
        cuts = {start, end}
        for timeline in (self.subscription, *timelines):
            cuts.update(timeline.times())
        cuts.update(now["trial"] for _, now in self.subscription.changes if now["trial"])
        cuts = sorted(cut for cut in cuts if start <= cut <= end)
        return [(a, b) for a, b in zip(cuts, cuts[1:]) if a < b]

    def prorated(self, start, end):
        """Plan and seats, by whole seconds; equal neighbours are one line."""
        second = lambda at: int(at.timestamp())
        month = second(next_month(start)) - second(month_of(start))
        spans = {"plan": [], "seats": []}
        for a, b in self.intervals(start, end):
            now = self.subscription.at(a)
            if now is None or now["terms"] is None or now["suspended"] or self.is_trial(now, a):
                continue
            terms = now["terms"]
            counted = terms["limits"].get("included_seats", 0) > 0
            prices = {"plan": (terms["plan"], Fraction(terms["monthly_price"])),
                      "seats": (now["seats"], now["seats"] * Fraction(terms["prices"]["extra_seat"]))}
            for kind, (what, price) in prices.items():
                if price == 0 or (kind == "seats" and not counted):
                    continue
                last = spans[kind][-1] if spans[kind] else None
                if last and last["what"] == what and last["price"] == price and last["end"] == a:
                    last["end"] = b
                else:
                    spans[kind].append({"what": what, "price": price, "start": a, "end": b})
        lines = [(it["price"], second(it["end"]) - second(it["start"])) for its in spans.values() for it in its]
        return sum(cents(price * seconds / month) for price, seconds in lines)

    def hourly(self, start, end):
        """Every started hour of every database, as the dearest of what was so in it."""
        sums = defaultdict(int)
        unit = {"compute": 1, "storage": 720, "backup": 720 * 10**9}
        for id, timeline in self.databases.items():
            pieces = []
            for a, b in self.intervals(start, end, timeline):
                now, shape = self.subscription.at(a), timeline.at(a)
                if now is None or shape is None or self.is_trial(now, a):
                    continue
                prices = (now["terms"] or {}).get("prices") or BUILT_IN
                hour = {tier["name"]: Fraction(tier["hour"]) for tier in prices["tiers"]}
                if shape["runs"] and not now["suspended"]:
                    pieces.append((a, b, "compute", shape["tier"], hour.get(shape["tier"], 0), shape["node_count"]))
                if shape["stored"]:
                    price = Fraction(prices["storage_gigabyte_month"])
                    pieces.append((a, b, "storage", "", price, shape["storage_gb"]))
            self.count(id, pieces, sums)
        for backup in self.backups:
            a, b = max(backup["from"], start), min(backup["until"] or end, end)
            pieces = []
            for a, b in self.intervals(a, b) if a < b else []:
                now = self.subscription.at(a)
                if not self.is_trial(now, a):
                    price = Fraction(((now["terms"] or {}).get("prices") or BUILT_IN)["backup_gigabyte_month"])
                    pieces.append((a, b, "backup", "", price, backup["bytes"]))
            self.count(backup["database"], pieces, sums)
        return sum(cents(price * units / unit[kind]) for (_, kind, _, price), units in sums.items())

    def count(self, id, pieces, sums):
        for kind in ("compute", "storage", "backup"):
            hours = {}
            for a, b, what, tier, price, units in pieces:
                if what != kind:
                    continue
                hour = a.replace(minute=0, second=0, microsecond=0)
                while hour < b:
                    known = hours.get(hour)
                    if known is None or price * units > known[1] * known[2]:
                        hours[hour] = (tier, price, units)
                    hour += HOUR
            for tier, price, units in hours.values():
                sums[id, kind, tier, price] += units

    def overage(self, months):
        """By month: queries over the limits of their days by price, and bytes over that of the month."""
        over = {}
        for month, days in months.items():
            queries, total = defaultdict(Fraction), 0
            for day, (told, sent) in days.items():
                terms = self.terms_at_end(day, day + DAY)
                if terms is None:
                    continue
                total += sent
                limit = terms["limits"].get("queries_per_day", 0)
                if limit:
                    queries[Fraction(terms["prices"]["thousand_queries"])] += max(0, told - limit)
            terms = self.terms_at_end(month, next_month(month))
            limit = terms["limits"].get("bytes_per_month", 0) if terms else 0
            price = Fraction(terms["prices"]["gigabyte"]) if terms else 0
            over[month] = (queries, price, max(0, total - limit) if limit else 0)
        return over

    def terms_at_end(self, start, end):
        end = min(end, self.ended) if self.ended else end
        inside = self.intervals(start, end) if start < end else []
        if not inside:
            return None
        last = inside[-1][0]
        now = self.subscription.at(last)
        if now is None or self.is_trial(now, last):
            return None
        return now["terms"] or {"limits": {}, "prices": BUILT_IN}


def told(usage, version):
    """What counts up to a version, by month and day: the first of equal keys, for 40 days."""
    known, months = {}, defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for line in usage:
        if version is None or line["version"] > version:
            break
        at = time(line["recorded_at"])
        for entry in line["data"]["entries"]:
            first = known.get(entry["key"])
            if first is not None and at < first + KEYS_KEPT:
                continue
            known[entry["key"]] = at
            place = {"queries": 0, "bytes_transferred": 1}.get(entry["type"])
            if place is not None:
                when = time(entry["time"])
                day = when.replace(hour=0, minute=0, second=0, microsecond=0)
                months[month_of(when)][day][place] += entry["value"]
    return months


def main(path):
    events, usage = read(path)
    organization, invoices, before, billed, pinned = Organization(), [], {}, None, None
    for line in events:
        if line["type"] == "period.closed":
            start, end = time(line["data"]["start"]), time(line["data"]["end"])
            total = organization.prorated(start, end) + organization.hourly(start, end)
            pin = line["data"]["usage"]
            if pin is not None:
                now = organization.overage({month: days for month, days in told(usage, pin["version"]).items()
                                            if month <= start})
                was = organization.overage(told(usage, pinned)) if pinned is not None else {}
                for month, (queries, price, sent) in now.items():
                    then = was.get(month, ({}, 0, 0)) if month in before else ({}, 0, 0)
                    total += sum(cents(each * (over - then[0].get(each, 0)) / 1000) for each, over in queries.items())
                    total += cents(price * (sent - then[2]) / 10**9)
                pinned = pin["version"]
                before = set(now)
            billed = total
        elif line["type"] == "invoice.finalized":
            data = line["data"]
            invoices.append({"number": data["number"], "total": f"{billed // 100}.{billed % 100:02}",
                             "charged": data["total"]})
            billed = None
        organization.take(line)
    print(json.dumps(invoices))
    return 0 if all(it["total"] == it["charged"] for it in invoices) else 1


TIERS = {"free": "0", "micro": "0.0278", "small": "0.0556", "medium": "0.1111", "large": "0.2083", "xl": "0.4166",
         "2xl": "0.6249", "4xl": "1.2499", "8xl": "2.4999"}
BUILT_IN = {"tiers": [{"name": name, "hour": hour} for name, hour in TIERS.items()], "extra_seat": "10",
            "thousand_queries": "0.10", "gigabyte": "0.20", "storage_gigabyte_month": "0.10",
            "backup_gigabyte_month": "0.05"}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
