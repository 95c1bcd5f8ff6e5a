/**
 * What a filter and its threads say to each other. The memory of a block is handed over, not copied, and comes back.
 * @module
 */

import type { SuppressionTable } from '../core/suppression/index.js';
import type { WasmModule } from '../core/wasm.js';
import type { Block, BlockFilter, BlockResult, BlockTerms } from './block-filter.js';

/** What a thread is told when it begins. */
export interface BlockThreadTerms {
  readonly terms: BlockTerms;
  readonly kernelModule: WasmModule;
}

/** A block to be filtered, and where what leaves may be written. */
export interface BlockJob {
  readonly block: Block;
  readonly room: Uint8Array;
}

/** What the block came to, and both. */
export interface BlockAnswer extends BlockJob {
  readonly result: BlockResult;
}

/** Does a job. */
export function blockAnswer(filter: BlockFilter, { block, room }: BlockJob, table: SuppressionTable): BlockAnswer {
  return { block, room, result: filter.run(block, room, table) };
}

/** The memory that a job or an answer hands over. */
export function memoryOf(message: BlockJob | BlockAnswer): ArrayBuffer[] {
  const used = [message.block.bytes, message.room, ...('result' in message ? [message.result.output] : [])];
  return [...new Set(used.map(({ buffer }) => buffer as ArrayBuffer))];
}
