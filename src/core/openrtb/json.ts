/**
 * Parsed JSON from outside, and copying it without surprises.
 * @module
 */

export type JsonObject = Record<string, unknown>;

/** Deepest nesting that is looked at. No specification needs a quarter of it; what lies deeper is not passed on unseen. */
export const DEPTH_MAX = 64;

/** HOT. A JSON object: not `null`, not an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** HOT. Sets an own member. Assigning to `__proto__` would set the prototype instead. */
export function setMember(target: JsonObject, key: string, value: unknown): void {
  if (key !== '__proto__') target[key] = value;
  else Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
}

export function hasMembers(value: object): boolean {
  for (const _key in value) return true;
  return false;
}

const LOOKS_LIKE_JSON = /^\s*[[{]/;

/** The object or array that a text is the JSON of; `undefined` where it is none. */
export function parsedJson(text: string): object | undefined {
  if (!LOOKS_LIKE_JSON.test(text)) return undefined;
  try {
    return JSON.parse(text) as object;
  } catch {
    return undefined;
  }
}
