// The page's storage in the browser. If cookies and site data are blocked, every access to storage throws; then values
// are kept in memory for as long as the page is open.

/** For this tab. */
export const tab = memory(() => sessionStorage);
/** For every tab, and for later visits. */
export const device = memory(() => localStorage);

/** The same page in other tabs, which get what is posted as `message` events. */
export function channel(/** @type {string} */ name) {
  try {
    return new BroadcastChannel(name);
  } catch {
    return Object.assign(new EventTarget(), { postMessage(/** @type {any} */ _) {} });
  }
}

function memory(/** @type {() => Storage} */ open) {
  const own = new Map();
  /** @type {Storage | null} */
  let storage = null;
  try {
    storage = open();
  } catch {
    // blocked
  }
  return {
    /** @returns {string | null} */
    get: (/** @type {string} */ name) => (storage ? storage.getItem(name) : (own.get(name) ?? null)),
    set(/** @type {string} */ name, /** @type {string} */ value) {
      try {
        if (storage) storage.setItem(name, value);
        else own.set(name, value);
      } catch {
        // the storage is full
      }
    },
    remove(/** @type {string} */ name) {
      own.delete(name);
      storage?.removeItem(name);
    },
  };
}
