// What the forms share: errors beside their fields, focus on the first of them, one request at a
// time under a key, drafts that survive a reload, counters.

import { isUndecided, newKey, said } from './api.js';
import { byId, isOff, make, setBusy, show } from './dom.js';
import { withNext } from './session.js';
import { local } from './storage.js';
import { hasText, number, t } from './text.js';

// What is wrong with a field, as far as it can be seen here. The words are those of the page's
// language, not of the browser's.
function mistakeIn(control) {
  const { validity } = control;
  if (validity.valid) return '';
  if (validity.valueMissing) return t('form.required');
  return hasText(`wrong.${control.name}`) ? t(`wrong.${control.name}`) : t('form.wrong');
}

const valueOf = (control) => (control.type === 'checkbox' ? control.checked : control.value);

// bindForm runs submit(values, key) when the form is sent and valid. check(values, wrong) calls
// wrong(field, sentence) for each mistake; submit returns the failed answer of the API, or nothing
// when all went well. draft names what keeps the values over a reload; doing, which sentences to use.
export function bindForm(form, { busy, doing, draft, stay, check, submit }) {
  const button = form.querySelector('button[type=submit]');
  const summary = byId(`${form.id}-error`);
  const controls = [...form.elements].filter((control) => control.name);
  let key = newKey();

  const values = () => Object.fromEntries(controls.map((control) => [control.name, valueOf(control)]));

  function clear(control) {
    control.removeAttribute('aria-invalid');
    // Emptied too: aria-describedby reads hidden text aloud.
    byId(`${control.name}-error`).textContent = '';
    show(byId(`${control.name}-error`), false);
  }

  function mark(name, sentence) {
    const control = controls.find((each) => each.name === name);
    if (!control) return false;
    control.setAttribute('aria-invalid', 'true');
    byId(`${name}-error`).textContent = sentence;
    show(byId(`${name}-error`));
    return true;
  }

  function focusFirst() {
    (controls.find((control) => control.getAttribute('aria-invalid')) ?? summary).focus();
  }

  function showFailure(answer) {
    let placed = false;
    for (const name of answer.fields) placed = mark(name, hasText(`wrong.${name}`) ? t(`wrong.${name}`) : t('form.wrong')) || placed;
    if (answer.field) placed = mark(answer.field, said(answer, doing).text) || placed;
    if (!placed) {
      const { code, title, text } = said(answer, doing);
      summary.replaceChildren(make('p', { class: 'note-title' }, title), make('p', {}, text));
      if (['unauthenticated', 'login_too_old'].includes(code) && doing !== 'login') summary.append(make('p', {}, make('a', { href: withNext('/login') }, t('account.log_in_again'))));
      show(summary);
    }
    focusFirst();
  }

  function count(control) {
    const counter = byId(`${control.name}-counter`);
    if (!counter) return;
    const used = [...control.value].length;
    const near = used > control.maxLength * 0.8;
    counter.textContent = near ? t('form.counter', { used, most: control.maxLength }) : '';
  }

  for (const control of controls) {
    control.addEventListener('input', () => {
      clear(control);
      count(control);
      key = newKey(); // another content is another request
      if (draft) local.set(draft, JSON.stringify(values()));
    });
  }

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (isOff(button)) return;
    controls.forEach(clear);
    show(summary, false);

    let wrong = false;
    const found = new Set();
    const markOnce = (name, sentence) => {
      wrong = true;
      if (!found.has(name)) mark(name, sentence);
      found.add(name);
    };
    for (const control of controls) {
      const mistake = mistakeIn(control);
      if (mistake) markOnce(control.name, mistake);
    }
    check?.(values(), markOnce);
    if (wrong) {
      focusFirst();
      return;
    }

    setBusy(button, busy);
    const failed = await submit(values(), key);
    if (!failed && draft) local.remove(draft);
    if (!failed && !stay) return; // stays busy while the next page loads
    setBusy(button, '');
    if (!failed) {
      key = newKey();
      return;
    }
    // What is not decided is sent again under the same key.
    if (!isUndecided(failed) && failed.code !== 'offline') key = newKey();
    showFailure(failed);
  });

  // Coming back by the Back button may show this very page again, still busy.
  window.addEventListener('pageshow', (event) => event.persisted && setBusy(button, ''));

  return {
    set(all) {
      for (const control of controls) {
        if (!(control.name in all)) continue;
        if (control.type === 'checkbox') control.checked = Boolean(all[control.name]);
        else control.value = all[control.name];
        count(control);
      }
    },
    // What was typed before a reload, or null.
    draft() {
      try {
        const kept = JSON.parse(local.get(draft) ?? 'null');
        return kept && typeof kept === 'object' ? kept : null;
      } catch {
        return null;
      }
    },
    dropDraft: () => local.remove(draft),
    limit: (name) => number(controls.find((control) => control.name === name).maxLength),
  };
}
