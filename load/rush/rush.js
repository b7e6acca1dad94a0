// The rush, for k6: an open model of requests to the public API, by kind, each kind a scenario of constant arrival rate.
//
// By itself: k6 run -e EDGE=http://... -e DATA=folder -e RATE=500 -e DURATION=5m load/rush/rush.js; the folder holds what the driver in this
// folder makes (docs/rush.md). A search is an iteration of one request, so is a step of a cart that nobody buys; a purchase is an iteration of
// three: open a guest's cart, fill it, check it out as a signed-in shopper. So RATE requests a second are SEARCH + CART + CHECKOUT percent.
import http from 'k6/http';
import exec from 'k6/execution';
import { SharedArray } from 'k6/data';

const edge = __ENV.EDGE;
const record = __ENV.RECORD === '1'; // the driver reads each request from --console-output
const run = __ENV.RUN || `rush-${Date.now()}`; // begins every idempotency key
const load = (name) => new SharedArray(name, () => JSON.parse(open(`${__ENV.DATA || '.'}/${name}.json`)));
const searches = load('searches'); // texts, as they are to be asked, one after the other
const goods = load('goods'); // {store, product}: what is bought, one after the other
const shoppers = load('shoppers'); // {user, token}

const rate = Number(__ENV.RATE || 500);
const mix = { search: Number(__ENV.SEARCH || 80), cart: Number(__ENV.CART || 15), checkout: Number(__ENV.CHECKOUT || 5) };
const patience = __ENV.PATIENCE || '18s';
// Iterations a second of each scenario: a purchase has two requests of a cart's in it.
const iterations = { search: (rate * mix.search) / 100, cart: (rate * (mix.cart - 2 * mix.checkout)) / 100, checkout: (rate * mix.checkout) / 100 };

// scenario is a kind's: with a steady rate, or warm, with one that rises to it. Rates are by the minute, so that small ones are whole.
function scenario(kind, warm) {
  const perMinute = Math.max(1, Math.round(iterations[kind] * 60));
  const enough = Math.ceil(iterations[kind] / 4) + 5;
  const common = {
    exec: kind, timeUnit: '1m', preAllocatedVUs: enough, maxVUs: Math.ceil(iterations[kind] * 2) + 20, gracefulStop: '20s',
    tags: { phase: warm ? 'warm' : 'measured' },
  };
  return warm
    ? { ...common, executor: 'ramping-arrival-rate', startRate: Math.ceil(perMinute / 10), stages: [{ target: perMinute, duration: __ENV.WARM }] }
    : { ...common, executor: 'constant-arrival-rate', startTime: __ENV.WARM || '0s', rate: perMinute, duration: __ENV.DURATION || '5m' };
}

function scenarios() {
  const all = {};
  for (const kind of Object.keys(iterations)) {
    if (iterations[kind] <= 0) continue;
    if (__ENV.WARM) all[`warm_${kind}`] = scenario(kind, true);
    all[kind] = scenario(kind, false);
  }
  return all;
}

export const options = {
  scenarios: scenarios(),
  summaryTrendStats: ['count', 'med', 'p(95)', 'p(99)', 'max'],
  // A threshold of its own makes k6 count a kind by itself.
  thresholds: Object.keys(iterations).filter((kind) => iterations[kind] > 0).reduce((all, kind) => ({
    ...all,
    [`http_req_duration{kind:${kind},phase:measured}`]: ['p(99)<200'],
    [`dropped_iterations{scenario:${kind}}`]: ['count==0'],
  }), { 'http_req_failed{phase:measured}': ['rate<0.001'] }),
};

const phase = () => (exec.scenario.name.startsWith('warm_') ? 'w' : 'm');
const whole = (timings) => timings.blocked + timings.connecting + timings.duration;

// send asks and tells the driver of it.
function send(kind, method, path, body, params) {
  const start = Date.now();
  const answer = http.request(method, edge + path, body, { timeout: patience, ...params, tags: { kind, name: kind } });
  if (record) console.log(`r ${phase()} ${kind} ${start} ${whole(answer.timings).toFixed(2)} ${answer.status}`);
  return answer;
}

const json = { 'Content-Type': 'application/json' };

// Warm-up and measurement count their iterations apart: the second goes on with other searches and goods.
const turn = () => exec.scenario.iterationInTest + (phase() === 'w' ? Math.floor(searches.length / 2) : 0);

export function search() {
  const text = searches[turn() % searches.length];
  const store = goods[turn() % goods.length].store;
  send('search', 'GET', `/v1/search?store=${store}&q=${encodeURIComponent(text)}`, null, { responseType: 'none' });
}

let basket = null; // of this virtual user's; the next step of it may be somebody else's in time

export function cart() {
  const wanted = goods[(turn() * 7) % goods.length];
  if (basket === null || basket.steps === 4) {
    const opened = send('cart', 'POST', '/v1/carts', JSON.stringify({ store_id: wanted.store }), { headers: json });
    basket = opened.status === 200 ? { id: opened.json('cart_id'), store: wanted.store, steps: 0 } : null;
    return;
  }
  basket.steps += 1;
  if (basket.steps === 3) {
    send('cart', 'GET', `/v1/carts/${basket.id}`, null, { responseType: 'none' });
    return;
  }
  let n = turn() * 7; // of the cart's store, which doesn't sell all that another does
  while (goods[n % goods.length].store !== basket.store) n += 1;
  send('cart', 'PUT', `/v1/carts/${basket.id}/items/${goods[n % goods.length].product}`, '{"quantity":1}', { headers: json, responseType: 'none' });
}

export function checkout() {
  const n = turn();
  const wanted = goods[n % goods.length];
  const shopper = shoppers[n % shoppers.length];
  const opened = send('cart', 'POST', '/v1/carts', JSON.stringify({ store_id: wanted.store }), { headers: json });
  if (opened.status !== 200) return;
  const id = opened.json('cart_id');
  const filled = send('cart', 'PUT', `/v1/carts/${id}/items/${wanted.product}`, '{"quantity":1}', { headers: json });
  if (filled.status !== 200) return;
  const shown = filled.json();
  const key = `${run}-${phase()}-${n}`;
  const body = JSON.stringify({
    cart_id: id, store_id: wanted.store, payment_method: 'pm_card_visa', expected_total: shown.totals.total,
    address: { recipient: 'Ada Lovelace', line1: '12 Lexington Street', city: 'London', postcode: 'W1F 0LE', country: 'GB' },
  });
  const start = Date.now();
  if (record) {
    // Told before it is asked: what is never answered may have become an order.
    const lines = shown.items.map((item) => ({ product: item.product_id, quantity: item.quantity, price: Number(item.unit_price.minor_units) }));
    console.log(`a ${JSON.stringify({ key, user: shopper.user, store: wanted.store, cart: id, total: Number(shown.totals.total.minor_units), lines, start })}`);
  }
  const answer = http.post(`${edge}/v1/checkouts`, body, {
    timeout: patience, headers: { ...json, Authorization: `Bearer ${shopper.token}`, 'Idempotency-Key': key }, tags: { kind: 'checkout', name: 'checkout' },
  });
  const took = whole(answer.timings);
  if (record) {
    console.log(`b ${JSON.stringify({ key, phase: phase(), start, end: Date.now(), took, status: answer.status, body: answer.body || '' })}`);
  }
}

export function handleSummary(data) {
  const text = JSON.stringify(data.metrics, null, 1);
  return __ENV.SUMMARY ? { [__ENV.SUMMARY]: text } : { stdout: `${text}\n` };
}
