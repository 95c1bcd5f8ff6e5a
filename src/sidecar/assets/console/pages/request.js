/**
 * One request and what became of it: received, processed, in force on k of n, everywhere, and who is to be told.
 * @module
 */
import { ApiError, get } from '../api.js';
import { emptyNote, errorNote, fill, h, icon, section, show, stateBadge } from '../dom.js';
import { duration, number, plural, time, words } from '../format.js';
import { facts, table } from '../table.js';
import { destinationHref } from './open-points.js';
import { NATURES, STATUS_ICONS } from './request-words.js';

const id = location.pathname.split('/').at(-1) ?? '';
const AGAIN_MS = 3000;

const timeline = h('ol', { class: 'timeline' });
const where = h('div', {});

/** @param {string} state @param {string} title @param {...import('../dom.js').Child} children */
function step(state, title, ...children) {
  return h('li', {}, icon(state), h('h3', {}, title), h('p', {}, ...children));
}

/** @param {any} request @param {any} propagation @param {any} notices */
function showTimeline(request, propagation, notices) {
  const { receivedAt, processedAt, inForceOn, enforcerCount, inForceEverywhereAt } = propagation;
  const since = (/** @type {string} */ at) => duration(Date.parse(at) - Date.parse(processedAt ?? receivedAt));
  const steps = [step('working', 'Received', time(receivedAt), ` by ${words(request.channel)}`)];
  if (processedAt === null) {
    const wait = request.status === 'pending' ? 'It waits for its second step' : 'It has changed nothing yet';
    if (request.status === 'denied') steps.push(step('wrong', 'Denied', 'Nothing of it is in force.'));
    else steps.push(step('waiting', 'Processed', wait));
  } else {
    const delay = Math.max(0, Date.parse(processedAt) - Date.parse(receivedAt));
    steps.push(step('working', 'Processed', time(processedAt), `, ${duration(delay)} after it was received`));
  }
  const isAll = inForceOn === enforcerCount && enforcerCount > 0;
  const on =
    enforcerCount === 0
      ? 'No enforcer is registered'
      : `In force on ${inForceOn} of ${plural(enforcerCount, 'enforcer')}`;
  if (processedAt !== null) {
    const note = isAll ? 'Each of them has said so.' : 'The others have not said so yet; see below.';
    steps.push(
      step(isAll ? 'working' : 'waiting', on, enforcerCount === 0 ? 'Nobody is known to decide by this ledger.' : note),
    );
    steps.push(
      inForceEverywhereAt === null
        ? step('waiting', 'In force everywhere', 'Not yet')
        : step(
            'working',
            'In force everywhere',
            time(inForceEverywhereAt),
            `, ${since(inForceEverywhereAt)} after it was processed`,
          ),
    );
  }
  steps.push(...noticeSteps(notices));
  timeline.replaceChildren(...steps);
}

/** @param {any} notices */
function noticeSteps(notices) {
  if (notices === null || notices.length === 0) return [];
  const names = new Set(notices.map((/** @type {any} */ one) => one.destination));
  return [
    step(
      'attention',
      `To be told: ${plural(names.size, 'destination')}`,
      'They were sent this person’s data; see below.',
    ),
  ];
}

/** @param {any} propagation */
function enforcerTable({ enforcers, processedAt }) {
  if (enforcers.length === 0) return emptyNote('No enforcer is registered with this ledger.');
  const stateOf = (/** @type {any} */ one) => {
    if (one.inForceAt !== null) return stateBadge('working', 'in force');
    if (one.retired) return stateBadge('unknown', 'left');
    return one.silent ? stateBadge('attention', 'silent') : stateBadge('waiting', 'waiting');
  };
  return table(
    'Where it is in force',
    [
      { title: 'State', cell: stateOf },
      {
        title: 'Enforcer',
        isHead: true,
        cell: (one) => [one.name, h('span', { class: 'sub' }, one.role)],
      },
      { title: 'Role', class: 'wide', cell: (one) => one.role },
      { title: 'Since (UTC)', class: 'wide', cell: (one) => time(one.inForceAt) },
      {
        title: 'Took',
        class: 'figure',
        cell: (one) => {
          if (one.inForceAt === null || processedAt === null) return '–';
          return one.later ? 'came later' : duration(Date.parse(one.inForceAt) - Date.parse(processedAt));
        },
      },
    ],
    enforcers,
  );
}

/** @param {any} notices */
function noticeTable(notices) {
  if (notices === null) return emptyNote('Notices of a list are made by “optgate gap-notices”.');
  if (notices.length === 0) return emptyNote('No recorded export holds this person, so nobody is to be told.');
  return table(
    'Destinations that are to be told',
    [
      {
        title: 'Destination',
        isHead: true,
        cell: (one) => h('a', { href: destinationHref(one.destination) }, one.destination),
      },
      { title: 'Under', class: 'wide', cell: (one) => h('code', {}, one.kind) },
      { title: 'First sent (UTC)', class: 'wide', cell: (one) => time(one.sentFirst) },
      { title: 'Last sent (UTC)', cell: (one) => time(one.sentLast) },
      {
        title: 'After the request',
        cell: (one) => (one.sentAfterRequest ? stateBadge('wrong', 'yes') : stateBadge('working', 'no')),
      },
    ],
    notices,
  );
}

/** @param {any} request */
function requestFacts(request) {
  const { nature, status, rights, identifierCount, refusedCount, noAskUntil, confirmBy, token, dueOn, deadlineState } =
    request;
  /** @type {[string, import('../dom.js').Child | readonly import('../dom.js').Child[]][]} */
  const pairs = [
    ['What', NATURES[nature] ?? nature],
    ['Status', stateBadge(STATUS_ICONS[status] ?? 'unknown', words(status))],
    ['Rights', rights === null ? 'each row its own' : rights.map(words).join(', ')],
    ['Identifiers', number(identifierCount)],
  ];
  if (refusedCount > 0) pairs.push(['Refused rows', number(refusedCount)]);
  if (dueOn) {
    const badge = deadlineState === 'overdue' ? 'wrong' : deadlineState === 'nearly_overdue' ? 'attention' : 'working';
    pairs.push(['Due by', [dueOn, ' ', deadlineState ? stateBadge(badge, words(deadlineState)) : null]]);
  }
  if (noAskUntil !== null) pairs.push(['Not to be asked before', noAskUntil]);
  if (confirmBy !== null) pairs.push(['To be confirmed by', time(confirmBy)]);
  pairs.push(['Token', token === null ? '–' : h('code', {}, token)]);
  return facts(pairs);
}

/** @param {boolean} isBackground @param {any} notices As they were when the page was opened: each look is recorded. */
async function load(isBackground, notices) {
  const [request, propagation] = await Promise.all([
    get(`/v1/requests/${id}`, { isBackground }),
    get(`/v1/propagation/${id}`, { isBackground }),
  ]);
  showTimeline(request, propagation, notices);
  where.replaceChildren(enforcerTable(propagation));
  const isOpen = propagation.inForceEverywhereAt === null && request.status !== 'denied';
  if (isOpen) setTimeout(() => load(true, notices).catch(() => {}), AGAIN_MS);
  return request;
}

async function start() {
  try {
    const { notices } = await get(`/notices/${id}`);
    const request = await load(false, notices);
    const told = h('div', {});
    void fill(told, async () => noticeTable(notices));
    show(
      h('p', { class: 'lead id' }, id),
      section('Timeline', {}, timeline),
      section('The request', {}, requestFacts(request)),
      section('Where it is in force', {}, where),
      section('Gap notices', {}, told),
    );
  } catch (error) {
    const isUnknown = error instanceof ApiError && error.status === 404;
    const back = h('p', {}, h('a', { href: '/console/requests' }, 'To the list of requests'));
    show(
      h('p', { class: 'lead id' }, id),
      isUnknown ? emptyNote('There is no request with this receipt number.') : errorNote(error),
      back,
    );
  }
}

void start();
