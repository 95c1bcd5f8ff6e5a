/**
 * A source that need not be there when it is named: opened at the first question, and again after a failure to open.
 * @module
 */
import { GateError } from './core/errors.js';
import type { ChangesAnswer, EnforcerReport, LoadedTable, Position, SnapshotRequest, Source } from './sync/index.js';

export class LateSource implements Source {
  private opening: Promise<Source> | null = null;
  private isClosed = false;

  constructor(
    readonly name: string,
    private readonly open: () => Promise<Source>,
  ) {}

  /** Opens the source if it is not open. Throws what opening it throws. */
  async opened(): Promise<Source> {
    if (this.isClosed) throw new GateError('sync.closed');
    this.opening ??= this.open();
    try {
      return await this.opening;
    } catch (error) {
      this.opening = null;
      throw error;
    }
  }

  async snapshot(request: SnapshotRequest): Promise<LoadedTable> {
    return (await this.opened()).snapshot(request);
  }

  async changes(
    after: Position,
    options: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<ChangesAnswer> {
    return (await this.opened()).changes(after, options);
  }

  /** While the source has never been reached there is nobody to report to. */
  async report(report: EnforcerReport): Promise<void> {
    const source = await this.opened();
    await source.report?.(report);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const source = await this.opening?.catch(() => null);
    await source?.close();
  }
}
