/**
 * The audit trail: who did what, the latest first as far as it is asked for.
 * @module
 */
import { ApiError, get } from '../api.js';
import { byId, emptyNote, fill, h, show } from '../dom.js';
import { time } from '../format.js';
import { rowOf, table } from '../table.js';

const given = new URLSearchParams(location.search);
const results = h('div', {});
const more = h('div', { class: 'buttons' });
const FIELDS = /** @type {const} */ ([
  ['kind', 'What was done', 'destination.put'],
  ['subject', 'About', 'r_…'],
  ['actor', 'By (role:name)', 'operator:jane'],
]);

/** @type {readonly import('../table.js').Column<any>[]} */
const COLUMNS = [
  { title: 'When (UTC)', cell: (entry) => [time(entry.at), h('span', { class: 'sub' }, who(entry))] },
  {
    title: 'What',
    isHead: true,
    cell: (entry) => [h('code', {}, entry.kind), h('span', { class: 'sub' }, entry.subject ?? '')],
  },
  { title: 'About', class: 'wide', cell: (entry) => subjectCell(entry.subject) },
  { title: 'By', class: 'wide', cell: who },
  { title: 'Details', class: 'wide', cell: (entry) => h('code', {}, JSON.stringify(entry.body)) },
  { title: 'No.', class: 'figure', cell: (entry) => entry.n },
];

/** @param {any} entry */
function who({ actor }) {
  return `${actor?.role ?? '–'}${actor?.name ? ` ${actor.name}` : ''}${actor?.via ? `, ${actor.via}` : ''}`;
}

/** @param {string | null} subject */
function subjectCell(subject) {
  if (subject === null) return h('span', { class: 'none' }, '–');
  const isRequest = /^r_[A-Za-z0-9_-]{22}$/.test(subject);
  return isRequest
    ? h('a', { class: 'id', href: `/console/requests/${subject}` }, subject)
    : h('span', { class: 'id' }, subject);
}

function form() {
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    for (const [name] of FIELDS) {
      const value = /** @type {HTMLInputElement} */ (byId(name)).value.trim();
      if (value === '') given.delete(name);
      else given.set(name, value);
    }
    void load();
  };
  const input = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ placeholder) =>
    h(
      'div',
      {},
      h('label', { for: name }, label),
      h('input', { id: name, name, placeholder, value: given.get(name) ?? '', autocomplete: 'off', maxlength: 300 }),
    );
  return h(
    'form',
    { class: 'filters', onsubmit: submit, 'aria-label': 'Which entries' },
    FIELDS.map(([name, label, placeholder]) => input(name, label, placeholder)),
    h('button', { type: 'submit' }, 'Show'),
  );
}

/** @param {number} [after] */
function pathOf(after) {
  const query = new URLSearchParams();
  for (const [name] of FIELDS) if (given.get(name)) query.set(name, given.get(name) ?? '');
  if (after !== undefined) query.set('after', String(after));
  const text = query.toString();
  return `/v1/audit${text === '' ? '' : `?${text}`}`;
}

/** @param {any} answer @param {number} askedFor */
function offerMore({ entries }, askedFor) {
  more.replaceChildren();
  if (entries.length < askedFor) return;
  const last = entries.at(-1).n;
  const next = async () => {
    const found = await get(pathOf(last));
    results.querySelector('tbody')?.append(...found.entries.map((/** @type {any} */ entry) => rowOf(COLUMNS, entry)));
    offerMore(found, askedFor);
  };
  more.append(h('button', { type: 'button', onclick: () => void next().catch(() => {}) }, 'Show more'));
}

const PER_PAGE = 100;

function load() {
  more.replaceChildren();
  return fill(results, async () => {
    let answer;
    try {
      answer = await get(pathOf());
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        return emptyNote('This version of optgate serves no audit trail.');
      }
      throw error;
    }
    if (answer.entries.length === 0) return emptyNote('No entry is like that.');
    offerMore(answer, PER_PAGE);
    return table('Entries of the audit trail', COLUMNS, answer.entries);
  });
}

show(form(), results, more);
void load();
