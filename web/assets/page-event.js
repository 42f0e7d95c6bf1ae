import './layout.js';
import { call, isArray } from './api.js';
import { announce, byId, isOff, make, setBusy, show } from './dom.js';
import { moment, number, places, shortId, timeZone } from './format.js';
import { holdsPlace, isOpen, noteHolds, register } from './registration.js';
import { currentUser, withNext } from './user.js';

const eventID = location.pathname.split('/').pop();
const eventPath = `/api/events/${eventID}`;
const rosterPath = `${eventPath}/registrations?limit=100`;
const button = byId('register');

let event = null;

// ---- the event ----

async function loadEvent() {
  const answer = await call('GET', eventPath);
  if (answer.ok && answer.data?.id) {
    event = answer.data;
    showEvent();
    return true;
  }
  if (event) return false; // an older picture is better than none
  const missing = answer.status === 404 || answer.status === 400;
  byId('trouble-title').textContent = missing ? 'No such event' : 'This did not work';
  byId('trouble-text').textContent = missing
    ? 'It may have been taken down, or the link was cut off on its way to you.'
    : answer.ok ? 'The event could not be read.' : answer.detail;
  show(byId('reload'), !missing);
  show(byId('loading'), false);
  show(byId('trouble'));
  announce(byId('trouble-title').textContent);
  return false;
}

function time(text) {
  return make('time', { datetime: text }, moment(text));
}

function showEvent() {
  document.title = `${event.title} · Event.io`;
  byId('title').textContent = event.title || 'Untitled';
  byId('description').textContent = event.description || 'The organizer has not written anything yet.';
  byId('starts').replaceChildren(time(event.starts_at));
  byId('ends').replaceChildren(time(event.ends_at));
  byId('zone').textContent = timeZone;
  showPlaces();
  showAction();
  show(byId('loading'), false);
  show(byId('trouble'), false);
  show(byId('event'));
}

function showPlaces() {
  const { all, taken, left } = places(event);
  byId('ticket').classList.toggle('ticket-out', left === 0);
  byId('left').textContent = left === 0 ? 'Sold out' : number(left);
  byId('left-words').textContent = left === 0 ? '' : `${left === 1 ? 'place' : 'places'} left`;
  byId('taken').textContent = `${number(taken)} of ${number(all)} taken`;
  const meter = byId('meter');
  const values = { min: 0, max: Math.max(all, 1), low: all * 0.6, high: all * 0.9, optimum: 0, value: taken };
  for (const [name, value] of Object.entries(values)) meter.setAttribute(name, value);
}

// ---- registering ----

// showAction offers what this visitor can do now. A place may be given back at
// any time, but the button follows what the page last heard.
function showAction() {
  const user = currentUser();
  const holds = user !== null && holdsPlace(eventID, user.id);
  const open = user !== null && !holds && isOpen(eventID, user.id);
  const soldOut = places(event).left === 0;
  show(byId('guest'), !user && !soldOut);
  // While an answer is missing, the way to ask again stays even when the event
  // has sold out: the last place may be this visitor's.
  show(button, user !== null && !holds && (!soldOut || open));
  byId('guest-login').setAttribute('href', withNext('/login'));
  byId('guest-signup').setAttribute('href', withNext('/signup'));
  byId('ticket').classList.toggle('ticket-mine', holds);
  const feedback = byId('feedback');
  if (holds && !feedback.hasChildNodes()) {
    say('good', 'You are registered', 'Your place is held for you.');
  } else if (open && !feedback.hasChildNodes()) {
    say('warn', 'You asked for a place before', 'No definite answer arrived. It is safe to try again: you cannot get two.');
  } else if (!holds && !feedback.hasChildNodes() && new Date(event.ends_at) < Date.now()) {
    say('warn', 'This event is over', '');
  }
}

function say(kind, title, text, link) {
  const note = make('div', { class: `note note-${kind}` }, make('p', { class: 'note-title' }, title));
  if (text) note.append(make('p', {}, text));
  if (link) note.append(make('p', {}, link));
  byId('feedback').replaceChildren(note);
}

function logInLink() {
  return make('a', { href: withNext('/login') }, 'Log in again');
}

// The sentences, by what the answer means. Where the button stays, it stays
// with its key: see registration.js.
function react(answer) {
  const user = currentUser();
  const holds = (yes) => user && noteHolds(eventID, user.id, yes);
  if (answer.ok) {
    holds(true);
    say('good', 'You are registered', 'Your place is held for you.');
    return 'settled';
  }
  switch (answer.code || answer.status) {
    case 'already_registered':
      holds(true);
      say('good', 'You are already registered', 'Your place was held for you before. Nothing has changed.');
      return 'settled';
    case 'sold_out':
    case 409:
      holds(false);
      say('bad', 'Sold out', 'Somebody else got the last place first. You are not registered.');
      return 'settled';
    case 'registration_cancelled':
      holds(false);
      say('warn', 'This registration was cancelled', 'Press the button once more to register anew.');
      return 'again';
    case 'event_not_found':
    case 404:
      say('bad', 'No such event', 'It has been taken down since you opened this page.');
      return 'settled';
    case 'user_not_found':
    case 'unauthenticated':
    case 401:
      say('warn', 'You are not logged in any more', 'Log in and try again. You are not registered yet.', logInLink());
      return 'again';
    case 'forbidden':
    case 403:
      say('warn', 'You may not do this', `${answer.detail} You are not registered.`, logInLink());
      return 'again';
    case 'rate_limited':
    case 429:
      say('warn', 'A bit too fast', 'You are not registered yet. Wait a moment and try again.');
      return 'retry';
    case 'storage_full':
    case 'overloaded':
    case 503:
      say('warn', 'Very busy right now', 'You are not registered yet. It is safe to try again.');
      return 'retry';
    case 'unknown_outcome':
    case 502:
    case 504:
    case 0:
      say('warn', 'The answer got lost', 'You may or may not have a place. It is safe to try again: you cannot get two.');
      return 'retry';
    default:
      if (answer.status >= 500) {
        say('warn', 'This did not work', 'It is safe to try again: you cannot get two places.');
        return 'retry';
      }
      say('bad', 'This did not work', [answer.detail, ...answer.fields.values()].join(' '));
      return 'again';
  }
}

function offerRetry(seconds) {
  const ready = Date.now() + seconds * 1000;
  function tick() {
    const left = Math.ceil((ready - Date.now()) / 1000);
    if (left > 0) {
      button.setAttribute('aria-disabled', 'true');
      button.textContent = `Try again in ${number(left)} s`;
      setTimeout(tick, 250);
      return;
    }
    button.removeAttribute('aria-disabled');
    button.textContent = 'Try again';
  }
  tick();
}

button.addEventListener('click', async () => {
  if (isOff(button)) return;
  const user = currentUser();
  if (!user) {
    showAction();
    return;
  }
  setBusy(button, 'Registering');
  const answer = await register(eventID, user.id);
  setBusy(button, '');
  button.textContent = 'Register';
  const outcome = react(answer);
  if (outcome === 'settled') {
    // The button goes away, so the keyboard moves to the answer.
    byId('feedback').focus({ preventScroll: true });
    show(button, false);
    await loadEvent();
    await loadRoster();
    return;
  }
  if (outcome === 'retry') offerRetry(answer.retryAfter);
});

// ---- who is registered ----

let rosterRun = 0;
let rosterNext = '';
let rosterCount = 0;

function entry(id) {
  const me = currentUser()?.id === id;
  rosterCount += 1;
  const item = make('li', { class: me ? 'seat seat-mine' : 'seat', tabindex: '-1' },
    make('span', { class: 'seat-number' }, number(rosterCount)),
    make('code', { title: id }, shortId(id)));
  if (me) item.append(make('span', { class: 'pill' }, 'you'));
  return item;
}

// loadRoster shows the first page again, loadMore the one after the last.
async function loadRoster() {
  const run = ++rosterRun;
  const answer = await call('GET', rosterPath);
  if (run !== rosterRun) return;
  rosterCount = 0;
  byId('roster').replaceChildren();
  addPage(answer);
}

async function loadMore() {
  const run = ++rosterRun;
  const answer = await call('GET', rosterNext);
  if (run !== rosterRun) return;
  const first = addPage(answer);
  first?.focus();
}

function addPage(answer) {
  const list = byId('roster');
  const note = byId('roster-note');
  if (!isArray(answer)) {
    note.textContent = answer.status === 403 ? 'Only the organizer can see this.' : answer.ok ? 'The list could not be read.' : answer.detail;
    const again = rosterCount > 0;
    show(byId('roster-more-row'), again);
    show(list, again);
    announce(note.textContent);
    return null;
  }
  const items = answer.data.map((id) => entry(String(id)));
  list.append(...items);
  rosterNext = answer.next;
  show(list, rosterCount > 0);
  show(byId('roster-more-row'), rosterNext !== '');
  note.textContent = rosterCount === 0 ? 'Nobody yet.'
    : `In order of registration${rosterNext ? `, the first ${number(rosterCount)}` : ''}.`;
  settleMine(answer.data);
  return items[0] ?? null;
}

// The list knows better than this tab's memory: it may say yes anywhere, and no
// once it was read to its end in one page.
function settleMine(ids) {
  const user = currentUser();
  if (!user || !event) return;
  const before = holdsPlace(eventID, user.id);
  if (ids.includes(user.id)) noteHolds(eventID, user.id, true);
  else if (rosterNext === '' && rosterCount === ids.length) noteHolds(eventID, user.id, false);
  if (before === holdsPlace(eventID, user.id)) return;
  if (before) byId('feedback').replaceChildren();
  showAction();
}

byId('roster-more').addEventListener('click', async ({ currentTarget: more }) => {
  if (isOff(more)) return;
  setBusy(more, 'Loading');
  await loadMore();
  setBusy(more, '');
});

byId('reload').addEventListener('click', async ({ currentTarget: reload }) => {
  if (isOff(reload)) return;
  setBusy(reload, 'Trying');
  if (await loadEvent()) await loadRoster();
  setBusy(reload, '');
});

// Logged in or out in another tab.
window.addEventListener('storage', () => event && showAction());

// Coming back to a tab left open: places may have gone meanwhile.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible' && event && !isOff(button)) loadEvent();
});

if (await loadEvent()) await loadRoster();
