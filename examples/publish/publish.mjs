// publish.mjs ORG EVENT_TYPE PAYLOAD [EVENT_ID]: publish one event; PAYLOAD is JSON.
// BELLHOP_URL and BELLHOP_TOKEN say where and as whom. Node 18 or newer.
// Exit: 0 stored, 65 refused for good, 75 not now: keep the event, try later.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

const TRIES = 6;
const { BELLHOP_URL, BELLHOP_TOKEN } = process.env;

// The same request will never be taken.
class Refused extends Error {}

// Not stored, or nobody knows: send the same event again, later.
class NotNow extends Error {}

// Publish 1 to 500 events, all or nothing; their results.
export async function publish(events, domain = 'tasks') {
  const body = JSON.stringify({ events });
  let why;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    let wait = 250 * 2 ** attempt * (0.5 + Math.random());
    try {
      const answer = await fetch(`${BELLHOP_URL}/${domain}/realtime/publish`, {
        method: 'POST',
        headers: { authorization: `Bearer ${BELLHOP_TOKEN}`, 'content-type': 'application/json' },
        body,
        signal: AbortSignal.timeout(10_000),
      });
      if (answer.ok) return (await answer.json()).results;
      why = await answer.text();
      if (answer.status === 401 || answer.status === 403) throw new NotNow(why); // the event is good, the token isn't
      if (answer.status !== 429 && answer.status < 500) throw new Refused(why);
      if (answer.headers.has('retry-after')) wait = Number(answer.headers.get('retry-after')) * 1000;
    } catch (error) {
      if (error instanceof Refused || error instanceof NotNow) throw error;
      why = error.cause?.message ?? error.message; // no answer, or half of one
    }
    if (attempt + 1 < TRIES) await sleep(wait);
  }
  throw new NotNow(why);
}

const [org, eventType, payload, eventId = randomUUID()] = process.argv.slice(2);
// Made once, before the first try.
const event = { eventId, eventType, timestamp: Date.now(), orgId: org, payload: JSON.parse(payload) };
try {
  for (const { eventId: id, status, seq, woken } of await publish([event])) console.log(`${id} ${status} seq=${seq} woken=${woken}`);
} catch (error) {
  const refused = error instanceof Refused;
  console.error(`${refused ? 'refused' : 'not now'}: ${error.message}`);
  process.exitCode = refused ? 65 : 75;
}
