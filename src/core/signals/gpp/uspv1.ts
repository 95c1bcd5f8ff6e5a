/**
 * Section 6 of a GPP string: a US Privacy string as text.
 *
 * Stricter than `regs.us_privacy`: lower case is refused, because within GPP it is a sign that the whole string was
 * lower-cased on its way, which changes every other section silently.
 * @module
 */
import { parseUsPrivacy, type UsPrivacy } from '../us-privacy.js';
import type { GppMalformed } from './malformed.js';
import { USPV1_SECTION_ID } from './sections.js';

/** The parsed text, or `null` if it is malformed. */
export function readUspv1(gpp: string, start: number, end: number): (UsPrivacy & { kind: 'parsed' }) | null {
  const text = gpp.slice(start, end);
  const usPrivacy = parseUsPrivacy(text);
  return usPrivacy.kind === 'parsed' && usPrivacy.text === text ? usPrivacy : null;
}

/** What is wrong with a text that `readUspv1` refused. */
export function uspv1Fault(gpp: string, start: number, end: number): GppMalformed {
  const text = gpp.slice(start, end);
  const usPrivacy = parseUsPrivacy(text);
  const lowerCaseAt = text.search(/[a-z]/);
  const malformedAt = usPrivacy.kind === 'malformed' ? usPrivacy.at : text.length;
  const at = lowerCaseAt < 0 ? malformedAt : Math.min(lowerCaseAt, malformedAt);
  return { code: 'us_privacy_invalid', at: start + at, section: USPV1_SECTION_ID };
}
