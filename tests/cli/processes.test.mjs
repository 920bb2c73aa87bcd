// Four processes of three languages append to one ledger at once. TOKENBOOK_TEST_SECONDS says for how long.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const bin = process.env.TOKENBOOK_BIN;
const seconds = Number(process.env.TOKENBOOK_TEST_SECONDS ?? 8);
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Runs a program to its end; what it prints on standard error is a failure. */
const finished = (child) =>
  new Promise((resolve, reject) => {
    let [out, errors] = ['', ''];
    child.stdout.on('data', (data) => (out += data));
    child.stderr.on('data', (data) => (errors += data));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 && errors === '' ? resolve(out) : reject(new Error(`exit ${code}: ${errors}`))));
  });

/** Appends through `tokenbook ops`, a line at a time, and gives the number of acknowledged calls. */
async function shell(ledger, name) {
  const child = spawn(bin, ['--ledger', ledger, 'ops']);
  const end = finished(child);
  const until = performance.now() + seconds * 1000;
  let sent = 0;
  const send = () => {
    if (performance.now() >= until) return child.stdin.end();
    const args = { id: `${name}-${sent}`, model: 'gpt-4o', agent: name, usage: { input_tokens: 10, output_tokens: 1 } };
    sent += 1;
    return child.stdin.write(`${JSON.stringify({ op: 'record', args })}\n`);
  };
  child.stdout.on('data', (data) => {
    for (const byte of data) if (byte === 10) send();
  });
  send();
  const answers = (await end).trim().split('\n').map((line) => JSON.parse(line));
  for (const answer of answers) assert.equal(answer.ok?.status, 'recorded', JSON.stringify(answer));
  return answers.length;
}

test(`the shell, Node and Python append to one ledger for ${seconds} s and lose nothing`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tokenbook-processes-'));
  const ledger = join(folder, 'ledger.db');
  try {
    const python = fileURLToPath(new URL('../../.venv/bin/python', import.meta.url));
    const counts = await Promise.all([
      shell(ledger, 'shell'),
      finished(spawn('node', [here('append.mjs'), ledger, 'node', seconds])).then(Number),
      finished(spawn(python, [here('append.py'), ledger, 'python', seconds])).then(Number),
      finished(spawn(python, [here('append.py'), ledger, 'python-2', seconds])).then(Number),
    ]);
    for (const count of counts) assert.ok(count > 0, `${counts}`);
    const ask = (...args) => JSON.parse(execFileSync(bin, ['--ledger', ledger, '--json', ...args], { encoding: 'utf8' }));
    const { total, rows } = ask('report', '--by', 'agent');
    assert.equal(total.calls, counts.reduce((sum, count) => sum + count));
    assert.equal(rows.length, 4);
    assert.equal(total.input_tokens, total.calls * 10);
    assert.equal(ask('verify').ok, true);
    console.log(`acknowledged by shell, Node, Python, Python: ${counts.join(', ')}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
