// HTTP/2 over TLS, as a browser uses it: all of its polls on one connection.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http2 from 'node:http2';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { after } from 'node:test';
import { event, Stack } from '../lib/stack.mjs';
import { range, waitFor } from '../lib/wait.mjs';

// A certificate of the test's own.
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'bellhop-tls-'));
after(() => fs.rmSync(dir, { recursive: true, force: true }));
const files = { cert: path.join(dir, 'cert.pem'), key: path.join(dir, 'key.pem') };
execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
  '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', files.key, '-out', files.cert], { stdio: 'ignore' });
const few = 5; // lighttpd lets 8 wait on one connection, Apache 6 at first: see docs/servers.md
const ca = fs.readFileSync(files.cert);

function connect(stack) {
  const session = http2.connect(stack.url, { ca });
  session.on('error', () => {});
  return session;
}

// A request on an HTTP/2 session: { status, json }, and the stream itself.
function ask(session, pathname, headers = {}) {
  const stream = session.request({ ':path': pathname, ...headers });
  stream.setEncoding('utf8');
  const answer = new Promise((resolve, reject) => {
    let status, text = '';
    stream.on('response', (head) => (status = head[':status']));
    stream.on('data', (part) => (text += part));
    stream.on('end', () => resolve({ status, json: text && JSON.parse(text) }));
    stream.on('error', reject);
  });
  answer.catch(() => {});
  stream.end();
  return { stream, answer };
}

const stacks = await Promise.all(['lighttpd', 'nginx', 'apache-proxy', 'apache-fcgid'].map((server) => Stack.forFile({ server, tls: files })));

for (const stack of stacks) {
  const server = stack.web.name;
  const poll = (session, org, cursor) => ask(session, '/tasks/realtime/subscribe', {
    authorization: `Bearer ${stack.token({ org, sub: stack.org() })}`, ...(cursor && { 'last-event-id': cursor }),
  });

  stack.test(`${server}: five polls wait on one HTTP/2 connection, and each gets the event`, async () => {
    const org = stack.org();
    const cursor = await stack.cursor({ org });
    const session = connect(stack);
    await waitFor('a connection', () => session.alpnProtocol);
    assert.equal(session.alpnProtocol, 'h2');
    const polls = range(few).map(() => poll(session, org, cursor));
    await stack.waiters(few, 30_000);
    const one = event(org);
    await stack.store(one);
    for (const { answer } of polls) assert.deepEqual((await answer).json.events.map(({ eventId }) => eventId), [one.eventId]);
    session.close();
  });

  stack.test(`${server}: HTTP/2: a stream that is cancelled, and a connection that closes, free their waiters at once`, async (t) => {
    const session = connect(stack);
    const first = poll(session, stack.org());
    await stack.waiters(1);
    first.stream.close(http2.constants.NGHTTP2_CANCEL);
    await stack.freed(t);
    poll(session, stack.org());
    poll(session, stack.org());
    await stack.waiters(2);
    session.destroy();
    await stack.freed(t);
  }, { skip: stack.web.deaf });

  stack.test(`${server}: HTTP/1.1 over TLS: so does a connection that closes`, async (t) => {
    const socket = tls.connect({ port: stack.lanes[0].port, host: '127.0.0.1', ca });
    socket.on('error', () => {});
    let text = '';
    socket.on('data', (part) => (text += part));
    socket.write('GET /healthz?live HTTP/1.1\r\nHost: x\r\n\r\n');
    await waitFor('an answer', () => text.includes('\r\n\r\n'));
    socket.write(`GET /tasks/realtime/subscribe HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${stack.token({ org: stack.org() })}\r\n\r\n`);
    await stack.waiters(1);
    socket.end();
    await stack.freed(t);
  }, { skip: stack.web.deaf });
}
