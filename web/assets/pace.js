// How many register, minute by minute, as the record of changes has it: a small chart on the
// organizer's page.

import { call, eventPath, isArray, said } from './api.js';
import { serverNow } from './clock.js';
import { byId, drawn, write } from './dom.js';
import { hourOf, number, t } from './text.js';

const paceMinutes = 60;
const paceEvery = 2500; // milliseconds between two reads while the numbers run
const paceAnyway = 10_000; // and while they rest: refusals move nothing
const minuteLong = 60_000;
// The chart in its own units: bars up for who came, and down for who left.
const paceChart = { slot: 10, bar: 7, up: 100, down: 16 };

// bindPace draws the chart of an event. zone() is where its times are told. It returns {load(), soon()}:
// load reads what is missing, soon does so in a moment.
export function bindPace(eventID, { zone }) {
  const known = new Map(); // by the beginning of the minute
  let readAt = 0;
  let timer = 0;
  let reading = null;

  // The minutes that the chart has, the last one being this one.
  function shown() {
    const newest = Math.max(serverNow(), ...known.keys());
    const last = Math.floor(newest / minuteLong) * minuteLong;
    return Array.from({ length: paceMinutes }, (_, i) => {
      const at = last - (paceMinutes - 1 - i) * minuteLong;
      return { at, registrations: 0, cancelled: 0, refused: 0, ...known.get(at) };
    });
  }

  function draw() {
    const minutes = shown();
    const when = ({ at }) => hourOf(at, zone());
    const made = minutes.reduce((sum, { registrations }) => sum + registrations, 0);
    const left = minutes.reduce((sum, { cancelled }) => sum + cancelled, 0);
    const refused = minutes.reduce((sum, each) => sum + each.refused, 0);
    const top = minutes.reduce((most, each) => (each.registrations > most.registrations ? each : most));
    const scale = Math.max(5, ...minutes.map(({ registrations }) => registrations));
    const { slot, bar, up, down } = paceChart;
    const bars = minutes.flatMap((each, i) => {
      const [high, low] = [(each.registrations / scale) * up, Math.min(each.cancelled / scale, 1) * down];
      const x = i * slot + (slot - bar) / 2;
      const told = [t('pace.minute', { when: when(each), made: each.registrations, left: each.cancelled }), ...(each.refused ? [t('pace.minute_refused', { n: each.refused })] : [])];
      const title = () => drawn('title', {}, told.join(' · '));
      return [
        ...(high ? [drawn('rect', { class: 'pace-made', x, y: up - Math.max(high, 1.5), width: bar, height: Math.max(high, 1.5) }, title())] : []),
        ...(low ? [drawn('rect', { class: 'pace-left', x, y: up + 2, width: bar, height: Math.max(low, 2) }, title())] : []),
      ];
    });
    byId('pace-bars').replaceChildren(...bars);
    write(byId('pace-now'), number(minutes.at(-1).registrations));
    write(byId('pace-scale'), number(scale));
    const words = [t('pace.hour', { n: made }), ...(left ? [t('pace.left', { n: left })] : []), ...(made ? [t('pace.most', { most: top.registrations, when: when(top) })] : []), ...(refused ? [t('pace.refused', { n: refused })] : [])];
    write(byId('pace-summary'), made || left || refused ? words.join(' · ') : t('pace.none'));
  }

  async function read() {
    const missing = Math.ceil((serverNow() - readAt) / minuteLong) + 2;
    const answer = await call('GET', `${eventPath(eventID)}/pace?minutes=${Math.min(paceMinutes, missing)}`);
    if (!isArray(answer)) {
      if (!readAt) write(byId('pace-summary'), said(answer, 'read').text);
      return;
    }
    readAt = serverNow();
    for (const { at, registrations, cancelled, refused } of answer.data) known.set(Date.parse(at), { registrations, cancelled, refused });
    const oldest = readAt - (paceMinutes + 1) * minuteLong;
    for (const at of known.keys()) if (at < oldest) known.delete(at);
    draw();
  }

  function load() {
    clearTimeout(timer);
    timer = 0;
    reading ??= read().finally(() => {
      reading = null;
    });
    return reading;
  }

  function soon() {
    timer ||= setTimeout(load, Math.max(0, readAt + paceEvery - serverNow()));
  }

  // The minutes go by also while nothing happens.
  let minute = 0;
  setInterval(() => {
    const now = Math.floor(serverNow() / minuteLong);
    if (!readAt || document.visibilityState !== 'visible') return;
    if (now === minute && serverNow() - readAt < paceAnyway) return;
    minute = now;
    draw();
    soon(); // the minute that is over may have got more
  }, 1000);

  return { load, soon };
}
