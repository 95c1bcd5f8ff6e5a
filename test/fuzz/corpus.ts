/**
 * The corpus: a file of lines, each with where an input comes from and its bytes, one character a byte.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = 'test/fuzz/corpus.ndjson';

export interface Input {
  readonly source: string;
  readonly bytes: Buffer;
}

export function readCorpus(): Input[] {
  const lines = readFileSync(FILE, 'utf8').trim().split('\n');
  return lines.map((line) => {
    const { source, bytes } = JSON.parse(line) as { source: string; bytes: string };
    return { source, bytes: Buffer.from(bytes, 'latin1') };
  });
}

export function writeCorpus(inputs: readonly Input[]): void {
  const lines = inputs.map(({ source, bytes }) => JSON.stringify({ source, bytes: bytes.toString('latin1') }));
  writeFileSync(FILE, `${lines.join('\n')}\n`);
}
