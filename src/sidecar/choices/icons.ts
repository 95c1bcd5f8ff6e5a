/**
 * Small pictures, in the markup itself: the policy of the pages loads none. Decoration only; words stand beside each.
 * @module
 */
import { type Html, html } from '../html.js';

const DRAWINGS = {
  check: html`<circle cx="10" cy="10" r="9" fill="currentColor"/><path class="knockout" d="m5.8 10.4 2.8 2.8 5.6-6"/>`,
  alert: html`<circle cx="10" cy="10" r="9" fill="currentColor"/><path class="knockout" d="M10 5.2v5.6M10 14v.4"/>`,
  wait: html`<circle cx="10" cy="10" r="8" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="3 3.3"/>`,
} as const;

export function icon(name: keyof typeof DRAWINGS): Html {
  return html`<svg class="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" focusable="false">${DRAWINGS[name]}</svg>`;
}
