#!/usr/bin/env bash
# Packs the project, installs the tarball into an empty project, imports every entry point and runs the command.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
(cd "$root" && npm pack --silent --pack-destination "$folder" >/dev/null)
cd "$folder"
npm init --yes >/dev/null
npm install --silent ./optgate-*.tgz
cat > smoke.mjs <<'JS'
import { createGate, parsePolicy } from 'optgate';
import { connect } from 'optgate/client';
import { createGate as fromCore } from 'optgate/core';
import { filterRows, parseMapping } from 'optgate/exports';
if (createGate !== fromCore) throw new Error('two copies of the gate');
const gate = createGate({ table: 'none', policy: parsePolicy({ version: 'smoke' }) });
const decision = gate.check({ id: '1', imp: [], regs: { ext: { gpc: '1' } } });
if (decision.action !== 'restrict' || decision.reasons[0] !== 'gpc.regs') throw new Error(JSON.stringify(decision));
if (typeof filterRows !== 'function' || parseMapping('email=mail').length !== 1) throw new Error('no exports');
const client = connect({ path: './nobody' });
const unasked = await client.check({ imp: [] });
if (unasked.action !== 'restrict' || unasked.reasons[0] !== 'client.unavailable') throw new Error(JSON.stringify(unasked));
await client.close();
JS
node smoke.mjs
echo '{"id":"1","imp":[{"id":"1"}],"regs":{"us_privacy":"1YYN"}}' | npx optgate check | grep -q '"action":"restrict"'
echo "installed and ran: $(npx optgate --version)"
