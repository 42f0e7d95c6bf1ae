// The guest list on the organizer's page: found, sorted and read a page at a time by the service,
// so that it is as quick with a million people as with ten.

import { call, eventPath, isArray, said, seatPath } from './api.js';
import { at } from './base.js';
import { announce, byId, confirmed, isOff, make, setBusy, show, write } from './dom.js';
import { showFlash } from './layout.js';
import { currentUser } from './session.js';
import { language, number, ownZone, shortSpan, t } from './text.js';

const guestsAtATime = 100;
// A page of a search looks at so many people only, as the service has it; so many such pages are
// asked for before a visitor is asked whether to go on.
const lookedAt = 20_000;
const mostSearches = 25;
const sortedUpTo = 20_000; // likewise
const searchDelay = 300; // milliseconds after the last letter

// The beginning of an id is its time, the end tells neighbours apart.
const shortId = (id) => (id.length > 12 ? `${id.slice(0, 4)}…${id.slice(-6)}` : id);

// bindGuests fills in the list of an event. current() is the event as it is known, and changed() is
// called when somebody was removed. It returns {load(), isBusy()}.
export function bindGuests(eventID, { current, changed }) {
  const list = byId('roster');
  const search = byId('guest-search');
  const sort = byId('guest-sort');
  const more = byId('more');
  let next = '';
  let run = 0;
  let looked = 0; // people, in a search
  let nameless = false;

  const chosen = () => document.querySelector('input[name=list]:checked').value;
  const wanted = () => search.value.trim();
  const registered = () => current().tickets_sold + (current().waiting ?? 0);

  function address(extra) {
    const query = new URLSearchParams(extra);
    if (chosen() !== 'all') query.set('status', chosen());
    return `${eventPath(eventID)}/attendees?${query}`;
  }

  function entry(guest) {
    const name = guest.name || shortId(guest.user_id);
    const remove = make('button', { type: 'button', class: 'link-button', 'aria-label': t('manage.remove_who', { who: name }) }, t('manage.remove'));
    const item = make('li', { class: 'guest', tabindex: '-1' },
      make('span', { class: 'guest-number' }, make('span', { class: 'quiet' }, t('guests.number')), ' ', number(guest.number)),
      make('span', { class: 'guest-who' },
        guest.name ? make('strong', { dir: 'auto' }, guest.name) : make('code', { title: guest.user_id }, name),
        ...(guest.user_id === currentUser()?.id ? [' ', make('span', { class: 'pill' }, t('manage.you'))] : []),
        ...(guest.email ? [make('span', { class: 'guest-mail' }, guest.email)] : [])),
      badgeOf(guest.status),
      make('time', { class: 'fine guest-time', datetime: guest.registered_at }, shortSpan(guest.registered_at, guest.registered_at, ownZone)),
      remove);
    remove.addEventListener('click', () => removeGuest(guest, name, item, remove));
    return item;
  }

  const badgeOf = (status) => make('span', { class: `badge badge-${status === 'confirmed' ? 'good' : 'warn'}` }, t(`guests.is_${status}`));

  async function removeGuest(guest, name, item, button) {
    if (isOff(button)) return;
    const promotes = guest.status === 'confirmed' && current().waiting;
    const sure = await confirmed({ title: t('manage.remove_title', { who: name }), text: t(promotes ? 'manage.remove_promotes' : 'manage.remove_text'), yes: t('manage.remove') });
    if (!sure) return;
    setBusy(button, t('manage.removing'));
    const answer = await call('DELETE', seatPath(eventID, guest.user_id));
    setBusy(button, '');
    if (!answer.ok) {
      const { title, text } = said(answer, 'leave');
      showFlash(`${title}. ${text}`, 'warn');
      return;
    }
    const place = [...list.children].indexOf(item);
    announce(t('manage.removed'));
    // Somebody may have moved up. A long list that was read page by page stays where it is.
    const short = list.children.length <= guestsAtATime;
    item.remove();
    await changed();
    if (short) await load();
    const { children } = list;
    (children[Math.min(place, children.length - 1)] ?? byId('roster-title')).focus();
  }

  function summary() {
    const shown = list.children.length;
    if (wanted()) {
      if (next) return shown ? t('guests.first_found', { n: shown }) : t('guests.looked', { n: looked });
      return shown ? t('guests.found', { n: shown }) : t('guests.none_found', { words: wanted() });
    }
    if (shown === 0) return t(`guests.none_${chosen()}`);
    return next ? t('guests.first', { n: shown, all: number(guestsIn(chosen())) }) : t('guests.all', { n: shown });
  }

  const guestsIn = (kind) => ({ confirmed: current().tickets_sold, waitlisted: current().waiting ?? 0 }[kind] ?? registered());

  // Adds what is at a path, and in a search what follows until there is enough to show. A list that
  // begins anew takes the place of the old one when its first page is there, so that nothing
  // flickers. Returns the first person that was added.
  async function read(path, { anew }) {
    const mine = ++run;
    let first = null;
    let added = 0;
    for (let n = 0; path && added < guestsAtATime && n < (wanted() ? mostSearches : 1); n++) {
      const answer = await call('GET', path);
      if (mine !== run) return null;
      if (!isArray(answer)) {
        next = path;
        show(byId('more-row'));
        write(byId('roster-note'), said(answer, 'read').text);
        return first;
      }
      if (anew && n === 0) {
        list.replaceChildren();
        [looked, nameless] = [0, false];
      }
      const items = answer.data.map(entry);
      nameless ||= answer.data.some((guest) => !guest.name);
      list.append(...items);
      first ??= items[0] ?? null;
      added += items.length;
      path = answer.next;
      looked = Math.min(looked + lookedAt, registered());
      if (path && wanted()) write(byId('roster-note'), t('guests.looking', { n: looked }));
    }
    next = path;
    show(byId('more-row'), next !== '');
    show(byId('nameless'), nameless);
    write(byId('roster-note'), summary());
    return first;
  }

  function showTools() {
    const count = registered();
    for (const kind of ['all', 'confirmed', 'waitlisted']) write(byId(`count-${kind}`), number(guestsIn(kind)));
    for (const option of sort.options) option.disabled = option.value === 'name' && count > sortedUpTo;
    if (sort.selectedOptions[0]?.disabled) sort.value = 'number';
    show(byId('guest-tools'), count > 0);
    const file = { format: 'csv', bom: 'true' };
    if (language === 'de') file.separator = 'semicolon'; // as spreadsheets with a decimal comma want it
    byId('csv').setAttribute('href', at(address(file)));
  }

  function load() {
    showTools();
    const query = { limit: guestsAtATime, sort: sort.value };
    if (wanted()) query.q = wanted();
    return read(address(query), { anew: true });
  }

  more.addEventListener('click', async () => {
    if (isOff(more)) return;
    setBusy(more, t('action.loading'));
    const first = await read(next, { anew: false });
    setBusy(more, '');
    first?.focus();
  });
  for (const radio of document.querySelectorAll('input[name=list]')) radio.addEventListener('change', load);
  sort.addEventListener('change', load);
  let timer = 0;
  search.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(load, searchDelay);
  });
  byId('guest-find').addEventListener('submit', (event) => {
    event.preventDefault();
    clearTimeout(timer);
    load();
  });

  return { load, isBusy: () => list.contains(document.activeElement) || list.children.length > guestsAtATime };
}
