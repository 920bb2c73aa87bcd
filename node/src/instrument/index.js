// The same module for ESM: one instance, whichever way it is loaded.
import instrumentation from './index.cjs';

export const { currentCall, flush, health, instrument, languageModelMiddleware, recordResponse, withCall } = instrumentation;
