/**
 * "Is it working?": one sentence, then what it is made of.
 * @module
 */
import { change, get, mayChange } from '../api.js';
import { Chart } from '../chart.js';
import { code, emptyNote, errorNote, h, icon, section, setText, show, stateBadge, svg } from '../dom.js';
import { ago, duration, number, plural, words } from '../format.js';
import { follow } from '../live.js';
import { table, update } from '../table.js';
import { openPoints } from './open-points.js';

const SUMS_EVERY_MS = 60_000;
const REASONS_SHOWN = 8;

const verdict = h('div', { class: 'verdict' });
const sentence = h('p', { class: 'sentence', role: 'status' });
const further = h('ul', { class: 'further' });
const asOf = h('p', { class: 'as-of' });
const enforcersPlace = h('div', {});
const effect = new Chart();
const actions = new Chart();
const optOuts = new Chart();
const reasonsPlace = h('div', {});

/** @type {any[]} */
let intervals = [];
let nowMs = 0;

/** @type {readonly import('../table.js').Column<any>[]} */
const ENFORCER_COLUMNS = [
  { title: 'State', cell: (row) => stateBadge(...stateOf(row)) },
  {
    title: 'Enforcer',
    isHead: true,
    cell: (row) => [
      h('span', { class: 'name' }, row.name),
      h('span', { class: 'sub' }, `${row.role} · seen ${ago(nowMs - Date.parse(row.lastSeenAt))}`),
    ],
  },
  { title: 'Role', class: 'wide', cell: (row) => row.role },
  { title: 'Behind', class: 'figure', cell: behind },
  { title: 'Last seen', class: 'figure wide', cell: (row) => ago(nowMs - Date.parse(row.lastSeenAt)) },
  { title: 'Version', class: 'wide', cell: (row) => row.version },
  { title: 'Action', class: 'wide actions', cell: (row) => (row.silent && mayChange() ? retireButton(row) : null) },
];

/** @param {any} row @returns {[string, string]} */
function stateOf({ silent, state, retiredAt }) {
  if (retiredAt !== null) return ['unknown', 'left'];
  if (silent) return ['attention', 'silent'];
  if (state === 'live') return ['working', 'live'];
  return [state === 'hard_stale' ? 'wrong' : 'attention', words(state)];
}

/** @param {any} row */
function behind({ seqLag, position }) {
  if (seqLag === null) return position === null ? 'has nothing yet' : 'starts again';
  return seqLag === 0 ? 'nothing' : plural(seqLag, 'entry').replace('entrys', 'entries');
}

/** @param {any} row */
function retireButton({ id, name }) {
  const retire = async () => {
    if (!confirm(`Take ${name} out of every count? It comes back by itself if it reports again.`)) return;
    try {
      await change('DELETE', `/v1/enforcers/${encodeURIComponent(id)}`, null);
      takeState(await get('/state'));
    } catch (error) {
      enforcersPlace.prepend(errorNote(error));
    }
  };
  return h('button', { type: 'button', class: 'quiet', 'aria-label': `Retire ${name}`, onclick: retire }, 'Retire');
}

/** @param {any} state */
function takeState(state) {
  nowMs = Date.parse(state.at);
  const { verdict: said, process, headSeq } = state;
  if (verdict.dataset.state !== said.state) {
    verdict.dataset.state = said.state;
    verdict.querySelector('.icon')?.replaceWith(icon(said.state));
  }
  setText(sentence, said.sentence);
  further.hidden = said.further.length === 0;
  further.replaceChildren(
    ...said.further.map((/** @type {any} */ one) =>
      h('li', { class: `state ${one.state}` }, icon(one.state), one.sentence),
    ),
  );
  const said2 = [
    `As of ${state.at.slice(11, 19)} UTC`,
    `log at ${number(headSeq)}`,
    process.table === null ? null : `table of ${plural(process.table.entryCount, 'key')}`,
    `policy ${process.policyVersion}`,
    process.canaryAgeMs === null ? null : `last canary ${ago(process.canaryAgeMs)}`,
  ];
  setText(asOf, said2.filter((part) => part !== null).join(' · '));
  showEnforcers(state);
  takeLatest(state.latest);
}

/** @param {any} state */
function showEnforcers({ enforcers, ledger }) {
  if (enforcers === null) {
    const text =
      ledger === 'none'
        ? 'This process keeps no ledger: who else decides by the set is known where the ledger is.'
        : 'The ledger does not answer, so nothing is known of the enforcers.';
    enforcersPlace.replaceChildren(emptyNote(text));
    return;
  }
  if (enforcers.length === 0) {
    enforcersPlace.replaceChildren(
      emptyNote('None yet. Start one with “optgate serve” or “openGate”, and it reports here.'),
    );
    return;
  }
  let whole = /** @type {HTMLTableElement | null} */ (enforcersPlace.querySelector('table'));
  if (whole === null) {
    whole = table('Enforcers', ENFORCER_COLUMNS, []);
    enforcersPlace.replaceChildren(whole);
  }
  update(whole, ENFORCER_COLUMNS, enforcers, ({ id }) => id);
}

/** @param {any} latest */
function takeLatest(latest) {
  const last = intervals.at(-1);
  if (latest === null || (last !== undefined && last.atMs >= latest.atMs)) return;
  intervals = [...intervals, latest].slice(-360);
  showDecisions();
}

function showDecisions() {
  const total = { allow: 0, restrict: 0, block: 0 };
  for (const one of intervals) {
    for (const action of /** @type {const} */ (['allow', 'restrict', 'block'])) total[action] += one.actions[action];
  }
  const all = total.allow + total.restrict + total.block;
  const share = (/** @type {number} */ count) => `${all === 0 ? 0 : Math.round((count / all) * 1000) / 10} %`;
  const since = intervals.length * 10_000;
  const rate = (/** @type {'allow' | 'restrict' | 'block'} */ action) =>
    intervals.map((one) => one.actions[action] / 10);
  actions.set({
    times: all === 0 ? [] : intervals.map(({ atMs }) => atMs),
    series: [
      { label: 'allowed', values: rate('allow'), color: '--series-3' },
      { label: 'restricted', values: rate('restrict'), color: '--series-1' },
      { label: 'blocked', values: rate('block'), color: '--series-2', isDashed: true },
    ],
    summary: `${plural(all, 'decision')} in ${duration(since)}: ${share(total.allow)} allowed, ${share(total.restrict)} restricted, ${share(total.block)} blocked.`,
    format: (value) => `${number(value === null ? null : Math.round(value * 10) / 10)}/s`,
    emptyText: 'No decision was asked for in the last hour, or this process started less than 20 s ago.',
  });
  showReasons();
}

function showReasons() {
  /** @type {Map<string, number>} */
  const totals = new Map();
  for (const { reasons } of intervals) {
    for (const [code, count] of Object.entries(reasons)) totals.set(code, (totals.get(code) ?? 0) + Number(count));
  }
  const rows = [...totals].sort(([, a], [, b]) => b - a).slice(0, REASONS_SHOWN);
  if (rows.length === 0) {
    reasonsPlace.replaceChildren(emptyNote('No decision had a reason to leave anything out.'));
    return;
  }
  /** @type {readonly import('../table.js').Column<[string, number]>[]} */
  const columns = [
    { title: 'Reason', isHead: true, cell: ([name]) => code(name) },
    { title: 'Decisions', class: 'figure', cell: ([, count]) => number(count) },
    { title: 'Last hour', class: 'spark', cell: ([name]) => spark(intervals.map(({ reasons }) => reasons[name] ?? 0)) },
  ];
  let whole = /** @type {HTMLTableElement | null} */ (reasonsPlace.querySelector('table'));
  if (whole === null) {
    whole = table('Decisions by reason', columns, []);
    reasonsPlace.replaceChildren(whole);
  }
  update(whole, columns, rows, ([code]) => code);
}

const SPARK_POINTS = 60;

/** @param {readonly number[]} values */
function spark(values) {
  const step = Math.max(1, Math.ceil(values.length / SPARK_POINTS));
  /** @type {number[]} */
  const points = [];
  for (let at = 0; at < values.length; at += step) {
    points.push(values.slice(at, at + step).reduce((sum, value) => sum + value, 0));
  }
  const most = Math.max(1, ...points);
  const x = (/** @type {number} */ index) => ((index / Math.max(1, points.length - 1)) * 118 + 1).toFixed(1);
  const line = points.map(
    (value, index) => `${index === 0 ? 'M' : 'L'}${x(index)} ${(19 - (value / most) * 17).toFixed(1)}`,
  );
  return svg('svg', { viewBox: '0 0 120 20', class: 'sparkline', 'aria-hidden': 'true', preserveAspectRatio: 'none' }, [
    svg('path', { d: line.join('') }),
  ]);
}

/** @param {any} answer */
function showEffect({ intervals: found }) {
  const times = found.map((/** @type {any} */ one) => one.atMs);
  const of = (/** @type {string} */ name) => found.map((/** @type {any} */ one) => one[name]);
  const all = found.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.count, 0);
  const last = found.at(-1);
  effect.set({
    times,
    series: [
      { label: 'half of them within', values: of('p50Ms'), color: '--series-1' },
      { label: '95 % within', values: of('p95Ms'), color: '--series-3' },
      { label: 'the slowest', values: of('maxMs'), color: '--series-4', kind: 'points' },
    ],
    summary:
      last === undefined
        ? ''
        : `Requests were in force on an enforcer within ${duration(last.p50Ms)} (half of them) and ${duration(last.p95Ms)} (95 %) of being written; ${plural(all, 'measurement')} in 24 hours.`,
    format: duration,
    emptyText: 'No request was acknowledged by an enforcer in the last 24 hours.',
  });
}

/** @param {any} answer */
function showOptOuts({ days, channels }) {
  const sum = (/** @type {any} */ { counts }) =>
    counts.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0);
  const sorted = [...channels].sort((a, b) => sum(b) - sum(a));
  const shown = sorted.slice(0, 4);
  const rest = sorted.slice(4);
  const others = days.map((/** @type {string} */ _, /** @type {number} */ index) =>
    rest.reduce((total, { counts }) => total + counts[index], 0),
  );
  const total = sorted.reduce((all, one) => all + sum(one), 0);
  optOuts.set({
    times: total === 0 ? [] : days.map((/** @type {string} */ day) => Date.parse(day)),
    series: [
      ...shown.map(({ channel, counts }, index) => ({
        label: words(channel),
        values: counts,
        color: `--series-${index + 1}`,
        kind: /** @type {const} */ ('bars'),
      })),
      ...(rest.length === 0
        ? []
        : [{ label: 'others', values: others, color: '--series-5', kind: /** @type {const} */ ('bars') }]),
    ],
    summary: `${plural(total, 'opt-out')} in 30 days: ${sorted.map((one) => `${number(sum(one))} by ${words(one.channel)}`).join(', ')}.`,
    isByDay: true,
    emptyText: 'No opt-out was received in the last 30 days.',
  });
}

/** @param {boolean} isBackground */
async function loadSums(isBackground) {
  const options = { isBackground };
  const load = async (
    /** @type {string} */ path,
    /** @type {(answer: any) => void} */ take,
    /** @type {Element} */ place,
  ) => {
    try {
      take(await get(path, options));
    } catch (error) {
      if (!isBackground) place.replaceChildren(errorNote(error));
    }
  };
  await Promise.all([
    load('/sums/opt-outs', showOptOuts, optOuts.element),
    load('/sums/effect', showEffect, effect.element),
  ]);
}

async function start() {
  try {
    const [state, decisions] = await Promise.all([get('/state'), get('/decisions?range=hour')]);
    verdict.append(icon('unknown'), sentence);
    intervals = decisions.intervals;
    show(
      h('div', { class: 'top' }, verdict, further, asOf),
      section('Enforcers', {}, enforcersPlace),
      openPoints(),
      h(
        'div',
        { class: 'grid' },
        section('Time to effect', {}, effect.element),
        section('Opt-outs by channel', {}, optOuts.element),
        section('Decisions by action', {}, actions.element),
        section('Decisions by reason', {}, reasonsPlace),
      ),
    );
    takeState(state);
    showDecisions();
  } catch (error) {
    show(errorNote(error));
  }
  follow(takeState);
  await loadSums(false);
  setInterval(() => loadSums(true), SUMS_EVERY_MS);
}

void start();
