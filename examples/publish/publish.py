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
    why = ""
    for attempt in range(TRIES):
        wait = 0.25 * 2**attempt * (0.5 + random.random())
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)["results"]
        except urllib.error.HTTPError as error:
            why = error.read().decode()
            if error.code in (401, 403):  # the event is good, the token isn't
                raise NotNow(why) from None
            if error.code != 429 and error.code < 500:
                raise Refused(why) from None
            wait = float(error.headers.get("Retry-After", wait))
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = str(error)  # no answer, or half of one
        if attempt + 1 < TRIES:
            time.sleep(wait)
    raise NotNow(why)


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
