// Packs the package and this platform's addon into two tarballs, as they are published: `node pack.mjs <folder>`.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const { triple } = createRequire(import.meta.url)('../triple.cjs');
const here = join(dirname(fileURLToPath(import.meta.url)), '..');
const into = resolve(process.argv[2] ?? 'dist');
const { version, license, repository } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));

const pack = (folder) => execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', into], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });

const [platform, arch, libc] = triple().split('-');
const addon = `tokenbook.${triple()}.node`;
const staging = mkdtempSync(join(tmpdir(), 'tokenbook-pack-'));
try {
  copyFileSync(join(here, addon), join(staging, addon));
  for (const name of ['LICENSE-MIT', 'LICENSE-APACHE', 'THIRD-PARTY-NOTICES.md']) copyFileSync(join(here, '..', name), join(staging, name));
  const manifest = {
    name: `@tokenbook/native-${triple()}`,
    version,
    description: `tokenbook's native addon for ${triple()}`,
    license,
    repository,
    main: addon,
    files: [addon, 'LICENSE-*', 'THIRD-PARTY-NOTICES.md'],
    os: [platform],
    cpu: [arch],
    ...(platform === 'linux' ? { libc: [libc === 'gnu' ? 'glibc' : 'musl'] } : {}),
  };
  writeFileSync(join(staging, 'package.json'), JSON.stringify(manifest, null, 2));
  pack(staging);
} finally {
  rmSync(staging, { recursive: true });
}
pack(here);
