"""A second opinion on what was used, with nothing but the standard library.

    used.py LINES

LINES holds the canonical lines of one usage stream, in order. Prints {"days", "projects",
"databases", "months"}: totals of each, every sender's event counted once, and for the months what
is billed. It follows the words of docs/usage.md and shares no code with the server.
"""

import json
import sys
from collections import defaultdict
from datetime import datetime, timedelta

KEPT = timedelta(days=40)
SUMS = {"queries": "queries_total", "bytes_transferred": "bytes_transferred",
        "connection_seconds": "connection_seconds"}
MOST = {"storage_bytes": "storage_bytes", "backup_bytes": "backup_bytes"}


def when(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")


def counted(lines):
    """Of entries with one key the first, as long as its key is remembered; each with its version."""
    known = {}
    for expected, line in enumerate(lines):
        event = json.loads(line)
        assert event["version"] == expected and event["type"] == "usage.recorded", event["id"]
        at = when(event["recorded_at"])
        for entry in event["data"]["entries"]:
            before = known.get(entry["key"])
            if before is None or at >= before + KEPT:
                known[entry["key"]] = at
                yield event["version"], entry


def nothing():
    return dict.fromkeys([*SUMS.values(), "query_shapes", *MOST.values()], 0)


def add(totals, entry):
    kind, value = entry["type"], entry["value"]
    if kind in SUMS:
        totals[SUMS[kind]] += value
    elif kind in MOST:
        totals[MOST[kind]] = max(totals[MOST[kind]], value)


def main(path):
    days, projects, databases = (defaultdict(nothing) for _ in range(3))
    months, shapes = {}, set()
    with open(path) as lines:
        for version, entry in counted(lines):
            day, kind = entry["time"][:10], entry["type"]
            places = [(days, day), (databases, entry["database"])]
            if "project" in entry:
                places.append((projects, entry["project"]))
            for group, name in places:
                add(group[name], entry)
                # different ones on a day; of a project or database the sum of these
                shape = (id(group), name, day, entry.get("shape"))
                if kind == "query_shape" and shape not in shapes:
                    shapes.add(shape)
                    group[name]["query_shapes"] += 1
            if kind in ("queries", "bytes_transferred"):
                month = months.setdefault(day[:7], {
                    "first_version": version, "queries": {"count": 0, "sum": 0},
                    "bytes_transferred": {"count": 0, "sum": 0}})
                month[kind]["count"] += 1
                month[kind]["sum"] += entry["value"]
    json.dump({"days": days, "projects": projects, "databases": databases, "months": months},
              sys.stdout)


main(sys.argv[1])
