import { call, eventPath } from './api.js';
import { byId, make, show } from './dom.js';
import { bindForm } from './form.js';
import { currentUser, go, leaveFlash, onSessionChange, state } from './session.js';
import { fromWall, ownZone, t, wall } from './text.js';

const timeFields = ['starts_at', 'ends_at', 'registration_opens_at', 'registration_closes_at'];

// A new event, and the edit of one.
export function startForm() {
  if (!byId('form')) return;
  let before = state.event ?? null;
  let tag = state.tag ?? '';
  const zones = byId('time_zone');
  const zoneNames = new Set([before?.time_zone || ownZone, ownZone, 'UTC', ...(Intl.supportedValuesOf?.('timeZone') ?? [])]);
  for (const zone of [...zoneNames].sort()) zones.append(make('option', { value: zone }, zone.replaceAll('_', ' ')));

  // Of the parts of an event's tag the first counts the edits: the others move with every seat.
  const versionOf = (text) => text.replace(/^(W\/)?"|\..*$/g, '');

  const zoneOf = (values) => values.time_zone || ownZone;
  const instant = (text, zone) => (text ? fromWall(text, zone).toISOString().replace(/\.000Z$/, 'Z') : null);

  function shown(event) {
    const zone = event.time_zone || ownZone;
    const values = { ...event, time_zone: zone, place: event.place ?? '', waitlist: event.waitlist ?? false, requires_proven_email: event.requires_proven_email ?? false };
    for (const name of timeFields) {
      const seconds = name.startsWith('registration_');
      values[name] = event[name] ? wall(new Date(event[name]), zone).slice(0, seconds ? 19 : 16) : '';
    }
    return values;
  }

  // The body that says all that the form says.
  function whole(values) {
    const zone = zoneOf(values);
    return {
      title: values.title.trim(),
      description: values.description,
      place: values.place.trim() || null,
      time_zone: zone,
      waitlist: values.waitlist,
      requires_proven_email: values.requires_proven_email,
      capacity: Number(values.capacity),
      ...Object.fromEntries(timeFields.map((name) => [name, instant(values[name], zone)])),
    };
  }

  // What of it differs from the event, so that nobody else's edit is undone by accident.
  function changes(values) {
    const all = whole(values);
    const was = whole(shown(before));
    was.time_zone = before.time_zone;
    return Object.fromEntries(Object.entries(all).filter(([name, value]) => value !== was[name]));
  }

  // An end is suggested when there is none: two hours later.
  byId('starts_at').addEventListener('blur', ({ target }) => {
    const ends = byId('ends_at');
    if (!target.value || ends.value) return;
    ends.value = new Date(Date.parse(`${target.value.slice(0, 16)}:00Z`) + 2 * 3_600_000).toISOString().slice(0, 16);
    ends.dispatchEvent(new Event('input', { bubbles: true }));
  });

  function check(values, wrong) {
    const { title, starts_at: starts, ends_at: ends, registration_opens_at: opens, registration_closes_at: closes } = values;
    if (title && !title.trim()) wrong('title', t('form.required'));
    if (starts && ends && ends <= starts) wrong('ends_at', t('form.end_before_start'));
    if (opens && closes && closes <= opens) wrong('registration_closes_at', t('form.close_before_open'));
    if (before && values.capacity && Number(values.capacity) < before.tickets_sold) wrong('capacity', t('manage.below_sold', { n: before.tickets_sold }));
  }

  async function create(values, key) {
    const answer = await call('POST', '/api/events', { body: { organizer_id: currentUser()?.id, ...whole(values) }, key });
    if (!answer.ok || !answer.data?.id) return answer;
    leaveFlash(t('form.announced'));
    go(`/events/${encodeURIComponent(answer.data.id)}/manage`);
    return null;
  }

  async function edit(values, key) {
    const body = changes(values);
    const done = () => {
      leaveFlash(t('form.saved'));
      go(`/events/${encodeURIComponent(before.id)}/manage`);
      return null;
    };
    if (!Object.keys(body).length) return done();
    const answer = await call('PATCH', eventPath(before.id), { body, key, match: tag });
    if (answer.ok) return done();
    if (answer.code === 'capacity_below_sold') answer.field = 'capacity';
    if (answer.code === 'version_mismatch') {
      // Somebody else edited: what they changed is shown, what was typed here stays.
      const now = await call('GET', eventPath(before.id));
      if (now.ok) {
        [before, tag] = [now.data, now.tag];
        form.rebase(shown(before), versionOf(tag));
      }
    }
    return answer;
  }

  const form = bindForm(byId('form'), {
    busy: t(before ? 'form.saving' : 'form.announcing'),
    doing: before ? 'edit' : 'create',
    draft: `draft:${before ? before.id : 'new'}`,
    check,
    submit: (values, key) => (before ? edit(values, key) : create(values, key)),
  });

  const blank = { time_zone: ownZone, title: '', description: '', place: '', capacity: '', waitlist: false, requires_proven_email: false, ...Object.fromEntries(timeFields.map((name) => [name, ''])) };

  function fillIn() {
    const { drafted, moved } = before ? form.begin(shown(before), versionOf(tag)) : form.begin(blank);
    show(byId('draft'), drafted);
    show(byId('draft-moved'), moved);
  }

  function showForm() {
    const user = currentUser();
    const yours = !before || before.organizer_id === user?.id;
    const open = before?.state !== 'cancelled';
    show(byId('guest'), !user);
    show(byId('not-yours'), Boolean(user) && !(yours && open));
    show(byId('form'), Boolean(user) && yours && open);
  }

  byId('draft-drop').addEventListener('click', () => {
    form.dropDraft();
    fillIn();
    byId('title').focus();
  });
  // The end of most events is on the day of their start.
  byId('starts_at').addEventListener('change', ({ target }) => {
    const ends = byId('ends_at');
    if (!ends.value && target.value) ends.min = target.value;
  });
  onSessionChange(showForm);
  fillIn();
  showForm();
}
