/**
 * What a script adds to pages that work without it: the signal where only a script sees it, choices that exclude each other,
 * one click that counts once, a receipt number to copy, and the size of a frame.
 * @module
 */

/** @param {string} selector */
const all = (selector) => /** @type {HTMLElement[]} */ ([...document.querySelectorAll(selector)]);
/** @param {string} name */
const input = (name) =>
  /** @type {HTMLInputElement | null} */ (document.querySelector(`form[data-form] input[name="${name}"]`));

showSignal();
all('form[data-form="opt-out"]').forEach(linkChoices);
all('form[data-form]').forEach(sendOnce);
all('[data-copy]').forEach(offerCopy);
if (window.parent !== window) joinFrame();

/** Where a proxy took the header away, the browser still says it. */
function showSignal() {
  const { globalPrivacyControl } = /** @type {Navigator & { globalPrivacyControl?: boolean }} */ (navigator);
  const field = input('gpc');
  if (globalPrivacyControl !== true || field === null || field.value === '1') return;
  field.value = '1';
  for (const section of all('[data-signal]')) section.hidden = false;
  for (const hint of all('[data-with-signal]')) hint.textContent = hint.dataset.withSignal ?? '';
}

/** "All of it" or some of it: choosing one lets go of the other. @param {HTMLElement} form */
function linkChoices(form) {
  const boxes = /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll('input[name="choice"]')]);
  form.addEventListener('change', ({ target }) => {
    const changed = boxes.find((box) => box === target);
    if (changed === undefined || !changed.checked) return;
    for (const box of boxes) if ((box.value === 'all') !== (changed.value === 'all')) box.checked = false;
  });
}

/** @param {HTMLElement} form */
function sendOnce(form) {
  const buttons = /** @type {HTMLButtonElement[]} */ ([...form.querySelectorAll('button[type="submit"]')]);
  const mark = (/** @type {boolean} */ isSent) => {
    for (const button of buttons) button.setAttribute('aria-disabled', String(isSent));
  };
  form.addEventListener('submit', (event) => {
    if (buttons.some((button) => button.getAttribute('aria-disabled') === 'true')) event.preventDefault();
    else mark(true);
  });
  // back from the next page, the form can be sent again
  window.addEventListener('pageshow', () => mark(false));
}

/** @param {HTMLElement} button */
function offerCopy(button) {
  const number = document.querySelector('[data-receipt]')?.textContent ?? '';
  if (navigator.clipboard === undefined) return;
  button.hidden = false;
  button.addEventListener('click', () => {
    navigator.clipboard.writeText(number).then(
      () => {
        button.textContent = button.dataset.copy ?? '';
        button.setAttribute('role', 'status');
      },
      () => {}, // not allowed here: the number can still be selected
    );
  });
}

/** Tells the page around how high this one is, and takes an id from it. Who may be around is the policy of this page. */
function joinFrame() {
  const tell = () => {
    const height = Math.ceil(document.documentElement.getBoundingClientRect().height);
    window.parent.postMessage({ type: 'optgate:height', height }, '*');
  };
  new ResizeObserver(tell).observe(document.documentElement);
  window.addEventListener('message', ({ source, data }) => {
    if (source !== window.parent || data?.type !== 'optgate:id') return;
    const form = document.querySelector('form[data-form="opt-out"]');
    if (form === null || typeof data.kind !== 'string' || typeof data.id !== 'string') return;
    for (const [name, value] of [
      ['id-kind', data.kind],
      ['id', data.id],
    ]) {
      const field =
        input(name) ?? form.appendChild(Object.assign(document.createElement('input'), { type: 'hidden', name }));
      field.value = value;
    }
    if (input('gpc')?.value === '1') return;
    for (const hint of all('[data-with-id]')) hint.textContent = hint.dataset.withId ?? '';
  });
  window.parent.postMessage({ type: 'optgate:ready' }, '*');
}
