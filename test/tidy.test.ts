/**
 * Checks on the shape of the code itself: import direction, file and function length, module headers, words that do
 * not belong. The rules live here, once; docs/architecture.md explains them.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';

/** Each part, and the parts it may import. Everyone may import the shared words. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'src/core/vocabulary.ts': [],
  'src/core/errors.ts': [],
  'src/core/wasm.ts': [],
  'src/core/signals': [],
  'src/core/identity': [],
  'src/core/suppression': ['src/core/identity', 'src/core/errors.ts', 'src/core/wasm.ts'],
  'src/core/policy': ['src/core/signals'],
  'src/core/openrtb': ['src/core/signals', 'src/core/identity', 'src/core/policy'],
  'src/core': [
    'src/core/signals',
    'src/core/identity',
    'src/core/suppression',
    'src/core/policy',
    'src/core/openrtb',
    'src/core/errors.ts',
  ],
  'src/backoff.ts': [],
  'src/temporary-files.ts': [],
  'src/snapshot-file.ts': ['src/core/suppression', 'src/core/errors.ts', 'src/temporary-files.ts'],
  'src/sync/source.ts': ['src/core/suppression'],
  'src/sync': [
    'src/backoff.ts',
    'src/sync/source.ts',
    'src/core/suppression',
    'src/core/errors.ts',
    'src/snapshot-file.ts',
  ],
  'src/ledger': [
    'src/backoff.ts',
    'src/sync/source.ts',
    'src/core',
    'src/core/identity',
    'src/core/suppression',
    'src/core/errors.ts',
    'src/snapshot-file.ts',
  ],
  'src/webhooks': ['src/backoff.ts', 'src/core/errors.ts', 'src/ledger'],
  src: [
    'src/sync',
    'src/sync/source.ts',
    'src/ledger',
    'src/snapshot-file.ts',
    'src/core',
    'src/core/policy',
    'src/core/suppression',
    'src/core/errors.ts',
    'src/core/identity',
    'src/core/signals',
  ],
  'src/growing-bytes.ts': [],
  'src/explain': ['src/core', 'src/core/policy', 'src/core/signals'],
  'src/exports': [
    'src/core',
    'src/core/errors.ts',
    'src/core/identity',
    'src/core/policy',
    'src/core/signals',
    'src/core/suppression',
    'src/core/wasm.ts',
    'src/gate-share.ts',
    'src/growing-bytes.ts',
    'src/rows',
    'src/snapshot-file.ts',
    'src/temporary-files.ts',
  ],
  'src/rows': ['src/core/identity', 'src/growing-bytes.ts'],
  'src/sidecar': ['*'],
  'src/client': ['src/backoff.ts', 'src/wire', 'src/core/errors.ts'],
  'src/wire': ['src/core/errors.ts'],
  'src/cli': ['*'],
};
/** Between these, only types may cross. */
const TYPES_ONLY = [
  ['src/core/policy', 'src/core/signals'],
  ['src/core/openrtb', 'src/core/policy'],
  ['src/ledger', 'src/sync/source.ts'],
];
/** The packages a part of core may load. Core has no I/O. */
const CORE_PACKAGES = ['node:crypto', 'node:zlib', 'lru-cache', 'libphonenumber-js/min', 'iab-openrtb'];
const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const VOCABULARY = 'src/core/vocabulary.ts';

const PARTS = Object.keys(MAY_IMPORT).sort((a, b) => b.length - a.length);
const partOf = (file: string) => PARTS.find((part) => file === part || file.startsWith(`${part}/`));

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join('src', name));

test('there is code to check', () => expect(files.length).toBeGreaterThan(20));

test.each(files)('%s', (file) => {
  const text = readFileSync(file, 'utf8');
  const here = partOf(file) ?? '';
  const faults: string[] = [];

  for (const [statement, specifier] of text.matchAll(/^(?:import|export)\b[^;]*?from '([^']+)';/gms)) {
    if (!specifier?.startsWith('.')) {
      const allowed = CORE_PACKAGES.some((name) => specifier === name || specifier?.startsWith(`${name}/`));
      if (file.startsWith('src/core/') && !allowed) faults.push(`core may not load ${specifier}`);
      continue;
    }
    const target = normalize(join(dirname(file), specifier)).replace(/\.js$/, '.ts');
    const there = partOf(target) ?? target;
    if (here === there || target === VOCABULARY || MAY_IMPORT[here]?.includes('*')) continue;
    if (!MAY_IMPORT[here]?.includes(there)) faults.push(`${here} may not import ${there} (${target})`);
    const typesOnly = TYPES_ONLY.some(([from, to]) => from === here && to === there);
    if (typesOnly && !/^(?:import|export) type\b/.test(statement))
      faults.push(`${here} may import only types of ${there}`);
  }

  const lines = text.split('\n');
  if (lines.length > FILE_LINES_MAX) faults.push(`${lines.length} lines, at most ${FILE_LINES_MAX}`);
  if (!/^(?:#!.*\n)?\/\*\*[\s\S]*?@module\n \*\//.test(text)) faults.push('no module header');
  if (/^export default/m.test(text)) faults.push('a default export');
  faults.push(...longFunctions(lines));
  expect(faults).toEqual([]);
});

/** Functions and methods at the outer two levels, by indentation, which the formatter keeps honest. */
function longFunctions(lines: readonly string[]): readonly string[] {
  const faults: string[] = [];
  let start = -1;
  let closing = '';
  for (const [index, line] of lines.entries()) {
    const opened =
      /^( {0,2})(?:export )?(?:async )?(?:function\b|(?:static |readonly |get |set |#)?[\w#]+\().*\{$/.exec(line);
    if (start < 0 && opened !== null && !/^\s*(?:if|for|while|switch)\b/.test(line)) {
      start = index;
      closing = `${opened[1]}}`;
    } else if (start >= 0 && (line === closing || line === `${closing},`)) {
      if (index - start + 1 > FUNCTION_LINES_MAX)
        faults.push(`a function of ${index - start + 1} lines at line ${start + 1}`);
      start = -1;
    }
  }
  return faults;
}

test.skipIf(!existsSync('.git'))('no path of a machine and no registry host is in the project', () => {
  const tracked = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8' }).split('\0').filter(Boolean);
  const texts = tracked.filter((name) => !name.startsWith('test/vectors/') && name !== 'test/tidy.test.ts');
  const faulty = texts.filter((name) =>
    /\/work\/|\/root\/|registry\.npmjs\.org|\.\.\/shared/.test(readFileSync(name, 'utf8')),
  );
  expect(faulty).toEqual([]);
});
