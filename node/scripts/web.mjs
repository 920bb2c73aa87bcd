// Builds `tokenbook/web`: the core as WebAssembly, and beside it the vocabularies and the modules that the addon shares.
// It takes rustup's wasm32 target where that is installed, else Debian's rustc-web with the standard library's sources.
// `--if-possible` does nothing on a machine that has neither.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const web = join(root, 'node', 'web');
const TARGET = 'wasm32-unknown-unknown';
const DEBIAN = { rustc: '/usr/bin/rustc', sources: '/usr/lib/rustlib/src/rust/library' };

const ask = (command, args) => execFileSync(command, args, { cwd: root, encoding: 'utf8' }).trim();
const sysroot = ask('rustc', ['--print', 'sysroot']);
const host = /host: (.*)/.exec(ask('rustc', ['-vV']))[1];

function toolchain() {
  if (existsSync(join(sysroot, 'lib', 'rustlib', TARGET, 'lib'))) return { env: {}, args: [] };
  const lld = join(sysroot, 'lib', 'rustlib', host, 'bin', 'rust-lld');
  if (!existsSync(DEBIAN.sources) || !existsSync(lld)) return undefined;
  const env = {
    RUSTC: DEBIAN.rustc,
    RUSTC_WRAPPER: join(root, 'bindings', 'web', 'rustc.sh'),
    RUSTC_BOOTSTRAP: '1',
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: lld,
  };
  return { env, args: ['-Zbuild-std=std,panic_abort', '--ignore-rust-version'] };
}

const found = toolchain();
if (found === undefined) {
  const hint = 'needs `rustup target add wasm32-unknown-unknown`, or on Debian `apt-get install rustc-web rust-web-src`';
  if (process.argv.includes('--if-possible')) {
    console.log(`tokenbook/web is not built: ${hint}`);
    process.exit(0);
  }
  console.error(`error: tokenbook/web ${hint}`);
  process.exit(1);
}

// Small, unless the environment asks for a quicker build, as CI does.
const quick = process.env.CARGO_PROFILE_RELEASE_LTO === 'off';
const settings = { debug: 'false', strip: 'true', ...(quick ? {} : { lto: '"fat"', 'codegen-units': '1' }) };
const folder = join(root, 'target', 'web');
execFileSync(
  'cargo',
  ['build', '--quiet', '--release', '--locked', '--package', 'tokenbook-web', '--target', TARGET, ...found.args,
    ...Object.entries(settings).flatMap(([key, value]) => ['--config', `profile.release.${key}=${value}`])],
  {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      ...found.env,
      CARGO_TARGET_DIR: folder,
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS: '-Adead_code -Cpanic=abort -Clink-arg=--export=__stack_pointer',
    },
  },
);
copyFileSync(join(folder, TARGET, 'release', 'tokenbook_web.wasm'), join(web, 'tokenbook.wasm'));
for (const name of ['r50k_base', 'cl100k_base', 'o200k_base', 'gemini']) {
  copyFileSync(join(root, 'crates', 'tokenbook', 'data', 'vocab', `${name}.merges`), join(web, `${name}.merges`));
}
// A browser knows no CommonJS: the same text as a module.
for (const name of ['errors', 'json']) {
  const text = readFileSync(join(root, 'node', `${name}.cjs`), 'utf8');
  const esm = text
    .replace("'use strict';\n", '')
    .replace(/const (\{.*\}) = require\('\.\/(.*)\.cjs'\);/g, "import $1 from './$2.js';")
    .replace('module.exports = {', 'export {');
  if (esm.includes('require(') || esm.includes('module.')) throw new Error(`${name}.cjs can't be written as a module`);
  writeFileSync(join(web, `${name}.js`), esm);
}
console.log('built node/web');
