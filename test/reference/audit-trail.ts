/**
 * The slow, obvious verification of an audit trail: parse every line, write it canonically again, hash it, compare.
 * @module
 */
import { createHash, createPublicKey, verify } from 'node:crypto';

/** Number of the first bad entry, 0 for the header; `null`: the trail is valid. */
export function firstBadEntry(bytes: Uint8Array, publicKeyPem: string | null = null): number | null {
  const lines: Buffer[] = [];
  const all = Buffer.from(bytes);
  let start = 0;
  for (let at = 0; at < all.length; at++) {
    if (all[at] !== 0x0a) continue;
    lines.push(all.subarray(start, at));
    start = at + 1;
  }
  const header = lineValue(lines[0]);
  const isHeader =
    namesOf(header) === 'entries,format,head,ledger,version' &&
    header.format === 'optgate-audit' &&
    header.version === 1 &&
    isCount(header.entries) &&
    /^[0-9a-f]{64}$/.test(String(header.head)) &&
    /^[0-9a-f-]{36}$/.test(String(header.ledger));
  if (!isHeader) return 0;
  let previous = sha256(`optgate-audit ${header.ledger}`);
  let isSigned = publicKeyPem === null; // without a key nothing has to be
  for (const [index, line] of lines.slice(1).entries()) {
    const n = index + 1;
    const entry = lineValue(line);
    if (!isEntry(entry) || entry.n !== n || entry.previous !== previous) return n;
    const { hash, ...rest } = entry;
    if (hash !== sha256(canonical(rest))) return n;
    if (entry.kind === 'checkpoint' && !isCheckpoint(entry, header.ledger, publicKeyPem)) return n;
    isSigned ||= entry.kind === 'checkpoint';
    previous = hash;
  }
  if (start !== all.length) return lines.length; // a line without its end
  if (header.entries > lines.length - 1) return lines.length;
  if (header.entries !== lines.length - 1 || header.head !== previous) return 0;
  return isSigned ? null : 1;
}

// biome-ignore lint/suspicious/noExplicitAny: whatever was in a line
type Anything = any;

function lineValue(line: Buffer | undefined): Anything {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line ?? Buffer.alloc(0));
    const value: unknown = JSON.parse(text);
    return canonical(value) === text ? value : null;
  } catch {
    return null;
  }
}

export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'string' && /[\ud800-\udfff]/u.test(value)) throw new Error('half of a character');
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${canonical(name)}:${canonical(member)}`).join(',')}}`;
}

function isEntry(entry: Anything): boolean {
  return (
    namesOf(entry) === 'actor,at,body,hash,kind,n,previous,subject' &&
    namesOf(entry.actor) === 'name,role,via' &&
    ['operator', 'auditor', 'intake', 'enforcer', 'public', 'system'].includes(entry.actor.role) &&
    ['http', 'page', 'cli', 'library', 'import'].includes(entry.actor.via) &&
    (entry.actor.name === null || typeof entry.actor.name === 'string') &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(String(entry.at)) &&
    typeof entry.body === 'object' &&
    namesOf(entry.body) !== null &&
    /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/.test(String(entry.kind)) &&
    String(entry.kind).length <= 64 &&
    isCount(entry.n) &&
    /^[0-9a-f]{64}$/.test(String(entry.hash)) &&
    (entry.subject === null || (typeof entry.subject === 'string' && entry.subject.length <= 200))
  );
}

function isCheckpoint({ n, previous, body }: Anything, ledger: string, publicKeyPem: string | null): boolean {
  if (namesOf(body) !== 'head,keyId,n,signature' || body.n !== n - 1 || body.head !== previous) return false;
  if (!/^[0-9a-f]{16}$/.test(body.keyId) || !/^[A-Za-z0-9_-]{86}$/.test(body.signature)) return false;
  if (publicKeyPem === null) return true;
  const key = createPublicKey(publicKeyPem);
  const raw = Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');
  if (sha256(raw).slice(0, 16) !== body.keyId) return false;
  const said = `{"format":"optgate-audit-checkpoint","head":"${previous}","ledger":"${ledger}","n":${n - 1}}`;
  return verify(null, Buffer.from(sha256(said), 'hex'), key, Buffer.from(body.signature, 'base64url'));
}

/** Names of the members of an object, joined; `null`: it is none. */
function namesOf(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  return Object.keys(value).join(',');
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
