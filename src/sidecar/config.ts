/**
 * The configuration in force: defaults, then the file, then the environment, then flags; the later one wins, and each value
 * remembers where it came from.
 *
 * What nobody knows is refused, in the file and in the environment: a misspelt setting is never a default that looks like
 * what was meant. Everything that is wrong is told at once.
 * @module
 */
import type { z } from 'zod';
import { readConfigFile } from './config-file.js';
import { ConfigError, type ConfigIssue } from './config-issue.js';
import { SETTING_NAMES, type SettingName, type SidecarConfig, settingOf, variableOf } from './config-settings.js';
import { isLocal } from './config-values.js';

export { ConfigError, type ConfigIssue } from './config-issue.js';
export { SETTING_NAMES, type SettingName, type SidecarConfig, settingOf, variableOf } from './config-settings.js';

/** Where the configuration file is, besides `--config`. */
export const FILE_VARIABLE = 'OPTGATE_CONFIG';
export const LEDGER_AT_DEFAULT = './.optgate';
/** Kubernetes puts the address of each Service into the environment; one may be called optgate. */
const SERVICE_VARIABLE =
  /^OPTGATE_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/;
const TEST_VARIABLE = /^OPTGATE_(?:TEST_\w+|FAULT|REQUIRE_SERVICES)$/;

export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly path: string; readonly line: number }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'flag'; readonly name: string };

export interface ConfigSources {
  /** Path of the file, where `--config` names one. */
  readonly file?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** By setting: what the command line says, and by which flag. */
  readonly flags?: ReadonlyMap<SettingName, { readonly value: unknown; readonly flag: string }>;
  /** What a program that starts the sidecar says itself; it stands above everything else. */
  readonly settings?: Readonly<Partial<Record<SettingName, unknown>>>;
}

export interface ResolvedConfig {
  readonly config: SidecarConfig;
  readonly origins: Readonly<Record<SettingName, Origin>>;
  /** The file that was read. */
  readonly file: string | null;
}

interface Given {
  readonly value: unknown;
  readonly origin: Origin;
}

/** Least to most; of ledger and source the one that stands higher is meant. */
const RANK = { default: 0, file: 1, variable: 2, flag: 3 } as const;

/**
 * @throws {ConfigError} with everything that is wrong.
 * @example const { config } = resolveConfig({ env: process.env, settings: { from: 'https://optgate.internal' } });
 */
export function resolveConfig({ file, env = {}, flags = new Map(), settings = {} }: ConfigSources): ResolvedConfig {
  const issues: ConfigIssue[] = [];
  const given = new Map<SettingName, Given>();
  const path = file ?? (env[FILE_VARIABLE] === '' ? undefined : env[FILE_VARIABLE]) ?? null;
  if (path !== null) takeFile(path, env, given, issues);
  takeVariables(env, given, issues);
  for (const [name, { value, flag }] of flags) given.set(name, { value, origin: { kind: 'flag', name: flag } });
  for (const [name, value] of Object.entries(settings)) {
    given.set(name as SettingName, { value, origin: { kind: 'flag', name } });
  }
  chooseSource(given, issues);

  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const name of SETTING_NAMES) {
    const setting = settingOf(name);
    const found = given.get(name);
    origins[name] = found?.origin ?? { kind: 'default' };
    values[name] = found === undefined ? setting.fallback : checked(name, found, issues);
  }
  if (issues.length === 0) {
    if (values.ledger === null && values.from === null) values.ledger = LEDGER_AT_DEFAULT;
    issues.push(...contradictions(values as SidecarConfig, origins));
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return { config: Object.freeze(values) as SidecarConfig, origins: origins as ResolvedConfig['origins'], file: path };
}

/** Where a value came from, in a few words. */
export function originText(origin: Origin): string {
  switch (origin.kind) {
    case 'default':
      return 'default';
    case 'file':
      return `${origin.path}:${origin.line}`;
    case 'variable':
    case 'flag':
      return origin.name;
    default:
      return origin satisfies never;
  }
}

function takeFile(
  path: string,
  env: NonNullable<ConfigSources['env']>,
  given: Map<SettingName, Given>,
  issues: ConfigIssue[],
): void {
  const isSetting = (name: string) =>
    name.endsWith('.') ? SETTING_NAMES.some((known) => known.startsWith(name)) : Object.hasOwn(NAMES, name);
  const { values, issues: found } = readConfigFile(path, env, isSetting);
  for (const issue of found) issues.push({ ...issue, path: issue.path === '' ? path : issue.path });
  for (const [name, { value, line }] of values) {
    given.set(name as SettingName, { value, origin: { kind: 'file', path, line } });
  }
}

const NAMES = Object.fromEntries(SETTING_NAMES.map((name) => [name, true]));
const VARIABLES = new Map(SETTING_NAMES.map((name) => [variableOf(name), name]));

/** An empty variable is one that is not set: that is how many programs take one back. */
function takeVariables(
  env: NonNullable<ConfigSources['env']>,
  given: Map<SettingName, Given>,
  issues: ConfigIssue[],
): void {
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith('OPTGATE_') || variable === FILE_VARIABLE) continue;
    const name = VARIABLES.get(variable);
    if (name === undefined) {
      if (SERVICE_VARIABLE.test(variable) || TEST_VARIABLE.test(variable)) continue;
      issues.push({ path: shownVariable(variable), line: null, message: 'there is no such setting' });
    } else if (value !== undefined && value !== '') {
      given.set(name, { value, origin: { kind: 'variable', name: variable } });
    }
  }
}

function shownVariable(variable: string): string {
  return /^\w{1,60}$/.test(variable) ? variable : `a variable of ${variable.length} characters`;
}

/** A ledger of one's own, or a source to follow: whichever was said in the stronger place. */
function chooseSource(given: Map<SettingName, Given>, issues: ConfigIssue[]): void {
  const ledger = given.get('ledger');
  const from = given.get('from');
  if (ledger === undefined || from === undefined) return;
  const difference = RANK[ledger.origin.kind] - RANK[from.origin.kind];
  if (difference === 0) issues.push({ path: 'from', line: null, message: 'expected a ledger or a source, not both' });
  else given.delete(difference > 0 ? 'from' : 'ledger');
}

function checked(name: SettingName, { value, origin }: Given, issues: ConfigIssue[]): unknown {
  const result = settingOf(name).schema.safeParse(value);
  if (result.success) return result.data;
  const path = origin.kind === 'file' ? name : originText(origin);
  const line = origin.kind === 'file' ? origin.line : null;
  const { issues: found } = result.error;
  issues.push(...found.map((issue) => ({ path: path + stepsText(issue.path), line, message: issue.message })));
  return undefined;
}

function stepsText(steps: z.core.$ZodIssue['path']): string {
  return steps.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('');
}

/** Settings that are right one by one, and wrong together. */
function contradictions(config: SidecarConfig, origins: Readonly<Record<string, Origin>>): readonly ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const refuse = (name: SettingName, message: string) => {
    const origin = origins[name];
    issues.push({ path: name, line: origin?.kind === 'file' ? origin.line : null, message });
  };
  const listening = [...config['data.listen'], ...config['socket.listen'], ...config['control.listen']];
  if (listening.length === 0) refuse('data.listen', 'expected something to listen on');
  const hasTokens = config['control.tokenFile'] !== null || config['control.tokens'] !== null;
  if (!hasTokens && !config['control.listen'].every(isLocal)) {
    refuse('control.listen', 'beyond this machine the control plane needs tokens; set control.tokenFile');
  }
  if (!config['publicPages.enabled'] && config['publicPages.listen'].length > 0) {
    refuse('publicPages.listen', 'expected publicPages.enabled too');
  }
  if (config['publicPages.enabled'] && config.ledger === null) {
    refuse('publicPages.enabled', 'the public pages record in a ledger, and this process follows a source');
  }
  const isDatabase = /^postgres(?:ql)?:/i.test(config.from ?? '') || config.ledger !== null;
  if (isDatabase && config['source.trustedKeyFiles'].length > 0) {
    refuse('source.trustedKeyFiles', 'a ledger is trusted by its login, and signs nothing');
  }
  if (config['webhooks.retryBase'] > config['webhooks.retryCap']) {
    refuse('webhooks.retryCap', 'expected at least webhooks.retryBase');
  }
  if (config['shutdown.drainDelay'] + config['shutdown.flushDeadline'] > config['shutdown.deadline']) {
    refuse('shutdown.deadline', 'expected more than shutdown.drainDelay and shutdown.flushDeadline together');
  }
  return issues;
}
