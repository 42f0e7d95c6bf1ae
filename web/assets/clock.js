// The server's clock. Each answer says its time in whole seconds, and came between two moments of
// our own clock: so each tells between which bounds the offset is. Several of them, at different
// parts of a second, leave little between.

const clockBounds = { low: -Infinity, high: Infinity };

// noteClock learns from an answer: sent and received are by our clock, date is the header.
export function noteClock(sent, received, date) {
  const at = Date.parse(date ?? '');
  if (!Number.isNaN(at)) noteMoment(sent, received, at, 1000);
}

// notePage learns from the page itself, which says to the millisecond when it was made. One that comes out of
// the browser's cache says when it was made then.
export function notePage(made) {
  const [visit] = performance.getEntriesByType('navigation');
  if (!made || !visit?.transferSize || visit.type === 'back_forward') return;
  noteMoment(performance.timeOrigin + visit.requestStart, performance.timeOrigin + visit.responseStart, made, 1);
}

// at, which is good for so many milliseconds, was between sent and received.
function noteMoment(sent, received, at, width) {
  const [low, high] = [at - received, at + width - sent];
  const [narrowLow, narrowHigh] = [Math.max(clockBounds.low, low), Math.min(clockBounds.high, high)];
  // Bounds that exclude each other: one of the clocks was set meanwhile.
  if (narrowLow > narrowHigh) Object.assign(clockBounds, { low, high });
  else Object.assign(clockBounds, { low: narrowLow, high: narrowHigh });
}

const clockOffset = () => (clockBounds.low === -Infinity ? 0 : (clockBounds.low + clockBounds.high) / 2);

export const serverNow = () => Date.now() + clockOffset();
// How far serverNow may be off, in milliseconds.
export const clockDoubt = () => (clockBounds.high - clockBounds.low) / 2;
