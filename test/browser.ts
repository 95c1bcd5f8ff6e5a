/**
 * Debian's Chromium, driven by playwright-core: found at its usual place or in OPTGATE_TEST_CHROMIUM, else skipped with a
 * reason. With OPTGATE_REQUIRE_SERVICES=1 a missing browser is a failure.
 * @module
 */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { describe } from 'vitest';

const EXECUTABLE = process.env.OPTGATE_TEST_CHROMIUM ?? '/usr/bin/chromium';

/** No connection but those that a test makes; the sandbox needs a user that is not root. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

/** `describe` where there is a browser; else a skip, with its reason printed. */
export function withBrowser(): typeof describe | typeof describe.skip {
  if (existsSync(EXECUTABLE)) return describe;
  if (process.env.OPTGATE_REQUIRE_SERVICES === '1') {
    throw new Error('Chromium is required (OPTGATE_REQUIRE_SERVICES=1) and is not there');
  }
  process.stderr.write('skipped: no Chromium at its usual place; set OPTGATE_TEST_CHROMIUM\n');
  return describe.skip;
}

/** A browser of the test's own; close it. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS });
}
