/**
 * Tests that run beside one another, as most of them only wait, and what each of them opened, closed when it ends.
 * @module
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, type TestContext, test, vi } from 'vitest';

type Closer = () => Promise<unknown>;

export interface Stage {
  /** A test, beside others of its file. */
  test(name: string, body: (context: TestContext) => Promise<void>): void;
  /** Called when the test ends that is running, the last one first. */
  later(close: Closer): void;
}

type Matcher = 'toBe' | 'toEqual' | 'toBeGreaterThan' | 'toBeNull' | 'toMatch' | 'toContain';
type Matchers = { readonly [Name in Matcher]: (expected?: unknown) => Promise<void> };

/** `expect.poll`, for tests that run beside others: reads again and again until it is as expected. */
export function poll(
  read: () => unknown,
  { timeout = 5000, interval = 20 }: { readonly timeout?: number; readonly interval?: number } = {},
): Matchers & { readonly not: Matchers } {
  const matchers = (isNot: boolean) => {
    const check = (name: Matcher) => (expected?: unknown) =>
      vi.waitFor(
        async () => {
          const assertion = expect(await read());
          (isNot ? assertion.not : assertion)[name](expected as never);
        },
        { timeout, interval },
      );
    return new Proxy({} as Matchers, { get: (_, name) => check(name as Matcher) });
  };
  const not = matchers(true);
  return new Proxy({} as Matchers & { readonly not: Matchers }, {
    get: (_, name) => (name === 'not' ? not : matchers(false)[name as Matcher]),
  });
}

/** @param isConcurrent False: the tests run one after the other. */
export function createStage(isConcurrent = true): Stage {
  const running = new AsyncLocalStorage<Closer[]>();
  return {
    test(name, body) {
      const run = async (context: TestContext) => {
        const closers: Closer[] = [];
        try {
          await running.run(closers, () => body(context));
        } finally {
          for (const close of closers.reverse()) await close();
        }
      };
      if (isConcurrent) test.concurrent(name, run);
      else test(name, run);
    },
    later(close) {
      const closers = running.getStore();
      if (closers === undefined) throw new Error('expected to be called by a test of the stage');
      closers.push(close);
    },
  };
}
