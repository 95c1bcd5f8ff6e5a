/**
 * The sidecar: opens where the table comes from, follows it, decides over HTTP and sockets, and serves its control plane.
 *
 * Only puts together what stands in the other files of this folder. It listens as soon as it can, fresh or not: until there
 * is a table it answers as the policy's `onStale` says, and is not ready.
 * @module
 */
import { join } from 'node:path';
import type { Policy } from '../core/policy/policy.js';
import { LiveTable } from '../live-table.js';
import { packageVersion } from '../version.js';
import type { SidecarConfig } from './config-settings.js';
import { addressText } from './config-values.js';
import { Console } from './console/index.js';
import { Control } from './control.js';
import { type ControlEvent, TokenSet } from './control-plane/index.js';
import { horizonLagMs } from './horizon-lag.js';
import { FailureJournal, journalLedger, journalOpenControl, journalTable } from './journal.js';
import {
  CanaryWatch,
  createOperatorHandler,
  type DecisionLog,
  EventLog,
  Health,
  type MetricInputs,
  mergeThreadStates,
  PageCounts,
  Setting,
  SidecarMetrics,
  TrailWatch,
} from './observe/index.js';
import { openDecisionLog } from './open-decision-log.js';
import { PolicyDesk } from './policy-desk.js';
import { createProbe } from './probe.js';
import { consoleProcess, threadsShown } from './process-state.js';
import { type Serving, serveHere } from './serving.js';
import { TrailRecorder } from './trail-recorder.js';
import { isEmbedded, openUpstream, type Upstream } from './upstream.js';
import { WebhookDesk } from './webhook-desk.js';
import { serveOnWorkers } from './workers.js';

/** How long a scrape waits for the ledger. */
const LEDGER_STATUS_MS = 500;
/** How often the ledger is asked for destinations that another process has changed. */
const INVENTORY_EVERY_MS = 10_000;

export interface SidecarIo {
  /** Default: JSON lines on standard error. */
  readonly log?: EventLog;
}

export interface SidecarAddresses {
  readonly data: readonly string[];
  readonly control: readonly string[];
  readonly socket: readonly string[];
  /** Of the public pages, where they have addresses of their own. */
  readonly public: readonly string[];
}

export interface ReloadResult {
  /** `refused`: what was in use stays in use; the log says why. `none`: there is no file. */
  readonly policy: 'loaded' | 'refused' | 'none';
  readonly tokens: 'loaded' | 'refused' | 'none';
}

/** A sidecar that runs. */
export interface Sidecar {
  /** Where it listens, with the ports the system chose. */
  readonly addresses: SidecarAddresses;
  /** Resolves with the reason if it cannot go on; it should be closed then. */
  readonly failed: Promise<Error>;
  /** What `GET /v1/status` answers. */
  status(): object;
  /** Reads policy and tokens again; each is put into use whole, or not at all. Never throws. */
  reload(): Promise<ReloadResult>;
  /** Turns not ready, finishes what is under way, flushes, and lets go of everything. Never throws. */
  close(): Promise<void>;
}

/**
 * Starts a sidecar. Resolves when it listens, not when its table is fresh.
 *
 * @throws {ListenError} where an address is taken; {PolicyFileError}, {TokenError} for files that cannot be used; {GateError}
 * `ledger.locked`, `sync.store` and whatever else waiting cannot mend.
 * @example
 * const sidecar = await startSidecar(resolveConfig({ settings: { ledger: './.optgate' } }).config);
 * process.once('SIGTERM', () => sidecar.close());
 */
export async function startSidecar(config: SidecarConfig, { log }: SidecarIo = {}): Promise<Sidecar> {
  const sidecar = new RunningSidecar(config, log ?? new EventLog({ level: config['log.level'] }));
  try {
    await sidecar.start();
    return sidecar;
  } catch (error) {
    await sidecar.close();
    throw error;
  }
}

class RunningSidecar implements Sidecar {
  readonly failed: Promise<Error>;
  readonly policies: PolicyDesk;
  private readonly tokens: TokenSet;
  readonly health = new Health({ follower: () => this.live?.status() ?? null });
  private readonly metrics = new SidecarMetrics({ collect: () => this.metricInputs() });
  private readonly failures: FailureJournal;
  private readonly webhooks: WebhookDesk;
  private readonly trail: TrailWatch;
  private readonly recorder: TrailRecorder;
  private readonly pageCounts = new PageCounts();
  readonly startedAtMs = Date.now();
  private fail: (error: Error) => void = () => {};
  private decisions: DecisionLog | null = null;
  private upstream: Upstream | null = null;
  live: LiveTable | null = null;
  canaries: CanaryWatch | null = null;
  serving: Serving | null = null;
  private control: Control | null = null;
  private reloading: Promise<unknown> = Promise.resolve();
  private closing: Promise<void> | null = null;
  private inventoryTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly config: SidecarConfig,
    private readonly log: EventLog,
  ) {
    this.failed = new Promise((resolve) => {
      this.fail = (error) => {
        if (this.closing !== null) return;
        this.log.failure('sidecar.failed', error);
        resolve(error);
      };
    });
    this.failures = new FailureJournal(log);
    this.webhooks = new WebhookDesk(config, log, (error) => this.failures.note('ledger', error));
    this.trail = new TrailWatch(log);
    this.recorder = new TrailRecorder({
      ledger: () => this.upstream?.ledger() ?? null,
      hasLedger: config.ledger !== null,
      onUnrecorded: (error) => log.failure('audit.unrecorded', error),
    });
    this.policies = new PolicyDesk(config.policy);
    const [file, text] = [config['control.tokenFile'] ?? undefined, config['control.tokens'] ?? undefined];
    this.tokens = new TokenSet({ file, text, textName: 'control.tokens' });
  }

  async start(): Promise<void> {
    const { config, log } = this;
    log.event('sidecar.starting', { version: new Setting(packageVersion()), workers: config.workers });
    this.decisions = await openDecisionLog(config, log);
    this.upstream = await openUpstream(withFolder(config), {
      onFailure: (where, error) => this.failures.note(where, error),
      onLedger: (ledger) => {
        journalLedger(ledger, log);
        this.trail.watch(ledger);
        this.control?.ledgerOpened();
        this.takeInventory();
        this.webhooks.begin(ledger);
      },
    });
    const live = this.follow(this.upstream);
    this.control = this.createControl(this.upstream);
    await this.control.listen();
    this.serving = await this.serve(live);
    this.takeInventory();
    this.inventoryTimer = setInterval(() => this.takeInventory(), INVENTORY_EVERY_MS).unref();
    for (const address of Object.values(this.addresses).flat()) {
      log.event('sidecar.listening', { address: new Setting(address) });
    }
    if (this.tokens.isEmpty) journalOpenControl(config, log);
    await this.upstream.opened;
  }

  get addresses(): SidecarAddresses {
    const { data = [], socket = [] } = this.serving?.sockets ?? {};
    const textOf = (list: readonly { readonly address: Parameters<typeof addressText>[0] }[]) =>
      list.map(({ address }) => addressText(address));
    const { control } = this;
    return {
      data: textOf(data),
      control: textOf(control?.listening ?? []),
      socket: textOf(socket),
      public: textOf(control?.publicListening ?? []),
    };
  }

  status(): object {
    const follower = this.live?.status() ?? null;
    return {
      version: packageVersion(),
      startedAt: new Date(this.startedAtMs).toISOString(),
      readiness: this.health.readiness(),
      workers: this.config.workers,
      listening: this.addresses,
      policy: this.policies.state,
      table: follower,
      ledger: this.config.ledger === null ? 'none' : this.upstream?.ledger() == null ? 'unavailable' : 'open',
      decisionLog: this.decisions?.state() ?? null,
      canary: this.canaries?.state() ?? null,
      webhooks: this.webhooks.state,
      threads: threadsShown(this.serving),
    };
  }

  reload(): Promise<ReloadResult> {
    const reloading = this.reloading.then(() => this.reloadNow());
    this.reloading = reloading;
    return reloading;
  }

  close(): Promise<void> {
    this.closing ??= this.closeAll();
    return this.closing;
  }

  private follow({ source, verifier }: Upstream): LiveTable {
    const { config, log } = this;
    const { folder } = withFolder(config);
    const live = new LiveTable({
      source,
      policy: this.policies.policy,
      enforcer: {
        role: 'sidecar',
        version: packageVersion(),
        ...(config.name === null ? {} : { name: config.name }),
      },
      maxShrink: config['source.maxShrink'],
      entryCountMin: config['source.entryCountMin'],
      softStaleAfterMs: config['source.softStaleAfter'],
      ...(folder === null ? {} : { folder: join(folder, 'table') }),
      ...(verifier === undefined ? {} : { verifier }),
    });
    this.live = live;
    this.canaries = new CanaryWatch(live);
    journalTable(live, log);
    live.start().catch((error) => this.fail(error as Error));
    return live;
  }

  private serve(live: LiveTable): Promise<Serving> {
    const { config, log } = this;
    const options = {
      config,
      live,
      policy: this.policies.policy,
      probe: createProbe(this.health),
      append: (batch: Parameters<DecisionLog['append']>[0]) => this.decisions?.append(batch),
      onFault: (error: unknown) => log.failure('door.failed', error),
      onFailure: (error: Error) => this.fail(error),
    };
    return config.workers === 1 ? serveHere(options) : serveOnWorkers(options);
  }

  private createControl({ ledger, relay }: Upstream): Control {
    const { config, tokens, health, metrics, log } = this;
    const onFailure = (error: unknown) => log.failure('metrics.failed', error);
    return new Control({
      config,
      tokens,
      ledger,
      relay,
      exports: () => (this.live === null ? null : { holder: this.live.holder, policy: () => this.policies.policy }),
      operator: createOperatorHandler({ health, metrics, onFailure }),
      status: () => this.status(),
      console: new Console({
        tokens,
        ledger,
        hasLedger: config.ledger !== null,
        process: () => consoleProcess(this.config, this),
        policy: () => this.policies.policy,
        doors: () => this.serving?.state().doors ?? null,
        onUnrecorded: (error) => log.failure('audit.unrecorded', error),
        onRequest: (page, response) => this.pageCounts.note('console', page, response),
      }),
      unknownDestinations: () => this.serving?.state().doors.unknownDestinations ?? [],
      onEvent: (event) => this.noteControl(event),
      onPageRequest: (page, response) => this.pageCounts.note('choices', page, response),
      onPageFailure: (error) => log.failure('pages.failed', error),
      onSignalsDropped: (count) => log.event('pages.signals_dropped', { count }),
      onUntrustedProxy: () => log.event('pages.untrusted_proxy'),
    });
  }

  private noteControl(event: ControlEvent): void {
    if (event.kind === 'destinations_changed') this.takeInventory();
    if (event.kind === 'failed')
      this.log.event('control.failed', { detail: new Setting(`${event.error} ${event.frames}`) });
    if (event.kind !== 'answered' || (event.status !== 401 && event.status !== 403)) return;
    const code = event.status === 401 ? 'unauthorized' : 'forbidden';
    this.log.event('control.refused', { code, status: event.status });
  }

  private async metricInputs(): Promise<MetricInputs> {
    const { serving, live, canaries, decisions, health } = this;
    return {
      threads: serving?.state() ?? mergeThreadStates([]),
      follower: live?.status() ?? null,
      canary: canaries?.state() ?? null,
      decisionLog: decisions?.state() ?? null,
      policy: this.policies.state,
      isReady: health.readiness().kind === 'ready',
      isDraining: health.isDraining,
      version: packageVersion(),
      horizonLagMs: await horizonLagMs(this.upstream?.ledger() ?? null, LEDGER_STATUS_MS),
      webhooks: await this.webhooks.metrics(LEDGER_STATUS_MS),
      pages: this.pageCounts.all,
      trail: this.config['relay.signKeyFile'] === null || this.config.ledger === null ? null : this.trail.state,
    };
  }

  private async reloadNow(): Promise<ReloadResult> {
    const none = { policy: 'none', tokens: 'none' } as const;
    const { config, log, policies, serving, tokens } = this;
    if (this.closing !== null || serving === null) return none;
    const readPolicy = async () => {
      await policies.reload((policy: Policy) => serving.usePolicy(policy));
      const { version } = policies.policy;
      log.event('policy.loaded', { policyVersion: new Setting(version) });
      return { version };
    };
    const readTokens = async () => {
      tokens.reload();
      log.event('tokens.loaded', { count: tokens.tokenCount });
      return { tokenCount: tokens.tokenCount };
    };
    return {
      policy: config.policy === null ? 'none' : await this.reloadPart('policy', readPolicy),
      tokens: tokens.isEmpty ? 'none' : await this.reloadPart('tokens', readTokens),
    };
  }

  /** @param read Puts it into use, and gives what the audit trail says of it. */
  private async reloadPart(part: 'policy' | 'tokens', read: () => Promise<object>): Promise<'loaded' | 'refused'> {
    try {
      const body = await read();
      await this.recorder.record({ kind: `${part}.reloaded`, subject: null, body });
      return 'loaded';
    } catch (error) {
      this.log.failure(`${part}.refused`, error, { detail: new Setting((error as Error).message) });
      await this.recorder.record({ kind: `${part}.refused`, subject: null, body: {} });
      return 'refused';
    }
  }

  /** Puts the ledger's destinations into the policy. Never throws: what cannot be read now is read the next time. */
  private takeInventory(): void {
    const { log, policies } = this;
    this.reloading = this.reloading.then(async () => {
      const { serving } = this;
      const ledger = this.upstream?.ledger() ?? null;
      if (serving === null || ledger === null || this.closing !== null) return;
      try {
        const isOther = await policies.useInventory(await ledger.destinations(), (policy) => serving.usePolicy(policy));
        if (isOther) log.event('policy.loaded', { policyVersion: new Setting(policies.policy.version) });
      } catch (error) {
        if (this.closing === null) this.failures.note('ledger', error as Error);
      }
    });
  }

  private async closeAll(): Promise<void> {
    clearInterval(this.inventoryTimer);
    const { config, log, serving } = this;
    const startMs = performance.now();
    const leftMs = () =>
      Math.max(0, config['shutdown.deadline'] - config['shutdown.flushDeadline'] - (performance.now() - startMs));
    if (serving !== null) {
      log.event('sidecar.draining');
      this.health.drain();
      serving.announceEnd();
      await new Promise((resolve) => setTimeout(resolve, config['shutdown.drainDelay']));
      await serving.drain(leftMs());
    }
    // before the control plane, whose slowest client must not cost what was decided
    const isFlushed = (await this.decisions?.flush(config['shutdown.flushDeadline'])) ?? true;
    if (!isFlushed) log.event('decision_log.unflushed', { count: this.decisions?.state().unflushedCount ?? 0 });
    const delivered = this.webhooks.close(leftMs());
    await this.control?.close(leftMs());
    await delivered;
    this.canaries?.close();
    await this.upstream?.opened.catch(() => {});
    if (this.live === null) await this.upstream?.source.close();
    await this.live?.close();
    await this.upstream?.close();
    if (serving !== null) log.event('sidecar.ended', { durationMs: Math.round(performance.now() - startMs) });
  }
}

/** Beside an embedded ledger there is a place for the last good state already. */
function withFolder(config: SidecarConfig): SidecarConfig {
  if (config.folder !== null || config.ledger === null || !isEmbedded(config.ledger)) return config;
  return { ...config, folder: join(config.ledger, 'sidecar') };
}
