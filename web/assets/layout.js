// What every page has: who is logged in, the sentence that the page before left behind, and
// whether there is a connection at all.

import { announce, byId, isOff, make, setBusy, show, write } from './dom.js';
import { currentUser, go, keepSession, leaveFlash, logOut, onSessionChange, takeFlash, withNext } from './session.js';
import { t } from './text.js';

function bindLogOut() {
  const button = byId('log-out');
  button?.addEventListener('click', async () => {
    if (isOff(button)) return;
    setBusy(button, t('account.logging_out'));
    const done = await logOut();
    setBusy(button, '');
    if (!done) {
      showFlash(t('account.still_logged_in'), 'warn');
      return;
    }
    leaveFlash(t('account.logged_out'));
    go('/');
  });
}

// The header that the server made is right until the session changes.
function showAccount() {
  const user = currentUser();
  const account = byId('account');
  if (user) {
    const named = user.name && user.name !== '-'; // the service's word for no name
    account.replaceChildren(
      make('a', { class: 'who', href: '/account', dir: 'auto', title: user.email ?? '' }, named ? user.name : t('account.yours')),
      // Whom a gateway names can log out there only.
      ...(user.session_expires_at ? [make('button', { type: 'button', id: 'log-out', class: 'button button-plain button-small' }, t('account.log_out'))] : []),
    );
    bindLogOut();
    return;
  }
  account.replaceChildren(
    make('a', { id: 'top-login', href: withNext('/login') }, t('account.log_in')),
    make('a', { id: 'top-signup', class: 'button button-small', href: withNext('/signup') }, t('account.sign_up')),
  );
}

// A sentence that lies over the page, so that nothing moves. What went well goes away by itself,
// unless somebody is reading it.
const flashMilliseconds = 9000;
let flashTimer = 0;

export function hideFlash() {
  clearTimeout(flashTimer);
  show(byId('flash'), false);
}

export function showFlash(sentence, kind = 'good', { stays = kind !== 'good' } = {}) {
  const flash = byId('flash');
  flash.className = `toast note note-${kind}`;
  byId('flash-text').textContent = sentence;
  show(flash);
  announce(sentence);
  clearTimeout(flashTimer);
  if (!stays) flashTimer = setTimeout(() => (flash.matches(':hover, :focus-within') ? showFlash(sentence, kind) : hideFlash()), flashMilliseconds);
}

function showConnection() {
  const offline = navigator.onLine === false;
  write(byId('offline'), offline ? t('offline.banner') : '');
  show(byId('offline'), offline);
}

export function startLayout() {
  bindLogOut();
  onSessionChange(showAccount);
  keepSession();
  const sentence = takeFlash();
  if (sentence) showFlash(sentence);
  byId('flash-close').addEventListener('click', hideFlash);
  showConnection();
  window.addEventListener('online', showConnection);
  window.addEventListener('offline', showConnection);
}
