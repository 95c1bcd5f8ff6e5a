/**
 * `optgate gap-notices`: for each destination, the opt-outs of people whose data it was sent, as a file to send to it.
 * @module
 */
import { hash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AtomicFile } from '../exports/atomic-file.js';
import type { GapNotice, Ledger } from '../ledger/index.js';
import { removeLeftovers } from '../temporary-files.js';
import { type Command, CommandError, EXIT, type Io, isSystemError, parseOptions, UsageError } from './command.js';
import { untilInterrupted } from './interrupt.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { createProgress } from './progress.js';
import { momentMs, timeText } from './time.js';

export const gapNoticesCommand: Command = {
  help: `Usage: optgate gap-notices --since TIME --out DIR [options]

Writes a file for each destination that was sent data of people who have opted out since: whoever sold or shared
data has to tell those it went to (11 CCR 7026(f)(2)). DIR/DESTINATION.csv, whole or not at all:
  kind,digest,opted_out_at
  email_sha256,5f0e…,2026-11-20T10:00:00.000Z
The digests are those the destination was sent; of an id that it was sent in the clear, its digests. Left out are people
who have opted in again, and exports to service providers that an exemption let pass. Prints for each destination
  {"destination","optOuts","sentAfterRequest","withoutDigest","digests","file"}
"sentAfterRequest": opt-outs after whose receipt something was sent. "withoutDigest": those of which the ledger knows no
digest (eids, account ids); --requests says which they are. Standard error says how many opt-outs are known by MD5 or
SHA-1 alone: an export of clear values cannot be searched for those.

Without --destination DIR holds what this call found, and nothing else of the kind: files of earlier calls, told by their
first line, are removed where there is nothing to tell any more. An id with upper-case letters is written as %41cme.csv.

Options:
  --since TIME        opt-outs received from then on, such as 2026-11-20 (UTC) or 2026-11-20T10:00:00-08:00
  --out DIR           where the files go; made if it is not there
  --destination ID    this one only
  --requests          also print {"destination","requestId","withoutDigest"} for every opt-out
${LEDGER_HELP}

Examples:
  optgate gap-notices --since 2026-11-20 --out notices
  optgate gap-notices --ledger postgres://ledger.internal/optgate --since 2026-11-20 --destination acme --out notices

Exit codes: 0 done, 2 wrong usage, 3 a file or the ledger failed.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...LEDGER_OPTION,
      since: { type: 'string' },
      out: { type: 'string' },
      destination: { type: 'string' },
      requests: { type: 'boolean' },
    });
    const { since, out, destination } = values;
    if (positionals.length > 0) throw new UsageError('expected no further argument');
    if (since === undefined || out === undefined || out === '')
      throw new UsageError('expected --since TIME and --out DIR');
    const sinceMs = /^\d{4}-\d{2}-\d{2}$/.test(since)
      ? momentMs('since', `${since}T00:00:00Z`)
      : momentMs('since', since);
    const location = ledgerLocation(values.ledger, io);
    return untilInterrupted((stopped) =>
      withLedger(location, io, { mayMake: false, sequence: false }, async (ledger) => {
        let oldCount = 0;
        const onOldDigests = (count: number) => {
          oldCount += count;
        };
        const notices = ledger.gapNotices({ sinceMs, destination, onOldDigests });
        const isAll = destination === undefined;
        await writeAll(notices, { folder: out, isAll, showsRequests: values.requests === true, stopped, io });
        if (oldCount > 0) {
          io.stderr.write(
            `optgate: opt-outs known by MD5 or SHA-1 alone, not looked for in exports of clear values: ${oldCount}\n`,
          );
        }
        return EXIT.ok;
      }),
    );
  },
};

interface Writing {
  readonly folder: string;
  /** For every destination: a file of any other is of an earlier call. */
  readonly isAll: boolean;
  readonly showsRequests: boolean;
  readonly stopped: AbortSignal;
  readonly io: Io;
}

async function writeAll(
  notices: ReturnType<Ledger['gapNotices']>,
  { folder, isAll, showsRequests, stopped, io }: Writing,
): Promise<void> {
  const lists = new Map<string, NoticeList>();
  const progress = createProgress(io, 'notices');
  let count = 0;
  try {
    await mkdir(folder, { recursive: true });
    for await (const notice of notices) {
      stopped.throwIfAborted();
      const { destination, requestId, digests } = notice;
      const list = lists.get(destination) ?? (await NoticeList.create(folder, destination, io.now()));
      lists.set(destination, list);
      await list.add(notice);
      progress.at(++count);
      if (!showsRequests) continue;
      progress.clear();
      io.stdout.write(`${JSON.stringify({ destination, requestId, withoutDigest: digests.length === 0 })}\n`);
    }
    for (const list of lists.values()) await list.publish();
    if (isAll) await removeStale(folder, new Set(Array.from(lists.keys(), fileNameOf)));
  } catch (error) {
    for (const list of lists.values()) await list.discard();
    if (isSystemError(error)) throw new CommandError(`${folder}: ${error.message}`, { cause: error });
    throw error;
  } finally {
    progress.end();
  }
  for (const list of lists.values()) io.stdout.write(`${JSON.stringify(list.summary)}\n`);
}

/** Whoever sends all files of the folder must not send those of an earlier call with them. */
async function removeStale(folder: string, written: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.endsWith('.csv') && !written.has(name) && (await isNoticeFile(join(folder, name)))) {
      await rm(join(folder, name), { force: true });
    }
  }
}

async function isNoticeFile(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch(() => null);
  if (file === null) return false;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER.length), 0, HEADER.length, 0);
    return buffer.toString('latin1', 0, bytesRead) === HEADER;
  } catch {
    return false; // a folder
  } finally {
    await file.close();
  }
}

const HEADER = 'kind,digest,opted_out_at\n';
/** Longest name of a file without its ending: most file systems have 255 bytes, some of them for a temporary name. */
const NAME_LENGTH_MAX = 200;
/** Bytes that are gathered before they are written. */
const WRITE_BYTES = 65_536;
/** Digests of one destination that are remembered; what several requests name is written again when it is forgotten. */
export const DIGESTS_REMEMBERED_MAX = 1_000_000;

/** The file for one destination. A digest that several requests name is in it once, as long as it is remembered. */
export class NoticeList {
  readonly #digests = new Set<string>();
  readonly #counts = { optOuts: 0, sentAfterRequest: 0, withoutDigest: 0, digests: 0 };
  #text = HEADER;

  private constructor(
    private readonly destination: string,
    private readonly path: string,
    private readonly file: AtomicFile,
    private readonly rememberedMax: number,
  ) {}

  static async create(
    folder: string,
    destination: string,
    nowMs: number,
    rememberedMax = DIGESTS_REMEMBERED_MAX,
  ): Promise<NoticeList> {
    const path = join(folder, fileNameOf(destination));
    await removeLeftovers(path, nowMs);
    const file = await AtomicFile.create(path, randomBytes(8).toString('hex'));
    return new NoticeList(destination, path, file, rememberedMax);
  }

  async add({
    digests,
    receivedAtMs,
    isSentAfterRequest,
  }: Pick<GapNotice, 'digests' | 'receivedAtMs' | 'isSentAfterRequest'>): Promise<void> {
    this.#counts.optOuts++;
    if (isSentAfterRequest) this.#counts.sentAfterRequest++;
    if (digests.length === 0) this.#counts.withoutDigest++;
    for (const { kind, hex } of digests) {
      const line = `${kind},${hex}`;
      if (this.#digests.has(line)) continue;
      if (this.#digests.size === this.rememberedMax) this.#digests.clear();
      this.#digests.add(line);
      this.#counts.digests++;
      this.#text += `${line},${timeText(receivedAtMs)}\n`;
    }
    if (this.#text.length >= WRITE_BYTES) await this.#write();
  }

  async publish(): Promise<void> {
    await this.#write();
    await this.file.seal();
    await this.file.publish();
  }

  discard(): Promise<void> {
    return this.file.discard();
  }

  get summary(): object {
    return { destination: this.destination, ...this.#counts, file: this.path };
  }

  async #write(): Promise<void> {
    await this.file.write(Buffer.from(this.#text));
    this.#text = '';
  }
}

/**
 * An id may hold any characters; no two ids share a file, and none leads out of the folder. Capital letters are written as
 * their codes, since some file systems take them for small ones; a name that is too long for them ends in a digest of the id.
 */
function fileNameOf(destination: string): string {
  const encoded = encodeURIComponent(destination).replace(/^\./, '%2E').replaceAll('*', '%2A').replaceAll('~', '%7E');
  const name = encoded.replace(/%[0-9A-F]{2}|[A-Z]/g, (part) =>
    part.length > 1 ? part : `%${part.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  if (name.length <= NAME_LENGTH_MAX) return `${name}.csv`;
  return `${name.slice(0, NAME_LENGTH_MAX - 17)}~${hash('sha256', destination).slice(0, 16)}.csv`;
}
