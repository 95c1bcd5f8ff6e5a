/**
 * Takes the rows of a block from a scanner, has them judged in batches, and collects what leaves.
 *
 * Rows that leave are copied in runs: of a block from which nothing is taken, the very bytes leave.
 * @module
 */
import { CLEAR, type JudgeOptions, RowJudge, SUPPRESSED } from './judge.js';
import type { RowKernel } from './kernel/row-kernel.js';
import { BATCH_ROWS_MAX } from './limits.js';
import { OutputBytes } from './output-bytes.js';
import { TALLY } from './row-counts.js';
import { RowError, type RowErrorCode } from './row-error.js';

/** What a kernel says of the lines before a row, without its flags. */
const LINES_MASK = 0x3fff_ffff;

export interface SinkOptions extends JudgeOptions {
  readonly mode: 'drop' | 'blank';
  readonly onUnidentifiable: 'keep' | 'drop' | 'fail';
  /** What stands in the place of a value that is blanked. */
  readonly blank: Uint8Array;
}

/** Why a block was not read to its end. `linesBefore`: line ends of the block before the row in question. */
export interface RowFault {
  readonly code: RowErrorCode;
  readonly linesBefore: number;
  readonly detail?: string;
}

export class RowSink {
  readonly judge: RowJudge;
  readonly isBlanking: boolean;
  /** Of the block so far. */
  tally: Float64Array;
  fault: RowFault | null = null;
  readonly #options: SinkOptions;
  readonly #output = new OutputBytes();
  readonly #rowFrom = new Int32Array(BATCH_ROWS_MAX + 1);
  readonly #rowTo = new Int32Array(BATCH_ROWS_MAX + 1);
  readonly #linesBefore = new Int32Array(BATCH_ROWS_MAX + 1);
  /** 1 for what is no row, such as an empty line, and leaves in any case. */
  readonly #isNoRow = new Uint8Array(BATCH_ROWS_MAX + 1);
  /** 1 for a row that cannot be read. */
  readonly #isSpoiled = new Uint8Array(BATCH_ROWS_MAX + 1);
  readonly #leaves = new Uint8Array(BATCH_ROWS_MAX + 1);
  /** Places to be blanked, as pairs of from and to, and where those of each row begin. */
  #places: number[] = [];
  readonly #placesFrom = new Int32Array(BATCH_ROWS_MAX + 1);
  #bytes: Uint8Array = new Uint8Array(0);
  #room: Uint8Array = new Uint8Array(0);
  /** Rows of a kernel's batch that are not clear. */
  readonly #others = new Int32Array(BATCH_ROWS_MAX + 1);
  /** Where the first row begins of the batch that a kernel has read. */
  #batchFrom = 0;
  #runFrom = 0;
  #runTo = 0;
  /** Fingerprints of rows that leave, before those of the batch at hand. */
  #fingerprintCount = 0;

  constructor(options: SinkOptions) {
    this.#options = options;
    this.judge = new RowJudge(options);
    this.isBlanking = options.mode === 'blank';
    this.tally = this.#newTally();
  }

  /** Begins with the rows of another block. @param room Where what leaves may be written. */
  begin(bytes: Uint8Array, room: Uint8Array): void {
    this.#bytes = bytes;
    this.#room = room;
    this.#runFrom = 0;
    this.#runTo = 0;
    this.#fingerprintCount = 0;
    this.fault = null;
    this.tally = this.#newTally();
    this.#output.begin(room);
  }

  /** HOT. */
  startRow(from: number, linesBefore: number): void {
    const row = this.judge.rowCount;
    this.judge.startRow();
    this.#rowFrom[row] = from;
    this.#linesBefore[row] = linesBefore;
    this.#isNoRow[row] = 0;
    if (this.isBlanking) this.#placesFrom[row] = this.#places.length;
  }

  /** HOT. Something that is no row: it leaves as it is. */
  pass(from: number, to: number): void {
    this.startRow(from, 0);
    this.#isNoRow[this.judge.rowCount] = 1;
    this.endRow(to);
  }

  /** A value of the row that is taken away where the row is blanked. */
  addPlace(from: number, to: number): void {
    this.#places.push(from, to);
  }

  get placeCount(): number {
    return this.#places.length;
  }

  /** Forgets places that lie within one that is added. */
  truncatePlaces(count: number): void {
    this.#places.length = count;
  }

  /** The row that was started cannot be read: nobody knows whom it names, and it does not leave. */
  spoilRow(): void {
    const { row } = this.judge;
    this.judge.spoilRow();
    this.#isSpoiled[row] = 1;
    this.#places.length = this.#placesFrom[row]!;
  }

  /** HOT. */
  endRow(to: number): void {
    this.#rowTo[this.judge.rowCount] = to;
    if (this.isBlanking) this.#placesFrom[this.judge.rowCount + 1] = this.#places.length;
    if (this.judge.endRow()) this.#settle();
  }

  /** HOT. Rows that a kernel has read, the first of which begins at `from`: their identifiers follow, then {@link endRows}. */
  startRows(rowCount: number, from: number): void {
    this.judge.startRows(rowCount);
    this.#batchFrom = from;
  }

  /** One of those rows cannot be read, and has no identifiers. */
  spoilRowOf(row: number): void {
    this.#isSpoiled[row] = 1;
  }

  /** HOT. Decides on those rows. */
  endRows(kernel: RowKernel): void {
    const { judge, tally } = this;
    const { leaves, rowLines } = kernel;
    const rowCount = judge.rowCount;
    const others = this.#others;
    let otherCount = 0;
    judge.settle();
    for (let row = 0; row < rowCount; row++) {
      // without a branch: a processor would guess wrong for every other row
      const isClear = judge.clearBit(row);
      leaves[row] = isClear;
      others[otherCount] = row;
      otherCount += 1 - isClear;
    }
    let clearCount = rowCount - otherCount;
    let leavingCount = clearCount;
    for (let index = 0; index < otherCount; index++) {
      const row = others[index]!;
      const isLeaving = rowLines[row]! < 0 || this.#decideOf(row, rowLines[row]!, tally);
      if (this.fault !== null) {
        leaves.fill(0, row, rowCount);
        clearCount = row - index;
        break;
      }
      leaves[row] = isLeaving ? 1 : 0;
      if (isLeaving) leavingCount++;
    }
    tally[TALLY.rowsIn]! += clearCount;
    tally[TALLY.kept]! += clearCount;
    this.#takeBatch(kernel, rowCount, leavingCount === rowCount);
    this.#endBatch(leaves);
  }

  /** The block cannot be read on; rows before are decided on first. */
  fail(fault: RowFault): void {
    this.#settle();
    this.fault ??= fault;
  }

  /** What leaves of the rows so far: the room, memory of its own, or the very bytes if nothing was taken from them. */
  end(): Uint8Array {
    this.#settle();
    const { length } = this.#output;
    if (length === 0) return this.#bytes.subarray(this.#runFrom, this.#runTo);
    this.#flushRun();
    return this.#output.take();
  }

  /** The fingerprints of the rows that leave. */
  takeFingerprints(): BigUint64Array {
    return this.judge.fingerprints.take();
  }

  #newTally(): Float64Array {
    return new Float64Array(TALLY.kinds + this.judge.kinds.length);
  }

  /** HOT. Decides on the rows of the batch, in their order. */
  #settle(): void {
    const { judge, tally } = this;
    const rowCount = judge.rowCount;
    judge.settle();
    this.#leaves.fill(0, 0, rowCount + 1); // the row that a fault stopped was begun, too
    for (let row = 0; row < rowCount && this.fault === null; row++) {
      const leaves = this.#isNoRow[row] === 1 || this.#decide(row, judge.verdict(row), tally);
      this.#leaves[row] = leaves ? 1 : 0;
      if (leaves) this.#keep(this.#rowFrom[row]!, this.#rowTo[row]!);
    }
    this.#endBatch(this.#leaves);
  }

  #endBatch(leaves: Uint8Array): void {
    const { judge } = this;
    const { rowCount } = judge;
    if (this.#options.wantsFingerprints) {
      judge.fingerprints.keepRows(leaves, this.#fingerprintCount);
      this.#fingerprintCount = judge.fingerprints.count;
    }
    judge.clear();
    this.#isSpoiled.fill(0, 0, rowCount + 1); // the row that goes on in the next block may be one, too
    this.#places.length = 0;
  }

  /** HOT. Lets the rows of a kernel's batch leave that do. */
  #takeBatch(kernel: RowKernel, rowCount: number, isWhole: boolean): void {
    const { leaves, rowTo } = kernel;
    const to = rowTo[rowCount - 1]!;
    if (isWhole) {
      this.#keep(this.#batchFrom, to);
    } else if (kernel.holds(this.#bytes) && kernel.holds(this.#room)) {
      this.#flushRun();
      this.#output.length = kernel.gather(rowCount, this.#batchFrom, this.#room, this.#output.length);
      this.#runFrom = to;
      this.#runTo = to;
    } else {
      for (let row = 0, from = this.#batchFrom; row < rowCount; from = rowTo[row++]!) {
        if (leaves[row] === 1) this.#keep(from, rowTo[row]!);
      }
    }
  }

  /** HOT. As `#decide`, for a row that a kernel has read. */
  #decideOf(row: number, lines: number, tally: Float64Array): boolean {
    this.#linesBefore[row] = lines & LINES_MASK;
    return this.#decide(row, this.judge.verdict(row), tally);
  }

  /** HOT. Whether a row leaves as it is; one that leaves blanked is written here. */
  #decide(row: number, verdict: number, tally: Float64Array): boolean {
    tally[TALLY.rowsIn]!++;
    if (verdict === CLEAR) {
      tally[TALLY.kept]!++;
      return true;
    }
    if (verdict === SUPPRESSED) {
      this.#countKinds(this.judge.hitKinds(row), tally);
      if (this.isBlanking) {
        tally[TALLY.blanked]!++;
        this.#writeBlanked(row);
      } else {
        tally[TALLY.suppressed]!++;
      }
      return false;
    }
    return this.#decideUnidentifiable(row, tally);
  }

  /** Whether a row leaves that names nobody. */
  #decideUnidentifiable(row: number, tally: Float64Array): boolean {
    const isSpoiled = this.#isSpoiled[row] === 1;
    if (this.#options.onUnidentifiable === 'fail') {
      const code = isSpoiled ? 'row.unreadable' : 'row.unidentifiable';
      this.fault = { code, linesBefore: this.#linesBefore[row]! };
      return false;
    }
    if (this.#options.onUnidentifiable === 'keep' && !isSpoiled) {
      tally[TALLY.kept]!++;
      tally[TALLY.keptUnidentifiable]!++;
      return true;
    }
    tally[isSpoiled ? TALLY.unreadable : TALLY.unidentifiable]!++;
    return false;
  }

  /** HOT. */
  #countKinds(hitKinds: number, tally: Float64Array): void {
    for (let bits = hitKinds; bits !== 0; bits &= bits - 1) tally[TALLY.kinds + 31 - Math.clz32(bits & -bits)]!++;
  }

  /** HOT. Lets bytes leave that follow what left before. */
  #keep(from: number, to: number): void {
    if (from !== this.#runTo) {
      this.#flushRun();
      this.#runFrom = from;
    }
    this.#runTo = to;
  }

  #writeBlanked(row: number): void {
    const places = this.#places;
    let from = this.#rowFrom[row]!;
    for (let index = this.#placesFrom[row]!; index < this.#placesFrom[row + 1]!; index += 2) {
      this.#keep(from, places[index]!);
      this.#flushRun();
      this.#output.write(this.#options.blank, 0, this.#options.blank.length);
      from = places[index + 1]!;
      this.#runFrom = from;
      this.#runTo = from;
    }
    this.#keep(from, this.#rowTo[row]!);
  }

  #flushRun(): void {
    if (this.#runFrom < this.#runTo) this.#output.write(this.#bytes, this.#runFrom, this.#runTo);
    this.#runFrom = this.#runTo;
  }
}

/** The error that a fault of a block is, given the line ends before that block. */
export function errorOfFault({ code, linesBefore, detail }: RowFault, linesBeforeBlock: number): RowError {
  return new RowError(code, linesBeforeBlock + linesBefore + 1, detail);
}
