/**
 * Puts the privacy-choices form into a page of a site, in a frame that is as high as what is in it:
 *
 *   <script src="https://privacy.example/privacy-choices/assets/embed.js" data-lang="es" async></script>
 *
 * `data-id` and `data-id-kind` pass the site's own id of this visitor; it travels from frame to frame and in the form, and is in
 * no address. `data-title` names the frame.
 */
(() => {
  const script = document.currentScript;
  if (!(script instanceof HTMLScriptElement)) return;
  const { lang, id, idKind, title } = script.dataset;
  const source = new URL('../embed', script.src);
  source.search = '';
  source.searchParams.set('lang', lang ?? (document.documentElement.lang.slice(0, 2) || 'en'));

  const frame = document.createElement('iframe');
  frame.src = source.href;
  frame.title = title ?? 'Privacy choices';
  frame.width = '100%';
  frame.height = '900';
  frame.style.border = '0';
  frame.style.colorScheme = 'light dark';

  window.addEventListener('message', (event) => {
    if (event.source !== frame.contentWindow || event.origin !== source.origin) return;
    const { type, height } = event.data ?? {};
    if (type === 'optgate:height' && Number.isFinite(height))
      frame.height = String(Math.min(Math.max(height, 200), 5000));
    if (type === 'optgate:ready' && id !== undefined && idKind !== undefined) {
      frame.contentWindow?.postMessage({ type: 'optgate:id', kind: idKind, id }, source.origin);
    }
  });
  script.after(frame);
})();
