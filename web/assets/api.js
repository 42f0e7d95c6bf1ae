// The public API, seen from a browser. One function, one kind of answer.
//
// An answer is always a value, never an exception, so that every page has to
// say what it does when things go wrong:
//
//   status      HTTP status; 0 when no answer arrived, so anything may have happened
//   ok          true for 2xx
//   data        the decoded body of a 2xx answer
//   code        the stable code of the problem document, '' when there is none
//   detail      its detail, or a sentence of our own
//   fields      Map of field name to reason
//   retryAfter  seconds to wait before trying again, 0 when not said
//   next        path of the next page, from Link rel="next", '' when there is none

const limitMilliseconds = { GET: 15_000, POST: 30_000 };

export async function call(method, path, { body, headers = {} } = {}) {
  const options = {
    method,
    headers: { Accept: 'application/json, application/problem+json', ...headers },
    cache: 'no-cache',
    signal: AbortSignal.timeout(limitMilliseconds[method]),
  };
  if (body !== undefined) {
    options.headers['Content-Type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  let response;
  let text;
  try {
    response = await fetch(path, options);
    text = await response.text();
  } catch {
    return failure(0, {});
  }
  const content = decode(text);
  if (!response.ok) return failure(response.status, content ?? {}, response.headers);
  if (content === undefined && text !== '') return failure(0, {});
  return {
    status: response.status,
    ok: true,
    data: content,
    code: '',
    detail: '',
    fields: new Map(),
    retryAfter: 0,
    next: nextPage(response.headers.get('Link'), response.url),
  };
}

function failure(status, problem, headers) {
  const fields = new Map();
  if (Array.isArray(problem.errors)) {
    for (const each of problem.errors) fields.set(String(each?.field ?? ''), String(each?.reason ?? ''));
  }
  return {
    status,
    ok: false,
    data: undefined,
    code: typeof problem.code === 'string' ? problem.code : '',
    detail: typeof problem.detail === 'string' && problem.detail ? problem.detail : ownWords(status),
    fields,
    retryAfter: headers ? secondsToWait(headers.get('Retry-After')) : 0,
    next: '',
  };
}

function ownWords(status) {
  if (status === 0) return 'No answer arrived. Check your connection and try again.';
  if (status === 429) return 'That was a bit fast. Wait a moment and try again.';
  if (status >= 500) return 'The service cannot answer right now. Try again in a moment.';
  return 'The service did not accept this.';
}

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
  return Number.isFinite(seconds) ? Math.min(Math.max(Math.ceil(seconds), 0), 60) : 0;
}

// Finds the target of rel="next" (RFC 8288). A target on another origin is not followed.
export function nextPage(link, base) {
  if (!link) return '';
  for (const [, target, parameters] of link.matchAll(/<([^>]*)>((?:\s*;\s*[^;,"]+(?:"[^"]*")?)*)/g)) {
    const rel = /(?:^|;)\s*rel\s*=\s*(?:"([^"]*)"|([^\s;]+))/i.exec(parameters);
    if (!rel || !(rel[1] ?? rel[2]).toLowerCase().split(/\s+/).includes('next')) continue;
    const url = new URL(target, base);
    if (url.origin === new URL(base).origin) return url.pathname + url.search;
  }
  return '';
}

export const isArray = (answer) => answer.ok && Array.isArray(answer.data);
