// A few users, more than places: is what each of them is told right, and is it stored?
import { check } from 'k6';
import exec from 'k6/execution';
import { arrivals, ask, busy, code, createEvents, newRun, promises, prove, register, registered, registration, seconds, setting, soldOut, whole } from './lib/eventio.js';

const rate = setting('RATE', 5);
const duration = seconds('DURATION', '4s');
const capacity = setting('CAPACITY', 10);
const users = rate * (duration + 1); // k6 may start some more than planned

export const options = promises({ users: arrivals(rate, duration) });

export function setup() {
  const run = newRun(users);
  return { run: run, events: createEvents(run, 1, capacity) };
}

export default whole(({ run, events }) => {
  const user = exec.scenario.iterationInTest;
  const first = register(run, events[0], user, `first-${user}`);
  const stored = registration(run, events[0], user);
  if (first.status === 201) {
    const repeated = ask(run, events[0], user, `first-${user}`);
    const second = register(run, events[0], user, `second-${user}`);
    check(null, {
      'a promised seat is stored': () => stored.status === 200 && stored.json('status') === 'confirmed',
      'the same request gets the same answer': () => repeated.status === 201 || busy(repeated),
      'nobody gets a second seat': () => registered(second) || busy(second),
    });
  } else if (!busy(first)) {
    check(null, {
      'who gets no seat is told that all are sold': () => soldOut(first),
      'a refused seat is not stored': () => stored.status === 404 && code(stored) === 'registration_not_found',
    });
  }
  const nowhere = registration(run, 'f'.repeat(24), user);
  check(nowhere, { 'an unknown event is 404': () => nowhere.status === 404 && code(nowhere) === 'event_not_found' });
});

export function teardown({ run, events }) {
  prove(run, events, users, rate * duration >= 2 * capacity);
}
