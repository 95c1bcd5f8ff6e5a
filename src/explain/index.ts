/**
 * What privacy strings say, for people.
 * @module
 */
export {
  decideOn,
  type ExplainedField,
  type ExplainedReason,
  type ExplainedSection,
  type Explanation,
  explainSignals,
  looksLikeUsPrivacy,
  type Signals,
  type Undecoded,
  usPrivacyFields,
} from './explain.js';
export { meaningOf, reasonsOfField } from './gpp-meanings.js';
