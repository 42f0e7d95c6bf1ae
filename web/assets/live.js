// Following an event. Its stream tells the numbers and the states as they change; what else there is of it
// is asked for, with its ETag, so that an answer without news is a few bytes. Without a stream it is asked
// again and again.

import { call } from './api.js';
import { openStream } from './stream.js';

const fastest = 2500; // milliseconds between two questions while things happen
const slowest = 15_000; // and while nothing does
const longestPause = 60_000; // after refusals
const spread = 1500; // all who look are told at once, and must not all ask at once

// What a stream tells of an event.
const told = ['capacity', 'tickets_sold', 'waiting', 'state', 'registration_state'];

// follow calls onNews(answer) for each answer that is not what is known already; tag says what that is.
// onNumbers(numbers) gets what the stream tells, fields of the event; onChange says that something happened,
// also when the numbers are as they were: one came and another left. It rests while nobody looks, and
// returns {now(), end()}: now asks at once.
export function follow(path, event, tag, { onNews, onNumbers, onChange }) {
  let numbers = pick(event);
  let [revision, version] = [0, 0]; // version grows with what the organizer edits
  let broken = false; // the stream was open, and something may have been missed
  let known = tag;
  let pause = fastest * 2;
  let timer = 0;
  let asking = null;
  let ended = false;

  function plan() {
    clearTimeout(timer);
    if (!ended && !stream?.isOpen() && document.visibilityState === 'visible') timer = setTimeout(ask, pause * (0.85 + Math.random() * 0.3));
  }

  function ask() {
    clearTimeout(timer);
    asking ??= question().finally(() => {
      asking = null;
      plan();
    });
    return asking;
  }

  async function question() {
    const answer = await call('GET', path, { known });
    if (ended) return;
    if (answer.status === 304) {
      pause = Math.min(pause * 1.3, slowest);
    } else if (answer.ok) {
      known = answer.tag;
      pause = fastest;
      numbers = pick(answer.data);
      await onNews(answer);
    } else {
      pause = Math.min(Math.max(pause * 2, answer.retryAfter * 1000, fastest), longestPause);
      if (answer.status === 404) await onNews(answer);
    }
  }

  function askSoon() {
    clearTimeout(timer);
    timer = setTimeout(ask, Math.random() * spread);
  }

  // What was edited is asked for: the texts, the times.
  function takeNumbers(state) {
    if (ended || state.revision < revision) return;
    const now = pick(state);
    const counted = told.some((name) => now[name] !== numbers[name]);
    const changed = revision > 0 && state.revision > revision;
    const edited = version > 0 && state.version !== version;
    [revision, version, numbers] = [state.revision, state.version, now];
    if (counted) onNumbers(now);
    if (changed) onChange?.();
    if (edited) askSoon();
  }

  function streamChanged(open) {
    if (!open) {
      broken = true;
      pause = fastest;
      plan();
    } else if (broken) {
      broken = false;
      askSoon();
    } else clearTimeout(timer);
  }

  const wake = () => document.visibilityState === 'visible' && ask();
  document.addEventListener('visibilitychange', wake);
  window.addEventListener('online', wake);
  let stream = null;
  stream = openStream(`${path}/live`, { state: takeNumbers, gone: () => ask() }, streamChanged);
  plan();
  return {
    async now() {
      if (asking) await asking;
      await ask();
    },
    end() {
      ended = true;
      stream.end();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', wake);
      window.removeEventListener('online', wake);
    },
  };
}

const pick = (event) => Object.fromEntries(told.map((name) => [name, event[name] ?? 0]));
