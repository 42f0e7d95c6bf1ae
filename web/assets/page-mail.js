// The pages where the links of mails lead, and where people ask for such a mail. The token of a link
// comes after the #, so that no server on the way sees it.

import { call } from './api.js';
import { at } from './base.js';
import { byId, show } from './dom.js';
import { bindForm } from './form.js';
import { showFlash } from './layout.js';
import { currentUser, go, leaveFlash, tellOtherTabs } from './session.js';
import { session } from './storage.js';
import { t } from './text.js';

const linkToken = () => location.hash.slice(1);

// A link that is opened where its page is already loads nothing.
const readLinks = () => addEventListener('hashchange', () => location.reload());

function showSent() {
  show(byId('form'), false);
  show(byId('sent'));
  byId('sent').focus();
  return null;
}

export function startForgot() {
  bindForm(byId('form'), {
    busy: t('mail.sending'),
    doing: 'forgot',
    async submit({ email }, key) {
      const answer = await call('POST', '/api/password-resets', { body: { email: email.trim() }, key });
      return answer.ok ? showSent() : answer;
    },
  });
}

export function startReset() {
  readLinks();
  bindForm(byId('form'), {
    busy: t('account.changing'),
    doing: 'password',
    check({ new_password: password }, wrong) {
      if ([...password].length < 8) wrong('new_password', t('wrong.new_password'));
    },
    async submit({ new_password: password }, key) {
      const answer = await call('POST', '/api/password-resets/confirm', { body: { token: linkToken(), password }, key });
      if (!answer.ok) {
        if (answer.fields.includes('password')) answer.field = 'new_password';
        return answer.fields.includes('token') ? { ...answer, code: 'link_invalid', fields: [] } : answer;
      }
      tellOtherTabs();
      leaveFlash(t('account.password_changed'));
      go('/login');
      return null;
    },
  });
}

// Who must log in first comes back without what follows the #, so that is kept for this tab.
const provenKey = 'prove';

export function startProve() {
  if (linkToken()) session.set(provenKey, linkToken());
  const token = session.get(provenKey);
  const form = byId('form');
  readLinks();
  if (!form) return;
  if (token) {
    show(byId('prove-ask'), false);
    show(byId('prove-send'), false);
    show(byId('prove-confirm'));
    show(byId('prove-yes'));
  }
  bindForm(form, {
    busy: t('mail.sending'),
    doing: 'prove',
    async submit(values, key) {
      const path = `/api/users/${encodeURIComponent(currentUser().id)}/email-proof`;
      if (!token) {
        const answer = await call('POST', path, { body: {}, key });
        return answer.ok ? showSent() : answer;
      }
      const answer = await call('POST', `${path}/confirm`, { body: { token }, key });
      if (!answer.ok) return answer;
      session.remove(provenKey);
      tellOtherTabs();
      leaveFlash(t('mail.proven', { email: answer.data.email }));
      location.assign(at('/account'));
      return null;
    },
  });
}

export function startMail() {
  readLinks();
  const switchTo = (on, key) => call('PUT', `/api/mail-settings/${encodeURIComponent(linkToken())}`, { body: { event_mail: on }, key });
  bindForm(byId('form'), {
    busy: t('mail.sending'),
    doing: 'mail',
    async submit(values, key) {
      const answer = await switchTo(false, key);
      if (!answer.ok) return answer;
      show(byId('form'), false);
      show(byId('stopped'));
      byId('stopped').focus();
      return null;
    },
  });
  byId('again').addEventListener('click', async () => {
    const answer = await switchTo(true);
    if (!answer.ok) return;
    show(byId('again'), false);
    showFlash(t('mail.on'));
  });
}
