/**
 * One destination: what it says, and, for an operator, a form to change it. Two people who change it at the same time do
 * not undo each other: what is sent names the version it was made from.
 * @module
 */
import { ApiError, change, entityTags, get, mayChange } from '../api.js';
import { emptyNote, errorNote, h, section, show, stateBadge } from '../dom.js';
import { words } from '../format.js';
import { facts, table } from '../table.js';
import { contractState } from './open-points.js';

const ROLES = ['third_party', 'service_provider', 'contractor'];
const PURPOSES = [
  'cross_context_ads',
  'audience',
  'measurement',
  'contextual_ads',
  'fraud_security',
  'service_delivery',
  'legal',
];
const CHANGED =
  'Somebody else has changed it meanwhile. Load the page again, and make your change to what is there now.';

const id = new URLSearchParams(location.search).get('id');
const said = h('div', { role: 'status' });

/** @param {string} of */
function pathOf(of) {
  return `/v1/destinations/${encodeURIComponent(of)}`;
}

/** @param {string} name @param {string} label @param {readonly string[]} options @param {string} chosen */
function choice(name, label, options, chosen) {
  const all = options.map((value) => h('option', { value, selected: value === chosen }, words(value)));
  return h('div', {}, h('label', { for: name }, label), h('select', { id: name, name }, all));
}

/** @param {any} destination `null`: a new one. */
function form(destination) {
  const {
    role = 'third_party',
    purposes = PURPOSES,
    whenOptedOut = 'restrict',
    contract = null,
    states = {},
  } = destination ?? {};
  const checks = PURPOSES.map((value) =>
    h(
      'label',
      {},
      h('input', { type: 'checkbox', name: 'purposes', value, checked: purposes.includes(value) }),
      words(value),
    ),
  );
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void save(/** @type {HTMLFormElement} */ (event.target), destination, states);
  };
  return h(
    'form',
    { class: 'form', onsubmit: submit },
    destination === null
      ? field('id', 'Id, as bid requests and exports name it', '', { required: true, maxlength: 200 })
      : null,
    choice('role', 'Role', ROLES, role),
    h('fieldset', {}, h('legend', {}, 'Purposes'), h('div', { class: 'checks' }, checks)),
    choice('whenOptedOut', 'What becomes of requests of people who opted out', ['restrict', 'block'], whenOptedOut),
    field('reference', 'Contract (empty: there is none)', contract?.reference ?? '', { maxlength: 200 }),
    field('expires', 'Last day of the contract (empty: open end)', contract?.expires ?? '', { type: 'date' }),
    said,
    h(
      'div',
      { class: 'buttons' },
      h('button', { type: 'submit', class: 'primary' }, destination === null ? 'Add' : 'Save'),
      destination === null
        ? null
        : h('button', { type: 'button', class: 'danger', onclick: () => void remove() }, 'Remove'),
    ),
  );
}

/** @param {string} name @param {string} label @param {string} value @param {import('../dom.js').Attributes} more */
function field(name, label, value, more) {
  return h(
    'div',
    {},
    h('label', { for: name }, label),
    h('input', { id: name, name, value, autocomplete: 'off', ...more }),
  );
}

/** @param {HTMLFormElement} sent @param {any} before @param {any} states */
async function save(sent, before, states) {
  const data = new FormData(sent);
  const text = (/** @type {string} */ name) => String(data.get(name) ?? '').trim();
  const [reference, expires] = [text('reference'), text('expires')];
  const body = {
    role: text('role'),
    purposes: data.getAll('purposes').map(String),
    whenOptedOut: text('whenOptedOut'),
    contract: reference === '' ? null : { reference, expires: expires === '' ? null : expires },
    states,
  };
  if (reference === '' && expires !== '') {
    tell(new Error('A last day needs a contract: give its reference.'));
    return;
  }
  const of = before === null ? text('id') : before.id;
  const tag = entityTags.get(pathOf(of));
  /** @type {Record<string, string>} */
  const headers = before === null ? { 'if-none-match': '*' } : tag === undefined ? {} : { 'if-match': tag };
  try {
    await change('PUT', pathOf(of), body, headers);
    if (before === null) location.assign(`/console/destination?id=${encodeURIComponent(of)}`);
    else
      said.replaceChildren(
        stateBadge('working', 'Saved. It counts from now on, and within ten seconds in other processes.'),
      );
  } catch (error) {
    const isThere = error instanceof ApiError && error.status === 412 && before === null;
    tell(isThere ? new Error('There is a destination with this id already.') : error);
  }
}

async function remove() {
  if (id === null || !confirm(`Remove ${id}? It then counts as a third party that nobody has written down.`)) return;
  const tag = entityTags.get(pathOf(id));
  try {
    await change('DELETE', pathOf(id), null, tag === undefined ? {} : { 'if-match': tag });
    location.assign('/console/destinations');
  } catch (error) {
    tell(error);
  }
}

/** @param {unknown} error */
function tell(error) {
  const isOther = error instanceof ApiError && error.status === 412;
  said.replaceChildren(errorNote(isOther ? new Error(CHANGED) : error));
}

/** @param {any} destination */
function details(destination) {
  const { role, purposes, whenOptedOut, contract } = destination;
  const state = contractState(destination);
  return facts([
    ['Role', words(role)],
    ['Purposes', purposes.map(words).join(', ')],
    ['Opted-out requests', words(whenOptedOut)],
    ['Contract', contract === null ? '–' : contract.reference],
    ['Last day', contract?.expires ?? '–'],
    ...(state === null ? [] : [/** @type {[string, Node]} */ (['To be seen to', stateBadge(state.state, state.text)])]),
  ]);
}

/** @param {any} destination */
function warning(destination) {
  const state = contractState(destination);
  return state === null ? null : h('p', { class: 'point' }, stateBadge(state.state, state.text));
}

/** @param {any} destination */
function stateTerms({ states }) {
  const rows = Object.entries(states);
  if (rows.length === 0) return null;
  const columns = [
    { title: 'State', isHead: true, cell: (/** @type {[string, any]} */ [state]) => state },
    { title: 'Role', cell: (/** @type {[string, any]} */ [, terms]) => words(terms.role ?? '–') },
    {
      title: 'Purposes',
      cell: (/** @type {[string, any]} */ [, terms]) => terms.purposes?.map(words).join(', ') ?? '–',
    },
    { title: 'Opted-out requests', cell: (/** @type {[string, any]} */ [, terms]) => words(terms.whenOptedOut ?? '–') },
  ];
  return section('Other terms in some states', {}, table('Other terms in some states', columns, rows));
}

async function start() {
  if (id === null) {
    show(
      mayChange() ? section('Add a destination', {}, form(null)) : emptyNote('Only an operator may add a destination.'),
    );
    return;
  }
  try {
    const destination = await get(pathOf(id));
    show(
      h('p', { class: 'lead' }, destination.id),
      ...(mayChange()
        ? [warning(destination), section('Terms', {}, form(destination))]
        : [section('Terms', {}, details(destination))]),
      stateTerms(destination),
      section(
        'Exports',
        {},
        h('a', { href: `/console/exports?destination=${encodeURIComponent(id)}` }, 'Exports for this destination'),
      ),
    );
  } catch (error) {
    const isUnknown = error instanceof ApiError && error.status === 404;
    const note = 'This destination is not written down here, so it counts as a third party.';
    show(h('p', { class: 'lead' }, id), isUnknown ? emptyNote(note) : errorNote(error));
  }
}

void start();
