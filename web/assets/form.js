// What the forms share: errors beside their fields, focus on the first of
// them, one request at a time.

import { byId, isOff, setBusy, show } from './dom.js';

// The reasons of the API complete "title ..."; beside the field they stand alone.
const sentence = (reason) => `${reason.charAt(0).toUpperCase()}${reason.slice(1)}${/[.!?]$/.test(reason) ? '' : '.'}`;

// bind runs submit(values) when the form is sent and valid. check(values, wrong)
// calls wrong(field, reason) for each mistake; submit returns the failed answer
// of the API, or nothing when all went well and the page is being left.
export function bind(form, { busy, check, submit }) {
  const button = form.querySelector('button[type=submit]');
  const summary = byId('form-error');
  const controls = [...form.elements].filter((control) => control.name);

  function clear(control) {
    control.removeAttribute('aria-invalid');
    // Emptied too: aria-describedby reads hidden text aloud.
    byId(`${control.name}-error`).textContent = '';
    show(byId(`${control.name}-error`), false);
  }

  function showErrors(fields, detail) {
    let first = null;
    const rest = [];
    for (const [name, reason] of fields) {
      const control = controls.find((each) => each.name === name);
      if (!control) {
        rest.push(sentence(`${name} ${reason}`));
        continue;
      }
      control.setAttribute('aria-invalid', 'true');
      byId(`${name}-error`).textContent = sentence(reason);
      show(byId(`${name}-error`));
    }
    for (const control of controls) {
      if (!first && control.getAttribute('aria-invalid')) first = control;
    }
    // The summary says what no field can say.
    if (rest.length || !first) {
      summary.textContent = [detail, ...rest].filter(Boolean).join(' ');
      show(summary);
    }
    (first ?? summary).focus();
  }

  for (const control of controls) control.addEventListener('input', () => clear(control));

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (isOff(button)) return;
    controls.forEach(clear);
    show(summary, false);

    const values = Object.fromEntries(controls.map((control) => [control.name, control.value]));
    const mistakes = new Map();
    const wrong = (field, reason) => mistakes.has(field) || mistakes.set(field, reason);
    for (const control of controls) {
      // The browser's own words, in the visitor's language.
      if (!control.validity.valid) wrong(control.name, control.validationMessage);
    }
    check?.(values, wrong);
    if (mistakes.size) {
      showErrors(mistakes, '');
      return;
    }

    setBusy(button, busy);
    const failed = await submit(values);
    if (!failed) return; // stays busy while the next page loads
    setBusy(button, '');
    showErrors(failed.fields, failed.detail);
  });

  // Coming back by the Back button may show this very page again, still busy.
  window.addEventListener('pageshow', (event) => event.persisted && setBusy(button, ''));
}
