/**
 * The plain twins of the suppression table: a map of text keys, and HalfSipHash over bytes with any number of rounds.
 * @module
 */

/** Tag and four words. */
export type PlainKey = readonly [number, number, number, number, number];

/** What the table has to agree with: rights by key, where 0 means not there. */
export class PlainTable {
  private readonly rights = new Map<string, number>();

  rightsOf(key: PlainKey): number {
    return this.rights.get(key.join()) ?? 0;
  }

  set(key: PlainKey, rights: number): 'added' | 'changed' | 'removed' | 'unchanged' {
    const before = this.rightsOf(key);
    if (rights === 0) this.rights.delete(key.join());
    else this.rights.set(key.join(), rights);
    if (before === rights) return 'unchanged';
    if (before === 0) return 'added';
    return rights === 0 ? 'removed' : 'changed';
  }

  get entryCount(): number {
    return this.rights.size;
  }
}

/** The 17 bytes that are mixed: the words little-endian, then the tag. */
export function messageOf([tag, ...words]: PlainKey): Uint8Array {
  const bytes = new Uint8Array(17);
  const view = new DataView(bytes.buffer);
  words.forEach((word, index) => {
    view.setInt32(index * 4, word, true);
  });
  bytes[16] = tag;
  return bytes;
}

/** HalfSipHash-c-d with an output of 64 bits, as in the reference implementation. */
export function halfSipHash(c: number, d: number, key: Uint8Array, message: Uint8Array): Uint8Array {
  const keyView = new DataView(key.buffer, key.byteOffset);
  const [k0, k1] = [keyView.getUint32(0, true), keyView.getUint32(4, true)];
  const v: [number, number, number, number] = [k0, k1 ^ 0xee, k0 ^ 0x6c796765, k1 ^ 0x74656462];
  const padded = new Uint8Array(Math.floor(message.length / 4) * 4 + 4);
  padded.set(message);
  padded[padded.length - 1] = message.length;
  const view = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += 4) {
    const word = view.getUint32(at, true);
    v[3] ^= word;
    rounds(c, v);
    v[0] ^= word;
  }
  v[2] ^= 0xee;
  rounds(d, v);
  const out = new DataView(new ArrayBuffer(8));
  out.setInt32(0, v[1] ^ v[3], true);
  v[1] ^= 0xdd;
  rounds(d, v);
  out.setInt32(4, v[1] ^ v[3], true);
  return new Uint8Array(out.buffer);
}

function rounds(count: number, v: [number, number, number, number]): void {
  for (let round = 0; round < count; round++) {
    v[0] = (v[0] + v[1]) | 0;
    v[1] = rotateLeft(v[1], 5) ^ v[0];
    v[0] = rotateLeft(v[0], 16);
    v[2] = (v[2] + v[3]) | 0;
    v[3] = rotateLeft(v[3], 8) ^ v[2];
    v[0] = (v[0] + v[3]) | 0;
    v[3] = rotateLeft(v[3], 7) ^ v[0];
    v[2] = (v[2] + v[1]) | 0;
    v[1] = rotateLeft(v[1], 13) ^ v[2];
    v[2] = rotateLeft(v[2], 16);
  }
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
