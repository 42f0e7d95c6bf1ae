// Many events at once, evenly: the first seat of each, then the second of each, ...
import exec from 'k6/execution';
import { arrivals, createEvents, newRun, promises, prove, register, seconds, setting, whole } from './lib/eventio.js';

const rate = setting('RATE', 50);
const duration = seconds('DURATION', '5s');
const capacity = setting('CAPACITY', 10);
const count = setting('EVENTS', 50);
const users = rate * (duration + 1);

export const options = promises({ users: arrivals(rate, duration) });

export function setup() {
  const run = newRun(users);
  return { run: run, events: createEvents(run, count, capacity) };
}

export default whole(({ run, events }) => {
  const user = exec.scenario.iterationInTest;
  register(run, events[user % count], user, `seat-${user}`);
});

export function teardown({ run, events }) {
  prove(run, events, users, rate * duration >= 2 * capacity * count);
}
