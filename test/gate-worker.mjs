/**
 * A worker thread with a gate over its parent's table; answers what it is asked.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads';
import { attachGate } from '../dist/gate-share.js';

const gate = attachGate(workerData);
parentPort.on('message', (question) => {
  if (question === 'close') {
    gate.close();
    parentPort.close();
    return;
  }
  const { action, reasons, seq, stale, policyVersion } = gate.check(question.request, question.context);
  parentPort.postMessage({ action, reasons: [...reasons], seq, stale, policyVersion });
});
