'use strict';
// The drop-in for the token counting service of SMNB: same names, true counts and costs.

const tokenbook = require('../../index.cjs');
const { smnb } = require('./smnb-core.cjs');
const { fromTokenUsageRow, toTokenUsageRow } = require('./smnb-row.cjs');

const { ANTHROPIC_PRICING, COMPATIBLE_PRICING, TokenCountingService } = smnb(tokenbook);
const tokenCountingService = new TokenCountingService();

module.exports = { ANTHROPIC_PRICING, COMPATIBLE_PRICING, TokenCountingService, fromTokenUsageRow, toTokenUsageRow, tokenCountingService };
