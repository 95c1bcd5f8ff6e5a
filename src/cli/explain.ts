/**
 * `optgate explain`: what a privacy string says, and what it leads to.
 *
 * The action is the gate's own, on a request that holds nothing but the signals, so what is explained is what happens.
 * @module
 */
import { createGate, type Gate } from '../core/gate.js';
import type { Decision } from '../core/policy/decision.js';
import { decodeGpp, type GppDecoded, type GppFields } from '../core/signals/gpp/decode.js';
import { parseUsPrivacy, type UsPrivacy } from '../core/signals/us-privacy.js';
import { LineError } from '../rows/lines.js';
import { type Command, EXIT, type Io, loadPolicy, parseOptions, UsageError } from './command.js';
import { meaningOf, reasonsOfField } from './gpp-meanings.js';
import { answerLines, write } from './lines.js';

/** The signals to explain; values as they stand in a bid request. */
interface Signals {
  readonly gpp?: unknown;
  readonly gpp_sid?: unknown;
  readonly us_privacy?: unknown;
  readonly gpc?: unknown;
}

export const explain: Command = {
  help: `Usage: optgate explain [options] [STRING]
       optgate explain --batch [--policy FILE] < signals.ndjson

STRING is a GPP string or a US Privacy string; it can be left out with --us-privacy or --gpc. Shown for a person: each
field, its meaning, what it led to.

With --batch, each line is {"gpp"?,"gpp_sid"?,"us_privacy"?,"gpc"?}, and the answer is one line:
  {"sections":{"usnat":{"SaleOptOut":1,...}},"action":"restrict","strip":[...],"reasons":["gpp.usnat.sale_opt_out"]}
Field names are those of the specification. A US Privacy string adds "usPrivacy":{...}, a string that cannot be decoded
"malformed":{"code","at"}. "Gpc" is there only when the string says something about it. A line that is not such an
object gives {"error":{"code","line"}}.

Options:
  --gpp-sid 7,8       the sections that apply (gpp_sid)
  --us-privacy 1YNN   a US Privacy string beside the GPP string
  --gpc 1             Global Privacy Control, as in regs.ext.gpc
  --policy FILE       policy, JSON
  --batch             NDJSON on standard input

Examples:
  optgate explain DBABLA~BVVqAAAAAgA.YA --gpp-sid 7
  optgate explain 1YYN
  echo '{"gpp":"DBABBg~BVWSSSVY.YA","gpp_sid":[8]}' | optgate explain --batch

Exit codes: 0 explained, 1 some lines were refused, 2 wrong usage, 3 a file or the system failed.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      batch: { type: 'boolean' },
      policy: { type: 'string' },
      'gpp-sid': { type: 'string' },
      'us-privacy': { type: 'string' },
      gpc: { type: 'string' },
    });
    const gate = createGate({ policy: await loadPolicy(values.policy), table: 'none', now: io.now });
    if (values.batch === true) {
      if (positionals.length > 0) throw new UsageError('--batch reads standard input and takes no STRING');
      for (const name of ['gpp-sid', 'us-privacy', 'gpc'] as const) {
        if (values[name] !== undefined) throw new UsageError(`--${name} does not go with --batch: put it in each line`);
      }
      const { refusedCount } = await answerLines(io, (value) => JSON.stringify(batchAnswer(gate, asSignals(value))));
      return refusedCount === 0 ? EXIT.ok : EXIT.someRefused;
    }
    const [text, ...rest] = positionals;
    if (rest.length > 0) throw new UsageError('expected one STRING');
    if (text === undefined && values['us-privacy'] === undefined && values.gpc === undefined) {
      throw new UsageError('expected a STRING, or --batch');
    }
    const isUsPrivacy = text !== undefined && /^\d.{0,4}$/.test(text);
    if (isUsPrivacy && values['us-privacy'] !== undefined) throw new UsageError('expected one US Privacy string');
    const signals: Signals = {
      gpp: isUsPrivacy ? undefined : text,
      gpp_sid: values['gpp-sid'],
      us_privacy: isUsPrivacy ? text : values['us-privacy'],
      gpc: values.gpc,
    };
    await explainForPerson(gate, signals, io);
    return EXIT.ok;
  },
};

function asSignals(value: unknown): Signals {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new LineError('input.invalid');
  return value as Signals;
}

function decide(gate: Gate, { gpp, gpp_sid, us_privacy, gpc }: Signals): Decision {
  return gate.check({ id: 'explain', imp: [], regs: { gpp, gpp_sid, us_privacy, ext: { gpc } } });
}

function batchAnswer(gate: Gate, signals: Signals): object {
  const { gpp, us_privacy } = signals;
  const decoded = typeof gpp === 'string' ? decodeGpp(gpp) : null;
  const usPrivacy = parseUsPrivacy(us_privacy);
  const { action, strip, reasons } = decide(gate, signals);
  const malformed = malformedOf(gpp, decoded, usPrivacy);
  return {
    sections: decoded?.kind === 'parsed' ? decoded.sections : {},
    ...(usPrivacy.kind === 'parsed' ? { usPrivacy: usPrivacyFields(usPrivacy) } : {}),
    ...(malformed === null ? {} : { malformed }),
    action,
    strip,
    reasons,
  };
}

/** The first thing that could not be decoded. */
function malformedOf(gpp: unknown, decoded: GppDecoded | null, usPrivacy: UsPrivacy): object | null {
  if (gpp !== undefined && gpp !== null && decoded === null) return { code: 'not_a_string', at: 0 };
  if (decoded?.kind === 'malformed') return decoded.malformed;
  if (decoded?.kind === 'parsed' && decoded.malformedSections[0] !== undefined) return decoded.malformedSections[0];
  return usPrivacy.kind === 'malformed' ? { code: 'us_privacy', at: usPrivacy.at } : null;
}

function usPrivacyFields(usPrivacy: Extract<UsPrivacy, { kind: 'parsed' }>): GppFields {
  const { text } = usPrivacy;
  return { Version: 1, Notice: text.charAt(1), OptOutSale: text.charAt(2), LspaCovered: text.charAt(3) };
}

async function explainForPerson(gate: Gate, signals: Signals, io: Io): Promise<void> {
  const lines: string[] = [];
  const usPrivacy = parseUsPrivacy(signals.us_privacy);
  const decision = decide(gate, signals);
  const { reasons } = decision;
  if (usPrivacy.kind === 'parsed') lines.push(...sectionLines('us_privacy', usPrivacyFields(usPrivacy), reasons));
  if (usPrivacy.kind === 'malformed') lines.push(`us_privacy: cannot be decoded (character ${usPrivacy.at + 1})`, '');
  if (typeof signals.gpp === 'string') {
    const decoded = decodeGpp(signals.gpp);
    if (decoded.kind === 'malformed') {
      lines.push(`GPP: cannot be decoded: ${decoded.malformed.code} (character ${decoded.malformed.at + 1})`, '');
    } else {
      for (const [prefix, fields] of Object.entries(decoded.sections))
        lines.push(...sectionLines(prefix, fields, reasons));
      for (const { code, at, section } of decoded.malformedSections) {
        lines.push(`${section}: cannot be decoded: ${code} (character ${at + 1})`, '');
      }
      if (decoded.sectionIds.length === 0) lines.push('GPP: a valid string without sections', '');
    }
  }
  const strip = decision.strip.length === 0 ? '' : ` (without ${decision.strip.join(', ')})`;
  lines.push(`=> ${decision.action}${strip}`);
  for (const reason of decision.explain()) {
    const strips = reason.strip.length === 0 ? 'informs' : `strips ${reason.strip.join(', ')}`;
    lines.push(`   ${reason.code}: ${strips}`, `     ${reason.sentence}`, `     ${reason.citation}`);
  }
  if (decision.reasons.length === 0) lines.push('   nothing in these signals speaks against sending');
  await write(io.stdout, `${lines.join('\n')}\n`);
}

/** A section for a person: each field, its meaning, and the reasons it led to. */
function sectionLines(prefix: string, fields: GppFields, reasons: readonly string[]): readonly string[] {
  const width = Math.max(...Object.keys(fields).map((name) => name.length));
  const rows = Object.entries(fields).flatMap(([name, value]) => {
    const meanings = meaningOf(prefix, name, value);
    const shown = Array.isArray(value) ? value.join('') : String(value);
    const indent = ' '.repeat(width + 6);
    const ledTo = reasonsOfField(prefix, name, reasons).map((code) => `${indent}-> ${code}`);
    if (meanings.length === 1) return [`  ${name.padEnd(width)}  ${shown}  ${meanings[0]}`, ...ledTo];
    return [`  ${name.padEnd(width)}  ${shown}`, ...meanings.map((meaning) => `${indent}${meaning}`), ...ledTo];
  });
  return [prefix, ...rows, ''];
}
