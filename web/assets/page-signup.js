import './layout.js';
import { call } from './api.js';
import { byId } from './dom.js';
import { bind } from './form.js';
import { leaveFlash, nextAddress, remember } from './user.js';

byId('other').setAttribute('href', `/login${location.search}`);

bind(byId('form'), {
  busy: 'Signing up',
  check({ name, password }, wrong) {
    if (!name.trim()) wrong('name', 'Tell us a name to call you by.');
    if ([...password].length < 8) wrong('password', 'Use at least 8 characters.');
  },
  async submit({ name, email, password }) {
    const answer = await call('POST', '/api/users', { body: { name: name.trim(), email: email.trim(), password } });
    if (answer.ok && answer.data?.id) {
      remember(answer.data);
      leaveFlash(`Welcome, ${answer.data.name}.`);
      location.assign(nextAddress());
      return null;
    }
    if (answer.code === 'email_taken') {
      answer.fields.set('email', 'Somebody already signed up with this e-mail. Is it you? Then log in.');
    }
    return answer;
  },
});
