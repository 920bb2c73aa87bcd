'use strict';

/** The one error class: `code` says what the caller can do, `details` carries facts for programs. */
class TokenbookError extends Error {
  constructor(code, message, details = {}) {
    super(message);
    this.name = 'TokenbookError';
    this.code = code;
    this.details = details;
  }
}

/** Makes the error of a fault that the native addon threw as JSON text; other errors are mistaken arguments. */
function fromFault(error) {
  if (error instanceof TokenbookError) return error;
  const text = String(error?.message ?? error);
  if (text.startsWith('{"code":')) {
    const fault = JSON.parse(text);
    return new TokenbookError(fault.code, fault.message, fault.details);
  }
  return new TokenbookError('internal', text);
}

module.exports = { TokenbookError, fromFault };
