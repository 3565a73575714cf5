// Which publish bodies are refused: the place is named, and nothing is stored.
import assert from 'node:assert/strict';
import net from 'node:net';
import { event, Stack } from '../lib/stack.mjs';
import { range, sleep, waitFor } from '../lib/wait.mjs';

const stack = await Stack.forFile();
const org = 'org-1';
const good = () => event(org);
const without = (name) => ({ ...good(), [name]: undefined });
const nested = (depth) => '['.repeat(depth) + ']'.repeat(depth);
const withPayload = (text) => JSON.stringify({ ...good(), payload: 0 }).replace('"payload":0', `"payload":${text}`);
const latin1 = Buffer.from(withPayload('"\xff"'), 'latin1');

// name: [body, pointer of the first error, status if not 422]
const refused = {
  'empty': ['', ''],
  'white space': [' \n', ''],
  'not JSON': ['eventId=1', ''],
  'a number': ['1', ''],
  'truncated': [JSON.stringify(good()).slice(0, -5), /^/],
  'text after it': [`${JSON.stringify(good())}x`, ''],
  'a NUL after it': [`${JSON.stringify(good())}\0`, ''],
  'byte order mark': [`\ufeff${JSON.stringify(good())}`, ''],
  'member twice': [JSON.stringify(good()).replace('{', '{"eventId":"x",'), '/eventId'],
  'member twice, once escaped': [JSON.stringify(good()).replace('{', '{"event\\u0049d":"x",'), '/eventId'],
  'member twice in the payload': [withPayload('{"a":{"b":1,"b":2}}'), '/payload/a/b'],
  'unknown member': [{ ...good(), extra: 1 }, '/extra'],
  'no eventId': [without('eventId'), /^(\/eventId)?$/],
  'no payload': [without('payload'), /^(\/payload)?$/],
  'eventId a number': [{ ...good(), eventId: 7 }, '/eventId'],
  'eventId empty': [{ ...good(), eventId: '' }, '/eventId'],
  'eventId too long': [{ ...good(), eventId: 'x'.repeat(129) }, '/eventId'],
  'eventId with a control character': [{ ...good(), eventId: 'a\u0000b' }, '/eventId'],
  'propertyId null': [{ ...good(), propertyId: null }, '/propertyId'],
  'timestamp a string': [{ ...good(), timestamp: '1' }, '/timestamp'],
  'timestamp a fraction': [JSON.stringify(good()).replace(/"timestamp":\d+/, '"timestamp":1.5'), '/timestamp'],
  'timestamp negative': [{ ...good(), timestamp: -1 }, '/timestamp'],
  'timestamp too big': [{ ...good(), timestamp: 2 ** 53 }, '/timestamp'],
  'too deep': [withPayload(nested(64)), /^\/payload/],
  'far too deep': [withPayload(nested(20_000)), /^\/payload/],
  'an event too long': [{ ...good(), payload: 'x'.repeat(65_536) }, ''],
  'invalid UTF-8': [latin1, '/payload'],
  'lone surrogate': [withPayload('"\\ud800"'), '/payload'],
  'raw control character': [withPayload('"\t"'), '/payload'],
  'leading zero': [withPayload('01'), '/payload'],
  'no events': [[], '/events'],
  'events not an array': ['{"events":{}}', '/events'],
  'events and more': [`{"events":[${JSON.stringify(good())}],"more":1}`, '/more'],
  '501 events': [range(501).map(good), /^\/events/],
  'one bad event in 500': [range(500).map((i) => (i === 321 ? without('eventType') : good())), /^\/events\/321(\/eventType)?$/],
};

const rows = () => stack.query('SELECT count(*) n FROM events')[0].n;

async function check(body, pointer, options) {
  const before = rows();
  const res = await stack.publish(body, options);
  assert.equal(res.status, 422, res.text);
  assert.equal(res.json.code, 'invalid_event');
  assert.equal(res.headers['content-type'], 'application/problem+json');
  const place = res.json.errors[0].pointer;
  if (pointer instanceof RegExp) assert.match(place, pointer);
  else assert.equal(place, pointer, JSON.stringify(res.json.errors[0]));
  assert.ok(res.json.errors[0].detail.length > 0);
  assert.equal(rows(), before, 'nothing is stored');
}

for (const [name, [body, pointer]] of Object.entries(refused)) {
  stack.test(`refused: ${name}`, () => check(body, pointer));
}

stack.test('refused: a bad line of NDJSON', async () => {
  const lines = [JSON.stringify(good()), '', JSON.stringify(good()), '{"eventId":7}'];
  await check(lines.join('\n'), /^\/2/, { type: 'application/x-ndjson' });
});

stack.test('taken: the deepest, the longest and the emptiest that may be', async () => {
  await stack.store(withPayload(nested(63)));
  const short = JSON.stringify({ ...good(), payload: '' }).length;
  const longest = { ...good(), payload: '' };
  longest.payload = 'x'.repeat(65_536 - JSON.stringify(longest).length);
  assert.ok(short < 65_536);
  await stack.store(longest);
  await stack.store({ ...good(), eventId: `${Date.now()}`.padEnd(128, 'x'), payload: null, timestamp: 2 ** 53 - 1 });
});

stack.test('refused: other media, and a body past every bound', async () => {
  const form = await stack.publish(good(), { type: 'text/plain' });
  assert.deepEqual([form.status, form.json.code], [415, 'unsupported_media_type']);
  const huge = await stack.publish(Buffer.alloc(33_000_000, ' '));
  assert.deepEqual([huge.status, huge.json.code], [413, 'too_large']);
});

// A client that hears of its refusal leaves off, as curl does. Apache's mod_proxy_fcgi, which
// passes a body on as it comes, would wait for the body's end before the answer's, a minute
// long; the others have all of it before the worker hears of it.
stack.test('refused in the middle of its body: who stops there has the whole answer', async () => {
  const slowly = stack.web.name === 'apache-proxy';
  const socket = net.connect(Number(new URL(stack.url).port), '127.0.0.1');
  let text = '';
  socket.on('error', () => {}).on('data', (part) => (text += part));
  socket.write(`POST /tasks/realtime/publish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${16 << 20}\r\n\r\n`);
  for (let i = 0; i < 64 && text === ''; i++) {
    socket.write(Buffer.alloc(1 << 18, ' ')); // some of it is under way when the answer comes
    if (slowly) await sleep(50);
  }
  const ended = () => (/chunked/i.test(text) ? text.endsWith('}\r\n0\r\n\r\n') : text.endsWith('}'));
  await waitFor(() => `the end of the answer, after ${JSON.stringify(text)}`, ended);
  assert.match(text, /^HTTP\/1\.1 401 .*"token_missing"/s);
  if (slowly) {
    assert.match(text, /^Connection: close\r$/im);
    assert.match(text, /^Content-Length: \d+\r$/im);
  }
  socket.destroy();
});

stack.test('what was refused is in the table of refusals, without its body', async () => {
  const secret = 'do-not-keep-this';
  // Only so many a second are recorded, and those above were many.
  const found = await waitFor('the refusal on record', async () => {
    const res = await stack.publish({ ...good(), [secret]: secret }, { headers: { 'x-request-id': 'find-me' } });
    assert.equal(res.headers['x-request-id'], 'find-me');
    return stack.query("SELECT * FROM refusals WHERE request_id = 'find-me'")[0];
  }, { every: 200 });
  assert.deepEqual([found.code, found.subject, found.domain, found.org_id], ['invalid_event', 'backend', 'tasks', '']);
  assert.ok(!JSON.stringify(found).includes(`"${secret}"`), JSON.stringify(found));
});
