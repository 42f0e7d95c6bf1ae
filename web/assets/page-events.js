import { call, isArray, said } from './api.js';
import { at } from './base.js';
import { card } from './cards.js';
import { announce, byId, isOff, make, setBusy, show } from './dom.js';
import { currentUser } from './session.js';
import { monthOf, t } from './text.js';

const eventsAtATime = 24;
const day = 86_400_000;

export function startEvents() {
  const form = byId('search');
  let next = '';
  let run = 0; // the latest of the searches under way
  let shown = 0;
  let groups = byId('groups');

  const chosen = () => form.elements.show.value || 'upcoming';

  const now = () => new Date(Math.floor(Date.now() / 60_000) * 60_000);
  const days = () => new Date(now() - 3 * day).toISOString();

  // From what the visitor wants to the filters of the API.
  function listPath(show, words) {
    const query = new URLSearchParams({ limit: eventsAtATime });
    if (words) query.set('q', words);
    if (show === 'open') query.set('available', 'true');
    if (show === 'mine') query.set('organizer_id', currentUser().id);
    if (show === 'past') query.set('to', now().toISOString());
    else if (show !== 'mine') {
      query.set('from', days());
      query.set('ends_after', now().toISOString());
    }
    if (show === 'past' || show === 'mine') query.set('sort', '-starts_at');
    return `/api/events?${query}`;
  }

  // What began before these days and lasts, the earliest first. It is one request, which looks back over some
  // thousand events.
  async function lasting(show, words) {
    const query = new URLSearchParams(listPath(show, words).split('?')[1]);
    query.set('limit', 100);
    query.delete('from');
    query.set('to', days());
    query.set('sort', '-starts_at');
    const answer = await call('GET', `/api/events?${query}`);
    return isArray(answer) ? answer.data.reverse() : [];
  }

  const fits = (event, show) => (show === 'past' ? event.state !== 'running' : show === 'mine' || event.state !== 'ended');

  function add(events) {
    let first = null;
    for (const event of events) {
      const month = monthOf(event.starts_at, event.time_zone);
      let list = groups.lastElementChild?.querySelector('ul');
      if (!list || list.dataset.month !== month) {
        list = make('ul', { class: 'cards', role: 'list' });
        list.dataset.month = month;
        groups.append(make('section', { class: 'month' }, make('h2', { class: 'section-title' }, month), list));
      }
      const item = card(event);
      first ??= item;
      list.append(item);
    }
    shown += events.length;
    return first;
  }

  function showNone(words, show_) {
    show(byId('empty'), shown === 0);
    if (shown > 0) return;
    const kind = words ? 'words' : show_;
    byId('empty-title').textContent = t(`list.none_${kind}_title`);
    byId('empty-text').textContent = t(`list.none_${kind}_text`, { words });
    show(byId('empty-new'), kind === 'upcoming' || kind === 'mine');
    show(byId('empty-all'), kind !== 'upcoming');
  }

  // A page may be short, even empty, and still have a next one.
  async function read(path, show_, mine) {
    let first = null;
    let rounds = 0;
    for (next = path; next && shown < mine.wanted && rounds < 8; rounds++) {
      const answer = await call('GET', next);
      if (mine.run !== run) return null;
      if (!isArray(answer)) {
        byId('trouble-text').textContent = said(answer, 'read').text;
        show(byId('trouble'));
        announce(byId('trouble-text').textContent);
        return null;
      }
      const before = (await mine.before) ?? [];
      mine.before = null;
      if (mine.run !== run) return null;
      first ??= add([...before, ...answer.data].filter((event) => fits(event, show_)));
      next = answer.next;
    }
    show(byId('more-row'), next !== '');
    return first;
  }

  async function load() {
    const [words, show_] = [form.elements.q.value.trim(), chosen()];
    const mine = { run: ++run, wanted: 1, before: ['upcoming', 'open'].includes(show_) ? lasting(show_, words) : null };
    show(byId('trouble'), false);
    show(byId('empty'), false);
    show(byId('more-row'), false);
    const bones = setTimeout(() => show(byId('loading')), shown ? 400 : 0);
    shown = 0;
    // What is there stays until there is something else to show.
    groups = make('div');
    const fresh = groups;
    await read(listPath(show_, words), show_, mine);
    clearTimeout(bones);
    if (mine.run !== run) return;
    show(byId('loading'), false);
    byId('groups').replaceChildren(...(byId('trouble').hidden ? fresh.childNodes : []));
    groups = byId('groups');
    if (byId('trouble').hidden) {
      showNone(words, show_);
      announce(t('list.found', { n: shown }));
    }
  }

  // The address says what is shown, so that it can be shared and come back to.
  function remember() {
    const query = new URLSearchParams();
    const [words, show_] = [form.elements.q.value.trim(), chosen()];
    if (words) query.set('q', words);
    if (show_ !== 'upcoming') query.set('show', show_);
    history.replaceState(null, '', at(query.size ? `/?${query}` : '/'));
  }

  function recall() {
    const query = new URLSearchParams(location.search);
    form.elements.q.value = query.get('q') ?? '';
    const wanted = form.querySelector(`input[name=show][value="${CSS.escape(query.get('show') ?? 'upcoming')}"]`);
    if (wanted) wanted.checked = true;
  }

  let typing = 0;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    clearTimeout(typing);
    remember();
    load();
  });
  form.addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      remember();
      load();
    }, 300);
  });
  byId('more').addEventListener('click', async ({ currentTarget: more }) => {
    if (isOff(more)) return;
    setBusy(more, t('action.loading'));
    const first = await read(next, chosen(), { run, wanted: shown + 1 });
    setBusy(more, '');
    first?.querySelector('a').focus();
  });
  byId('empty-all').addEventListener('click', () => {
    form.reset();
    form.elements.q.value = '';
    remember();
    load();
  });
  byId('reload').addEventListener('click', async ({ currentTarget: reload }) => {
    if (isOff(reload)) return;
    setBusy(reload, t('action.trying'));
    await load();
    setBusy(reload, '');
  });

  recall();
  load();
}
