/**
 * Counts requests for pages by their name and the class of their status. Names are known beforehand: nothing of a request is one.
 * @module
 */
import type { ServerResponse } from 'node:http';

/** The pages for people, and those for operators. */
export type PageSite = 'choices' | 'console';

export interface PageCount {
  readonly site: PageSite;
  readonly page: string;
  /** `2xx` and so on. */
  readonly status: string;
  readonly count: number;
}

export class PageCounts {
  readonly #counts = new Map<string, PageCount>();

  /** Counts a request when its answer has ended. One that had no answer is not counted. */
  note(site: PageSite, page: string, response: ServerResponse): void {
    response.once('close', () => {
      if (response.headersSent) this.#add(site, page, `${Math.floor(response.statusCode / 100)}xx`);
    });
  }

  get all(): readonly PageCount[] {
    return [...this.#counts.values()];
  }

  #add(site: PageSite, page: string, status: string): void {
    const key = `${site} ${page} ${status}`;
    const count = (this.#counts.get(key)?.count ?? 0) + 1;
    this.#counts.set(key, { site, page, status, count });
  }
}
