// The minute when the sale opens: some are too early, then everybody comes at once, each of
// them twice, and the crowd thins out.
import { check } from 'k6';
import exec from 'k6/execution';
import { arrivals, ask, busy, createEvents, crew, newRun, notOpen, promises, prove, register, seconds, setting, whole } from './lib/eventio.js';

const rate = setting('RATE', 100); // at the opening; none are left after DURATION
const duration = seconds('DURATION', '4s');
const capacity = setting('CAPACITY', 20);
const opensIn = seconds('OPENS_IN', '4s');
const early = Math.ceil(rate / 10);
const wait = Math.ceil(opensIn / 2); // the other half is for clocks that differ
const users = Math.max(Math.ceil(rate * (duration + 1) / 2), early * (wait + 1));

export const options = promises({
  early: arrivals(early, wait, { exec: 'tooEarly' }),
  crowd: Object.assign({
    executor: 'ramping-arrival-rate', startTime: `${opensIn}s`, startRate: rate,
    stages: [{ target: 0, duration: `${duration}s` }],
  }, crew()),
});

export function setup() {
  const run = newRun(users);
  const opens = new Date(Date.now() + opensIn * 1000).toISOString();
  return { run: run, events: createEvents(run, 1, capacity, { registration_opens_at: opens }) };
}

export const tooEarly = whole(({ run, events }) => {
  const user = exec.scenario.iterationInTest;
  const res = ask(run, events[0], user, `early-${user}`, 1);
  check(res, { 'nobody gets a seat before the opening': () => notOpen(res) || busy(res) });
});

export default whole(({ run, events }) => {
  const click = exec.scenario.iterationInTest;
  register(run, events[0], Math.floor(click / 2), `click-${click}`);
});

export function teardown({ run, events }) {
  prove(run, events, users, rate * duration / 4 >= 2 * capacity);
}
