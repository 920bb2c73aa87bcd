// Uses every export of tokenbook/web; it need only compile.
import * as web from '../../node/web/index.js';
import { call, count, lazily, load, setBase, type Cost } from '../../node/web/index.js';

setBase(new URL('https://example.com/'));
await load('gpt-4o', 'o200k_base');
const tokens: number = await lazily(() => count('text', { model: 'gpt-4o' }));
const cost: Cost = web.cost({ model: 'gpt-4o', usage: { input_tokens: tokens } });
call('version', {}) satisfies unknown;

// @ts-expect-error a browser has no ledger
web.Ledger;

export { cost };
