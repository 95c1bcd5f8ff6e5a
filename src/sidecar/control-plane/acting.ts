/**
 * Under whom the ledger records what comes through the control plane.
 * @module
 */
import type { Actor, Ledger } from '../../ledger/index.js';
import type { ControlPlaneOptions } from './options.js';
import type { Principal } from './tokens.js';

/** Whoever has no token is the public. */
export function actorOf(principal: Principal | null, via: Actor['via'] = 'http'): Actor {
  return { role: principal?.role ?? 'public', name: principal?.name ?? null, via };
}

/** The ledger as `principal` uses it; what is no ledger as it is. */
export function actingAs(
  ledger: ControlPlaneOptions['ledger'],
  principal: Principal | null,
  via: Actor['via'] = 'http',
): ControlPlaneOptions['ledger'] {
  return isLedger(ledger) ? ledger.actingAs(actorOf(principal, via)) : ledger;
}

function isLedger(ledger: ControlPlaneOptions['ledger']): ledger is Ledger {
  return typeof ledger === 'object' && ledger !== null;
}
