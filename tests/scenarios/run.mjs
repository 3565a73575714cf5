#!/usr/bin/env node
// run.mjs: measure the playbook's scenarios and targets, ours and the baseline's, and
// print one table.
//
//   npm run scenarios                      all of it
//   npm run scenarios -- leader delivery   rows whose key begins so (rows.mjs)
//   npm run scenarios -- --only=baseline   one column: ours, baseline
//   npm run scenarios -- --long            preflights for ten minutes instead of four
//
// Exit: 0 where every row of ours passes or is skipped with its reason, 1 where one
// fails, 64 wrong usage, 69 something needed is missing. BELLHOP_BUILD names the folder with the programs.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build } from '../lib/stack.mjs';
import { installed, startChromium, startFirefox, startTabs } from './lib/browsers.mjs';
import { Rig } from './lib/rig.mjs';
import { columns, Sheet } from './lib/sheet.mjs';
import { cases } from './cases.mjs';
import { rows } from './rows.mjs';

// Each lane's browser.
const starts = { waiting: startChromium, measured: startChromium, tabs: startTabs, beside: startChromium, firefox: startFirefox };
const options = parse(process.argv.slice(2));
const sheet = new Sheet();

function parse(args) {
  const out = { prefixes: [], columns, long: false };
  for (const arg of args) {
    if (arg === '--long') out.long = true;
    else if (arg.startsWith('--only=') && columns.includes(arg.slice(7))) out.columns = [arg.slice(7)];
    else if (rows.some(({ key }) => key.startsWith(arg))) out.prefixes.push(arg);
    else {
      console.error(`run.mjs: no option or row is called ${arg}; the rows are\n${rows.map(({ key }) => `  ${key}`).join('\n')}`);
      process.exit(64);
    }
  }
  return out;
}

const wanted = ({ rows: keys }) => options.prefixes.length === 0 || keys.some((key) => options.prefixes.some((prefix) => key.startsWith(prefix)));

// One case in one column: on a rig of its kind and in the browser of its lane.
async function measure(each, column, { rigs, browser, pending = [] }) {
  const kind = typeof each.rig === 'function' ? each.rig(column) : (each.rig ?? column);
  const broke = (error) => {
    console.error(error);
    sheet.broke(each.rows, column, error);
  };
  let own;
  try {
    if (each.alone) own = await Rig.start(kind);
    const t = {
      column,
      browser,
      rig: own ?? (await rigs(kind)),
      long: options.long,
      // How long to wait for what is to come at last; the baseline loses some each time.
      patience: column === 'ours' ? 30_000 : 3000,
      cell: (key, measured, right, timely) => sheet.cell(key, column, measured, right, timely),
      // What is left to do is waiting: the lane goes on meanwhile.
      later: (work) => pending.push(work.catch(broke)),
    };
    await within(each.limit ?? 480_000, each.run(t));
  } catch (error) {
    broke(error);
  }
  await own?.stop().catch(broken);
}

function within(ms, work) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`not done within ${ms / 1000} s`)), ms)));
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

// The rigs of a lane are started when they are first needed.
function rigsOf(open) {
  return (kind) => {
    if (!open.has(kind)) open.set(kind, Rig.start(kind));
    return open.get(kind);
  };
}

const todo = (lane, of = options.columns) => of.flatMap((column) => cases.filter((each) => each.lane === lane && (each.on ?? columns).includes(column) && wanted(each)).map((each) => ({ each, column })));

// One after the other, in a browser of their own.
async function inTurn(lane, list, name = lane) {
  if (list.length === 0) return;
  const open = new Map();
  const browser = await starts[lane]();
  console.error(`${name}: ${browser.name}`);
  const pending = [];
  for (const { each, column } of list) await measure(each, column, { rigs: rigsOf(open), browser, pending });
  await Promise.all(pending);
  await browser.close();
  await stop(open);
}

// All at once: they wait for real time to pass, and need nothing meanwhile.
async function atOnce(lane) {
  const list = todo(lane);
  if (list.length === 0) return;
  const open = new Map();
  const browser = await starts[lane]();
  await Promise.all(list.map(({ each, column }) => measure(each, column, { rigs: rigsOf(open), browser })));
  await browser.close();
  await stop(open);
}

async function stop(open) {
  for (const rig of open.values()) await rig.then((each) => each.stop()).catch(broken);
}

// A server that did not end well: no row says so, the run does.
function broken(error) {
  console.error(error);
  process.exitCode = 1;
}

// Why Firefox is not there, or null.
async function withoutFirefox() {
  if (!installed('firefox')) return 'Firefox is not installed: apt-get install firefox-esr';
  try {
    await (await startFirefox()).close();
    return null;
  } catch (error) {
    return `Firefox can't be driven: ${error.message.split('\n')[0]}`;
  }
}

async function firefox() {
  const list = todo('firefox');
  if (list.length === 0) return;
  const why = await withoutFirefox();
  if (why) for (const { each, column } of list) for (const key of each.rows) sheet.skip(key, column, why);
  else await inTurn('firefox', list);
}

// Ours with nothing beside it but what waits; then the rest, several at a time.
async function measured() {
  const of = (column) => (lane) => inTurn(lane, todo(lane, options.columns.filter((each) => each === column)));
  const [ours, baseline] = [of('ours'), of('baseline')];
  await ours('measured');
  await ours('tabs');
  await Promise.all([baseline('measured'), baseline('tabs'), inTurn('beside', todo('beside')), firefox()]);
}

// What came late, with nothing beside it.
async function again() {
  const late = ({ rows: keys }) => keys.some((key) => sheet.at(key, 'ours')?.late);
  for (const lane of Object.keys(starts)) {
    const list = todo(lane, ['ours']).filter(({ each }) => late(each));
    for (const { each } of list) sheet.again(each.rows, 'ours');
    await inTurn(lane, list, `${lane}, once more`);
  }
}

function missing() {
  if (!installed('chromium')) return 'Chromium is needed: apt-get install chromium';
  if (!fs.existsSync(path.join(build, 'bellhopd'))) return `there is no bellhopd in ${build}: build there, or name the folder with BELLHOP_BUILD`;
  return null;
}

async function main() {
  const what = missing();
  if (what) {
    console.error(`run.mjs: ${what}`);
    process.exit(69);
  }
  await Promise.all([atOnce('waiting'), measured()]);
  if (options.columns.includes('ours')) await again();
  const keys = rows.filter(({ key }) => cases.some((each) => wanted(each) && each.rows.includes(key) && (each.on ?? columns).some((column) => options.columns.includes(column)))).map(({ key }) => key);
  console.log(`\n${sheet.text(keys)}\n`);
  console.log(`${Math.round((Date.now() - sheet.begun) / 1000)} s on ${os.cpus().length} processors, load ${os.loadavg()[0].toFixed(1)}; no hidden tab is simulated`);
  if (!options.columns.includes('ours')) return;
  const { passed, failed, skipped } = sheet.counts(keys);
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  if (failed > 0) process.exitCode = 1;
}

await main();
