// Which tokens are refused, with what, and that nothing of one is ever logged.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { event, Stack } from '../lib/stack.mjs';
import { now, sign } from '../lib/token.mjs';

const issuer = 'https://login.example';
const audience = 'bellhop';
const stack = await Stack.forFile({ conf: { log_level: 'debug', token: { issuer, audience } } });
const { hs, rs, es } = stack.keys;

const claims = (more) => ({
  sub: 'u-1', orgId: 'org-1', scope: 'realtime:publish', iss: issuer, aud: audience, exp: now() + 600, ...more,
});
const expired = { status: 401, code: 'token_expired' };
const invalid = { status: 401, code: 'token_invalid' };
const other = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

const refused = {
  'no dots': ['nonsense', invalid],
  'empty parts': ['..', invalid],
  'not base64': ['!!!!.????.****', invalid],
  'not JSON': [sign('{"sub":', hs), invalid],
  'not an object': [sign('[]', hs), invalid],
  'alg none, unsigned': [sign(claims(), { ...hs, alg: 'none' }), invalid],
  'HS256 made with the RS256 public key': [sign(claims(), { alg: 'HS256', kid: 'rs', key: rs.file }), invalid],
  'the key of another kid': [sign(claims(), { ...hs, kid: 'es' }), invalid],
  'unknown kid': [sign(claims(), { ...hs, kid: 'nobody' }), invalid],
  'kid that is a path': [sign(claims(), { ...hs, kid: '../hs' }), invalid],
  'RS256 of another key': [sign(claims(), { ...rs, key: other }), invalid],
  'HS256 of another secret': [sign(claims(), { ...hs, key: 'x'.repeat(48) }), invalid],
  'a claim changed': [forge(sign(claims(), hs)), invalid],
  'signature cut off': [sign(claims(), hs).replace(/[^.]*$/, ''), invalid],
  'crit header': [sign(claims(), hs, { crit: ['exp'] }), invalid],
  'expired': [sign(claims({ exp: now() - 1 }), hs), expired],
  'expired long ago': [sign(claims({ exp: 1 }), es), expired],
  'without exp': [sign(claims({ exp: undefined }), hs), invalid],
  'exp a float': [sign(JSON.stringify(claims()).replace(/"exp":\d+/, `"exp":${now() + 600}.5`), hs), invalid],
  'exp a string': [sign(claims({ exp: `${now() + 600}` }), hs), invalid],
  'not yet valid': [sign(claims({ nbf: now() + 120 }), hs), invalid],
  'wrong issuer': [sign(claims({ iss: 'https://other.example' }), hs), invalid],
  'without issuer': [sign(claims({ iss: undefined }), hs), invalid],
  'wrong audience': [sign(claims({ aud: ['web', 'mobile'] }), hs), invalid],
  'without audience': [sign(claims({ aud: undefined }), hs), invalid],
  'exp twice': [sign(JSON.stringify(claims()).replace('{', `{"exp":${now() + 600},`), hs), invalid],
  '16 KB long': [sign(claims({ pad: 'x'.repeat(12_000) }), hs), invalid],
};

function forge(token) {
  const [head, body, signature] = token.split('.');
  const changed = { ...JSON.parse(Buffer.from(body, 'base64url')), orgId: 'org-2' };
  return [head, Buffer.from(JSON.stringify(changed)).toString('base64url'), signature].join('.');
}

for (const [name, [token, { status, code }]] of Object.entries(refused)) {
  stack.test(`refused: ${name}`, async () => {
    for (const res of [await stack.poll({ token, wait: 0 }), await stack.publish(event('org-1'), { token })]) {
      assert.equal(res.status, status, res.text);
      assert.equal(res.json.code, code);
      assert.equal(res.headers['content-type'], 'application/problem+json');
      assert.match(res.headers['www-authenticate'], /^Bearer/);
      assert.ok(res.headers['x-request-id']);
    }
  });
}

stack.test('refused: no token, and another scheme', async () => {
  for (const authorization of [undefined, '', 'Basic dTpw', 'Bearer']) {
    const headers = authorization === undefined ? {} : { authorization };
    const res = await stack.request('/tasks/realtime/subscribe', { headers });
    assert.equal(res.status, 401, `${authorization}: ${res.text}`);
    assert.ok(['token_missing', 'token_invalid'].includes(res.json.code));
  }
  assert.equal((await stack.request('/tasks/realtime/subscribe')).json.code, 'token_missing');
});

stack.test('taken: each algorithm, a list of audiences, a scope as an array, a little early', async () => {
  const good = [
    sign(claims(), hs), sign(claims(), rs), sign(claims(), es),
    sign(claims({ aud: ['web', audience] }), hs),
    sign(claims({ scope: ['x', 'realtime:publish'] }), hs),
    sign(claims({ nbf: now() + 10 }), hs),
  ];
  for (const token of [...good, ...good]) { // the second time from the cache
    assert.equal((await stack.poll({ token, wait: 0 })).status, 200);
    assert.equal((await stack.publish(event('org-1'), { token })).status, 200);
  }
});

stack.test('a poll does not outlive its token', async () => {
  const begun = Date.now();
  const res = await stack.poll({ token: sign(claims({ orgId: 'org-quiet', exp: now() + 2 }), hs) });
  assert.deepEqual([res.status, res.json.code], [401, 'token_expired'], res.text);
  assert.ok(Date.now() - begun < 15_000, `after ${Date.now() - begun} ms`);
});

stack.test('nothing of a token is in the logs or the database', async () => {
  const secrets = Object.values(refused).flatMap(([token]) => token.split('.')).filter((part) => part.length > 20);
  assert.ok(secrets.length > 40);
  for (const name of fs.readdirSync(stack.dir).filter((file) => /\.log$|^log\.db/.test(file))) {
    const text = fs.readFileSync(stack.file(name), 'latin1');
    assert.ok(name.includes('.lock') || name.startsWith('web') || text.length > 0, `${name} is there to be searched`);
    for (const secret of secrets) assert.ok(!text.includes(secret.slice(0, 200)), `${name} has ${secret.slice(0, 30)}`);
  }
});
