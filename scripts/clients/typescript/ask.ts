// Reads replies to their end with the client that hey-api generates. Put this file next to the folder `client`, and
// install eventsource-parser: hey-api's own parser trims lines, and turns the word `42` into a number.
//
// A stream that ends without `done` or `failed` was interrupted, even if the connection was closed properly. Then, and
// when the server cannot be reached, the request is repeated with the same idempotency key and the last word's id. So no
// word is lost or repeated, and no second reply is generated.

import { type EventSourceMessage, EventSourceParserStream } from 'eventsource-parser/stream';
import type { ChatRequest, Problem, Reply, StreamChatErrors, StreamReplyErrors } from './client';
import type { Client } from './client/client';

/** A word, including the white space that follows it, or the end. */
export type ReplyEvent = { event: 'word'; id: string; text: string } | { event: 'done'; reply: Reply };

/** The request was refused, or the reply failed. */
export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

/** The reply was not read to its end, and repeating the request did not help. */
export class Interrupted extends Error {
  /** `problem` is set if the server was reached but is not available. */
  constructor(
    cause: unknown,
    readonly problem?: Problem,
  ) {
    super(problem?.detail ?? 'The connection was lost.', { cause });
  }
}

export interface Options {
  client: Client;
  /** Stops reading. The reply is cancelled if nobody reads it within the resume window. */
  signal?: AbortSignal;
  /** How often in a row the request is repeated without a new word. */
  retries?: number;
}

type Open = (headers: { 'Last-Event-ID'?: string }) => Promise<{ data?: unknown; error?: unknown; response?: Response }>;

const STREAM = { parseAs: 'stream', security: [{ scheme: 'bearer', type: 'http' }] } as const;

/** Send a message; yield the words of the reply as they arrive, and then the reply. */
export const ask = (
  body: ChatRequest,
  { client, signal, retries, key = crypto.randomUUID() }: Options & { key?: string },
): AsyncGenerator<ReplyEvent> =>
  read(
    (headers) =>
      client.post<unknown, StreamChatErrors>({
        ...STREAM,
        url: '/api/chat',
        body,
        headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key, ...headers },
        signal,
      }),
    undefined,
    retries,
    signal,
  );

/** Read an existing reply like `ask`, from its first word or after the word with the id `after`. */
export const follow = (
  reply_id: string,
  { client, signal, retries, after }: Options & { after?: string },
): AsyncGenerator<ReplyEvent> =>
  read(
    (headers) =>
      client.get<unknown, StreamReplyErrors>({
        ...STREAM,
        url: '/api/replies/{reply_id}/events',
        path: { reply_id },
        headers,
        signal,
      }),
    after,
    retries,
    signal,
  );

async function* read(open: Open, after?: string, retries = 5, signal?: AbortSignal): AsyncGenerator<ReplyEvent> {
  let last = after;
  for (let failures = 0; ; failures += 1) {
    try {
      for await (const event of readOnce(open, last)) {
        yield event;
        if (event.event === 'done') return;
        last = event.id;
        failures = 0;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof Interrupted) || failures >= retries) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(250 * 2 ** failures, 8000)));
  }
}

async function* readOnce(open: Open, last?: string): AsyncGenerator<ReplyEvent> {
  const { data, error, response } = await open({ 'Last-Event-ID': last });
  if (!(data instanceof ReadableStream)) {
    const problem = isProblem(error) ? error : undefined;
    if (problem && response?.status !== 503) throw new ProblemError(problem);
    if (response && response.status < 500) throw new Error(`status ${response.status}`, { cause: error });
    throw new Interrupted(error, problem); // no problem: nothing, or a proxy that cannot reach the server, responded
  }
  try {
    for await (const { id, event, data: text } of eventsOf(data)) {
      // Later versions may have other events.
      if (event === undefined && id) yield { event: 'word', id, text };
      if (event === 'done') yield { event, reply: JSON.parse(text) };
      if (event === 'failed') throw new ProblemError(JSON.parse(text));
    }
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw new Interrupted(error);
  }
  throw new Interrupted('the stream ended without done');
}

const eventsOf = (bytes: ReadableStream<Uint8Array>): AsyncIterable<EventSourceMessage> =>
  bytes
    .pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    .pipeThrough(new EventSourceParserStream()) as ReadableStream & AsyncIterable<EventSourceMessage>;

const isProblem = (error: unknown): error is Problem =>
  typeof error === 'object' && error !== null && 'type' in error && 'retryable' in error;
