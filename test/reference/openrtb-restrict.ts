/**
 * The obvious way to restrict a bid request: copy it, then delete one place after another.
 *
 * Says again, in plain statements, what the table in src/core/openrtb/fields.ts says as data, and shares with it only
 * the functions that change one value, which have tests of their own.
 * @module
 */
import { groupOfNamed, isIdName } from '../../src/core/openrtb/id-names.js';
import { isIdentifierShaped, isPlaceholder, isTokenShaped } from '../../src/core/openrtb/id-shape.js';
import { applyOperation, type RestrictOptions } from '../../src/core/openrtb/operations.js';
import { cleanStrayText, showsEmail } from '../../src/core/openrtb/stray-text.js';
import type { StripGroup } from '../../src/core/vocabulary.js';
import { holds, parsed } from './openrtb-sweep.js';

type Json = Record<string, unknown>;
interface Slot {
  readonly parent: Json | unknown[];
  readonly key: string;
  readonly value: unknown;
}
type Has = (...groups: StripGroup[]) => boolean;
type Collect = 'all' | 'named' | 'listed' | 'addresses';

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

/** What `restrictRequest` must answer for one request that is an object. */
export function plainRestrict(request: Json, strip: readonly StripGroup[], options: RestrictOptions): Json {
  const copy = JSON.parse(JSON.stringify(request)) as Json;
  if (strip.length === 0) return copy;
  const found: string[] = [];
  const has = (...groups: StripGroup[]): boolean => groups.some((group) => strip.includes(group));
  const sweeping = has('ids', 'eids', 'ip', 'tid');
  const remove = (slot: Slot, collect: Collect): void => {
    if (sweeping) collectFrom(found, slot.key, slot.value, collect);
    removeSlots([slot]);
  };

  for (const { path, shape, groups } of CONTAINERS) {
    if (!has(...groups) || path === 'imp' || path === 'imp[]') continue;
    for (const slot of find(copy, path)) {
      const right = shape === 'array' ? Array.isArray(slot.value) : isObject(slot.value);
      if (!right && slot.value !== null) remove(slot, 'named');
    }
  }
  for (const [group, collect, paths] of REMOVED) {
    if (has(group)) for (const path of paths) for (const slot of find(copy, path)) remove(slot, collect);
  }
  for (const [group, operation, paths] of CHANGED) {
    if (!has(group)) continue;
    for (const slot of paths.flatMap((path) => find(copy, path))) {
      const value = applyOperation(operation, slot.value, options);
      const collect = group === 'ip' ? 'addresses' : group === 'ids' ? 'named' : 'listed';
      if (value === undefined) remove(slot, collect);
      else {
        if (group === 'ip' && value !== slot.value) collectFrom(found, slot.key, slot.value, collect);
        (slot.parent as Json)[slot.key] = value;
      }
    }
  }
  for (const [group, collect, path, kept] of ALLOWED) {
    if (!has(group)) continue;
    for (const { value } of find(copy, path)) {
      if (!isObject(value)) continue;
      for (const key of Object.keys(value)) {
        if (kept.some((name) => sameName(name, key))) continue;
        const isNamed = goesByName(key, value[key], has('ids'), has('eids'));
        remove({ parent: value, key, value: value[key] }, isNamed ? 'all' : collect);
      }
    }
  }
  removeNamed(copy, '', has('ids'), has('eids'), found);
  cleanTexts(copy, '', has, found);
  dropEmpty(copy, has);
  if (sweeping && found.length > 0) {
    sweep(copy, '', found);
    dropEmpty(copy, has);
  }
  return copy;
}

const CONFIGS = ['', 'openrtb.request.'].map((root) => `${root}ext.prebid.bidderconfig[].config.ortb2.`);
const ROOTS_OF: Readonly<Record<string, readonly string[]>> = {
  context: ['', 'openrtb.request.context.', ...CONFIGS],
  source: ['', 'openrtb.request.', ...CONFIGS],
  request: ['', 'openrtb.request.'],
};

/** Every place of a path: 2.x, 3.0, and the copies for some bidders. */
function placesOf(path: string): readonly string[] {
  if (path.startsWith('openrtb')) return [path];
  if (/^source\b/.test(path)) return ROOTS_OF.source!.map((root) => root + path);
  if (/^(user|device|site|app|dooh|regs)\b/.test(path)) return ROOTS_OF.context!.map((root) => root + path);
  return ROOTS_OF.request!.map((root) => root + (root === '' ? path : path.replace(/^imp\b/, 'item')));
}

/** Every value at a path, whatever the case of its names. */
function find(request: Json, path: string): readonly Slot[] {
  return placesOf(path).flatMap((place) => {
    let slots: readonly Slot[] = [{ parent: [request], key: '0', value: request }];
    for (const step of place.replaceAll('[]', '.[]').split('.')) {
      slots = slots.flatMap(({ key, value }) => {
        const isList = step === '[]' && (Array.isArray(value) || (/^(imp|item)$/i.test(key) && isObject(value)));
        if (!isList && (step === '[]' || !isObject(value))) return [];
        const parent = value as Json;
        const keys = Object.keys(parent).filter((name) => isList || sameName(name, step));
        return keys.map((name) => ({ parent, key: name, value: parent[name] }));
      });
    }
    return slots;
  });
}

/** Last first, so that the index of an element is still right when its turn comes. */
function removeSlots(slots: readonly Slot[]): void {
  for (const { parent, value, key } of slots.toReversed()) {
    if (Array.isArray(parent)) {
      const index = parent.indexOf(value);
      if (index >= 0) parent.splice(index, 1);
    } else delete parent[key];
  }
}

const IDS = ['ifa', 'didsha1', 'didmd5', 'dpidsha1', 'dpidmd5', 'macsha1', 'macmd5'].map((name) => `device.${name}`);
const EXT_IDS = ['ifa', 'ifa_sha1', 'ifa_md5', 'ifv', 'idfa', 'idfv', 'gaid', 'aaid', 'adid', 'oaid'].map(
  (name) => `device.ext.${name}`,
);
const INVENTORY = ['site', 'app', 'dooh'];
const GEO = ['device.geo', 'user.geo'];
const SUA = ['device.sua', 'device.ext.sua'];

const REMOVED: readonly (readonly [StripGroup, Collect, readonly string[]])[] = [
  ['ids', 'all', [...IDS, ...EXT_IDS, 'user.id', 'user.buyeruid', 'user.ext.prebid.buyeruids']],
  ['ids', 'named', ['user.customdata', 'openrtb.request.cdata']],
  ['eids', 'named', ['user.eids', 'user.ext.eids']],
  ['eids', 'listed', ['ext.prebid.data.eidpermissions']],
  ['ufpd', 'listed', ['data', 'keywords', 'kwarray', 'yob', 'gender', 'geo', 'ext.data'].map((name) => `user.${name}`)],
  ['ufpd', 'named', ['user.customdata', 'openrtb.request.cdata']],
  ['ufpd', 'listed', INVENTORY.flatMap((top) => [`${top}.content.data`, `${top}.ext.data`])],
  ['ip', 'addresses', ['device.xff']],
  ['ip', 'listed', ['device.iptr']],
  ['tid', 'all', ['source.tid', 'imp[].ext.tid', 'imp[].ext.prebid.tid']],
  ['tid', 'listed', ['source.ext.tidSource', 'imp[].ext.tidSource']],
  ['ua', 'listed', ['device.carrier', 'device.mccmnc', 'device.mccmncsim']],
];

const CHANGED: readonly (readonly [StripGroup, Parameters<typeof applyOperation>[0], readonly string[]])[] = [
  ['ip', 'ipv4', ['device.ip']],
  ['ip', 'ipv6', ['device.ipv6']],
  ['geo', 'coordinate', GEO.flatMap((geo) => [`${geo}.lat`, `${geo}.lon`])],
  ['geo', 'small', GEO.flatMap((geo) => [`${geo}.type`, `${geo}.utcoffset`])],
  ['urls', 'url', ['site.page', 'site.ref', 'app.storeurl', ...INVENTORY.map((top) => `${top}.content.url`)]],
  ['urls', 'text', ['site.search']],
  ['ids', 'small', ['atts', 'vpw', 'vph', 'orientation'].map((name) => `device.ext.${name}`)],
  ['ids', 'small', ['minwidthperc', 'minheightperc'].map((name) => `device.ext.prebid.interstitial.${name}`)],
  ['ids', 'small', ['user.ext.gdpr']],
  ['ua', 'small', SUA.flatMap((sua) => [`${sua}.mobile`, `${sua}.source`])],
  ['ua', 'major', SUA.flatMap((sua) => [`${sua}.browsers[].version`, `${sua}.platform.version`])],
];

/** Containers of which only the named members stay; the rest of this file deals with those. */
const ALLOWED: readonly (readonly [StripGroup, Collect, string, readonly string[]])[] = [
  ...GEO.map((geo) => ['geo', 'listed', geo, words('lat lon country region regionfips104 type utcoffset')] as const),
  ...SUA.flatMap((sua) => [
    ['ua', 'listed', sua, words('mobile source browsers platform')] as const,
    ['ua', 'listed', `${sua}.browsers[]`, words('brand version')] as const,
    ['ua', 'listed', `${sua}.platform`, words('brand version')] as const,
  ]),
  [
    'ids',
    'all',
    'device',
    words(
      `ua sua geo ext dnt lmt ip ipv6 xff iptr carrier mccmnc mccmncsim devicetype type make model os osv hwv h w ppi pxratio
      js geofetch flashver lang language langb connectiontype contype`,
    ),
  ],
  ['ids', 'named', 'device.ext', words('atts vpw vph orientation prebid sua')],
  ['ids', 'named', 'device.ext.prebid', ['interstitial']],
  ['ids', 'named', 'device.ext.prebid.interstitial', words('minwidthperc minheightperc')],
  ['ids', 'named', 'user', words('consent eids data keywords kwarray yob gender geo ext')],
  [
    'ids',
    'named',
    'user.ext',
    words('consent gdpr ConsentedProvidersSettings consented_providers_settings eids data prebid'),
  ],
  ['ids', 'named', 'user.ext.prebid', ['buyeruids']],
];

function words(text: string): readonly string[] {
  return text.split(/\s+/);
}

interface Container {
  readonly path: string;
  readonly shape: 'object' | 'array';
  readonly groups: readonly StripGroup[];
}

const ALL: readonly StripGroup[] = ['ids', 'eids', 'ufpd', 'geo', 'ip', 'tid', 'urls', 'ua'];

/** Objects and arrays the specification has, with the groups that reach into them; inner before outer. */
const CONTAINERS: readonly Container[] = [
  ...SUA.flatMap((sua) => [
    { path: `${sua}.browsers[]`, shape: 'object', groups: ['ua'] } as const,
    { path: `${sua}.browsers`, shape: 'array', groups: ['ua'] } as const,
    { path: `${sua}.platform`, shape: 'object', groups: ['ua'] } as const,
    { path: sua, shape: 'object', groups: ['ua'] } as const,
  ]),
  { path: 'device.geo', shape: 'object', groups: ['geo'] },
  { path: 'device.ext.prebid.interstitial', shape: 'object', groups: ['ids'] },
  { path: 'device.ext.prebid', shape: 'object', groups: ['ids'] },
  { path: 'device.ext', shape: 'object', groups: ['ids', 'ua'] },
  { path: 'device', shape: 'object', groups: ['ids', 'ua', 'geo', 'ip'] },
  { path: 'user.geo', shape: 'object', groups: ['geo', 'ufpd'] },
  { path: 'user.ext.prebid', shape: 'object', groups: ['ids'] },
  { path: 'user.ext', shape: 'object', groups: ['ids', 'eids', 'ufpd'] },
  { path: 'user', shape: 'object', groups: ['ids', 'eids', 'ufpd', 'geo'] },
  { path: 'source.ext', shape: 'object', groups: ['tid'] },
  { path: 'source', shape: 'object', groups: ['tid'] },
  { path: 'imp[].ext.prebid', shape: 'object', groups: ['tid'] },
  { path: 'imp[].ext', shape: 'object', groups: ['tid'] },
  ...INVENTORY.flatMap((top) => [
    { path: `${top}.content`, shape: 'object', groups: ['urls', 'ufpd'] } as const,
    { path: `${top}.ext`, shape: 'object', groups: ['ufpd'] } as const,
    { path: top, shape: 'object', groups: ['urls', 'ufpd'] } as const,
  ]),
  { path: 'ext.prebid.data', shape: 'object', groups: ['eids'] },
  { path: 'ext.prebid.bidderconfig[].config.ortb2', shape: 'object', groups: ALL },
  { path: 'ext.prebid.bidderconfig[].config', shape: 'object', groups: ALL },
  { path: 'ext.prebid.bidderconfig[]', shape: 'object', groups: ALL },
  { path: 'ext.prebid.bidderconfig', shape: 'array', groups: ALL },
  { path: 'ext.prebid', shape: 'object', groups: ALL },
  { path: 'ext', shape: 'object', groups: ALL },
  ...['openrtb.request.context', 'openrtb.request', 'openrtb'].map(
    (path) => ({ path, shape: 'object', groups: ALL }) as const,
  ),
];

const KEPT_WHEN_EMPTY = [...INVENTORY, 'imp[].ext', 'openrtb', 'openrtb.request', 'openrtb.request.context'];

function dropEmpty(copy: Json, has: Has): void {
  for (const { path, groups } of CONTAINERS) {
    if (KEPT_WHEN_EMPTY.includes(path) || !has(...groups)) continue;
    removeSlots(find(copy, path).filter(({ value }) => isEmpty(value)));
  }
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** `id`, `imp[].id` and `regs`, in each kind of request. */
function passes(path: string): boolean {
  return /^(id|imp\[\]\.id|regs|openrtb\.request\.(id|item\[\]\.id|context\.regs)|(openrtb\.request\.)?ext\.prebid\.bidderconfig\[\]\.config\.ortb2\.regs)$/i.test(
    path,
  );
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

/** Elements of an array, and members of an `imp` that is an object, all count as `[]`. */
function childPath(path: string, key: string, parent: unknown): string {
  const isList = Array.isArray(parent) || /^(imp|openrtb\.request\.item)$/i.test(path);
  return isList ? `${path}[]` : join(path, key);
}

/** Places of the table keep their meaning, whatever else the name may say. */
const TABLE_NAMES = [...REMOVED, ...CHANGED].flatMap(([, , paths]) => paths).flatMap(placesOf);

function removeNamed(parent: Json | unknown[], path: string, ids: boolean, eids: boolean, found: string[]): void {
  for (const [key, value] of Object.entries(parent)) {
    const here = childPath(path, key, parent);
    if (passes(here)) continue;
    const isOfTable = Array.isArray(parent) || TABLE_NAMES.some((name) => sameName(name, here));
    const goes = !isOfTable && goesByName(key, value, ids, eids);
    if (goes) {
      collectFrom(found, key, value, 'all');
      delete (parent as Json)[key];
    } else if (typeof value === 'object' && value !== null) {
      removeNamed(value as Json, here, ids, eids, found);
    }
  }
}

/** Texts with an e-mail address, URLs with ids, and the same in JSON that is a text. */
function cleanTexts(parent: Json | unknown[], path: string, has: Has, found: string[]): void {
  for (const [key, value] of Object.entries(parent).toReversed()) {
    const here = childPath(path, key, parent);
    if (passes(here)) continue;
    if (!Array.isArray(parent) && has('ids') && showsEmail(key)) delete parent[key];
    else if (typeof value === 'object' && value !== null) cleanTexts(value as Json, here, has, found);
    else if (typeof value === 'string') {
      const rest = cleanStrayText(cleanJson(value, has, found), has('ids'), has('urls'));
      if (rest === undefined) removeAt({ parent, key });
      else (parent as Json)[key] = rest;
    }
  }
}

function cleanJson(text: string, has: Has, found: string[]): string {
  const value = parsed(text);
  if (value === undefined) return text;
  const before = JSON.stringify(value);
  removeNamed(value, 'nested', has('ids'), has('eids'), found);
  cleanTexts(value, 'nested', has, found);
  const after = JSON.stringify(value);
  return after === before ? text : after;
}

function goesByName(key: string, value: unknown, ids: boolean, eids: boolean): boolean {
  const group = groupOfNamed(key, value);
  return (group === 'ids' && ids) || (group === 'eids' && eids);
}

function collectFrom(found: string[], key: string, value: unknown, how: Collect): void {
  const isAll = how === 'all' || how === 'addresses';
  if (Array.isArray(value)) {
    for (const element of value) collectFrom(found, key, element, how);
  } else if (isObject(value)) {
    for (const [name, inner] of Object.entries(value)) {
      collectFrom(found, name, inner, isAll || groupOfNamed(name, inner) === null ? how : 'all');
    }
  } else if (typeof value === 'number') {
    const isLong = Math.abs(value) >= 1e7;
    if (isLong && (isAll || (how === 'named' && isIdName(key)))) found.push(String(value));
  } else if (typeof value === 'string') {
    const inner = parsed(value);
    if (inner !== undefined) collectFrom(found, key, inner, isAll ? 'named' : how);
    if (how === 'addresses') {
      const says = (part: string) => part !== '' && !isPlaceholder(part) && !part.startsWith('127.');
      const parts = value.split(/[\s,]/).filter(says);
      if (parts.some(({ length }) => length >= 8)) found.push(...parts.filter(({ length }) => length >= 8));
      else if (parts.length > 0 && value.trim().length >= 8) found.push(value.trim());
      return;
    }
    const text = value.trim();
    if (text.length < 8 || isPlaceholder(text)) return;
    const shaped = isIdentifierShaped(text) || isTokenShaped(text);
    if (isAll || (how === 'named' && (isIdName(key) || shaped))) found.push(text);
  }
}

/** Removes every member and element that holds one of `found`, as it is, in another case or percent-encoded. */
function sweep(parent: Json | unknown[], path: string, found: readonly string[]): void {
  for (const [key, value] of Object.entries(parent).toReversed()) {
    const here = childPath(path, key, parent);
    if (passes(here)) continue;
    const slot = { parent, key, value };
    if (!Array.isArray(parent) && holds(key, found)) removeAt(slot);
    else if (typeof value === 'object' && value !== null) sweep(value as Json, here, found);
    else if ((typeof value === 'string' || typeof value === 'number') && holds(String(value), found)) {
      const rest = typeof value === 'string' ? sweptJson(value, found) : undefined;
      if (rest === undefined) removeAt(slot);
      else (parent as Json)[key] = rest;
    }
  }
}

function removeAt({ parent, key }: Omit<Slot, 'value'>): void {
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
}

function sweptJson(text: string, found: readonly string[]): string | undefined {
  const value = parsed(text);
  if (value === undefined) return undefined;
  sweep(value, 'nested', found);
  const rest = JSON.stringify(value);
  return holds(rest, found) ? undefined : rest;
}
