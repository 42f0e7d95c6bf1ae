// The public API, seen from a browser. One function, one kind of answer.
//
// An answer is always a value, never an exception, so that every page has to say what it does
// when things go wrong:
//
//   status      HTTP status; 0 when no answer arrived, so anything may have happened
//   ok          true for 2xx
//   data        the decoded body of a 2xx answer
//   code        the stable code of the problem document; "offline" when nothing was sent, and
//               "no_answer" when none came
//   fields      names of the fields that are wrong
//   tag         the ETag
//   retryAfter  seconds to wait before trying again, 0 when not said
//   next        path of the next page, from Link rel="next", '' when there is none
//
// What the API says in words is for programmers. What a visitor reads is in the text files.

import { at, base } from './base.js';
import { noteClock } from './clock.js';
import { hasText, t } from './text.js';

const limitMilliseconds = { GET: 10_000, POST: 15_000, PUT: 15_000, PATCH: 15_000, DELETE: 15_000 };

// randomUUID exists only where the page came by https or from this machine.
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

// key is the Idempotency-Key: every send has one, and one that is repeated has the same.
export async function call(method, path, { body, key, match, known, signal } = {}) {
  if (navigator.onLine === false) return failure(0, { code: 'offline' });
  const headers = { Accept: 'application/json, application/problem+json' };
  if (method !== 'GET') headers['Idempotency-Key'] = key ?? newKey();
  if (match) headers['If-Match'] = match;
  if (known) headers['If-None-Match'] = known;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const limit = AbortSignal.timeout(limitMilliseconds[method]);
  const sent = Date.now();
  let response;
  let text;
  try {
    response = await fetch(at(path), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: known ? 'no-store' : 'no-cache',
      signal: signal ? AbortSignal.any([limit, signal]) : limit,
    });
    noteClock(sent, Date.now(), response.headers.get('Date'));
    text = await response.text();
  } catch {
    return failure(0, { code: 'no_answer' });
  }
  const content = decode(text);
  const answer = {
    status: response.status,
    ok: response.ok,
    data: response.ok ? content : undefined,
    code: '',
    fields: [],
    position: 0,
    tag: response.headers.get('ETag') ?? '',
    retryAfter: 0,
    next: nextPage(response.headers.get('Link'), response.url),
  };
  if (response.status === 304) return answer;
  if (!response.ok) return failure(response.status, content ?? {}, response.headers);
  if (content === undefined && text !== '') return failure(0, { code: 'no_answer' });
  return answer;
}

function failure(status, problem, headers) {
  return {
    status,
    ok: false,
    data: undefined,
    code: typeof problem.code === 'string' ? problem.code : '',
    fields: Array.isArray(problem.errors) ? problem.errors.map((each) => String(each?.field ?? '')) : [],
    position: Number(problem.position) || 0,
    tag: '',
    retryAfter: headers ? secondsToWait(headers.get('Retry-After')) : 0,
    next: '',
  };
}

// said is what a failed answer means to a visitor, {title, text}: where somebody was doing
// something, like "register", in the words for that.
export function said(answer, doing) {
  const code = hasText(`problem.${answer.code}.title`) ? answer.code : ({ 401: 'unauthenticated', 403: 'forbidden', 404: 'not_found', 429: 'rate_limited', 502: 'unknown_outcome', 503: 'overloaded', 504: 'unknown_outcome' }[answer.status] ?? 'internal');
  const find = (part) => t(hasText(`${doing}.${code}.${part}`) ? `${doing}.${code}.${part}` : `problem.${code}.${part}`);
  return { code, title: find('title'), text: find('text') };
}

// Whether it is not known what became of a request, or surely nothing did for now: it may be
// repeated under its key.
export const isUndecided = ({ status, code }) => code !== 'offline' && (status === 0 || [408, 425, 429].includes(status) || status >= 500 || code === 'request_in_progress');

export const isMissing = ({ status }) => status === 404 || status === 400;

function decode(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// Retry-After is a number of seconds or a date (RFC 9110, section 10.2.3).
function secondsToWait(value) {
  if (!value) return 0;
  const seconds = /^\d+$/.test(value.trim()) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(Math.ceil(seconds), 0) : 0;
}

// Finds the target of rel="next" (RFC 8288). A target on another origin is not followed.
function nextPage(link, from) {
  if (!link) return '';
  for (const [, target, parameters] of link.matchAll(/<([^>]*)>((?:\s*;\s*[^;,"]+(?:"[^"]*")?)*)/g)) {
    const rel = /(?:^|;)\s*rel\s*=\s*(?:"([^"]*)"|([^\s;]+))/i.exec(parameters);
    if (!rel || !(rel[1] ?? rel[2]).toLowerCase().split(/\s+/).includes('next')) continue;
    const url = new URL(target, from);
    if (url.origin === new URL(from).origin) return url.pathname.slice(base.length) + url.search;
  }
  return '';
}

export const isArray = (answer) => answer.ok && Array.isArray(answer.data);
export const eventPath = (id) => `/api/events/${encodeURIComponent(id)}`;
export const seatPath = (event, user) => `${eventPath(event)}/registrations/${encodeURIComponent(user)}`;
export const holdingsPath = (user) => `/api/users/${encodeURIComponent(user)}/registrations`;
