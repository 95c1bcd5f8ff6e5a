/**
 * What a call that should fail fails with.
 * @module
 */
import { GateError } from '../../../src/core/errors.js';

/** The code of the GateError that is thrown; anything else thrown fails the test. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof GateError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

/** The same for a promise. */
export async function codeOfPromise(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'nothing thrown',
    (error) => (error instanceof GateError ? error.code : Promise.reject(error)),
  );
}
