// The ten rules as json-rules-engine has them: conditions over facts, and an event that says what
// is paid. Money is in cents, since JavaScript's numbers are floating point.

import { Engine } from 'json-rules-engine';

const always = { all: [] };
const all = (...conditions) => ({ all: conditions });
const condition = (fact, path, operator, value) => ({ fact, path, operator, value });
const quantity = (of) => ({ fact: 'quantity', params: { of } });
const spent = (on) => ({ fact: 'spent', params: { on } });

// Each pays `units`, times `times`, over `per`.
const sheet = [
  [always, { units: { fact: 'order', path: 'total' }, per: 100 }],
  [all(condition('member', 'tier', 'equal', 'Gold')), { double: 0 }],
  [all(condition('now', 'weekend', 'equal', true), condition('now', 'hour', 'lessThan', 11)), { units: 15 }],
  [all({ ...quantity('beans'), operator: 'greaterThanInclusive', value: 2 }), { units: 40 }],
  [all(condition('activity', 'payment', 'equal', 'app')), { units: 5 }],
  [always, { units: quantity('coffee') }],
  [always, { units: spent('tea'), times: 3, per: 100 }],
  [all(condition('activity', 'channel', 'equal', 'web'), condition('member', 'web_orders_today', 'equal', 0)), { units: 10 }],
  [all(condition('order', 'total', 'greaterThan', 5000)), { units: 25 }],
  [all(condition('member', 'tags', 'contains', 'founder'), condition('member', 'points', 'greaterThanInclusive', 500)), { units: 10 }],
];

// What its manual offers for speed is used: a path resolver that reads a property, where JSONPath
// is the default, and no cache for facts that are asked for once.
const engine = new Engine(
  sheet.map(([conditions, params], rule) => ({
    conditions,
    event: { type: 'paid', params: { rule, ...params } },
  })),
  { replaceFactsInEventParams: true, pathResolver: (fact, path) => fact[path] },
);
const sum = (lines, category, value) =>
  lines.reduce((sum, line) => (line.category === category ? sum + value(line) : sum), 0);
engine.addFact(
  'quantity',
  async ({ of }, almanac) => sum((await almanac.factValue('order')).lines, of, (line) => line.quantity),
  { cache: false },
);
engine.addFact(
  'spent',
  async ({ on }, almanac) => sum((await almanac.factValue('order')).lines, on, (line) => line.price * line.quantity),
  { cache: false },
);

// The facts of one evaluation, made anew for each as in every other engine.
const facts = (bought) => ({
  member: {
    tier: bought.tier,
    tags: [...bought.tags],
    points: bought.points,
    web_orders_today: bought.web_orders_today,
  },
  order: { total: bought.total, lines: bought.lines.map((line) => ({ ...line })) },
  activity: { payment: bought.payment, channel: bought.channel },
  now: { weekend: bought.weekend, hour: bought.hour },
});

// What each rule pays. The rules run side by side, so what "double for Gold" doubles is folded in
// afterwards: a second round of rules would cost this engine more.
export async function pay(bought) {
  const { events } = await engine.run(facts(bought));
  const paid = new Array(sheet.length).fill(0);
  let double;
  for (const { params } of events) {
    if (params.double === undefined) {
      paid[params.rule] = Math.floor((params.units * (params.times ?? 1)) / (params.per ?? 1));
    } else {
      double = params;
    }
  }
  if (double !== undefined) paid[double.rule] = paid[double.double];
  return paid;
}
