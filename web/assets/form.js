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
// when all went well. draft names what keeps the typed values, and the key, over a reload; doing, which
// sentences to use.
export function bindForm(form, { busy, doing, draft, stay, check, submit }) {
  const button = form.querySelector('button[type=submit]');
  const summary = byId(`${form.id}-error`);
  const controls = [...form.elements].filter((control) => control.name);
  let key = newKey();
  let [base, version] = [{}, '']; // what the form began with, and which version of it that is

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

  // Only what was typed: the rest may be another one by the time it is come back to. The key goes with it,
  // because the request may have been sent, and its answer lost.
  function keepDraft() {
    if (!draft) return;
    const typed = Object.entries(values()).filter(([name, value]) => value !== base[name]);
    if (typed.length) local.set(draft, JSON.stringify({ typed: Object.fromEntries(typed), version, key }));
    else local.remove(draft);
  }

  function readDraft() {
    try {
      const kept = JSON.parse(local.get(draft) ?? 'null');
      return kept?.typed && typeof kept.typed === 'object' ? kept : null;
    } catch {
      return null;
    }
  }

  function renewKey() {
    key = newKey();
    if (draft && readDraft()) keepDraft();
  }

  function set(all) {
    for (const control of controls) {
      if (!(control.name in all)) continue;
      if (control.type === 'checkbox') control.checked = Boolean(all[control.name]);
      else control.value = all[control.name];
      count(control);
    }
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
      keepDraft();
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
    // What is not decided is sent again under the same key; a session that ended decides nothing.
    if (!isUndecided(failed) && !['offline', 'unauthenticated'].includes(failed.code)) renewKey();
    showFailure(failed);
  });

  // Coming back by the Back button may show this very page again, still busy.
  window.addEventListener('pageshow', (event) => event.persisted && setBusy(button, ''));

  return {
    set,
    // Shows all, of this version, and over it what was typed before a reload. drafted: there was
    // something; moved: it was typed over another version. Without a version all of it is the draft.
    begin(all, of = '') {
      set(all);
      [base, version] = [of ? values() : {}, of];
      const kept = draft ? readDraft() : null;
      if (!kept) return { drafted: false, moved: false };
      set(kept.typed);
      if (typeof kept.key === 'string' && kept.key) key = kept.key;
      return { drafted: true, moved: kept.version !== version };
    },
    // Shows all, of another version, except what was typed.
    rebase(all, of) {
      const typed = Object.fromEntries(Object.entries(values()).filter(([name, value]) => value !== base[name]));
      set(all);
      [base, version] = [values(), of];
      set(typed);
      keepDraft();
    },
    dropDraft() {
      local.remove(draft);
      key = newKey();
    },
  };
}
