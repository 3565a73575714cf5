#!/bin/sh
# publish.sh ORG EVENT_TYPE PAYLOAD [EVENT_ID]: publish one event with curl.
# BELLHOP_URL and BELLHOP_TOKEN say where and as whom. PAYLOAD is JSON.
# Exit: 0 stored, 65 refused for good, 75 not now: keep the event, try later.
set -eu

id=${4:-$(cat /proc/sys/kernel/random/uuid)}
event=$(jq -cn --arg id "$id" --arg org "$1" --arg type "$2" --argjson payload "$3" \
    '{eventId: $id, eventType: $type, timestamp: (now * 1000 | floor), orgId: $org, payload: $payload}')

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# curl sends the very same bytes again after a timeout, a broken connection, 429
# and 5xx, and waits for as long as Retry-After says. Without --fail no other
# status is an error to it, so that those aren't sent again.
status=$(curl --silent --show-error --max-time 10 --output "$answer" --write-out '%{http_code}' \
    --retry 6 --retry-all-errors --retry-max-time 60 \
    --header "Authorization: Bearer $BELLHOP_TOKEN" --header 'Content-Type: application/json' \
    --data-binary "$event" "$BELLHOP_URL/tasks/realtime/publish") || exit 75

case $status in
200) jq -r '.results[] | "\(.eventId) \(.status) seq=\(.seq) woken=\(.woken)"' "$answer" ;;
401 | 403 | 429 | 5??) echo "not now: $(cat "$answer")" >&2; exit 75 ;;
*) echo "refused: $(cat "$answer")" >&2; exit 65 ;;
esac
