'use strict';
// JavaScript values to the JSON text that the native addon takes. Nothing is decided here.

const { TokenbookError } = require('./errors.cjs');

const TOO_DEEP = 'nested more than 128 levels deep';

/** Whether a value holds something that JSON.stringify would lose in silence (NaN, infinities) or choke on (BigInt). */
function unfit(value) {
  switch (typeof value) {
    case 'number':
      return !Number.isFinite(value);
    case 'bigint':
      return true;
    case 'object':
      if (value === null) return false;
      if (Array.isArray(value)) {
        for (let i = 0; i < value.length; i++) if (unfit(value[i])) return true;
        return false;
      }
      for (const key in value) if (unfit(value[key])) return true;
      return false;
    default:
      return false;
  }
}

/** Writes what JSON can't say in a form that the core refuses by field, with the same words in every language. */
function replacer(_key, value) {
  if (typeof value === 'number' && !Number.isFinite(value)) return { $not_json: String(value) };
  if (typeof value === 'bigint') return { $not_json: `${value}n` };
  return value;
}

/** Writes arguments as JSON text; an argument that is `undefined` is left out. */
function stringify(args) {
  let text;
  try {
    text = JSON.stringify(args, unfit(args) ? replacer : undefined);
  } catch (error) {
    if (error instanceof RangeError) throw new TokenbookError('invalid_argument', TOO_DEEP);
    throw new TokenbookError('invalid_argument', `expected a value that JSON can hold: ${error.message.split('\n')[0]}`);
  }
  if (text === undefined) throw new TokenbookError('invalid_argument', 'expected an object of arguments');
  // A lone surrogate is written as an escape; it becomes U+FFFD, as in every other text. An escaped backslash is passed over.
  if (text.includes('\\ud')) text = text.replace(/\\\\|\\ud[89a-f][0-9a-f]{2}/g, (part) => (part === '\\\\' ? part : '\ufffd'));
  return text;
}

module.exports = { stringify };
