// What the k6 scripts share: who the users are, how one of them asks for a seat, and the
// proof in the end. README.md says how to run them.
import http from 'k6/http';
import { check, sleep } from 'k6';
import { Counter, Rate } from 'k6/metrics';
import { SharedArray } from 'k6/data';

const url = (__ENV.URL || 'http://127.0.0.1:3000').replace(/\/+$/, '');

// setting is a whole number from the environment.
export function setting(name, standard, least = 1) {
  const text = __ENV[name] || String(standard);
  if (!/^[0-9]+$/.test(text) || Number(text) < least) {
    throw new Error(`${name}: want a whole number from ${least}, got ${text}`);
  }
  return Number(text);
}

// seconds is a duration from the environment: 90s, 5m or 2h.
export function seconds(name, standard) {
  const parts = /^([1-9][0-9]*)(s|m|h)$/.exec(__ENV[name] || standard);
  if (!parts) {
    throw new Error(`${name}: want a duration like 90s, 5m or 2h, got ${__ENV[name]}`);
  }
  return Number(parts[1]) * { s: 1, m: 60, h: 3600 }[parts[2]];
}

// Virtual users share no memory, so what they were told is compared with what is stored by
// counters that both sides move: up for a seat that was promised, down for one that is found
// on a roster. The second counts in user numbers, so that a seat promised to one and given
// to another shows too.
const seatsBalance = new Counter('seats_balance');
const usersBalance = new Counter('users_balance');
const unknownOutcomes = new Counter('unknown_outcomes'); // users who never got a definite answer
const refused = new Rate('refused'); // requests told 503 to the end
const unfinished = new Counter('unfinished'); // iterations that threw or were cut off

// promises are the options of every script; a run that breaks a threshold exits with 99.
export function promises(scenarios) {
  return {
    scenarios: scenarios,
    thresholds: {
      checks: ['rate==1'],
      seats_balance: ['count==0'],
      users_balance: ['count==0'],
      unknown_outcomes: ['count==0'], // a run with any proves nothing
      refused: [`rate<=${setting('REFUSED', 0, 0) / 100}`],
      unfinished: ['count==0'], // k6 itself takes an exception for success
      dropped_iterations: ['count==0'], // k6 was too slow, or had too few VUS
      'http_req_duration{call:register}': [`p(95)<${setting('P95', 1000)}`],
    },
    setupTimeout: '10m',
    teardownTimeout: '10m',
  };
}

// arrivals is an open model: that many iterations start every second, whether or not the
// earlier ones have ended.
export function arrivals(rate, duration, more) {
  return Object.assign({ executor: 'constant-arrival-rate', rate: rate, duration: `${duration}s` }, crew(), more);
}

// crew is what all arrival-rate scenarios have in common.
export function crew() {
  const vus = setting('VUS', 100);
  return { timeUnit: '1s', preAllocatedVUs: vus, maxVUs: 10 * vus, gracefulStop: '60s' };
}

// whole makes a default function that notices when it did not come to its end.
export function whole(iteration) {
  return (data) => {
    unfinished.add(1);
    iteration(data);
    unfinished.add(-1);
  };
}

// What is expected is not to be counted as failed.
http.setResponseCallback(http.expectedStatuses({ min: 200, max: 299 }, 400, 404, 409));

function path(name) {
  return name.startsWith('/') || !__ENV.PWD ? name : `${__ENV.PWD}/${name}`; // as in a shell
}

// One copy for all virtual users. Without TOKENS the ids are believed.
const tokens = new SharedArray('tokens', () => (
  __ENV.TOKENS ? open(path(__ENV.TOKENS)).trim().split('\n').map((line) => JSON.parse(line)) : []
));

// newRun is for setup: it names the users of this run, of whom there will be at most that
// many besides the organizer.
export function newRun(users) {
  if (tokens.length > 0 && tokens.length <= users) {
    throw new Error(`TOKENS has ${tokens.length} tokens and this run needs ${users + 1}: make them with eventio token --count ${users + 1}`);
  }
  let id = '';
  while (id.length < 16) {
    id += Math.floor(Math.random() * 16).toString(16);
  }
  return id;
}

// userID is the id of a user of the run, by number from 0; -1 is the organizer.
function userID(run, number) {
  return tokens.length > 0 ? tokens[number + 1].user_id : run + (number + 1).toString(16).padStart(8, '0');
}

// headers let a request speak for a user.
function headers(number, more) {
  const h = Object.assign({ 'Content-Type': 'application/json' }, more);
  if (tokens.length > 0) {
    h.Authorization = `Bearer ${tokens[number + 1].token}`;
  }
  return h;
}

function params(number, call, more) {
  // One name for all events: each URL by itself would be a time series of its own.
  return { headers: headers(number, more), tags: { call: call, name: call }, timeout: '60s' };
}

const soon = 24 * 3600 * 1000;

// createEvents is for setup: it returns the ids of that many new events.
export function createEvents(run, count, capacity, more) {
  const start = Date.now() + soon;
  const ids = [];
  while (ids.length < count) {
    const requests = [];
    while (ids.length + requests.length < count && requests.length < 20) {
      const body = Object.assign({
        organizer_id: userID(run, -1), title: `Load ${ids.length + requests.length}`, description: 'Made by a load test', capacity: capacity,
        starts_at: new Date(start).toISOString(), ends_at: new Date(start + soon).toISOString(),
      }, more);
      requests.push(['POST', `${url}/api/events`, JSON.stringify(body), params(-1, 'create event')]);
    }
    for (const res of http.batch(requests)) {
      if (res.status === 401) {
        throw new Error(`${url} wants tokens: eventio token --count N > tokens.ndjson, then give TOKENS=tokens.ndjson`);
      }
      if (res.status !== 201) {
        throw new Error(`an event cannot be created at ${url}: ${res.status} ${res.error || res.body}`);
      }
      ids.push(res.json('id'));
    }
  }
  return ids;
}

// code is that of a problem document.
export function code(res) {
  try {
    return res.json('code');
  } catch (_) {
    return 'no problem document';
  }
}

// What may be told to who asks for a seat or gives it up, by status.
const documented = {
  201: [undefined],
  204: [undefined],
  400: ['already_registered'],
  409: ['sold_out', 'registration_not_open'],
  503: ['overloaded'],
  504: ['unknown_outcome'],
};

export function soldOut(res) { return res.status === 409 && code(res) === 'sold_out'; }
export function notOpen(res) { return res.status === 409 && code(res) === 'registration_not_open'; }
export function registered(res) { return res.status === 400 && code(res) === 'already_registered'; }

// busy tells the answers that say nothing about seats, which any request may get.
export function busy(res) { return res.status === 503 || res.status === 504; }

let said = false; // what was wrong, once for each virtual user

// insist sends until the answer is definite; whoever is told to come again later does so.
function insist(tries, send) {
  let unknown = false; // stays: no later refusal tells what became of the first request
  let res;
  for (let left = tries; left > 0; left--) {
    res = send();
    const again = busy(res) || notOpen(res);
    const wait = Number(res.headers['Retry-After']);
    const fine = check(res, {
      'every answer is a documented one': () => (documented[res.status] || []).includes(res.status < 300 ? undefined : code(res)),
      'who is to come again is told when': () => !again || wait >= 1,
    });
    if (!fine && !said) {
      said = true;
      console.error(`${res.request.method} ${res.url}: ${res.status} ${res.error || res.body}`);
    }
    unknown = unknown || res.status === 504 || res.status === 0;
    if (!again && res.status !== 0) {
      unknown = false;
      break;
    }
    if (left > 1) {
      sleep((wait || 1) + Math.random());
    }
  }
  unknownOutcomes.add(unknown ? 1 : 0);
  refused.add(res.status === 503);
  return res;
}

// ask lets a user ask for a seat, by default again with the same key when told to.
export function ask(run, event, number, key, tries = setting('TRIES', 5)) {
  const body = JSON.stringify({ user_id: userID(run, number) });
  return insist(tries, () => http.post(`${url}/api/events/${event}/registrations`, body,
    params(number, 'register', { 'Idempotency-Key': key })));
}

// register is ask, and remembers a seat that was promised: a key must not come twice.
export function register(run, event, number, key) {
  const res = ask(run, event, number, key);
  if (res.status === 201) {
    move(1, number);
  }
  return res;
}

// cancel lets a user give a seat up.
export function cancel(run, event, number) {
  const res = insist(setting('TRIES', 5), () => http.del(seat(run, event, number), null, params(number, 'cancel')));
  if (check(res, { 'a seat can be given up': () => res.status === 204 || busy(res) }) && !busy(res)) {
    move(-1, number);
  }
}

function move(seats, number) {
  seatsBalance.add(seats);
  usersBalance.add(seats * (number + 1));
}

function seat(run, event, number) {
  return `${url}/api/events/${event}/registrations/${userID(run, number)}`;
}

// registration is what is stored of a user's seat, readEvent what is stored of an event.
export function registration(run, event, number) {
  return http.get(seat(run, event, number), params(number, 'read registration'));
}

export function readEvent(event) {
  return http.get(`${url}/api/events/${event}`, params(-1, 'read event'));
}

// prove is for teardown: it compares events with their rosters, and takes what it finds off
// the balance. With full, every place must be taken.
export function prove(run, events, users, full) {
  const numbers = {};
  for (let n = 0; n < users; n++) {
    numbers[userID(run, n)] = n;
  }
  for (const event of events) {
    const read = readEvent(event);
    const list = http.get(`${url}/api/events/${event}/registrations`, params(-1, 'read roster'));
    if (!check(null, { 'event and roster can be read': () => read.status === 200 && list.status === 200 })) {
      continue;
    }
    const e = read.json();
    const roster = list.json();
    check(null, {
      'tickets_sold is the size of the roster': () => e.tickets_sold === roster.length,
      'no more seats than places': () => roster.length <= e.capacity && e.tickets_sold <= e.capacity,
      'nobody holds two seats': () => new Set(roster).size === roster.length,
      'only who asked holds a seat': () => roster.every((id) => id in numbers),
      'every place is taken': () => !full || roster.length === e.capacity,
    });
    roster.forEach((id) => move(-1, numbers[id] || 0));
  }
}
