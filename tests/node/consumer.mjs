// A folder that has the package as a project of a user has it: by its name, with what is packed and nothing else.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ours = fileURLToPath(new URL('../../node/', import.meta.url));
export const modules = fileURLToPath(new URL('node_modules/', import.meta.url));

/** Makes the folder, with these packages of others beside ours. */
export function consumer(peers) {
  const folder = mkdtempSync(join(tmpdir(), 'tokenbook-consumer-'));
  const into = join(folder, 'node_modules', 'tokenbook');
  mkdirSync(into, { recursive: true });
  const { files } = JSON.parse(readFileSync(join(ours, 'package.json'), 'utf8'));
  // The addon lies beside the package in a checkout.
  const addons = readdirSync(ours).filter((name) => name.endsWith('.node'));
  for (const name of ['package.json', ...files, ...addons]) cpSync(join(ours, name), join(into, name), { recursive: true });
  for (const name of peers) {
    mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true });
    symlinkSync(join(modules, name), join(folder, 'node_modules', name));
  }
  return folder;
}
