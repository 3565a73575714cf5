// bellhopctl doctor: it finds nothing wrong where nothing is, and each kind of
// fault where there is one: in the web server, which is really broken here, and
// in sockets, keys, limits, log and clock.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';
import { build, event, Stack } from '../lib/stack.mjs';
import { range, waitFor } from '../lib/wait.mjs';

const setenv = 'server.modules += ( "mod_setenv" )\n';
const host = (lane) => `fastcgi.server := ( "/" => (( "socket" => "worker${lane}.sock", "check-local" => "disable", "fix-root-scriptname" => "enable", "read-timeout" => 1 )) )`;
const lanes = {
  sound: '',
  gathers: '$HTTP["url"] =~ "stream" { server.stream-response-body = 0 }',
  impatient: host(2),
  forgetful: `${setenv}setenv.set-request-header = ( "Authorization" => "" )`,
  narrow: 'server.max-request-size := 1024\nserver.max-request-field-size := 4096',
  eager: `${setenv}setenv.add-response-header = ( "Access-Control-Allow-Origin" => "http://localhost:5173", "X-Request-ID" => "web" )`,
};
const names = Object.keys(lanes);

// Short waits, so that the real ones can be waited for.
const stack = await Stack.forFile({
  lanes: names.length,
  server: 'lighttpd',
  web: Object.values(lanes),
  conf: { broker: { poll_seconds: 6, poll_jitter_ms: 100, heartbeat_seconds: 2 } },
});

const root = process.getuid() === 0;
const needsRoot = root ? false : 'only root can see with another user\'s eyes';

// All that it told; and it never tells a secret.
function doctor(conf, ...args) {
  return new Promise((resolve) => {
    const all = ['-c', conf, 'doctor', '--json', ...args];
    execFile(path.join(build, 'bellhopctl'), all, { timeout: 60_000 }, (error, stdout, stderr) => {
      assert.doesNotMatch(stdout + stderr, /eyJ[\w-]+\.[\w-]+\.|Sanitizer/);
      assert.ok(!stdout.includes(stack.keys.hs.file.slice(0, 12)), 'the key itself');
      const report = JSON.parse(stdout || '{}');
      const found = (check, verdict, words) => report.checks.some((c) => c.check === check && c.verdict === verdict && words.test(`${c.found}; ${c.remedy}`));
      resolve({ code: error?.code ?? 0, ...report, stdout, stderr, found });
    });
  });
}
const here = ['--web-user', root ? 'root' : execFileSync('id', ['-un'], { encoding: 'utf8' }).trim()];
const look = (...args) => doctor(stack.lanes[0].conf, ...here, ...args);
const bad = (report) => report.checks.filter(({ verdict }) => verdict === 'bad');

function has(report, check, verdict, words) {
  assert.ok(report.found(check, verdict, words), `${verdict} ${check} ${words}\n${JSON.stringify(report.checks, null, 1)}\n${report.stderr}`);
  assert.equal(report.code, verdict === 'bad' ? 1 : report.code);
}

// A configuration of its own, without anything that runs: TEXT replaces parts.
let copies = 0;
function copy(change) {
  const name = stack.file(`copy${++copies}.conf`);
  fs.writeFileSync(name, change(fs.readFileSync(stack.lanes[0].conf, 'utf8')));
  return name;
}

// Each web server is asked by its own worker's configuration, all at once.
await stack.store(event(stack.org()));
const through = Object.fromEntries(await Promise.all(names.map(async (name, i) =>
  [name, await doctor(stack.lanes[i].conf, ...here, '--url', `${stack.lanes[i].url}/`)])));

stack.test('nothing is wrong with an installation that is well', () => {
  assert.deepEqual(bad(through.sound), []);
  assert.equal(through.sound.code, 0);
  for (const words of [/a token of ours is taken/, /wrong token is refused/]) has(through.sound, 'authorization', 'ok', words);
  for (const words of [/an idle poll lasts: [67]/, /a stream flows/]) has(through.sound, 'waiting', 'ok', words);
  for (const check of ['configuration', 'keys', 'log', 'disk', 'integrity', 'lock', 'programs', 'descriptors', 'broker socket', 'broker',
    'worker socket', 'worker', 'load', 'refusals', 'telemetry', 'url', 'request id', 'cors', 'headers', 'bodies']) has(through.sound, check, 'ok', /./);
});

stack.test('a web server that gathers streams', () => {
  has(through.gathers, 'waiting', 'bad', /first bytes.*stream-response-body = 1/);
  has(through.gathers, 'waiting', 'ok', /an idle poll lasts/);
  assert.equal(bad(through.gathers).length, 1);
});

stack.test('a web server whose timeout is shorter than a poll', () => {
  has(through.impatient, 'waiting', 'bad', /a poll was cut after .* raise its timeout/);
});

stack.test('a web server that loses the Authorization header', () => {
  has(through.forgetful, 'authorization', 'bad', /Authorization header is lost.*CGIPassAuth On/);
});

stack.test('a web server that lets less through than a client may send', () => {
  has(through.narrow, 'bodies', 'bad', /refused on the way: 413/);
  has(through.narrow, 'headers', 'bad', /refused on the way: 4/);
});

stack.test('a web server that adds headers of its own', () => {
  has(through.eager, 'cors', 'bad', /two Access-Control-Allow-Origin/);
  has(through.eager, 'request id', 'warn', /comes back twice/);
});

stack.test('what isn\'t there, and what isn\'t Bellhop', async () => {
  const none = await look('--quick', '--url', 'http://127.0.0.1:1');
  has(none, 'url', 'bad', /127\.0\.0\.1:1: /);
  const web = await import('node:http').then(({ createServer }) => createServer((req, res) => {
    res.writeHead(req.url.includes('cursor') ? 404 : 301, { location: 'https://elsewhere.example/' });
    res.end('<html>');
  }));
  await new Promise((resolve) => web.listen(0, '127.0.0.1', resolve));
  const other = await look('--quick', '--url', `http://127.0.0.1:${web.address().port}`);
  web.close();
  has(other, 'url', 'bad', /answered with 404, and not by a worker/);
  has(other, 'authorization', 'bad', /leads elsewhere: 301, Location: https:/);
  has(await look('--quick'), 'url', 'skipped', /no --url/);
});

stack.test('lines for people: a verdict, a check, a remedy; colours on a terminal alone', async () => {
  const ctl = path.join(build, 'bellhopctl');
  const text = execFileSync(ctl, ['-c', stack.lanes[0].conf, 'doctor', '--quick', ...here], { encoding: 'utf8' });
  for (const line of text.trim().split('\n').slice(0, -1)) assert.match(line, /^(ok|warn|bad|skipped) +[a-z]/);
  assert.match(text, /\d+ ok, \d+ to look at, 0 bad, \d+ skipped\n$/);
  const tty = execFileSync('script', ['-qec', `${ctl} -c ${stack.lanes[0].conf} doctor --quick ${here.join(' ')}`, '/dev/null'], { encoding: 'utf8', env: { ...process.env, TERM: 'xterm', NO_COLOR: '' } });
  assert.match(tty, /\x1b\[32mok/);
});

// ---- sockets ----

stack.test('sockets that others may not, or everybody may, connect to', async () => {
  const closed = await doctor(stack.lanes[0].conf, '--quick', '--web-user', 'nobody');
  has(closed, 'worker socket', 'bad', /nobody .*may not connect: Permission denied.*let that user into this folder/);
  fs.chmodSync(stack.dir, 0o755);
  has(await doctor(stack.lanes[0].conf, '--quick', '--web-user', 'nobody'), 'worker socket', 'bad', /may not connect.*into the socket's group/);
  fs.chmodSync(stack.file('worker0.sock'), 0o666);
  has(await doctor(stack.lanes[0].conf, '--quick', '--web-user', 'nobody'), 'worker socket', 'bad', /0666.*any local user may pass for the web server/);
  fs.chmodSync(stack.file('worker0.sock'), 0o660);
  fs.chmodSync(stack.dir, 0o700);
  has(await doctor(stack.lanes[0].conf, '--quick', '--web-user', 'no-such-user'), 'worker socket', 'bad', /there is no user/);
}, { skip: needsRoot });

// ---- keys and configuration ----

stack.test('keys that are open, short, made up, or two of one', async () => {
  fs.chmodSync(stack.file('hs.key'), 0o644);
  has(await look('--quick'), 'keys', 'bad', /every user may read this secret/);
  fs.chmodSync(stack.file('hs.key'), 0o600);
  fs.chmodSync(stack.file('rs.key'), 0o666);
  has(await look('--quick'), 'keys', 'bad', /others may put a key of theirs there/);
  fs.chmodSync(stack.file('rs.key'), 0o600);
  fs.writeFileSync(stack.file('made-up.key'), 'secret'.repeat(10), { mode: 0o600 });
  fs.writeFileSync(stack.file('short.key'), 'a0b1c2d3e4f5g6h7', { mode: 0o600 });
  const key = (kid, file) => `\nkey "${kid}" { algorithm = "HS256" file = "${file}" }\n`;
  const report = await doctor(copy((text) => text + key('m', 'made-up.key') + key('s', 'short.key') + key('d', 'hs.key') + key('n', 'none.key')), '--quick', ...here);
  has(report, 'keys', 'bad', /made-up\.key: long enough, but of a few characters/);
  has(report, 'keys', 'bad', /short\.key: the secret has 16 bytes/);
  has(report, 'keys', 'warn', /hs\.key: is the key of two kids/);
  has(report, 'keys', 'bad', /none\.key: No such file/);
});

stack.test('a configuration with mistakes', async () => {
  const report = await doctor(copy((text) => `${text}\nbroker { poll_seconds = 0 }\nfrob = 1\n`), ...here);
  has(report, 'configuration', 'bad', /broker\.poll_seconds/);
  has(report, 'configuration', 'bad', /frob/);
  has(report, 'broker', 'skipped', /configuration/);
  const off = await doctor(stack.lanes[0].conf, '--quick', ...here, '--domain', 'nothing');
  has(off, 'configuration', 'bad', /no domain nothing/);
});

// ---- descriptors and waiters ----

stack.test('too few descriptors', async () => {
  const pid = stack.pid('broker');
  const limits = (n) => execFileSync('prlimit', ['--pid', pid, `--nofile=${n}`]);
  const [soft, hard] = /Max open files\s+(\d+)\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/limits`, 'utf8')).slice(1);
  limits(`${stack.descriptors() + 4}:${hard}`);
  has(await look('--quick'), 'descriptors', 'bad', /broker \d+: \d+ of \d+ in use; raise LimitNOFILE/);
  limits(`${soft}:${hard}`);
  has(await look('--quick'), 'descriptors', 'warn', /broker\.waiters isn't set/);
  // lighttpd's own limit is met first: without --web-user the running ones are looked at.
  const web = stack.pid('web0');
  execFileSync('prlimit', ['--pid', web, `--nofile=400:${hard}`]);
  const many = await doctor(copy((text) => text.replace(/broker \{/, 'broker {\n    waiters = 300')), '--quick');
  execFileSync('prlimit', ['--pid', web, `--nofile=${soft}:${hard}`]);
  if (root) has(many, 'worker socket', 'warn', /lighttpd may have \d+ descriptors, and broker\.waiters = 300 takes 600/);
  const greedy = copy((text) => text.replace(/broker \{/, `broker {\n    waiters = ${Number(hard) + 1}`));
  has(await doctor(greedy, '--quick', ...here), 'descriptors', 'bad', /broker\.waiters = \d+ needs \d+/);
});

// ---- the log ----

stack.test('a log that everybody may read, or that somebody keeps locked', async () => {
  fs.chmodSync(stack.log, 0o644);
  has(await look('--quick'), 'log', 'bad', /every user may read or write all events/);
  fs.chmodSync(stack.log, 0o600);
  const holder = spawn('flock', [`${stack.log}.lock`, 'sleep', '30']);
  after(() => holder.kill());
  // Its child holds the lock's descriptor, too: both have to go.
  await waitFor('the lock to be held', () => {
    try {
      execFileSync('flock', ['-n', `${stack.log}.lock`, 'true']);
      return false;
    } catch {
      return true;
    }
  });
  has(await look('--quick'), 'lock', 'bad', /process \d+ has held .*\.lock for two seconds/);
  execFileSync('sh', ['-c', `kill $(cat /proc/${holder.pid}/task/${holder.pid}/children) ${holder.pid}`]);
  has(await look('--quick'), 'lock', 'ok', /comes free/);
});

stack.test('a log that is another, damaged, or from the future', async () => {
  const away = stack.file('away.db');
  execFileSync(path.join(build, 'bellhopctl'), ['-c', stack.lanes[0].conf, 'backup', away]);
  const conf = copy((text) => text.replace('"log.db"', '"away.db"'));
  execFileSync('sqlite3', [away, "UPDATE log SET log_id = '0123456789abcdef'"]);
  const other = await doctor(conf, ...here);
  has(other, 'broker', 'bad', /follows another log/);
  has(other, 'programs', 'bad', /no worker has the log open/);
  execFileSync('sqlite3', [away, 'UPDATE events SET stored_at = stored_at + 7200000']);
  has(await doctor(conf, ...here), 'clock', 'bad', /clock is 7\d\d\d s behind the newest event/);
  execFileSync('sqlite3', [away, 'DROP VIEW busiest_orgs']);
  has(await doctor(conf, ...here), 'integrity', 'bad', /missing or altered: view busiest_orgs/);
  fs.truncateSync(away, 20_000);
  assert.equal((await doctor(conf, ...here)).code, 1);
  has(await doctor(copy((text) => text.replace('"log.db"', '"nowhere.db"')), '--quick', ...here), 'log', 'bad', /start a worker/);
});

// ---- a broker of another build ----

// It takes one message of each that comes, and answers with the next packet. Node
// has no sockets of packets; perl is part of every Debian.
const impostor = `use Socket;
socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0) or die; bind($s, pack_sockaddr_un(shift)) or die; listen($s, 8) or die;
$| = 1; print "ready\n";
for my $answer (@ARGV) { accept(my $c, $s) or die; recv($c, my $hello, 65536, 0); send($c, pack('H*', $answer), 0); }
sleep 60`;

stack.test('a broker that speaks another version of the protocol', async () => {
  const socket = stack.file('other.sock');
  const says = 'speak 2';
  const error = Buffer.concat([Buffer.from([1, 8, says.length, 0]), Buffer.from(says)]).toString('hex');
  const broker = spawn('perl', ['-e', impostor, socket, '0202', error], { stdio: ['ignore', 'pipe', 'inherit'] });
  after(() => broker.kill());
  await new Promise((resolve) => broker.stdout.once('data', resolve));
  const conf = copy((text) => text.replace('"broker.sock"', '"other.sock"'));
  has(await doctor(conf, '--quick', ...here), 'broker', 'bad', /another version of the protocol than this program \(1\); restart broker and workers/);
  has(await doctor(conf, '--quick', ...here), 'broker', 'bad', /it says: .*speak 2.*of one build/);
  broker.kill();
});

// ---- what is refused, what browsers say ----

stack.test('refusals and telemetry of the last hour', async () => {
  for (const i of range(3)) assert.equal((await stack.publish({ eventId: `bad-${i}` })).status, 422);
  const entry = (eventType) => ({ eventType, domain: 'tasks' });
  for (const type of ['fast_empty', 'subscribe_error']) {
    const body = JSON.stringify(range(20).map(() => entry(type)));
    for (const _ of range(2)) {
      const res = await stack.request('/telemetry/client', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
      assert.equal(res.status, 204);
    }
  }
  await waitFor('what browsers say to be stored', () => stack.query('SELECT count(*) AS n FROM telemetry')[0].n === 80);
  const report = await look('--quick');
  has(report, 'refusals', 'warn', /good token in the last hour: 3 invalid_event/);
  has(report, 'telemetry', 'warn', /40 fast_empty.*cuts polls short/);
});

// ---- what doesn't run: last, since the others need it ----

stack.test('a broker that is dead', async () => {
  await stack.kill('broker');
  const report = await look('--url', stack.url);
  has(report, 'broker', 'bad', /nobody serves it; start bellhopd/);
  has(report, 'worker', 'bad', /can't reach the broker/);
  has(report, 'programs', 'bad', /no broker has the log open/);
  has(report, 'load', 'skipped', /away/);
  has(report, 'waiting', 'bad', /a poll was answered without the broker/);
  stack.spawn('broker');
  await stack.healthy();
});

stack.test('a broker that hangs', async () => {
  process.kill(stack.pid('broker'), 'SIGSTOP');
  const report = await look('--quick').finally(() => process.kill(stack.pid('broker'), 'SIGCONT'));
  has(report, 'broker', 'bad', /no answer within 3 s.*restart it if it hangs/);
  await stack.healthy();
});

stack.test('a worker that is dead', async () => {
  await stack.kill('worker0');
  const report = await look('--quick', '--url', stack.url);
  has(report, 'worker', 'bad', /nobody serves it/);
  has(report, 'url', 'bad', /the web server can't get an answer from the worker: 503/);
  // One alone, which opens the log with its first request: none has come yet.
  const others = range(names.length).slice(1).map((i) => `worker${i}`);
  for (const other of others) await stack.kill(other);
  stack.spawn('worker0');
  await waitFor('the worker to listen', () => fs.readFileSync('/proc/net/unix', 'utf8').includes(stack.file('worker0.sock')));
  has(await look('--quick'), 'programs', 'ok', /a broker and 1 worker have the log open/);
  for (const other of others) stack.spawn(other);
  await stack.healthy();
});
