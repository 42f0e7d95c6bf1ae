// One person's wish for a place at one event, or to give it back, and the key that makes it safe
// to say the wish twice.
//
// The key is sent as Idempotency-Key. It is made when the wish is first said and kept until the
// answer is definite, over reloads too. So a repeated request whose first answer was lost is told
// what the first one did.

import { call, eventPath, isUndecided, newKey, seatPath } from './api.js';
import { session } from './storage.js';

const mostTries = 12;
const longestWait = 8000; // milliseconds, unless the service asks for more

const wishName = (what, event, user) => `${what}:${event}:${user}`;

// insist sends until the answer is definite. Before each new try it calls onWait(answer, seconds)
// and goes on when that resolves to true.
async function insist(name, send, onWait) {
  const key = session.get(name) ?? newKey();
  session.set(name, key);
  let answer;
  for (let n = 0; ; n++) {
    answer = await send(key);
    // Early by a moment: the clocks are not the same.
    const early = answer.code === 'registration_not_open' && answer.retryAfter <= 2;
    if (!early && !isUndecided(answer)) break;
    if (n + 1 >= mostTries) return answer;
    const backoff = Math.min(400 * 2 ** n, longestWait) * (0.7 + Math.random() * 0.6);
    const wait = early ? 200 + Math.random() * 300 : Math.max(backoff, answer.retryAfter * 1000 + Math.random() * 700);
    if (!(await onWait(answer, wait / 1000))) return answer;
  }
  // A session that ended or a missing connection decides nothing: the wish stays as it was.
  if (answer.status !== 401 && answer.code !== 'offline') session.remove(name);
  return answer;
}

// cameTrue forgets the key of a wish that has come true, however the page has learned it: that there is a seat,
// or none. The next wish of the kind is another one, and would be told what became of this one.
export function cameTrue(event, user, seat) {
  session.remove(wishName(seat ? 'register' : 'leave', event, user));
}

export function register(event, user, onWait) {
  return insist(wishName('register', event, user), (key) => call('POST', `${eventPath(event)}/registrations`, { body: { user_id: user }, key }), onWait);
}

// tag is that of the registration that is meant: one made elsewhere meanwhile is left alone.
export async function leave(event, user, tag, onWait) {
  const answer = await insist(wishName('leave', event, user), (key) => call('DELETE', seatPath(event, user), { key, match: tag }), onWait);
  if (answer.ok) session.remove(wishName('register', event, user)); // there was a seat to leave
  return answer;
}
