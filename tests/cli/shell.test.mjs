// What only the command line can do wrong: exit codes, streams, pipes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

const bin = process.env.TOKENBOOK_BIN;
let folder;
const run = (args, input = '') => {
  const { status, stdout, stderr } = spawnSync(bin, args, { input, cwd: folder, encoding: 'utf8', env: { PATH: process.env.PATH, HOME: folder } });
  return { status, stdout, stderr };
};

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'tokenbook-shell-'));
});
after(() => rmSync(folder, { recursive: true }));

test('an exit code tells what to do, and errors go to standard error', () => {
  const cases = [
    [['cost', '-m', 'gpt-4o', '-i', '1', '--service-tier', 'flexx'], 2, /^error: unknown service tier/],
    [['cost', '-m', 'no-such-model', '-i', '1'], 3, /^error: unpriced: /],
    [['count', 'no-such-file'], 3, /^error: no-such-file: /],
    [['--ledger', 'no-such-folder/ledger.db', 'report'], 6, /^error: /],
  ];
  for (const [args, status, message] of cases) {
    const ran = run(args);
    assert.equal(ran.status, status, `${args}: ${ran.stderr}`);
    assert.equal(ran.stdout, '', args.join(' '));
    assert.match(ran.stderr, message);
  }
});

test('prices of one\'s own are read from TOML, and a catalog too', () => {
  const model = "[[models]]\nprovider = 'acme'\nmodel = 'acme-1'\n[[models.rows]]\nrates.input_tokens = '0.4'\n";
  writeFileSync(join(folder, 'own.toml'), model);
  const priced = run(['--prices', 'own.toml', 'cost', '-m', 'acme-1', '-i', '1000000', '--json']);
  assert.equal(JSON.parse(priced.stdout).total_usd, '0.4', priced.stderr);
  writeFileSync(join(folder, 'broken.toml'), 'models = = 1\n');
  const broken = run(['--prices', 'broken.toml', 'cost', '-m', 'acme-1', '-i', '1']);
  assert.equal(broken.status, 2);
  assert.match(broken.stderr, /at line 1 column/);
  writeFileSync(join(folder, 'newer.toml'), `version = 2027-01-01\n${model}`);
  assert.equal(run(['prices', 'update', 'newer.toml']).status, 0);
  assert.equal(JSON.parse(run(['cost', '-m', 'acme-1', '-i', '1000000', '--json']).stdout).total_usd, '0.4');
  assert.equal(run(['cost', '-m', 'gpt-4o', '-i', '1']).status, 3);
  assert.equal(run(['prices', 'update']).status, 0);
  assert.equal(run(['cost', '-m', 'gpt-4o', '-i', '1']).status, 0);
});

test('a misspelt model is not priced as its neighbour, which is named', () => {
  const { stderr } = run(['cost', '-m', 'gpt-4oo', '-i', '1']);
  assert.match(stderr, /hint: near names: .*gpt-4o/);
});

test('a file that is no ledger is left as it was', () => {
  writeFileSync(join(folder, 'notes.txt'), 'not a ledger, but precious\n'.repeat(500));
  const before = readFileSync(join(folder, 'notes.txt'), 'utf8');
  assert.notEqual(run(['--ledger', 'notes.txt', 'report']).status, 0);
  assert.equal(readFileSync(join(folder, 'notes.txt'), 'utf8'), before);
});

test('the default ledger is made where the user keeps data, for the user alone', () => {
  assert.equal(run(['record', '{"model": "gpt-4o", "usage": {"input_tokens": 5}}']).status, 0);
  const ledger = join(folder, '.local', 'share', 'tokenbook', 'ledger.db');
  assert.ok(existsSync(ledger));
  assert.equal(statSync(ledger).mode & 0o777, 0o600);
  assert.equal(JSON.parse(run(['--json', 'report']).stdout).total.calls, 1);
  assert.equal(run(['verify']).status, 0);
  assert.match(run(['doctor']).stdout, /price catalog/);
});

test('an export is imported again and says what it did', () => {
  for (const [name, kind] of [['calls.jsonl', 'calls'], ['calls.csv', 'csv']]) {
    assert.equal(run(['export', name]).status, 0);
    assert.notEqual(run(['export', name]).status, 0, 'it was overwritten');
    const { status, stdout } = run(['--ledger', `${kind}.db`, 'import', '--kind', kind, name]);
    assert.equal(status, 0);
    assert.match(stdout, /recorded 1, already there 0, refused 0/);
  }
});

test('one response in the metadata of several scripts is one call', () => {
  const tree = join(folder, 'generated-scripts', 'success', '2026-11-20');
  mkdirSync(tree, { recursive: true });
  const file = (id, fields) => writeFileSync(join(tree, `${id}-metadata.json`), JSON.stringify({ scriptId: `s${id}`, timestamp: `2026-11-20T09:0${id}:00.000Z`, scriptType: 'execution', ...fields }));
  const usage = { input_tokens: 3616, output_tokens: 4000, total_tokens: 7616, max_tokens: 4000, utilization_percent: '100.0', stop_reason: 'max_tokens', truncated: true };
  for (const id of [3, 1, 2]) file(id, { tokenUsage: usage });
  file(4, { scriptType: 'scanner', tokenUsage: { ...usage, output_tokens: 3262, max_tokens: 20000, stop_reason: 'end_turn', truncated: false, response_id: 'msg_s', model: 'claude-sonnet-4-5' } });
  file(5, {});
  writeFileSync(join(tree, 'package.json'), '{"name": "another"}');
  const load = (...args) => run(['--ledger', 'metadata.db', 'import', '--kind', 'metadata', 'generated-scripts', ...args]);
  const unnamed = load();
  assert.equal(unnamed.status, 2);
  assert.match(unnamed.stderr, /1-metadata\.json: model: it names none; give one with --model/);
  assert.match(unnamed.stdout, /recorded 1, already there 0, refused 1/);
  const named = load('--model', 'claude-sonnet-4-5');
  assert.match(named.stdout, /recorded 1, already there 1, refused 0/, named.stderr);
  assert.match(load('--model', 'claude-sonnet-4-5').stdout, /recorded 0, already there 2, refused 0/);
  const { total, rows } = JSON.parse(run(['--ledger', 'metadata.db', '--json', 'report', '--by', 'action']).stdout);
  assert.deepEqual([total.calls, total.truncated, total.total_output_tokens, total.unpriced_calls], [2, 1, 7262, 0]);
  assert.deepEqual(rows.map((row) => row.action).sort(), ['execution', 'scanner']);
});

test('a refused line is shown with its number and the rest goes on', () => {
  writeFileSync(join(folder, 'mixed.jsonl'), '{"model": "gpt-4o", "id": "x"}\nnot json\n{"model": "gpt-4o", "id": "y", "usage": {"input_tokens": -1}}\n{"model": "gpt-4o", "id": "z"}\n');
  const { status, stdout, stderr } = run(['--ledger', 'mixed.db', 'import', 'mixed.jsonl']);
  assert.equal(status, 2);
  assert.match(stdout, /recorded 2, already there 0, refused 2/);
  assert.match(stderr, /line 2: /);
  assert.match(stderr, /line 3: .*got -1/);
});

test('prices of the user lie over the catalog', () => {
  const prices = { models: [{ provider: 'us', model: 'our-own', rows: [{ rates: { input_tokens: '2' } }] }] };
  writeFileSync(join(folder, 'prices.json'), JSON.stringify(prices));
  const { stdout } = run(['--prices', 'prices.json', '--json', 'cost', '-m', 'our-own', '-i', '1000000']);
  assert.equal(JSON.parse(stdout).total_usd, '2');
});

test('operations answer line by line while their input stays open, and a broken line breaks no other', () => {
  const lines = ['{"op": "version"}', 'not json', '', '{"op": "count", "args": {"text": "Hello, world", "model": "gpt-4o"}}', '\u0000'];
  const answers = run(['ops'], lines.join('\n')).stdout.trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(answers.length, 4);
  assert.equal(answers[0].ok.version.split('.').length, 3);
  assert.equal(answers[1].error.code, 'invalid_argument');
  assert.equal(answers[2].ok.tokens, 3);
  assert.equal(answers[3].error.code, 'invalid_argument');
});

test('completions are printed for each shell', () => {
  for (const shell of ['bash', 'zsh', 'fish']) assert.match(run(['completions', shell]).stdout, /tokenbook/);
});

test('NO_COLOR and a pipe give plain text', () => {
  assert.doesNotMatch(run(['prices', 'search', 'gpt-4o']).stdout, /\u001b/);
});
