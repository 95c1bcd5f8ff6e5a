/**
 * The report of a quarter as JSON, and as Markdown to be read.
 * @module
 */
import type { Destination } from '../../core/index.js';
import type { RecordedChange } from './inventory.js';
import type { LateRequest, QuarterReport } from './quarter.js';
import { momentText } from './report-text.js';
import type { SpreadSummary } from './spread.js';

/** Moments as text, no unit in a name but for durations. */
export function quarterJson(report: QuarterReport): object {
  const { sinceMs, untilMs, generatedAtMs, inventory, unlisted, late, now, exports, ...same } = report;
  const { requests, ...counts } = now;
  return {
    ...same,
    since: momentText(sinceMs),
    until: momentText(untilMs),
    generatedAt: momentText(generatedAtMs),
    exports: exports.map(({ isExempt, ...one }) => ({ ...one, exempt: isExempt })),
    exemptions: exports.filter(({ isExempt }) => isExempt).map(({ isExempt: _, ...one }) => one),
    inventory: {
      changeCount: inventory.changeCount,
      changes: inventory.changes.map(({ atMs, ...change }) => ({ at: momentText(atMs), ...change })),
    },
    unlisted: unlisted.map(({ lastSeenMs, ...one }) => ({ ...one, lastSeenAt: momentText(lastSeenMs) })),
    late: { count: late.count, requests: late.requests.map(lateJson) },
    now: {
      ...counts,
      requests: requests.map(({ receivedAtMs, dueAtMs, ...one }) => ({
        ...one,
        receivedAt: momentText(receivedAtMs),
        dueAt: momentText(dueAtMs),
      })),
    },
  };
}

function lateJson({ receivedAtMs, dueAtMs, compliedAtMs, ...one }: LateRequest): object {
  const moments = { receivedAt: momentText(receivedAtMs), dueAt: momentText(dueAtMs) };
  return { ...one, ...moments, compliedAt: momentText(compliedAtMs) };
}

export function quarterMarkdown(report: QuarterReport): string {
  const { quarter, sinceMs, untilMs, generatedAtMs, outcomes, canaries, exports, inventory, unlisted, late, now } =
    report;
  const exempt = exports.filter(({ isExempt }) => isExempt);
  const channels = Object.entries(report.channels).filter(([, one]) => one.optOuts + one.optIns + one.imports > 0);
  const gap =
    canaries.longestGapMs === null ? '' : `; longest time without one: ${durationText(canaries.longestGapMs)}`;
  return [
    `# Opt-outs in ${quarter}`,
    `${dayText(sinceMs)} to ${dayText(untilMs - 1)}, as California counts days. Made at ${momentText(generatedAtMs)}.`,
    '## Requests by channel',
    table(
      ['channel', 'opt-outs', 'lists', 'identifiers', 'opt-ins'],
      channels.map(([name, one]) => [name, one.optOuts, one.imports, one.identifiers, one.optIns]),
    ),
    `In force everywhere: ${outcomes.complied}. Denied: ${outcomes.denied}. Not yet: ${outcomes.open}.`,
    '## Time to effect',
    table(
      ['', 'requests', 'median', '90 %', '99 %', 'longest'],
      [
        ['from recording to every enforcer', ...spreadCells(report.timeToEffect)],
        ['from receipt to every enforcer', ...spreadCells(report.timeSinceReceipt)],
      ],
    ),
    `Synthetic opt-outs (canaries): ${canaries.count}${gap}.`,
    '## Late',
    `Received in the quarter and late: ${late.count}. Now overdue: ${now.overdueCount}; nearly: ${now.nearlyOverdueCount}.`,
    table(
      ['request', 'channel', 'received', 'due', 'in force everywhere'],
      late.requests.map((one) => [
        ...[one.requestId, one.channel, momentText(one.receivedAtMs), momentText(one.dueAtMs)],
        momentText(one.compliedAtMs) ?? 'not yet',
      ]),
    ),
    '## Exports',
    table(
      ['destination', 'purpose', 'runs', 'rows', 'kept', 'blanked', 'dropped'],
      exports.map((one) => [
        ...[one.destination, one.purpose, one.runs, one.rowsIn, one.rowsKept, one.rowsBlanked, one.rowsDropped],
      ]),
    ),
    '## Exemptions used',
    table(
      ['destination', 'purpose', 'exemption', 'runs', 'rows kept'],
      exempt.map((one) => [one.destination, one.purpose, one.reason ?? '', one.runs, one.rowsKept]),
    ),
    '## Changes of the data inventory',
    `${inventory.changeCount} changes.`,
    table(['at', 'destination', 'change'], inventory.changes.map(changeCells)),
    '## Exported to, and not in the inventory',
    table(
      ['destination', 'exports', 'last'],
      unlisted.map((one) => [one.id, one.exportCount, momentText(one.lastSeenMs)]),
    ),
  ]
    .join('\n\n')
    .concat('\n');
}

type MarkdownCell = string | number | null;

function table(names: readonly string[], rows: readonly (readonly MarkdownCell[])[]): string {
  if (rows.length === 0) return 'None.';
  const line = (cells: readonly MarkdownCell[]) => `| ${cells.map(cellText).join(' | ')} |`;
  return [line(names), line(names.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Ids are whatever somebody wrote; in a table they are text and nothing else. */
function cellText(cell: MarkdownCell): string {
  if (typeof cell === 'number') return cell.toLocaleString('en-US');
  return (cell ?? '').replace(/[\\|`*_[\]<>&]/g, (mark) => `\\${mark}`).replace(/[\r\n]+/g, ' ');
}

function spreadCells({ count, p50Ms, p90Ms, p99Ms, maxMs }: SpreadSummary): readonly MarkdownCell[] {
  return [count, ...[p50Ms, p90Ms, p99Ms, maxMs].map((ms) => (ms === null ? '' : durationText(ms)))];
}

function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 7_200_000) return `${(ms / 60_000).toFixed(1)} min`;
  return ms < 172_800_000 ? `${(ms / 3_600_000).toFixed(1)} h` : `${(ms / 86_400_000).toFixed(1)} days`;
}

function dayText(ms: number): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: 'America/Los_Angeles' }).format(ms);
}

function changeCells({ atMs, id, before, after }: RecordedChange): readonly MarkdownCell[] {
  if (before === null) return [momentText(atMs), id, `added as ${after?.role ?? ''}`];
  if (after === null) return [momentText(atMs), id, 'removed'];
  const names = Object.keys({ ...before, ...after }) as (keyof Destination)[];
  const changed = names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  return [momentText(atMs), id, `changed: ${changed.join(', ')}`];
}
