// Put this file beside the client that hey-api generates, and give it to the operations that stream:
//
//   const { stream } = await streamChat({ client, body: { user_message: 'hello' }, fetch: events });
//   for await (const event of stream) { ... }
//
// By itself, hey-api's client gives no event's name, trims what stands at the beginning of a line, and makes a number of
// the word `42`. So each event is read here, by a parser that keeps to the standard, and handed on whole, as JSON. And a
// response that is no stream is handed on as the event `failed`, with its problem; else the client would ask for ever.

import { EventSourceParserStream } from 'eventsource-parser/stream';
import type { FailedEvent, Problem, ReplyEvent } from './client';

export const events: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  if (!response.ok || !response.body) {
    const failed: FailedEvent = { event: 'failed', data: await problem(response) };
    return new Response(written(failed));
  }
  const parsed = response.body
    .pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    .pipeThrough(new EventSourceParserStream())
    .pipeThrough(
      new TransformStream<{ id?: string; event?: string; data: string }, string>({
        transform({ id, event = 'message', data }, out) {
          const whole = { ...(id && { id }), event, data: event === 'message' ? data : JSON.parse(data) } as ReplyEvent;
          out.enqueue(written(whole));
        },
      }),
    )
    .pipeThrough(new TextEncoderStream() as TransformStream<string, Uint8Array>);
  return new Response(parsed, response);
};

const written = (event: ReplyEvent): string =>
  `${event.id ? `id: ${event.id}\n` : ''}event: ${event.event}\ndata: ${JSON.stringify(event)}\n\n`;

// A proxy in between answers with a page of its own.
const problem = async (response: Response): Promise<Problem> =>
  response.headers.get('content-type')?.startsWith('application/problem+json')
    ? await response.json()
    : {
        type: 'about:blank',
        title: response.statusText,
        status: response.status,
        detail: 'Something between the client and the service has answered.',
        retryable: response.status >= 500,
      };
