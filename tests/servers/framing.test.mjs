// What web servers can spoil: the framing of bodies, and events that are held
// back until there are more of them.
import assert from 'node:assert/strict';
import http from 'node:http';
import { event, Stack } from '../lib/stack.mjs';
import { serverNames } from '../lib/web.mjs';
import { waitFor } from '../lib/wait.mjs';

const stacks = await Promise.all(serverNames.map((server) => Stack.forFile({ server })));

for (const stack of stacks) {
  const server = stack.web.name;
  const open = (pathname, { method = 'GET', token, headers = {} }) =>
    http.request(stack.url + pathname, { method, headers: { authorization: `Bearer ${token}`, ...headers } });

  stack.test(`${server}: a publish whose length isn't told beforehand, in pieces`, async () => {
    const org = stack.org();
    const req = open('/tasks/realtime/publish', { method: 'POST', token: stack.publisher, headers: { 'content-type': 'application/json' } });
    const answer = new Promise((resolve, reject) => req.on('response', resolve).on('error', reject));
    const body = JSON.stringify(event(org, { payload: 'x'.repeat(50_000) })); // more than a web server reads ahead
    for (let i = 0; i < body.length; i += 10_000) {
      req.write(body.slice(i, i + 10_000));
      await new Promise(setImmediate);
    }
    req.end();
    const res = await answer;
    res.resume();
    assert.equal(res.statusCode, 200);
    assert.equal(stack.query(`SELECT count(*) n FROM events WHERE org_id = '${org}'`)[0].n, 1);
  });

  stack.test(`${server}: an answer's length is told in one way, and only where there is a body`, async () => {
    const org = stack.org();
    const cursor = await stack.cursor({ org });
    await stack.store(event(org));
    const framed = ({ headers }) => [headers['content-length'], headers['transfer-encoding']].filter((value) => value !== undefined).length;
    for (const res of [
      await stack.poll({ org, cursor }), await stack.poll({ org, wait: 0, cursor: null }),
      await stack.publish('{'), await stack.request('/nowhere'), await stack.request('/healthz'),
    ]) assert.equal(framed(res), 1, JSON.stringify(res.headers));
    const preflight = await stack.request('/healthz', { method: 'OPTIONS', headers: { origin: 'http://localhost:5173', 'access-control-request-method': 'GET' } });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers['transfer-encoding'], undefined);
  });

  // Apache passes a body on as it comes. Who is refused meanwhile stops sending, as curl does, and Apache
  // waits a minute for the rest: the answer has to say itself where it ends. The others read it all first.
  if (server === 'apache-proxy') stack.test(`${server}: a refusal in the middle of a body says how long it is`, async () => {
    const headers = { 'content-type': 'application/json', 'content-length': 10_000_000 };
    const req = open('/tasks/realtime/publish', { method: 'POST', token: 'wrong', headers }).on('error', () => {});
    req.write(' '.repeat(200_000));
    const res = await new Promise((resolve) => req.on('response', resolve));
    let text = '';
    for await (const part of res.setEncoding('utf8')) text += part;
    assert.equal(res.headers['content-length'], `${Buffer.byteLength(text)}`, JSON.stringify(res.headers));
    assert.equal(JSON.parse(text).code, 'token_invalid');
    req.destroy();
  });

  stack.test(`${server}: a stream's events come one by one, while it stays open`, async (t) => {
    const org = stack.org();
    const req = open('/tasks/realtime/stream', { token: stack.token({ org }), headers: { accept: 'text/event-stream', 'accept-encoding': 'gzip' } });
    let text = '';
    let ended = false;
    const res = await new Promise((resolve, reject) => req.on('response', resolve).on('error', reject).end());
    res.setEncoding('utf8').on('data', (part) => (text += part)).on('end', () => (ended = true)).on('error', () => {});
    if (res.statusCode === 404 || res.statusCode === 501) {
      req.destroy();
      t.skip(`there are no streams yet: ${res.statusCode}`);
      return;
    }
    assert.equal(res.statusCode, 200, text);
    assert.match(res.headers['content-type'], /^text\/event-stream/);
    assert.equal(res.headers['content-encoding'], undefined);
    await waitFor('the stream\'s first line', () => /^retry:/m.test(text));
    for (let i = 0; i < 3; i++) {
      const one = event(org);
      await stack.store(one);
      await waitFor(() => `event ${i}; there is ${text}`, () => text.includes(one.eventId));
      assert.equal(ended, false);
    }
    req.destroy();
  });
}
