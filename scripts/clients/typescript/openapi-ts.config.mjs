// How hey-api makes a client that streams typed events:
// - It makes a streaming function of an operation only if its response is nothing but an event stream. So the alternative,
//   the finished reply as JSON, is taken out: `done` has it too.
// - The stream is told to consist of events, and an event's data to be what their JSON says. `events.ts` makes it so.
const data = (name) => (schema) => {
  schema.properties.data = { $ref: `#/components/schemas/${name}` };
};

export default {
  parser: {
    patch: {
      responses: {
        ReplyStarted: (response) => {
          response.content = { 'text/event-stream': { schema: { $ref: '#/components/schemas/ReplyEvent' } } };
        },
      },
      schemas: {
        WordEvent: (schema) => {
          schema.required.push('event');
        },
        DoneEvent: data('Reply'),
        FailedEvent: data('Problem'),
      },
    },
  },
};
