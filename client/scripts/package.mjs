// The package as npm would publish it, looked at by publint and attw. Packed here, since attw's own way of packing
// reads what only some versions of npm print.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const folder = mkdtempSync(path.join(tmpdir(), 'bellhop-client-'));
const run = (...command) => {
  const { status, error } = spawnSync(command[0], command.slice(1), { stdio: 'inherit' });
  if (error) console.error(error.message);
  return status === 0;
};
const bin = (name) => path.join('node_modules/.bin', name);

let good = run('npm', 'pack', '--silent', '--pack-destination', folder);
if (good) {
  const archive = path.join(folder, readdirSync(folder)[0]);
  const linted = run(bin('publint'), 'run', archive, '--strict');
  const typed = run(bin('attw'), archive, '--profile', 'esm-only', '--no-emoji');
  good = linted && typed;
}
rmSync(folder, { recursive: true, force: true });
process.exit(good ? 0 : 1);
