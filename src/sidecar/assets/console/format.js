/**
 * Numbers, moments and durations as text. Moments are in UTC: so are the days of the ledger.
 * @module
 */
import { h } from './dom.js';

const NUMBER = new Intl.NumberFormat('en-US');
const UNITS = /** @type {const} */ ([
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
]);

/** @param {number | null | undefined} value */
export function number(value) {
  return value === null || value === undefined ? '–' : NUMBER.format(value);
}

/** Two figures that matter: `340 ms`, `2.4 s`, `12 min`. @param {number | null | undefined} ms */
export function duration(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  for (const [unit, unitMs] of UNITS) {
    const value = ms / unitMs;
    if (value >= 1) return `${value < 10 && unit === 's' ? value.toFixed(1) : Math.floor(value)} ${unit}`;
  }
  return `${Math.round(ms)} ms`;
}

/** How long ago, in whole seconds and more: finer would only flicker. @param {number} ms */
export function ago(ms) {
  if (ms < 1500) return 'now';
  for (const [unit, unitMs] of UNITS) if (ms >= unitMs) return `${Math.floor(ms / unitMs)} ${unit} ago`;
  return 'now';
}

/** `2026-11-26 17:08:12`. @param {string | number} at */
export function moment(at) {
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}

/** @param {string | null} at @returns {HTMLElement} */
export function time(at) {
  if (at === null) return h('span', { class: 'none' }, '–');
  return h('time', { datetime: at, title: `${at} (UTC)` }, moment(at));
}

/** `in_progress` as `in progress`. @param {string} text */
export function words(text) {
  return text.replaceAll('_', ' ');
}

/** @param {number} count @param {string} noun */
export function plural(count, noun) {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
}
