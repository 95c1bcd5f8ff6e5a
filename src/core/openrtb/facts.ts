/**
 * What the gate knows of one bid request: every privacy signal from every place, the geography, and a key for every
 * identifier. Filled by `read` (objects); one instance is reused from call to call, so nothing here may be kept.
 * @module
 */
import { createKeyList, type KeyList } from '../identity/key.js';
import type { FlagState } from '../signals/flag.js';
import { GPP_SIDS_ABSENT, type GppSidSet } from '../signals/gpp/sids.js';
import { US_PRIVACY_ABSENT, type UsPrivacy } from '../signals/us-privacy.js';

/** Most identifiers a request may carry; one with more cannot be checked in full and is restricted. */
export const IDENTIFIER_COUNT_MAX = 128;

export interface RequestFacts {
  /** A container the gate must look into has the wrong JSON type (`"user": []`), or the whole request has. */
  malformed: boolean;
  /** `regs.us_privacy` (2.6; also AdCOM regs). */
  usPrivacy: UsPrivacy;
  /** `regs.ext.us_privacy` (2.2 to 2.5). */
  usPrivacyExt: UsPrivacy;
  /** `regs.gpp`; `null` where absent. */
  gpp: string | null;
  /** `regs.ext.gpp`; `null` where absent. */
  gppExt: string | null;
  /** A `gpp` that is neither absent nor a string. */
  gppWrongType: boolean;
  gppSid: GppSidSet;
  gppSidExt: GppSidSet;
  /** `regs.ext.gpc` (and `regs.gpc`, seen in the wild). */
  gpc: FlagState;
  coppa: FlagState;
  lmt: FlagState;
  dnt: FlagState;
  /** `device.ext.atts`: `on` means the person has not authorised tracking (0, 1, 2); 3 is `off`. */
  att: FlagState;
  deviceCountry: string | null;
  deviceRegion: string | null;
  userCountry: string | null;
  userRegion: string | null;
  /** One key for each identifier found; see `identity/key`. */
  readonly keys: KeyList;
}

/** A blank set of facts, to be reused. */
export function createFacts(): RequestFacts {
  const facts = { keys: createKeyList(IDENTIFIER_COUNT_MAX) } as RequestFacts;
  resetFacts(facts);
  return facts;
}

/** Sets every field to "not there". */
export function resetFacts(facts: RequestFacts): void {
  facts.malformed = false;
  facts.usPrivacy = US_PRIVACY_ABSENT;
  facts.usPrivacyExt = US_PRIVACY_ABSENT;
  facts.gpp = null;
  facts.gppExt = null;
  facts.gppWrongType = false;
  facts.gppSid = GPP_SIDS_ABSENT;
  facts.gppSidExt = GPP_SIDS_ABSENT;
  facts.gpc = 'absent';
  facts.coppa = 'absent';
  facts.lmt = 'absent';
  facts.dnt = 'absent';
  facts.att = 'absent';
  facts.deviceCountry = null;
  facts.deviceRegion = null;
  facts.userCountry = null;
  facts.userRegion = null;
  facts.keys.count = 0;
  facts.keys.overflowed = false;
}
