/**
 * What the server tells by itself, and whether it still does. Connects again whenever it breaks off.
 * @module
 */
import { byId, h } from './dom.js';

const RETRY_MS_MIN = 2000;
const RETRY_MS_MAX = 30_000;
/** Longest time without a word, after which the connection counts as dead. */
const SILENCE_MS = 20_000;

/**
 * Calls `take` with every state from now on.
 * @param {(state: any) => void} take
 */
export function follow(take) {
  let retryMs = RETRY_MS_MIN;
  /** @type {number | undefined} */
  let silence;
  /** @type {EventSource | null} */
  let source = null;

  const again = (/** @type {string} */ why) => {
    source?.close();
    clearTimeout(silence);
    say('attention', why);
    setTimeout(connect, retryMs);
    retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
  };
  const listenFor = () => {
    clearTimeout(silence);
    silence = setTimeout(() => again('Not connected; trying again'), SILENCE_MS);
  };
  const connect = () => {
    source = new EventSource('/console/events');
    source.addEventListener('state', (event) => {
      retryMs = RETRY_MS_MIN;
      listenFor();
      say('working', 'Live');
      take(JSON.parse(event.data));
    });
    source.addEventListener('closing', () => again('The server is restarting; trying again'));
    source.addEventListener('signed_out', signedOut);
    source.addEventListener('error', () => again('Not connected; trying again'));
    listenFor();
  };
  const signedOut = () => {
    source?.close();
    clearTimeout(silence);
    say('attention', 'The session has ended. ', h('a', { href: '/console/sign-in' }, 'Sign in'));
  };
  addEventListener('pagehide', () => source?.close());
  addEventListener('pageshow', (event) => {
    if (event.persisted) connect();
  });
  connect();
}

/** @param {string} state @param {...(string | Node)} children */
function say(state, ...children) {
  const place = byId('live');
  const text = children.map((child) => (typeof child === 'string' ? child : child.textContent)).join('');
  if (place.textContent === text) return;
  place.className = `live ${state}`;
  place.replaceChildren(...children);
}
