/**
 * Finds the mapped values in rows of JSON, one a line, without building objects.
 *
 * What must stay true: a row is read if and only if `JSON.parse` reads it (RFC 8259), nesting deeper than `ROW_DEPTH_MAX`
 * aside; any other row has no identifiers. Every value of a key that is there twice counts. Bytes that are no UTF-8 count
 * as U+FFFD. A line of white space alone is no row.
 * @module
 */
import { ROW_DEPTH_MAX } from '../limits.js';
import type { RowSink } from '../row-sink.js';
import type { PathNode } from './path.js';
import { endOfNumber, endOfWord, isPlainInteger } from './token.js';

const LINE_FEED = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const LETTER_N = 0x6e;
const LETTER_U = 0x75;

/** 1 for what does not simply stand in a text: a quote, a backslash, a control character. */
const STOPS = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number(byte < 0x20 || byte === QUOTE || byte === BACKSLASH),
);
const ESCAPED = Uint8Array.from({ length: 256 }, (_, byte) => Number('"\\/bfnrtu'.includes(String.fromCharCode(byte))));
const HEX_DIGIT = Uint8Array.from({ length: 256 }, (_, byte) => Number(/[0-9a-fA-F]/.test(String.fromCharCode(byte))));

export class NdjsonScanner {
  /** Line ends of the block before the row at which the last scan stopped. */
  lines = 0;
  readonly #root: PathNode;
  readonly #rowBytesMax: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #sink: RowSink | null = null;
  /** Whether the text that was read last has escapes. */
  #hasEscape = false;

  constructor(root: PathNode, rowBytesMax: number) {
    this.#root = root;
    this.#rowBytesMax = rowBytesMax;
  }

  /** HOT. As `CsvScanner.scan`. */
  scan(bytes: Uint8Array, to: number, isLast: boolean, sink: RowSink, from = 0, lines = 0): number {
    bytes[to] = LINE_FEED; // ends every loop
    this.#bytes = bytes;
    this.#sink = sink;
    this.lines = lines;
    let at = from;
    while (at < to && sink.fault === null) {
      const rowFrom = at;
      at = skipSpace(bytes, at);
      const isEmpty = bytes[at] === LINE_FEED;
      if (!isEmpty) {
        sink.startRow(rowFrom, this.lines);
        at = this.#row(at);
      }
      if (at >= to && !isLast) return rowFrom;
      if (at - rowFrom > this.#rowBytesMax) {
        sink.fail({ code: 'row.too_long', linesBefore: this.lines, detail: `${this.#rowBytesMax} bytes` });
        return rowFrom;
      }
      at = at >= to ? to : at + 1;
      if (isEmpty) sink.pass(rowFrom, at);
      else sink.endRow(at);
      this.lines++;
    }
    return at;
  }

  /** Reads one row, which the sink has started, and a line feed ends. */
  readRow(bytes: Uint8Array, from: number, sink: RowSink): void {
    this.#bytes = bytes;
    this.#sink = sink;
    this.#row(skipSpace(bytes, from));
  }

  /** HOT. Reads the row whose first value stands at `from`; answers where its line feed stands. */
  #row(from: number): number {
    const bytes = this.#bytes;
    let at = this.#value(from, this.#root, 0);
    if (at >= 0) at = skipSpace(bytes, at);
    if (at >= 0 && bytes[at] === LINE_FEED) return at;
    this.#sink!.spoilRow();
    return bytes.indexOf(LINE_FEED, from);
  }

  /**
   * HOT. Reads the value at `from`, which stands at `node` of the tree, or nowhere in it. Answers where it ends, -1 where
   * it is none.
   */
  #value(from: number, node: PathNode | null, depth: number): number {
    const bytes = this.#bytes;
    const first = bytes[from]!;
    const isMapped = node !== null && node.places.length > 0;
    if (first === QUOTE) {
      const end = this.#endOfText(from);
      if (isMapped && end >= 0) this.#addText(from, end, node);
      return end;
    }
    if (first === OPEN_BRACE || first === OPEN_BRACKET) {
      if (depth === ROW_DEPTH_MAX) return -1;
      if (first === OPEN_BRACKET) return this.#array(from, node, depth + 1);
      const placeCount = isMapped ? this.#sink!.placeCount : 0;
      const end = this.#object(from, node, depth + 1);
      if (isMapped && end >= 0) this.#addPlace(from, end, placeCount);
      return end;
    }
    if (first > 0x39) {
      const end = endOfWord(bytes, from);
      if (isMapped && end >= 0 && first !== LETTER_N) this.#addPlace(from, end, this.#sink!.placeCount);
      return end;
    }
    const end = endOfNumber(bytes, from);
    if (isMapped && end >= 0) this.#addNumber(from, end, node);
    return end;
  }

  /** HOT. */
  #object(from: number, node: PathNode | null, depth: number): number {
    const bytes = this.#bytes;
    let at = skipSpace(bytes, from + 1);
    if (bytes[at] === CLOSE_BRACE) return at + 1;
    for (;;) {
      if (bytes[at] !== QUOTE) return -1;
      const keyFrom = at;
      at = this.#endOfText(keyFrom);
      if (at < 0) return -1;
      const child = node === null || node.keys.length === 0 ? null : this.#childAt(keyFrom, at, node);
      at = skipSpace(bytes, at);
      if (bytes[at] !== COLON) return -1;
      at = this.#value(skipSpace(bytes, at + 1), child, depth);
      if (at < 0) return -1;
      at = skipSpace(bytes, at);
      if (bytes[at] === CLOSE_BRACE) return at + 1;
      if (bytes[at] !== COMMA) return -1;
      at = skipSpace(bytes, at + 1);
    }
  }

  /** HOT. Elements stand where their array stands. */
  #array(from: number, node: PathNode | null, depth: number): number {
    const bytes = this.#bytes;
    let at = skipSpace(bytes, from + 1);
    if (bytes[at] === CLOSE_BRACKET) return at + 1;
    for (;;) {
      at = this.#value(at, node, depth);
      if (at < 0) return -1;
      at = skipSpace(bytes, at);
      if (bytes[at] === CLOSE_BRACKET) return at + 1;
      if (bytes[at] !== COMMA) return -1;
      at = skipSpace(bytes, at + 1);
    }
  }

  /** HOT. Behind the closing quote of the text that opens at `from`. */
  #endOfText(from: number): number {
    const bytes = this.#bytes;
    this.#hasEscape = false;
    let at = from + 1;
    for (;;) {
      while (STOPS[bytes[at]!] === 0) at++;
      const byte = bytes[at]!;
      if (byte === QUOTE) return at + 1;
      if (byte !== BACKSLASH || ESCAPED[bytes[at + 1]!] === 0) return -1;
      this.#hasEscape = true;
      if (bytes[at + 1] !== LETTER_U) {
        at += 2;
        continue;
      }
      for (let digitAt = at + 2; digitAt < at + 6; digitAt++) if (HEX_DIGIT[bytes[digitAt]!] === 0) return -1;
      at += 6;
    }
  }

  /** HOT. The child whose key is the text in `bytes[from..to)`, quotes included; `null` for none. */
  #childAt(from: number, to: number, node: PathNode): PathNode | null {
    if (this.#hasEscape) return this.#childOfText(from, to, node);
    const { keys } = node;
    const length = to - from - 2;
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index]!;
      if (key.length === length && isEqual(this.#bytes, from + 1, key)) return node.children[index]!;
    }
    return null;
  }

  #childOfText(from: number, to: number, node: PathNode): PathNode | null {
    const key = Buffer.from(this.#parsed(from, to) as string);
    const index = node.keys.findIndex((known) => key.equals(known));
    return node.children[index] ?? null;
  }

  /** HOT. A mapped text. */
  #addText(from: number, to: number, { places }: PathNode): void {
    const judge = this.#sink!.judge;
    for (let index = 0; index < places.length; index++) {
      if (this.#hasEscape) judge.addText(places[index]!, this.#parsed(from, to) as string);
      else judge.addBytes(places[index]!, this.#bytes, from + 1, to - 1);
    }
    if (this.#sink!.isBlanking) this.#sink!.addPlace(from, to);
  }

  /** A mapped number: an id that somebody wrote without quotes. Its digits count as they stand. */
  #addNumber(from: number, to: number, { places }: PathNode): void {
    const judge = this.#sink!.judge;
    for (const place of places) {
      if (isPlainInteger(this.#bytes, from, to)) judge.addBytes(place, this.#bytes, from, to);
      else judge.addText(place, String(this.#parsed(from, to)));
    }
    if (this.#sink!.isBlanking) this.#sink!.addPlace(from, to);
  }

  /** A mapped value that is no identifier, yet goes where identifiers go. */
  #addPlace(from: number, to: number, placeCount: number): void {
    if (!this.#sink!.isBlanking) return;
    this.#sink!.truncatePlaces(placeCount);
    this.#sink!.addPlace(from, to);
  }

  #parsed(from: number, to: number): unknown {
    const { buffer, byteOffset } = this.#bytes;
    return JSON.parse(Buffer.from(buffer, byteOffset + from, to - from).toString('utf8'));
  }
}

/** HOT. White space within a line. */
function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  for (;;) {
    const byte = bytes[at]!;
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d)) return at;
    at++;
  }
}

/** HOT. Whether `key` stands at `from`. */
function isEqual(bytes: Uint8Array, from: number, key: Uint8Array): boolean {
  for (let index = 0; index < key.length; index++) if (bytes[from + index] !== key[index]) return false;
  return true;
}
