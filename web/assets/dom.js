// Building the page. Text goes in as text nodes and textContent only: nothing that anybody typed
// is ever parsed as HTML.

import { at } from './base.js';
import { t } from './text.js';

export const byId = (id) => document.getElementById(id);

// make('a', {href: '/', class: 'button'}, 'Events') makes an element. Only attributes that cannot
// run anything may be set.
const allowedAttributes = new Set(['class', 'href', 'dir', 'datetime', 'title', 'type', 'value', 'min', 'max', 'low', 'high', 'optimum', 'tabindex', 'role', 'aria-hidden', 'aria-label', 'aria-labelledby', 'id', 'download', 'lang']);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (!allowedAttributes.has(name)) throw new Error(`attribute ${name} is not on the list`);
    element.setAttribute(name, name === 'href' && value.startsWith('/') ? at(value) : value);
  }
  element.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

// drawn('rect', {x: 1}) makes an element of a drawing (SVG). Its attributes are numbers and classes.
export function drawn(tag, attributes = {}, ...children) {
  const element = document.createElementNS(document.querySelector('svg').namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value !== 'number' && name !== 'class') throw new Error(`attribute ${name} of a drawing is no number`);
    element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function show(element, visible = true) {
  if (element.hidden === visible) element.hidden = !visible;
}

// Leaves a text that is there already as it is, so that nothing is selected or read anew.
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Speaks a sentence to screen readers. The pause lets them notice that the region was emptied, so
// the same sentence is spoken twice when it comes twice.
export function announce(sentence) {
  const region = byId('announce');
  region.textContent = '';
  setTimeout(() => {
    region.textContent = sentence;
  }, 100);
}

// A busy button keeps its focus, so it is not disabled: it ignores clicks.
export function setBusy(button, words) {
  if (words) {
    button.dataset.words ??= button.textContent;
    button.dataset.busy = '';
    button.setAttribute('aria-disabled', 'true');
    button.textContent = words;
    return;
  }
  delete button.dataset.busy;
  button.removeAttribute('aria-disabled');
  if (button.dataset.words) button.textContent = button.dataset.words;
  delete button.dataset.words;
}

export const isOff = (button) => button.getAttribute('aria-disabled') === 'true';

export function note(kind, title, text, ...more) {
  const box = make('div', { class: `note note-${kind}` }, make('p', { class: 'note-title' }, title));
  if (text) box.append(make('p', {}, text));
  for (const each of more) if (each) box.append(make('p', {}, each));
  return box;
}

// Asks before something that cannot be undone. Resolves to whether it was wanted.
export function confirmed({ title, text, yes }) {
  const dialog = byId('confirm');
  byId('confirm-title').textContent = title;
  byId('confirm-text').textContent = text;
  byId('confirm-yes').textContent = yes;
  return new Promise((resolve) => {
    const end = (wanted) => {
      dialog.onclose = null;
      dialog.close();
      resolve(wanted);
    };
    byId('confirm-yes').onclick = () => end(true);
    byId('confirm-no').onclick = () => end(false);
    // Escape. The event of an earlier question may come when this one is open already.
    dialog.onclose = () => dialog.open || resolve(false);
    dialog.showModal();
    byId('confirm-no').focus();
  });
}

// A button that gives the address of a page to whoever it is for.
export function bindShare(button, title, path) {
  const address = new URL(at(path), location.origin).href;
  show(button, Boolean(navigator.share || navigator.clipboard));
  button.addEventListener('click', async () => {
    try {
      if (navigator.share) await navigator.share({ title, url: address });
      else {
        await navigator.clipboard.writeText(address);
        button.textContent = t('event.copied');
        announce(t('event.copied'));
      }
    } catch {
      // The visitor changed their mind, or may not.
    }
  });
}
