/**
 * What waits for a person: requests whose time is running out, destinations nobody has written down, contracts that end.
 * @module
 */
import { ApiError, get } from '../api.js';
import { fill, h, section, stateBadge } from '../dom.js';
import { number, plural, words } from '../format.js';

const WARN_DAYS = 30;
const DAY_MS = 86_400_000;
const SHOWN = 5;

export function openPoints() {
  const places = [h('div', {}), h('div', {}), h('div', {})];
  const loads = [showDeadlines, showContracts, showUnknown];
  for (const [index, place] of places.entries()) void fill(place, loads[index] ?? showDeadlines);
  return section('Open points', { class: 'points' }, places);
}

/** What a route gives; `null`: this process does not have it. @param {string} path */
async function optional(path) {
  try {
    return await get(path);
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 501)) return null;
    throw error;
  }
}

async function showDeadlines() {
  const answer = await optional('/v1/deadlines');
  if (answer === null) return line('unknown', 'Deadlines: not kept by this process.');
  const { overdueCount, nearlyOverdueCount, requests } = answer;
  if (overdueCount + nearlyOverdueCount === 0) return line('working', 'No request is overdue or nearly so.');
  const said = `${plural(overdueCount, 'request')} overdue, ${number(nearlyOverdueCount)} nearly so`;
  const rows = requests
    .slice(0, SHOWN)
    .map((/** @type {any} */ one) =>
      h(
        'li',
        {},
        h('a', { class: 'id', href: `/console/requests/${one.requestId}` }, one.requestId),
        ` ${words(one.deadlineState)}, due ${one.dueOn}, in force on ${one.inForceOn} of ${one.enforcerCount}`,
      ),
    );
  return [line(overdueCount > 0 ? 'wrong' : 'attention', said), h('ul', { class: 'plain under' }, rows)];
}

async function showContracts() {
  const answer = await optional('/v1/destinations');
  if (answer === null) return line('unknown', 'Contracts: kept where the ledger is.');
  const found = answer.destinations.map(contractState).filter((/** @type {any} */ one) => one !== null);
  if (found.length === 0) return line('working', 'No contract has ended or ends within 30 days.');
  const item = (/** @type {any} */ one) =>
    line(one.state, one.text, ': ', h('a', { href: destinationHref(one.id) }, one.id));
  const rest = found.length - SHOWN;
  const further =
    rest > 0 ? h('p', {}, h('a', { href: '/console/destinations' }, `${plural(rest, 'further destination')}`)) : null;
  return [...found.slice(0, SHOWN).map(item), further];
}

async function showUnknown() {
  const answer = await optional('/v1/destinations/unknown');
  const listed = answer?.destinations ?? null;
  const count = listed === null ? (await get('/state')).process.unknownDestinationCount : listed.length;
  if (count === 0) return line('working', 'Every destination in traffic is written down.');
  const said = `${plural(count, 'destination')} in traffic or exports that nobody has written down: treated as third parties`;
  const names = (listed ?? []).slice(0, SHOWN).map((/** @type {any} */ one) => {
    const [seen, sent] = [plural(one.decisionCount, 'decision'), plural(one.exportCount, 'export')];
    return h('li', {}, h('a', { href: destinationHref(one.id) }, one.id), `, ${seen}, ${sent}`);
  });
  return [line('attention', said), names.length === 0 ? null : h('ul', { class: 'plain under' }, names)];
}

/** @param {string} state @param {string} text @param {...import('../dom.js').Child} further */
function line(state, text, ...further) {
  const badge = stateBadge(state, text);
  return h('p', { class: 'point' }, badge, ...further);
}

/** @param {string} id */
export function destinationHref(id) {
  return `/console/destination?id=${encodeURIComponent(id)}`;
}

/** What is to be said of a contract; `null`: nothing. @param {any} destination */
export function contractState({ id, role, contract }) {
  if (role !== 'third_party' && contract === null) {
    return { id, state: 'attention', text: 'No contract, so a third party' };
  }
  if (contract === null || contract.expires === null) return null;
  // the day itself is still one of the contract's
  const leftDays = Math.floor((Date.parse(contract.expires) + DAY_MS - Date.now()) / DAY_MS);
  if (leftDays < 0) return { id, state: 'wrong', text: `Contract ended ${contract.expires}, so a third party` };
  if (leftDays > WARN_DAYS) return null;
  return {
    id,
    state: 'attention',
    text: leftDays === 0 ? 'Contract ends today' : `Contract ends in ${plural(leftDays, 'day')}`,
  };
}
