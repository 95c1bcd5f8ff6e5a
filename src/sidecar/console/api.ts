/**
 * What pages ask for, below `/console/api`: lists, sums and the state, each as JSON. Reads only.
 * @module
 */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { type Ledger, REQUEST_STATUSES } from '../../ledger/index.js';
import { channel, fieldProblem, ProblemError, readQuery } from '../control-plane/index.js';
import { exportAnswer, noticesAnswer, requestPageAnswer } from './answers.js';
import type { DecisionHistory } from './decision-history.js';
import type { Sums } from './sums.js';

const REQUESTS_SHOWN = 50;
const EXPORTS_SHOWN = 25;

export interface ApiContext {
  /** Throws where there is none. */
  readonly ledger: () => Ledger;
  readonly state: () => Promise<object>;
  readonly history: DecisionHistory;
  readonly sums: Sums;
}

export interface ApiRoute {
  /** Below `/console/api`; its first group is the id. */
  readonly path: RegExp;
  /** Names of parameters in the query. */
  readonly query: readonly string[];
  answer(context: ApiContext, query: ReadonlyMap<string, string>, id: string): Promise<object> | object;
}

const day = z.iso.date();

export const API_ROUTES: readonly ApiRoute[] = [
  { path: /^\/state$/, query: [], answer: ({ state }) => state() },
  {
    path: /^\/decisions$/,
    query: ['range'],
    answer: ({ history }, query) => ({ intervals: query.get('range') === 'day' ? history.day : history.hour }),
  },
  { path: /^\/sums\/opt-outs$/, query: [], answer: ({ sums }) => sums.optOuts() },
  { path: /^\/sums\/effect$/, query: [], answer: ({ sums }) => sums.effect() },
  {
    path: /^\/requests$/,
    query: ['channel', 'status', 'since', 'until', 'after'],
    async answer({ ledger }, query) {
      const since = readWord(query, 'since', day);
      const until = readWord(query, 'until', day);
      const page = await ledger().oversight.requests({
        channel: readWord(query, 'channel', channel),
        status: readWord(query, 'status', z.enum(REQUEST_STATUSES)),
        sinceMs: since === undefined ? undefined : Date.parse(since),
        // the day is one of those asked for
        untilMs: until === undefined ? undefined : Date.parse(until) + 86_400_000,
        afterRequestId: query.get('after'),
        limit: REQUESTS_SHOWN,
      });
      return requestPageAnswer(page);
    },
  },
  {
    path: /^\/exports$/,
    query: ['destination', 'after'],
    async answer({ ledger }, query) {
      const [destination, afterRunId] = [query.get('destination'), query.get('after')];
      const { runs, hasMore } = await ledger().oversight.exports({ destination, afterRunId, limit: EXPORTS_SHOWN });
      return { exports: runs.map(exportAnswer), more: hasMore };
    },
  },
  {
    path: /^\/exports\/(x_[A-Za-z0-9_-]{22})$/,
    query: [],
    async answer({ ledger }, _query, id) {
      const run = await ledger().exportRun(id);
      if (run === null) throw new ProblemError('http.not_found');
      return exportAnswer(run);
    },
  },
  {
    path: /^\/notices\/(r_[A-Za-z0-9_-]{22})$/,
    query: [],
    answer: ({ ledger }, _query, id) => noticesAnswer(ledger(), id),
  },
];

/** The answer to a request for `path`; `undefined`: there is no such route. Throws what is a problem. */
export function apiAnswer(
  context: ApiContext,
  request: IncomingMessage,
  path: string,
): Promise<object> | object | undefined {
  for (const { path: pattern, query, answer } of API_ROUTES) {
    const found = pattern.exec(path);
    if (found !== null) return answer(context, readQuery(request, query), found[1] ?? '');
  }
  return undefined;
}

function readWord<T>(query: ReadonlyMap<string, string>, name: string, schema: z.ZodType<T>): T | undefined {
  const text = query.get(name);
  if (text === undefined || text === '') return undefined;
  const result = schema.safeParse(text);
  if (!result.success) throw fieldProblem(name, 'unknown', 'expected another word or day');
  return result.data;
}
