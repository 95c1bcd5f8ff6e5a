/**
 * Tells whether a JSON text holds a key twice: then it has more members than its value, and what parsing dropped (an
 * identifier, say) would still be in the text.
 * @module
 */

/** Members of all objects in a JSON text: the colons outside its strings. The text must be JSON. */
function membersOfText(text: string): number {
  let count = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 0x22) inString = !inString;
    else if (unit === 0x5c) at++;
    else if (unit === 0x3a && !inString) count++;
  }
  return count;
}

/** Members of all objects in a value. Walks with a list of its own, since values can be nested deep. */
function membersOfValue(value: unknown): number {
  let count = 0;
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== 'object' || next === null) continue;
    const inner = Object.values(next);
    if (!Array.isArray(next)) count += inner.length;
    for (const item of inner) open.push(item);
  }
  return count;
}

/** Whether some object in the text has a key more than once. `value` is what the text parses to. */
export function hasRepeatedKeys(text: string, value: unknown): boolean {
  return membersOfText(text) !== membersOfValue(value);
}
