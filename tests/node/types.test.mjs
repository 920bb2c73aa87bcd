// The types of every entry point, as a project of a user resolves them: a file that uses all that is exported compiles, and what is
// exported without being used in it fails.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { consumer, modules } from './consumer.mjs';

const sources = fileURLToPath(new URL('types/', import.meta.url));
const own = fileURLToPath(new URL('../../node/', import.meta.url));
const folder = consumer(['@anthropic-ai', 'ai', 'convex', 'convex-test', 'openai', '@types']);
after(() => rmSync(folder, { recursive: true }));

/** The files that use each entry point; only those of modules that are no CommonJS are given as `import()` to it. */
const USES = {
  '.': 'tokenbook.ts',
  './instrument': 'instrument.ts',
  './convex': 'convex.ts',
  './convex/test': 'convex.ts',
  './convex/_generated/component.js': 'convex.ts',
  './convex/convex.config': 'convex.ts',
  './convex/convex.config.js': 'convex.ts',
  './services/smnb': 'services.ts',
  './services/usage-log': 'services.ts',
  './web': 'web.ts',
};
const { exports: entries } = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8'));

/** What a file of types exports, by name: whether it is a value. */
function declared(path) {
  const text = readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
  const names = new Map();
  const note = (name, isValue) => names.set(name, isValue || names.get(name) === true);
  for (const [, kind, name] of text.matchAll(/^export (?:declare )?(?:abstract )?(const|function|class|interface|type) (\w+)/gm)) note(name, !['interface', 'type'].includes(kind));
  for (const [, isType, list] of text.matchAll(/^export (type )?\{([^}]*)\}/gm)) {
    for (const name of list.split(',').map((item) => item.trim()).filter(Boolean)) note(name.split(' as ').at(-1), isType === undefined);
  }
  for (const [, from] of text.matchAll(/^export type \* from '(.*)'/gm)) for (const name of declared(join(path, '..', from.replace(/\.(c?)js$/, '.d.$1ts'))).keys()) note(name, false);
  if (/^export default /m.test(text)) note('default', true);
  return names;
}

for (const [entry, conditions] of Object.entries(entries).filter(([name]) => name !== './package.json')) {
  test(`tokenbook${entry.slice(1)}: its types name what is there, and a file uses all of it`, async () => {
    const kinds = conditions.types === undefined ? Object.values(conditions) : [conditions];
    assert.ok(USES[entry], 'a file uses it');
    const used = readFileSync(join(sources, USES[entry]), 'utf8').replace(/\/\*[\s\S]*?\*\/|(?<![':])\/\/.*/g, '');
    for (const { types, default: main } of kinds) {
      const names = declared(join(own, types));
      const inFolder = pathToFileURL(join(folder, 'node_modules', 'tokenbook', main)).href;
      const real = entry === './web' ? exportsOf(readFileSync(join(own, main), 'utf8')) : Object.keys(await import(inFolder)).filter((name) => !['default', 'module.exports'].includes(name) || names.has(name));
      assert.deepEqual([...names].filter(([, isValue]) => isValue).map(([name]) => name).sort(), real.sort(), types);
      const without = [...names.keys()].filter((name) => name !== 'default' && !new RegExp(`\\b${name}\\b`).test(used));
      assert.deepEqual(without, [], `${USES[entry]} uses all that ${types} exports`);
    }
  });
}

/** What a module exports, without running it. */
function exportsOf(text) {
  const names = [...text.matchAll(/^export (?:async )?(?:const|function|class) (\w+)/gm)].map(([, name]) => name);
  for (const [, list] of text.matchAll(/^export \{([^}]*)\}/gm)) names.push(...list.split(',').map((item) => item.trim()).filter(Boolean));
  return names;
}

const STRICT = { target: 'es2022', strict: true, noEmit: true, exactOptionalPropertyTypes: true, noUnusedLocals: true, types: ['node'], typeRoots: [join(modules, '@types')] };

for (const [name, module, moduleResolution, extension] of [
  ['bundler', 'esnext', 'bundler', '.ts'],
  ['bundler, a package of type commonjs', 'preserve', 'bundler', '.cts'],
  ['node16, ESM', 'node16', 'node16', '.mts'],
  ['node16, CommonJS', 'node16', 'node16', '.cts'],
]) {
  test(`a strict file that uses every export compiles: ${name}`, () => {
    const into = join(folder, `${module}-${extension.slice(1)}`);
    const files = readdirSync(sources).filter((file) => file.endsWith('.ts'));
    mkdirSync(into);
    for (const file of files) {
      const text = readFileSync(join(sources, file), 'utf8').replace("'./convex-app.js'", `'./convex-app.${extension === '.ts' ? 'js' : extension.slice(1).replace('ts', 'js')}'`);
      writeFileSync(join(into, file.replace(/\.ts$/, extension)), text);
    }
    // The types of the packages of others don't pass the strictest settings.
    for (const [peers, options] of [[false, {}], [true, { skipLibCheck: true, exactOptionalPropertyTypes: false }]]) {
      const wanted = files.filter((file) => ['instrument.ts', 'convex.ts', 'convex-app.ts'].includes(file) === peers).map((file) => file.replace(/\.ts$/, extension));
      writeFileSync(join(into, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...STRICT, module, moduleResolution, ...options }, files: wanted }));
      try {
        execFileSync(join(modules, '.bin', 'tsc'), ['--project', into], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
      } catch (error) {
        assert.fail(`${error.stdout}`);
      }
    }
  });
}
