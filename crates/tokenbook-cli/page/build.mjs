// Bundles the page into ../assets; `--check` writes nothing and fails when what is committed differs.
import { readFileSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const assets = new URL('../assets/', import.meta.url);
const check = process.argv.includes('--check');
const { outputFiles } = await build({
  entryPoints: [new URL('src/app.js', import.meta.url).pathname, new URL('src/app.css', import.meta.url).pathname],
  outdir: assets.pathname,
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'inline',
  write: false,
});
const files = [...outputFiles.map(({ path, text }) => [path, text]), [new URL('page.html', assets).pathname, readFileSync(new URL('src/page.html', import.meta.url), 'utf8')]];
for (const [path, text] of files) {
  let current;
  try {
    current = readFileSync(path, 'utf8');
  } catch {}
  if (current === text) continue;
  if (check) {
    console.error(`${path} is not what its sources give: run \`npm run build\` in crates/tokenbook-cli/page`);
    process.exitCode = 1;
  } else {
    writeFileSync(path, text);
    console.log(`wrote ${path}`);
  }
}
