#!/usr/bin/env bash
# Does what docs/auditors-guide.md says, by the commands that stand in it:
#   auditors_guide.sh PACKET-FOLDER PACKET-KEY.pem LOG.vkey ORGANIZATION CHALLENGE [KEPT-CHECKPOINT [KEYS.json]]
# The packet must be unpacked already; instead of a checkpoint there may be an empty argument. The
# exit code is not 0 when a step fails.
set -euo pipefail
guide=$(realpath "$(dirname "$0")/../docs/auditors-guide.md")
packet=$(realpath "$1")
folder=$(mktemp -d "${TMPDIR:-/tmp}/chancery-guide.XXXXXX")
trap 'rm -rf "$folder"' EXIT

cp -aT "$packet" "$folder/packet"
cp "$2" "$folder/packet-key.pem"
cp "$3" "$folder/log.vkey"
[[ -z ${6:-} ]] || cp "$6" "$folder/kept-checkpoint"
[[ -z ${7:-} ]] || cp "$7" "$folder/keys.json"
awk '/^```bash$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$guide" >"$folder/blocks"
cd "$folder"
ORG=$4 CHALLENGE=$5 bash blocks
