// A client that leaves: its waiter goes with it.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import net from 'node:net';
import { event, Stack } from '../lib/stack.mjs';
import { waitFor } from '../lib/wait.mjs';

const stack = await Stack.forFile({ conf: { broker: { poll_seconds: 10 } } });
const { port } = stack.lanes[0];
const { deaf, cleartext } = stack.web;

// An HTTP/1.1 connection that has been used before, with a poll waiting on it.
async function parkOnSocket(token) {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  let text = '';
  socket.on('data', (part) => (text += part));
  socket.write('GET /healthz?live HTTP/1.1\r\nHost: x\r\n\r\n');
  await waitFor('an answer', () => text.includes('\r\n\r\n'));
  socket.write(`GET /tasks/realtime/subscribe HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  await stack.waiters(1);
  return socket;
}

stack.test('HTTP/1.1: a closed connection frees its waiter at once', async (t) => {
  const socket = await parkOnSocket(stack.token({ org: stack.org() }));
  socket.end();
  await stack.freed(t);
}, { skip: deaf });

stack.test('HTTP/1.1: so does one that is reset', async (t) => {
  const socket = await parkOnSocket(stack.token({ org: stack.org() }));
  socket.resetAndDestroy();
  await stack.freed(t);
}, { skip: deaf });

// Where the web server is deaf this is all there is, and enough.
stack.test('a waiter whose client has left takes nothing from anyone, and ends with its time', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  const socket = await parkOnSocket(stack.token({ org }));
  socket.end();
  const one = event(org);
  await stack.store(one);
  assert.deepEqual((await stack.poll({ org, cursor, wait: 0 })).json.events.map(({ eventId }) => eventId), [one.eventId]);
  await stack.waiters(0);
  (await parkOnSocket(stack.token({ org: stack.org() }))).end();
  await stack.waiters(0); // with the poll's own end at the latest
});

stack.test('HTTP/2: a stream that is cancelled, and a connection that closes', async (t) => {
  const session = http2.connect(stack.url);
  session.on('error', () => {});
  const poll = () => {
    const stream = session.request({
      ':path': '/tasks/realtime/subscribe', authorization: `Bearer ${stack.token({ org: 'org-h2' })}`,
    });
    stream.on('error', () => {});
    stream.end();
    return stream;
  };
  const first = poll();
  await stack.waiters(1);
  first.close(http2.constants.NGHTTP2_CANCEL);
  await stack.freed(t);
  poll();
  poll();
  await stack.waiters(2);
  session.destroy();
  await stack.freed(t);
}, { skip: cleartext });

stack.test('a new poll of the same X-Client-Id ends the older one with 409', async () => {
  const org = stack.org();
  const older = stack.poll({ org, clientId: 'tab-1' });
  await stack.waiters(1);
  const beside = stack.poll({ org, clientId: 'tab-2' });
  await stack.waiters(2);
  const newer = stack.poll({ org, clientId: 'tab-1' });

  const ended = await older;
  assert.equal(ended.status, 409, ended.text);
  assert.equal(ended.json.code, 'superseded');
  assert.equal(ended.headers['content-type'], 'application/problem+json');
  await stack.waiters(2);
  const one = event(org);
  assert.equal((await stack.store(one))[0].woken, 2);
  for (const res of [await beside, await newer]) assert.equal(res.json.events[0].eventId, one.eventId);
});

stack.test('another user, or another org, with the same X-Client-Id is somebody else', async () => {
  const org = stack.org();
  const other = stack.org();
  const polls = [
    stack.poll({ org, sub: 'a', clientId: 'tab' }),
    stack.poll({ org, sub: 'b', clientId: 'tab' }),
    stack.poll({ org: other, sub: 'a', clientId: 'tab' }),
  ];
  await stack.waiters(3);
  assert.equal((await stack.store(event(org)))[0].woken, 2);
  assert.equal((await stack.store(event(other)))[0].woken, 1);
  assert.deepEqual((await Promise.all(polls)).map((res) => res.status), [200, 200, 200]);
});

stack.test('an X-Client-Id of another form is refused', async () => {
  const res = await stack.poll({ org: stack.org(), clientId: 'a b' });
  assert.deepEqual([res.status, res.json.code], [400, 'bad_request']);
});
