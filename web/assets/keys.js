// One's API keys, on the account page: the list, a new one, which is shown once, and the end of one.

import { call, isArray, said } from './api.js';
import { announce, byId, confirmed, isOff, make, setBusy, show } from './dom.js';
import { bindForm } from './form.js';
import { checkSession } from './session.js';
import { moment, t } from './text.js';

const keysPath = '/api/keys';
const scopesOfKeys = ['read', 'register', 'organize'];
const dayMilliseconds = 86_400_000;

// 404 is the answer of a service that has no keys.
export async function startKeys() {
  const trouble = byId('keys-trouble');
  const nothingWrong = () => show(trouble, false);
  const tellTrouble = (answer) => {
    const { title, text } = said(answer, 'keys');
    trouble.replaceChildren(make('p', { class: 'note-title' }, title), make('p', {}, text));
    show(trouble);
  };

  async function endKey(key, button) {
    if (isOff(button)) return;
    if (!(await confirmed({ title: t('keys.end_title', { name: key.name }), text: t('keys.end_text'), yes: t('keys.end') }))) return;
    nothingWrong();
    setBusy(button, t('keys.ending'));
    const answer = await call('DELETE', `${keysPath}/${encodeURIComponent(key.id)}`);
    setBusy(button, '');
    if (!answer.ok) {
      if (answer.status === 401) await checkSession();
      tellTrouble(answer);
      return;
    }
    await showKeys();
    announce(t('keys.ended'));
    byId('keys-title').focus();
  }

  function row(key) {
    const end = make('button', { type: 'button', class: 'button button-plain button-small', 'aria-label': t('keys.end_named', { name: key.name }) }, t('keys.end'));
    end.addEventListener('click', () => endKey(key, end));
    const used = key.last_used_at ? t('keys.used', { when: moment(key.last_used_at) }) : t('keys.unused');
    return make('li', {},
      make('div', {},
        make('strong', { dir: 'auto' }, key.name),
        make('p', {}, key.scopes.map((scope) => t(`keys.scope.${scope}`)).join(' · ')),
        make('p', { class: 'fine' }, `${t('keys.expires', { when: moment(key.expires_at) })} ${used}`)),
      end);
  }

  async function showKeys() {
    const answer = await call('GET', keysPath);
    if (answer.status === 404) return;
    show(byId('keys'));
    if (!isArray(answer)) {
      tellTrouble(answer);
      return;
    }
    byId('key-list').replaceChildren(...answer.data.map(row));
    show(byId('keys-none'), answer.data.length === 0);
  }

  byId('key-copy').addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(byId('key-text').textContent);
      announce(t('keys.copied'));
    } catch {
      getSelection().selectAllChildren(byId('key-text'));
    }
  });

  const form = byId('key-form');
  bindForm(form, {
    busy: t('keys.making'),
    doing: 'keys',
    stay: true,
    check(values, wrong) {
      if (!scopesOfKeys.some((scope) => values[scope])) wrong('read', t('keys.no_scope'));
    },
    async submit({ name, days, ...may }, key) {
      nothingWrong();
      const answer = await call('POST', keysPath, {
        key,
        body: { name, scopes: scopesOfKeys.filter((scope) => may[scope]), expires_at: new Date(Date.now() + Number(days) * dayMilliseconds).toISOString() },
      });
      await showKeys(); // also when it is not known whether it was made
      if (!answer.ok) return answer;
      byId('key-text').textContent = answer.data.key;
      show(byId('key-made'));
      byId('key-made').focus();
      form.reset();
      return null;
    },
  });
  await showKeys();
}
