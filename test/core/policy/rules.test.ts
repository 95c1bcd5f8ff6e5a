/**
 * The table of rules: codes unique, every row with a sentence and a citation, and all of them in docs/reasons.md.
 * @module
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CAUSE } from '../../../src/core/policy/compile.js';
import { EXEMPT_PURPOSES, PURPOSES, RIGHT_COVERS } from '../../../src/core/policy/destinations.js';
import {
  CAUSE_RULES,
  FINDING_RULES,
  RIGHT_RULES,
  type Rule,
  SECTION_MISSING_RULE,
  suppressedRule,
} from '../../../src/core/policy/rules.js';
import { GPP_FINDINGS } from '../../../src/core/signals/gpp/findings.js';
import { BASE_KINDS, RIGHTS, STRIP_GROUPS } from '../../../src/core/vocabulary.js';

const causeRules: Rule[] = Object.values(CAUSE_RULES);
const sectionRules: Rule[] = [...Object.values(FINDING_RULES), SECTION_MISSING_RULE];
const all = [...causeRules, ...sectionRules, ...BASE_KINDS.map(suppressedRule)];

test('the causes fit in one integer, each with a bit of its own', () => {
  expect(causeRules.length).toBeLessThanOrEqual(31);
  expect(new Set(Object.values(CAUSE)).size).toBe(causeRules.length);
  expect(Object.values(CAUSE).every((bit) => bit > 0)).toBe(true);
});

test('every finding has its rule', () => expect(Object.keys(FINDING_RULES)).toEqual([...GPP_FINDINGS]));

test('codes are unique', () => expect(new Set(all.map(({ code }) => code)).size).toBe(all.length));

test.each(all)('$code is fit to be read', ({ code, sentence, citation }) => {
  expect(code).toMatch(/^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/);
  expect(sentence).toMatch(/^\S.*\.$/);
  expect(citation).not.toBe('');
});

test('docs/reasons.md says of every code what the table says', () => {
  const page = readFileSync('docs/reasons.md', 'utf8').split('\n');
  const rowOf = (code: string, { sentence, strip, exemptible, citation }: Rule) => {
    const stripped = strip.length === 0 ? 'nothing' : strip.length === STRIP_GROUPS.length ? 'all' : strip.join(' ');
    const exempt = strip.length === 0 ? '' : exemptible ? 'yes' : 'no';
    return `| \`${code}\` | ${sentence} | ${stripped} | ${exempt} | ${citation} |`;
  };
  const rows = [
    ...causeRules.map((rule) => rowOf(rule.code, rule)),
    ...sectionRules.map((rule) => rowOf(`gpp.<section>.${rule.code}`, rule)),
    ...BASE_KINDS.map((kind) => `| \`${suppressedRule(kind).code}\` |`),
    ...Object.entries(RIGHT_RULES).map(([right, { strip, exemptible }]) => {
      const stripped = strip.length === STRIP_GROUPS.length ? 'all' : strip.join(' ');
      return `| \`${right}\` | ${stripped} | ${exemptible ? 'yes' : 'no'} |`;
    }),
  ];
  expect(rows.filter((row) => !page.includes(row))).toEqual([]);
});

test('docs/policy.md says of every right and purpose what the table says', () => {
  const page = readFileSync('docs/policy.md', 'utf8').split('\n');
  expect(page).toContain(`| right | ${PURPOSES.join(' | ')} |`);
  for (const right of RIGHTS) {
    const cells = PURPOSES.map((purpose) => (RIGHT_COVERS[right].includes(purpose) ? 'yes' : 'no'));
    expect(page).toContain(`| \`${right}\` | ${cells.join(' | ')} |`);
  }
});

test('cross-context advertising and audiences can never be exempt', () => {
  expect(Object.keys(EXEMPT_PURPOSES).sort()).toEqual(PURPOSES.slice(2).sort());
});
