/**
 * Packages that a test wants not to be installed, wherever above its folder they may be.
 * @module
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Puts an empty folder in the place of each: Node.js looks no further, and finds nothing there. */
export async function hidePackages(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const place = join(folder, 'node_modules', name);
    await mkdir(place, { recursive: true });
    await writeFile(join(place, 'package.json'), '{}');
  }
}
