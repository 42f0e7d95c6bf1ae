// All pages run this one script, joined from these modules when the server starts: a visit asks
// for one script, and it is kept for a year under a name made from its content. So the modules
// share one scope: what only one of them needs stays inside its functions.

import { byId } from './dom.js';
import { startAccount } from './page-account.js';
import { startEvent } from './page-event.js';
import { startEvents } from './page-events.js';
import { startForm } from './page-form.js';
import { startLogin, startSignup } from './page-login.js';
import { startForgot, startMail, startProve, startReset } from './page-mail.js';
import { startManage } from './page-manage.js';
import { startRegistrations } from './page-registrations.js';
import { startLayout } from './layout.js';
import { state } from './session.js';

const startPage = {
  events: startEvents,
  event: startEvent,
  manage: startManage,
  form: startForm,
  registrations: startRegistrations,
  login: startLogin,
  signup: startSignup,
  account: startAccount,
  forgot: startForgot,
  reset: startReset,
  prove: startProve,
  mail: startMail,
}[state.page];

startLayout();
startPage?.();
// It says that the page is not complete, and shows itself after a while when this does not run.
byId('incomplete').remove();
document.documentElement.dataset.ready = '';
performance.mark('ready');
