// What every page has: who is logged in, at the top, and the sentence that the
// page before left behind.

import { announce, byId, isOff, make, setBusy, show } from './dom.js';
import { currentUser, leaveFlash, logOut, takeFlash, withNext } from './user.js';

function showAccount() {
  const user = currentUser();
  const account = byId('account');
  if (!user) {
    const here = ['/login', '/signup'].includes(location.pathname) ? '/' : location.pathname;
    account.replaceChildren(
      make('a', { href: withNext('/login', here) }, 'Log in'),
      make('a', { href: withNext('/signup', here), class: 'button button-small' }, 'Sign up'),
    );
    return;
  }
  const button = make('button', { type: 'button', class: 'button button-plain button-small' }, 'Log out');
  button.addEventListener('click', async () => {
    if (isOff(button)) return;
    setBusy(button, 'Logging out');
    const known = await logOut();
    leaveFlash(known
      ? 'You are logged out.'
      : 'You are logged out on this page, but the service could not be told. Close the browser to be sure.');
    location.assign(new URL('/', location.origin).href);
  });
  account.replaceChildren(make('span', { class: 'who', dir: 'auto', title: user.email ?? '' }, user.name || user.email || 'You'), button);
}

showAccount();
window.addEventListener('storage', showAccount); // logged in or out in another tab

const sentence = takeFlash();
if (sentence) {
  byId('flash').textContent = sentence;
  show(byId('flash'));
  announce(sentence);
}
