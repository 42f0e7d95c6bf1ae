// Sentences, numbers, dates. The sentences are those of one language, put before the modules by
// the server; dates and numbers are in the visitor's own kind of that language, if they have one.

export const language = document.documentElement.lang;
// Some browsers call a machine without a language en-US@posix, which Intl throws at.
const locale = navigator.languages?.find((l) => new RegExp(`^${language}(-[a-z0-9]+)*$`, 'i').test(l)) ?? { en: 'en-GB', de: 'de-DE' }[language];
const plurals = new Intl.PluralRules(language);
const numbers = new Intl.NumberFormat(locale);

export const number = (n) => numbers.format(n);
export const hasText = (key) => Object.hasOwn(sentences, key);

// t('places.left', {n: 3}): the form for n, with the {names} filled in.
export function t(key, values = {}) {
  let text = sentences[key];
  if (text === undefined) throw new Error(`no sentence ${key}`);
  if (typeof text !== 'string') text = text[plurals.select(values.n)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === 'number' ? number(values[name]) : String(values[name])));
}

export const ownZone = new Intl.DateTimeFormat(locale).resolvedOptions().timeZone ?? 'UTC';

const isDate = (date) => !Number.isNaN(date.getTime());

function formatter(options, zone) {
  try {
    return new Intl.DateTimeFormat(locale, { ...options, timeZone: zone || ownZone });
  } catch {
    return new Intl.DateTimeFormat(locale, options); // a zone that this browser does not know
  }
}

const long = { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric', hour: 'numeric', minute: '2-digit' };
const short = { weekday: 'short', day: 'numeric', month: 'short', hour: 'numeric', minute: '2-digit' };

export function moment(text, zone) {
  const date = new Date(text);
  return isDate(date) ? formatter(long, zone).format(date) : '–';
}

export const hourOf = (at, zone) => formatter({ hour: 'numeric', minute: '2-digit' }, zone).format(at);

// What both ends share is said once.
export function span(from, to, zone, options = long) {
  const [start, end] = [new Date(from), new Date(to)];
  if (!isDate(start) || !isDate(end) || end < start) return moment(from, zone);
  return formatter(options, zone).formatRange(start, end);
}

// The same in two parts, for two lines.
export function spanLines(from, to, zone) {
  const [start, end] = [new Date(from), new Date(to)];
  const { hour, minute, ...date } = long;
  if (!isDate(start) || !isDate(end)) return ['–', ''];
  if (wall(start, zone).slice(0, 10) !== wall(end, zone).slice(0, 10)) {
    const days = formatter({ ...short, year: 'numeric' }, zone);
    return [`${days.format(start)} –`, days.format(end)];
  }
  return [formatter(date, zone).format(start), formatter({ hour, minute }, zone).formatRange(start, end)];
}

export const shortSpan = (from, to, zone) => span(from, to, zone, short);

export function stub(text, zone) {
  const date = new Date(text);
  if (!isDate(date)) return { weekday: '', day: '–', month: '', year: '' };
  const part = (options) => formatter(options, zone).format(date);
  return { weekday: part({ weekday: 'short' }), day: String(Number(wall(date, zone || ownZone).slice(8, 10))), month: part({ month: 'short' }), year: part({ year: 'numeric' }) };
}

export const monthOf = (text, zone) => formatter({ month: 'long', year: 'numeric' }, zone).format(new Date(text));

// The time on a wall clock in a zone, as datetime-local writes it, with seconds.
export function wall(date, zone) {
  const parts = {};
  const options = { calendar: 'iso8601', numberingSystem: 'latn', hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZone: zone };
  for (const { type, value } of new Intl.DateTimeFormat('en-GB', options).formatToParts(date)) parts[type] = value;
  return `${parts.year.padStart(4, '0')}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}:${parts.second}`;
}

// The moment at which a wall clock in a zone shows this. Where a clock is put forward and never
// shows it, the time after the gap; where it shows it twice, the first time.
export function fromWall(text, zone) {
  const asUTC = Date.parse(`${text.length === 16 ? `${text}:00` : text}Z`);
  const offset = (at) => Date.parse(`${wall(new Date(at), zone)}Z`) - Math.floor(at / 1000) * 1000;
  const before = asUTC - offset(asUTC - 86_400_000);
  const after = asUTC - offset(asUTC + 86_400_000);
  const fits = (at) => at + offset(at) === asUTC;
  return new Date([before, after].filter(fits).sort((a, b) => a - b)[0] ?? before);
}

// The offset of two zones may be the same all the time that an event lasts.
export function sameClock(zone, ...moments) {
  if (!zone) return true;
  try {
    return moments.every((text) => wall(new Date(text), zone) === wall(new Date(text), ownZone));
  } catch {
    return true;
  }
}

// 1:02:03, and days before it when there are any.
export function clockText(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const two = (n) => String(n).padStart(2, '0');
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  const rest = `${hours || days ? `${two(hours)}:` : ''}${two(minutes)}:${two(seconds % 60)}`;
  return days ? `${t('opens.days', { n: days })} ${rest}` : rest;
}

// Places of an event, never negative and never more than there are.
export function places({ capacity, tickets_sold: sold }) {
  const all = Math.max(0, Number(capacity) || 0);
  const taken = Math.min(Math.max(0, Number(sold) || 0), all);
  return { all, taken, left: all - taken };
}
