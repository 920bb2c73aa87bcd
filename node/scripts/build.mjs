// Builds the native addon with cargo and puts it beside the package. Needs nothing but cargo, so that installing from a
// checkout works without our development tools. `--dev` builds without optimisation; `--built` takes what cargo has built.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { copyFileSync, existsSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = join(dirname(fileURLToPath(import.meta.url)), '..');
const root = join(here, '..');
const manifest = join(root, 'bindings', 'node', 'Cargo.toml');

if (process.argv.includes('--checkout-only') && !existsSync(manifest)) process.exit(0);

const dev = process.argv.includes('--dev');
const cargo = (args) => execFileSync('cargo', args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 });

if (!process.argv.includes('--built')) cargo(['build', '--package', 'tokenbook-node', ...(dev ? [] : ['--release'])]);
const metadata = JSON.parse(cargo(['metadata', '--no-deps', '--format-version', '1']).toString());
const library = { darwin: 'libtokenbook_node.dylib', win32: 'tokenbook_node.dll' }[process.platform] ?? 'libtokenbook_node.so';
const built = join(metadata.target_directory, dev ? 'debug' : 'release', library);

// Renamed into place: a running process keeps the addon that it has mapped.
const { triple } = createRequire(import.meta.url)('../triple.cjs');
const target = join(here, `tokenbook.${triple()}.node`);
copyFileSync(built, `${target}.new`);
renameSync(`${target}.new`, target);
console.log(`built ${target.slice(root.length + 1)}`);
