// Hours of an ordinary day: people look, take a seat, and one in five gives it up again.
import { check } from 'k6';
import exec from 'k6/execution';
import { arrivals, cancel, createEvents, newRun, promises, prove, readEvent, register, seconds, setting, whole } from './lib/eventio.js';

const rate = setting('RATE', 20);
const duration = seconds('DURATION', '1m');
const capacity = setting('CAPACITY', 1000000);
const count = setting('EVENTS', 10);
const users = rate * (duration + 1);

export const options = promises({ day: arrivals(rate, duration) });

export function setup() {
  const run = newRun(users);
  return { run: run, events: createEvents(run, count, capacity) };
}

export default whole(({ run, events }) => {
  const user = exec.scenario.iterationInTest;
  const event = events[user % count];
  const seen = readEvent(event);
  check(seen, { 'at no time more seats than places': () => seen.status === 200 && seen.json('tickets_sold') <= capacity });
  const taken = register(run, event, user, `seat-${user}`);
  if (taken.status === 201 && user % 5 === 0) {
    cancel(run, event, user);
  }
});

export function teardown({ run, events }) {
  prove(run, events, users, false);
}
