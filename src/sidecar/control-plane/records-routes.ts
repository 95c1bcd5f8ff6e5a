/**
 * What an audit asks for: deadlines, the record of requests, metrics.
 * @module
 */
import { InputError } from '../../core/errors.js';
import {
  type DeadlineList,
  METRIC_COLUMNS,
  metricsJson,
  quarterJson,
  recordsText,
  reportText,
} from '../../ledger/index.js';
import { timeOf } from './answers.js';
import { requestIdOf } from './intake.js';
import { INPUT_CODES } from './problems.js';
import { FORMAT, flagOf, flagParameter, formatOf, momentOf, momentParameter, numberOf, wholeNumber } from './query.js';
import { type Route, route } from './route.js';
import type { Answer } from './schemas.js';
import { sendReport } from './streamed-report.js';

/** Years that are reported on. */
const [YEAR_MIN, YEAR_MAX] = [1970, 9998];

export function recordsRoutes(): readonly Route[] {
  return [
    route({
      operationId: 'listDeadlines',
      method: 'get',
      path: '/v1/deadlines',
      summary: 'Requests whose deadline has passed or is near, and that are not in force everywhere.',
      roles: ['operator', 'auditor'],
      parameters: [
        wholeNumber(
          'nearlyBusinessDays',
          'Business days before the last one from when on it is nearly overdue. Default: 3.',
        ),
        wholeNumber('limit', 'Requests in the list, up to 1,000. Default: 100.'),
      ],
      body: null,
      answers: { 200: { description: 'The most urgent first.', body: 'Deadlines' } },
      problems: INPUT_CODES,
      needs: 'ledger',
      async handle({ query, ledger }) {
        const options = { nearlyBusinessDays: numberOf(query, 'nearlyBusinessDays'), limit: numberOf(query, 'limit') };
        return { status: 200, body: deadlinesAnswer(await ledger.records.deadlines(options)) };
      },
    }),
    route({
      operationId: 'reportRecords',
      method: 'get',
      path: '/v1/reports/records',
      summary: 'The record of every request received in a period, oldest first (11 CCR 7101(b)). Without clear values.',
      roles: ['operator', 'auditor'],
      parameters: [
        momentParameter('since', 'Received then or later.'),
        momentParameter('until', 'Received before. Default: now.'),
        FORMAT,
        flagParameter('rows', 'One record for each row of an import, instead of one for all of it.'),
      ],
      body: null,
      answers: {
        200: { description: 'Cut off without an end if it breaks off.', body: 'Records', otherMediaType: 'text/csv' },
      },
      problems: INPUT_CODES,
      needs: 'ledger',
      isWaiting: true,
      isRateLimited: true,
      async handle(exchange) {
        const { query, ledger } = exchange;
        const sinceMs = momentOf(query, 'since');
        if (sinceMs === undefined)
          throw new InputError('since', 'required', 'expected a day, or a moment with its zone');
        const untilMs = momentOf(query, 'until') ?? Math.max(sinceMs, Date.now());
        if (untilMs < sinceMs) throw new InputError('until', 'out_of_range', 'expected no earlier moment than since');
        const format = formatOf(query);
        const records = ledger.records.requests({ sinceMs, untilMs, eachRow: flagOf(query, 'rows') });
        return sendReport(exchange, format, recordsText(records, format));
      },
    }),
    ...summaryRoutes(),
    denialRoute(),
  ];
}

function summaryRoutes(): readonly Route[] {
  return [
    route({
      operationId: 'reportMetrics',
      method: 'get',
      path: '/v1/reports/metrics',
      summary:
        'For each right what was received in a year, complied with and denied, and in how many days (11 CCR 7102(a)).',
      roles: ['operator', 'auditor'],
      parameters: [wholeNumber('year', 'As California counts it. Default: this one.'), FORMAT],
      body: null,
      answers: { 200: { description: 'The metrics.', body: 'YearMetrics', otherMediaType: 'text/csv' } },
      problems: INPUT_CODES,
      needs: 'ledger',
      isWaiting: true,
      isRateLimited: true,
      async handle(exchange) {
        const { query, ledger } = exchange;
        const year = numberOf(query, 'year') ?? new Date().getUTCFullYear();
        if (year < YEAR_MIN || year > YEAR_MAX) throw new InputError('year', 'out_of_range', 'expected a year');
        const format = formatOf(query);
        const metrics = await ledger.records.metrics(year);
        if (format === 'json') return { status: 200, body: metricsJson(metrics) };
        const rows = metrics.rights.map((one) => ({ year, ...one }));
        return sendReport(exchange, format, reportText(rows, format, { columns: METRIC_COLUMNS, json: (row) => row }));
      },
    }),
    route({
      operationId: 'reportQuarter',
      method: 'get',
      path: '/v1/reports/quarter',
      summary:
        'What a quarter brought: requests, time to effect, exports, exemptions, changes of the inventory, what was late.',
      roles: ['operator', 'auditor'],
      parameters: [
        {
          in: 'query',
          name: 'quarter',
          description: 'Such as 2026Q4.',
          schema: { type: 'string', pattern: '^\\d{4}-?Q[1-4]$' },
        },
      ],
      body: null,
      answers: { 200: { description: 'The report.', body: 'QuarterReport' } },
      problems: INPUT_CODES,
      needs: 'ledger',
      isWaiting: true,
      isRateLimited: true,
      async handle({ query, ledger }) {
        const quarter = query.get('quarter');
        if (quarter === undefined) throw new InputError('quarter', 'required', 'expected a quarter, such as 2026Q4');
        return { status: 200, body: quarterJson(await ledger.records.quarter(quarter)) };
      },
    }),
  ];
}

function denialRoute(): Route {
  return route({
    operationId: 'denyRequest',
    method: 'post',
    path: '/v1/requests/{id}/deny',
    summary: 'Denies a request on a documented basis (11 CCR 7026(e)); ends what it alone has put in force.',
    roles: ['operator'],
    body: 'DenialRequest',
    answers: { 200: { description: 'Denied, now or before.', body: 'Denial' } },
    problems: [...INPUT_CODES, 'ledger.unknown_request'],
    needs: 'ledger',
    async handle({ id, body, ledger }) {
      const { deniedAtMs, isRepeat, remaining, ...same } = await ledger.records.deny({
        requestId: requestIdOf(id),
        ...body,
      });
      const shown = { deniedAt: timeOf(deniedAtMs), remaining: [...remaining], repeat: isRepeat };
      return { status: 200, body: { ...same, status: 'denied', ...shown } satisfies Answer<'Denial'> };
    },
  });
}

function deadlinesAnswer({ requests, ...same }: DeadlineList): Answer<'Deadlines'> {
  return {
    ...same,
    requests: requests.map(({ receivedAtMs, dueAtMs, rights, ...one }) => ({
      ...(one as Answer<'Deadlines'>['requests'][number]),
      rights: [...rights],
      receivedAt: timeOf(receivedAtMs),
      dueAt: timeOf(dueAtMs),
    })),
  };
}
