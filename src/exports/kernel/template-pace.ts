/**
 * When another template is made of the rows of a batch (row-template.ts).
 *
 * It is kept as long as every other row is like it. Otherwise another is made, and if that is no better, one more after ever
 * longer pauses: where no row is like another, trying costs nothing to speak of.
 * @module
 */

/** Batches that pass before another is made, at most. */
const PAUSE_MAX = 64;

export class TemplatePace {
  #pause = 0;
  #pauseNext = 1;

  /** HOT. What follows a batch of rows of which so many are not like the template. */
  afterBatch(rowCount: number, missedCount: number): 'same' | 'none' | 'another' {
    if (rowCount === 0) return 'same';
    if (2 * missedCount <= rowCount) {
      this.#pause = 0;
      this.#pauseNext = 1;
      return 'same';
    }
    if (this.#pause > 0) {
      this.#pause--;
      return 'none';
    }
    this.#pause = this.#pauseNext;
    this.#pauseNext = Math.min(2 * this.#pauseNext, PAUSE_MAX);
    return 'another';
  }
}
