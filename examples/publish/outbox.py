"""outbox.py DATABASE: a transactional outbox, and the relay that empties it.

A task and the event about it are committed together, in one transaction: neither
can be there without the other. The relay publishes what lies in the outbox, in its
order, and removes it when Bellhop has it. It may be killed at any moment: what it
didn't remove it publishes again, and Bellhop answers `duplicate`.
"""
import http.client
import json
import os
import sqlite3
import sys
import time
import urllib.error
import urllib.request
import uuid

SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (id TEXT PRIMARY KEY, org TEXT NOT NULL, title TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (
  n INTEGER PRIMARY KEY AUTOINCREMENT,   -- the order of the commits
  event TEXT NOT NULL,                   -- all of it, as it will be sent, each time
  refused TEXT                           -- why, where somebody has to look at it
);
"""


def create_task(db, org, title):
    """What a backend does for its user. It talks to nobody but its database."""
    task = {"taskId": str(uuid.uuid4()), "title": title}
    event = {
        "eventId": str(uuid.uuid4()),
        "eventType": "TaskCreated",
        "timestamp": time.time_ns() // 1_000_000,
        "orgId": org,
        "payload": task,
    }
    with db:  # one transaction
        db.execute("INSERT INTO tasks VALUES (?, ?, ?)", (task["taskId"], org, title))
        db.execute("INSERT INTO outbox (event) VALUES (?)", (json.dumps(event),))


def send(events):
    """One publish of a batch: status, answer, and how long to wait before the next."""
    request = urllib.request.Request(
        f"{os.environ['BELLHOP_URL']}/tasks/realtime/publish",
        data="\n".join(events).encode(),
        headers={"Authorization": f"Bearer {os.environ['BELLHOP_TOKEN']}", "Content-Type": "application/x-ndjson"},
    )
    try:
        try:
            answer = urllib.request.urlopen(request, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error  # an answer, too
        with answer:
            return answer.code, answer.read().decode(), float(answer.headers.get("Retry-After", 1))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return 0, str(error), 1  # no answer, or half of one


def relay_once(db):
    """Publish the oldest of the outbox. How long to wait before the next time."""
    rows = db.execute("SELECT n, event FROM outbox WHERE refused IS NULL ORDER BY n LIMIT 500").fetchall()
    if not rows:
        return 0.1
    status, answer, wait = send([event for _, event in rows])
    if status in (400, 409, 413, 422) and len(rows) > 1:
        # One of them is wrong, and holds up the others: find it, one by one.
        for row in rows:
            status, answer, wait = send([row[1]])
            if not settle(db, [row], status, answer):
                return wait
        return 0
    return 0 if settle(db, rows, status, answer) else wait


def settle(db, rows, status, answer):
    """Note what became of ROWS; whether the relay may go on at once."""
    numbers = [(n,) for n, _ in rows]
    if status == 200:  # stored, or there already
        with db:
            db.executemany("DELETE FROM outbox WHERE n = ?", numbers)
    elif status in (400, 409, 413, 422):  # no later try will be taken
        print(f"refused: {answer}", file=sys.stderr)
        with db:
            db.executemany("UPDATE outbox SET refused = ? WHERE n = ?", [(answer, n) for n, in numbers])
    else:  # 401 and 403 too: the token has to be put right, the events are good
        print(f"not now: {status} {answer}", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    database = sqlite3.connect(sys.argv[1], timeout=10)
    database.executescript(SCHEMA)
    while True:
        time.sleep(relay_once(database))
