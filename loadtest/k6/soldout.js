// The storm after the last seat is gone: strangers and holders of seats go on asking, and
// every one is refused. A seat that is given up then is sold again at once.
import { check } from 'k6';
import exec from 'k6/execution';
import { arrivals, busy, cancel, createEvents, newRun, promises, prove, register, registered, seconds, setting, soldOut, whole } from './lib/eventio.js';

const rate = setting('RATE', 100);
const duration = seconds('DURATION', '5s');
const capacity = setting('CAPACITY', 20);
const holders = setting('HOLDERS', 10, 0); // percent of those who ask
const users = capacity + rate * (duration + 1) + 2;

export const options = promises({ storm: arrivals(rate, duration) });

export function setup() {
  const run = newRun(users);
  const events = createEvents(run, 1, capacity);
  for (let user = 0; user < capacity; user++) {
    register(run, events[0], user, `seat-${user}`);
  }
  return { run: run, events: events };
}

export default whole(({ run, events }) => {
  const i = exec.scenario.iterationInTest;
  if (i % 100 < holders) {
    const res = register(run, events[0], i % capacity, `again-${i}`);
    check(res, { 'who has a seat is told so': () => registered(res) || busy(res) });
  } else {
    const res = register(run, events[0], capacity + i, `late-${i}`);
    check(res, { 'all others are told that all are sold': () => soldOut(res) || busy(res) });
  }
});

export function teardown({ run, events }) {
  cancel(run, events[0], 0);
  const lucky = register(run, events[0], users - 2, 'lucky');
  const late = register(run, events[0], users - 1, 'too late');
  check(null, {
    'a seat that was given up is sold again at once': () => lucky.status === 201 || busy(lucky),
    'and only once': () => soldOut(late) || busy(late),
  });
  prove(run, events, users, !busy(lucky));
}
