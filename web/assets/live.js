// Following something that changes. Today it is asked for again and again, with its ETag, so that
// an answer without news is a few bytes; when the API has streams, they go in here and nowhere
// else.

import { call } from './api.js';

const fastest = 2500; // milliseconds between two questions while things happen
const slowest = 15_000; // and while nothing does
const longestPause = 60_000; // after refusals

// follow calls onNews(answer) for each answer that is not what is known already. tag says what
// that is. It rests while nobody looks, and returns {now(), end()}: now asks at once.
export function follow(path, tag, onNews) {
  let known = tag;
  let pause = fastest * 2;
  let timer = 0;
  let asking = null;
  let ended = false;

  function plan() {
    clearTimeout(timer);
    if (!ended && document.visibilityState === 'visible') timer = setTimeout(ask, pause * (0.85 + Math.random() * 0.3));
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
      await onNews(answer);
    } else {
      pause = Math.min(Math.max(pause * 2, answer.retryAfter * 1000, fastest), longestPause);
      if (answer.status === 404) await onNews(answer);
    }
  }

  const wake = () => document.visibilityState === 'visible' && ask();
  document.addEventListener('visibilitychange', wake);
  window.addEventListener('online', wake);
  plan();
  return {
    async now() {
      if (asking) await asking;
      await ask();
    },
    end() {
      ended = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', wake);
      window.removeEventListener('online', wake);
    },
  };
}
