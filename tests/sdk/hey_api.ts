// Asks with the client that hey-api generates from the contract.

import { asked, MAX_ATTEMPTS, tell } from './asked';
import { createClient } from './client/client';
import { streamChat } from './client/sdk.gen';

const ask = async (): Promise<void> => {
  const { stream } = await streamChat({
    client: createClient({ baseUrl: asked.url }),
    body: { user_message: asked.message },
    headers: { 'Idempotency-Key': asked.idempotencyKey ?? undefined },
    onSseEvent: ({ id, event, data }) => tell(id, event, data),
    sseDefaultRetryDelay: asked.retryMs ?? undefined,
    sseMaxRetryDelay: asked.retryMs ?? undefined, // else it waits twice as long each time
    sseMaxRetryAttempts: MAX_ATTEMPTS,
  });
  for await (const _ of stream) {
    // Nothing happens until it is read; what it gives are the bare data, without the name of their event.
  }
};

void ask();
