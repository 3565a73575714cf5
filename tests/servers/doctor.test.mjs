// bellhopctl doctor through each web server: nothing is bad behind deploy/'s
// configurations, over TLS with HTTP/2 too; and what Apache does by itself where
// a line of them is missing.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import path from 'node:path';
import { after, test } from 'node:test';
import { build, Stack } from '../lib/stack.mjs';

const user = ['--web-user', process.getuid() === 0 ? 'root' : execFileSync('id', ['-un'], { encoding: 'utf8' }).trim()];
const conf = { broker: { poll_seconds: 6, poll_jitter_ms: 100, heartbeat_seconds: 2, waiters: 400 } };

const look = (stack, ...args) => new Promise((resolve) => {
  const all = ['-c', stack.lanes[0].conf, 'doctor', '--json', '--url', stack.url, ...user, ...args];
  execFile(path.join(build, 'bellhopctl'), all, { timeout: 90_000 }, (error, stdout, stderr) => {
    assert.ok(stdout, stderr);
    resolve({ code: error?.code ?? 0, stderr, ...JSON.parse(stdout) });
  });
});

async function started(options) {
  const stack = await Stack.start({ conf, ...options });
  after(() => stack.stop());
  return stack;
}

const has = (report, check, verdict, words) =>
  assert.ok(report.checks.some((c) => c.check === check && c.verdict === verdict && words.test(`${c.found}; ${c.remedy}`)), `${verdict} ${check} ${words}\n${JSON.stringify(report.checks, null, 1)}`);

for (const server of ['lighttpd-spawn', 'apache-proxy', 'apache-fcgid', 'nginx']) {
  test(`nothing is bad behind ${server}`, { timeout: 120_000 }, async () => {
    const report = await look(await started({ server }));
    assert.deepEqual(report.checks.filter(({ verdict }) => verdict === 'bad'), []);
    for (const words of [/an idle poll lasts/, /a stream flows/]) has(report, 'waiting', 'ok', words);
    for (const check of ['worker socket', 'worker', 'url', 'request id', 'cors', 'headers', 'bodies']) has(report, check, 'ok', /./);
    has(report, 'authorization', 'ok', /a token of ours is taken/);
  });
}

test('Apache without CGIPassAuth', { timeout: 120_000 }, async () => {
  const stack = await started({ server: 'apache-proxy', web: '<LocationMatch "^/">\nCGIPassAuth Off\n</LocationMatch>' });
  has(await look(stack, '--quick'), 'authorization', 'bad', /header is lost.*CGIPassAuth On/);
});

test('mod_fcgid that gathers, and takes 128 KiB', { timeout: 120_000 }, async () => {
  const stack = await started({ server: 'apache-fcgid', web: 'FcgidOutputBufferSize 65536\nFcgidMaxRequestLen 131072' });
  const report = await look(stack);
  has(report, 'waiting', 'bad', /first bytes.*FcgidOutputBufferSize 0/);
  has(report, 'bodies', 'bad', /refused on the way: (500|413).*FcgidMaxRequestLen/);
});

test('a certificate that nobody has signed', { timeout: 120_000 }, async () => {
  const { mkdtempSync, rmSync } = await import('node:fs');
  const dir = mkdtempSync('/tmp/bellhop-tls-');
  after(() => rmSync(dir, { recursive: true }));
  const [cert, key] = [path.join(dir, 'cert.pem'), path.join(dir, 'key.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const secure = await started({ server: 'lighttpd', tls: { cert, key } });
  has(await look(secure, '--quick'), 'url', 'bad', /certificate/i);
  const trusting = await look(secure, '--quick', '--insecure');
  has(trusting, 'url', 'ok', /over HTTP\/2/);
  assert.equal(trusting.code, 0);
});
