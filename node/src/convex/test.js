// Registers the component in a test of an app by `convex-test`.
import schema from './component/schema.js';

const modules = {
  './component/_generated/api.js': () => import('./component/_generated/api.js'),
  './component/_generated/server.js': () => import('./component/_generated/server.js'),
  './component/tokenUsage.js': () => import('./component/tokenUsage.js'),
};

export function register(t, name = 'tokenbook') {
  t.registerComponent(name, schema, modules);
}

export default { register, schema, modules };
