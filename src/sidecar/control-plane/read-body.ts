/**
 * A JSON value as one of the bodies: the first thing that is wrong, with the path of the field and never its value.
 * @module
 */
import type { z } from 'zod';
import type { InputErrorCode } from '../../core/errors.js';
import { fieldProblem, type ProblemError } from './problems.js';
import { BODIES, type Body, type BodyName } from './schemas.js';

/** Throws a ProblemError. */
export function readBody<N extends BodyName>(name: N, value: unknown): Body<N> {
  const result = BODIES[name].safeParse(value);
  if (result.success) return result.data as Body<N>;
  throw problemOfIssue(result.error.issues[0], value);
}

function problemOfIssue(issue: z.core.$ZodIssue | undefined, value: unknown): ProblemError {
  switch (issue?.code) {
    case 'unrecognized_keys': {
      const field = pathText([...issue.path, issue.keys[0] ?? '']);
      return fieldProblem(field, 'unknown', 'there is no such field');
    }
    case 'invalid_type': {
      const isMissing = valueAt(value, issue.path) === undefined;
      return fieldProblem(pathText(issue.path), isMissing ? 'required' : 'type', `expected ${issue.expected}`);
    }
    case 'invalid_value':
      return fieldProblem(pathText(issue.path), ...wordFault(issue.values, valueAt(value, issue.path)));
    case 'too_small':
      return fieldProblem(pathText(issue.path), 'empty', `expected at least ${issue.minimum}`);
    case 'too_big': {
      const code: InputErrorCode = issue.origin === 'array' ? 'too_many' : 'too_long';
      return fieldProblem(pathText(issue.path), code, `expected at most ${issue.maximum}`);
    }
    default:
      return fieldProblem(pathText(issue?.path ?? []), 'malformed', expectedForm(issue));
  }
}

function wordFault(words: readonly unknown[], given: unknown): [InputErrorCode, string] {
  const expected = `expected one of ${words.join(', ')}`;
  if (given === undefined) return ['required', expected];
  return [typeof given === 'string' ? 'unknown' : 'type', expected];
}

function expectedForm(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code !== 'invalid_format') return 'expected another form';
  if (issue.format === 'datetime') return 'expected a moment with its zone, such as 2026-11-20T10:00:00Z';
  return issue.format === 'date' ? 'expected a day, such as 2026-11-20' : 'expected another form';
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let here = value;
  for (const step of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined;
    here = (here as Readonly<Record<PropertyKey, unknown>>)[step];
  }
  return here;
}

/** A name that does not look like one may be a value in the wrong place, and is not shown. */
function pathText(path: readonly PropertyKey[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += `${text === '' ? '' : '.'}${/^[A-Za-z][A-Za-z_]{0,39}$/.test(String(step)) ? String(step) : '?'}`;
  }
  return text;
}
