#!/usr/bin/env bash
# The real function binaries under `cargo lambda watch`, over the embedded DynamoDB, called over
# HTTP: enroll, earn, the same earn again, redeem, read the member and the statement; then the
# schedule's event by `cargo lambda invoke expire`. Needs cargo-lambda, curl and python3.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --workspace
work=$(mktemp -d)
database='' functions=''
finish() {
  status=$?
  [ -z "$functions" ] || kill "$functions" 2>/dev/null || true
  [ -z "$database" ] || kill "$database" 2>/dev/null || true
  wait || true
  if [ "$status" != 0 ]; then
    echo "--- the database said:" && cat "$work/database.log"
    echo "--- the functions said:" && tail -n 60 "$work/functions.log"
  fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
wait_for() {
  for _ in $(seq 300); do listening "$1" && return; sleep 0.1; done
  echo "nothing listens on port $1" && return 1
}

database_port=$(free_port) functions_port=$(free_port)
cargo run --quiet -- dev --db-only --db-port "$database_port" --data "$work/lambda.db" \
  > "$work/database.log" 2>&1 < /dev/null &
database=$!
# It says where it is when all rules are in it.
for _ in $(seq 600); do grep -q '^dynamodb' "$work/database.log" && break; sleep 0.1; done
wait_for "$database_port"

# The free ports take the place of the ones in the file.
cargo lambda watch --ignore-changes --invoke-address 127.0.0.1 --invoke-port "$functions_port" \
  --env-file infra/laptop.env \
  --env-var "AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:$database_port" \
  > "$work/functions.log" 2>&1 < /dev/null &
functions=$!
wait_for "$functions_port"

base=http://127.0.0.1:$functions_port/v1/members
call() {
  curl --silent --show-error --max-time 120 -H 'Authorization: Bearer local:sunrise-coffee' \
    -H 'Content-Type: application/json' "$@"
}
# Compares what a JSON answer holds at a path such as entry.balances.points.
expect() {
  python3 - "$1" "$2" "$3" <<'PYTHON'
import json, sys
text, path, expected = sys.argv[1:]
found = json.loads(text)
for key in path.split("."):
    found = found[int(key)] if key.isdigit() else found[key]
if str(found) != expected:
    sys.exit(f"{path} is {found} and should be {expected}: {text}")
print(f"ok  {path} = {found}")
PYTHON
}

echo "--- enroll"
expect "$(call "$base" -d '{"id":"ada"}')" member ada
echo "--- earn"
order='{"type":"purchase","order":{"total":"31.60","lines":[{"sku":"espresso","category":"coffee","quantity":10,"price":"3.16"}]}}'
first=$(call "$base/ada/earn" -H 'Idempotency-Key: order-1' -d "$order")
expect "$first" entry.kind earn
expect "$first" entry.balances.stamps 10
echo "--- the same earn again"
again=$(call "$base/ada/earn" -H 'Idempotency-Key: order-1' -d "$order" -D "$work/headers")
[ "$again" = "$first" ] || { echo "the repeat differs: $again"; exit 1; }
grep -qi '^idempotency-replayed: true' "$work/headers" || { echo "the repeat is not marked"; exit 1; }
echo "ok  byte for byte, and marked"
echo "--- redeem"
expect "$(call "$base/ada/redeem" -H 'Idempotency-Key: till-1' -d '{"reward":"free-coffee"}')" entry.reward.name free-coffee
echo "--- read the member, the statement and the rewards"
expect "$(call "$base/ada")" wallets.stamps.balance 0
statement=$(call "$base/ada/entries")
expect "$statement" entries.0.kind redeem
expect "$statement" entries.1.kind earn
expect "$(call "$base/ada/rewards")" rewards.0.missing 10
echo "--- a refusal"
expect "$(call "$base/ada/redeem" -H 'Idempotency-Key: till-2' -d '{"reward":"free-coffee"}')" code balance_is_insufficient

invoke() {
  cargo lambda invoke --invoke-address 127.0.0.1 --invoke-port "$functions_port" "$@"
}
echo "--- the schedule's event"
summary=$(invoke expire --data-file tests/events/schedule.json)
expect "$summary" finished True
expect "$summary" due 0
echo "--- API Gateway's events, with the claims of a verified token"
expect "$(invoke enroll --data-file tests/events/enroll.json)" statusCode 201
expect "$(invoke earn --data-file tests/events/earn.json)" statusCode 201
expect "$(invoke read --data-file tests/events/read_member.json)" statusCode 200
expect "$(invoke read --data-file tests/events/read_entries.json)" statusCode 200
expect "$(invoke redeem --data-file tests/events/redeem.json)" statusCode 409
echo "the functions do under cargo lambda what they do everywhere"
