// Reads books, ours and the processors', and says where they differ.
import http from 'k6/http';

const NOTHING = { count: 0, cents: 0 };

// Amounts are JSON numbers with two decimals, so that a hundred of them are whole.
function total(body) {
  return { count: body.totalRequests, cents: Math.round(body.totalAmount * 100) };
}

// The query of a window, both ends inclusive.
export function totalsQuery(from, to) {
  return `?from=${from.toISOString()}&to=${to.toISOString()}`;
}

function ownRequest(plan, query) {
  return ['GET', `${plan.target}/payments-summary${query}`, null, { timeout: plan.timeoutMs }];
}

function processorRequest(processor, query) {
  const parameters = { headers: { 'X-Rinha-Token': processor.token } };
  return ['GET', `${processor.url}/admin/payments-summary${query}`, null, parameters];
}

// The body as JSON; nothing if it is none.
function read(response) {
  try {
    return response.json();
  } catch (_notJson) {
    return null;
  }
}

// A summary that is late or no summary counts as zeros.
function readOwn(plan, response) {
  const slow = response.status !== 200;
  const body = (!slow && read(response)) || {};
  const totals = plan.processors.map(({ name }) => (body[name] ? total(body[name]) : NOTHING));
  return { totals, slow };
}

function readProcessor(processor, response) {
  if (response.status !== 200) throw new Error(`${processor.name}: ${response.status}`);
  return total(response.json());
}

// What we say that each processor holds.
export function ownTotals(plan, query) {
  return readOwn(plan, http.batch([ownRequest(plan, query)])[0]);
}

// What a processor says that it holds.
export function processorTotals(processor, query) {
  return readProcessor(processor, http.batch([processorRequest(processor, query)])[0]);
}

// Asks all at the same moment. The text is empty when the books agree; `ours` and `theirs` are
// what we say that each processor holds, and what it says itself.
export function difference(plan, query) {
  const requests = plan.processors.map((processor) => processorRequest(processor, query));
  const [own, ...others] = http.batch([ownRequest(plan, query), ...requests]);
  const ours = readOwn(plan, own);
  const differences = [];
  const theirs = [];
  plan.processors.forEach((processor, place) => {
    const held = readProcessor(processor, others[place]);
    theirs.push(held);
    const mine = ours.totals[place];
    if (held.count !== mine.count || held.cents !== mine.cents) {
      differences.push(`${processor.name} holds ${held.count} (${held.cents} cents), we say ${mine.count} (${mine.cents})`);
    }
  });
  return { text: differences.join(', '), slow: ours.slow, ours: ours.totals, theirs };
}

function lacks(one, other) {
  return one.count < other.count || one.cents < other.cents;
}

// Whether a difference has outlasted the time between two looks. While a slow processor goes on
// storing payments of the window, both books grow, ours always a moment behind: so ours must
// have by the second look what was there at the first, and the other way round.
export function lasts(first, second) {
  return first.theirs.some(
    (held, place) =>
      lacks(second.ours[place], held) || lacks(second.theirs[place], first.ours[place]),
  );
}
