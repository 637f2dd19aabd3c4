// The load of the contest's preview, and nothing else of it: users that come one by one, each
// with a payment and a second of rest. For `cargo xtask compare floor`; at the end one line of
// JSON on standard output.
//
//   k6 run -e TARGET=http://localhost:9999 -e SECONDS=60 deploy/k6/preview.js
import http from 'k6/http';
import { sleep } from 'k6';
import { Counter } from 'k6/metrics';

const USERS = 550;
const seconds = Number(__ENV.SECONDS);
const url = `${__ENV.TARGET}/payments`;

const accepted = new Counter('accepted');
const failed = new Counter('failed');

export const options = {
  scenarios: {
    payments: {
      executor: 'ramping-vus',
      startVUs: 1,
      gracefulRampDown: '0s',
      stages: [{ target: USERS, duration: `${seconds}s` }],
    },
  },
  summaryTrendStats: ['p(50)', 'p(99)'],
  // Without a threshold there are no figures of the good requests alone.
  thresholds: { 'http_req_duration{expected_response:true}': [] },
};

const parameters = { headers: { 'Content-Type': 'application/json' }, timeout: 1500 };

export default function () {
  const body = `{"correlationId":"${crypto.randomUUID()}","amount":19.90}`;
  const good = http.post(url, body, parameters).status === 202;
  accepted.add(good ? 1 : 0);
  failed.add(good ? 0 : 1);
  sleep(1);
}

export function handleSummary(data) {
  const value = (name, key) => (data.metrics[name] ? data.metrics[name].values[key] : 0);
  const times = 'http_req_duration{expected_response:true}';
  const line = JSON.stringify({
    ok: value('accepted', 'count'),
    failed: value('failed', 'count'),
    seconds,
    p50Us: value(times, 'p(50)') * 1000,
    p99Us: value(times, 'p(99)') * 1000,
  });
  return { stdout: `\n${line}\n` };
}
