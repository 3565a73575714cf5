// Alerts and dashboard: well-formed, each alert tried, and asking only for what
// a running Bellhop tells. A real Prometheus scrapes one, has the rules, and
// answers every panel's question.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { request } from '../lib/http.mjs';
import { event, freePort, root, Stack } from '../lib/stack.mjs';
import { Subscriber } from '../lib/subscriber.mjs';
import { range, waitFor } from '../lib/wait.mjs';

const run = promisify(execFile);
const at = (name) => path.join(root, name);
const rulesFile = at('deploy/prometheus/bellhop.rules.yml');
const rules = fs.readFileSync(rulesFile, 'utf8');
const dashboard = JSON.parse(fs.readFileSync(at('deploy/grafana/bellhop.json'), 'utf8'));
const panels = dashboard.panels.filter(({ type }) => type !== 'row');

// Grafana's own words, as it would fill them in.
const filled = (expr) => expr.replaceAll('$__rate_interval', '30s').replaceAll(/\$(instance|domain)\b/g, '.*');
const questions = panels.flatMap((panel) => panel.targets.map(({ expr }) => ({ title: panel.title, expr })));
const alerts = [...rules.matchAll(/- alert: (\w+)\n\s+expr: (.*)/g)].map(([, name, expr]) => ({ name, expr }));

const stack = await Stack.forFile({ server: 'lighttpd' });
const token = () => stack.token({ sub: 'prometheus', scope: 'realtime:metrics' });

// Something of everything: publishes, deliveries, a duplicate, refusals, telemetry.
const org = stack.org();
const s = new Subscriber(stack, { org }).start();
await stack.waiters(1);
const use = async () => {
  const one = event(org);
  await stack.store(one);
  await stack.store(one);
  await stack.publish({ eventId: 'no' });
  await stack.request('/telemetry/client', { method: 'POST', body: '{"eventType":"gap","domain":"tasks"}', headers: { 'content-type': 'application/json' } });
};
await use();

// "name{label="value",…} number" lines, as { name, labels }.
async function samples() {
  const { text } = await stack.request('/metrics', { token: token() });
  return text.split('\n').filter((line) => line && !line.startsWith('#')).map((line) => {
    const [, name, list = ''] = /^(\w+)(?:\{(.*)\})? /.exec(line);
    return { name, labels: Object.fromEntries([...list.matchAll(/(\w+)="([^"]*)"/g)].map(([, k, v]) => [k, v])) };
  });
}

// Each `name{matchers}` of an expression.
const selectors = (expr) => [...expr.matchAll(/\b(bellhop_\w+)(?:\{([^}]*)\})?/g)].map(([, name, list = '']) => ({
  name, matchers: [...list.matchAll(/(\w+)(=~|=)"([^"]*)"/g)].map(([, label, op, value]) => ({ label, op, value })),
}));

stack.test('alerts and dashboard ask for nothing that Bellhop doesn\'t tell', async () => {
  const known = await samples();
  const matches = ({ labels }, { label, op, value }) =>
    label === 'instance' || label === 'job' || (op === '=' ? labels[label] === value : new RegExp(`^(${value})$`).test(labels[label] ?? ''));
  for (const { expr, name, title } of [...alerts, ...questions]) {
    for (const selector of selectors(filled(expr))) {
      const found = known.some((sample) => sample.name === selector.name && selector.matchers.every((m) => matches(sample, m)));
      assert.ok(found, `${name ?? title}: nothing is told as ${selector.name} ${JSON.stringify(selector.matchers)}`);
    }
  }
  // Grafana's variables, too.
  for (const { definition } of dashboard.templating.list.filter(({ type }) => type === 'query')) {
    const [, name, label] = /^label_values\((\w+), (\w+)\)$/.exec(definition);
    assert.ok(known.some((sample) => sample.name === name && (label === 'instance' || label in sample.labels)), definition);
  }
});

test('every figure that Bellhop tells is on the dashboard, or is left out for a reason', async () => {
  const leftOut = {
    bellhop_subscribes_total: 'what becomes of them is shown',
    bellhop_events_expired_total: 'leaving memory by age is as it should be',
    bellhop_channel_waiters_limit: 'a constant', bellhop_user_waiters_limit: 'a constant',
    bellhop_publisher_events_limit: 'a constant', bellhop_org_events_limit: 'a constant', bellhop_body_bytes_limit: 'a constant',
    bellhop_bad_messages_total: 'an alert says so', bellhop_publish_requests_total: 'their events are shown',
    bellhop_broker_connections: 'constant', bellhop_broker_last_seq: 'the lag is shown', bellhop_log_last_seq: 'the rows are shown',
  };
  const shown = new Set(questions.flatMap(({ expr }) => selectors(expr).map(({ name }) => name.replace(/_bucket$/, ''))));
  const told = new Set((await samples()).map(({ name }) => name.replace(/_(bucket|sum|count)$/, '')));
  assert.deepEqual([...told].filter((name) => !shown.has(name) && !(name in leftOut)), []);
});

test('the rules are well-formed, and each alert was tried', async () => {
  await run('promtool', ['check', 'rules', rulesFile]);
  await run('promtool', ['test', 'rules', at('tests/monitoring/rules.test.yml')]);
  const tried = fs.readFileSync(at('tests/monitoring/rules.test.yml'), 'utf8');
  const fired = new Set([...tried.matchAll(/alertname: (\w+)\n\s+exp_alerts:\n\s+- exp_labels/g)].map(([, name]) => name));
  assert.deepEqual(alerts.map(({ name }) => name).filter((name) => !fired.has(name)), [], 'alerts that no test lets fire');
  assert.equal(alerts.length, rules.match(/- alert:/g).length);
  const guide = fs.readFileSync(at('docs/operate.md'), 'utf8');
  assert.deepEqual(alerts.map(({ name }) => name).filter((name) => !guide.includes(`\`${name}\``)), [], 'alerts that docs/operate.md doesn\'t know');
});

test('the dashboard is one that Grafana takes', () => {
  const ids = dashboard.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, 'each panel has an id of its own');
  assert.ok(dashboard.uid && dashboard.title && dashboard.schemaVersion >= 30);
  for (const panel of panels) {
    assert.ok(panel.targets.length > 0 && panel.title, JSON.stringify(panel.gridPos));
    assert.ok(panel.targets.every(({ datasource }) => datasource.uid === '${datasource}'), 'no data source of one machine');
  }
  // No two in one place.
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) => range(w).flatMap((i) => range(h).map((j) => `${x + i},${y + j}`)));
  assert.equal(new Set(cells).size, cells.length, 'panels lie over each other');
  assert.ok(dashboard.panels.every(({ gridPos: { x, w } }) => x + w <= 24));
});

stack.test('a Prometheus scrapes it, loads the rules, and answers every panel', async () => {
  const dir = stack.file('prometheus');
  fs.mkdirSync(dir);
  fs.writeFileSync(path.join(dir, 'token'), token());
  const scrape = fs.readFileSync(at('deploy/prometheus/scrape.yml'), 'utf8')
    .replace('scheme: https', 'scheme: http').replaceAll('/etc/prometheus/bellhop.token', path.join(dir, 'token'))
    .replace('app.example.com', `127.0.0.1:${stack.lanes[0].port}`);
  const conf = path.join(dir, 'prometheus.yml');
  fs.writeFileSync(conf, `global: { scrape_interval: 1s, evaluation_interval: 1s }\nrule_files: [ ${rulesFile} ]\nscrape_configs:\n${scrape.replace(/^(?=.)/gm, '  ')}`);
  execFileSync('promtool', ['check', 'config', conf]);
  const port = await freePort();
  const log = fs.openSync(stack.file('prometheus.log'), 'w');
  const child = spawn('prometheus', [`--config.file=${conf}`, `--storage.tsdb.path=${dir}/data`, `--web.listen-address=127.0.0.1:${port}`], { stdio: ['ignore', log, log] });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  after(() => child.kill('SIGKILL'));
  const ask = async (expr) => (await request(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expr)}`)).json;
  try {
    await waitFor('Prometheus to have seen Bellhop', async () => {
      const json = await ask('up{job="bellhop"} == 1').catch(() => null);
      return json?.data?.result.length === 1;
    }, { ms: 40_000, every: 200 });
    // A rate wants two samples that differ.
    await use();
    const silent = new Set(questions.map(({ expr }) => expr));
    await waitFor(() => `answers to\n${[...silent].join('\n')}`, async () => {
      await use();
      for (const expr of silent) {
        const json = await ask(filled(expr));
        assert.equal(json.status, 'success', `${expr}: ${json.error}`);
        if (json.data.result.length > 0) silent.delete(expr);
      }
      return silent.size === 0;
    }, { ms: 30_000, every: 500 });
    const { json } = await request(`http://127.0.0.1:${port}/api/v1/rules`);
    const loaded = json.data.groups.flatMap((group) => group.rules);
    assert.deepEqual(loaded.map(({ name }) => name).sort(), alerts.map(({ name }) => name).sort());
    const unwell = loaded.filter(({ health }) => health === 'err');
    assert.deepEqual(unwell, []);
    // All is well there: so none of those that page fires or is about to.
    const up = ['BellhopUnreachable', 'BellhopBrokerDown', 'BellhopLag', 'BellhopTwoBuilds', 'BellhopNearlyFull', 'BellhopErrors'];
    assert.deepEqual(loaded.filter(({ name, state }) => up.includes(name) && state !== 'inactive' && state !== 'unknown').map(({ name }) => name), []);
  } finally {
    child.kill('SIGTERM');
    await ended;
    await s.stop();
  }
}, { timeout: 120_000 });
