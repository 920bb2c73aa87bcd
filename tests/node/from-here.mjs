// Lets files outside this folder find `convex` in it, as they would in the project of a user: `node --import ./from-here.mjs`.
import { register } from 'node:module';

const hooks = `
export function resolve(specifier, context, next) {
  return next(specifier, /^convex(\\/|$)/.test(specifier) ? { ...context, parentURL: ${JSON.stringify(import.meta.url)} } : context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
