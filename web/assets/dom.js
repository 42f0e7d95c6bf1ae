// Building the page. Text goes in as text nodes and textContent only: nothing
// that anybody typed is ever parsed as HTML.

export const byId = (id) => document.getElementById(id);

// make('a', {href: '/', class: 'button'}, 'Events') makes an element. Only
// attributes that cannot run anything may be set.
const allowed = new Set(['class', 'href', 'dir', 'datetime', 'title', 'type', 'value', 'min', 'max', 'low', 'high', 'optimum', 'tabindex', 'role', 'aria-hidden', 'aria-label']);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (!allowed.has(name)) throw new Error(`attribute ${name} is not on the list`);
    element.setAttribute(name, value);
  }
  element.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

export function show(element, visible = true) {
  element.hidden = !visible;
}

// Speaks a sentence to screen readers. The pause lets them notice that the
// region was emptied, so the same sentence is spoken twice when it comes twice.
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
