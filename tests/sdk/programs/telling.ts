// What the programs for Node have in common: what they are asked to do, and how they tell what they hear.

import { readFileSync } from 'node:fs';
import type { EventSourceMessage } from 'eventsource-parser';
import { EventSourceParserStream } from 'eventsource-parser/stream';

/** Something to do: an operation, and what it takes. */
export interface Asked {
  operation: string;
  url: string;
  key: string | null;
  message: string;
  conversation_id?: string;
  reply_id: string;
  cursor?: string;
  idempotency_key?: string;
  /** Whether to leave after the first word. */
  leave?: boolean;
  /** How often to ask again; as often as the client does by itself if absent. */
  retries?: number;
}

/** Print it as a line of JSON, at once. */
export const tell = (what: Record<string, unknown>): void => console.log(JSON.stringify(what));

export const tellProblem = (status: number, kind: string, typed: boolean): void =>
  tell({ refused: kind, status, typed });

/** `true` if a type is the other one, and not `any`; else `false`. */
export type Is<A, B> = 0 extends 1 & A ? false : [A] extends [B] ? ([B] extends [A] ? true : false) : false;

/** Tell the events in the bytes of a stream. */
export const read = async (bytes: ReadableStream<Uint8Array>): Promise<void> => {
  const events = bytes
    .pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    .pipeThrough(new EventSourceParserStream()) as AsyncIterable<EventSourceMessage> & ReadableStream;
  try {
    for await (const { id, event, data } of events) {
      if (event) {
        tell({ [event]: JSON.parse(data) });
        return;
      }
      tell({ word: data, id });
    }
  } catch (error) {
    tell({ cut: String(error) });
    return;
  }
  tell({ cut: 'the stream ended without done' });
};

/** Do all that standard input asks for, one after the other; tell the end of each. */
export const doAll = async (does: (asked: Asked) => Promise<void>): Promise<void> => {
  for (const asked of JSON.parse(readFileSync(0, 'utf-8')) as Asked[]) {
    await does(asked);
    tell({ end: asked.operation });
  }
};
