/**
 * What a filter and its threads say to each other. The memory of a block is handed over, not copied, and comes back.
 * @module
 */

import type { SuppressionTable } from '../core/suppression/index.js';
import type { WasmModule } from '../core/wasm.js';
import type { BlockFilter, BlockResult, BlockTerms } from './block-filter.js';

/** What a thread is told when it begins. */
export interface BlockThreadTerms {
  readonly terms: BlockTerms;
  readonly kernelModule: WasmModule;
}

/** A block to be filtered, and where what leaves may be written. */
export interface BlockJob {
  readonly memory: ArrayBuffer;
  readonly room: ArrayBuffer;
  readonly length: number;
  readonly isLast: boolean;
}

/** What the block came to, and its memory. */
export interface BlockAnswer extends Omit<BlockResult, 'output'> {
  readonly memory: ArrayBuffer;
  readonly room: ArrayBuffer;
  /** What leaves: a part of the block, or of the room, or memory of its own. */
  readonly output: { readonly memory: ArrayBuffer | 'block' | 'room'; readonly from: number; readonly length: number };
}

/** Does a job. */
export function blockAnswer(filter: BlockFilter, job: BlockJob, table: SuppressionTable): BlockAnswer {
  const { memory, room, length, isLast } = job;
  const { output, ...rest } = filter.run({ bytes: new Uint8Array(memory), length, isLast, room }, table);
  const own = output.buffer === memory ? 'block' : output.buffer === room ? 'room' : (output.buffer as ArrayBuffer);
  return { ...rest, memory, room, output: { memory: own, from: output.byteOffset, length: output.length } };
}

/** The memory that a job or an answer hands over. */
export function memoryOf({ memory, room, ...rest }: BlockJob | BlockAnswer): ArrayBuffer[] {
  const own = 'output' in rest && typeof rest.output.memory !== 'string' ? [rest.output.memory] : [];
  return [memory, room, ...own];
}

/** What leaves. */
export function outputOf({ memory, room, output }: BlockAnswer): Uint8Array {
  const buffer = output.memory === 'block' ? memory : output.memory === 'room' ? room : output.memory;
  return new Uint8Array(buffer, output.from, output.length);
}
