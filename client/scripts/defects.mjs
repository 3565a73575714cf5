// docs/defects.md: every number is there once, and every test that it names exists.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const client = fileURLToPath(new URL('..', import.meta.url));
const text = readFileSync(`${client}docs/defects.md`, 'utf8');
const wrong = [];

const rows = text
  .split('\n')
  .map((line) => /^\| ([SCP]\d+) \| (.+) \| (.+) \|$/.exec(line))
  .filter(Boolean);
const wanted = Object.entries({ S: 37, C: 45, P: 23 }).flatMap(([letter, n]) =>
  Array.from({ length: n }, (_, i) => `${letter}${i + 1}`),
);
const found = rows.map(([, number]) => number);
for (const number of wanted) {
  const times = found.filter((other) => other === number).length;
  if (times !== 1) wrong.push(`${number} is there ${times} times`);
}

// A quote may be written with a backslash in the source.
const plain = (source) => source.replaceAll("\\'", "'");
let references = 0;
for (const [, number, , settled] of rows) {
  const named = [...settled.matchAll(/`([\w./-]+):: ([^`]+)`/g)];
  if (!named.length && !/^as [SCP]\d+$/.test(settled)) wrong.push(`${number} names nothing that settles it`);
  for (const [, path, title] of named) {
    references++;
    const file = [`${client}${path}`, `${client}../${path}`].find(existsSync);
    if (!file) wrong.push(`${number}: there is no ${path}`);
    else if (!plain(readFileSync(file, 'utf8')).includes(title))
      wrong.push(`${number}: ${path} has no "${title}"`);
  }
}

for (const line of wrong) console.error(`docs/defects.md: ${line}`);
console.log(`${wanted.length} defects, ${references} references, ${wrong.length} wrong`);
process.exit(wrong.length ? 1 : 0);
