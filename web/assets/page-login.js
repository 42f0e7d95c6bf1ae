import { call } from './api.js';
import { at } from './base.js';
import { byId } from './dom.js';
import { bindForm } from './form.js';
import { leaveFlash, nextAddress, tellOtherTabs } from './session.js';
import { t } from './text.js';

function enter({ name }, greeting) {
  tellOtherTabs();
  leaveFlash(t(greeting, { name }));
  location.assign(nextAddress());
  return null;
}

export function startLogin() {
  byId('other').setAttribute('href', at(`/signup${location.search}`));
  bindForm(byId('form'), {
    busy: t('account.logging_in'),
    doing: 'login',
    async submit({ email, password }, key) {
      const answer = await call('POST', '/api/login', { body: { email: email.trim(), password }, key });
      return answer.ok && answer.data?.id ? enter(answer.data, 'account.welcome_back') : answer;
    },
  });
}

export function startSignup() {
  byId('other').setAttribute('href', at(`/login${location.search}`));
  bindForm(byId('form'), {
    busy: t('account.signing_up'),
    doing: 'signup',
    check({ name, password }, wrong) {
      if (!name.trim()) wrong('name', t('form.required'));
      if ([...password].length < 8) wrong('password', t('wrong.password'));
    },
    async submit({ name, email, password }, key) {
      const answer = await call('POST', '/api/users', { body: { name: name.trim(), email: email.trim(), password }, key });
      if (answer.ok && answer.data?.id) return enter(answer.data, 'account.welcome');
      if (answer.code === 'email_taken') answer.field = 'email';
      return answer;
    },
  });
}
