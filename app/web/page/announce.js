// Tells screen readers what others see happen.
const announcer = document.getElementById("announcer");

export function announce(/** @type {string} */ text) {
  announcer.textContent = "";
  requestAnimationFrame(() => (announcer.textContent = text));
}
