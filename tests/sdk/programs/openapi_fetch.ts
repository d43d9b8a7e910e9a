// Asks with openapi-fetch and the types that openapi-typescript makes for it.

import createClient from 'openapi-fetch';
import type { components, paths } from './schema';
import { type Asked, doAll, type Is, read, tell, tellProblem } from './telling';

type Problem = components['schemas']['Problem'];
type Answer<Data> = { data?: Data; error?: Problem; response: Response };

const told = <Data>({ data, error, response }: Answer<Data>, what: (data: Data) => unknown): void => {
  const typed: Is<typeof error, Problem | undefined> = true;
  if (error) tellProblem(response.status, error.type, typed);
  else if (data !== undefined && response.status !== 204) tell({ result: what(data) });
};

const streamed = async ({ data, ...rest }: Answer<ReadableStream<Uint8Array> | null>): Promise<void> => {
  if (data) await read(data);
  else told(rest, () => null);
};

const ask = async ({ operation, url, key, message, conversation_id, reply_id, cursor }: Asked): Promise<void> => {
  const client = createClient<paths>({ baseUrl: url, headers: key ? { Authorization: `Bearer ${key}` } : {} });
  const params = { path: { conversation_id: conversation_id ?? '' } };
  const header = { 'Last-Event-ID': cursor };
  switch (operation) {
    case 'getHealth':
      return tell({ result: (await client.GET('/api/health')).data?.message });
    case 'getReadiness':
      return told(await client.GET('/api/ready'), (readiness) => readiness.message);
    case 'listConversations':
      return told(await client.GET('/api/conversations'), (page) => page.conversations.map((each) => each.conversation_id));
    case 'getConversation':
      return told(await client.GET('/api/conversations/{conversation_id}', { params }), ({ messages }) =>
        messages.map((each) => each.text),
      );
    case 'deleteConversation':
      return told(await client.DELETE('/api/conversations/{conversation_id}', { params }), () => null);
    case 'cancelReply':
      return told(await client.POST('/api/replies/{reply_id}/cancel', { params: { path: { reply_id } } }), () => null);
    case 'getReply':
      return told(await client.GET('/api/replies/{reply_id}', { params: { path: { reply_id } } }), (reply) => reply.text);
    case 'createReply':
      return told(await client.POST('/api/replies', { body: { user_message: message } }), (reply) => reply.text);
    case 'streamChat': {
      const body = { user_message: message, conversation_id };
      return streamed(await client.POST('/api/chat', { params: { header }, body, parseAs: 'stream' }));
    }
    case 'streamReply':
      return streamed(
        await client.GET('/api/replies/{reply_id}/events', {
          params: { header, path: { reply_id } },
          parseAs: 'stream',
        }),
      );
    default:
      throw new Error(operation);
  }
};

void doAll(ask);
