// Answers one line of JSON with one line of JSON: what a case pays, or how long it takes.

import process from 'node:process';
import { createInterface } from 'node:readline';

import { pay } from './sheet.mjs';

async function time(bought, runs) {
  const start = process.hrtime.bigint();
  for (let run = 0; run < runs; run += 1) await pay(bought);
  return Number(process.hrtime.bigint() - start);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { bought, runs } = JSON.parse(line);
  const answer = runs === undefined ? await pay(bought) : await time(bought, runs);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
