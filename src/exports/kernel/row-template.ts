/**
 * A template made of rows of JSON that are alike but for their values: what template-rows.ts compares others with.
 *
 * It is a row in pieces, in order: bytes as they stand, and the kind of value that follows them. A piece has 32 bytes:
 *
 *     0   16 bytes of the row, or fewer
 *     16  a bit for each of the 16 that is none (two bytes)
 *     18  how many there are
 *     19  its kind
 *     20  length of the text that follows if it was the same in all rows, or -1 (four bytes)
 *     24  where the cells of its column lie, or 0 (four bytes)
 *
 * @module
 */

export const PIECE_BYTES = 32;
export const PIECE = { ignored: 16, length: 18, kind: 19, textLength: 20, cells: 24 } as const;
/**
 * What follows: a text or number that mostly ends within so many bytes, `true`, `false` or `null`, more of the row as it stands,
 * nothing.
 */
export const KIND = {
  text16: 0,
  text32: 1,
  text48: 2,
  text64: 3,
  number16: 4,
  number32: 5,
  word: 6,
  piece: 7,
  end: 8,
} as const;
const TEXT_KINDS = [KIND.text16, KIND.text32, KIND.text48, KIND.text64] as const;
const STEP_BYTES = 16;
const LINE_FEED = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

interface Value {
  readonly type: 'text' | 'number' | 'word' | 'end';
  /** Of a text, its quotes are no part. */
  readonly from: number;
  readonly to: number;
}

/**
 * The template of a row, which is JSON and begins at `rows[0]`; the other rows tell how its values vary.
 * @param cells Of values that are wanted: by where they begin, where the cells of their column lie.
 */
export function rowTemplate(
  bytes: Uint8Array,
  rows: readonly number[],
  cells: ReadonlyMap<number, number>,
): Uint8Array {
  const [from = 0, ...others] = rows;
  const values = valuesOf(bytes, from);
  const alike = others
    .map((other) => ({ from: other, values: valuesOf(bytes, other) }))
    .filter((other) => isAlike(bytes, { from, values }, other))
    .map((other) => other.values);
  let pieceFrom = from;
  const pieces = values.flatMap((value, index) => {
    const lengths = [value, ...alike.map((other) => other[index] ?? value)].map((one) => one.to - one.from);
    const textLength = alike.length > 0 && new Set(lengths).size === 1 ? value.to - value.from : -1;
    const text = bytes.subarray(pieceFrom, value.from);
    pieceFrom = value.to;
    // after an escape a text is looked at again: in small steps, rows full of them take 240 ns instead of 300
    const hasEscape = value.type === 'text' && bytes.subarray(value.from, value.to).includes(BACKSLASH);
    return piecesOf(
      text,
      kindOf(value.type, hasEscape ? 0 : Math.max(...lengths)),
      textLength,
      cells.get(value.from) ?? 0,
    );
  });
  return Buffer.concat(pieces);
}

/** A kind does for values that are a little longer, too. */
function kindOf(type: Value['type'], lengthMax: number): number {
  const steps = Math.floor((lengthMax + 2) / STEP_BYTES);
  if (type === 'text') return TEXT_KINDS[steps] ?? KIND.text64;
  if (type === 'number') return steps === 0 ? KIND.number16 : KIND.number32;
  return KIND[type];
}

function piecesOf(text: Uint8Array, kind: number, textLength: number, cells: number): readonly Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at === 0 || at < text.length; at += STEP_BYTES) {
    const part = text.subarray(at, at + STEP_BYTES);
    const isLast = at + STEP_BYTES >= text.length;
    const piece = Buffer.alloc(PIECE_BYTES);
    piece.set(part);
    piece.writeUInt16LE((0xffff << part.length) & 0xffff, PIECE.ignored);
    piece.writeUInt8(part.length, PIECE.length);
    piece.writeUInt8(isLast ? kind : KIND.piece, PIECE.kind);
    piece.writeInt32LE(textLength, PIECE.textLength);
    piece.writeInt32LE(isLast ? cells : 0, PIECE.cells);
    pieces.push(piece);
  }
  return pieces;
}

/** Whether two rows have the same bytes around values of the same types. */
function isAlike(
  bytes: Uint8Array,
  one: { readonly from: number; readonly values: readonly Value[] },
  other: { readonly from: number; readonly values: readonly Value[] },
): boolean {
  let [oneAt, otherAt] = [one.from, other.from];
  if (one.values.length !== other.values.length) return false;
  return one.values.every((value, index) => {
    const same = other.values[index] ?? value;
    const isSame = Buffer.compare(bytes.subarray(oneAt, value.from), bytes.subarray(otherAt, same.from)) === 0;
    [oneAt, otherAt] = [value.to, same.to];
    return isSame && value.type === same.type;
  });
}

/** The values of a row of JSON, and its end behind the line feed. */
function valuesOf(bytes: Uint8Array, from: number): readonly Value[] {
  const values: Value[] = [];
  let at = from;
  while (bytes[at] !== LINE_FEED) {
    const valueFrom = at;
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      at = endOfText(bytes, at);
      if (!isKey(bytes, at)) values.push({ type: 'text', from: valueFrom + 1, to: at - 1 });
    } else if (isLetter(byte)) {
      while (isLetter(bytes[at]!)) at++;
      values.push({ type: 'word', from: valueFrom, to: at });
    } else if (isOfNumber(byte)) {
      while (isOfNumber(bytes[at]!)) at++;
      values.push({ type: 'number', from: valueFrom, to: at });
    } else at++;
  }
  values.push({ type: 'end', from: at + 1, to: at + 1 });
  return values;
}

function endOfText(bytes: Uint8Array, from: number): number {
  let at = from + 1;
  while (bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

/** Whether the text that ends at `from` is a key. */
function isKey(bytes: Uint8Array, from: number): boolean {
  let at = from;
  while (bytes[at] === 0x20 || bytes[at] === 0x09 || bytes[at] === 0x0d) at++;
  return bytes[at] === COLON;
}

const isLetter = (byte: number) => byte >= 0x61 && byte <= 0x7a;
const isOfNumber = (byte: number) => (byte >= 0x30 && byte <= 0x39) || '+-.eE'.includes(String.fromCharCode(byte));
