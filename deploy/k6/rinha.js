// The contest's load, stages and audits, as a plan tells them: `cargo xtask rinha` writes the
// plan, runs this script, and counts the money. The script itself only counts payments.
//
//   k6 run -e PLAN=plan.json -e RESULT=result.json deploy/k6/rinha.js
import http from 'k6/http';
import exec from 'k6/execution';
import { sleep } from 'k6';
import { Counter, Gauge } from 'k6/metrics';

import { difference, lasts, ownTotals, processorTotals, totalsQuery } from './books.js';

const plan = JSON.parse(open(__ENV.PLAN));

const accepted = new Counter('payments_accepted');
const failed = new Counter('payments_failed');
const audits = new Counter('audits');
const slowAudits = new Counter('audits_slow');
const differingAudits = new Counter('audits_differing');
const lastingDifferences = new Counter('audits_still_differing');
const audited = plan.processors.map((processor) => new Counter(`audited_${processor.name}`));
const held = plan.processors.map((processor) => new Gauge(`held_${processor.name}`));
const summed = plan.processors.map((processor) => new Gauge(`summed_${processor.name}`));
const misheld = new Gauge('wrong_amounts');

// Users that come one by one, or payments at an even pace whoever sends them.
const load = plan.users
  ? {
      exec: 'use',
      executor: 'ramping-vus',
      startVUs: 1,
      gracefulRampDown: '0s',
      stages: [{ target: plan.users, duration: `${plan.seconds}s` }],
    }
  : {
      exec: 'pay',
      executor: 'constant-arrival-rate',
      rate: plan.perSecond,
      duration: `${plan.seconds}s`,
      preAllocatedVUs: 100,
      maxVUs: 500,
    };
const scenarios = { payments: load };
if (plan.audit) {
  scenarios.audits = {
    exec: 'audit',
    executor: 'constant-vus',
    vus: 1,
    duration: `${plan.seconds}s`,
  };
}
if (plan.stages.length > 0) {
  const last = plan.stages[plan.stages.length - 1].atMs;
  scenarios.stages = {
    exec: 'turn',
    executor: 'per-vu-iterations',
    vus: 1,
    iterations: 1,
    maxDuration: `${Math.ceil(last / 1000) + 10}s`,
  };
}

export const options = {
  scenarios,
  summaryTrendStats: ['p(50)', 'p(99)', 'p(99.9)', 'max', 'count'],
  // Without a threshold there are no figures of a part of the requests.
  thresholds: {
    'http_req_duration{expected_response:true}': [],
    'http_req_duration{kind:payment,expected_response:true}': [],
  },
};

const paymentsUrl = `${plan.target}/payments`;
const paymentParameters = {
  headers: { 'Content-Type': 'application/json' },
  tags: { kind: 'payment' },
  timeout: plan.timeoutMs,
};

export function pay() {
  const body = `{"correlationId":"${crypto.randomUUID()}","amount":${plan.amount}}`;
  const response = http.post(paymentsUrl, body, paymentParameters);
  if (response.status >= 200 && response.status < 300) {
    accepted.add(1);
    failed.add(0);
  } else {
    failed.add(1);
    console.warn(`POST /payments: ${response.status} ${response.error} ${response.body}`);
  }
}

// One user: a payment, and a second of rest.
export function use() {
  pay();
  sleep(1);
}

// Compares our books with the processors' in a window that ended a moment ago.
function compareBooks(now) {
  const { fromMs, toMs, againAfterMs } = plan.audit;
  const window = totalsQuery(new Date(now - fromMs), new Date(now - toMs));
  const first = difference(plan, window);
  audits.add(1);
  first.theirs.forEach(({ count }, place) => audited[place].add(count));
  slowAudits.add(first.slow ? 1 : 0);
  differingAudits.add(first.text ? 1 : 0);
  if (first.text) {
    sleep(againAfterMs / 1000);
    const second = difference(plan, window);
    lastingDifferences.add(lasts(first, second) ? 1 : 0);
    const then = second.text ? `then ${second.text}` : 'and then no more';
    console.warn(`audit${window}: ${first.text}, ${then}`);
  }
}

// An audit that fails is none, so the run is incomplete; the next one keeps its time all the
// same.
export function audit() {
  const now = Date.now();
  try {
    compareBooks(now);
  } finally {
    sleep(Math.max(0, now + plan.audit.everyMs - Date.now()) / 1000);
  }
}

function set(stage) {
  const requests = [];
  plan.processors.forEach((processor, place) => {
    const parameters = {
      headers: { 'Content-Type': 'application/json', 'X-Rinha-Token': processor.token },
    };
    const put = (name, value) =>
      requests.push([
        'PUT',
        `${processor.url}/admin/configurations/${name}`,
        JSON.stringify(value),
        parameters,
      ]);
    put('delay', { delay: stage.processors[place].delayMs });
    put('failure', { failure: stage.processors[place].failing });
  });
  http.batch(requests).forEach((response) => {
    if (response.status < 200 || response.status >= 300) {
      exec.test.abort(`a processor did not take its setting: ${response.status}`);
    }
  });
}

// Sets the processors as the stages say, each at its time.
export function turn() {
  const start = exec.scenario.startTime;
  for (const stage of plan.stages) {
    sleep(Math.max(0, start + stage.atMs - Date.now()) / 1000);
    set(stage);
  }
}

export function setup() {
  if (plan.stages.length > 0) set(plan.stages[0]);
}

// What counts in the end is what the processors hold at this moment.
export function teardown() {
  const ours = ownTotals(plan, '').totals;
  plan.processors.forEach((processor, place) => {
    const theirs = processorTotals(processor, '');
    held[place].add(theirs.count);
    summed[place].add(ours[place].count);
    if (theirs.cents !== theirs.count * plan.amountCents) misheld.add(1);
  });
}

export function handleSummary(data) {
  const value = (name, key) => (data.metrics[name] ? data.metrics[name].values[key] : 0);
  const trend = (name) => ({
    count: value(name, 'count'),
    p50Us: Math.round(value(name, 'p(50)') * 1000),
    p99Us: Math.round(value(name, 'p(99)') * 1000),
    p999Us: Math.round(value(name, 'p(99.9)') * 1000),
    maxUs: Math.round(value(name, 'max') * 1000),
  });
  const result = {
    accepted: value('payments_accepted', 'count'),
    failed: value('payments_failed', 'count'),
    audits: value('audits', 'count'),
    auditsSlow: value('audits_slow', 'count'),
    auditsDiffering: value('audits_differing', 'count'),
    auditsStillDiffering: value('audits_still_differing', 'count'),
    audited: plan.processors.map((processor) => value(`audited_${processor.name}`, 'count')),
    wrongAmounts: value('wrong_amounts', 'value'),
    held: plan.processors.map((processor) => value(`held_${processor.name}`, 'value')),
    summed: plan.processors.map((processor) => value(`summed_${processor.name}`, 'value')),
    successful: trend('http_req_duration{expected_response:true}'),
    payments: trend('http_req_duration{kind:payment,expected_response:true}'),
  };
  return { [__ENV.RESULT]: JSON.stringify(result) };
}
