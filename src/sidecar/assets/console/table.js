/**
 * Tables: made whole, or kept up to date row by row, so that what somebody reads or has in focus stays where it is.
 * @module
 */
import { h } from './dom.js';

/** @typedef {import('./dom.js').Child} Child */
/**
 * @template T
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: T) => Child | readonly Child[]} cell
 * @property {string} [class] `figure`: to the right; `wide`: left out on a phone.
 * @property {boolean} [isHead] The cell names the row.
 */

/**
 * @template T
 * @param {string} caption For screen readers.
 * @param {readonly Column<T>[]} columns
 * @param {readonly T[]} rows
 * @returns {HTMLTableElement}
 */
export function table(caption, columns, rows) {
  const head = columns.map((column) => h('th', { scope: 'col', class: column.class }, column.title));
  return h(
    'table',
    {},
    h('caption', { class: 'unseen' }, caption),
    h('thead', {}, h('tr', {}, head)),
    h(
      'tbody',
      {},
      rows.map((row) => rowOf(columns, row)),
    ),
  );
}

/**
 * @template T
 * @param {readonly Column<T>[]} columns
 * @param {T} row
 */
export function rowOf(columns, row) {
  return h(
    'tr',
    {},
    columns.map((column) =>
      column.isHead === true
        ? h('th', { scope: 'row', class: column.class }, column.cell(row))
        : h('td', { class: column.class }, column.cell(row)),
    ),
  );
}

/**
 * Brings the rows of a table body up to date: cells that say the same are left alone.
 * @template T
 * @param {HTMLTableElement} whole
 * @param {readonly Column<T>[]} columns
 * @param {readonly T[]} rows
 * @param {(row: T) => string} keyOf
 */
export function update(whole, columns, rows, keyOf) {
  const body = whole.tBodies[0];
  if (body === undefined) return;
  /** @type {Map<string, HTMLTableRowElement>} */
  const before = new Map([...body.rows].map((row) => [row.dataset.key ?? '', row]));
  for (const [index, one] of rows.entries()) {
    const key = keyOf(one);
    const made = rowOf(columns, one);
    const kept = before.get(key);
    before.delete(key);
    if (kept === undefined) made.dataset.key = key;
    else patch(kept, made);
    const row = kept ?? made;
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
  }
  for (const gone of before.values()) gone.remove();
}

/** @param {HTMLTableRowElement} kept @param {HTMLTableRowElement} made */
function patch(kept, made) {
  for (const [index, cell] of [...made.cells].entries()) {
    const old = kept.cells[index];
    if (old === undefined || old.isEqualNode(cell)) continue;
    if (old.contains(document.activeElement)) continue;
    old.replaceWith(cell);
  }
}

/**
 * Names and what they stand for.
 * @param {readonly (readonly [string, Child | readonly Child[]])[]} pairs
 */
export function facts(pairs) {
  return h(
    'dl',
    { class: 'facts' },
    pairs.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
  );
}
