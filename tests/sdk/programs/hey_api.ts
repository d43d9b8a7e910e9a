// Asks with the client that hey-api makes, and `events.ts` beside it.

import { cancelReply, deleteConversation, getConversation, getHealth, getReadiness } from './client';
import { listConversations, type Problem, type ReplyEvent, streamChat, streamReply } from './client';
import { createClient } from './client/client';
import { events } from './events';
import { type Asked, doAll, type Is, tell, tellProblem } from './telling';

type Answer<Data> = { response: Response } & ({ data: Data; error: undefined } | { data: undefined; error: Problem });

const told = <Data>({ data, error, response }: Answer<Data>, what: (data: Data) => unknown): void => {
  const typed: Is<typeof error, Problem | undefined> = true;
  if (error) tellProblem(response.status, error.type, typed);
  else if (response.status !== 204) tell({ result: what(data) });
};

const ask = async (asked: Asked): Promise<void> => {
  const { operation, url, key, message, conversation_id, reply_id, cursor, idempotency_key, leave } = asked;
  const client = createClient({ baseUrl: url, auth: key ?? undefined });
  const path = { conversation_id: conversation_id ?? '' };
  // Whoever leaves says so, with a signal: leaving the loop is not enough for this client.
  const leaving = new AbortController();
  const lost: unknown[] = [];
  const streaming = {
    client,
    fetch: events,
    headers: { 'Last-Event-ID': cursor, 'Idempotency-Key': idempotency_key },
    signal: leaving.signal,
    onSseError: (error: unknown) => lost.push(error),
    sseDefaultRetryDelay: 10,
    sseMaxRetryAttempts: 5, // without it, it tries for ever
  };
  const read = async (stream: AsyncIterable<ReplyEvent>): Promise<void> => {
    try {
      for await (const event of stream) {
        if (event.event === 'message') {
          tell({ word: event.data, id: event.id });
          if (leave) return;
        }
        if (event.event === 'done') return tell({ done: event.data });
        if (event.event === 'failed') return tell({ failed: event.data });
      }
      tell({ cut: lost.map(String) });
    } finally {
      leaving.abort();
    }
  };
  switch (operation) {
    case 'getHealth':
      return tell({ result: (await getHealth({ client })).data?.message });
    case 'getReadiness':
      return told(await getReadiness({ client }), (readiness) => readiness.message);
    case 'listConversations':
      return told(await listConversations({ client }), (page) => page.conversations.map((each) => each.conversation_id));
    case 'getConversation':
      return told(await getConversation({ client, path }), ({ messages }) => messages.map((each) => each.text));
    case 'deleteConversation':
      return told(await deleteConversation({ client, path }), () => null);
    case 'cancelReply':
      return told(await cancelReply({ client, path: { reply_id } }), () => null);
    case 'streamChat':
      return read((await streamChat({ ...streaming, body: { user_message: message, conversation_id } })).stream);
    case 'streamReply':
      return read((await streamReply({ ...streaming, path: { reply_id } })).stream);
    default:
      throw new Error(operation);
  }
};

void doAll(ask);
