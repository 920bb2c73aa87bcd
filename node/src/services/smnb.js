// The same module for ESM: one instance, whichever way it is loaded.
import smnb from './smnb.cjs';

export const { ANTHROPIC_PRICING, COMPATIBLE_PRICING, TokenCountingService, fromTokenUsageRow, toTokenUsageRow, tokenCountingService } = smnb;
