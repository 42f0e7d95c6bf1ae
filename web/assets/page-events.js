import './layout.js';
import { call, isArray } from './api.js';
import { announce, byId, isOff, make, setBusy, show } from './dom.js';
import { number, places, placesLeft, span, stub, timeZone } from './format.js';

// Cards added at a time: the API answers with all events, however many.
const step = 60;

function card(event) {
  const { all, taken, left } = places(event);
  const date = stub(event.starts_at);
  const soldOut = left === 0;
  const when = make('time', { datetime: event.starts_at }, span(event.starts_at, event.ends_at));
  const state = soldOut
    ? make('p', { class: 'badge badge-out' }, 'Sold out')
    : make('p', { class: left / all <= 0.1 ? 'left left-few' : 'left' }, placesLeft(event));
  const meter = make('meter', { class: 'meter', min: 0, max: Math.max(all, 1), low: all * 0.6, high: all * 0.9, optimum: 0, value: taken, 'aria-hidden': 'true' });
  return make('li', { class: soldOut ? 'card card-out' : 'card' },
    make('div', { class: 'stub', 'aria-hidden': 'true' },
      make('span', { class: 'stub-month' }, date.month),
      make('span', { class: 'stub-day' }, date.day),
      make('span', { class: 'stub-year' }, date.year)),
    make('div', { class: 'card-body' },
      make('h2', { class: 'card-title', dir: 'auto' }, make('a', { href: `/events/${encodeURIComponent(event.id)}` }, event.title || 'Untitled')),
      make('p', { class: 'fine' }, when),
      make('div', { class: 'card-foot' }, state, meter)));
}

function isPast(event) {
  return new Date(event.ends_at) < Date.now();
}

// fill shows the first cards and then more on demand, keeping the keyboard's place.
function fill(list, row, button, events) {
  let shown = 0;
  function add() {
    const cards = events.slice(shown, shown + step).map(card);
    list.append(...cards);
    shown += cards.length;
    if (row) show(row, shown < events.length);
    return cards;
  }
  list.replaceChildren();
  add();
  if (!button) return;
  button.onclick = () => {
    const [first] = add();
    first?.querySelector('a').focus();
  };
}

async function load() {
  const answer = await call('GET', '/api/events');
  show(byId('loading'), false);
  if (!isArray(answer)) {
    byId('trouble-text').textContent = answer.ok ? 'The list could not be read.' : answer.detail;
    show(byId('trouble'));
    announce(byId('trouble-text').textContent);
    return;
  }
  show(byId('trouble'), false);

  const past = answer.data.filter(isPast).reverse();
  const upcoming = answer.data.filter((event) => !isPast(event));
  show(byId('empty'), upcoming.length === 0);
  show(byId('upcoming'), upcoming.length > 0);
  fill(byId('upcoming'), byId('more-row'), byId('more'), upcoming);

  show(byId('past'), past.length > 0);
  byId('past-count').textContent = number(past.length);
  fill(byId('past-list'), null, null, past);

  byId('zone').textContent = `Times are in your time zone, ${timeZone}.`;
  announce(upcoming.length === 1 ? '1 event' : `${number(upcoming.length)} events`);
}

byId('reload').addEventListener('click', async ({ currentTarget: button }) => {
  if (isOff(button)) return;
  setBusy(button, 'Trying');
  await load();
  setBusy(button, '');
});

load();
