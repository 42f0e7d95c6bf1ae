import { call, eventPath, isMissing, isUndecided, said, seatPath } from './api.js';
import { at, here } from './base.js';
import { clockDoubt, notePage, serverNow } from './clock.js';
import { announce, bindShare, byId, confirmed, isOff, make, note, setBusy, show, write } from './dom.js';
import { hideFlash, showFlash } from './layout.js';
import { follow } from './live.js';
import { openStream } from './stream.js';
import { cameTrue, leave, register } from './registration.js';
import { checkSession, currentUser, onSessionChange, state, withNext } from './session.js';
import { clockText, hasText, moment, number, ownZone, places, sameClock, span, spanLines, stub, t } from './text.js';

// In the first moments after the opening, requests go out spread over this time.
const spreadMilliseconds = 250;
const openingMoment = 5000;
// Before the opening the session is checked, and the connection made warm for less than gateways keep one that is
// idle. The other times are for the clock, when it is not known better than this.
const warmUp = [60_000, 20_000, 8000, 5300, 2700];
const warmAnyway = 3; // the place of 8000 in it
const clockGood = 300;

export function startEvent() {
  const eventID = here().split('/')[2];
  if (!state.event) {
    startAgain();
    return;
  }
  const button = byId('register');
  const leaveButton = byId('leave');
  const stopButton = byId('stop');
  const feedback = byId('feedback');

  let event = state.event;
  let mine = state.registration ?? null; // as the service last said it
  let mineTag = state.registration_tag ?? '';
  let asked = state.asked ?? false; // whether mine is known
  let busy = false; // a wish is under way
  let wishes = 0; // that were said on this page
  let stopWaiting = null; // set while a wish waits to be said again

  // ---- what is there ----

  const opening = () => Date.parse(event.registration_opens_at ?? '');

  function registrationState() {
    // The one change that must be seen without being told.
    if (event.registration_state !== 'opens_soon' || !(serverNow() >= opening())) return event.registration_state;
    if (places(event).left > 0) return 'open';
    return event.waitlist ? 'waitlist' : 'full';
  }

  function showFacts() {
    const zone = event.time_zone || ownZone;
    document.title = `${event.title} · Event.io`;
    write(byId('title'), event.title);
    write(byId('description'), event.description || t('event.no_description'));
    const when = byId('when');
    when.dateTime = event.starts_at;
    const [day, hours] = spanLines(event.starts_at, event.ends_at, zone);
    write(when, day);
    write(byId('when-time'), hours);
    const date = stub(event.starts_at, zone);
    write(byId('tile-month'), date.month);
    write(byId('tile-day'), date.day);
    write(byId('zone'), t('event.zone', { zone: zone.replaceAll('_', ' ') }));
    const differs = !sameClock(event.time_zone, event.starts_at, event.ends_at);
    write(byId('own-time'), differs ? t('event.own_time', { when: span(event.starts_at, event.ends_at, ownZone), zone: ownZone.replaceAll('_', ' ') }) : '');
    show(byId('own-time'), differs);
    write(byId('place'), event.place ?? '');
    show(byId('place-fact'), Boolean(event.place));
    show(byId('called-off'), event.state === 'cancelled');
    show(byId('own'), currentUser()?.id === event.organizer_id);
    show(byId('edit-link'), event.state !== 'cancelled');
  }

  function showPlaces() {
    const { all, taken, left } = places(event);
    const now = registrationState();
    const over = ['ended', 'cancelled'].includes(now);
    const ticket = byId('ticket');
    ticket.classList.toggle('ticket-out', ['full', 'waitlist', 'cancelled'].includes(now));
    ticket.classList.toggle('ticket-off', ['ended', 'closed', 'cancelled'].includes(now));
    const [yours, waiting] = [mine?.status === 'confirmed' && now !== 'cancelled', mine?.status === 'waitlisted' && !over];
    ticket.classList.toggle('ticket-mine', yours);
    ticket.classList.toggle('ticket-waiting', waiting);
    // Who has a ticket sees its number, who waits the place in line; who has neither, what is left.
    let words = ['full', 'waitlist', 'closed', 'ended', 'cancelled'].includes(now);
    let texts = words ? [t(`badge.${now === 'waitlist' ? 'full' : now}`), ''] : [number(left), t('places.left_words', { n: left })];
    if (yours) texts = [t('ticket.number', { number: mine.number }), ''];
    if (waiting) texts = [t('ticket.number', { number: mine.position || 1 }), t('ticket.in_line')];
    if (yours || waiting) words = false;
    write(byId('places-title'), t(yours ? 'ticket.yours' : waiting ? 'badge.waitlist' : 'event.places'));
    write(byId('left'), texts[0]);
    write(byId('left-words'), texts[1]);
    byId('count').classList.toggle('count-words', words);
    show(byId('meter'), !over && !yours && !waiting);
    const line = event.waiting ? ` · ${t('places.waiting', { n: event.waiting })}` : '';
    write(byId('taken'), t('places.taken', { taken, all }) + line);
    const meter = byId('meter');
    const values = { max: Math.max(all, 1), low: all * 0.6, high: all * 0.9, optimum: 0, value: taken };
    for (const [name, value] of Object.entries(values)) meter.setAttribute(name, value);
  }

  // ---- what one can do ----

  // The one right button, by what the service says about the event and about this person.
  function showAction() {
    const user = currentUser();
    const now = registrationState();
    const over = ['ended', 'cancelled'].includes(now);
    const open = ['open', 'waitlist'].includes(now);
    const wanted = now === 'waitlist' ? t('action.join') : t('action.register');
    const unknown = user !== null && !asked;
    show(byId('guest'), !user && (open || now === 'opens_soon'));
    write(byId('guest-login'), t(now === 'waitlist' ? 'event.log_in_waitlist' : now === 'opens_soon' ? 'event.log_in_early' : 'event.log_in'));
    for (const [id, path] of [['guest-login', '/login'], ['guest-signup', '/signup']]) byId(id).setAttribute('href', at(withNext(path, here())));
    if (!busy) {
      write(button, wanted);
      show(button, Boolean(user) && !mine && open && !unknown);
      show(leaveButton, Boolean(mine) && !over);
      write(leaveButton, t(mine?.status === 'waitlisted' ? 'action.leave_line' : 'action.leave'));
    }
    show(byId('proof-asked'), Boolean(event.requires_proven_email) && !mine && (open || now === 'opens_soon'));
    // The stream tells the state before it is known when.
    const early = now === 'opens_soon' && !mine && Boolean(event.registration_opens_at);
    show(byId('countdown'), early);
    if (early) write(byId('opens-at'), t('opens.at', { when: moment(event.registration_opens_at, event.time_zone || ownZone) }));
  }

  // What the ticket says beside the button: about this person first, else about the event.
  function situation() {
    const now = registrationState();
    if (mine && now === 'cancelled') return note('bad', t('mine.called_off_title'), t('mine.called_off_text'));
    if (mine?.status === 'confirmed') {
      return note('good', t(now === 'ended' ? 'mine.was_there' : 'mine.confirmed_title'), t('mine.number', { number: mine.number }));
    }
    if (mine?.status === 'waitlisted') {
      return now === 'ended' ? note('warn', t('mine.in_vain_title'), '') : note('warn', t('mine.waiting_title', { n: mine.position || 1 }), t('mine.waiting_text'));
    }
    if (currentUser() && !asked && now !== 'ended' && now !== 'cancelled') return note('warn', t('mine.unknown_title'), t('mine.unknown_text'));
    // The button stays: the proof may have come from another device, and the service decides.
    if (currentUser() && event.requires_proven_email && !currentUser().email_proven_at && ['open', 'waitlist', 'opens_soon'].includes(now)) {
      return note('warn', t('problem.email_unproven.title'), t('event.proof_needed'), make('a', { href: '/prove' }, t('account.prove')));
    }
    const words = { full: 'full', waitlist: 'waitlist', closed: 'closed', ended: 'ended', cancelled: 'cancelled' }[now];
    return words ? make('p', { class: 'fine' }, t(`state.${words}`)) : null;
  }

  // What a wish was answered stays until it is true no longer: about this person, and, where the
  // answer was about the event, as long as that is so.
  let keptAnswer = null;
  function keepAnswer(box, { ofEvent }) {
    const facts = () => [mine?.status, mine?.number, event.state, ofEvent && registrationState()].join();
    const then = facts();
    keptAnswer = { holds: () => facts() === then };
    feedback.replaceChildren(box);
  }

  function showSituation() {
    if (busy || keptAnswer?.holds()) return;
    keptAnswer = null;
    const box = situation();
    const before = feedback.textContent;
    if ((box?.textContent ?? '') !== before) feedback.replaceChildren(...(box ? [box] : []));
  }

  function showAll() {
    showFacts();
    showPlaces();
    showAction();
    showSituation();
  }

  // ---- news ----

  // Reads this person's registration. true: it is known now.
  async function readMine() {
    const user = currentUser();
    if (!user) {
      [mine, mineTag, asked] = [null, '', false];
      return true;
    }
    const said = wishes;
    const answer = await call('GET', seatPath(eventID, user.id));
    if (wishes !== said) return false; // it may be from before
    if (!busy && (answer.ok || answer.status === 404)) cameTrue(eventID, user.id, answer.ok);
    if (answer.ok && answer.data?.status) [mine, mineTag, asked] = [answer.data, answer.tag, true];
    else if (answer.status === 404) [mine, mineTag, asked] = [null, '', true];
    else if (answer.status === 401) await checkSession();
    else return false;
    return true;
  }

  async function takeNews(answer) {
    if (answer.status === 404) {
      live.end();
      location.reload();
      return;
    }
    if (!answer.data?.id) return;
    event = answer.data;
    if (currentUser() && !busy) await readNews();
    showAll();
    tick();
    planRefresh();
  }

  // Reads what this person has, and tells what others made of it. What the person has said meanwhile is told by its answer.
  async function readNews() {
    const [before, said] = [mine, wishes];
    await readMine();
    if (!busy && wishes === said) tellChange(before);
  }

  function tellChange(before) {
    if (event.state === 'cancelled') hideFlash();
    else if (before?.status === 'waitlisted' && mine?.status === 'confirmed') showFlash(t('mine.promoted'), 'good', { stays: true });
    else if (before && !mine) showFlash(t('mine.removed'), 'warn');
  }

  // The numbers and the states, as the stream tells them.
  function takeNumbers(numbers) {
    const before = registrationState();
    event = { ...event, ...numbers };
    showAll();
    planRefresh();
    const now = registrationState();
    if (now !== before && hasText(`badge.${now}`)) announce(t(`badge.${now}`));
    else if (now !== before && now === 'open') announce(t('places.left', { n: places(event).left }));
    // The place in line moves with the numbers; of everything else the own stream tells.
    if (mine?.status === 'waitlisted' || (mine && !own?.isOpen())) readMineSoon();
  }

  // At most now and then, and spread, because all who wait are told at once.
  let mineTimer = 0;
  let mineRead = 0;
  function readMineSoon(spread = 1000) {
    if (mineTimer) return;
    mineTimer = setTimeout(async () => {
      mineTimer = 0;
      if (busy || !currentUser()) return;
      mineRead = Date.now();
      await readNews();
      if (!busy) showAll();
    }, Math.max(0, mineRead + 2500 - Date.now()) + Math.random() * spread);
  }

  // What happens to this person's registrations.
  let own = null;
  let ownUser = '';
  function followOwn() {
    const user = currentUser()?.id ?? '';
    if (user === ownUser) return;
    own?.end();
    own = null;
    ownUser = user;
    let opened = false;
    if (user) {
      own = openStream(`/api/users/${encodeURIComponent(user)}/live`, {
        change(change) {
          if (change.event_id !== eventID || busy) return;
          mineRead = 0;
          clearTimeout(mineTimer);
          mineTimer = 0;
          readMineSoon(0);
        },
      }, (open) => {
        // What was missed: while there was no stream, and between the page and its first one.
        if (open && (opened || mine)) readMineSoon();
        opened ||= open;
      });
    }
  }

  const live = follow(eventPath(eventID), event, state.tag, { onNews: takeNews, onNumbers: takeNumbers });

  // At the moments at which the event changes by the clock alone, all pages would ask together:
  // they do it spread over a few seconds.
  let refreshTimer = 0;
  function planRefresh() {
    clearTimeout(refreshTimer);
    const moments = ['registration_opens_at', 'registration_closes_at', 'starts_at', 'ends_at']
      .map((name) => Date.parse(event[name] ?? '') - serverNow()).filter((ms) => ms > -1000 && ms < 86_400_000);
    if (moments.length) refreshTimer = setTimeout(() => live.now(), Math.max(0, Math.min(...moments)) + 300 + Math.random() * 2500);
  }

  // ---- the opening ----

  // One chain of ticks, which news begin anew: the opening is set, moved and taken back under an open page.
  let ticking = 0;
  let awaited = opening(); // the opening that is waited for
  let warmed = stageOf(awaited); // the page itself was the first to make the connection warm
  let seen = NaN; // the opening that was seen here

  function stageOf(opens) {
    return warmUp.filter((ms) => opens - serverNow() <= ms).length;
  }

  function tick() {
    clearTimeout(ticking);
    const opens = opening();
    if (event.registration_state !== 'opens_soon' || Number.isNaN(opens)) return;
    if (opens !== awaited) [awaited, warmed] = [opens, 0];
    const left = opens - serverNow();
    if (left > 0) {
      write(byId('clock'), clockText(left));
      const stage = stageOf(opens);
      if (stage > warmed && document.visibilityState === 'visible') {
        if (warmed === 0 && currentUser()) checkSession();
        else if ((warmed < warmAnyway && stage >= warmAnyway) || clockDoubt() > clockGood) call('GET', eventPath(eventID));
        warmed = stage;
      }
      ticking = setTimeout(tick, Math.min(left, left % 1000 || 1000, 250 + (left % 250)));
      return;
    }
    if (seen === opens) return;
    seen = opens;
    showAll();
    if (currentUser() && !mine) {
      const full = registrationState() === 'full';
      announce(t(full ? 'badge.full' : 'opens.now'));
      if (full) return;
      if (byId('countdown').contains(document.activeElement) || document.activeElement === document.body) button.focus();
    }
  }

  // ---- wishes ----

  // Waits before a wish is said again, and shows that. Resolves to false when it is given up.
  function waitVisibly(doing) {
    return (answer, seconds) => new Promise((resolve) => {
      const ready = Date.now() + seconds * 1000;
      const { title, text } = answer.code === 'registration_not_open' ? { title: t('opens.almost'), text: '' } : said(answer, doing);
      const again = make('p', {}, '');
      const box = note('warn', title, text);
      box.append(again);
      feedback.replaceChildren(box);
      show(stopButton);
      const end = (goOn) => {
        clearInterval(timer);
        stopWaiting = null;
        show(stopButton, false);
        resolve(goOn);
      };
      const tickDown = () => {
        const left = Math.ceil((ready - Date.now()) / 1000);
        if (left <= 0) end(true);
        else write(again, t('retry.again', { n: left }));
      };
      const timer = setInterval(tickDown, 200);
      stopWaiting = () => end(false);
      tickDown();
    });
  }

  async function wish(pressed, { doing, words, send }) {
    if (isOff(pressed) || busy) return;
    const user = currentUser();
    if (!user) return;
    busy = true;
    wishes++;
    keptAnswer = null;
    hideFlash();
    setBusy(pressed, words);
    show(pressed === button ? leaveButton : button, false);
    // Only in the first moments: later there is no crowd to spread.
    if (Math.abs(serverNow() - opening()) < openingMoment) await new Promise((resolve) => setTimeout(resolve, Math.random() * spreadMilliseconds));
    const answer = await send(user);
    busy = false;
    setBusy(pressed, '');
    await settle(answer, doing);
    feedback.focus();
    live.now();
  }

  // What an answer says about this person is true at once; what it says about others is asked for.
  async function settle(answer, doing) {
    const user = currentUser();
    if (answer.ok && doing === 'register' && answer.data?.status) {
      [mine, mineTag, asked] = [answer.data, '', true];
      await readMine();
      showAll();
      return;
    }
    if (answer.ok && doing === 'leave') {
      [mine, mineTag] = [null, ''];
      showAll();
      keepAnswer(note('good', t('leave.done_title'), t('leave.done_text')), { ofEvent: false });
      return;
    }
    if (answer.status === 401) await checkSession();
    const { title, text } = said(answer, doing);
    await readMine();
    const settled = ['already_registered', 'already_waitlisted'].includes(answer.code) && mine;
    if (answer.code === 'sold_out') event = { ...event, registration_state: 'full', tickets_sold: event.capacity };
    if (answer.code === 'event_cancelled') event = { ...event, registration_state: 'cancelled', state: 'cancelled' };
    if (answer.code === 'registration_closed') event = { ...event, registration_state: 'closed' };
    showAll();
    if (settled) return; // the situation says it
    let link = !currentUser() && user ? make('a', { href: withNext('/login') }, t('account.log_in_again')) : null;
    if (answer.code === 'email_unproven') link = make('a', { href: '/prove' }, t('account.prove'));
    const kind = isUndecided(answer) || answer.code === 'offline' || answer.status === 401 ? 'warn' : 'bad';
    keepAnswer(note(kind, title, text, link), { ofEvent: true });
  }

  button.addEventListener('click', () => wish(button, {
    doing: 'register',
    words: t('action.asking'),
    send: (user) => register(eventID, user.id, waitVisibly('register')),
  }));

  leaveButton.addEventListener('click', async () => {
    const line = mine?.status === 'waitlisted';
    const sure = await confirmed({
      title: t(line ? 'leave.line_title' : 'leave.title'),
      text: t(line ? 'leave.line_text' : 'leave.text'),
      yes: t(line ? 'action.leave_line' : 'action.leave'),
    });
    if (!sure) return;
    wish(leaveButton, {
      doing: 'leave',
      words: t('action.leaving'),
      send: (user) => leave(eventID, user.id, mineTag, waitVisibly('leave')),
    });
  });

  stopButton.addEventListener('click', () => stopWaiting?.());

  bindShare(byId('share'), event.title, `/events/${eventID}`);

  onSessionChange(async () => {
    followOwn();
    await readMine();
    showAll();
  });

  notePage(state.now);
  if (currentUser() && asked) cameTrue(eventID, currentUser().id, Boolean(mine));
  showAll();
  planRefresh();
  tick();
  followOwn();
  if (currentUser() && !asked) readMine().then(showAll);
  // The clock may be off by half a second after one answer; more of them tell better.
  if (event.registration_state === 'opens_soon' && clockDoubt() > clockGood) call('GET', eventPath(eventID)).then(tick);
}

// The service could not say what the event is when it made the page.
function startAgain() {
  const reload = byId('reload');
  reload.addEventListener('click', async () => {
    if (isOff(reload)) return;
    setBusy(reload, t('action.trying'));
    const answer = await call('GET', eventPath(here().split('/')[2]));
    if (answer.ok || isMissing(answer)) {
      location.reload();
      return;
    }
    setBusy(reload, '');
    byId('trouble-text').textContent = said(answer, 'read').text;
    announce(byId('trouble-text').textContent);
  });
}
