import type { ComponentDefinition } from 'convex/server';

declare const component: ComponentDefinition<{}>;
export default component;
