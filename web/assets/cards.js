// An event in a list: a ticket with the date on its stub.

import { make } from './dom.js';
import { places, shortSpan, stub, t } from './text.js';

// What a card says about the event, or about the visitor's own registration for it.
function badge(event, own) {
  const { all, left } = places(event);
  const now = event.registration_state;
  if (now === 'cancelled') return make('p', { class: 'badge badge-bad' }, t('badge.cancelled'));
  if (own?.status === 'confirmed') return make('p', { class: 'badge badge-good' }, t('badge.confirmed', { number: own.number }));
  if (own?.status === 'cancelled') return make('p', { class: 'badge badge-plain' }, t({ person: 'badge.gave_up', organizer: 'badge.removed' }[own.by] ?? 'badge.gone'));
  if (own?.status === 'waitlisted') return make('p', { class: 'badge badge-warn' }, t('badge.waiting'));
  if (now === 'open') return make('p', { class: left / all <= 0.1 ? 'left left-few' : 'left' }, t('places.left', { n: left }));
  if (now === 'opens_soon') return make('p', { class: 'badge badge-warn' }, t('badge.opens', { when: shortSpan(event.registration_opens_at, event.registration_opens_at, event.time_zone) }));
  return make('p', { class: `badge badge-${{ full: 'bad', waitlist: 'warn' }[now] ?? 'plain'}` }, t(`badge.${now}`));
}

export function card(event, own) {
  const { all, taken } = places(event);
  const date = stub(event.starts_at, event.time_zone);
  const now = event.registration_state;
  const dim = own?.status === 'cancelled' || (['ended', 'cancelled', 'closed', 'full'].includes(now) && own?.status !== 'confirmed');
  const foot = make('div', { class: 'card-foot' }, badge(event, own));
  if (['open', 'opens_soon'].includes(now) && !own) {
    foot.append(make('meter', { class: 'meter', min: 0, max: Math.max(all, 1), low: all * 0.6, high: all * 0.9, optimum: 0, value: taken, 'aria-hidden': 'true' }));
  }
  const body = make('div', { class: 'card-body' },
    make('h3', { class: 'card-title', dir: 'auto' }, make('a', { href: `/events/${encodeURIComponent(event.id)}` }, event.title)),
    make('p', { class: 'fine' }, make('time', { datetime: event.starts_at }, shortSpan(event.starts_at, event.ends_at, event.time_zone))));
  if (event.place) body.append(make('p', { class: 'fine card-place', dir: 'auto' }, event.place));
  body.append(foot);
  return make('li', { class: dim ? 'card card-dim' : 'card' },
    make('div', { class: 'stub', 'aria-hidden': 'true' },
      make('span', { class: 'stub-month' }, date.month),
      make('span', { class: 'stub-day' }, date.day),
      make('span', { class: 'stub-year' }, date.weekday)),
    body);
}
