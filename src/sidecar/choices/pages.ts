/**
 * The public pages: where a person opts out, sees what became of it, and opts in again (docs/privacy-choices.md).
 *
 * Needs no account, no cookie and no script. What is entered goes into the ledger, or back into the form it came from: it is
 * in no address, no log and no other page.
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { GateError, InputError } from '../../core/errors.js';
import type { Identifier } from '../../core/vocabulary.js';
import { isRequestId, type Ledger } from '../../ledger/index.js';
import { ProblemError } from '../control-plane/problems.js';
import { type Assets, loadAssets } from './assets.js';
import { cookieIdentifiers, hasSignal } from './browser-facts.js';
import { type FormData, readForm } from './form-data.js';
import { EMPTY_VALUES, type FormState, formPage } from './form-view.js';
import { type Entered, enteredIn, fieldErrors, type Intake, optInOf, optOutOf } from './intake.js';
import { languageNamed, languageOf } from './language.js';
import { addressOf, type Page, type View, viewOf } from './layout.js';
import { type NoticeName, noticePage } from './notice-view.js';
import { confirmPage, optInPage } from './opt-in-view.js';
import { isForeign } from './origin.js';
import { ASSETS_PATH, BASE_PATH, GPC_PATH, PATHS, pageNameAt } from './paths.js';
import { PageRates } from './rates.js';
import { type FormName, Sealer } from './seal.js';
import { redirect, sendAsset, sendGpc, sendPage } from './send.js';
import type { ChoicesSettings } from './settings.js';
import { SignalIntake } from './signal-intake.js';
import { honoredPage, receiptPage, statusPage } from './status-view.js';

export interface PublicPagesOptions {
  readonly settings: ChoicesSettings;
  /** `null`: it cannot be reached yet. */
  readonly ledger: () => Ledger | null;
  /** A page failed for a reason nobody expected, or what a signal asks for could not be recorded. */
  readonly onFailure?: (error: unknown) => void;
  /** So many ids of browsers with a signal were not recorded. */
  readonly onSignalsDropped?: (count: number) => void;
  /** Once: somebody names others in `X-Forwarded-For` and is not trusted. */
  readonly onUntrustedProxy?: () => void;
  /** A request for a page, by its name. */
  readonly onRequest?: (page: string, response: ServerResponse) => void;
  /** Wall clock, ms. */
  readonly now?: () => number;
  /** Monotonic ms. */
  readonly elapsed?: () => number;
  readonly random?: (bytes: number) => Uint8Array;
}

/** A page, or an address to go to. */
type Outcome = Page | { readonly to: string };

interface Visit {
  readonly request: IncomingMessage;
  readonly query: URLSearchParams;
  readonly view: View;
  readonly cookieIds: readonly Identifier[];
}

/** A form that was sent from a page of ours. */
interface Sent extends Visit {
  readonly form: FormData;
  readonly nonce: string;
  /** With a seal that is good still. */
  readonly isSealed: boolean;
  readonly entered: Entered;
}

export class PublicPages {
  private readonly assets: Assets;
  private readonly sealer: Sealer;
  private readonly rates: PageRates;
  private readonly signals: SignalIntake;
  private working = 0;

  constructor(private readonly options: PublicPagesOptions) {
    const { settings, now = Date.now, elapsed = () => performance.now(), random = randomBytes } = options;
    const { limits } = settings;
    this.assets = loadAssets(BASE_PATH, settings.stylesheet);
    this.sealer = new Sealer(settings.sealKey, limits.formMs, now, random);
    this.rates = new PageRates(limits, settings.trusted, elapsed, () => options.onUntrustedProxy?.());
    this.signals = new SignalIntake(this.sealer, {
      ledger: options.ledger,
      knownIdsMax: limits.knownIdsMax,
      onFailure: (error) => this.tell(error),
      onDropped: (count) => options.onSignalsDropped?.(count),
    });
  }

  /** Answers if the path is one of these pages; false if it is not, and nothing was done. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const { url = '' } = request;
    const path = url.split('?', 1)[0]?.replace(/(.)\/$/, '$1') ?? '';
    if (path !== BASE_PATH && !path.startsWith(`${BASE_PATH}/`) && path !== GPC_PATH) return false;
    response.on('error', () => {}); // the client has gone
    this.options.onRequest?.(pageNameAt(path), response);
    this.answer(path, request, response).catch((error: unknown) => {
      this.tell(error);
      response.destroy();
    });
    return true;
  }

  /** Resolves when everything a signal asked for is recorded. */
  close(): Promise<void> {
    return this.signals.settle();
  }

  private async answer(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { settings } = this.options;
    const isLook = request.method === 'GET' || request.method === 'HEAD';
    if (isLook && path === GPC_PATH) return sendGpc(response, settings.gpcUpdated);
    if (isLook && path.startsWith(ASSETS_PATH)) {
      const asset = Object.entries(this.assets).find(([name]) => name === path.slice(ASSETS_PATH.length))?.[1];
      if (asset !== undefined) return sendAsset(response, asset, request.url?.endsWith(`?v=${asset.version}`) === true);
    }
    const visit = this.visitOf(path, request);
    const outcome = await this.limited(path, visit, isLook);
    if (!isLook && !request.complete) response.setHeader('connection', 'close'); // nobody reads the rest
    if ('to' in outcome) redirect(response, outcome.to);
    else sendPage(response, visit.view, outcome);
  }

  private visitOf(path: string, request: IncomingMessage): Visit {
    const { settings } = this.options;
    const { headers, url = '' } = request;
    const query = new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?')) : '');
    const cookieIds = cookieIdentifiers(headers, settings.cookieIds);
    const receipt = query.get('receipt') ?? '';
    const view = viewOf({
      language: languageNamed(query.get('lang')) ?? languageOf(headers['accept-language']),
      settings,
      assets: this.assets,
      isEmbedded: path === PATHS.embed || query.get('embed') === '1',
      hasSignal: hasSignal(headers),
      knowsBrowser: cookieIds.length > 0,
      isIdIncluded: false,
      // of what is asked for only a receipt goes into an address again, and nothing that merely looks like one
      address: path === PATHS.status && isRequestId(receipt) ? `${path}?receipt=${receipt}` : knownPath(path),
    });
    return { request, query, view, cookieIds };
  }

  private async limited(path: string, visit: Visit, isLook: boolean): Promise<Outcome> {
    const { request, view } = visit;
    const { limits } = this.options.settings;
    const waitMs = this.rates.take(isLook ? 'look' : 'submit', request);
    const refuse = (name: NoticeName, seconds: number) => noticePage(view, name, { 'retry-after': String(seconds) });
    if (waitMs > 0) return refuse('tooOften', Math.ceil(waitMs / 1000));
    if (this.working >= limits.requestsInFlightMax) return refuse('busy', 1);
    this.working++;
    try {
      return isLook ? await this.look(path, visit) : await this.take(path, visit);
    } catch (error) {
      if (error instanceof ProblemError) return noticePage(view, NOTICE_OF[error.code] ?? 'broken');
      this.tell(error);
      return noticePage(view, 'failed');
    } finally {
      this.working--;
    }
  }

  private look(path: string, visit: Visit): Outcome | Promise<Outcome> {
    const { cookieIds, request } = visit;
    const isNoted = visit.view.hasSignal && cookieIds.length > 0;
    const isIdIncluded = isNoted && this.signals.note(cookieIds, () => this.rates.take('signal', request) === 0);
    const view = { ...visit.view, isIdIncluded };
    switch (path) {
      case PATHS.form:
      case PATHS.embed:
        return formPage(view, { ...BLANK, seal: this.sealer.seal('opt-out') });
      case PATHS.honored:
        return honoredPage(view);
      case PATHS.status:
        return this.status(visit);
      case PATHS.optIn:
        return optInPage(view, { ...BLANK, seal: this.sealer.seal('opt-in') });
      case PATHS.confirm:
        return { to: addressOf(view, PATHS.optIn) };
      default:
        return noticePage(view, 'notFound');
    }
  }

  private async status({ view, query }: Visit): Promise<Page> {
    const receipt = (query.get('receipt') ?? '').trim();
    if (!query.has('receipt')) return statusPage(view, '', null);
    if (!isRequestId(receipt)) return statusPage(view, receipt, 'malformed');
    const ledger = this.options.ledger();
    if (ledger === null) return noticePage(view, 'noStatus');
    try {
      const [record, propagation] = await Promise.all([ledger.request(receipt), ledger.propagation(receipt)]);
      // lists of others are nobody's own request
      if (record.nature === 'import') return statusPage(view, receipt, 'unknown');
      return receiptPage(view, { record, propagation, hasRemaining: query.get('remaining') === '1' });
    } catch (error) {
      if (isCode(error, 'ledger.unknown_request')) return statusPage(view, receipt, 'unknown');
      if (isCode(error, 'ledger.unavailable')) return noticePage(view, 'noStatus');
      throw error;
    }
  }

  private async take(path: string, visit: Visit): Promise<Outcome> {
    const { request, view } = visit;
    const name = FORM_AT[path];
    if (request.method !== 'POST' || name === undefined) {
      return noticePage(view, 'method', {
        allow: name === undefined ? 'GET, HEAD' : 'GET, HEAD, POST',
      });
    }
    if (isForeign(request, this.options.settings.trusted)) return noticePage(view, 'foreign');
    const form = await readForm(request, this.options.settings.limits);
    const seal = this.sealer.read(name, form.text('seal'));
    // an opt-out counts whatever its seal: the key may be that of a process that has ended
    const nonce = () => Buffer.from((this.options.random ?? randomBytes)(NONCE_BYTES)).toString('base64url');
    const sent = this.sentOf(name, visit, form, seal.kind === 'good' ? seal : { nonce: nonce(), ageMs: null });
    if (seal.kind === 'expired' && name !== 'opt-out') return this.again(name, sent, { notice: 'expired' });
    switch (name) {
      case 'opt-out':
        return this.optOut(sent);
      case 'opt-in':
        return this.optIn(sent);
      case 'confirm':
        return this.confirm(sent);
      default:
        return name satisfies never;
    }
  }

  /** The visit with what the form says: also the signal, where only a script could see it. */
  private sentOf(
    name: FormName,
    visit: Visit,
    form: FormData,
    seal: { readonly nonce: string; readonly ageMs: number | null },
  ): Sent {
    const view = { ...visit.view, hasSignal: visit.view.hasSignal || form.text('gpc') === '1' };
    const facts = { cookieIds: visit.cookieIds, hasSignal: view.hasSignal, ageMs: seal.ageMs };
    // an id that anyone can write into a form takes nothing back
    const entered = enteredIn(form, facts, name === 'opt-out' ? this.options.settings.embedKinds : []);
    return { ...visit, view, form, nonce: seal.nonce, isSealed: seal.ageMs !== null, entered };
  }

  private async optOut(sent: Sent): Promise<Outcome> {
    const { view, nonce, entered } = sent;
    const intake = optOutOf(entered, nonce, this.sealer, view.strings);
    if (intake.kind === 'nothing') return { to: addressOf(view, PATHS.honored) };
    return this.withLedger('opt-out', sent, intake, async (ledger, input) => {
      const { requestId } = await ledger.recordOptOut(input);
      return { to: addressOf(view, PATHS.status, { receipt: requestId }) };
    });
  }

  private async optIn(sent: Sent): Promise<Outcome> {
    const { view, entered } = sent;
    const { optIn } = this.options.settings;
    if (optIn === 'off' || (optIn === 'browser' && entered.browserIds.length === 0)) {
      return { to: addressOf(view, PATHS.optIn) };
    }
    const intake = optInOf(entered, optIn, view.strings);
    return this.withLedger('opt-in', sent, intake, async (ledger, input) => {
      const { requestId, confirmation } = await ledger.recordOptIn(input);
      return confirmPage(view, { requestId, confirmation: confirmation ?? '', seal: this.sealer.seal('confirm') });
    });
  }

  private async confirm({ view, form }: Sent): Promise<Outcome> {
    const [requestId, confirmation] = [form.text('request'), form.text('confirmation')];
    const ledger = this.options.ledger();
    if (ledger === null) return noticePage(view, 'unavailable');
    try {
      const { remaining } = await ledger.confirmOptIn(requestId, confirmation);
      const query = { receipt: requestId, ...(remaining.length === 0 ? {} : { remaining: '1' }) };
      return { to: addressOf(view, PATHS.status, query) };
    } catch (error) {
      if (isCode(error, 'ledger.unavailable')) return noticePage(view, 'unavailable');
      if (error instanceof InputError || isCode(error, 'ledger.unknown_request'))
        return noticePage(view, 'confirmExpired');
      throw error;
    }
  }

  private async withLedger(
    name: 'opt-out' | 'opt-in',
    sent: Sent,
    intake: Intake,
    record: (ledger: Ledger, input: Extract<Intake, { kind: 'request' }>['input']) => Promise<Outcome>,
  ): Promise<Outcome> {
    if (intake.kind === 'wrong') return this.again(name, sent, { errors: intake.errors });
    const ledger = this.options.ledger();
    if (ledger === null || intake.kind === 'nothing') return this.again(name, sent, { notice: 'unavailable' });
    try {
      return await record(ledger, intake.input);
    } catch (error) {
      const errors = fieldErrors(error, intake.fieldOf, sent.view.strings);
      if (errors !== null) return this.again(name, sent, { errors });
      if (isCode(error, 'ledger.unavailable')) return this.again(name, sent, { notice: 'unavailable' });
      throw error;
    }
  }

  /** The form as it was sent, with what is wrong. A good seal stays, so that a form sent again is the same request. */
  private again(name: FormName, sent: Sent, wrong: Partial<Pick<FormState, 'errors' | 'notice'>>): Page {
    const { view, entered, form } = sent;
    if (name === 'confirm') return noticePage(view, 'confirmExpired');
    const seal = sent.isSealed ? form.text('seal') : this.sealer.seal(name);
    const state = { ...BLANK, values: entered.values, choices: entered.choices, seal, ...wrong };
    return name === 'opt-out' ? formPage(view, state) : optInPage(view, state);
  }

  private tell(error: unknown): void {
    this.options.onFailure?.(error);
  }
}

const NONCE_BYTES = 16;
const BLANK = { values: EMPTY_VALUES, choices: ['all'], errors: {}, notice: null } as const;
const FORM_AT: Readonly<Record<string, FormName>> = {
  [PATHS.form]: 'opt-out',
  [PATHS.optIn]: 'opt-in',
  [PATHS.confirm]: 'confirm',
};
const NOTICE_OF: Readonly<Record<string, NoticeName>> = {
  'http.too_large': 'tooLarge',
  'http.timeout': 'timeout',
  'http.media_type': 'mediaType',
};

function knownPath(path: string): string {
  return Object.values(PATHS).find((known) => known === path) ?? BASE_PATH;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof GateError && error.code === code;
}
