/**
 * Where the code of a worker thread lies. Worker threads load no TypeScript, so a worker that is started from a source
 * file (tests) runs from the build.
 * @module
 */

/**
 * The file to start a worker from, `relative` to the module at `moduleUrl`.
 * @example new Worker(workerUrl('./build-worker.js', import.meta.url))
 */
export function workerUrl(relative: string, moduleUrl: string): URL {
  const url = new URL(relative, moduleUrl);
  if (!moduleUrl.endsWith('.ts')) return url;
  const folderAt = url.pathname.lastIndexOf('/src/');
  const built = `${url.pathname.slice(0, folderAt)}/dist/${url.pathname.slice(folderAt + '/src/'.length)}`;
  if (folderAt !== -1) url.pathname = built.replace(/\.ts$/, '.js');
  return url;
}
