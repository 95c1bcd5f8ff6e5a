/**
 * What a route is: one row of the table that the application and the OpenAPI document are both made of.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Ledger } from '../../ledger/index.js';
import type { RelayHandler } from '../../sync/index.js';
import type { UnknownDestination } from '../observe/index.js';
import type { ExportBasis } from './export-route.js';
import type { ControlProblemCode } from './problems.js';
import type { AnswerName, Body, BodyName } from './schemas.js';
import type { Principal, TokenRole } from './tokens.js';

export type Method = 'get' | 'post' | 'put' | 'delete';

/** A parameter in the query or a header; parameters in the path are in the path. */
export interface Parameter {
  readonly in: 'query' | 'header';
  readonly name: string;
  readonly description: string;
  /** JSON Schema of its text. */
  readonly schema: object;
}

/** What comes back. `null`: no body. */
export interface DocumentedAnswer {
  readonly description: string;
  readonly body: AnswerName | { readonly mediaType: string } | null;
  /** Another media type it can come in. */
  readonly otherMediaType?: string;
  /** Names and meanings of headers. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Exchange<B extends BodyName | null = BodyName | null> {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The id in the path, decoded; empty where the path has none. */
  readonly id: string;
  readonly query: ReadonlyMap<string, string>;
  readonly body: B extends BodyName ? Body<B> : null;
  readonly principal: Principal;
  /** As the principal: what it does is recorded under its name. Only where the route needs it. */
  readonly ledger: Ledger;
  /** Aborted when the client goes, or the control plane closes. */
  readonly signal: AbortSignal;
}

/** `null`: whoever handled it has answered already. */
export type Reply = {
  readonly status: number;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
} | null;

export interface Route<B extends BodyName | null = BodyName | null> {
  readonly operationId: string;
  readonly method: Method;
  /** As OpenAPI writes it: `/v1/requests/{id}`. */
  readonly path: string;
  readonly summary: string;
  /** Who may; `null`: everybody, without a token. */
  readonly roles: readonly TokenRole[] | null;
  readonly parameters?: readonly Parameter[];
  /** A JSON body of this name. */
  readonly body: B;
  /** Media types of a body that the handler reads by itself. */
  readonly streams?: readonly string[];
  /** Name of that body in the document. */
  readonly streamBody?: 'EnforcerReport';
  readonly answers: Readonly<Record<number, DocumentedAnswer>>;
  /** What it can refuse, besides what every route with its roles, body and limits can. */
  readonly problems: readonly ControlProblemCode[];
  readonly needs: 'ledger' | 'relay' | null;
  /** How often anyone may ask is limited. */
  readonly isRateLimited?: boolean;
  /** It may wait for long, and is not counted among the requests in flight. */
  readonly isWaiting?: boolean;
  handle(exchange: Exchange<B>): Promise<Reply> | Reply;
}

/** A route, with the type of its body seen to. */
export function route<B extends BodyName | null>(row: Route<B>): Route {
  return row as unknown as Route;
}

/** What routes work with. They are only called where what they need is there. */
export interface RouteContext {
  /** As the system itself; what is done for somebody goes through {@link Exchange.ledger}. */
  readonly ledger: Ledger;
  readonly relay: RelayHandler;
  readonly exports: ExportBasis | null;
  readonly unknownDestinations: () => readonly UnknownDestination[];
}
