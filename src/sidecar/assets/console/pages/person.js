/**
 * What is in force for a person, by any identifier: sent in a body and never in a URL, kept by nobody but the audit trail,
 * which holds no identifier either.
 * @module
 */
import { change } from '../api.js';
import { emptyNote, fill, h, section, show, stateBadge } from '../dom.js';
import { time, words } from '../format.js';
import { facts, table } from '../table.js';
import { NATURES, STATUS_ICONS } from './request-words.js';

const KINDS = ['email', 'phone', 'maid', 'email_sha256', 'email_sha1', 'email_md5', 'phone_sha256', 'ip', 'user_id'];

const result = h('div', {});

function form() {
  const value = h('input', {
    id: 'value',
    name: 'value',
    required: true,
    autocomplete: 'off',
    spellcheck: 'false',
    maxlength: 2048,
  });
  const kind = h('input', {
    id: 'kind',
    name: 'kind',
    required: true,
    value: 'email',
    list: 'kinds',
    autocomplete: 'off',
    spellcheck: 'false',
    maxlength: 300,
  });
  const kinds = h(
    'datalist',
    { id: 'kinds' },
    KINDS.map((one) => h('option', { value: one })),
  );
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void look(kind.value.trim(), value.value);
  };
  return h(
    'form',
    { class: 'filters', onsubmit: submit, 'aria-label': 'Whom to look up' },
    h('div', {}, h('label', { for: 'kind' }, 'Kind'), kind, kinds),
    h('div', { class: 'all' }, h('label', { for: 'value' }, 'Identifier'), value),
    h('button', { type: 'submit', class: 'primary' }, 'Look up'),
  );
}

/** @param {string} kind @param {string} value */
function look(kind, value) {
  return fill(result, async () => {
    const status = await change('POST', '/v1/status-of', { identifier: { kind, value } });
    const { rights, since, noAskUntil, requests } = status;
    const state =
      rights.length === 0
        ? stateBadge('unknown', 'Nothing is in force for this identifier.')
        : stateBadge('working', `Opted out: ${rights.map(words).join(', ')}`);
    return [
      h('p', { class: 'lead' }, state),
      rights.length === 0
        ? null
        : section(
            'In force',
            {},
            facts([
              ['Since (UTC)', time(since)],
              ['Not to be asked before', noAskUntil ?? '–'],
            ]),
          ),
      section(
        'Requests',
        {},
        requests.length === 0 ? emptyNote('No request names this identifier.') : requestTable(requests),
      ),
    ];
  });
}

/** @param {readonly any[]} requests */
function requestTable(requests) {
  return table(
    'Requests that name this identifier',
    [
      { title: 'Received (UTC)', cell: (one) => time(one.receivedAt) },
      {
        title: 'Receipt',
        isHead: true,
        cell: (one) => h('a', { class: 'id', href: `/console/requests/${one.requestId}` }, one.requestId),
      },
      { title: 'What', class: 'wide', cell: (one) => `${NATURES[one.nature] ?? one.nature} by ${words(one.channel)}` },
      {
        title: 'Status',
        class: 'wide',
        cell: (one) => stateBadge(STATUS_ICONS[one.status] ?? 'unknown', words(one.status)),
      },
      { title: 'In force', cell: (one) => (one.inForce ? stateBadge('working', 'yes') : stateBadge('unknown', 'no')) },
    ],
    requests,
  );
}

show(form(), h('p', { class: 'hint' }, 'A look-up is recorded: who looked and when, not whom it was about.'), result);
