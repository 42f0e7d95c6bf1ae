// localStorage and sessionStorage, which may be switched off, full, or hold what somebody else
// wrote. Without them the page works from memory until it is left. They keep drafts, keys of
// requests and a sentence for the next page: never what the service knows better.

function box(open) {
  const memory = new Map();
  let real = null;
  try {
    real = open();
  } catch {
    // Switched off: reading the property itself throws.
  }
  return {
    get(key) {
      if (memory.has(key)) return memory.get(key);
      try {
        return real?.getItem(key) ?? null;
      } catch {
        return null;
      }
    },
    set(key, value) {
      try {
        real.setItem(key, value);
        memory.delete(key);
      } catch {
        memory.set(key, value);
      }
    },
    remove(key) {
      memory.delete(key);
      try {
        real?.removeItem(key);
      } catch {
        // Nothing was kept there either.
      }
    },
  };
}

export const local = box(() => window.localStorage);
export const session = box(() => window.sessionStorage);
