// How a client is generated that streams: hey-api makes a streaming function of an operation only if its response is
// nothing but an event stream, so the alternative, the finished reply as JSON, is taken out.
export default {
  parser: {
    patch: {
      responses: {
        ReplyStarted: (response) => {
          delete response.content['application/json'];
        },
      },
    },
  },
};
