// Asks with the client that hey-api makes, and `ask.ts` beside it.

import { ask, follow, Interrupted, ProblemError, type ReplyEvent } from './ask';
import { cancelReply, createReply, deleteConversation, getConversation, getHealth, getReadiness, getReply } from './client';
import { listConversations, type Problem } from './client';
import { createClient } from './client/client';
import { type Asked, doAll, type Is, tell, tellProblem } from './telling';

type Answer<Data> = { response: Response } & ({ data: Data; error: undefined } | { data: undefined; error: Problem });

const told = <Data>({ data, error, response }: Answer<Data>, what: (data: Data) => unknown): void => {
  const typed: Is<typeof error, Problem | undefined> = true;
  if (error) tellProblem(response.status, error.type, typed);
  else if (response.status !== 204) tell({ result: what(data) });
};

const read = async (events: AsyncIterable<ReplyEvent>, leave: boolean | undefined): Promise<void> => {
  for await (const event of events) {
    if (event.event === 'word') {
      tell({ word: event.text, id: event.id });
      if (leave) return;
    } else tell({ done: event.reply });
  }
};

const call = async (asked: Asked): Promise<void> => {
  const { operation, url, key, message, conversation_id, reply_id, cursor, idempotency_key, leave, retries } = asked;
  const client = createClient({ baseUrl: url, auth: key ?? undefined });
  const path = { conversation_id: conversation_id ?? '' };
  const body = { user_message: message, conversation_id };
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
    case 'getReply':
      return told(await getReply({ client, path: { reply_id } }), (reply) => reply.text);
    case 'createReply':
      return told(await createReply({ client, body }), (reply) => reply.text);
    case 'streamChat':
      return read(ask(body, { client, key: idempotency_key, retries }), leave);
    case 'streamReply':
      return read(follow(reply_id, { client, after: cursor, retries }), leave);
    default:
      throw new Error(operation);
  }
};

void doAll(async (asked) => {
  try {
    await call(asked);
  } catch (error) {
    if (!(error instanceof ProblemError || error instanceof Interrupted)) throw error;
    const { problem } = error;
    const typed: Is<typeof problem, Problem | undefined> = true;
    if (problem) tellProblem(problem.status, problem.type, typed);
    else tell({ cut: String(error.cause) });
  }
});
