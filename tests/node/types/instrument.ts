// Compiled, never run: every export of `tokenbook/instrument`; an instrumented client has the type that it had.
import Anthropic from '@anthropic-ai/sdk';
import { wrapLanguageModel, type LanguageModelMiddleware as TheirMiddleware } from 'ai';
import OpenAI from 'openai';
import { Ledger, type Meter, type MeterProgress, type Recorded } from 'tokenbook';
import {
  currentCall,
  flush,
  health,
  instrument,
  languageModelMiddleware,
  recordResponse,
  withCall,
  type CallLabels,
  type InstrumentOptions,
  type LanguageModelLike,
  type LanguageModelMiddleware,
} from 'tokenbook/instrument';

const book = new Ledger(':memory:');
const options: InstrumentOptions = { book, agent: 'editor', onUsage: (progress: MeterProgress) => void progress.cost_usd, onUsageIntervalMs: 50, onError: (_error: unknown) => {}, enforce: true };
const anthropic: Anthropic = instrument(new Anthropic(), options);
const openai: OpenAI = instrument(new OpenAI(), { book: 'ledger.db' });
const watched: typeof fetch = instrument(fetch, { book });
const message: Promise<Anthropic.Message> = withCall({ agent: 'editor', action: 'stream', session: 's', tags: ['a'], operation: true }, () =>
  anthropic.messages.create({ model: 'claude-haiku-4-5', max_tokens: 10, messages: [] }),
);
const text: string = withCall({}, () => 'text');
const labels: CallLabels = currentCall();
const recorded: Promise<Recorded | undefined> = recordResponse({ api: 'openai.chat', body: {} }, { book, agent: 'a' });
const middleware: LanguageModelMiddleware<'v3'> = languageModelMiddleware({ book });
const theirs: TheirMiddleware = middleware;
const model: LanguageModelLike = { provider: 'openai', modelId: 'gpt-4o' };
export const wrapped = (own: Parameters<typeof wrapLanguageModel>[0]['model']) => wrapLanguageModel({ model: own, middleware });
const meter: Meter = book.meter({ api: 'anthropic.messages', request: '{}', agent: 'a' });
const counts: number = health(book).recorded + health('ledger.db').failed;
void [openai, watched, message, text, labels, recorded, theirs, model, meter, counts, flush(book)];
// @ts-expect-error: a ledger is needed
instrument(anthropic, {});
// @ts-expect-error: labels are text
withCall({ agent: 5 }, () => {});
