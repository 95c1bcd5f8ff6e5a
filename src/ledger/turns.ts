/**
 * Turns: one at a time, in the order of asking.
 * @module
 */
export class Turns {
  private last: Promise<void> = Promise.resolve();

  /** Runs `work` when all who asked before are done. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    const before = this.last;
    let done = () => {};
    this.last = new Promise((resolve) => {
      done = resolve;
    });
    await before;
    try {
      return await work();
    } finally {
      done();
    }
  }
}
