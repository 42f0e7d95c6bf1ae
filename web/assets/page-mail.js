// The pages where the links of mails lead, and where people ask for such a mail. The token of a link
// comes after the #, so that no server on the way sees it.

import { call, said } from './api.js';
import { at } from './base.js';
import { byId, isOff, note, setBusy, show, write } from './dom.js';
import { bindForm } from './form.js';
import { showFlash } from './layout.js';
import { checkSession, currentUser, go, leaveFlash, tellOtherTabs } from './session.js';
import { session } from './storage.js';
import { t } from './text.js';

const linkToken = () => location.hash.slice(1);

// A link that is opened where another one is open already changes what follows the # alone.
const startAnew = () => window.addEventListener('hashchange', () => location.reload());

// A token of another form than the service makes is one that was cut off.
const ofLink = (answer) => (answer.fields.includes('token') ? { ...answer, code: 'link_invalid', fields: [] } : answer);

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
  startAnew();
  if (!linkToken()) {
    show(byId('form'), false);
    show(byId('broken'));
    return;
  }
  bindForm(byId('form'), {
    busy: t('account.changing'),
    doing: 'password',
    check({ new_password: password }, wrong) {
      if ([...password].length < 8) wrong('new_password', t('wrong.new_password'));
    },
    async submit({ new_password: password }, key) {
      const answer = await call('POST', '/api/password-resets/confirm', { body: { token: linkToken(), password }, key });
      if (!answer.ok) {
        if (answer.fields.includes('token')) return ofLink(answer);
        return { ...answer, fields: answer.fields.map((name) => (name === 'password' ? 'new_password' : name)) };
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
  startAnew();
  if (linkToken()) session.set(provenKey, linkToken());
  let token = session.get(provenKey);
  const [form, button] = [byId('form'), byId('prove-button')];
  if (!form) return;
  function showWish() {
    const proven = Boolean(currentUser()?.email_proven_at) && !token;
    show(byId('proven'), proven);
    show(form, !proven);
    show(byId('prove-ask'), !token);
    show(byId('prove-confirm'), Boolean(token));
    const words = t(token ? 'mail.prove_yes' : 'mail.prove_send');
    if (isOff(button)) button.dataset.words = words; // for when it is not busy any more
    else write(button, words);
  }
  showWish();
  bindForm(form, {
    busy: t('mail.sending'),
    doing: 'prove',
    async submit(values, key) {
      const path = `/api/users/${encodeURIComponent(currentUser().id)}/email-proof`;
      if (!token) {
        const answer = await call('POST', path, { body: {}, key });
        return answer.ok ? showSent() : answer;
      }
      const answer = ofLink(await call('POST', `${path}/confirm`, { body: { token }, key }));
      if (answer.code === 'link_invalid') {
        // The link is of no use any more; the same button sends a new one.
        token = null;
        session.remove(provenKey);
        history.replaceState(null, '', location.pathname);
        await checkSession();
        showWish();
      }
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
  startAnew();
  const path = `/api/mail-settings/${encodeURIComponent(linkToken() || '-')}`;
  const [form, again] = [byId('form'), byId('again')];
  function showSettings(on) {
    show(form, on);
    show(byId('stopped'), !on);
  }
  async function read() {
    const answer = await call('GET', path);
    if (answer.ok) showSettings(answer.data?.event_mail !== false);
    else if (answer.code === 'link_invalid' || answer.code === 'no_mail') {
      const { title, text } = said(answer, 'mail');
      show(form, false);
      byId('broken').replaceChildren(note('warn', title, text));
    }
  }
  bindForm(form, {
    busy: t('mail.sending'),
    doing: 'mail',
    stay: true,
    async submit(values, key) {
      const answer = await call('PUT', path, { body: { event_mail: false }, key });
      if (!answer.ok) return answer;
      showSettings(false);
      byId('stopped').focus();
      return null;
    },
  });
  again.addEventListener('click', async () => {
    if (isOff(again)) return;
    setBusy(again, t('mail.sending'));
    const answer = await call('PUT', path, { body: { event_mail: true } });
    setBusy(again, '');
    if (!answer.ok) {
      const { title, text } = said(answer, 'mail');
      showFlash(`${title}. ${text}`, 'warn');
      return;
    }
    showSettings(true);
    showFlash(t('mail.on'));
    form.querySelector('button').focus();
  });
  read();
}
