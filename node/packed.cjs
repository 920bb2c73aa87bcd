'use strict';
// JavaScript values as MessagePack, for arguments with long texts: nothing is escaped, and a text is copied once, which
// takes a third of the time of JSON. What is out of the ordinary is left to JSON, which has the words for it.

const MOST_BYTES = 3 << 16;
const MOST_LEVELS = 64;
// Up to here, characters are copied one by one faster than the encoder is called.
const SHORT = 40;

const encoder = new TextEncoder();
// Kept, since a new place takes as long as filling it. Nothing else runs between writing and reading it.
let bytes;
let view;
let at = 0;
let busy = false;

/** Thrown, without a stack, at a value for JSON. */
const OUT_OF_THE_ORDINARY = { message: 'not for this form' };

function writeLength(mark, place, length) {
  bytes[place] = mark;
  view.setUint32(place + 1, length);
}

function writeText(text) {
  const { length } = text;
  const start = at;
  if (length < SHORT) {
    let place = start + 2;
    let every = 0;
    for (let i = 0; i < length; i += 1) {
      const unit = text.charCodeAt(i);
      every |= unit;
      bytes[place] = unit;
      place += 1;
    }
    if (every < 128) {
      bytes[start] = 0xd9;
      bytes[start + 1] = length;
      at = place;
      return;
    }
  }
  // A lone surrogate becomes U+FFFD, as in every other text.
  const { read, written } = encoder.encodeInto(text, bytes.subarray(start + 5));
  if (read < length) throw OUT_OF_THE_ORDINARY;
  writeLength(0xdb, start, written);
  at = start + 5 + written;
}

function writeNumber(number) {
  if (Number.isSafeInteger(number)) {
    if (number >= 0 && number < 128) {
      bytes[at] = number;
      at += 1;
    } else {
      bytes[at] = 0xd3;
      view.setInt32(at + 1, Math.floor(number / 0x1_0000_0000));
      view.setUint32(at + 5, number >>> 0);
      at += 9;
    }
  } else {
    // Larger whole numbers have digits in JSON.
    if (!Number.isFinite(number) || Number.isInteger(number)) throw OUT_OF_THE_ORDINARY;
    bytes[at] = 0xcb;
    view.setFloat64(at + 1, number);
    at += 9;
  }
}

const isAbsent = (value) => value === undefined || typeof value === 'function' || typeof value === 'symbol';

function write(value, level) {
  if (level > MOST_LEVELS || at + 16 > MOST_BYTES) throw OUT_OF_THE_ORDINARY;
  if (typeof value === 'string') writeText(value);
  else if (typeof value === 'number') writeNumber(value);
  else if (value === null) bytes[at++] = 0xc0;
  else if (typeof value === 'boolean') bytes[at++] = value ? 0xc3 : 0xc2;
  else if (Array.isArray(value)) {
    writeLength(0xdd, at, value.length);
    at += 5;
    for (let i = 0; i < value.length; i += 1) write(isAbsent(value[i]) ? null : value[i], level + 1);
  } else {
    const prototype = typeof value === 'object' ? Object.getPrototypeOf(value) : undefined;
    if ((prototype !== Object.prototype && prototype !== null) || typeof value.toJSON === 'function') throw OUT_OF_THE_ORDINARY;
    const start = at;
    at += 5;
    let fields = 0;
    for (const key of Object.keys(value)) {
      const field = value[key];
      if (isAbsent(field)) continue;
      fields += 1;
      writeText(key);
      write(field, level + 1);
    }
    writeLength(0xdf, start, fields);
  }
}

/** Hands arguments to `take`, as an array and how many of its bytes they are; `undefined` where JSON has to do it. */
function packed(args, take) {
  // A getter may call this again.
  if (busy) return undefined;
  if (bytes === undefined) {
    bytes = new Uint8Array(MOST_BYTES);
    view = new DataView(bytes.buffer);
  }
  at = 0;
  busy = true;
  try {
    write(args, 0);
  } catch {
    return undefined;
  } finally {
    busy = false;
  }
  return at > MOST_BYTES ? undefined : (take(bytes, at) ?? undefined);
}

module.exports = { packed };
