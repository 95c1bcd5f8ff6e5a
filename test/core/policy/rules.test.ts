/**
 * The table of rules: codes unique, every row with a sentence and a citation, and all of them in docs/reasons.md.
 * @module
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CAUSE } from '../../../src/core/policy/compile.js';
import {
  CAUSE_RULES,
  FINDING_RULES,
  type Rule,
  SECTION_MISSING_RULE,
  suppressedRule,
} from '../../../src/core/policy/rules.js';
import { GPP_FINDINGS } from '../../../src/core/signals/gpp/findings.js';
import { BASE_KINDS } from '../../../src/core/vocabulary.js';

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

test('docs/reasons.md lists every code', () => {
  const page = readFileSync('docs/reasons.md', 'utf8');
  const codes = [
    ...causeRules.map(({ code }) => code),
    ...sectionRules.map(({ code }) => `gpp.<section>.${code}`),
    ...BASE_KINDS.map((kind) => suppressedRule(kind).code),
  ];
  expect(codes.filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
});
