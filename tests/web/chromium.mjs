// A headless Chromium of this machine, driven by playwright-core, which brings no browser of its own.
import { existsSync } from 'node:fs';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Starts the browser, or tells why there is none. */
export async function launch() {
  const executablePath = [process.env.TOKENBOOK_CHROMIUM, ...PLACES].find((path) => path && existsSync(path));
  const missing = executablePath ? undefined : 'no Chromium on this machine: on Debian, `apt-get install chromium`';
  if (missing && process.env.TOKENBOOK_NEEDS_CHROMIUM) throw new Error(missing);
  if (missing) return missing;
  const { chromium } = await import('playwright-core');
  return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}
