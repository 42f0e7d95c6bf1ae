import { call, eventPath, said } from './api.js';
import { here } from './base.js';
import { bindShare, byId, confirmed, isOff, note, setBusy, show, write } from './dom.js';
import { bindForm } from './form.js';
import { bindGuests } from './guests.js';
import { showFlash } from './layout.js';
import { follow } from './live.js';
import { bindPace } from './pace.js';
import { currentUser, onSessionChange, state } from './session.js';
import { number, ownZone, places, span, t } from './text.js';

export function startManage() {
  const eventID = here().split('/')[2];
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
      guests.load();
      return null;
    },
  });
  capacity.addEventListener('input', showEffect);

  // ---- who is registered ----

  const guests = bindGuests(eventID, { current: () => event, changed: () => live.now() });

  const pace = bindPace(eventID, { zone: () => event.time_zone });

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

  async function take(now) {
    const before = event;
    event = now;
    if (document.activeElement !== capacity && Number(capacity.value) === before.capacity) form.set({ capacity: event.capacity });
    showAll();
    const seats = (e) => `${e.tickets_sold} ${e.waiting ?? 0}`;
    if (seats(before) === seats(event) || !isYours()) return;
    loadGuestsSoon();
    pace.soon();
  }

  // The list is read now and then while the numbers run.
  let guestsTimer = 0;
  let guestsRead = 0;
  function loadGuestsSoon() {
    guestsTimer ||= setTimeout(async () => {
      guestsTimer = 0;
      if (!isYours()) return;
      if (byId('confirm').open || guests.isBusy()) {
        loadGuestsSoon();
        return;
      }
      guestsRead = Date.now();
      await guests.load();
    }, Math.max(200, guestsRead + 2500 - Date.now()));
  }

  const live = follow(eventPath(eventID), event, state.tag, {
    async onNews(answer) {
      if (!answer.ok) return;
      tag = answer.tag;
      await take(answer.data);
    },
    onNumbers: (numbers) => take({ ...event, ...numbers }),
    onChange: () => isYours() && pace.soon(),
  });

  bindShare(byId('share'), event.title, `/events/${eventID}`);
  function loadAll() {
    showAll();
    if (!isYours()) return;
    guests.load();
    pace.load();
  }
  onSessionChange(loadAll);
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && isYours() && pace.soon());
  form.set({ capacity: event.capacity });
  loadAll();
}
