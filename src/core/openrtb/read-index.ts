/**
 * The places that are read, for a reader of bytes: found by the hash of a key, a small integer for each.
 *
 * Compiled once. The rows of fields.ts that read something must all be here; a test holds the two together.
 * @module
 */
import { source } from './tape.js';

/** Places that are read, in the order of their slots, and the objects they stand in. */
const READ_PATHS = [
  ...['imp', 'app', 'regs', 'regs.ext', 'device', 'device.geo', 'device.ext', 'user', 'user.geo', 'user.ext'],
  ...['regs.us_privacy', 'regs.gpp', 'regs.gpp_sid', 'regs.gpc', 'regs.coppa'],
  ...['regs.ext.us_privacy', 'regs.ext.gpp', 'regs.ext.gpp_sid', 'regs.ext.gpc', 'regs.ext.coppa'],
  ...['device.lmt', 'device.dnt', 'device.os', 'device.osv', 'device.ifa', 'device.ext.atts', 'device.ext.ifa'],
  ...['device.didsha1', 'device.dpidsha1', 'device.didmd5', 'device.dpidmd5'],
  ...['device.ext.ifa_sha1', 'device.ext.ifa_md5', 'device.ext.ifv', 'device.ext.idfa', 'device.ext.idfv'],
  ...['device.ext.gaid', 'device.ext.aaid', 'device.ext.adid', 'device.ext.oaid'],
  ...['device.geo.country', 'device.geo.region', 'user.geo.country', 'user.geo.region'],
  ...['user.id', 'user.buyeruid', 'user.eids', 'user.ext.eids', 'user.ext.prebid', 'user.ext.prebid.buyeruids'],
  ...['ext', 'ext.prebid'],
] as const;
export type ReadPath = (typeof READ_PATHS)[number];

/** Places that mean several requests in one, which are not scanned but parsed. */
const LAYERED_PATHS: readonly string[] = ['openrtb', 'ext.prebid.bidderconfig'];

/** Slots 1 to `SLOT_COUNT - 1`; 0 is every other place. */
export const SLOT_COUNT = READ_PATHS.length + 1;
export const SLOT = Object.fromEntries(READ_PATHS.map((path, index) => [path, index + 1])) as Readonly<
  Record<ReadPath, number>
>;

/** Nothing is read here, nor below. */
export const NOT_READ = 0;
/** The request itself: it has the number of no slot. */
export const ROOT_PLACE = SLOT_COUNT;
/** A layered place. */
export const LAYERED = SLOT_COUNT + 1;
/** The name of a place that is read, but not in lower case: it is stripped like one and not read like one. */
export const OTHER_CASE = SLOT_COUNT + 2;

const TABLE_SLOTS = 256;
const TABLE_MASK = TABLE_SLOTS - 1;
const ENTRY = 4;
/** Open addressing: the object and the hash of the name, the place (0: free), where the name's bytes begin, their number. */
const table = new Int32Array(ENTRY * TABLE_SLOTS);
const nameBytes: Uint8Array = Buffer.from([...READ_PATHS, ...LAYERED_PATHS].map(nameOf).join(''));
/** By place: whether anything is read inside. */
const isParent = new Uint8Array(OTHER_CASE + 1);
const bytes = source;
fillTable();

/** HOT. One more byte of a key; start with 0. Disregards case, and more: whoever finds something has to compare. */
export function hashByte(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + (byte | 0x20)) | 0;
}

/** HOT. Whether places inside are read. */
export function hasPlaces(place: number): boolean {
  return isParent[place] === 1;
}

/** HOT. The place of the member of `parent` whose name stands in the bytes. */
export function placeOf(parent: number, hash: number, from: number, to: number): number {
  const key = hash ^ (parent << 24);
  for (let entry = indexOf(key); ; entry = (entry + 1) & TABLE_MASK) {
    const at = entry * ENTRY;
    const place = table[at + 1]!;
    if (place === 0) return NOT_READ;
    if (table[at] !== key || table[at + 3] !== to - from) continue;
    const difference = compare(from, to, table[at + 2]!);
    if (difference === 0) return place;
    if (difference === CASE_BIT) return place === LAYERED ? LAYERED : OTHER_CASE;
  }
}

const CASE_BIT = 0x20;

/** HOT. 0: the same bytes. `CASE_BIT`: in another case. Anything else: another name. */
function compare(from: number, to: number, nameAt: number): number {
  let difference = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    const other = byte ^ nameBytes[nameAt + at - from]!;
    // a capital letter differs from its small one by this bit alone; so do `@` and the like, from nothing in a name
    if (other !== 0 && (other !== CASE_BIT || byte < 0x41 || byte > 0x5a)) return -1;
    difference |= other;
  }
  return difference;
}

/** HOT. */
function indexOf(key: number): number {
  const mixed = Math.imul(key, 0x9e3779b1 | 0);
  return (mixed ^ (mixed >>> 16)) & TABLE_MASK;
}

function fillTable(): void {
  let nameAt = 0;
  for (const path of [...READ_PATHS, ...LAYERED_PATHS]) {
    const name = nameOf(path);
    const parentPath = path.slice(0, -name.length - 1);
    const parent = parentPath === '' ? ROOT_PLACE : SLOT[parentPath as ReadPath];
    isParent[parent] = 1;
    let hash = 0;
    for (const byte of Buffer.from(name)) hash = hashByte(hash, byte);
    const key = hash ^ (parent << 24);
    let entry = indexOf(key);
    while (table[entry * ENTRY + 1] !== 0) entry = (entry + 1) & TABLE_MASK;
    const place = LAYERED_PATHS.includes(path) ? LAYERED : SLOT[path as ReadPath];
    table.set([key, place, nameAt, name.length], entry * ENTRY);
    nameAt += name.length;
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}
