// Asks with @microsoft/fetch-event-source.

import { fetchEventSource } from '@microsoft/fetch-event-source';
import { asked, MAX_ATTEMPTS, tell } from './asked';

// Made for browsers, it wants no more of them than this.
Object.assign(globalThis, { window: globalThis, document: { removeEventListener() {} } });

// It resumes after the last id whose line it has read, be the event complete or not. An id is the last line of its event,
// so there is one place left where a cut loses it a word: between that line and the empty one. With care, it resumes after
// the last word that was heard.
let lastHeard = '';
const resume: typeof fetch = (input, init) =>
  fetch(input, { ...init, headers: { ...init?.headers, 'last-event-id': lastHeard } });

let attempts = 0;
void fetchEventSource(`${asked.url}/api/chat`, {
  method: 'POST',
  headers: {
    'Content-Type': 'application/json',
    ...(asked.idempotencyKey && { 'Idempotency-Key': asked.idempotencyKey }),
  },
  body: JSON.stringify({ user_message: asked.message }),
  openWhenHidden: true,
  fetch: asked.careful ? resume : fetch,
  onmessage: ({ id, event, data }) => {
    lastHeard = id || lastHeard;
    tell(id, event, data);
  },
  onerror: (error) => {
    attempts += 1;
    if (attempts === MAX_ATTEMPTS) throw error;
    return asked.retryMs;
  },
});
