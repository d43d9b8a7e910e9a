// Asks with the client that hey-api makes, as it comes: without `ask.ts`.

import { createReply, getConversation, getReply, type Problem, streamChat } from './client';
import { cancelReply } from './client';
import { createClient } from './client/client';
import { type Asked, doAll, type Is, tell, tellProblem } from './telling';

type Answer<Data> = { response: Response } & ({ data: Data; error: undefined } | { data: undefined; error: Problem });

const told = <Data>({ data, error, response }: Answer<Data>, what: (data: Data) => unknown): void => {
  const typed: Is<typeof error, Problem | undefined> = true;
  if (error) tellProblem(response.status, error.type, typed);
  else if (response.status !== 204) tell({ result: what(data) });
};

doAll(async ({ operation, url, message, conversation_id, reply_id, cursor }: Asked): Promise<void> => {
  const client = createClient({ baseUrl: url });
  switch (operation) {
    case 'getConversation':
      return told(await getConversation({ client, path: { conversation_id: conversation_id ?? '' } }), () => null);
    case 'cancelReply':
      return told(await cancelReply({ client, path: { reply_id } }), () => null);
    case 'getReply':
      return told(await getReply({ client, path: { reply_id } }), (reply) => reply.text);
    case 'createReply':
      return told(await createReply({ client, body: { user_message: message } }), (reply) => reply.text);
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
