// Runs the README's examples of the shell, TypeScript and Python as they stand, and compares what they print with what the
// README says they print. The Rust example is a documentation test of the ledger.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const example = (language) => {
  const found = readme.match(new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``));
  assert.ok(found, `the README has no example in ${language}`);
  return found[1];
};
/** What an example says it prints: the comments that begin with an arrow. */
const promised = (code) => [...code.matchAll(/(?:\/\/|#) → (.*)/g)].map(([, line]) => line);

// The demo's first response, without its cache and as the README's variables name it.
const first = JSON.parse(readFileSync(join(root, 'tests', 'demo', 'responses.jsonl'), 'utf8').split('\n')[0]);
const variables = { request: first.request, response: first.body };

let folder;
const run = (command, args) =>
  execFileSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${dirname(process.env.TOKENBOOK_BIN)}${delimiter}${process.env.PATH}`, TOKENBOOK_LEDGER: join(folder, 'shell.db') },
  });

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'tokenbook-readme-'));
  copyFileSync(join(root, 'tests', 'demo', 'responses.jsonl'), join(folder, 'responses.jsonl'));
});
after(() => rmSync(folder, { recursive: true }));

test('the example in TypeScript', () => {
  const code = example('ts');
  // It holds no type of its own, so Node runs it as it stands.
  const here = code.replace("'tokenbook'", JSON.stringify(join(root, 'node', 'index.js')));
  const given = Object.entries(variables).map(([name, value]) => `const ${name} = ${JSON.stringify(value)};\n`);
  writeFileSync(join(folder, 'example.mjs'), given.join('') + here);
  assert.deepEqual(run('node', ['example.mjs']).trim().split('\n'), promised(code));
});

test('the example in Python', () => {
  const code = example('python');
  const given = Object.entries(variables).map(([name, value]) => `${name} = json.loads(${JSON.stringify(JSON.stringify(value))})\n`);
  writeFileSync(join(folder, 'example.py'), `import json\n${given.join('')}${code}`);
  rmSync(join(folder, 'ledger.db'), { force: true });
  for (const beside of ['-wal', '-shm', '-lock', '-readers']) rmSync(join(folder, `ledger.db${beside}`), { force: true });
  assert.deepEqual(run(join(root, '.venv', 'bin', 'python'), ['example.py']).trim().split('\n'), promised(code));
});

test('the example in the shell', () => {
  const code = example('sh');
  const [count, ...rest] = code.trim().split('\n');
  assert.deepEqual(run('bash', ['-euc', count]).trim().split('\n'), promised(code));
  const [cost, imported, report] = rest.map((line) => run('bash', ['-euc', line]));
  assert.match(cost, /total .* 0\.003981 /);
  assert.match(imported, /^recorded 8, already there 0, refused 0/);
  assert.match(report, /editor .*claude-sonnet-4-5/);
});
