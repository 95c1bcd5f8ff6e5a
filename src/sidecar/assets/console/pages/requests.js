/**
 * Requests, the latest first: by receipt number, channel, status and day.
 *
 * What is looked for stands in the URL, so that a list can be gone back to and passed on; it names nobody.
 * @module
 */
import { get } from '../api.js';
import { byId, emptyNote, errorNote, fill, h, setText, show, stateBadge } from '../dom.js';
import { moment, number, time, words } from '../format.js';
import { rowOf, table } from '../table.js';
import { NATURES, STATUS_ICONS } from './request-words.js';

const CHANNELS = ['gpc', 'web_form', 'email', 'phone', 'mail', 'agent', 'import', 'drop', 'api'];
const STATUSES = ['pending', 'in_progress', 'complied', 'denied'];
const RECEIPT = /^r_[A-Za-z0-9_-]{22}$/;
const FILTERS = ['channel', 'status', 'since', 'until'];

const given = new URLSearchParams(location.search);
const results = h('div', {});
const more = h('div', { class: 'buttons' });

/** @type {readonly import('../table.js').Column<any>[]} */
const COLUMNS = [
  { title: 'Received (UTC)', class: 'wide nowrap', cell: (row) => time(row.receivedAt) },
  {
    title: 'Receipt',
    isHead: true,
    cell: (row) => [
      h('a', { class: 'id', href: `/console/requests/${row.requestId}` }, row.requestId),
      h(
        'span',
        { class: 'sub' },
        `${moment(row.receivedAt)}, ${(NATURES[row.nature] ?? row.nature).toLowerCase()} by ${words(row.channel)}`,
      ),
    ],
  },
  { title: 'What', class: 'wide', cell: (row) => NATURES[row.nature] ?? row.nature },
  { title: 'Channel', class: 'wide', cell: (row) => words(row.channel) },
  { title: 'Identifiers', class: 'figure wide', cell: (row) => number(row.identifierCount) },
  { title: 'Recorded by', class: 'wide', cell: (row) => row.operator ?? h('span', { class: 'none' }, '–') },
  {
    title: 'Status',
    class: 'nowrap',
    cell: (row) => stateBadge(STATUS_ICONS[row.status] ?? 'unknown', words(row.status)),
  },
];

/** @param {string} name @param {string} label @param {readonly string[]} options */
function choice(name, label, options) {
  const all = h('option', { value: '' }, 'All');
  const rest = options.map((value) => h('option', { value, selected: given.get(name) === value }, words(value)));
  return h('div', {}, h('label', { for: name }, label), h('select', { id: name, name }, all, rest));
}

/** @param {string} name @param {string} label */
function dayInput(name, label) {
  const input = h('input', { id: name, name, type: 'date', value: given.get(name) ?? '' });
  return h('div', {}, h('label', { for: name }, label), input);
}

function filters() {
  const receipt = h('input', {
    id: 'receipt',
    name: 'receipt',
    placeholder: 'r_…',
    autocomplete: 'off',
    spellcheck: 'false',
  });
  const fault = h('p', { class: 'fault all', role: 'alert', hidden: true, id: 'receipt-fault' });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const id = receipt.value.trim();
    fault.hidden = id === '' || RECEIPT.test(id);
    if (!fault.hidden) {
      setText(fault, 'A receipt number is r_ and 22 characters.');
      receipt.setAttribute('aria-describedby', 'receipt-fault');
      receipt.focus();
      return;
    }
    if (id !== '') {
      location.assign(`/console/requests/${id}`);
      return;
    }
    for (const name of FILTERS) {
      const { value } = /** @type {HTMLInputElement | HTMLSelectElement} */ (byId(name));
      if (value === '') given.delete(name);
      else given.set(name, value);
    }
    const query = given.toString();
    history.replaceState(null, '', `/console/requests${query === '' ? '' : `?${query}`}`);
    void load();
  };
  return h(
    'form',
    { class: 'filters', onsubmit: submit, 'aria-label': 'Which requests' },
    h('div', { class: 'all' }, h('label', { for: 'receipt' }, 'Receipt number'), receipt),
    choice('channel', 'Channel', CHANNELS),
    choice('status', 'Status', STATUSES),
    dayInput('since', 'From day (UTC)'),
    dayInput('until', 'To day (UTC)'),
    h('button', { type: 'submit' }, 'Show'),
    fault,
  );
}

/** @param {string} [after] */
function pathOf(after) {
  const query = new URLSearchParams();
  for (const name of FILTERS) if (given.get(name)) query.set(name, given.get(name) ?? '');
  if (after !== undefined) query.set('after', after);
  return `/requests?${query}`;
}

function load() {
  more.replaceChildren();
  return fill(results, async () => {
    const page = await get(pathOf());
    if (page.requests.length === 0) {
      const isAll = FILTERS.every((name) => !given.get(name));
      return emptyNote(
        isAll ? 'No request has been recorded yet.' : 'No request is like that. Ask for fewer things at once.',
      );
    }
    offerMore(page);
    return table('Requests, the latest first', COLUMNS, page.requests);
  });
}

/** @param {any} page */
function offerMore(page) {
  more.replaceChildren();
  if (!page.more) return;
  const last = page.requests.at(-1).requestId;
  const button = h('button', { type: 'button', onclick: () => void next(button, last) }, 'Show earlier ones');
  more.append(button);
}

/** @param {HTMLButtonElement} button @param {string} after */
async function next(button, after) {
  button.disabled = true;
  try {
    const page = await get(pathOf(after));
    const rows = page.requests.map((/** @type {any} */ row) => rowOf(COLUMNS, row));
    results.querySelector('tbody')?.append(...rows);
    rows[0]?.querySelector('a')?.focus();
    offerMore(page);
  } catch (error) {
    more.replaceChildren(errorNote(error), button);
    button.disabled = false;
  }
}

show(filters(), results, more);
void load();
