import { call, eventPath, isArray, said, seatPath } from './api.js';
import { announce, bindShare, byId, confirmed, isOff, make, note, setBusy, show, write } from './dom.js';
import { bindForm } from './form.js';
import { showFlash } from './layout.js';
import { follow } from './live.js';
import { currentUser, onSessionChange, state } from './session.js';
import { number, ownZone, places, span, t } from './text.js';

const guestsAtATime = 100;

// The beginning of an id is its time, the end tells neighbours apart.
const shortId = (id) => (id.length > 12 ? `${id.slice(0, 4)}…${id.slice(-6)}` : id);

export function startManage() {
  const eventID = location.pathname.split('/')[2];
  if (!state.event) {
    byId('reload').addEventListener('click', () => location.reload());
    return;
  }
  let event = state.event;
  let tag = state.tag;

  const isYours = () => currentUser()?.id === event.organizer_id;

  function showAll() {
    show(byId('not-yours'), !isYours());
    show(byId('tools'), isYours());
    if (!isYours()) return;
    const { taken, left } = places(event);
    const off = event.state === 'cancelled';
    write(byId('title'), event.title);
    write(byId('when'), span(event.starts_at, event.ends_at, event.time_zone));
    write(byId('zone'), t('event.zone', { zone: (event.time_zone || ownZone).replaceAll('_', ' ') }));
    write(byId('sold'), number(taken));
    write(byId('left'), number(left));
    write(byId('waiting'), number(event.waiting ?? 0));
    write(byId('registration'), t(`manage.is_${event.registration_state}`));
    show(byId('called-off'), off);
    show(byId('capacity-section'), !off);
    show(byId('cancel-section'), !off && event.state !== 'ended');
    show(byId('edit-link'), !off);
    showEffect();
  }

  // ---- capacity ----

  const capacity = byId('capacity');

  // What a capacity would do, before it is sent.
  function showEffect() {
    const wanted = Number(capacity.value);
    const effect = byId('capacity-effect');
    const [sold, waiting] = [event.tickets_sold, event.waiting ?? 0];
    const up = Math.min(Math.max(wanted - sold, 0), waiting);
    if (!capacity.value || wanted === event.capacity || wanted < 1) write(effect, t('manage.capacity_hint', { n: event.capacity }));
    else if (wanted < sold) write(effect, t('manage.below_sold', { n: sold }));
    else if (up > 0) write(effect, t('manage.moves_up', { n: up }));
    else write(effect, t('manage.capacity_leaves', { n: wanted - sold }));
  }

  const form = bindForm(byId('form'), {
    busy: t('form.saving'),
    doing: 'edit',
    stay: true,
    check({ capacity: value }, wrong) {
      if (value && Number(value) < event.tickets_sold) wrong('capacity', t('manage.below_sold', { n: event.tickets_sold }));
    },
    async submit({ capacity: value }, key) {
      const before = event;
      const answer = await call('PATCH', eventPath(eventID), { body: { capacity: Number(value) }, key, match: tag });
      if (!answer.ok) {
        if (answer.code === 'capacity_below_sold') answer.field = 'capacity';
        live.now();
        return answer;
      }
      [event, tag] = [answer.data, answer.tag];
      const up = (before.waiting ?? 0) - (event.waiting ?? 0);
      showAll();
      showFlash(up > 0 ? t('manage.moved_up', { n: up }) : t('form.saved'));
      loadRoster();
      return null;
    },
  });
  capacity.addEventListener('input', showEffect);

  // ---- who is registered ----

  let next = '';
  let run = 0;
  let count = 0;

  const chosen = () => document.querySelector('input[name=list]:checked').value;

  function entry(id) {
    count++;
    const own = id === currentUser()?.id;
    const remove = make('button', { type: 'button', class: 'link-button', 'aria-label': t('manage.remove_who', { who: shortId(id) }) }, t('manage.remove'));
    const item = make('li', { class: 'seat', tabindex: '-1' },
      make('span', { class: 'seat-number' }, number(count)),
      make('code', { title: id }, shortId(id)),
      ...(own ? [make('span', { class: 'pill' }, t('manage.you'))] : []),
      remove);
    remove.addEventListener('click', () => removeSeat(id, item, remove));
    return item;
  }

  async function removeSeat(id, item, button) {
    if (isOff(button)) return;
    const list = chosen();
    const sure = await confirmed({ title: t('manage.remove_title', { who: shortId(id) }), text: t(list === 'confirmed' && event.waiting ? 'manage.remove_promotes' : 'manage.remove_text'), yes: t('manage.remove') });
    if (!sure) return;
    setBusy(button, t('manage.removing'));
    const answer = await call('DELETE', seatPath(eventID, id));
    setBusy(button, '');
    if (!answer.ok) {
      const { title, text } = said(answer, 'leave');
      showFlash(`${title}. ${text}`, 'warn');
      return;
    }
    const place = [...item.parentElement.children].indexOf(item);
    announce(t('manage.removed'));
    await live.now();
    await loadRoster(); // somebody may have moved up
    const left = byId('roster').children;
    (left[Math.min(place, left.length - 1)] ?? byId('roster-title')).focus();
  }

  function addPage(answer) {
    const list = byId('roster');
    if (!isArray(answer)) {
      write(byId('roster-note'), said(answer, 'read').text);
      return null;
    }
    const items = answer.data.map((id) => entry(String(id)));
    list.append(...items);
    next = answer.next;
    show(byId('more-row'), next !== '');
    const kind = chosen();
    write(byId('roster-note'), count === 0 ? t(`manage.none_${kind}`) : t(next ? 'manage.first_ids' : 'manage.ids', { n: count }));
    return items[0] ?? null;
  }

  async function loadRoster() {
    const mine = ++run;
    const answer = await call('GET', `${eventPath(eventID)}/registrations?limit=${guestsAtATime}&status=${chosen()}`);
    if (mine !== run) return;
    count = 0;
    byId('roster').replaceChildren();
    addPage(answer);
  }

  byId('more').addEventListener('click', async ({ currentTarget: more }) => {
    if (isOff(more)) return;
    setBusy(more, t('action.loading'));
    const mine = ++run;
    const answer = await call('GET', next);
    setBusy(more, '');
    if (mine === run) addPage(answer)?.focus();
  });
  for (const radio of document.querySelectorAll('input[name=list]')) radio.addEventListener('change', loadRoster);

  // ---- cancelling ----

  byId('cancel').addEventListener('click', async ({ currentTarget: button }) => {
    if (isOff(button)) return;
    const people = event.tickets_sold + (event.waiting ?? 0);
    const sure = await confirmed({ title: t('manage.cancel_sure'), text: t('manage.cancel_told', { n: people }), yes: t('manage.cancel') });
    if (!sure) return;
    setBusy(button, t('manage.cancelling'));
    const answer = await call('POST', `${eventPath(eventID)}/cancel`);
    setBusy(button, '');
    if (!answer.ok) {
      const { title, text } = said(answer, 'edit');
      byId('cancel-feedback').replaceChildren(note('warn', title, text));
      byId('cancel-feedback').focus();
      return;
    }
    [event, tag] = [answer.data, answer.tag];
    showAll();
    showFlash(t('manage.cancelled'), 'warn');
    byId('main').focus();
  });

  // ---- news ----

  const live = follow(eventPath(eventID), state.tag, async (answer) => {
    if (!answer.ok) return;
    const before = event;
    [event, tag] = [answer.data, answer.tag];
    if (document.activeElement !== capacity && Number(capacity.value) === before.capacity) form.set({ capacity: event.capacity });
    showAll();
    const seats = (e) => `${e.tickets_sold} ${e.waiting ?? 0}`;
    const quiet = !byId('confirm').open && !byId('roster').contains(document.activeElement);
    if (seats(before) !== seats(event) && isYours() && quiet) await loadRoster();
  });

  bindShare(byId('share'), event.title, `/events/${eventID}`);
  onSessionChange(() => {
    showAll();
    if (isYours()) loadRoster();
  });
  form.set({ capacity: event.capacity });
  showAll();
  if (isYours()) loadRoster();
}
