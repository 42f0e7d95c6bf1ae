// Who is logged in: what the service said when it made this page, and says when it is asked again.
// The session is a cookie that scripts cannot read, and asking renews it; or a gateway says who they are, and
// then it has no end here.

import { at, here } from './base.js';
import { call } from './api.js';
import { serverNow } from './clock.js';
import { byId } from './dom.js';
import { local, session } from './storage.js';

// What the page came with: page, user, event, tag, registration, registration_tag, asked, now, unsure.
export const state = JSON.parse(byId('state').textContent);

export const currentUser = () => state.user ?? null;

// A session is renewed by asking when half of its life is over, while the page is looked at. It may end sooner
// than that by other means, so it is asked for at least this often.
const renewEvery = 10 * 60_000;
const sessionListeners = [];

// Calls back when it turns out that somebody else, or nobody, is logged in, or that their address is proven now.
export const onSessionChange = (callback) => sessionListeners.push(callback);

export function setUser(user) {
  const who = () => `${currentUser()?.id} ${currentUser()?.email_proven_at}`;
  const before = who();
  state.user = user ?? undefined;
  if (before !== who()) for (const callback of sessionListeners) callback();
}

// checkSession asks who is logged in. false: it could not be found out.
export async function checkSession() {
  const answer = await call('GET', '/api/session');
  if (answer.ok && answer.data?.id) setUser(answer.data);
  else if (answer.status === 401 || answer.code === 'user_not_found') setUser(null);
  else return false;
  state.unsure = undefined;
  return true;
}

// Other tabs are told that the session is another one now.
const changedKey = 'session-changed';
export const tellOtherTabs = () => local.set(changedKey, String(Date.now()));

export function keepSession() {
  let last = Date.now();
  let timer = 0;
  // What was left of the session when it was asked for is at most its whole life: after more than half of
  // that it is renewed for sure.
  const patience = () => {
    const left = Date.parse(currentUser()?.session_expires_at ?? '') - (serverNow() - Date.now() + last);
    return Math.min(renewEvery, Number.isNaN(left) ? renewEvery : left * 0.55);
  };
  const renew = async () => {
    clearTimeout(timer);
    if (document.visibilityState !== 'visible') return;
    if (currentUser() && Date.now() - last >= patience()) {
      last = Date.now();
      await checkSession();
    }
    clearTimeout(timer);
    timer = setTimeout(renew, Math.min(Math.max(last + patience() - Date.now(), 1000), 60_000));
  };
  renew();
  document.addEventListener('visibilitychange', renew);
  window.addEventListener('storage', ({ key }) => key === changedKey && checkSession());
  window.addEventListener('pageshow', ({ persisted }) => persisted && checkSession());
  if (state.unsure) setTimeout(checkSession, 2000);
}

// Logs out, and says whether the service knows it.
export async function logOut() {
  const answer = await call('POST', '/api/logout');
  tellOtherTabs();
  return answer.ok;
}

// Where to go after logging in: the "next" parameter if it stays on this origin. Always a whole
// URL: a path alone could begin with two slashes, which would be another host.
export function nextAddress() {
  const wanted = new URLSearchParams(location.search).get('next');
  try {
    const url = new URL(wanted?.startsWith('/') ? at(wanted) : wanted || at('/'), location.origin);
    if (url.origin === location.origin && !/^\/{2}/.test(url.pathname)) return url.href;
  } catch {
    // Not an address.
  }
  return new URL(at('/'), location.origin).href;
}

// The address of a page that comes back to this one.
export const withNext = (path, next = here() + location.search) => `${path}?next=${encodeURIComponent(next)}`;

// A sentence for the next page to show, once.
const flashKey = 'flash';
export const leaveFlash = (sentence) => session.set(flashKey, sentence);

export function takeFlash() {
  const sentence = session.get(flashKey);
  session.remove(flashKey);
  return sentence;
}

export const go = (path) => location.assign(new URL(at(path), location.origin).href);
