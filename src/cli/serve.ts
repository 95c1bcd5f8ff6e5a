/**
 * `optgate serve`: runs the sidecar until it is stopped.
 * @module
 */
import { GateError } from '../core/errors.js';
import { shownPlace } from '../sidecar/config-values.js';
import {
  ListenError,
  PolicyFileError,
  type ResolvedConfig,
  runSidecar,
  type Sidecar,
  type SidecarConfig,
  TokenError,
} from '../sidecar/index.js';
import { EventLog } from '../sidecar/observe/index.js';
import { type Command, CommandError, type Io, isSystemError } from './command.js';
import { gateErrorText } from './failures.js';
import { SIDECAR_OPTIONS_HELP, sidecarConfig } from './sidecar-config.js';

export const serve: Command = {
  help: `Usage: optgate serve [options]

Runs the sidecar: decides about bid requests over HTTP and sockets, records opt-outs, and keeps its table up to date.
It listens at once; until a table is loaded it is not ready, and answers as the policy's onStale says. A source or
database that cannot be reached is tried again without end.

Options:
${SIDECAR_OPTIONS_HELP}

Signals: SIGTERM and SIGINT end it in order, a second one at once; SIGHUP reads policy and tokens again, and a policy that
cannot be used leaves the one before in force.

Examples:
  optgate serve
  optgate serve --from https://optgate.internal:8788 --token-file token --folder /var/lib/optgate --workers 2
  optgate serve --ledger postgres://ledger.internal/optgate --control 10.0.0.5:8788 --tokens /etc/optgate/tokens
  curl -d '{"id":"1","imp":[{"id":"1"}]}' -H 'content-type: application/json' http://127.0.0.1:8787/v1/check

Exit codes: 0 ended in order, 2 wrong usage or configuration, 3 it could not start or go on, 128 + n ended by a second
signal n.`,

  async run(args, io) {
    const resolved = sidecarConfig(args, io);
    const config = onTerminal(resolved, io);
    try {
      return await runSidecar(config, {
        log: new EventLog({ level: config['log.level'] }),
        onListening: (sidecar) => {
          if (io.stdout.isTTY === true) io.stdout.write(welcome(sidecar, config));
        },
      });
    } catch (error) {
      const said = startFailure(error, config);
      throw said === null ? error : new CommandError(said, { cause: error });
    }
  },
};

/** Who sits before a terminal is told what matters; the rest is for machines. */
function onTerminal({ config, origins }: ResolvedConfig, io: Io): SidecarConfig {
  const isQuiet = io.stdout.isTTY === true && origins['log.level'].kind === 'default';
  return isQuiet ? { ...config, 'log.level': 'warn' } : config;
}

function welcome({ addresses }: Sidecar, config: SidecarConfig): string {
  const source =
    config.from === null ? `ledger    ${shownPlace(config.ledger ?? '')}` : `follows   ${shownPlace(config.from)}`;
  const rows = [
    source,
    ...addresses.data.map((address) => `decides   ${urlText(address)}`),
    ...addresses.socket.map((address) => `socket    ${address}`),
    ...addresses.control.map((address) => `control   ${urlText(address)}   opt-outs, /v1/status, /metrics, /readyz`),
    `policy    ${config.policy ?? 'the default'}`,
  ];
  const [data, control] = [addresses.data, addresses.control].map((list) =>
    list.find((text) => !text.startsWith('unix:')),
  );
  const maid = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
  const json = "-H 'content-type: application/json'";
  const check = `curl -s ${json} http://${data}/v1/check -d '{"id":"1","imp":[{"id":"1"}],"device":{"ifa":"${maid}"}}'`;
  const optOut = `curl -s ${json} http://${control}/v1/opt-outs -d '{"identifiers":[{"kind":"maid","value":"${maid}"}],"channel":"api"}'`;
  const tries = [
    ...(data === undefined ? [] : [check]),
    ...(control === undefined || config.ledger === null ? [] : [optOut]),
  ];
  const title = `optgate is running; Ctrl-C ends it.`;
  return `${[title, '', ...rows.map((row) => `  ${row}`), '', 'Try:', ...tries.map((line) => `  ${line}`), ''].join('\n')}\n`;
}

function urlText(address: string): string {
  return address.startsWith('unix:') ? address : `http://${address}`;
}

/** What to say of a start that failed; `null`: nobody expected it. */
function startFailure(error: unknown, config: SidecarConfig): string | null {
  if (error instanceof ListenError) {
    const hint =
      error.code === 'EADDRINUSE' ? '; stop it, or give another address with --data, --control or --socket' : '';
    return `${error.message}${hint}`;
  }
  if (error instanceof PolicyFileError || error instanceof TokenError) return error.message;
  if (error instanceof GateError) return `${shownPlace(config.ledger ?? config.from ?? '')}: ${gateErrorText(error)}`;
  return isSystemError(error) ? error.message : null;
}
