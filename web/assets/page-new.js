import './layout.js';
import { call } from './api.js';
import { byId, show } from './dom.js';
import { bind } from './form.js';
import { timeZone } from './format.js';
import { currentUser, leaveFlash, withNext } from './user.js';

const known = currentUser() !== null;
show(byId('guest'), !known);
show(byId('form'), known);
byId('guest-login').setAttribute('href', withNext('/login'));
byId('guest-signup').setAttribute('href', withNext('/signup'));
byId('zone').textContent = `Times are in your time zone, ${timeZone}.`;

// From the visitor's clock to RFC 3339 in UTC, without the milliseconds nobody typed.
const toUTC = (value) => new Date(value).toISOString().replace(/\.\d+Z$/, 'Z');

bind(byId('form'), {
  busy: 'Announcing',
  check({ title, starts_at: starts, ends_at: ends }, wrong) {
    if (!title.trim()) wrong('title', 'Give your event a title.');
    if (starts && ends && new Date(ends) <= new Date(starts)) wrong('ends_at', 'The end must be after the start.');
  },
  async submit({ title, description, capacity, starts_at: starts, ends_at: ends }) {
    const user = currentUser();
    if (!user) {
      location.assign(new URL(withNext('/login'), location.origin).href);
      return null;
    }
    const answer = await call('POST', '/api/events', {
      body: {
        organizer_id: user.id,
        title: title.trim(),
        description: description.trim(),
        capacity: Number(capacity),
        starts_at: toUTC(starts),
        ends_at: toUTC(ends),
      },
    });
    if (answer.ok && answer.data?.id) {
      leaveFlash('Your event is announced.');
      location.assign(new URL(`/events/${encodeURIComponent(answer.data.id)}`, location.origin).href);
      return null;
    }
    if (answer.status === 401 || answer.code === 'user_not_found') {
      answer.detail = 'You are not logged in any more. Log in again in another tab, then send this form once more.';
    } else if ([0, 502, 504].includes(answer.status)) {
      answer.detail = 'No answer arrived, so the event may or may not be announced. Look at the list before you send it again.';
    }
    return answer;
  },
});
