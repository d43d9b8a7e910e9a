// What the browser remembers for the page. Where cookies and site data are blocked, every use of its storage raises an
// error; then the page works all the same, and remembers for as long as it is open.

/** For this tab. */
export const tab = memory(() => sessionStorage);
/** For every tab, and for the next time. */
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
        // there is no space left for it
      }
    },
    remove(/** @type {string} */ name) {
      own.delete(name);
      storage?.removeItem(name);
    },
  };
}
