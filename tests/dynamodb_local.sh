#!/usr/bin/env bash
# The end-to-end tests against AWS's own DynamoDB Local instead of the embedded database: another
# implementation of the same interface. Needs Java 17 and Maven; where it cannot be had, that is said
# and the exit status is 77. One that was had and does not start is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
server=''
stop() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT

not_done() {
  echo "NOT DONE against DynamoDB Local: $*"
  exit 77
}
for tool in java mvn; do
  command -v "$tool" > /dev/null || not_done "there is no $tool on this machine"
done
mvn --quiet --batch-mode --file tests/dynamodb_local.xml dependency:copy-dependencies \
  "-DoutputDirectory=$work/lib" > "$work/mvn.log" 2>&1 \
  || { tail -n 5 "$work/mvn.log"; not_done "Maven Central did not give it"; }

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
java "-Djava.library.path=$work/lib" -cp "$work/lib/*" \
  com.amazonaws.services.dynamodbv2.local.main.ServerRunner -inMemory -port "$port" \
  > "$work/server.log" 2>&1 < /dev/null &
server=$!
for _ in $(seq 300); do
  if (exec 3<> "/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    REGULARS_TEST_DYNAMODB="127.0.0.1:$port" cargo test --workspace --test end_to_end
    exit
  fi
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
cat "$work/server.log"
echo "DynamoDB Local did not start" >&2
exit 1
