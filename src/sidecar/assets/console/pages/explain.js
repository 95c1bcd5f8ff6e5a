/**
 * What a privacy string says, field by field, and what this process makes of it by the policy in force.
 * @module
 */
import { change } from '../api.js';
import { byId, code, emptyNote, fill, h, section, show, stateBadge } from '../dom.js';
import { words } from '../format.js';
import { table } from '../table.js';

const result = h('div', {});
/** @type {Readonly<Record<string, [string, string]>>} */
const ACTIONS = {
  allow: ['working', 'Allowed: the request may go out as it is'],
  restrict: ['attention', 'Restricted: the request goes out without what names the person'],
  block: ['wrong', 'Blocked: the request does not go out'],
};

function form() {
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void explain();
  };
  const input = (
    /** @type {string} */ name,
    /** @type {string} */ label,
    /** @type {import('../dom.js').Attributes} */ more,
  ) =>
    h(
      'div',
      {},
      h('label', { for: name }, label),
      h('input', { id: name, name, autocomplete: 'off', spellcheck: 'false', ...more }),
    );
  return h(
    'form',
    { class: 'form', onsubmit: submit, 'aria-label': 'What to explain' },
    h(
      'div',
      {},
      h('label', { for: 'gpp' }, 'GPP string, or US Privacy string'),
      h('textarea', {
        id: 'gpp',
        name: 'gpp',
        class: 'id',
        spellcheck: 'false',
        maxlength: 8192,
        placeholder: 'DBABLA~BVVqAAAAAgA.YA',
      }),
    ),
    h(
      'div',
      { class: 'filters' },
      input('gpp_sid', 'Sections that apply (gpp_sid)', { placeholder: '7, 8', maxlength: 200 }),
      input('us_privacy', 'US Privacy beside it', { placeholder: '1YNN', maxlength: 20 }),
      h(
        'div',
        { class: 'checks' },
        h('label', {}, h('input', { type: 'checkbox', id: 'gpc', name: 'gpc' }), 'Global Privacy Control'),
      ),
      h('button', { type: 'submit', class: 'primary' }, 'Explain'),
    ),
  );
}

/** @param {string} id */
function textOf(id) {
  return /** @type {HTMLInputElement} */ (byId(id)).value.trim();
}

function explain() {
  return fill(result, async () => {
    const body = {
      string: textOf('gpp'),
      sections: textOf('gpp_sid').replaceAll(' ', ''),
      usPrivacy: textOf('us_privacy'),
      gpc: /** @type {HTMLInputElement} */ (byId('gpc')).checked,
    };
    const { sections, undecoded, isWithoutSections, action, strip, reasons } = await change('POST', '/explain', body);
    const [state, sentence] = ACTIONS[action] ?? ['unknown', action];
    const faults = undecoded.map((/** @type {any} */ { what, code: fault, at }) =>
      h(
        'li',
        {},
        stateBadge(
          'wrong',
          `${what} cannot be decoded${fault === null ? '' : `: ${words(fault)}`}, from character ${at + 1}`,
        ),
      ),
    );
    return [
      section(
        'What it leads to',
        {},
        h('p', { class: 'lead' }, stateBadge(state, sentence)),
        strip.length === 0 ? null : h('p', { class: 'muted' }, `Left out: ${strip.map(words).join(', ')}`),
        faults.length === 0 ? null : h('ul', { class: 'plain' }, faults),
        isWithoutSections ? h('p', { class: 'muted' }, 'A valid GPP string without sections.') : null,
        reasonTable(reasons),
      ),
      ...sections.map(sectionTable),
    ];
  });
}

/** @param {readonly any[]} reasons */
function reasonTable(reasons) {
  if (reasons.length === 0) return emptyNote('Nothing in these signals speaks against sending.');
  return table(
    'Reasons',
    [
      {
        title: 'Reason',
        isHead: true,
        cell: (reason) => [code(reason.code), h('span', { class: 'sub' }, reason.citation)],
      },
      {
        title: 'Means',
        cell: ({ sentence, strip }) => [
          sentence,
          h('span', { class: 'sub' }, strip.length === 0 ? 'informs' : `leaves out ${strip.map(words).join(', ')}`),
        ],
      },
      {
        title: 'Leaves out',
        class: 'wide',
        cell: ({ strip }) => (strip.length === 0 ? 'nothing: it informs' : strip.map(words).join(', ')),
      },
      { title: 'By', class: 'wide', cell: ({ citation }) => citation },
    ],
    reasons,
  );
}

/** @param {any} one */
function sectionTable({ prefix, fields }) {
  const whole = table(
    `Fields of ${prefix}`,
    [
      { title: 'Field', isHead: true, cell: ({ name }) => h('code', {}, name) },
      {
        title: 'Value',
        cell: ({ value }) => (Array.isArray(value) ? value.join(' ') : String(value)),
      },
      {
        title: 'Means',
        cell: ({ meanings }) =>
          meanings.length === 1
            ? meanings[0]
            : h(
                'ul',
                {},
                meanings.map((/** @type {string} */ one) => h('li', {}, one)),
              ),
      },
      {
        title: 'Led to',
        class: 'wide',
        cell: ({ ledTo }) =>
          ledTo.length === 0
            ? h('span', { class: 'none' }, '–')
            : h(
                'ul',
                {},
                ledTo.map((/** @type {string} */ one) => h('li', {}, code(one))),
              ),
      },
    ],
    fields,
  );
  return section(`Section ${prefix}`, {}, whole);
}

show(form(), result);
