/**
 * What is wrong with a configuration, all of it at once.
 * @module
 */

export interface ConfigIssue {
  /** Path of the setting, the variable or the flag; empty: the whole file. */
  readonly path: string;
  /** Line in the file; `null`: it does not come from one line of a file. */
  readonly line: number | null;
  readonly message: string;
}

/** The configuration cannot be used. No message quotes a value. */
export class ConfigError extends TypeError {
  override readonly name = 'ConfigError';
  readonly code = 'config.invalid';

  constructor(readonly issues: readonly ConfigIssue[]) {
    super(issues.map(issueText).join('\n'));
  }
}

function issueText({ path, line, message }: ConfigIssue): string {
  const where = line === null ? path : `line ${line}${path === '' ? '' : `, ${path}`}`;
  return where === '' ? message : `${where}: ${message}`;
}
