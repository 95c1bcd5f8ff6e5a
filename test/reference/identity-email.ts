/**
 * The slow, obvious version of what counts as an e-mail address: one character after the other.
 * @module
 */

/** One address alone: a name, one `@`, a domain of two labels or more, without punctuation. White space is allowed in and around the name. */
export function referenceIsEmail(value: string): boolean {
  let text = value.trim();
  if (text.endsWith('.')) text = text.slice(0, -1);
  for (const character of text) {
    if ('<>",;:()'.includes(character)) return false;
    if (/\p{Cf}|\p{Cs}|\p{Default_Ignorable_Code_Point}/u.test(character)) return false;
    if (/\p{Cc}/u.test(character) && character.trim() !== '') return false;
  }
  const parts = text.split('@');
  if (parts.length !== 2) return false;
  const [name = '', domain = ''] = parts;
  const labels = domain.trimStart().split('.');
  if (name.trim() === '' || labels.length < 2) return false;
  const isInDomain = (character: string) => character.trim() !== '' && !"!#$%&'*+/=?^`{|}~\\".includes(character);
  return labels.every((label) => label !== '' && [...label].every(isInDomain));
}
