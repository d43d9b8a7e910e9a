// Asks with the client that hey-api makes, as it comes: without `events.ts`.

import { getConversation, type Problem, streamChat } from './client';
import { createClient } from './client/client';
import { type Asked, doAll, type Is, tell, tellProblem } from './telling';

doAll(async ({ operation, url, message, conversation_id, cursor }: Asked): Promise<void> => {
  const client = createClient({ baseUrl: url });
  if (operation === 'getConversation') {
    const { error, response } = await getConversation({ client, path: { conversation_id: conversation_id ?? '' } });
    const typed: Is<typeof error, Problem | undefined> = true;
    return tellProblem(response.status, error?.type ?? '', typed);
  }
  const lost: unknown[] = [];
  let ended = false;
  const { stream } = await streamChat({
    client,
    body: { user_message: message },
    headers: { 'Last-Event-ID': cursor },
    onSseEvent: ({ id, event, data }) => {
      ended ||= event !== undefined;
      tell(event ? { [event]: data } : { word: data, id });
    },
    onSseError: (error) => lost.push(error),
    sseDefaultRetryDelay: 10,
    sseMaxRetryAttempts: 5,
  });
  for await (const _ of stream) {
    // What it gives are the bare data; the names of events are told above.
  }
  if (!ended) tell({ cut: lost.map(String) });
});
