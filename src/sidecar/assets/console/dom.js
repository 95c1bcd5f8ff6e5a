/**
 * Elements, made from text alone: nothing that came over the network is ever read as HTML.
 * @module
 */

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined | ((event: Event) => void)>} Attributes */

/**
 * An element with attributes and children. A function is a listener; `null`, `undefined` and `false` leave out.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {...(Child | readonly Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 * @example h('a', { href: '/console', onclick: (event) => event.preventDefault() }, 'Overview')
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name.replace(/^on/, ''), value);
    else if (name === 'href' && !/^[/#]/.test(String(value)))
      throw new TypeError('href: expected a path of the console');
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  append(element, children);
  return element;
}

/**
 * @param {Element} element
 * @param {readonly (Child | readonly Child[])[]} children
 */
function append(element, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** @type {Readonly<Record<string, string>>} Paths in a square of 16. */
const ICONS = {
  working: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M5 8.2l2.1 2.1L11 6',
  attention: 'M8 1.8 15 14H1zM8 6v4M8 12v.2',
  wrong: 'M5.2 1.5h5.6l3.7 3.7v5.6l-3.7 3.7H5.2l-3.7-3.7V5.2zM8 4.5v4M8 11v.2',
  unknown: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M5 8h6',
  waiting: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M8 4.5V8l2.4 1.6',
};

/**
 * @param {string} name
 * @returns {SVGElement}
 */
export function icon(name) {
  return svg('svg', { viewBox: '0 0 16 16', class: `icon ${name}`, 'aria-hidden': 'true' }, [
    svg('path', { d: ICONS[name] ?? '' }),
  ]);
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {readonly SVGElement[]} [children]
 * @returns {SVGElement}
 */
export function svg(tag, attributes, children = []) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A state in a word with its icon, so that it is not told by colour alone. @param {string} state @param {string} word */
export function stateBadge(state, word) {
  return h('span', { class: `state ${state}` }, icon(state), h('span', {}, word));
}

/** Sets a text only where it is another one, so that what is selected stays so. @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** The part of the page that a script fills. @param {...(Child | readonly Child[])} children */
export function show(...children) {
  const page = byId('page');
  page.replaceChildren();
  append(page, children);
  page.removeAttribute('aria-busy');
  // on a phone the navigation is wider than the screen
  const link = document.querySelector('nav [aria-current]');
  link?.scrollIntoView({ block: 'nearest', inline: 'center' });
}

/** A code such as `gpp.usca.gpc`, which may break after its dots and lines only. @param {string} text */
export function code(text) {
  const parts = text.split(/(?<=[._:])/).flatMap((part) => [part, h('wbr')]);
  return h('code', { class: 'parts' }, parts);
}

/** @param {string} id */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`there is no #${id}`);
  return element;
}

/**
 * A part of a page under a heading.
 * @param {string} title
 * @param {Attributes} attributes
 * @param {...(Child | readonly Child[])} children
 */
export function section(title, attributes, ...children) {
  const id = `s-${title.toLowerCase().replaceAll(/[^a-z]+/g, '-')}`;
  return h('section', { 'aria-labelledby': id, ...attributes }, h('h2', { id }, title), ...children);
}

/** Why there is nothing to be seen, and what would make it so. @param {string} text */
export function emptyNote(text) {
  return h('p', { class: 'empty' }, text);
}

/** @param {unknown} error */
export function errorNote(error) {
  const text = error instanceof Error ? error.message : 'Something failed.';
  return h('p', { class: 'fault', role: 'alert' }, icon('wrong'), h('span', {}, text));
}

/**
 * Puts what `load` gives into a place, with a word while it loads and one if it fails.
 * @param {Element} place
 * @param {() => Promise<Child | readonly Child[]>} load
 */
export async function fill(place, load) {
  place.setAttribute('aria-busy', 'true');
  if (place.childNodes.length === 0) place.append(h('p', { class: 'loading' }, 'Loading…'));
  try {
    const children = await load();
    place.replaceChildren();
    append(place, [children]);
  } catch (error) {
    place.replaceChildren(errorNote(error));
  }
  place.removeAttribute('aria-busy');
}
