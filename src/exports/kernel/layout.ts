/**
 * Where everything lies in the memory of a kernel, in bytes. Columns of cells, the block and the marks follow, as large as
 * they need to be.
 * @module
 */

import { BATCH_COLUMNS_MAX, BATCH_ROWS_MAX } from '../limits.js';

/** Rows taken at a time: what is known of them stays in the nearest cache. */
export const ROWS_MAX = BATCH_ROWS_MAX;
export const WORD_BYTES = 4;
/** A cell: where it begins and ends, a word each. The first word of one that holds doubled quotes is negative. */
export const CELL_BYTES = 8;
export const CELLS_BYTES = ROWS_MAX * CELL_BYTES;
/** Marks a cell whose text is not the bytes as they stand, and a row that is none. */
export const FLAG = 0x8000_0000;

/** Marks a row of JSON that the scanner has to read, and one of CSV that cannot be read. */
export const OTHER_FLAG = 0x4000_0000;
/** Arrays and objects within each other that a kernel walks through. */
export const DEPTH_MAX = 32;

const ROW_WORDS_BYTES = ROWS_MAX * WORD_BYTES;

/** Words that a call leaves for the next one, and for the one who calls. */
export const STATE = {
  at: 0,
  mark: 4,
  lines: 8,
  otherCount: 12,
  isCut: 32,
  hasTemplate: 40,
  missedCount: 44,
} as const;
/** First words of digests of nothing, four of them with the zeros that stand for the rest. */
export const JUNK = 16;
/** Columns wanted, in order, then -1. */
export const COLUMNS = 64;
export const COLUMNS_MAX = BATCH_COLUMNS_MAX;
export const ROW_TO = COLUMNS + (COLUMNS_MAX + 1) * WORD_BYTES + 12;
/** Line ends before the row; with {@link FLAG} if it is none. */
export const ROW_LINES = ROW_TO + ROW_WORDS_BYTES;
/** Rows whose cell was read as hexadecimal digits, and those whose cell was not. */
export const KEY_ROW = ROW_LINES + ROW_WORDS_BYTES;
export const OTHER_ROW = KEY_ROW + ROW_WORDS_BYTES;
/** Four words of each key, the first words of all, then the second ones. */
export const KEY_WORDS = OTHER_ROW + ROW_WORDS_BYTES;
export const KEY_WORD_BYTES = ROW_WORDS_BYTES;
/** Mixed keys. */
export const HIGH = KEY_WORDS + 4 * KEY_WORD_BYTES;
export const LOW = HIGH + ROW_WORDS_BYTES;
/** Of each array or object that is open, its node in the tree of paths and what it is. */
export const STACK = LOW + ROW_WORDS_BYTES;
/** Messages to be hashed, padded to a block each, and the rows whose they are. */
export const MESSAGE_BYTES = 64;
export const MESSAGES = STACK + DEPTH_MAX * CELL_BYTES;
export const ROUND_CONSTANTS = MESSAGES + ROWS_MAX * MESSAGE_BYTES;
export const SCHEDULE = ROUND_CONSTANTS + 64 * WORD_BYTES;
/** A byte for each row: 1 if it leaves. */
export const LEAVES = SCHEDULE + 64 * 16;
/** One constant of sixteen bytes at a time. */
export const CONSTANT = LEAVES + ROWS_MAX;
/** The template of rows of JSON, in pieces (row-template.ts): half of the nearest cache. */
export const PIECES = CONSTANT + 16;
export const PIECES_BYTES = 16 * 1024;
export const CELLS = PIECES + PIECES_BYTES;
