import { call } from './api.js';
import { byId } from './dom.js';
import { bindForm } from './form.js';
import { startKeys } from './keys.js';
import { showFlash } from './layout.js';
import { currentUser, tellOtherTabs } from './session.js';
import { t } from './text.js';

export function startAccount() {
  const form = byId('form');
  if (!form) return;
  startKeys();
  bindForm(form, {
    busy: t('account.changing'),
    doing: 'password',
    stay: true,
    check({ new_password: password }, wrong) {
      if ([...password].length < 8) wrong('new_password', t('wrong.new_password'));
    },
    async submit({ old_password, new_password }, key) {
      const answer = await call('POST', `/api/users/${encodeURIComponent(currentUser().id)}/password`, { body: { old_password, new_password }, key });
      if (!answer.ok) {
        if (answer.status === 401) answer.field = 'old_password';
        return answer;
      }
      form.reset();
      tellOtherTabs();
      showFlash(t('account.password_changed'));
      return null;
    },
  });
}
