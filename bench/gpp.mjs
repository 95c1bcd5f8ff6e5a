/**
 * What does a GPP verdict cost, cold and from the memo, beside the official decoder on the same strings?
 *
 * The rival decodes and reads the opt-outs and GPC, which is less than the verdict looks at.
 * @module
 */
import { readFileSync } from 'node:fs';
import { decodeGpp, judgeGpp } from '../dist/core/signals/index.js';
import { createGate, parsePolicy } from '../dist/index.js';
import { isMain, nanoseconds, ns, printMachine, printTable, times } from './report.mjs';
import { GppModel } from './rivals/node_modules/@iabgpp/cmpapi/lib/mjs/index.js';

const vectors = JSON.parse(readFileSync('test/vectors/gpp-vectors-generated.json', 'utf8'));
const single = vectors.filter(({ kind }) => kind.startsWith('single:')).map(({ gpp }) => gpp);
/** A consent string of usual length for Europe, to be skipped. */
const tcf = `CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA.${'IAAA'.repeat(100)}`;
const all21 = JSON.parse(readFileSync('test/vectors/gpp-vectors.json', 'utf8')).find(({ kind }) => kind === 'full').gpp;

const SCENARIOS = {
  'usnat v1': ['DBABLA~BVQqAAAAAgA'],
  'usnat v1 + GPC': ['DBABLA~BVQqAAAAAgA.YA'],
  'usca + GPC': ['DBABBg~BVWSSSVY.YA'],
  'TCF (445 chars) + uspv1 + usnat + GPC': [`DBACPe~${tcf}~1YNN~BVQqAAAAAgA.YA`],
  'all sections (24 of them)': [all21],
  'every state, 1 section each': single,
};
const OPT_OUTS = ['SaleOptOut', 'SharingOptOut', 'TargetedAdvertisingOptOut', 'Gpc'];

function readWithRival(gpp) {
  const model = new GppModel(gpp);
  let seen = 0;
  for (const id of model.getSectionIds()) {
    for (const name of OPT_OUTS) if (model.hasField(id, name)) seen += Number(model.getFieldValue(id, name));
  }
  return seen;
}

export async function run() {
  const rows = [];
  // All code has seen all kinds of strings before the first is measured.
  for (let round = 0; round < 50; round++) {
    for (const strings of Object.values(SCENARIOS))
      for (const gpp of strings) judgeGpp(gpp).presentMask + decodeGpp(gpp).sectionIds.length;
  }
  for (const [name, strings] of Object.entries(SCENARIOS)) {
    const round = strings.length;
    const over = (work) => () => {
      let sum = 0;
      for (let index = 0; index < round; index++) sum += work(strings[index]);
      return sum;
    };
    const rival = await nanoseconds(over(readWithRival), round);
    const verdict = await nanoseconds(
      over((gpp) => judgeGpp(gpp).presentMask),
      round,
    );
    const fields = await nanoseconds(
      over((gpp) => decodeGpp(gpp).sectionIds.length),
      round,
    );
    rows.push([
      name,
      ns(rival.average),
      ns(verdict.average),
      times(rival.average / verdict.average),
      ns(fields.average),
      times(rival.average / fields.average),
    ]);
  }
  printTable(
    'GPP string to verdict',
    ['strings', '@iabgpp/cmpapi 3.2.0', 'verdict, cold', 'ratio', 'all fields', 'ratio'],
    rows,
  );
  await printMemo();
}

/** The memo pays where strings are long; a gate with and without it on the same request. */
async function printMemo() {
  const rows = [];
  const noMemo = createGate({ table: 'none', policy: parsePolicy({ memo: { entryCountMax: 0 } }) });
  for (const [name, gpp] of [
    ['usnat v1 + GPC', 'DBABLA~BVQqAAAAAgA.YA'],
    ['all sections', all21],
  ]) {
    const memo = createGate({ table: 'none' });
    // Each request carries its own copy of the string, as parsed requests do.
    const requests = Array.from({ length: 512 }, () =>
      JSON.parse(JSON.stringify({ id: '1', imp: [], regs: { gpp, gpp_sid: [7] } })),
    );
    const over = (gate) => () => {
      let allowed = 0;
      for (const request of requests) allowed += gate.check(request).stripMask;
      return allowed;
    };
    const cold = await nanoseconds(over(noMemo), requests.length);
    const warm = await nanoseconds(over(memo), requests.length);
    const { hits, misses } = memo.stats().memo;
    rows.push([
      name,
      ns(cold.average),
      ns(warm.average),
      times(cold.average / warm.average),
      `${((100 * hits) / (hits + misses)).toFixed(1)} %`,
    ]);
  }
  printTable(
    'check of a request that holds only the string',
    ['string', 'no memo', 'memo', 'ratio', 'memo hits'],
    rows,
  );
}

if (isMain(import.meta.url)) {
  await run();
  printMachine();
}
