/**
 * The options of `serve` and `config`: a flag for each setting that has one, `--set` for all, and the file.
 * @module
 */
import type { ParseArgsConfig } from 'node:util';
import {
  ConfigError,
  type ResolvedConfig,
  resolveConfig,
  SETTING_NAMES,
  type SettingName,
  settingOf,
} from '../sidecar/config.js';
import { type Io, parseOptions, UsageError } from './command.js';

/** Every flag, as it is shown in both helps. */
export const SIDECAR_OPTIONS_HELP = `  --ledger URL|DIR      system of record: postgres://… or the folder of an embedded ledger, made if it is not there
                        (default: ./.optgate); a password is better kept in OPTGATE_LEDGER or PGPASSWORD
  --from URL            keep no ledger; follow postgres://…, nats://host/set, https://relay or file:/path/to/set.snap
  --policy FILE         policy, JSON; read again on SIGHUP
  --data ADDRESS        decisions over HTTP: HOST:PORT or the path of a Unix socket; may be given again, "off" for none
                        (default: 127.0.0.1:8787)
  --control ADDRESS     opt-outs, status, probes, metrics (default: 127.0.0.1:8788)
  --public-pages        serve the privacy-choices page, on the control plane's address unless told
  --public ADDRESS      serve it there and nothing else; may be given again (default: none)
  --socket ADDRESS      the socket protocol, for clients that pipeline (default: none)
  --workers N           threads that answer (default: 1)
  --folder DIR          keep the last good state here, for the next start (default: in an embedded ledger's folder)
  --tokens FILE         bearer tokens of the control plane, one "role token" a line; required beyond this machine
  --token-file FILE     bearer token for --from https://… or nats://…
  --trust-key FILE      public key (PEM); refuse what it did not sign; may be given again
  --relay               with --from: serve snapshots and changes to other enforcers; with a ledger that is always so
  --sign-key FILE       private key (PEM) to sign them with
  --canary-every D      a synthetic opt-out this often measures how soon one is in force; "off" for none (default: 1m)
  --decision-log DIR    write every decision there, without identifiers, as NDJSON
  --drain-delay D       after SIGTERM: not ready, but still accepting, for so long (default: 0)
  --log-level LEVEL     debug, info, warn or error (default: info; on a terminal warn)
  --name NAME           what people call this process (default: the host name)
  --config FILE         settings, YAML or JSON; \${NAME} in it is an environment variable
  --set NAME=VALUE      any setting by its name, such as limits.http.bodyBytesMax=2MiB; may be given again

Flags win over OPTGATE_… variables, these over the file. "optgate config" shows every setting, its value and where it
came from.`;

type Options = NonNullable<ParseArgsConfig['options']>;

const FLAGS = new Map(
  SETTING_NAMES.flatMap((name) => {
    const { flag } = settingOf(name);
    return flag === undefined ? [] : [[flag, name] as const];
  }),
);

const OPTIONS: Options = {
  config: { type: 'string' },
  set: { type: 'string', multiple: true },
  ...Object.fromEntries(
    [...FLAGS].map(([flag, name]) => {
      const { isSwitch, isList } = settingOf(name);
      return [flag, { type: isSwitch === true ? 'boolean' : 'string', multiple: isList === true }];
    }),
  ),
};

/** The configuration that a command line asks for. @throws {UsageError} with everything that is wrong, a line each. */
export function sidecarConfig(args: readonly string[], { env }: Io): ResolvedConfig {
  const { values, positionals } = parseOptions(args, OPTIONS);
  if (positionals.length > 0) throw new UsageError('expected options only');
  const flags = new Map<SettingName, { readonly value: unknown; readonly flag: string }>();
  for (const [flag, name] of FLAGS) {
    const value = values[flag];
    if (value === undefined) continue;
    flags.set(name, { value: Array.isArray(value) ? onlyOff(value) : value, flag: `--${flag}` });
  }
  for (const text of (values.set as string[] | undefined) ?? []) {
    const [name, value] = assignment(text);
    flags.set(name, { value, flag: `--set ${name}` });
  }
  try {
    return resolveConfig({ file: values.config as string | undefined, env, flags });
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.message);
    throw error;
  }
}

/** `--data off` is no address beside others. */
function onlyOff(values: readonly unknown[]): unknown {
  return values.length === 1 && values[0] === 'off' ? 'off' : values;
}

function assignment(text: string): readonly [SettingName, string] {
  const at = text.indexOf('=');
  const name = at < 0 ? '' : text.slice(0, at);
  if (at < 0) throw new UsageError('--set: expected NAME=VALUE');
  if (!(SETTING_NAMES as readonly string[]).includes(name)) {
    const shown = /^[A-Za-z][A-Za-z.]{0,60}$/.test(name) ? `there is no setting ${name}` : 'there is no such setting';
    throw new UsageError(`--set: ${shown}; "optgate config" shows all`);
  }
  return [name as SettingName, text.slice(at + 1)];
}
