// How figures are written. Money stays a whole number of 1e-12 dollars: nothing here makes a float of it before it is drawn.

const UNIT = 10n ** 12n;

/** A decimal text of dollars as a whole number of 1e-12 dollars. */
export function usd(text) {
  const [whole, fraction = ''] = String(text ?? '0').split('.');
  const sign = whole.startsWith('-') ? -1n : 1n;
  return sign * (BigInt(whole.replace('-', '')) * UNIT + BigInt(fraction.padEnd(12, '0').slice(0, 12) || '0'));
}

/** Dollars for people: two digits from a dollar on, up to six below a cent. */
export function money(amount) {
  const value = amount < 0n ? -amount : amount;
  const digits = value === 0n || value >= UNIT ? 2 : value >= UNIT / 100n ? 4 : 6;
  const step = 10n ** BigInt(12 - digits);
  const rounded = (value + step / 2n) / step;
  const scale = 10n ** BigInt(digits);
  const whole = String(rounded / scale).replace(/\B(?=(\d{3})+$)/g, ',');
  return `${amount < 0n ? '−' : ''}$${whole}.${String(rounded % scale).padStart(digits, '0')}`;
}

/** An amount divided, rounded half up; undefined without a divisor. */
export const per = (amount, count) => (count > 0 ? (amount + BigInt(count) / 2n) / BigInt(count) : undefined);

export const whole = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, ',');

/** A large count in short; never "1000.0K". */
export function short(count) {
  for (const [unit, letter] of [[1e12, 'T'], [1e9, 'B'], [1e6, 'M'], [1e3, 'K']]) {
    if (count >= unit * 0.99995) return `${(Math.round((count / unit) * 10) / 10).toFixed(1)}${letter}`;
  }
  return String(count);
}

/** A share as text; a dash where there is nothing to divide by. */
export const percent = (part, all) => (all > 0 ? `${((100 * part) / all).toFixed(1)} %` : '–');

/** Shares of a whole, in tenths of a percent, that add up to 100.0 (largest remainders). */
export function shares(parts) {
  const all = parts.reduce((sum, part) => sum + part, 0);
  if (all <= 0) return parts.map(() => undefined);
  const exact = parts.map((part) => (1000 * part) / all);
  const floors = exact.map(Math.floor);
  let left = 1000 - floors.reduce((sum, part) => sum + part, 0);
  const order = exact.map((value, at) => [value - floors[at], at]).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  for (const [, at] of order) {
    if (left <= 0) break;
    floors[at] += 1;
    left -= 1;
  }
  return floors.map((tenths) => `${(tenths / 10).toFixed(1)} %`);
}

/** A duration for people. */
export function duration(ms) {
  if (ms === undefined) return '–';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(2)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.round((ms % 60_000) / 1000)} s`;
  return minutes < 2880 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

/** RFC 4180. */
export function csv(rows) {
  const cell = (value) => {
    const text = String(value ?? '');
    // A text that a spreadsheet would run as a formula is kept a text.
    const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return rows.map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n';
}
