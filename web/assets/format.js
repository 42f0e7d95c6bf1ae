// Numbers, times and ids for people. The pages are in English, so dates are
// too: in the visitor's own English if they have one, else in the international. Some
// browsers call that of a machine without a language en-US@posix, which Intl throws at.

const english = navigator.languages?.find((language) => /^en(-[a-z0-9]+)*$/i.test(language)) ?? 'en-GB';

const numbers = new Intl.NumberFormat(english);
const moments = new Intl.DateTimeFormat(english, {
  weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', hour: 'numeric', minute: '2-digit', timeZoneName: 'short',
});
const weekdays = new Intl.DateTimeFormat(english, { weekday: 'short' });
const months = new Intl.DateTimeFormat(english, { month: 'short' });
const days = new Intl.DateTimeFormat(english, { day: 'numeric' });
const years = new Intl.DateTimeFormat(english, { year: 'numeric' });

export const timeZone = moments.resolvedOptions().timeZone ?? 'your local time';

export const number = (n) => numbers.format(n);

const isDate = (date) => !Number.isNaN(date.getTime());

export function moment(text) {
  const date = new Date(text);
  return isDate(date) ? moments.format(date) : 'not known';
}

// "Fri, 2 Jan 2026, 18:00 – 20:00 GMT": what both ends share is said once.
export function span(from, to) {
  const [start, end] = [new Date(from), new Date(to)];
  if (!isDate(start) || !isDate(end) || end < start) return moment(from);
  return moments.formatRange(start, end);
}

export function stub(text) {
  const date = new Date(text);
  if (!isDate(date)) return { weekday: '', day: '–', month: '', year: '' };
  return { weekday: weekdays.format(date), day: days.format(date), month: months.format(date), year: years.format(date) };
}

// Places of an event, never negative and never more than there are.
export function places({ capacity, tickets_sold: sold }) {
  const all = Math.max(0, Number(capacity) || 0);
  const taken = Math.min(Math.max(0, Number(sold) || 0), all);
  return { all, taken, left: all - taken };
}

export function placesLeft(event) {
  const { all, left } = places(event);
  if (left === 0) return 'Sold out';
  return `${number(left)} of ${number(all)} ${all === 1 ? 'place' : 'places'} left`;
}

// The beginning of an id is its time, the end tells neighbours apart.
export const shortId = (id) => (id.length > 12 ? `${id.slice(0, 4)}…${id.slice(-6)}` : id);
