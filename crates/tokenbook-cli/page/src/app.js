// The page: asks once for everything that it shows, draws it, and asks again when something was recorded.
import uPlot from 'uplot';
import { csv, duration, money, per, percent, shares, short, usd, whole } from './numbers.js';

const main = document.getElementById('main');
const form = document.getElementById('filters');
const live = document.getElementById('live');
const inlined = document.getElementById('data');
const DAY = 86_400_000;
const RANGES = { '24 hours': 1, '7 days': 7, '30 days': 30, '90 days': 90, 'all time': 0 };

/** Makes an element; a text is a text, never markup. */
function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.flat().filter((child) => child !== undefined && child !== false).map((child) => (typeof child === 'number' ? String(child) : child)));
  return node;
}

async function ask(op, args) {
  const response = await fetch(`api/${op}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(args) });
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  let message = text;
  try {
    message = JSON.parse(text).message;
  } catch {}
  throw new Error(message || `the server answered ${response.status}`);
}

/** The start of a day in a zone, some days before today. */
function dayStart(zone, daysBack) {
  const parts = (at) => Object.fromEntries(new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).formatToParts(at).map(({ type, value }) => [type, value]));
  const offset = (ms) => {
    const p = parts(ms);
    return Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute, p.second) - Math.floor(ms / 1000) * 1000;
  };
  const now = parts(Date.now());
  const wall = Date.UTC(now.year, now.month - 1, now.day - daysBack);
  // Twice, since the offset at the guess may be that of the other side of a change of clocks.
  let at = wall - offset(wall);
  at = wall - offset(at);
  return new Date(at).toISOString();
}

const chosen = { range: '30 days', agent: '', zone: '', ...Object.fromEntries(new URLSearchParams(location.hash.slice(1))) };
if (!(chosen.range in RANGES)) chosen.range = '30 days';

function view() {
  const days = RANGES[chosen.range];
  const zone = chosen.zone || undefined;
  const from = days === 0 ? undefined : days === 1 ? new Date(Math.floor(Date.now() / 3_600_000 - 23) * 3_600_000).toISOString() : dayStart(zone ?? 'UTC', days - 1);
  return { from, time_zone: zone, agent: chosen.agent || undefined, unit: days === 1 ? 'hour' : days === 0 && spanDays > 180 ? 'week' : 'day' };
}

let spanDays = 0;

function options(select, entries, value) {
  select.replaceChildren(...entries.map(([key, label]) => el('option', { value: key, selected: key === value }, label)));
}

function fillFilters(data) {
  options(form.elements.range, Object.keys(RANGES).map((name) => [name, name]), chosen.range);
  options(form.elements.agent, [['', 'all agents'], ...data.agent_names.map((name) => [name, name])], chosen.agent);
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zones = [...new Set(['UTC', data.stats.time_zone, own, chosen.zone].filter(Boolean))];
  options(form.elements.zone, zones.map((name) => [name === 'UTC' ? '' : name, name]), chosen.zone);
}

const instant = (text) => new Date(text).toLocaleString(undefined, { timeZone: chosen.zone || 'UTC', dateStyle: 'medium', timeStyle: 'medium' });
const stepName = (row, unit) => (unit === 'hour' ? new Date(row.hour).toLocaleString(undefined, { timeZone: chosen.zone || 'UTC', dateStyle: 'short', timeStyle: 'short' }) : row[unit]);
const tokensOf = (row) => row.total_input_tokens + row.total_output_tokens;
const costOf = (row) => (row.calls > 0 && row.unpriced_calls === row.calls ? 'unknown' : money(usd(row.cost_usd)));

function cards(data) {
  const total = data.steps.total;
  const tokens = tokensOf(total);
  const cost = usd(total.cost_usd);
  const priced = total.calls - total.unpriced_calls;
  const [input, output] = shares([total.total_input_tokens, total.total_output_tokens]);
  const average = per(BigInt(tokens), total.calls - total.unknown_usage_calls);
  const last = Date.parse(data.stats.last_at);
  const first = Math.max(Date.parse(data.stats.first_at), data.view.from ? Date.parse(data.view.from) : 0);
  const minutes = (last - first) / 60_000;
  const hourly = (count) => {
    if (!(minutes >= 60)) return undefined;
    const rate = (count * 60) / minutes;
    return rate < 10 ? rate.toFixed(1) : short(Math.round(rate));
  };
  // A day's cost says something about the next ones only from a few days on.
  const days = minutes / 1440;
  const daily = days >= 3 && priced > 0 ? per(cost * 10_000n, Math.round(days * 10_000)) : undefined;
  const lately = data.lately;
  const minutely = lately.calls > 0 && lately.unpriced_calls < lately.calls ? per(usd(lately.cost_usd), data.minutes) : undefined;
  const cache = data.overview.cache;
  const saved = usd(cache.saved_usd);
  const list = [
    ['Calls', whole(total.calls), total.failed > 0 ? `${whole(total.failed)} failed (${percent(total.failed, total.calls)})` : 'none failed'],
    ['Cost', total.calls > 0 && priced === 0 ? 'unknown' : money(cost), total.unpriced_calls > 0 ? `${whole(total.unpriced_calls)} calls without a price` : 'every call has a price'],
    ['Cost per call', priced > 0 ? money(per(cost, priced)) : '–', total.succeeded > 0 ? `${money(per(cost, total.succeeded))} per successful call` : 'no successful call'],
    ['Tokens', short(tokens), average === undefined ? 'no usage known' : `${whole(average)} a call`],
    ['Input tokens', short(total.total_input_tokens), input === undefined ? '–' : `${input} of all tokens`],
    ['Output tokens', short(total.total_output_tokens), output === undefined ? '–' : `${output} of all tokens`],
    ['Cost a minute', minutely === undefined ? '–' : money(minutely), lately.calls > 0 ? `${whole(lately.calls)} calls in the last ${data.minutes} minutes` : `no call in the last ${data.minutes} minutes`],
    ['Read from cache', short(total.cache_read_tokens ?? 0), `${percent(total.cache_read_tokens ?? 0, total.total_input_tokens)} of the input`],
    ['Saved by caching', cache.read_tokens + cache.write_tokens === 0 ? '–' : money(saved), cache.read_tokens + cache.write_tokens === 0 ? 'nothing was cached' : cache.unpriced_calls > 0 ? `without ${whole(cache.unpriced_calls)} calls that have no price` : 'beside all of it as fresh input'],
    ['Calls with tools', whole(total.calls_offering_tools), `${percent(total.calls_offering_tools, total.calls)} offer, ${percent(total.calls_calling_tools, total.calls)} call`],
    ['Tool definitions', short(total.tool_definition_tokens), `${percent(total.tool_definition_tokens, tokens)} of all tokens`],
    ['Tool results', short(total.tool_result_tokens), `${percent(total.tool_result_tokens, tokens)} of all tokens`],
    ['Utilization', total.utilization === undefined ? '–' : `${(100 * total.utilization).toFixed(1)} %`, `${whole(total.truncated)} cut off (${percent(total.truncated, total.truncation_known)})`],
    ['Duration', duration(total.average_duration_ms), total.duration_calls > 0 ? `mean of ${whole(total.duration_calls)} calls` : 'no duration known'],
    ['Pace', hourly(tokens) === undefined ? '–' : `${hourly(tokens)} / h`, hourly(tokens) === undefined ? 'needs an hour of calls' : `tokens; ${hourly(total.calls)} calls an hour`],
    ['Cost a day', daily === undefined ? '–' : money(daily), daily === undefined ? 'needs three days of calls' : `mean of ${days.toFixed(1)} days; ${money(daily * 30n)} in 30`],
  ];
  return el('ul', { class: 'cards', 'aria-label': 'Key figures' }, list.map(([name, value, sub]) => el('li', {}, el('div', { class: 'name' }, name), el('div', { class: 'value' }, value), el('div', { class: 'sub' }, sub))));
}

function section(title, { half, note, actions = [] } = {}, ...body) {
  const id = `h-${title.toLowerCase().replaceAll(/[^a-z]+/g, '-')}`;
  return el('section', { class: half ? 'half' : '', 'aria-labelledby': id }, el('div', { class: 'head' }, el('h2', { id }, title), note && el('span', { class: 'note' }, note), ...actions), ...body);
}

function download(name, rows) {
  const url = URL.createObjectURL(new Blob([csv(rows)], { type: 'text/csv' }));
  el('a', { href: url, download: `${name}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** A table with a heading and its CSV; each column is [name, what it shows, what the CSV holds]. */
function table(title, rows, columns, { half, empty, note, tail } = {}) {
  if (rows.length === 0) return section(title, { half }, el('p', { class: 'empty' }, empty));
  const raw = () => [columns.map(([name]) => name), ...rows.map((row, at) => columns.map(([, show, value]) => (value ?? show)(row, at)))];
  const body = el('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': title },
    el('table', {},
      el('thead', {}, el('tr', {}, columns.map(([name, , , number = true]) => el('th', { scope: 'col', class: number ? 'n' : '' }, name)))),
      el('tbody', {}, rows.map((row, at) => el('tr', {}, columns.map(([, show, , number = true]) => {
        const shown = show(row, at);
        return el('td', { class: number ? 'n' : '' }, shown === undefined ? '–' : typeof shown === 'bigint' ? whole(shown) : shown);
      }))))));
  return section(title, { half, note, actions: [el('button', { type: 'button', 'aria-label': `CSV of ${title}`, onclick: () => download(title.toLowerCase().replaceAll(' ', '-'), raw()) }, 'CSV')] }, body, tail ?? '');
}

const name = (field, none) => [(row) => row[field] ?? none, (row) => row[field] ?? ''];

function shareBar(text) {
  const value = Number.parseFloat(text) || 0;
  return el('span', {}, el('meter', { min: 0, max: 100, value, 'aria-hidden': true }), text ?? '–');
}

function grouped(title, report, field, none, onPick) {
  const costs = report.rows.map((row) => Number(usd(row.cost_usd) / 1_000_000n));
  const others = report.overlapping ? [] : shares(costs);
  const [show, value] = name(field, none);
  return table(title, report.rows, [
    [field, (row) => (onPick && row[field] ? el('button', { type: 'button', class: 'link', onclick: () => onPick(row[field]) }, row[field]) : show(row)), value, false],
    ['calls', (row) => whole(row.calls), (row) => row.calls],
    ['tokens', (row) => short(tokensOf(row)), tokensOf],
    ['cost', costOf, (row) => row.cost_usd],
    ['of the cost', (_, at) => (others.length ? shareBar(others[at]) : '–'), (_, at) => others[at] ?? ''],
  ], { half: true, empty: 'No calls in this range.', note: report.rows_left_out > 0 ? `${report.rows_left_out} more` : undefined });
}

let charts = [];

function chart(data) {
  const unit = data.view.unit;
  const rows = data.steps.rows;
  if (rows.length === 0) return section('Cost and tokens', {}, el('p', { class: 'empty' }, 'No calls in this range.'));
  const holder = el('div', { role: 'img', 'aria-label': `Cost and tokens by ${unit}, from ${stepName(rows[0], unit)} to ${stepName(rows.at(-1), unit)}; the table below has the figures.` });
  const xs = rows.map((row) => (unit === 'hour' ? Date.parse(row.hour) : Date.parse(`${row[unit]}T00:00:00Z`)) / 1000);
  // Only a picture: the figures themselves stay exact in the table.
  const costs = rows.map((row) => Number(row.cost_usd));
  const tokens = rows.map(tokensOf);
  const draw = () => {
    const style = getComputedStyle(document.documentElement);
    const color = (key) => style.getPropertyValue(key).trim();
    const axis = { stroke: color('--soft'), grid: { stroke: color('--line'), width: 1 }, ticks: { show: false }, font: '12px system-ui' };
    const plot = new uPlot({
      width: Math.max(260, holder.clientWidth), height: 230, tzDate: (at) => uPlot.tzDate(new Date(at * 1000), unit === 'hour' ? chosen.zone || 'UTC' : 'UTC'),
      cursor: { y: false, points: { size: 6 } }, legend: { show: false },
      scales: { x: { range: (_, low, high) => { const step = xs.length > 1 ? xs[1] - xs[0] : 86_400; return [low - step / 2, high + step / 2]; } }, usd: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] }, tokens: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
      axes: [{ ...axis, grid: { show: false }, values: (_, ticks) => ticks.map((tick) => new Date(tick * 1000).toLocaleString(undefined, unit === 'hour' ? { timeZone: chosen.zone || 'UTC', hour: '2-digit', minute: '2-digit' } : { timeZone: 'UTC', day: 'numeric', month: 'short' })) }, { ...axis, scale: 'usd', size: 64, values: (_, ticks) => ticks.map((tick) => `$${tick}`) }, { ...axis, scale: 'tokens', side: 1, size: 56, grid: { show: false }, values: (_, ticks) => ticks.map(short) }],
      series: [{}, { label: 'cost', scale: 'usd', fill: color('--accent'), stroke: color('--accent'), width: 0, paths: uPlot.paths.bars({ size: [0.7, 40] }), points: { show: false } }, { label: 'tokens', scale: 'tokens', stroke: color('--second'), width: 2, points: { show: xs.length < 3 } }],
      hooks: { setCursor: [(self) => { const at = self.cursor.idx; tip.textContent = at == null ? '' : `${stepName(rows[at], unit)}: ${costOf(rows[at])}, ${whole(tokensOf(rows[at]))} tokens, ${whole(rows[at].calls)} calls`; }] },
    }, [xs, costs, tokens], holder);
    charts.push(plot);
  };
  const tip = el('p', { class: 'note', 'aria-hidden': true });
  requestAnimationFrame(draw);
  const legend = el('p', { class: 'legend' }, el('span', {}, 'cost (left)'), el('span', { class: 'second' }, 'tokens (right)'));
  const [start, end] = [stepName(rows[0], unit), stepName(rows.at(-1), unit)];
  return section('Cost and tokens', { note: `by ${unit}, ${start} to ${end}` }, legend, holder, tip, el('details', {}, el('summary', {}, 'The same as a table'), steps(data)));
}

function steps(data) {
  const unit = data.view.unit;
  return table(`By ${unit}`, data.steps.rows, [
    [unit, (row) => stepName(row, unit), (row) => row[unit], false],
    ['calls', (row) => whole(row.calls), (row) => row.calls],
    ['failed', (row) => whole(row.failed), (row) => row.failed],
    ['input', (row) => whole(row.total_input_tokens), (row) => row.total_input_tokens],
    ['output', (row) => whole(row.total_output_tokens), (row) => row.total_output_tokens],
    ['cost', costOf, (row) => row.cost_usd],
  ], { empty: 'No calls in this range.' });
}

function success(row) {
  const share = row.calls > 0 ? row.succeeded / row.calls : undefined;
  const grade = share === undefined ? '' : share >= 0.95 ? 'good' : share >= 0.9 ? 'warn' : 'bad';
  return el('span', { class: grade }, percent(row.succeeded, row.calls));
}

function endpoints(data) {
  return table('By action, agent and model', data.endpoints.rows, [
    ['action', ...name('action', 'none'), false],
    ['agent', ...name('agent', 'none'), false],
    ['model', ...name('model', 'none'), false],
    ['calls', (row) => whole(row.calls), (row) => row.calls],
    ['failed', (row) => whole(row.failed), (row) => row.failed],
    ['success', success, (row) => percent(row.succeeded, row.calls)],
    ['input', (row) => short(row.total_input_tokens), (row) => row.total_input_tokens],
    ['output', (row) => short(row.total_output_tokens), (row) => row.total_output_tokens],
    ['cost', costOf, (row) => row.cost_usd],
    ['a call', (row) => { const value = per(usd(row.cost_usd), row.calls - row.unpriced_calls); return value === undefined ? '–' : money(value); }, (row) => row.cost_usd],
    ['duration', (row) => duration(row.average_duration_ms), (row) => row.average_duration_ms ?? ''],
  ], { empty: 'No calls in this range.', note: data.endpoints.rows_left_out > 0 ? `${data.endpoints.rows_left_out} more` : undefined });
}

function tools(data) {
  const rows = data.tools.rows.filter((row) => row.tool !== undefined);
  const called = shares(rows.map((row) => row.tools_called));
  return table('Tools', rows, [
    ['tool', ...name('tool', ''), false],
    ['calls offering it', (row) => whole(row.calls_offering_tools), (row) => row.calls_offering_tools],
    ['times called', (row) => whole(row.tools_called), (row) => row.tools_called],
    ['calls calling it', (row) => percent(row.calls_calling_tools, row.calls_offering_tools), (row) => row.calls_calling_tools],
    ['of all calls of tools', (_, at) => called[at] ?? '–', (_, at) => called[at] ?? ''],
    ['definition tokens', (row) => short(row.tool_definition_tokens), (row) => row.tool_definition_tokens],
    ['result tokens', (row) => short(row.tool_result_tokens), (row) => row.tool_result_tokens],
    ['input from cache', (row) => percent(row.cache_read_tokens ?? 0, row.total_input_tokens), (row) => row.cache_read_tokens ?? 0],
    ['cost of calls with it', costOf, (row) => row.cost_usd],
  ], { empty: 'No call of this range offered a tool.', note: 'a call with two tools is in both rows' });
}

/** How long calls took and how large they were. */
function sizes(data) {
  const known = data.overview.sizes;
  const rows = [['duration', known.duration_ms, duration], ['first token', known.time_to_first_token_ms, duration], ['input tokens', known.input_tokens, whole], ['output tokens', known.output_tokens, whole]].filter(([, row]) => row.calls > 0);
  const at = (field) => [([, row, show]) => (row[field] === undefined ? '–' : show(row[field])), ([, row]) => row[field] ?? ''];
  return table('Times and sizes', rows, [
    ['of a call', ([what]) => what, undefined, false],
    ['calls', ([, row]) => whole(row.calls), ([, row]) => row.calls],
    ['half are below', ...at('p50')],
    ['90 % are below', ...at('p90')],
    ['99 % are below', ...at('p99')],
  ], { half: true, empty: 'No durations and no usage are known.', note: 'within 3.2 %' });
}

/** How full answers made the limit that was sent. */
function utilization(data) {
  const { limits } = data.overview;
  const share = shares(limits.steps.map((step) => step.calls));
  return table('Output of max_tokens', limits.calls > 0 ? limits.steps : [], [
    ['used', (step) => (step.up_to_percent === undefined ? `above ${step.above_percent} %` : `${step.above_percent} to ${step.up_to_percent} %`), undefined, false],
    ['calls', (step) => whole(step.calls), (step) => step.calls],
    ['of the calls with a limit', (_, at) => shareBar(share[at]), (_, at) => share[at] ?? ''],
  ], { half: true, empty: 'No call with a limit and known usage.', note: `${whole(limits.near_limit_calls)} above 90 %, ${percent(limits.truncated, data.overview.total.truncation_known)} cut off` });
}

/** What a question on the page was answered, kept while the page is drawn anew. */
const asked = { whatIf: undefined, compare: undefined };

/** A section that asks the server when somebody wants it to. */
function question(title, what, fields, button, args, answer) {
  if (inlined) return undefined;
  const said = el('div', { 'aria-live': 'polite' });
  const put = () => said.replaceChildren(...(asked[what] === undefined ? [] : asked[what] instanceof Error ? [el('p', { class: 'error', role: 'alert' }, asked[what].message)] : answer(asked[what])));
  const form = el('form', { class: 'ask', onsubmit: async (event) => {
    event.preventDefault();
    try {
      asked[what] = await ask(what === 'whatIf' ? 'what_if' : what, args(event.target.elements));
    } catch (error) {
      asked[what] = error;
    }
    put();
  } }, ...fields, el('button', { type: 'submit' }, button));
  put();
  return section(title, {}, form, said);
}

const signed = (text) => { const amount = usd(text); return `${amount > 0n ? '+' : ''}${money(amount)}`; };

function whatIf(data) {
  const models = data.models.rows.map((row) => row.model).filter(Boolean);
  const input = el('input', { name: 'model', list: 'models', required: true, placeholder: 'gpt-4o-mini', value: asked.whatIfModel ?? '', autocomplete: 'off', oninput: (event) => { asked.whatIfModel = event.target.value; } });
  const { from, to, agent } = data.view;
  return question('The same calls on another model', 'whatIf', [el('label', {}, 'Model ', input), el('datalist', { id: 'models' }, models.map((model) => el('option', { value: model })))], 'Price them', (fields) => ({ model: fields.model.value, from: from ?? undefined, to: to ?? undefined, ...(agent ? { filter: { agent } } : {}) }), (found) => [
    el('p', {}, `${whole(found.total.compared_calls)} calls cost ${money(usd(found.total.actual_usd))} and would have cost ${money(usd(found.total.what_if_usd))} on ${found.model}: ${signed(found.total.difference_usd)}.`, found.total.what_if_unpriced_calls > 0 ? ` ${whole(found.total.what_if_unpriced_calls)} calls have no price there.` : ''),
    table('By agent, action and model', found.parts, [
      ['agent', ...name('agent', 'none'), false],
      ['action', ...name('action', 'none'), false],
      ['model', ...name('model', 'none'), false],
      ['calls', (row) => whole(row.calls), (row) => row.calls],
      ['cost', (row) => money(usd(row.actual_usd)), (row) => row.actual_usd],
      ['would have cost', (row) => money(usd(row.what_if_usd)), (row) => row.what_if_usd],
      ['difference', (row) => signed(row.difference_usd), (row) => row.difference_usd],
    ], { empty: 'No calls in this range.' }),
  ]);
}

function compare(data) {
  const { from, agent } = data.view;
  if (!from) return undefined;
  const back = () => {
    const now = Date.now();
    const length = now - Date.parse(from);
    return { a: { from: new Date(Date.parse(from) - length).toISOString(), to: from }, b: { from, to: new Date(now).toISOString() }, ...(agent ? { filter: { agent } } : {}) };
  };
  return question('Beside the time before', 'compare', [el('span', { class: 'note' }, `${chosen.range} beside as long a time before`)], 'Compare', back, (found) => [
    el('p', {}, `${money(usd(found.a.cost_usd))} before, ${money(usd(found.b.cost_usd))} now: ${signed(found.change_usd)}.`),
    table('Why', [['more or fewer calls', 'volume_usd'], ['another mix of agents and models', 'mix_usd'], ['more or fewer tokens a call', 'tokens_per_call_usd'], ['other prices', 'price_usd']], [
      ['reason', ([reason]) => reason, undefined, false],
      ['of the change', ([, field]) => signed(found.reasons[field]), ([, field]) => found.reasons[field]],
    ], { empty: '' }),
    table('Changes by agent, action and model', found.groups, [
      ['agent', ...name('agent', 'none'), false],
      ['action', ...name('action', 'none'), false],
      ['model', ...name('model', 'none'), false],
      ['calls before', (row) => whole(row.calls_a), (row) => row.calls_a],
      ['calls now', (row) => whole(row.calls_b), (row) => row.calls_b],
      ['cost before', (row) => money(usd(row.cost_a_usd)), (row) => row.cost_a_usd],
      ['cost now', (row) => money(usd(row.cost_b_usd)), (row) => row.cost_b_usd],
      ['change', (row) => signed(row.change_usd), (row) => row.change_usd],
    ], { empty: 'No calls in either time.' }),
  ]);
}

function budgets(data) {
  const list = data.budgets.budgets;
  const amount = (budget, field) => (budget[`${field}_usd`] !== undefined ? money(usd(budget[`${field}_usd`])) : budget[`${field}_tokens`] !== undefined ? `${whole(budget[`${field}_tokens`])} tokens` : '–');
  const used = (budget) => {
    const [limit, spent, held] = ['limit', 'spent', 'held'].map((field) => Number(budget[`${field}_usd`] ?? budget[`${field}_tokens`] ?? 0));
    return limit > 0 ? (100 * (spent + held)) / limit : undefined;
  };
  return table('Budgets', list, [
    ['budget', (row) => row.name, undefined, false],
    ['period', (row) => row.period?.name ?? (typeof row.period === 'string' ? row.period : row.period?.unit) ?? '–', undefined, false],
    ['limit', (row) => amount(row, 'limit')],
    ['spent', (row) => amount(row, 'spent')],
    ['held', (row) => amount(row, 'held')],
    ['used', (row) => { const share = used(row); return share === undefined ? '–' : el('span', { class: share >= 100 ? 'bad' : share >= 80 ? 'warn' : '' }, el('meter', { min: 0, max: 100, low: 80, high: 100, optimum: 0, value: Math.min(share, 100), 'aria-hidden': true }), `${share.toFixed(1)} %`); }, (row) => used(row)?.toFixed(1) ?? ''],
  ], { half: true, empty: 'No budget is set: `tokenbook budget set` makes one.' });
}

function findings(data) {
  return table('What could be saved', data.findings.findings, [
    ['finding', (row) => row.title, undefined, false],
    ['what to do', (row) => row.advice, undefined, false],
    ['calls', (row) => whole(row.calls), (row) => row.calls],
    ['money in it', (row) => (row.amount_usd === undefined ? '–' : money(usd(row.amount_usd))), (row) => row.amount_usd ?? ''],
  ], { empty: 'Nothing was found in this range.' });
}

function alerts(data) {
  return table('Alerts', data.alerts.alerts, [
    ['since', (row) => instant(row.started_at), (row) => row.started_at, false],
    ['until', (row) => (row.ended_at === undefined ? el('span', { class: 'bad' }, 'now') : instant(row.ended_at)), (row) => row.ended_at ?? '', false],
    ['alert', (row) => row.message, undefined, false],
  ], { half: true, empty: 'No alert was raised.' });
}

function forecast(data) {
  const { total } = data.forecast;
  const band = (value) => (value.low === undefined ? '–' : `${money(usd(value.low))} to ${money(usd(value.high))}`);
  return table('The next days', total.days ?? [], [
    ['day', (row) => row.day, undefined, false],
    ['expected cost', (row) => money(usd(row.cost_usd.expected)), (row) => row.cost_usd.expected],
    ['nine times of ten', (row) => band(row.cost_usd), (row) => (row.cost_usd.low === undefined ? '' : `${row.cost_usd.low} to ${row.cost_usd.high}`)],
    ['expected tokens', (row) => short(row.tokens.expected), (row) => row.tokens.expected],
  ], { half: true, note: total.cost_usd === undefined ? undefined : `in all ${money(usd(total.cost_usd.expected))} (${band(total.cost_usd)}); ${total.basis}`, empty: `Nothing is foretold yet: ${total.basis}.` });
}

function running(calls) {
  return table('Running now', calls, [
    ['since', (call) => instant(call.at), (call) => call.at, false],
    ['agent', ...name('agent', 'none'), false],
    ['model', (call) => call.model, undefined, false],
    ['output', (call) => (call.output_tokens === undefined ? '–' : whole(call.output_tokens)), (call) => call.output_tokens ?? ''],
    ['cost so far', (call) => (call.cost_usd === undefined ? '–' : money(usd(call.cost_usd))), (call) => call.cost_usd ?? ''],
  ], { half: true, empty: 'No call is running.' });
}

const callCost = (call) => (call.cost?.total_usd !== undefined ? money(usd(call.cost.total_usd)) : 'unknown');
const callTokens = (call, field) => (call.usage === undefined ? '–' : whole(call.usage[field] ?? 0));

function recent(data) {
  let calls = data.calls.calls;
  let cursor = data.calls.next_cursor;
  const make = () => table('Calls', calls, [
    ['at', (call) => el('button', { type: 'button', class: 'link', onclick: () => show(call) }, instant(call.at)), (call) => call.at, false],
    ['agent', ...name('agent', 'none'), false],
    ['action', ...name('action', 'none'), false],
    ['model', (call) => call.answered_model ?? call.model, undefined, false],
    ['input', (call) => callTokens(call, 'total_input_tokens'), (call) => call.usage?.total_input_tokens ?? ''],
    ['output', (call) => callTokens(call, 'total_output_tokens'), (call) => call.usage?.total_output_tokens ?? ''],
    ['cost', callCost, (call) => call.cost?.total_usd ?? ''],
    ['ended', (call) => (call.outcome === 'error' ? el('span', { class: 'bad' }, call.error_class ?? 'error') : call.truncated ? el('span', { class: 'warn' }, 'cut off') : call.partial ? el('span', { class: 'warn' }, 'partial') : (call.stop_reason ?? 'ok')), (call) => call.error_class ?? call.stop_reason ?? '', false],
  ], { empty: 'No calls in this range.', note: 'newest first', tail: cursor && !inlined ? el('button', { type: 'button', onclick: more }, 'Show more') : undefined });
  const more = async () => {
    const { from, agent } = data.view;
    const page = await ask('list', { limit: 100, cursor, ...(from ? { from } : {}), ...(agent ? { filter: { agent } } : {}) });
    calls = [...calls, ...page.calls];
    cursor = page.next_cursor;
    const next = make();
    node.replaceWith(next);
    node = next;
  };
  let node = make();
  return node;
}

/** One call in full. */
function show(call) {
  const dialog = document.getElementById('call');
  const flat = (value, path = '') => Object.entries(value).flatMap(([key, inner]) => (inner !== null && typeof inner === 'object' && !Array.isArray(inner) ? flat(inner, `${path}${key}.`) : [[path + key, Array.isArray(inner) ? inner.map((item) => (typeof item === 'object' ? JSON.stringify(item) : item)).join(', ') : String(inner)]]));
  dialog.replaceChildren(
    el('div', { class: 'head' }, el('h2', { id: 'call-title' }, 'Call'), el('button', { type: 'button', onclick: () => dialog.close() }, 'Close')),
    el('dl', {}, flat(call).flatMap(([key, value]) => [el('dt', {}, key), el('dd', {}, value)])),
  );
  dialog.showModal();
}

let shown;

function draw(data) {
  shown = data;
  spanDays = (Date.parse(data.stats.last_at) - Date.parse(data.stats.first_at)) / DAY || 0;
  fillFilters(data);
  for (const plot of charts.splice(0)) plot.destroy();
  const open = [...main.querySelectorAll('details')].some((details) => details.open);
  if (data.stats.recorded === 0) {
    main.replaceChildren(el('p', { class: 'empty' }, 'The ledger is empty. Record a call, and it shows here at once.'));
  } else {
    const pick = inlined ? undefined : (agent) => choose({ agent });
    main.replaceChildren(cards(data), chart(data), grouped('By agent', data.agents, 'agent', 'none', pick), grouped('By model', data.models, 'model', 'none'), endpoints(data), tools(data), sizes(data), utilization(data), ...[findings(data), whatIf(data), compare(data)].filter(Boolean), budgets(data), alerts(data), forecast(data), running(data.live.calls), recent(data));
  }
  for (const details of main.querySelectorAll('details')) details.open = open;
  main.setAttribute('aria-busy', 'false');
  document.documentElement.dataset.ready = 'true';
}

let asking = 0;

async function load() {
  asking += 1;
  const mine = asking;
  try {
    let data = await ask('page', view());
    if (mine === asking) draw(data);
  } catch (error) {
    if (mine !== asking) return;
    main.setAttribute('aria-busy', 'false');
    main.replaceChildren(el('p', { class: 'error', role: 'alert' }, `The ledger can't be read: ${error.message}`), el('p', { class: 'empty' }, el('button', { type: 'button', onclick: load }, 'Try again')));
  }
}

function choose(change) {
  Object.assign(chosen, change);
  // An answer is of the range that was shown when it was asked for.
  asked.whatIf = asked.compare = undefined;
  history.replaceState(null, '', `#${new URLSearchParams(chosen)}`);
  load();
}

form.addEventListener('change', (event) => choose({ [event.target.name]: event.target.value }));
form.addEventListener('submit', (event) => event.preventDefault());
const redraw = () => shown && draw(shown);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
let resized;
addEventListener('resize', () => {
  clearTimeout(resized);
  resized = setTimeout(redraw, 150);
});

if (inlined) {
  const data = JSON.parse(inlined.textContent);
  chosen.zone = data.view.time_zone ?? '';
  form.hidden = true;
  live.textContent = `as of ${instant(data.stats.last_at ?? 0)}`;
  draw(data);
} else {
  load();
  const events = new EventSource('api/events');
  events.onopen = () => {
    live.textContent = 'live';
    live.classList.add('on');
  };
  events.onerror = () => {
    live.textContent = 'not connected';
    live.classList.remove('on');
  };
  events.onmessage = ({ data }) => {
    const news = JSON.parse(data);
    // Compared with what is shown, not with the news before: a call may have come between the page and its first news.
    const isNew = shown !== undefined && (news.recorded !== shown.stats.recorded || JSON.stringify(news.live) !== JSON.stringify(shown.live.calls));
    // A page that somebody is reading a call on, or typing in, is not drawn anew under them.
    if (isNew && !document.querySelector('dialog[open]') && !main.contains(document.activeElement?.closest('form.ask'))) load();
  };
}
