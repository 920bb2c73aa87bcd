// Writes one scripted reply in the wire format of each endpoint, plain or as the events of a stream.

/** How many replies were written: makes ids that are never the same. */
let replies = 0;

const unique = (prefix) => `${prefix}_replay_${process.pid}_${(replies += 1)}`;

/** Cuts a text into `pieces` parts of whole characters; empty ones only where the text is shorter. */
function cut(text, pieces) {
  const characters = [...text];
  return Array.from({ length: pieces }, (_, at) =>
    characters.slice(Math.floor((at * characters.length) / pieces), Math.floor(((at + 1) * characters.length) / pieces)).join(''),
  );
}

/** A reply with everything that its script left out. */
function complete(reply = {}, request = {}) {
  const text = reply.text ?? (reply.tool_calls ? '' : 'Hello from the replay server.');
  return {
    ...reply,
    text,
    pieces: reply.pieces ?? 4,
    tool_calls: reply.tool_calls ?? [],
    model: reply.model ?? request.model ?? 'unknown-model',
    usage: { input_tokens: 25, output_tokens: 12, ...reply.usage },
  };
}

const sse = (data, event) => `${event === undefined ? '' : `event: ${event}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;

const anthropic = {
  id: 'msg',

  usage: ({ usage }, output) => ({
    input_tokens: usage.input_tokens,
    cache_creation_input_tokens: usage.cache_write_tokens ?? 0,
    cache_read_input_tokens: usage.cache_read_tokens ?? 0,
    output_tokens: output ?? usage.output_tokens,
    service_tier: 'standard',
  }),

  stopReason: (reply) => reply.stop_reason ?? (reply.tool_calls.length > 0 ? 'tool_use' : 'end_turn'),

  content: (reply) => [
    ...(reply.thinking ? [{ type: 'thinking', thinking: reply.thinking, signature: 'c2lnbmF0dXJl' }] : []),
    ...(reply.text ? [{ type: 'text', text: reply.text }] : []),
    ...reply.tool_calls.map((call, at) => ({ type: 'tool_use', id: call.id ?? `toolu_replay_${at}`, name: call.name, input: call.input ?? {} })),
  ],

  plain(reply, id) {
    return {
      id,
      type: 'message',
      role: 'assistant',
      model: reply.model,
      content: this.content(reply),
      stop_reason: this.stopReason(reply),
      stop_sequence: null,
      usage: this.usage(reply),
    };
  },

  events(reply, id) {
    const event = (data) => sse(data, data.type);
    const start = { ...this.plain(reply, id), content: [], stop_reason: null, usage: this.usage(reply, 1) };
    const events = [event({ type: 'message_start', message: start })];
    this.content(reply).forEach((block, index) => {
      const [empty, deltas] = {
        text: () => [{ type: 'text', text: '' }, cut(block.text, reply.pieces).map((text) => ({ type: 'text_delta', text }))],
        thinking: () => [
          { type: 'thinking', thinking: '', signature: '' },
          [...cut(block.thinking, reply.pieces).map((thinking) => ({ type: 'thinking_delta', thinking })), { type: 'signature_delta', signature: block.signature }],
        ],
        tool_use: () => [
          { ...block, input: {} },
          cut(JSON.stringify(block.input), Math.min(reply.pieces, 8)).map((json) => ({ type: 'input_json_delta', partial_json: json })),
        ],
      }[block.type]();
      events.push(event({ type: 'content_block_start', index, content_block: empty }));
      if (index === 0) events.push(event({ type: 'ping' }));
      for (const delta of deltas) events.push(event({ type: 'content_block_delta', index, delta }));
      events.push(event({ type: 'content_block_stop', index }));
    });
    events.push(
      event({ type: 'message_delta', delta: { stop_reason: this.stopReason(reply), stop_sequence: null }, usage: { output_tokens: reply.usage.output_tokens } }),
      event({ type: 'message_stop' }),
    );
    return events;
  },

  error: ({ type, message }) => ({ type: 'error', error: { type, message }, request_id: unique('req') }),
  errorEvent(error) {
    return sse(this.error(error), 'error');
  },
  headers: () => ({ 'request-id': unique('req') }),
};

const chat = {
  id: 'chatcmpl',

  usage({ usage }) {
    const cached = usage.cache_read_tokens ?? 0;
    const reasoning = usage.reasoning_tokens ?? 0;
    const input = usage.input_tokens + cached;
    const output = usage.output_tokens + reasoning;
    return {
      prompt_tokens: input,
      completion_tokens: output,
      total_tokens: input + output,
      prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: reasoning, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
    };
  },

  finishReason: (reply) => reply.stop_reason ?? (reply.tool_calls.length > 0 ? 'tool_calls' : 'stop'),

  toolCalls: (reply) =>
    reply.tool_calls.map((call, at) => ({
      id: call.id ?? `call_replay_${at}`,
      type: 'function',
      function: { name: call.name, arguments: JSON.stringify(call.input ?? {}) },
    })),

  plain(reply, id) {
    const calls = this.toolCalls(reply);
    const message = { role: 'assistant', content: reply.text || null, refusal: null, ...(calls.length > 0 ? { tool_calls: calls } : {}) };
    return {
      id,
      object: 'chat.completion',
      created: 1_780_000_000,
      model: reply.model,
      choices: [{ index: 0, message, logprobs: null, finish_reason: this.finishReason(reply) }],
      usage: this.usage(reply),
      service_tier: 'default',
    };
  },

  events(reply, id, request) {
    const withUsage = request.stream_options?.include_usage === true;
    const chunk = (choices, usage = null) =>
      sse({
        id,
        object: 'chat.completion.chunk',
        created: 1_780_000_000,
        model: reply.model,
        service_tier: 'default',
        choices,
        ...(withUsage ? { usage } : {}),
      });
    const delta = (delta, finish_reason = null) => chunk([{ index: 0, delta, logprobs: null, finish_reason }]);
    const events = [delta({ role: 'assistant', content: '', refusal: null })];
    if (reply.text) for (const content of cut(reply.text, reply.pieces)) events.push(delta({ content }));
    this.toolCalls(reply).forEach((call, index) => {
      events.push(delta({ tool_calls: [{ index, ...call, function: { name: call.function.name, arguments: '' } }] }));
      for (const piece of cut(call.function.arguments, Math.min(reply.pieces, 8))) {
        events.push(delta({ tool_calls: [{ index, function: { arguments: piece } }] }));
      }
    });
    events.push(delta({}, this.finishReason(reply)));
    if (withUsage) events.push(chunk([], this.usage(reply)));
    events.push(sse('[DONE]'));
    return events;
  },

  error: ({ type, message }) => ({ error: { message, type, param: null, code: type } }),
  errorEvent(error) {
    return sse(this.error(error));
  },
  headers: () => ({ 'x-request-id': unique('req'), 'openai-processing-ms': '1' }),
};

const responses = {
  ...chat,
  id: 'resp',

  usage(reply) {
    const { prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details, completion_tokens_details } = chat.usage(reply);
    return {
      input_tokens: prompt_tokens,
      input_tokens_details: { cached_tokens: prompt_tokens_details.cached_tokens },
      output_tokens: completion_tokens,
      output_tokens_details: { reasoning_tokens: completion_tokens_details.reasoning_tokens },
      total_tokens,
    };
  },

  output: (reply) => [
    ...(reply.text
      ? [{ id: 'msg_replay', type: 'message', status: 'completed', role: 'assistant', content: [{ type: 'output_text', annotations: [], logprobs: [], text: reply.text }] }]
      : []),
    ...reply.tool_calls.map((call, at) => ({
      id: `fc_replay_${at}`,
      type: 'function_call',
      status: 'completed',
      call_id: call.id ?? `call_replay_${at}`,
      name: call.name,
      arguments: JSON.stringify(call.input ?? {}),
    })),
  ],

  plain(reply, id, request) {
    const incomplete = reply.stop_reason === 'max_output_tokens';
    return {
      id,
      object: 'response',
      created_at: 1_780_000_000,
      status: incomplete ? 'incomplete' : 'completed',
      error: null,
      incomplete_details: incomplete ? { reason: 'max_output_tokens' } : null,
      instructions: null,
      max_output_tokens: request.max_output_tokens ?? null,
      model: reply.model,
      output: this.output(reply),
      parallel_tool_calls: true,
      tool_choice: 'auto',
      tools: request.tools ?? [],
      usage: this.usage(reply),
      service_tier: 'default',
    };
  },

  events(reply, id, request) {
    const events = [];
    const push = (type, data) => events.push(sse({ type, ...data, sequence_number: events.length }, type));
    const final = this.plain(reply, id, request);
    const open = { ...final, status: 'in_progress', output: [], usage: null, incomplete_details: null };
    push('response.created', { response: open });
    push('response.in_progress', { response: open });
    final.output.forEach((item, output_index) => {
      const place = { item_id: item.id, output_index };
      if (item.type === 'message') {
        const [part] = item.content;
        push('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', content: [] } });
        push('response.content_part.added', { ...place, content_index: 0, part: { ...part, text: '' } });
        for (const delta of cut(part.text, reply.pieces)) push('response.output_text.delta', { ...place, content_index: 0, delta, logprobs: [] });
        push('response.output_text.done', { ...place, content_index: 0, text: part.text, logprobs: [] });
        push('response.content_part.done', { ...place, content_index: 0, part });
      } else {
        push('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', arguments: '' } });
        for (const delta of cut(item.arguments, Math.min(reply.pieces, 8))) push('response.function_call_arguments.delta', { ...place, delta });
        push('response.function_call_arguments.done', { ...place, name: item.name, arguments: item.arguments });
      }
      push('response.output_item.done', { output_index, item });
    });
    push(final.status === 'incomplete' ? 'response.incomplete' : 'response.completed', { response: final });
    return events;
  },

  errorEvent: ({ type, message }) => sse({ type: 'error', code: type, message, param: null, sequence_number: 0 }, 'error'),
};

const FORMATS = [
  [/\/messages$/, anthropic],
  [/\/chat\/completions$/, chat],
  [/\/responses$/, responses],
];

/** The wire format of an endpoint, by the end of its path. */
export const formatOf = (path) => FORMATS.find(([pattern]) => pattern.test(path))?.[1];

/** The reply as the body of a plain response. */
export function plain(format, reply, request) {
  const whole = complete(reply, request);
  return format.plain(whole, whole.id ?? unique(format.id), request);
}

/** The reply as the events of a stream, each with its line ends. */
export function events(format, reply, request) {
  const whole = complete(reply, request);
  return format.events(whole, whole.id ?? unique(format.id), request);
}

/** Each request of a batch answered by the reply, as the lines of its results. */
export function batchResults(batch, reply) {
  return batch.requests
    .map(({ custom_id, params }) => JSON.stringify({ custom_id, result: { type: 'succeeded', message: plain(anthropic, reply, params) } }))
    .join('\n');
}

/** A batch as the endpoint shows it. */
export function batch(id, { requests }, ended, url) {
  return {
    id,
    type: 'message_batch',
    processing_status: ended ? 'ended' : 'in_progress',
    request_counts: { processing: ended ? 0 : requests.length, succeeded: ended ? requests.length : 0, errored: 0, canceled: 0, expired: 0 },
    created_at: '2026-11-20T09:00:00Z',
    expires_at: '2026-11-21T09:00:00Z',
    ended_at: ended ? '2026-11-20T09:05:00Z' : null,
    archived_at: null,
    cancel_initiated_at: null,
    results_url: ended ? `${url}/v1/messages/batches/${id}/results` : null,
  };
}

export const batchId = () => unique('msgbatch');
