import { call, holdingsPath, isArray, said } from './api.js';
import { card } from './cards.js';
import { announce, byId, isOff, setBusy, show } from './dom.js';
import { checkSession, currentUser, onSessionChange } from './session.js';
import { t } from './text.js';

const registrationsAtATime = 50;

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
      const order = when === 'upcoming' ? 1 : -1;
      const cards = answer.data
        .toSorted((a, b) => order * (Date.parse(a.event.starts_at) - Date.parse(b.event.starts_at)))
        .map((each) => card(each.event, each));
      list.append(...cards);
      [first] = cards;
      path = answer.next;
    }
    next[when] = path;
    show(byId(`${when}-more-row`), path !== '');
    return first;
  }

  async function load() {
    const user = currentUser();
    show(byId('guest'), !user);
    show(byId('mine'), Boolean(user));
    show(byId('trouble'), false);
    byId('upcoming').replaceChildren();
    byId('past').replaceChildren();
    if (!user) return;
    show(byId('loading'));
    await Promise.all(['upcoming', 'past'].map((when) => read(when, `${holdingsPath(user.id)}?when=${when}&limit=${registrationsAtATime}`)));
    show(byId('loading'), false);
    show(byId('none'), byId('trouble').hidden && !byId('upcoming').hasChildNodes());
    show(byId('past-section'), byId('past').hasChildNodes());
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
  onSessionChange(load);
  load();
}
