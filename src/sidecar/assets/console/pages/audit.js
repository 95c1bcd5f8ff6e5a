/**
 * The audit trail: who did what. All of it from its end, or what fits a question from its beginning.
 * @module
 */
import { ApiError, get } from '../api.js';
import { byId, code, emptyNote, errorNote, fill, h, setText, show } from '../dom.js';
import { time } from '../format.js';
import { rowOf, table } from '../table.js';

const PER_PAGE = 50;
const given = new URLSearchParams(location.search);
const results = h('div', {});
const order = h('p', { class: 'hint', role: 'status' });
const more = h('div', { class: 'buttons' });
const FIELDS = /** @type {const} */ ([
  ['kind', 'What was done', 'text', 'person.looked_up'],
  ['subject', 'About', 'text', 'r_…'],
  ['actor', 'By (role:name)', 'text', 'operator:jane'],
  ['since', 'From day (UTC)', 'date', ''],
  ['until', 'To day (UTC)', 'date', ''],
]);

/** @type {readonly import('../table.js').Column<any>[]} */
const COLUMNS = [
  { title: 'No.', class: 'figure wide nowrap', cell: (entry) => entry.n },
  { title: 'When (UTC)', class: 'nowrap wide', cell: (entry) => time(entry.at) },
  {
    title: 'What',
    isHead: true,
    cell: (entry) => [code(entry.kind), h('span', { class: 'sub' }, time(entry.at), h('br'), who(entry))],
  },
  { title: 'By', class: 'wide', cell: who },
  { title: 'About', cell: (entry) => subjectCell(entry.subject) },
  { title: 'Details', class: 'wide details', cell: detailsOf },
];

/** @param {any} entry */
function who({ actor }) {
  return `${actor.role}${actor.name === null ? '' : ` ${actor.name}`}, ${actor.via}`;
}

/** @param {any} entry */
function detailsOf({ n, body }) {
  const all = { tabindex: 0, role: 'region', 'aria-label': `Details of entry ${n}` };
  const names = Object.keys(body).map((name) => name.replaceAll(/([A-Z])/g, ' $1').toLowerCase());
  return h('details', {}, h('summary', {}, names.join(', ') || 'none'), h('pre', all, JSON.stringify(body, null, 2)));
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
    const query = given.toString();
    history.replaceState(null, '', `/console/audit${query === '' ? '' : `?${query}`}`);
    void load();
  };
  const inputs = FIELDS.map(([name, label, type, placeholder]) => {
    const value = given.get(name) ?? '';
    const input = h('input', { id: name, name, type, placeholder, value, autocomplete: 'off', maxlength: 220 });
    return h('div', {}, h('label', { for: name }, label), input);
  });
  const button = h('button', { type: 'submit' }, 'Show');
  return h('form', { class: 'filters', onsubmit: submit, 'aria-label': 'Which entries' }, inputs, button);
}

/** @param {number} after @param {number} limit */
function pathOf(after, limit) {
  const query = new URLSearchParams({ after: String(after), limit: String(limit) });
  for (const [name] of FIELDS) {
    const value = given.get(name);
    if (!value) continue;
    if (name === 'since') query.set(name, `${value}T00:00:00Z`);
    else if (name === 'until') query.set(name, new Date(Date.parse(value) + 86_400_000).toISOString());
    else query.set(name, value);
  }
  return `/v1/audit?${query}`;
}

/** Entries before `end`, the latest first, and how to get at those before them. @param {number} end */
async function pageBefore(end) {
  const after = Math.max(0, end - 1 - PER_PAGE);
  const { entries } = end <= 1 ? { entries: [] } : await get(pathOf(after, end - 1 - after));
  return { entries: entries.reverse(), next: after === 0 ? null : () => pageBefore(after + 1) };
}

/** Entries after `start` that fit, the earliest first. @param {number} start @returns {Promise<any>} */
async function pageAfter(start) {
  const { entries, last } = await get(pathOf(start, PER_PAGE));
  return { entries, next: entries.length < PER_PAGE ? null : () => pageAfter(last) };
}

/** @param {{ entries: any[], next: (() => Promise<any>) | null }} page */
function offerMore({ next }) {
  more.replaceChildren();
  if (next === null) return;
  const onclick = async () => {
    button.disabled = true;
    try {
      const page = await next();
      results.querySelector('tbody')?.append(...page.entries.map((/** @type {any} */ entry) => rowOf(COLUMNS, entry)));
      offerMore(page);
    } catch (error) {
      more.replaceChildren(errorNote(error), button);
      button.disabled = false;
    }
  };
  const button = h('button', { type: 'button', onclick: () => void onclick() }, 'Show more');
  more.append(button);
}

function load() {
  more.replaceChildren();
  setText(order, '');
  const isAll = FIELDS.every(([name]) => !given.get(name));
  return fill(results, async () => {
    try {
      const page = isAll ? await pageBefore((await get('/v1/audit/head')).n + 1) : await pageAfter(0);
      if (page.entries.length === 0)
        return emptyNote(isAll ? 'Nothing has been recorded yet.' : 'No entry is like that.');
      setText(order, isAll ? 'The latest first.' : 'What fits, the earliest first.');
      offerMore(page);
      return table('Entries of the audit trail', COLUMNS, page.entries);
    } catch (error) {
      const isMissing = error instanceof ApiError && (error.status === 404 || error.status === 501);
      if (isMissing) return emptyNote('This process serves no audit trail.');
      throw error;
    }
  });
}

show(form(), order, results, more);
void load();
