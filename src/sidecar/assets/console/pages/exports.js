/**
 * Exports that were recorded, the latest first.
 * @module
 */
import { get } from '../api.js';
import { emptyNote, errorNote, fill, h, show } from '../dom.js';
import { number, time, words } from '../format.js';
import { rowOf, table } from '../table.js';
import { destinationHref } from './open-points.js';

const destination = new URLSearchParams(location.search).get('destination');
const results = h('div', {});
const more = h('div', { class: 'buttons' });

/** @param {any} manifest @param {string} name */
function rowsOf(manifest, name) {
  const value = manifest?.rows?.[name];
  return typeof value === 'number' ? value : null;
}

/** @param {any} manifest */
function leftOf(manifest) {
  const [kept, blanked] = [rowsOf(manifest, 'kept'), rowsOf(manifest, 'blanked')];
  return kept === null && blanked === null ? null : (kept ?? 0) + (blanked ?? 0);
}

const DROPPED = ['droppedSuppressed', 'droppedUnidentifiable', 'droppedUnreadable'];

/** @param {any} manifest */
function droppedOf(manifest) {
  const counts = DROPPED.map((name) => rowsOf(manifest, name)).filter((count) => count !== null);
  return counts.length === 0 ? null : counts.reduce((sum, count) => sum + count, 0);
}

/** @type {readonly import('../table.js').Column<any>[]} */
const COLUMNS = [
  {
    title: 'Finished (UTC)',
    isHead: true,
    cell: (run) => h('a', { href: `/console/exports/${run.runId}` }, time(run.finishedAt)),
  },
  {
    title: 'Destination',
    cell: (run) => [
      h('a', { href: destinationHref(run.destination) }, run.destination),
      h('span', { class: 'sub' }, words(run.purpose)),
    ],
  },
  { title: 'Purpose', class: 'wide', cell: (run) => words(run.purpose) },
  { title: 'Rows in', class: 'figure wide', cell: (run) => number(rowsOf(run.manifest, 'in')) },
  { title: 'Left out', class: 'figure', cell: (run) => number(droppedOf(run.manifest)) },
  { title: 'Rows out', class: 'figure wide', cell: (run) => number(leftOf(run.manifest)) },
];

/** @param {string} [after] */
function pathOf(after) {
  const query = new URLSearchParams();
  if (destination !== null) query.set('destination', destination);
  if (after !== undefined) query.set('after', after);
  return `/exports?${query}`;
}

/** @param {any} page */
function offerMore(page) {
  more.replaceChildren();
  if (!page.more) return;
  const last = page.exports.at(-1).runId;
  const next = async () => {
    button.disabled = true;
    try {
      const found = await get(pathOf(last));
      results.querySelector('tbody')?.append(...found.exports.map((/** @type {any} */ run) => rowOf(COLUMNS, run)));
      offerMore(found);
    } catch (error) {
      more.replaceChildren(errorNote(error), button);
      button.disabled = false;
    }
  };
  const button = h('button', { type: 'button', onclick: () => void next() }, 'Show earlier ones');
  more.append(button);
}

async function load() {
  const page = await get(pathOf());
  if (page.exports.length === 0) {
    return emptyNote(
      'No export has been recorded. “optgate export --ledger …” and POST /v1/export record each run with its manifest.',
    );
  }
  offerMore(page);
  return table('Exports, the latest first', COLUMNS, page.exports);
}

const whose =
  destination === null
    ? null
    : h(
        'p',
        {},
        'For ',
        h('a', { href: destinationHref(destination) }, destination),
        ' only. ',
        h('a', { href: '/console/exports' }, 'Show all'),
      );
show(whose, results, more);
void fill(results, load);
