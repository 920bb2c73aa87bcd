// The same module for ESM: one instance, whichever way it is loaded.
import usageLog from './usage-log.cjs';

export const {
  camelCaseUsage,
  contradictions,
  formatUsage,
  headroom,
  isTruncated,
  logUsage,
  phaseTokens,
  tokenUsage,
  tokenUsageMetadata,
  usageWarnings,
  utilizationPercent,
  utilizationTrend,
  warningLevel,
} = usageLog;
