/**
 * Reads a configuration file, YAML or JSON, into values by the path of their setting.
 *
 * `${NAME}` in a text is the environment variable of that name, which must be set; `$${` is `${` itself. It is replaced in
 * values that have been read, so that nothing in a variable can become structure. No message quotes the file.
 * @module
 */
import { readFileSync, statSync } from 'node:fs';
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { ConfigIssue } from './config-issue.js';

/** A configuration is a page of text; a table given by mistake is not read into memory. */
export const CONFIG_BYTES_MAX = 2 ** 20;
// biome-ignore lint/suspicious/noTemplateCurlyInString: the text is about it
const REFERENCE_EXPECTED = 'expected the name of a variable in ${…}; write $${ for ${ itself';
const KEY_SHOWN = /^[A-Za-z0-9_$.-]{1,40}$/;

export interface FileValue {
  readonly value: unknown;
  readonly line: number;
}

export interface ConfigFile {
  readonly values: ReadonlyMap<string, FileValue>;
  readonly issues: readonly ConfigIssue[];
}

/** Everything in the file that stands where `isSetting` says a setting is. Never throws. */
export function readConfigFile(
  path: string,
  env: Readonly<Record<string, string | undefined>>,
  isSetting: (name: string) => boolean,
): ConfigFile {
  let source: string;
  try {
    if (statSync(path).size > CONFIG_BYTES_MAX) return refused('larger than 1 MiB');
    source = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    return refused((error as NodeJS.ErrnoException).code ?? 'cannot be read');
  }
  return new Reader(source, env, isSetting).read();
}

function refused(message: string): ConfigFile {
  return { values: new Map(), issues: [{ path: '', line: null, message }] };
}

class Reader {
  private readonly values = new Map<string, FileValue>();
  private readonly issues: ConfigIssue[] = [];
  private readonly lines = new LineCounter();

  constructor(
    private readonly source: string,
    private readonly env: Readonly<Record<string, string | undefined>>,
    private readonly isSetting: (name: string) => boolean,
  ) {}

  read(): ConfigFile {
    const document = parseDocument(this.source, { lineCounter: this.lines, prettyErrors: false, uniqueKeys: true });
    for (const { code, pos } of [...document.errors, ...document.warnings]) {
      const { line } = this.lines.linePos(pos[0]);
      this.issues.push({ path: '', line, message: `not YAML (${code.toLowerCase().replaceAll('_', ' ')})` });
    }
    if (this.issues.length === 0 && document.contents !== null) this.visit(document.contents as Node, '');
    return { values: this.values, issues: this.issues };
  }

  /** A map on the way to a setting, or a setting's value. */
  private visit(node: Node | null, path: string): void {
    if (path !== '' && this.isSetting(path)) {
      this.values.set(path, { value: this.plain(node, path), line: this.lineOf(node) });
      return;
    }
    if (!isMap(node)) {
      const message = path === '' ? 'expected a map of settings' : 'expected a map';
      this.issue(node, path, isAlias(node) ? 'no aliases' : message);
      return;
    }
    for (const { key, value } of node.items) {
      const name = isScalar(key) && typeof key.value === 'string' ? key.value : '';
      const here = `${path}${path === '' ? '' : '.'}${KEY_SHOWN.test(name) ? name : `<key of ${name.length} characters>`}`;
      if (this.leads(here)) this.visit(value as Node | null, here);
      else this.issue(key as Node, here, 'unknown key');
    }
  }

  private leads(path: string): boolean {
    return this.isSetting(path) || this.isSetting(`${path}.`);
  }

  private plain(node: Node | null, path: string): unknown {
    if (isSeq(node)) return node.items.map((item, index) => this.plain(item as Node, `${path}[${index}]`));
    if (isScalar(node)) return typeof node.value === 'string' ? this.replaced(node, node.value, path) : node.value;
    if (node !== null) this.issue(node, path, isAlias(node) ? 'no aliases' : 'expected a value, not a map');
    return null;
  }

  private replaced(node: Node, value: string, path: string): string {
    return value.replace(/\$\$\{|\$\{([^}]*)\}?/g, (found, name: string | undefined) => {
      if (name === undefined) return '${';
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || !found.endsWith('}')) {
        this.issue(node, path, REFERENCE_EXPECTED);
        return '';
      }
      const replacement = this.env[name];
      if (replacement === undefined) this.issue(node, path, `the variable ${name} is not set`);
      return replacement ?? '';
    });
  }

  private issue(node: Node | null, path: string, message: string): void {
    this.issues.push({ path, line: this.lineOf(node), message });
  }

  private lineOf(node: Node | null): number {
    return this.lines.linePos(node?.range?.[0] ?? 0).line;
  }
}
