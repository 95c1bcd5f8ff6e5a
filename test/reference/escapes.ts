/**
 * Escapes undone by regular expressions: the slow twins of `percentDecoded` and `unescaped`.
 * @module
 */

/** Three layers deep. */
export function plainlyPercentDecoded(text: string): string {
  const undone = (layer: string): string =>
    layer.replace(/%([0-7][0-9A-Fa-f])/g, (_escape, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    );
  return undone(undone(undone(text)));
}

export function plainlyUnescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-f]{4})|\/)/gi, (_escape, digits: string | undefined) =>
    digits === undefined ? '/' : String.fromCharCode(Number.parseInt(digits, 16)),
  );
}
