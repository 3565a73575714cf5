"""publish.py ORG EVENT_TYPE PAYLOAD [EVENT_ID]: publish one event; PAYLOAD is JSON.

BELLHOP_URL and BELLHOP_TOKEN say where and as whom.
Exit: 0 stored, 65 refused for good, 75 not now: keep the event, try later.
"""
import http.client
import json
import os
import random
import sys
import time
import urllib.error
import urllib.request
import uuid

TRIES = 6


class Refused(Exception):
    """The same request will never be taken."""


class NotNow(Exception):
    """Not stored, or nobody knows: send the same event again, later."""


def post(request):
    """One try: status, answer, Retry-After. Status 0: nobody knows."""
    try:
        try:
            answer = urllib.request.urlopen(request, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error  # an answer, too
        with answer:
            after = answer.headers.get("Retry-After")
            return answer.code, answer.read().decode(), after and float(after)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return 0, str(error), None  # no answer, or half of one


def publish(events, domain="tasks"):
    """Publish a list of 1 to 500 events, all or nothing; returns their results."""
    request = urllib.request.Request(
        f"{os.environ['BELLHOP_URL']}/{domain}/realtime/publish",
        data=json.dumps({"events": events}).encode(),
        headers={
            "Authorization": f"Bearer {os.environ['BELLHOP_TOKEN']}",
            "Content-Type": "application/json",
        },
    )
    for attempt in range(TRIES):
        status, answer, after = post(request)
        if status == 200:
            return json.loads(answer)["results"]
        if status in (401, 403):  # the event is good, the token isn't
            break
        if status not in (0, 429) and status < 500:
            raise Refused(answer)
        if attempt + 1 < TRIES:
            time.sleep(after or 0.25 * 2**attempt * (0.5 + random.random()))
    raise NotNow(answer)


def main(org, event_type, payload, event_id=None):
    event = {
        "eventId": event_id or str(uuid.uuid4()),  # made once, before the first try
        "eventType": event_type,
        "timestamp": time.time_ns() // 1_000_000,
        "orgId": org,
        "payload": json.loads(payload),
    }
    try:
        for result in publish([event]):
            print("{eventId} {status} seq={seq} woken={woken}".format(**result))
    except Refused as error:
        print(f"refused: {error}", file=sys.stderr)
        sys.exit(65)
    except NotNow as error:
        print(f"not now: {error}", file=sys.stderr)
        sys.exit(75)


if __name__ == "__main__":
    main(*sys.argv[1:])
