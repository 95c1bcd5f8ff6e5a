/**
 * Writes GPP strings for tests: legal ones from field values, and hostile ones by damaging those. Deterministic.
 * @module
 */
import { ALPHABET, REFERENCE_SECTIONS, type ReferenceField, type ReferenceSection } from './gpp.js';

/** A source of integers in [0, below). */
export type Pick = (below: number) => number;

/** mulberry32: the same seed gives the same strings everywhere. */
export function pickFrom(seed: number): Pick {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Bits as characters, after padding to 6 (the specification), to 8 and then 6 (the libraries), or to 24 (base64). */
export function textOf(bits: string, padding: 6 | 8 | 24): string {
  const toMultiple = (text: string, of: number): string => text.padEnd(Math.ceil(text.length / of) * of, '0');
  const padded = toMultiple(padding === 6 ? bits : toMultiple(bits, padding), 6);
  return (padded.match(/.{6}/g) ?? []).map((sextet) => ALPHABET[Number.parseInt(sextet, 2)]).join('');
}

/** The Fibonacci code of a number from 1. */
export function fibonacciCode(value: number): string {
  const weights = [1, 2];
  while (weights.at(-1)! <= value) weights.push(weights.at(-1)! + weights.at(-2)!);
  let rest = value;
  let code = '';
  for (const weight of weights.toReversed()) {
    const fits = weight <= rest;
    if (fits) rest -= weight;
    if (fits || code !== '') code = (fits ? '1' : '0') + code;
  }
  return `${code}1`;
}

/** Range(Fibonacci) of rising ids; neighbours as groups or, if `singles`, each on its own. */
export function rangeBits(ids: readonly number[], singles: boolean): string {
  const items: [first: number, last: number][] = [];
  for (const id of ids) {
    const item = items.at(-1);
    if (!singles && item !== undefined && item[1] === id - 1) item[1] = id;
    else items.push([id, id]);
  }
  let previous = 0;
  const codes = items.map(([first, last]) => {
    const offset = fibonacciCode(first - previous);
    previous = last;
    return first === last ? `0${offset}` : `1${offset}${fibonacciCode(last - first)}`;
  });
  return items.length.toString(2).padStart(12, '0') + codes.join('');
}

const int = (value: number, width: number): string => value.toString(2).padStart(width, '0');
const PADDINGS = [6, 8, 24] as const;

function fieldBits(fields: readonly ReferenceField[], pick: Pick, version: number, threes: boolean): string {
  // Quiet sections matter too: draw the values of one section from a random subset.
  const values = [[0], [0, 2], [1, 2], [0, 1, 2], threes ? [0, 1, 2, 3] : [1]][pick(5)]!;
  return fields
    .map(([, width, itemCount]) =>
      width === 6
        ? int(version, 6)
        : Array.from({ length: itemCount ?? 1 }, () => int(values[pick(values.length)]!, 2)).join(''),
    )
    .join('');
}

/** The text of one section with random field values, in any of the forms found on the wire. */
export function randomSection(section: ReferenceSection, pick: Pick): string {
  const layout = section.layouts[pick(section.layouts.length)]!;
  const version = pick(6) === 0 ? pick(64) : pick(4) === 0 ? 1 : layout.specVersion;
  const parts = [textOf(fieldBits(layout.fields, pick, version, true), PADDINGS[pick(3)]!)];
  if (section.sensitiveSubsection !== undefined) {
    if (pick(2) === 0) parts.push(textOf(fieldBits(section.sensitiveSubsection, pick, 0, true), PADDINGS[pick(3)]!));
  } else {
    // Also where none is defined, and now and then two, or one of another type.
    for (let count = pick(8) === 0 ? 2 : pick(2); count > 0; count--) {
      parts.push(textOf(pick(20) === 0 ? int(pick(8), 3) : `01${pick(2)}`, PADDINGS[pick(3)]!));
    }
  }
  if (section.sectionHeader && pick(2) === 0) {
    const listed = Array.from({ length: parts.length - 1 }, (_, index) => index + 1);
    const headerVersion = pick(8) === 0 ? pick(64) : 1;
    const bits = int(section.id, 6) + int(headerVersion, 6) + rangeBits(listed, pick(2) === 0);
    parts.unshift(textOf(bits, PADDINGS[pick(3)]!));
  }
  return parts.join('.');
}

const USPV1_TEXTS = ['1YNN', '1YYN', '1---', '1-Y-', '1NN-', '1Y-N', '2NYY', '1ynn', '1YNNN', '1YN'];
const OTHER_TEXTS = ['CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA.IAAA', 'AAAA', 'z', 'CP!!bad', '=', '%2E', '-_'];

/** A GPP string that a writer might write: up to five sections, at times of other regions. */
export function randomGpp(pick: Pick): string {
  const ids = new Set<number>();
  for (let count = pick(5); count >= 0; count--) ids.add(pick(6) === 0 ? 1 + pick(63) : 6 + pick(22));
  const sorted = [...ids].sort((a, b) => a - b);
  const header = textOf(`000011000001${rangeBits(sorted, pick(2) === 0)}`, PADDINGS[pick(3)]!);
  const texts = sorted.map((id) => {
    const section = REFERENCE_SECTIONS.find((candidate) => candidate.id === id);
    if (section !== undefined) return randomSection(section, pick);
    const texts = id === 6 ? USPV1_TEXTS : OTHER_TEXTS;
    return texts[pick(texts.length)]!;
  });
  return [header, ...texts].join('~');
}

const STRAY = [...ALPHABET, '~', '~', '.', '.', '=', '+', '/', ' ', '\n', 'À', '～', '\0', '\ud800'];

/** The string with one to four accidents: characters lost, added, changed or swapped, a piece cut off or repeated. */
export function damaged(gpp: string, pick: Pick): string {
  let text = gpp;
  for (let count = pick(4); count >= 0; count--) {
    const at = pick(text.length + 1);
    const stray = STRAY[pick(STRAY.length)]!;
    const tail = text.slice(at);
    const accidents = [
      stray + tail,
      tail.slice(1),
      stray + tail.slice(1),
      tail.slice(1, 2) + tail.slice(0, 1) + tail.slice(2),
      '',
      tail + text.slice(at - pick(6)),
      tail.toLowerCase(),
    ];
    text = text.slice(0, at) + accidents[pick(accidents.length)]!;
  }
  return text;
}
