import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CanaryWatch } from '../../../src/sidecar/observe/canary-watch.js';
import { DecisionLog } from '../../../src/sidecar/observe/decision-log.js';
import { DoorRecorder } from '../../../src/sidecar/observe/door-recorder.js';
import type { MetricInputs } from '../../../src/sidecar/observe/metric-row.js';
import { METRIC_ROWS } from '../../../src/sidecar/observe/metric-table.js';
import { SidecarMetrics } from '../../../src/sidecar/observe/metrics.js';
import { mergeThreadStates } from '../../../src/sidecar/observe/thread-state.js';
import { type FollowerEvents, Histogram } from '../../../src/sync/index.js';
import { followerStatus, metricInputs } from './inputs.js';
import { traffic, trafficGate } from './traffic.js';

/** A sidecar of which everything has something to say. */
function busyInputs(): MetricInputs {
  const recorder = new DoorRecorder();
  for (const { decision, destination } of traffic(trafficGate())) {
    recorder.decided('http', 'check', decision, destination);
    recorder.answered('http', 'check', 0.25);
  }
  recorder.answered('http', 'check', 2000);
  recorder.refused('http', 'busy.shedding');
  recorder.refused('socket', 'frame.too_large');
  const canaries = new Histogram();
  canaries.record(12);
  canaries.record(1_000_000);
  const log = new DecisionLog();
  const decisionLog = { ...log.state(), queueFullCount: 3, overwrittenCount: 4, unflushedCount: 5 };
  const spool = { segmentCount: 2, bytes: 3000, removedCount: 6, failureCount: 1 };
  return metricInputs({
    threads: {
      ...mergeThreadStates([]),
      doors: recorder.snapshot(),
      eventLoop: { delayP50Ms: 1, delayP99Ms: 20, delayMaxMs: 300, utilization: 0.25 },
      shedding: { isShedding: true, onsetCount: 2 },
      memo: { hits: 10, misses: 3, entryCount: 3 },
      logDroppedCount: 7,
    },
    follower: followerStatus({
      state: 'soft_stale',
      failureCounts: { 'sync.deadline': 2 },
      refusedCounts: { 'sync.shrunk': 1 },
      lastError: { code: 'sync.deadline', atMs: 1, consecutiveCount: 2 },
      canaryLatency: canaries.state(),
    }),
    canary: { ageMs: 2500, notInForceCount: 1 },
    decisionLog: { ...decisionLog, spool },
    isReady: true,
    horizonLagMs: 750,
    trail: { checkpointCount: 3, signedN: 99, isRefused: true },
    pages: [{ site: 'choices', page: 'opt-in', status: '4xx', count: 6 }],
    webhooks: [
      {
        ...{ id: 'crm', isEnabled: true, behindCount: 3, behindMs: 4500, deadCount: 1 },
        ...{ deliveredCount: 8, failedCount: 2 },
      },
    ],
  });
}

/** Lines of the text format, by name and labels. */
async function scrape(inputs: MetricInputs, withProcess = false) {
  const text = await new SidecarMetrics({ collect: () => inputs, withProcess }).text();
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const match = /^([a-z_]+(?:\{[^}]*\})?) (\S+)$/.exec(line);
    expect(match, line).not.toBeNull();
    const key = match![1]!;
    expect(samples.has(key), key).toBe(false);
    samples.set(key, match![2] === '+Inf' ? Number.POSITIVE_INFINITY : Number(match![2]));
  }
  return { text, samples };
}

test('every value comes from the state it is named after', async () => {
  const inputs = busyInputs();
  const { samples } = await scrape(inputs);
  const { decisions, reasons } = inputs.threads.doors;
  const total = decisions.reduce((sum, { count }) => sum + count, 0);
  const actions = ['allow', 'restrict', 'block'].map((action) =>
    samples.get(`optgate_decisions_total{action="${action}",door="http"}`),
  );
  expect(actions.reduce<number>((sum, value) => sum + (value ?? Number.NaN), 0)).toBe(total);
  expect(samples.get('optgate_decisions_total{action="allow",door="socket"}')).toBe(0);
  for (const [reason, count] of Object.entries(reasons)) {
    expect(samples.get(`optgate_decision_reasons_total{reason="${reason}"}`)).toBe(count);
  }
  const latency = 'door="http",operation="check"';
  expect(samples.get(`optgate_request_duration_seconds_bucket{${latency},le="0.0002"}`)).toBe(0);
  expect(samples.get(`optgate_request_duration_seconds_bucket{${latency},le="0.0005"}`)).toBe(total);
  expect(samples.get(`optgate_request_duration_seconds_bucket{${latency},le="1"}`)).toBe(total);
  expect(samples.get(`optgate_request_duration_seconds_bucket{${latency},le="+Inf"}`)).toBe(total + 1);
  expect(samples.get(`optgate_request_duration_seconds_count{${latency}}`)).toBe(total + 1);
  expect(samples.get(`optgate_request_duration_seconds_sum{${latency}}`)).toBeCloseTo(total * 0.00025 + 2, 6);
  expect(samples.get('optgate_canary_seconds_bucket{le="0.015"}')).toBe(1);
  expect(samples.get('optgate_canary_seconds_bucket{le="+Inf"}')).toBe(2);
  expect(samples.get('optgate_canary_seconds_sum')).toBeCloseTo(1000.012, 6);
  const expected: Record<string, number> = {
    'optgate_requests_refused_total{code="busy.shedding",door="http"}': 1,
    'optgate_requests_refused_total{code="frame.too_large",door="socket"}': 1,
    optgate_table_entries: 1000,
    optgate_table_bytes: 65_536,
    optgate_table_seq: 41,
    optgate_table_freshness_seconds: 1.5,
    'optgate_sync_state{state="soft_stale"}': 1,
    'optgate_sync_state{state="live"}': 0,
    optgate_sync_head_seq: 43,
    optgate_sync_applied_seq: 41,
    optgate_sync_seq_lag: 2,
    'optgate_sync_failures_total{code="sync.deadline"}': 2,
    'optgate_sync_refused_total{code="sync.shrunk"}': 1,
    optgate_sync_consecutive_failures: 2,
    optgate_canary_age_seconds: 2.5,
    optgate_canary_not_in_force_total: 1,
    optgate_ledger_horizon_lag_seconds: 0.75,
    optgate_memo_hits_total: 10,
    optgate_memo_misses_total: 3,
    'optgate_eventloop_delay_seconds{stat="p99"}': 0.02,
    'optgate_eventloop_delay_seconds{stat="max"}': 0.3,
    optgate_eventloop_utilization: 0.25,
    optgate_shedding: 1,
    optgate_shed_total: 1,
    optgate_shed_onsets_total: 2,
    'optgate_decision_log_dropped_total{reason="hand_over"}': 7,
    'optgate_decision_log_dropped_total{reason="queue_full"}': 3,
    'optgate_decision_log_dropped_total{reason="unflushed"}': 5,
    'optgate_decision_log_dropped_total{reason="expired"}': 6,
    'optgate_decision_log_dropped_total{reason="overwritten"}': 4,
    optgate_decision_log_spool_bytes: 3000,
    'optgate_policy_info{version="default-1"}': 1,
    optgate_ready: 1,
    optgate_draining: 0,
    'optgate_build_info{version="0.1.0"}': 1,
  };
  expect(Object.fromEntries(Object.keys(expected).map((key) => [key, samples.get(key)]))).toEqual(expected);
  expect(samples.get('optgate_audit_checkpoints_total')).toBe(3);
  expect(samples.get('optgate_audit_signed_entry')).toBe(99);
  expect(samples.get('optgate_audit_checkpoint_refused')).toBe(1);
  expect(samples.get('optgate_page_requests_total{page="opt-in",site="choices",status="4xx"}')).toBe(6);
});

test('what is not known is absent, never 0', async () => {
  const { samples } = await scrape(
    metricInputs({
      follower: followerStatus({ state: 'empty', position: null, headSeq: null, seqLag: null, freshnessMs: null }),
      canary: { ageMs: null, notInForceCount: 0 },
    }),
  );
  for (const name of [
    'optgate_table_seq',
    'optgate_table_freshness_seconds',
    'optgate_sync_head_seq',
    'optgate_sync_applied_seq',
    'optgate_sync_seq_lag',
    'optgate_canary_age_seconds',
    'optgate_ledger_horizon_lag_seconds',
    'optgate_decision_log_queued',
  ]) {
    expect([name, samples.get(name)]).toEqual([name, undefined]);
  }
  expect(samples.get('optgate_ready')).toBe(0);
  expect(samples.get('optgate_sync_state{state="empty"}')).toBe(1);
});

/** The labels there are, and the values they may have; nothing else may ever be a label. */
const LABEL_VALUES: Readonly<Record<string, RegExp>> = {
  action: /^(?:allow|restrict|block)$/,
  door: /^(?:http|socket)$/,
  operation: /^(?:check|filter|lookup)$/,
  reason: /^[a-z0-9_]+(?:\.[a-z0-9_]+){0,3}$/,
  code: /^(?:other|internal|[a-z][a-z0-9_]*(?:\.[a-z0-9_]+){1,3})$/,
  state: /^(?:empty|last_good|live|soft_stale|hard_stale)$/,
  stat: /^(?:p50|p99|max)$/,
  webhook: /^crm$/,
  site: /^(?:choices|console)$/,
  page: /^[a-z]+(?:-[a-z]+)*$/,
  status: /^[2-5]xx$/,
  version: /^(?:default-1|0\.1\.0)$/,
  le: /^(?:\+Inf|[0-9.e-]+)$/,
};

test('labels are those of the table, with values that are known beforehand', async () => {
  const { text, samples } = await scrape(busyInputs());
  const declared = new Map(METRIC_ROWS.map(({ name, labels, type }) => [name, { labels, type }]));
  for (const key of samples.keys()) {
    const [, sampleName = '', labelText = ''] = /^([a-z_]+)(?:\{(.*)\})?$/.exec(key) ?? [];
    const name = declared.has(sampleName) ? sampleName : sampleName.replace(/_(?:bucket|sum|count)$/, '');
    const row = declared.get(name);
    expect(row, key).toBeDefined();
    const labels = [...labelText.matchAll(/([a-z]+)="([^"]*)"/g)];
    const allowed = [...row!.labels, ...(sampleName.endsWith('_bucket') ? ['le'] : [])];
    expect(labels.map(([, label]) => label).sort(), key).toEqual([...allowed].sort());
    for (const [, label = '', value = ''] of labels) expect(value, key).toMatch(LABEL_VALUES[label] ?? /^\b$/);
  }
  for (const { name, type, labels } of METRIC_ROWS) {
    expect(text, name).toContain(`# TYPE ${name} ${type}\n`);
    for (const label of labels) expect(Object.keys(LABEL_VALUES)).toContain(label);
    if (type === 'counter') expect(name).toMatch(/_total$/);
  }
});

test('docs/metrics.md lists every metric with its type, unit, labels and meaning, and no other', () => {
  const documented = [...readFileSync('docs/metrics.md', 'utf8').matchAll(/^\| `(optgate_\w+)` .*$/gm)].map(([line]) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  const expected = METRIC_ROWS.map(({ name, type, unit, labels, help }) => [
    `\`${name}\``,
    type,
    unit,
    labels.map((label) => `\`${label}\``).join(', '),
    help,
  ]);
  expect(documented).toEqual(expected);
});

test('all values of one scrape are of one moment, and scrapes at the same time do not mix', async () => {
  let turn = 0;
  const metrics = new SidecarMetrics({
    collect: async () => {
      const entryCount = ++turn;
      await new Promise((resolve) => setTimeout(resolve, 5));
      return metricInputs({ follower: followerStatus({ entryCount, bytes: entryCount }) });
    },
    withProcess: false,
  });
  const texts = await Promise.all([metrics.text(), metrics.text(), metrics.text()]);
  for (const text of texts) {
    const [, entries] = /^optgate_table_entries (\d+)$/m.exec(text) ?? [];
    const [, bytes] = /^optgate_table_bytes (\d+)$/m.exec(text) ?? [];
    expect(entries).toBe(bytes);
  }
});

test('the metrics of the process come with them, and a failure to collect fails the scrape alone', async () => {
  const { samples } = await scrape(metricInputs());
  expect([...samples.keys()].some((key) => key.startsWith('process_'))).toBe(false);
  let isBroken = true;
  const metrics = new SidecarMetrics({
    collect: () => {
      if (isBroken) throw new Error('a worker did not answer');
      return metricInputs();
    },
  });
  await expect(metrics.text()).rejects.toThrow('a worker did not answer');
  isBroken = false;
  expect(await metrics.text()).toMatch(/^process_resident_memory_bytes \d+$/m);
});

test('a canary is remembered by when it came, and counted if it is not in force', () => {
  let nowMs = 1000;
  const listeners: ((event: FollowerEvents['canary']) => void)[] = [];
  const on = ((_: string, listener: (event: FollowerEvents['canary']) => void) => {
    listeners.push(listener);
    return () => listeners.splice(0);
  }) as ConstructorParameters<typeof CanaryWatch>[0]['on'];
  const watch = new CanaryWatch({ on }, () => nowMs);
  expect(watch.state()).toEqual({ ageMs: null, notInForceCount: 0 });
  listeners[0]?.({ seq: 1, latencyMs: 5, isInForce: true });
  nowMs += 400;
  listeners[0]?.({ seq: 2, latencyMs: 5, isInForce: false });
  nowMs += 30;
  expect(watch.state()).toEqual({ ageMs: 30, notInForceCount: 1 });
  watch.close();
  expect(listeners).toEqual([]);
});
