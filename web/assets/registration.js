// One person's wish for a place at one event, and the key that makes it safe to
// say the wish twice.
//
// The key is sent as Idempotency-Key. It is made when the wish is first said
// and kept until the answer is definite, over reloads too. So a repeated
// request whose first answer was lost is told "registered", not "already
// registered".

import { call } from './api.js';
import { session } from './storage.js';

// Answers after which the wish is still open: nothing was decided, or what was
// decided did not arrive.
const undecided = (status) => status === 0 || [401, 408, 425, 429].includes(status) || status >= 500;

const storageName = (what, eventID, userID) => `${what}:${eventID}:${userID}`;

// randomUUID exists only where the page came by https or from this machine.
function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

const keyName = (eventID, userID) => storageName('registration-key', eventID, userID);

// True while a wish that was said has no definite answer.
export const isOpen = (eventID, userID) => session.get(keyName(eventID, userID)) !== null;

export async function register(eventID, userID) {
  const name = keyName(eventID, userID);
  const key = session.get(name) ?? newKey();
  session.set(name, key);
  const answer = await call('POST', `/api/events/${encodeURIComponent(eventID)}/registrations`, {
    body: { user_id: userID },
    headers: { 'Idempotency-Key': key },
  });
  if (!undecided(answer.status)) session.remove(name);
  return answer;
}

// What this tab was told about the place, so that a reload does not forget it
// where the list of the registered may not be read.
export const holdsPlace = (eventID, userID) => session.get(storageName('registered', eventID, userID)) !== null;

export function noteHolds(eventID, userID, holds) {
  const name = storageName('registered', eventID, userID);
  if (holds) session.set(name, 'yes');
  else session.remove(name);
}
