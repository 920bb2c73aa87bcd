// Installs the packed packages in empty projects, as a user would, and uses them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
const packed = (ending) => readdirSync(dist).filter((name) => name.endsWith(ending)).map((name) => join(dist, name));
const run = (command, args, options = {}) => execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options });

let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'tokenbook-consumer-'));
});
after(() => rmSync(folder, { recursive: true }));

test('a Node project loads the packed packages as ESM and as CommonJS', () => {
  writeFileSync(join(folder, 'package.json'), '{"name": "consumer", "private": true}');
  const tarballs = packed('.tgz');
  assert.equal(tarballs.length, 2, 'the package and its addon');
  run('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--silent', ...tarballs], { cwd: folder });

  const use = `
    const cost = tokenbook.cost({ model: 'gpt-4o', usage: { input_tokens: 1000, output_tokens: 100 }, at: '2026-11-20T00:00:00Z' });
    const book = new tokenbook.Ledger('ledger-' + process.argv[2] + '.db');
    const call = { id: 'one', model: 'gpt-4o', agent: 'editor', usage: { input_tokens: 1000, output_tokens: 100 }, at: '2026-11-20T00:00:00Z' };
    book.record(call).then(() => book.report({ group_by: ['agent'] })).then((report) => {
      console.log(tokenbook.count('Hello, world', { model: 'gpt-4o' }), cost.total_usd, report.total.cost_usd);
    });`;
  writeFileSync(join(folder, 'use.mjs'), `import * as tokenbook from 'tokenbook';${use}`);
  writeFileSync(join(folder, 'use.cjs'), `const tokenbook = require('tokenbook');${use}`);
  for (const kind of ['mjs', 'cjs']) {
    assert.equal(run('node', [`use.${kind}`, kind], { cwd: folder }), '3 0.0035 0.0035\n', kind);
  }
});

test('a TypeScript project compiles against the packed types', () => {
  const tsc = fileURLToPath(new URL('../node/node_modules/.bin/tsc', import.meta.url));
  const types = fileURLToPath(new URL('../node/node_modules/@types', import.meta.url));
  const use = `import { Ledger, TokenbookError, cost, count } from 'tokenbook';
    const tokens: number = count('text', { encoding: 'o200k_base' });
    const price = cost({ model: 'gpt-4o', usage: { input_tokens: tokens } });
    if (price.status === 'priced') price.lines.length satisfies number;
    const book = new Ledger('ledger.db');
    export const total: Promise<string> = book.report({ group_by: ['agent'] }).then((report) => report.total.cost_usd);
    export const isOurs = (error: unknown): boolean => error instanceof TokenbookError && error.code === 'conflict';`;
  for (const name of ['use.ts', 'use.mts', 'use.cts']) writeFileSync(join(folder, name), use);
  for (const [module, moduleResolution, files] of [
    ['esnext', 'bundler', ['use.ts']],
    ['node16', 'node16', ['use.mts', 'use.cts']],
  ]) {
    const options = { module, moduleResolution, target: 'es2022', strict: true, noEmit: true, skipLibCheck: false, typeRoots: [types], types: ['node'] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files }));
    try {
      run(tsc, ['--project', folder]);
    } catch (error) {
      assert.fail(`${moduleResolution}: ${error.stdout}`);
    }
  }
});

test('a Python project imports the packed wheel', () => {
  const venv = join(folder, 'venv');
  run(process.env.PYTHON ?? 'python3', ['-m', 'venv', venv]);
  const python = join(venv, 'bin', 'python');
  const [wheel] = packed('.whl');
  run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-index', wheel]);
  const use = `
import tokenbook
usage = {"input_tokens": 1000, "output_tokens": 100}
price = tokenbook.cost(model="gpt-4o", usage=usage, at="2026-11-20T00:00:00Z")
with tokenbook.Ledger("ledger-py.db") as book:
    book.record(id="one", model="gpt-4o", agent="editor", usage=usage, at="2026-11-20T00:00:00Z")
    print(tokenbook.count("Hello, world", model="gpt-4o"), price.total_usd, book.report(group_by=["agent"]).total.cost_usd)
`;
  assert.equal(run(python, ['-c', use], { cwd: folder }), '3 0.0035 0.0035\n');
});
