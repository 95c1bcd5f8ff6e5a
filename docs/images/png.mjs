/**
 * A PNG of 8 bits a channel (RGB, RGBA) with the same pixels in fewer bytes: the browser compresses in haste.
 */
import { deflateSync, inflateSync } from 'node:zlib';

const SIGNATURE_BYTES = 8;
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** @param {Buffer} png */
export function smaller(png) {
  const chunks = [...chunksOf(png)];
  const header = chunks.find(({ type }) => type === 'IHDR')?.data;
  const channels = { 2: 3, 6: 4 }[header?.[9] ?? 0];
  if (header === undefined || channels === undefined || header[8] !== 8) return png;
  const packed = Buffer.concat(chunks.filter(({ type }) => type === 'IDAT').map(({ data }) => data));
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const plain = unfiltered(inflateSync(packed), width * channels, height, channels);
  const best = deflateSync(plain, { level: 9, memLevel: 9, windowBits: 15 });
  if (best.length >= packed.length) return png;
  return Buffer.concat([
    png.subarray(0, SIGNATURE_BYTES),
    chunk('IHDR', header),
    chunk('IDAT', best),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function* chunksOf(png) {
  for (let at = SIGNATURE_BYTES; at < png.length; ) {
    const bytes = png.readUInt32BE(at);
    yield { type: png.toString('latin1', at + 4, at + 8), data: png.subarray(at + 8, at + 8 + bytes) };
    at += 12 + bytes;
  }
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  let crc = -1;
  for (const byte of body) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeInt32BE(~crc);
  return Buffer.concat([length, body, check]);
}

/** Rows without prediction: flat colours repeat, and deflate finds that by itself. */
function unfiltered(bytes, rowBytes, height, step) {
  const out = Buffer.alloc((rowBytes + 1) * height);
  for (let y = 0; y < height; y++) {
    const row = y * (rowBytes + 1) + 1;
    const above = row - rowBytes - 1;
    const filter = bytes[row - 1];
    for (let x = 0; x < rowBytes; x++) {
      const left = x < step ? 0 : out[row + x - step];
      const up = y === 0 ? 0 : out[above + x];
      const corner = x < step || y === 0 ? 0 : out[above + x - step];
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter];
      out[row + x] = bytes[row + x] + guess;
    }
  }
  return out;
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [toLeft, toUp, toCorner] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}
