'use strict';
// A middleware for the language models of the Vercel AI SDK.

const { asMetered, contextNow, merged } = require('./context.cjs');
const { classOf, classOfStatus, recorderOf } = require('./recorder.cjs');

/** The provider in the words of the price catalog: `anthropic.messages` is `anthropic`. */
const providerOf = ({ provider }) => (typeof provider === 'string' ? provider.split('.')[0].replace(/^google-vertex$/, 'vertex').replace(/^amazon-bedrock$/, 'bedrock') : undefined);

/** What the call's options say, in the words of a call. */
const sent = ({ maxOutputTokens, tools }) => ({
  ...(maxOutputTokens === undefined ? {} : { max_tokens: maxOutputTokens }),
  ...(Array.isArray(tools) && tools.length > 0 ? { tools_offered: tools.map((tool) => tool.name).filter((name) => typeof name === 'string') } : {}),
});

function languageModelMiddleware(options, Ledger) {
  const recorder = recorderOf(options.book, Ledger);
  const own = merged(undefined, options);

  const open = (model, params) => {
    const context = contextNow();
    if (context?.isMetered) return undefined;
    const labels = merged({ provider: providerOf(model), ...own }, context?.labels);
    return recorder.open({ ...labels, ...context?.operation?.next(), api: 'ai_sdk', model: model.modelId, ...sent(params) }, options);
  };

  const begin = async (model, params) => {
    const call = open(model, params);
    if (call !== undefined && options.enforce !== false && call.hasBudget) await call.reserve();
    return call;
  };

  const failed = (call, error) => {
    call.end(error?.statusCode === undefined ? { outcome: 'error', error_class: classOf(error) } : { refused: true, error_class: classOfStatus(error.statusCode) });
    throw error;
  };

  return {
    specificationVersion: options.specificationVersion ?? 'v3',

    async wrapGenerate({ doGenerate, model, params }) {
      const call = await begin(model, params);
      if (call === undefined) return doGenerate();
      const sent = asMetered(async () => doGenerate());
      call.sent();
      const result = await sent.catch((error) => failed(call, error));
      // Neither the prompt nor the answer's text is needed, and neither is handed over.
      const { finishReason, usage, response, providerMetadata, content } = result;
      const toolCalls = content?.filter(({ type }) => type === 'tool-call').map(({ toolName, providerExecuted }) => ({ toolName, providerExecuted }));
      const { id, modelId, timestamp } = response ?? {};
      call.endLater({ body: { finishReason, usage, toolCalls, providerMetadata, response: { id, modelId, timestamp } } });
      return result;
    },

    async wrapStream({ doStream, model, params }) {
      const call = await begin(model, params);
      if (call === undefined) return doStream();
      const sent = asMetered(async () => doStream());
      call.sent();
      const result = await sent.catch((error) => failed(call, error));
      if (params.abortSignal) call.endsWith(params.abortSignal);
      let reader;
      const stream = new ReadableStream(
        {
          async pull(controller) {
            try {
              reader ??= result.stream.getReader();
              const { value, done } = await reader.read();
              if (done) {
                call.end({});
                controller.close();
                return;
              }
              call.pushEvent(value);
              controller.enqueue(value);
            } catch (error) {
              if (error?.code === 'budget_exceeded') void reader?.cancel(error).catch(() => {});
              call.cut(classOf(error));
              throw error;
            }
          },
          async cancel(reason) {
            call.cut('cancelled');
            reader ??= result.stream.getReader();
            await reader.cancel(reason);
          },
        },
        { highWaterMark: 0 },
      );
      return { ...result, stream };
    },
  };
}

module.exports = { languageModelMiddleware };
