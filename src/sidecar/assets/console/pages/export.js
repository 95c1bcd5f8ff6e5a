/**
 * One export: what was kept, what was left out, and its manifest as it was written.
 * @module
 */
import { ApiError, get } from '../api.js';
import { emptyNote, errorNote, h, section, show } from '../dom.js';
import { duration, number, time, words } from '../format.js';
import { facts, table } from '../table.js';
import { destinationHref } from './open-points.js';

const id = location.pathname.split('/').at(-1) ?? '';

/** @type {readonly [string, string][]} */
const ROW_WORDS = [
  ['in', 'Rows that came in'],
  ['kept', 'Kept'],
  ['keptUnidentifiable', 'Of these, nobody could be told from'],
  ['blanked', 'Kept without identifiers'],
  ['droppedSuppressed', 'Left out: opted out'],
  ['droppedUnidentifiable', 'Left out: nobody could be told from it'],
  ['droppedUnreadable', 'Left out: could not be read'],
];

/** @param {any} manifest */
function rowTable({ rows }) {
  if (typeof rows !== 'object' || rows === null) return emptyNote('The manifest says nothing of rows.');
  const known = ROW_WORDS.filter(([name]) => typeof rows[name] === 'number');
  const columns = [
    { title: 'Rows', isHead: true, cell: (/** @type {[string, string]} */ [, label]) => label },
    { title: 'Count', class: 'figure', cell: (/** @type {[string, string]} */ [name]) => number(rows[name]) },
    {
      title: 'Share',
      class: 'figure',
      cell: (/** @type {[string, string]} */ [name]) =>
        rows.in > 0 ? `${(Math.round((rows[name] / rows.in) * 10_000) / 100).toFixed(2)} %` : '–',
    },
  ];
  return table('Rows of the export', columns, known);
}

async function start() {
  try {
    const run = await get(`/exports/${id}`);
    const took = Date.parse(run.finishedAt) - Date.parse(run.startedAt);
    const manifest = h(
      'pre',
      { tabindex: 0, role: 'region', 'aria-label': 'Manifest as JSON' },
      JSON.stringify(run.manifest, null, 2),
    );
    show(
      h('p', { class: 'lead id' }, run.runId),
      section(
        'The run',
        {},
        facts([
          ['Destination', h('a', { href: destinationHref(run.destination) }, run.destination)],
          ['Purpose', words(run.purpose)],
          [
            'Left out',
            run.rights.length === 0
              ? 'nobody: an exemption applied'
              : `who opted out of ${run.rights.map(words).join(', ')}`,
          ],
          ['Finished (UTC)', time(run.finishedAt)],
          ['Took', duration(took)],
          ['Fingerprints in its index', number(run.fingerprintCount)],
        ]),
      ),
      section('Rows', { class: 'half' }, rowTable(run.manifest)),
      section('Manifest', {}, manifest),
    );
  } catch (error) {
    const isUnknown = error instanceof ApiError && error.status === 404;
    show(
      h('p', { class: 'lead id' }, id),
      isUnknown ? emptyNote('There is no export with this id.') : errorNote(error),
    );
  }
}

void start();
