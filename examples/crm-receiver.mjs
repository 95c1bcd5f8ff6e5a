#!/usr/bin/env node
/**
 * A small CRM that is told of opt-outs by optgate: verifies, tells repeats, suppresses contacts.
 *
 *     OPTGATE_WEBHOOK_SECRET=whsec_… node examples/crm-receiver.mjs contacts.json 8090
 *
 * contacts.json: { "contacts": [{ "id": "c1", "email": "jane@example.com", "phone": "+14155550100" }] }. Everything it learns is
 * written there before it answers, so that nothing it has accepted is lost. Needs nothing but Node.
 * @module
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

/** Largest body that is read. */
const BODY_BYTES_MAX = 4 * 1024 * 1024;
/** How far the time of a delivery may be from ours. */
const TOLERANCE_SECONDS = 300;
/** Ids of events that are remembered. */
const SEEN_MAX = 100_000;

const [path = 'contacts.json', port = '8090'] = process.argv.slice(2);
/** One or, while one is exchanged for another, several. */
const secrets = (process.env.OPTGATE_WEBHOOK_SECRET ?? '').split(',').filter((secret) => secret !== '');
if (secrets.length === 0) {
  process.stderr.write('crm-receiver: OPTGATE_WEBHOOK_SECRET is not set\n');
  process.exit(2);
}

const crm = { seen: [], ...JSON.parse(readFileSync(path, 'utf8')) };
const seen = new Set(crm.seen);

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** The contacts that have a digest: of the e-mail address in lower case, of the phone number in E.164. */
function contactsByDigest() {
  const found = new Map();
  const add = (digest, contact) => found.set(digest, [...(found.get(digest) ?? []), contact]);
  for (const contact of crm.contacts) {
    if (contact.email) add(`email_sha256 ${sha256(contact.email.trim().toLowerCase())}`, contact);
    if (contact.phone) add(`phone_sha256 ${sha256(contact.phone.replace(/[^+\d]/g, ''))}`, contact);
  }
  return found;
}

function isGenuine(headers, body) {
  const timestamp = headers['x-optgate-timestamp'] ?? '';
  if (!/^\d{1,12}$/.test(timestamp)) return false;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) return false;
  const given = (headers['x-optgate-signature'] ?? '').split(',').map((one) => one.trim());
  return secrets.some((secret) => {
    const expected = Buffer.from(
      `v1=${createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex')}`,
    );
    return given.some((one) => one.length === expected.length && timingSafeEqual(Buffer.from(one), expected));
  });
}

/** An older event than the last about a contact changes nothing: a dead one may come back long after. */
function apply(event) {
  const found = contactsByDigest();
  for (const { digests = [], rights } of event.identifiers ?? []) {
    for (const { kind, hex } of digests) {
      for (const contact of found.get(`${kind} ${hex}`) ?? []) {
        if ((contact.seq ?? 0) >= event.seq) continue;
        const isSuppressed = isSuppressedBy(event, rights);
        if (isSuppressed !== null)
          Object.assign(contact, { suppressed: isSuppressed, seq: event.seq, request: event.request?.id });
      }
    }
  }
}

/** `null`: the event says nothing of it. */
function isSuppressedBy(event, rights) {
  if (event.event === 'opt_out.recorded') return true;
  if (event.event === 'import.completed' || event.event === 'import.interrupted') return rights.length > 0;
  if (event.event === 'opt_in.confirmed' || event.event === 'opt_out.denied') return event.remaining.length > 0;
  return null;
}

function save() {
  crm.seen = [...seen].slice(-SEEN_MAX);
  writeFileSync(`${path}.new`, JSON.stringify(crm, null, 2));
  renameSync(`${path}.new`, path);
}

function receive(headers, body) {
  if (!isGenuine(headers, body)) return 401;
  const event = JSON.parse(body.toString('utf8'));
  if (seen.has(event.id)) return 200; // at least once: it may come again
  apply(event);
  seen.add(event.id);
  save();
  return 204;
}

const server = createServer((request, response) => {
  const pieces = [];
  let bytes = 0;
  request.on('data', (piece) => {
    bytes += piece.length;
    if (bytes > BODY_BYTES_MAX) response.writeHead(413, { connection: 'close' }).end();
    else pieces.push(piece);
  });
  request.on('end', () => {
    if (response.headersSent) return;
    if (request.method !== 'POST') return void response.writeHead(405, { allow: 'POST' }).end();
    try {
      response.writeHead(receive(request.headers, Buffer.concat(pieces))).end();
    } catch (error) {
      process.stderr.write(`crm-receiver: ${error.name}\n`); // nothing of what was sent
      response.writeHead(500).end();
    }
  });
});
server.listen(Number(port), '127.0.0.1', () => {
  process.stdout.write(`listening on http://127.0.0.1:${server.address().port}\n`);
});
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => server.close(() => process.exit(0)));
