import './layout.js';
import { call } from './api.js';
import { byId } from './dom.js';
import { bind } from './form.js';
import { leaveFlash, nextAddress, remember } from './user.js';

byId('other').setAttribute('href', `/signup${location.search}`);

bind(byId('form'), {
  busy: 'Logging in',
  async submit({ email, password }) {
    const answer = await call('POST', '/api/login', { body: { email: email.trim(), password } });
    if (answer.ok && answer.data?.id) {
      remember(answer.data);
      leaveFlash(`Welcome back, ${answer.data.name}.`);
      location.assign(nextAddress());
      return null;
    }
    // Which of the two was wrong is nobody's business.
    if (answer.status === 401) answer.detail = 'This e-mail and password do not go together.';
    return answer;
  },
});
