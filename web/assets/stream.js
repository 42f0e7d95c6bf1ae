// Server-sent events. A stream is open while somebody looks; where it cannot be, the caller is told, and
// asks instead.

import { at } from './base.js';

// A browser keeps few connections to a server that has no HTTP/2, for all of its windows together. Streams
// must leave some of them free.
const mostStreams = 4;
const opensWithin = 5000; // milliseconds
const silentFor = 40_000; // above two heartbeats: the connection is dead
const againAfter = 30_000; // after a refusal

// Resolves to a function that gives the slot back, or to null when all are taken.
async function takeSlot() {
  if (!navigator.locks) return () => {}; // not a secure context: nobody counts
  for (let n = 0; n < mostStreams; n++) {
    const release = await new Promise((resolve) => {
      navigator.locks
        .request(`eventio-stream-${n}`, { ifAvailable: true }, (lock) => (lock ? new Promise((done) => resolve(done)) : resolve(null)))
        .catch(() => resolve(null));
    });
    if (release) return release;
  }
  return null;
}

// openStream calls handlers[name](data) for each message, and changed(open) when the stream opens or
// breaks. It returns {isOpen(), end()}.
export function openStream(path, handlers, changed = () => {}) {
  let source = null;
  let release = null;
  let open = false;
  let ended = false;
  let starting = false;
  let timer = 0; // of what is waited for: that it opens, a message, or the next try

  function wait(milliseconds, then) {
    clearTimeout(timer);
    timer = setTimeout(then, milliseconds * (1 + Math.random() * 0.3));
  }

  function set(now) {
    if (open === now) return;
    open = now;
    changed(open);
  }

  function stop() {
    clearTimeout(timer);
    source?.close();
    release?.();
    [source, release] = [null, null];
    set(false);
  }

  function giveUp() {
    stop();
    if (!ended) wait(againAfter, start);
  }

  function alive() {
    set(true);
    wait(silentFor, giveUp);
  }

  async function start() {
    if (ended || source || starting || !window.EventSource || document.visibilityState !== 'visible') return;
    starting = true;
    release = await takeSlot();
    starting = false;
    if (ended || document.visibilityState !== 'visible') {
      stop();
      return;
    }
    if (!release) {
      giveUp();
      return;
    }
    source = new EventSource(at(path));
    wait(opensWithin, giveUp);
    source.onopen = alive;
    source.onerror = () => {
      if (source?.readyState === EventSource.CLOSED) giveUp(); // it was refused
      else {
        set(false);
        wait(opensWithin * 2, giveUp); // the browser opens it again by itself
      }
    };
    source.addEventListener('heartbeat', alive);
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, ({ data }) => {
        alive();
        handle(JSON.parse(data));
      });
    }
  }

  const look = () => (document.visibilityState === 'visible' ? start() : stop());
  document.addEventListener('visibilitychange', look);
  window.addEventListener('pagehide', stop);
  window.addEventListener('pageshow', look);
  start();
  return {
    isOpen: () => open,
    end() {
      ended = true;
      stop();
      document.removeEventListener('visibilitychange', look);
      window.removeEventListener('pagehide', stop);
      window.removeEventListener('pageshow', look);
    },
  };
}
