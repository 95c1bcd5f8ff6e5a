/**
 * The policy in force, and how another takes its place: read, checked, and only then put into use, in all threads.
 * @module
 */
import type { Destination } from '../core/index.js';
import { DEFAULT_POLICY, type Policy } from '../core/policy/policy.js';
import { PolicyError, readPolicyFile } from '../policy-file.js';
import { withInventory } from '../policy-inventory.js';
import type { PolicyState } from './observe/index.js';

/** A policy file cannot be used; the message names the file and everything that is wrong, and quotes nothing of it. */
export class PolicyFileError extends Error {
  override readonly name = 'PolicyFileError';

  constructor(
    readonly path: string,
    cause: unknown,
  ) {
    const said = cause instanceof PolicyError ? cause.message : ((cause as NodeJS.ErrnoException).code ?? 'failed');
    super(`${path}: ${said}`, { cause });
  }
}

export class PolicyDesk {
  /** As the file has it. */
  #written: Policy;
  /** The ledger's data inventory; its destinations stand before those of the file. */
  #inventory: readonly Destination[] = [];
  #policy: Policy;
  #reloadFailureCount = 0;
  #lastFailure: string | null = null;

  /** @param path `null`: the default policy. @throws {PolicyFileError} */
  constructor(private readonly path: string | null) {
    this.#written = path === null ? DEFAULT_POLICY : readPolicy(path);
    this.#policy = this.#written;
  }

  get policy(): Policy {
    return this.#policy;
  }

  get state(): PolicyState & { readonly path: string | null; readonly lastFailure: string | null } {
    return {
      version: this.#policy.version,
      reloadFailureCount: this.#reloadFailureCount,
      isLastReloadFailed: this.#lastFailure !== null,
      path: this.path,
      lastFailure: this.#lastFailure,
    };
  }

  /** Reads the file again. @throws {PolicyFileError}; then the policy before stays in force. */
  async reload(use: (policy: Policy) => Promise<void>): Promise<void> {
    if (this.path === null) return;
    try {
      const written = readPolicy(this.path);
      const policy = withInventory(written, this.#inventory);
      await use(policy);
      this.#written = written;
      this.#policy = policy;
      this.#lastFailure = null;
    } catch (error) {
      this.#reloadFailureCount++;
      this.#lastFailure = (error as Error).message;
      throw error;
    }
  }

  /** Puts the ledger's inventory into use, if it is another than before; tells whether it was. */
  async useInventory(inventory: readonly Destination[], use: (policy: Policy) => Promise<void>): Promise<boolean> {
    const policy = withInventory(this.#written, inventory);
    if (policy.version === this.#policy.version) return false;
    await use(policy);
    this.#inventory = inventory;
    this.#policy = policy;
    return true;
  }
}

function readPolicy(path: string): Policy {
  try {
    return readPolicyFile(path);
  } catch (error) {
    throw new PolicyFileError(path, error);
  }
}
