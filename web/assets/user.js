// Who is logged in, as far as this page knows: {id, name, email} in localStorage
// under "user". It decides what is shown and never what is allowed.
//
// An answer to a log-in may also hold a token. It is left alone on purpose:
// what scripts can read, a hole in a script can steal. The session is to be an
// HttpOnly cookie, which the browser sends by itself.

import { call } from './api.js';
import { local, session } from './storage.js';

const storageKey = 'user';

export function currentUser() {
  try {
    const user = JSON.parse(local.get(storageKey) ?? 'null');
    return typeof user?.id === 'string' && user.id ? user : null;
  } catch {
    return null;
  }
}

export function remember({ id, name, email }) {
  local.set(storageKey, JSON.stringify({ id, name, email }));
}

// Logs out here whatever happens, and says whether the service knows it too.
export async function logOut() {
  local.remove(storageKey);
  const answer = await call('POST', '/api/logout');
  // A service without sessions has no such call, and nothing to forget.
  return answer.ok || [401, 404, 405].includes(answer.status);
}

// Where to go after logging in: the "next" parameter if it stays on this
// origin. Always a whole URL: a path alone
// could begin with two slashes, which would be another host.
export function nextAddress() {
  const wanted = new URLSearchParams(location.search).get('next');
  try {
    const url = new URL(wanted || '/', location.origin);
    if (url.origin === location.origin && !/^\/{2}/.test(url.pathname)) return url.href;
  } catch {
    // Not an address.
  }
  return new URL('/', location.origin).href;
}

// The address of a page that comes back to this one, or to where this one was to lead.
export function withNext(path, next = location.pathname) {
  return next === '/' ? path : `${path}?next=${encodeURIComponent(next)}`;
}

// A sentence for the next page to show, once.
const flashKey = 'flash';

export const leaveFlash = (sentence) => session.set(flashKey, sentence);

export function takeFlash() {
  const sentence = session.get(flashKey);
  session.remove(flashKey);
  return sentence;
}
