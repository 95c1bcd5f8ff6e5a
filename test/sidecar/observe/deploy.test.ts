/**
 * The files for operators: they parse, and use only metrics, labels, paths and commands that exist.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { METRIC_ROWS } from '../../../src/sidecar/observe/metric-table.js';
import { SidecarMetrics } from '../../../src/sidecar/observe/metrics.js';
import { metricInputs } from './inputs.js';

const { registry } = new SidecarMetrics({ collect: () => metricInputs() });
/** Every series there is, with its labels; of those of the process only what every series has. */
const SERIES = new Map<string, ReadonlySet<string>>(
  METRIC_ROWS.flatMap(({ name, type, labels }) => {
    const own = new Set([...labels, 'instance', 'job']);
    if (type !== 'histogram') return [[name, own] as const];
    return [
      [`${name}_bucket`, new Set([...own, 'le'])],
      [`${name}_sum`, own],
      [`${name}_count`, own],
    ] as const;
  }),
);
for (const { name } of (registry as Registry).getMetricsAsArray())
  if (!name.startsWith('optgate_')) SERIES.set(name, new Set(['instance', 'job']));

/** What is wrong with an expression, as far as names go. */
function faults(expression: string): string[] {
  const found: string[] = [];
  const bare = expression.replaceAll(/"[^"]*"/g, '""');
  const count = (sign: string) => bare.split(sign).length;
  for (const [open, close] of ['()', '{}', '[]']) {
    if (count(open!) !== count(close!)) found.push(`${open} and ${close} do not match`);
  }
  const names = [...bare.matchAll(/\b((?:optgate|process|nodejs)_[a-z0-9_]+)(\{[^}]*\})?/g)];
  if (names.length === 0) found.push('no metric');
  const labels = new Set<string>(['instance', 'job']);
  for (const [, name = '', matchers = ''] of names) {
    const known = SERIES.get(name);
    if (known === undefined) found.push(`there is no ${name}`);
    for (const [, label = ''] of matchers.matchAll(/([a-z_]+)\s*[=!]/g)) {
      if (known?.has(label) !== true) found.push(`${name} has no ${label}`);
    }
    for (const label of known ?? []) labels.add(label);
  }
  for (const [, by = ''] of bare.matchAll(/\b(?:by|without|on|ignoring) \(([^)]*)\)/g)) {
    for (const label of by.split(',').map((text) => text.trim())) {
      if (!labels.has(label)) found.push(`nothing has ${label}`);
    }
  }
  return found;
}

test('the check of expressions finds what is wrong', () => {
  expect(faults('optgate_ready == 0')).toEqual([]);
  expect(faults('optgate_redy == 0')).toEqual(['there is no optgate_redy']);
  expect(faults('optgate_canary_seconds > 1')).toEqual(['there is no optgate_canary_seconds']);
  expect(faults('sum by (door) (rate(optgate_ready[5m])')).toEqual(['( and ) do not match', 'nothing has door']);
  expect(faults('optgate_ready{stat="live"} == 1')).toEqual(['optgate_ready has no stat']);
  expect(faults('up == 0')).toEqual(['no metric']);
});

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description?: string };
}

describe('prometheus/alerts.yaml', () => {
  const { groups } = parse(readFileSync('deploy/prometheus/alerts.yaml', 'utf8')) as { groups: { rules: Rule[] }[] };
  const rules = groups.flatMap((group) => group.rules);

  test.each(rules.map((rule) => [rule.alert, rule] as const))('%s', (_, rule) => {
    expect(faults(rule.expr)).toEqual([]);
    expect(['info', 'warning', 'critical']).toContain(rule.labels.severity);
    expect(rule.annotations.summary.length).toBeGreaterThan(10);
    expect(rule.for ?? '1m').toMatch(/^\d+[smh]$/);
    const { alert, expr, labels, annotations, for: _for, ...rest } = rule;
    expect(rest).toEqual({});
    const used = [...JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label ?? '');
    const metric = /optgate_[a-z_]+/.exec(expr)?.[0] ?? '';
    for (const label of used) expect(SERIES.get(metric)?.has(label), `${alert}: ${label}`).toBe(true);
    expect(labels).toEqual({ severity: rule.labels.severity });
  });

  test('there is an alert for everything that must not go unnoticed, each named once', () => {
    const names = rules.map(({ alert }) => alert);
    expect(new Set(names).size).toBe(names.length);
    for (const wanted of [
      'NotReady',
      'Stale',
      'Behind',
      'CanaryLate',
      'CanaryNotInForce',
      'Shedding',
      'PolicyReloadFailed',
    ]) {
      expect(names).toContain(`Optgate${wanted}`);
    }
    expect(names).toContain('OptgateDecisionLogDrops');
  });
});

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string }[];
}

describe('grafana/optgate.json', () => {
  const dashboard = JSON.parse(readFileSync('deploy/grafana/optgate.json', 'utf8')) as {
    readonly panels: readonly Panel[];
    readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
  };

  test.each(dashboard.panels.map((panel) => [panel.title, panel] as const))('%s', (_, panel) => {
    expect(panel.targets.length).toBeGreaterThan(0);
    for (const { expr } of panel.targets) {
      expect(faults(expr.replaceAll('$__rate_interval', '5m'))).toEqual([]);
      expect(expr).toContain('instance=~"$instance"');
    }
  });

  test('panels are numbered once, do not overlap, and fit on one screen', () => {
    const cells = new Set<string>();
    for (const { gridPos } of dashboard.panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells.has(`${x} ${y}`)).toBe(false);
          cells.add(`${x} ${y}`);
          expect(x).toBeLessThan(24);
          expect(y).toBeLessThan(24);
        }
      }
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual(['datasource', 'instance']);
    for (const { definition } of dashboard.templating.list) {
      if (definition !== undefined) expect(faults(definition)).toEqual([]);
    }
  });
});

describe('kubernetes/sidecar.yaml', () => {
  const documents = parseAllDocuments(readFileSync('deploy/kubernetes/sidecar.yaml', 'utf8'));
  // biome-ignore lint/suspicious/noExplicitAny: other people's schema
  const [config, secret, deployment] = documents.map((document) => document.toJS() as any);

  test('a native sidecar with probes, limits and no privileges, on a socket that both containers have', () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    const { spec } = deployment.spec.template;
    const [sidecar] = spec.initContainers;
    const [application] = spec.containers;
    expect(sidecar.restartPolicy).toBe('Always');
    expect(sidecar.livenessProbe.httpGet.path).toBe('/healthz');
    expect(sidecar.startupProbe.httpGet.path).toBe('/healthz');
    expect(sidecar.readinessProbe.httpGet.path).toBe('/readyz');
    expect(sidecar.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(spec.securityContext.runAsNonRoot).toBe(true);
    expect(sidecar.resources.limits.memory).toBeDefined();
    const volumes = spec.volumes.map(({ name }: { name: string }) => name);
    for (const container of [sidecar, application]) {
      for (const { name } of container.volumeMounts) expect(volumes).toContain(name);
      expect(container.volumeMounts).toContainEqual({ name: 'sockets', mountPath: '/run/optgate' });
    }
    expect(deployment.spec.selector.matchLabels).toEqual(deployment.spec.template.metadata.labels);
    for (const volume of spec.volumes) {
      if (volume.configMap !== undefined) expect(volume.configMap.name).toBe(config.metadata.name);
      if (volume.secret !== undefined) expect(volume.secret.secretName).toBe(secret.metadata.name);
    }
  });

  test('no token in it works as it stands: each must be replaced', () => {
    for (const text of Object.values(secret.stringData as Record<string, string>)) {
      for (const word of text.split(/\s+/)) expect(word.length).toBeLessThan(32);
      expect(text).toContain('CHANGE');
    }
    expect(JSON.parse(config.data['policy.json'])).toMatchObject({ version: expect.any(String) });
  });
});

test('the container runs as nobody, looks after its health with the command, and has all drivers', () => {
  const text = readFileSync('deploy/Dockerfile', 'utf8');
  expect(text).toMatch(/^USER 10001:10001$/m);
  expect(text).toMatch(/^HEALTHCHECK .*CMD \["optgate", "health"\]$/m);
  expect(text.match(/^FROM /gm)).toHaveLength(2);
  const { peerDependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  for (const name of Object.keys(peerDependencies)) expect(devDependencies[name]).toMatch(/^\d+\.\d+\.\d+$/);
});

const hasSystemd = spawnSync('systemd-analyze', ['security', '--help']).status === 0;
test.skipIf(!hasSystemd)('systemd finds nothing to complain of in the unit, and little that it may do', () => {
  const verified = spawnSync('systemd-analyze', ['verify', 'deploy/optgate.service'], { encoding: 'utf8' });
  const complaints = verified.stderr.split('\n').filter((line) => line !== '' && !/is not executable/.test(line));
  expect(complaints).toEqual([]);
  const judged = spawnSync('systemd-analyze', ['security', '--offline=yes', '--no-pager', 'deploy/optgate.service'], {
    encoding: 'utf8',
  });
  const [, exposure] = /exposure level for optgate\.service: ([\d.]+)/.exec(judged.stdout) ?? [];
  expect(Number(exposure)).toBeLessThanOrEqual(2);
});
