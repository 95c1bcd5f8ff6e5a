/**
 * The data inventory: who may receive data, for what, under which contract.
 * @module
 */
import { ApiError, get, mayChange } from '../api.js';
import { emptyNote, fill, h, show, stateBadge } from '../dom.js';
import { plural, words } from '../format.js';
import { table } from '../table.js';
import { contractState, destinationHref } from './open-points.js';

/** @param {any} row */
function contractCell(row) {
  const { contract } = row;
  const state = contractState(row);
  const named =
    contract === null ? h('span', { class: 'none' }, '–') : `${contract.reference}, ${contract.expires ?? 'open end'}`;
  return state === null ? named : [named, h('br'), stateBadge(state.state, state.text)];
}

async function load() {
  let destinations;
  try {
    ({ destinations } = await get('/v1/destinations'));
  } catch (error) {
    if (error instanceof ApiError && error.status === 501)
      return emptyNote('Destinations are kept where the ledger is.');
    throw error;
  }
  const add = mayChange() ? h('p', {}, h('a', { href: '/console/destination' }, 'Add a destination')) : null;
  if (destinations.length === 0) {
    return [emptyNote('None yet. A destination that is not listed counts as a third party.'), add];
  }
  return [
    table(
      'Destinations',
      [
        {
          title: 'Destination',
          isHead: true,
          cell: (row) => [
            h('a', { href: destinationHref(row.id) }, row.id),
            h('span', { class: 'sub' }, words(row.role)),
          ],
        },
        { title: 'Role', class: 'wide', cell: (row) => words(row.role) },
        { title: 'Purposes', class: 'wide', cell: (row) => row.purposes.map(words).join(', ') },
        { title: 'Opted-out requests', class: 'wide', cell: (row) => `${words(row.whenOptedOut)}${differs(row)}` },
        { title: 'Contract', cell: contractCell },
      ],
      destinations,
    ),
    add,
  ];
}

/** @param {any} row */
function differs({ states }) {
  const count = Object.keys(states).length;
  return count === 0 ? '' : `; other terms in ${plural(count, 'state')}`;
}

const place = h('div', {});
show(place);
void fill(place, load);
