'use strict';
// Loads the native addon: the one built in this folder, else the one of the platform's package.

const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { triple } = require('./triple.cjs');

const name = triple();
const local = join(__dirname, `tokenbook.${name}.node`);

function load() {
  if (existsSync(local)) return require(local);
  try {
    return require(`@tokenbook/native-${name}`);
  } catch (error) {
    if (error?.code !== 'MODULE_NOT_FOUND') throw error;
    const hint = `install @tokenbook/native-${name}, or build it from a checkout with \`node scripts/build.mjs\``;
    throw new Error(`tokenbook has no native addon for ${name}: ${hint}`, { cause: error });
  }
}

module.exports = load();
