import { defineApp } from 'convex/server';
import tokenbook from 'tokenbook/convex/convex.config';

const app = defineApp();
app.use(tokenbook);

export default app;
