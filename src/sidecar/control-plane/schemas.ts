/**
 * Every body that goes in and comes out, each under the name it has in the OpenAPI document.
 *
 * Shapes only: what an identifier of a kind looks like, or which moments can be, is for the ledger to say. Unknown members
 * are refused, so that a misspelt one is not an opt-out of something else.
 * @module
 */
import { z } from 'zod';
import { IDENTIFIER_LENGTH_MAX } from '../../core/identity/index.js';
import { RIGHTS } from '../../core/vocabulary.js';
import { ACTOR_ROLES, ACTOR_VIAS } from '../../ledger/audit/actor.js';
import { CHANNELS, destinationSchema, SCOPES } from '../../ledger/index.js';
import {
  AGENT_LENGTH_MAX,
  IDEMPOTENCY_KEY_LENGTH_MAX,
  IDENTIFIERS_PER_REQUEST_LIMIT,
  OPERATOR_LENGTH_MAX,
} from '../../ledger/limits.js';
import { DENIAL_BASIS_LENGTH_MAX } from '../../ledger/records/denial.js';
import { DEADLINE_MEMBERS, RECORDS_ANSWERS } from './records-schemas.js';
import { WEBHOOK_ANSWERS, WEBHOOK_BODIES } from './webhook-schemas.js';

/** Longest kind: `eid:` and a domain. */
const KIND_LENGTH_MAX = IDENTIFIER_LENGTH_MAX;
const CONFIRMATION_LENGTH_MAX = 256;
/** Refused rows that the answer to an import lists. */
export const REFUSED_SHOWN_MAX = 100;

/** A moment with its zone: without one it would be another moment on another machine. */
export const moment = z.iso.datetime({ offset: true });
const time = z.iso.datetime();
const day = z.iso.date();
const count = z.int().min(0);
const token = z.string().nullable().describe('Place in the change log, `epoch.seq`; null: it has none yet.');
const right = z.enum(RIGHTS);
export const channel = z.enum(CHANNELS);
export const operator = z.string().min(1).max(OPERATOR_LENGTH_MAX);
export const idempotencyKey = z.string().min(1).max(IDEMPOTENCY_KEY_LENGTH_MAX);

const identifier = z.strictObject({
  kind: z.string().max(KIND_LENGTH_MAX).describe('Such as email, phone, maid, email_sha256, eid:uidapi.com.'),
  value: z.string().max(IDENTIFIER_LENGTH_MAX),
});

const request = z.strictObject({
  identifiers: z.array(identifier).min(1).max(IDENTIFIERS_PER_REQUEST_LIMIT),
  channel,
  rights: z.array(right).min(1).max(RIGHTS.length).optional().describe('Default: all.'),
  scope: z.enum(SCOPES).optional().describe('Default: person.'),
  state: z
    .string()
    .regex(/^[A-Z]{2}$/)
    .optional()
    .describe('Where the person lives.'),
  receivedAt: moment.optional().describe('When the request reached the business. Default: now.'),
  operator: operator.optional().describe('Who recorded it. Default: the name of the token.'),
  agent: z
    .strictObject({ name: z.string().min(1).max(AGENT_LENGTH_MAX), permissionOnFile: z.boolean() })
    .optional()
    .describe('Who asks for the consumer; with the channel agent only.'),
});

/** Bodies of requests. */
export const BODIES = {
  OptOutRequest: request,
  OptInRequest: request,
  OptInConfirmation: z.strictObject({ confirmation: z.string().min(1).max(CONFIRMATION_LENGTH_MAX) }),
  StatusQuery: z.strictObject({ identifier }),
  DenialRequest: z.strictObject({
    basis: z.string().min(1).max(DENIAL_BASIS_LENGTH_MAX).describe('Why, without anything that names the consumer.'),
    operator: operator.optional().describe('Who denies it. Default: the name of the token.'),
  }),
  DestinationTerms: destinationSchema.omit({ id: true }),
  ...WEBHOOK_BODIES,
} as const;
export type BodyName = keyof typeof BODIES;
export type Body<N extends BodyName> = z.output<(typeof BODIES)[N]>;

const requestId = z.string().regex(/^r_[A-Za-z0-9_-]{22}$/);
const nature = z.enum(['opt_out', 'opt_in', 'import']);
const requestStatus = z.enum(['pending', 'in_progress', 'complied', 'denied']);
const role = z.enum(['library', 'sidecar', 'relay', 'publisher', 'export']);

/** Bodies that somebody else reads and checks; here for the document. */
export const FOREIGN_BODIES = {
  /** src/sync/enforcer-report.ts */
  EnforcerReport: z.strictObject({
    id: z.string().regex(/^[A-Za-z0-9._:-]{1,64}$/),
    name: z.string().max(256),
    role,
    version: z.string().max(64),
    leaseMs: z.int().min(1),
    position: z.strictObject({ epoch: z.string(), seq: count }).nullable(),
    appliedAgeMs: z.number().nullable(),
    state: z.string().max(32),
    isLeaving: z.boolean(),
  }),
} as const;

const receipt = z.strictObject({
  requestId,
  token,
  receivedAt: time,
  noAskUntil: day.nullable().describe('First day on which the person may be asked to opt in again.'),
  identifierCount: count,
  repeat: z.boolean().describe('True: it was recorded before, under the same idempotency key.'),
});

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** As in an export, member by member (docs/audit-trail.md). */
const auditEntry = z.strictObject({
  actor: z.strictObject({ name: z.string().nullable(), role: z.enum(ACTOR_ROLES), via: z.enum(ACTOR_VIAS) }),
  at: time,
  body: z.looseObject({}),
  hash: sha256,
  kind: z.string(),
  n: z.int().min(1),
  previous: sha256,
  subject: z.string().nullable(),
});

/** Bodies of answers. */
export const ANSWERS = {
  Receipt: receipt,
  PendingOptIn: z.strictObject({
    requestId,
    confirmation: z.string().nullable().describe('For the second step; shown once, null in a repeat.'),
    confirmBy: time,
    status: requestStatus,
    repeat: z.boolean(),
  }),
  OptInReceipt: receipt.extend({
    remaining: z.array(right).describe('Rights that are still opted out of, through what others have recorded.'),
  }),
  RequestRecord: z.strictObject({
    requestId,
    nature,
    channel,
    status: requestStatus,
    rights: z.array(right).nullable().describe('null: each row of an import has its own.'),
    receivedAt: time,
    noAskUntil: day.nullable(),
    confirmBy: time.nullable(),
    identifierCount: count,
    refusedCount: count,
    ...DEADLINE_MEMBERS,
    token,
  }),
  IdentifierStatus: z.strictObject({
    rights: z.array(right),
    since: time.nullable(),
    noAskUntil: day.nullable(),
    token,
    requests: z.array(
      z.strictObject({
        ...{ requestId, nature, channel, status: requestStatus, inForce: z.boolean(), receivedAt: time },
        dueAt: DEADLINE_MEMBERS.dueAt,
        deadlineState: DEADLINE_MEMBERS.deadlineState,
      }),
    ),
  }),
  Propagation: z.strictObject({
    requestId,
    receivedAt: time,
    processedAt: time.nullable(),
    token,
    inForceOn: count,
    enforcerCount: count,
    inForceEverywhereAt: time.nullable(),
    enforcers: z.array(
      z.strictObject({
        id: z.string(),
        name: z.string(),
        role,
        inForceAt: time.nullable(),
        silent: z.boolean(),
        retired: z.boolean(),
        later: z.boolean().describe('It registered after the request was processed.'),
      }),
    ),
  }),
  Enforcers: z.strictObject({
    enforcers: z.array(
      z.strictObject({
        id: z.string(),
        name: z.string(),
        role,
        version: z.string(),
        state: z.string(),
        position: z.string().nullable().describe('What it has applied, `epoch.seq`.'),
        seqLag: count.nullable(),
        silent: z.boolean(),
        registeredAt: time,
        lastSeenAt: time,
        retiredAt: time.nullable(),
      }),
    ),
  }),
  AuditEntries: z.strictObject({
    entries: z.array(auditEntry),
    last: count.nullable().describe('Number of the last one, to go on after; null: there is none.'),
  }),
  AuditHead: z.strictObject({
    ledgerId: z.string(),
    n: count.describe('Number of the last entry; 0: there is none.'),
    hash: sha256,
    checkpoint: count.nullable().describe('Number of the last signed checkpoint.'),
    unchained: count.describe('Entries that have no number yet.'),
  }),
  Destination: destinationSchema,
  Destinations: z.strictObject({ destinations: z.array(destinationSchema) }),
  ImportReceipt: receipt.extend({
    rowCount: count,
    refusedCount: count,
    refused: z
      .array(z.strictObject({ line: z.int().min(1), field: z.string(), detail: z.string() }))
      .max(REFUSED_SHOWN_MAX)
      .describe(`The first ${REFUSED_SHOWN_MAX} rows that could not be used.`),
  }),
  ...RECORDS_ANSWERS,
  ...WEBHOOK_ANSWERS,
  Status: z.looseObject({}),
  OpenApi: z.looseObject({ openapi: z.string() }),
  Problem: z.looseObject({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int(),
    code: z.string().describe('Stable; branch on this.'),
    detail: z.string().optional(),
    field: z.string().optional().describe('Path of the field that is wrong, such as identifiers[0].value.'),
  }),
} as const;
export type AnswerName = keyof typeof ANSWERS;
export type Answer<N extends AnswerName> = z.output<(typeof ANSWERS)[N]>;
