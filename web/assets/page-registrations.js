import { call, eventPath, holdingsPath, isArray, said } from './api.js';
import { card } from './cards.js';
import { announce, byId, isOff, setBusy, show } from './dom.js';
import { showFlash } from './layout.js';
import { openStream } from './stream.js';
import { checkSession, currentUser, onSessionChange } from './session.js';
import { t } from './text.js';

const registrationsAtATime = 50;

function cardsOf(when, answer) {
  const order = when === 'upcoming' ? 1 : -1;
  return answer.data
    .toSorted((a, b) => order * (Date.parse(a.event.starts_at) - Date.parse(b.event.starts_at)))
    .map((each) => card(each.event, each));
}

// How many events are shown that somebody has left, or was removed from: the latest ones.
const mostGone = 6;

// What has become of registrations that are none any more, for events to come.
async function goneCards(user) {
  const told = await call('GET', `/api/users/${encodeURIComponent(user.id)}/changes?limit=100`);
  if (!isArray(told)) return [];
  const last = new Map(told.data.map((change) => [change.event_id, change])); // those of an event are in order
  const gone = [...last.values()].filter(({ type }) => type === 'cancelled').slice(0, mostGone);
  const events = await Promise.all(gone.map((change) => call('GET', eventPath(change.event_id))));
  return events.flatMap(({ ok, data }, i) => (ok && data.state !== 'ended' ? [card(data, { status: 'cancelled', by: gone[i].actor?.kind })] : []));
}

export function startRegistrations() {
  const next = { upcoming: '', past: '' };

  async function read(when, path) {
    let answer;
    const list = byId(when);
    let first = null;
    // A page may be short, even empty, and still have a next one.
    for (let rounds = 0; path && rounds < 8 && !first; rounds++) {
      answer = await call('GET', path);
      if (!isArray(answer)) {
        if (answer.status === 401) await checkSession();
        byId('trouble-text').textContent = said(answer, 'read').text;
        show(byId('trouble'));
        announce(byId('trouble-text').textContent);
        return null;
      }
      const cards = cardsOf(when, answer);
      list.append(...cards);
      [first] = cards;
      path = answer.next;
    }
    next[when] = path;
    show(byId(`${when}-more-row`), path !== '');
    return first;
  }

  async function showGone(user) {
    const cards = await goneCards(user);
    if (currentUser()?.id !== user.id || byId('gone').contains(document.activeElement)) return;
    byId('gone').replaceChildren(...cards);
    show(byId('gone-section'), cards.length > 0);
  }

  async function load() {
    const user = currentUser();
    show(byId('guest'), !user);
    show(byId('mine'), Boolean(user));
    show(byId('trouble'), false);
    byId('upcoming').replaceChildren();
    byId('past').replaceChildren();
    byId('gone').replaceChildren();
    show(byId('gone-section'), false);
    if (!user) return;
    show(byId('loading'));
    await Promise.all(['upcoming', 'past'].map((when) => read(when, `${holdingsPath(user.id)}?when=${when}&limit=${registrationsAtATime}`)));
    show(byId('loading'), false);
    show(byId('none'), byId('trouble').hidden && !byId('upcoming').hasChildNodes());
    show(byId('past-section'), byId('past').hasChildNodes());
    await showGone(user);
  }

  for (const when of ['upcoming', 'past']) {
    byId(`${when}-more`).addEventListener('click', async ({ currentTarget: more }) => {
      if (isOff(more)) return;
      setBusy(more, t('action.loading'));
      const first = await read(when, next[when]);
      setBusy(more, '');
      first?.querySelector('a').focus();
    });
  }
  byId('reload').addEventListener('click', async ({ currentTarget: reload }) => {
    if (isOff(reload)) return;
    setBusy(reload, t('action.trying'));
    await load();
    setBusy(reload, '');
  });
  // ---- news ----

  // What is shown is replaced when the new list is there, so that nothing jumps.
  async function refresh() {
    const user = currentUser();
    if (!user) return;
    if (!byId('loading').hidden) {
      soon(); // what is being read may be from before the news
      return;
    }
    for (const when of ['upcoming', 'past']) {
      if (next[when] || byId(when).contains(document.activeElement)) continue; // who has asked for more is reading
      const answer = await call('GET', `${holdingsPath(user.id)}?when=${when}&limit=${registrationsAtATime}`);
      if (!isArray(answer) || answer.next) continue;
      byId(when).replaceChildren(...cardsOf(when, answer));
    }
    show(byId('none'), byId('trouble').hidden && !byId('upcoming').hasChildNodes());
    show(byId('past-section'), byId('past').hasChildNodes());
    await showGone(user);
  }

  let stream = null;
  let timer = 0;
  function soon() {
    clearTimeout(timer);
    timer = setTimeout(refresh, 200);
  }
  function follow() {
    stream?.end();
    stream = null;
    const user = currentUser();
    let asking = 0;
    const ask = () => {
      clearTimeout(asking);
      if (currentUser()?.id !== user.id || stream?.isOpen()) return;
      if (document.visibilityState === 'visible') soon();
      asking = setTimeout(ask, 15_000 + Math.random() * 5000);
    };
    if (!user) return;
    stream = openStream(`/api/users/${encodeURIComponent(user.id)}/live`, {
      change(change) {
        if (change.type === 'promoted') showFlash(t('mine.promoted'), 'good', { stays: true });
        soon();
      },
    }, (open) => {
      if (open) soon(); // what happened since the list was read, or while there was no stream
      else ask();
    });
    asking = setTimeout(ask, 15_000); // where no stream opens
  }

  onSessionChange(() => {
    follow();
    load();
  });
  follow();
  load();
}
