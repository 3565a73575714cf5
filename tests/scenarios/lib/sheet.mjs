// sheet.mjs: the one table. What is measured is listed in rows.mjs; a cell is what was
// measured there in one column, and whether that is good enough. Nothing is written into
// a cell but by a measurement; a cell of ours that stays empty is a failure.
//
// What is right but not within its bounds of time is measured a second time (run.mjs), by
// the same bounds: what else the machine had to do is not what the row is about. The cell
// then has both. What is lost, double or wrong in either measurement is a failure.
import os from 'node:os';
import { rows } from '../rows.mjs';

export const columns = ['ours', 'baseline'];
const names = new Map(rows.map((row) => [row.key, row]));

export class Sheet {
  #cells = new Map(); // key → column → { measured, pass, late, skipped }
  begun = Date.now();

  cell(key, column, measured, right, timely = true) {
    const cell = { measured, pass: Boolean(right && timely), late: Boolean(right && !timely), load: os.loadavg()[0] };
    const first = this.at(key, column);
    this.#put(key, column, first?.again ? second(first, cell) : cell);
  }

  skip(key, column, why) {
    this.#put(key, column, { measured: why, skipped: true });
  }

  at(key, column) {
    return this.#cells.get(key)?.[column];
  }

  // A case that broke off: what it would have measured has failed, by these words, as if
  // it came too late: the first time it is measured again.
  broke(keys, column, error) {
    for (const key of keys) if (!this.at(key, column) || this.at(key, column).again) this.cell(key, column, `broke off: ${error.message.split('\n')[0].slice(0, 120)}`, true, false);
  }

  // The rows of KEYS are about to be measured once more.
  again(keys, column) {
    for (const key of keys) this.at(key, column).again = true;
  }

  #put(key, column, cell) {
    if (!names.has(key)) throw new Error(`rows.mjs has no row ${key}`);
    if (this.at(key, column) && !this.at(key, column).again) throw new Error(`the row ${key} was measured twice for ${column}`);
    this.#cells.set(key, { ...this.#cells.get(key), [column]: cell });
    const word = cell.skipped ? 'skipped' : cell.pass ? 'ok' : column === 'ours' ? 'FAILED' : 'fails';
    console.error(`[${String(Math.round((Date.now() - this.begun) / 1000)).padStart(3)} s] ${column === 'ours' ? '' : `${column}: `}${names.get(key).what}: ${cell.measured}: ${word}`);
  }

  // { passed, failed, skipped }: of our column, of the rows that were asked for.
  counts(keys) {
    const cells = keys.map((key) => this.at(key, 'ours') ?? { pass: false });
    const skipped = cells.filter((cell) => cell.skipped).length;
    const passed = cells.filter((cell) => cell.pass).length;
    return { passed, skipped, failed: cells.length - passed - skipped };
  }

  text(keys) {
    const head = ['', 'what', "playbook's target", 'ours', 'measured', '', 'baseline, measured', ''];
    const lines = rows.filter(({ key }) => keys.includes(key)).map((row) => [row.scenario, row.what, row.playbook, row.ours, ...this.#show(row.key, 'ours'), ...this.#show(row.key, 'baseline')]);
    return layOut([head, ...lines], [5, 30, 25, 34, 52, 4, 44, 5]);
  }

  #show(key, column) {
    const cell = this.at(key, column);
    if (!cell) return column === 'ours' ? ['not measured', 'FAIL'] : ['', ''];
    return [cell.measured, cell.skipped ? 'skip' : cell.pass ? 'pass' : column === 'ours' ? 'FAIL' : 'fails'];
  }
}

// What stands in a cell that was measured twice.
function second(first, cell) {
  if (first.pass && (cell.pass || cell.late)) return { ...first, again: false };
  return { ...cell, pass: cell.pass && (first.pass || first.late), measured: `${cell.measured}; the first time, at load ${first.load.toFixed(1)}: ${first.measured}` };
}

// Cells are broken into lines at spaces; a rule below the head and between scenarios.
function layOut(table, widths) {
  const rule = widths.map((width) => '─'.repeat(width)).join('─┼─');
  const out = [];
  table.forEach((row, i) => {
    if (i > 0 && row[0] !== table[i - 1][0]) out.push(rule);
    const cells = row.map((cell, column) => wrap(i > 1 && column === 0 && table[i - 1][0] === cell ? '' : cell, widths[column]));
    for (let line = 0; line < Math.max(...cells.map((each) => each.length)); line++) out.push(cells.map((each, column) => (each[line] ?? '').padEnd(widths[column])).join(' │ ').trimEnd());
  });
  return out.join('\n');
}

function wrap(text, width) {
  const lines = [''];
  for (const word of String(text).split(' ')) {
    const last = lines.at(-1);
    if (last === '') lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
