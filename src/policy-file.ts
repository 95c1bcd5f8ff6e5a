/**
 * Reads a policy file: JSON in, a checked, complete and frozen `Policy` out.
 *
 * Unknown keys are refused with their path, so that a misspelt switch can never be a default that looks like consent.
 * Every key may be left out; the defaults are those of `DEFAULT_POLICY`.
 * @module
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { DESTINATION_CHANNELS, EXEMPT_PURPOSES, PURPOSES, ROLES } from './core/policy/destinations.js';
import { STATES } from './core/policy/jurisdiction.js';
import { DEFAULT_POLICY, mintPolicy, type Policy } from './core/policy/policy.js';

/** One thing wrong with a policy; `path` as in `destinations[0].role`, empty for the whole. */
export interface PolicyIssue {
  readonly path: string;
  readonly message: string;
}

/** The policy cannot be used. `issues` lists everything that is wrong, not only the first. */
export class PolicyError extends TypeError {
  readonly code = 'policy.invalid';
  readonly issues: readonly PolicyIssue[];

  constructor(issues: readonly PolicyIssue[]) {
    super(`policy: ${issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')}`);
    this.name = 'PolicyError';
    this.issues = issues;
  }
}

/** Most destinations a policy may name. */
export const DESTINATION_COUNT_MAX = 100_000;
/** Most categories of data that one destination may list. */
export const DATA_CATEGORIES_MAX = 64;
/** Longest age a table may have before it counts as stale: 30 days. */
export const STALE_AFTER_MS_MAX = 30 * 86_400_000;

const D = DEFAULT_POLICY;
const day = z.iso.date('expected a day, YYYY-MM-DD');
const name = z.string().min(1).max(200);
const purposes = z.array(z.enum(PURPOSES)).min(1);
const whenOptedOut = z.enum(['restrict', 'block']);
const role = z.enum(ROLES);
const orDefault = <K extends string>(values: readonly [K, K, ...K[]], value: K) => z.enum(values).default(value);

const destination = z.strictObject({
  id: name,
  role: role.default('third_party'),
  purposes: purposes.default([...PURPOSES]),
  whenOptedOut: whenOptedOut.default('restrict'),
  contract: z
    .strictObject({ reference: name, expires: day.nullable().default(null) })
    .nullable()
    .default(null),
  states: z
    .record(
      z.string().refine((state) => STATES.has(state), 'expected a state, two capital letters'),
      z.strictObject({
        role: role.optional(),
        purposes: purposes.optional(),
        whenOptedOut: whenOptedOut.optional(),
      }),
    )
    .default({}),
  dataCategories: z.array(name).min(1).max(DATA_CATEGORIES_MAX).optional(),
  contact: name.optional(),
  channels: z.array(z.enum(DESTINATION_CHANNELS)).min(1).max(DESTINATION_CHANNELS.length).optional(),
});

const exemptSwitches = Object.fromEntries(
  Object.keys(EXEMPT_PURPOSES).map((purpose) => [
    purpose,
    z.boolean().default(D.exemptPurposes[purpose as keyof typeof EXEMPT_PURPOSES]),
  ]),
) as { [K in keyof typeof EXEMPT_PURPOSES]: z.ZodDefault<z.ZodBoolean> };

const schema = z.strictObject({
  $schema: z.string().optional(),
  version: name.default(D.version),
  honor: orDefault(['everywhere', 'by_state'], D.honor),
  gpcOutsideUs: orDefault(['honor', 'ignore'], D.gpcOutsideUs),
  signals: z
    .strictObject({
      lmt: orDefault(['honor', 'ignore'], D.signals.lmt),
      dnt: orDefault(['honor', 'ignore'], D.signals.dnt),
      att: orDefault(['honor', 'ignore'], D.signals.att),
      malformed: orDefault(['restrict', 'ignore'], D.signals.malformed),
      empty: orDefault(['malformed', 'absent'], D.signals.empty),
    })
    .prefault({}),
  gpp: z
    .strictObject({
      sectionMissing: orDefault(['restrict', 'ignore'], D.gpp.sectionMissing),
      sectionMalformed: orDefault(['restrict', 'ignore'], D.gpp.sectionMalformed),
      versionUnknown: orDefault(['restrict', 'ignore'], D.gpp.versionUnknown),
      sectionUnknown: orDefault(['restrict', 'ignore'], D.gpp.sectionUnknown),
      withoutSid: orDefault(['judge', 'ignore'], D.gpp.withoutSid),
      personalDataConsent: orDefault(['restrict', 'allow'], D.gpp.personalDataConsent),
      coveredTransactionZero: orDefault(['restrict', 'allow'], D.gpp.coveredTransactionZero),
    })
    .prefault({}),
  table: z
    .strictObject({
      staleAfterMs: z.int().min(1).max(STALE_AFTER_MS_MAX).default(D.table.staleAfterMs),
      onStale: orDefault(['restrict', 'block', 'allow'], D.table.onStale),
    })
    .prefault({}),
  restrict: z
    .strictObject({
      ipv4KeepBits: z.int().min(0).max(24).default(D.restrict.ipv4KeepBits),
      ipv6KeepBits: z.int().min(0).max(56).default(D.restrict.ipv6KeepBits),
      coordinates: orDefault(['round', 'remove'], D.restrict.coordinates),
    })
    .prefault({}),
  identifiers: z
    .strictObject({
      userIdNamespace: name.nullable().default(D.identifiers.userIdNamespace),
      buyerUidNamespace: name.nullable().default(D.identifiers.buyerUidNamespace),
    })
    .prefault({}),
  memo: z.strictObject({ entryCountMax: z.int().min(0).max(1_000_000).default(D.memo.entryCountMax) }).prefault({}),
  exemptPurposes: z.strictObject(exemptSwitches).prefault({}),
  destinations: z
    .array(destination)
    .max(DESTINATION_COUNT_MAX)
    .default([])
    .superRefine((rows, context) => {
      const seen = new Set<string>();
      for (const [index, { id }] of rows.entries()) {
        if (seen.has(id)) context.addIssue({ code: 'custom', path: [index, 'id'], message: 'this id is used twice' });
        seen.add(id);
      }
    }),
});

/**
 * Checks a policy and fills in the defaults.
 * @param input The parsed JSON of a policy file.
 * @throws {PolicyError} with a path for everything that is wrong.
 * @example parsePolicy({ version: '2026-11', destinations: [{ id: 'acme', whenOptedOut: 'block' }] })
 */
export function parsePolicy(input: unknown): Policy {
  const result = schema.safeParse(input);
  if (!result.success) {
    throw new PolicyError(result.error.issues.flatMap(issuesOf));
  }
  const { $schema: _, ...policy } = result.data;
  return mintPolicy(policy as Policy);
}

/**
 * The policy in a file of JSON.
 * @throws {PolicyError}; what the system throws where the file cannot be read.
 */
export function readPolicyFile(path: string): Policy {
  return parsePolicy(parseJson(readFileSync(path, 'utf8')));
}

/** The parser's own message quotes the text, and a wrong file can be given by mistake; where it fails is all that is kept. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    const at = message.includes('end of JSON')
      ? text.length
      : Number(/^[^"]* JSON at position (\d+)/.exec(message)?.[1] ?? Number.NaN);
    const before = text.slice(0, at).split('\n');
    const where = at <= text.length ? ` (line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1})` : '';
    throw new PolicyError([{ path: '', message: `is not JSON${where}` }]);
  }
}

function issuesOf(issue: z.core.$ZodIssue): readonly PolicyIssue[] {
  // a key that does not look like one may be a value in the wrong place, and messages never show those
  const shown = (step: PropertyKey) =>
    typeof step !== 'string' || /^[A-Za-z0-9_$.-]{1,40}$/.test(step) ? step : `<key of ${step.length} characters>`;
  if (issue.code !== 'unrecognized_keys') return [{ path: pathText(issue.path.map(shown)), message: issue.message }];
  return issue.keys.map((key) => ({ path: pathText([...issue.path, key].map(shown)), message: 'unknown key' }));
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, step) =>
      typeof step === 'number' ? `${text}[${step}]` : text === '' ? String(step) : `${text}.${String(step)}`,
    '',
  );
}
