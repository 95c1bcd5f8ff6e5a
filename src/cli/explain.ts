/**
 * `optgate explain`: what a privacy string says, and what it leads to.
 *
 * The action is the gate's own, on a request that holds nothing but the signals, so what is explained is what happens.
 * @module
 */
import { createGate, type Gate } from '../core/gate.js';
import { decodeGpp, type GppDecoded } from '../core/signals/gpp/decode.js';
import { parseUsPrivacy, type UsPrivacy } from '../core/signals/us-privacy.js';
import {
  decideOn,
  type ExplainedSection,
  explainSignals,
  looksLikeUsPrivacy,
  type Signals,
  usPrivacyFields,
} from '../explain/index.js';
import { LineError } from '../rows/lines.js';
import { type Command, EXIT, type Io, loadPolicy, parseOptions, UsageError } from './command.js';
import { answerLines, write } from './lines.js';

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
    const isUsPrivacy = text !== undefined && looksLikeUsPrivacy(text);
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

function batchAnswer(gate: Gate, signals: Signals): object {
  const { gpp, us_privacy } = signals;
  const decoded = typeof gpp === 'string' ? decodeGpp(gpp) : null;
  const usPrivacy = parseUsPrivacy(us_privacy);
  const { action, strip, reasons } = decideOn(gate, signals);
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

async function explainForPerson(gate: Gate, signals: Signals, io: Io): Promise<void> {
  const { sections, undecoded, isWithoutSections, action, strip, reasons } = explainSignals(gate, signals);
  const lines = sections.flatMap(sectionLines);
  for (const { what, code, at } of undecoded) {
    lines.push(`${what}: cannot be decoded${code === null ? '' : `: ${code}`} (character ${at + 1})`, '');
  }
  if (isWithoutSections) lines.push('GPP: a valid string without sections', '');
  lines.push(`=> ${action}${strip.length === 0 ? '' : ` (without ${strip.join(', ')})`}`);
  for (const reason of reasons) {
    const strips = reason.strip.length === 0 ? 'informs' : `strips ${reason.strip.join(', ')}`;
    lines.push(`   ${reason.code}: ${strips}`, `     ${reason.sentence}`, `     ${reason.citation}`);
  }
  if (reasons.length === 0) lines.push('   nothing in these signals speaks against sending');
  await write(io.stdout, `${lines.join('\n')}\n`);
}

/** A section for a person: each field, its meaning, and the reasons it led to. */
function sectionLines({ prefix, fields }: ExplainedSection): readonly string[] {
  const width = Math.max(...fields.map(({ name }) => name.length));
  const rows = fields.flatMap(({ name, value, meanings, ledTo }) => {
    const shown = Array.isArray(value) ? value.join('') : String(value);
    const indent = ' '.repeat(width + 6);
    const led = ledTo.map((code) => `${indent}-> ${code}`);
    if (meanings.length === 1) return [`  ${name.padEnd(width)}  ${shown}  ${meanings[0]}`, ...led];
    return [`  ${name.padEnd(width)}  ${shown}`, ...meanings.map((meaning) => `${indent}${meaning}`), ...led];
  });
  return [prefix, ...rows, ''];
}
