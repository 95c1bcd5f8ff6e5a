/**
 * What waits for a person: requests whose time is running out, destinations nobody has written down, contracts that end.
 * @module
 */
import { ApiError, get } from '../api.js';
import { emptyNote, fill, h, section, stateBadge } from '../dom.js';
import { plural } from '../format.js';

const WARN_DAYS = 30;
const DAY_MS = 86_400_000;

export function openPoints() {
  const contracts = h('div', {});
  void fill(contracts, showContracts);
  return section('Open points', { class: 'points' }, contracts);
}

async function showContracts() {
  let destinations;
  try {
    ({ destinations } = await get('/v1/destinations'));
  } catch (error) {
    if (error instanceof ApiError && error.status === 501)
      return emptyNote('Destinations are kept where the ledger is.');
    throw error;
  }
  const found = destinations.map(contractState).filter((/** @type {any} */ one) => one !== null);
  if (found.length === 0) return h('p', {}, stateBadge('working', 'No contract ends within 30 days.'));
  return h(
    'ul',
    { class: 'plain' },
    found.map((/** @type {any} */ one) =>
      h('li', {}, stateBadge(one.state, one.text), ' ', h('a', { href: destinationHref(one.id) }, one.id)),
    ),
  );
}

/** @param {string} id */
export function destinationHref(id) {
  return `/console/destination?id=${encodeURIComponent(id)}`;
}

/** What is to be said of a contract; `null`: nothing. @param {any} destination */
export function contractState({ id, role, contract }) {
  if (role !== 'third_party' && contract === null) {
    return { id, state: 'attention', text: 'No contract: treated as a third party' };
  }
  if (contract === null || contract.expires === null) return null;
  // the day itself is still one of the contract's
  const leftDays = Math.floor((Date.parse(contract.expires) + DAY_MS - Date.now()) / DAY_MS);
  if (leftDays < 0) return { id, state: 'wrong', text: `Contract ended ${contract.expires}: treated as a third party` };
  if (leftDays > WARN_DAYS) return null;
  return {
    id,
    state: 'attention',
    text: leftDays === 0 ? 'Contract ends today' : `Contract ends in ${plural(leftDays, 'day')}`,
  };
}
