// A plugin for Redocly: puts a contract that streams so that its validator of examples understands it.
//
// It holds an example against `schema` and forgets `itemSchema`.
const inPlainWords = () => ({
  MediaType: {
    enter: (mediaType) => {
      const { schema, itemSchema } = mediaType;
      if (itemSchema) mediaType.schema = { allOf: [schema ?? {}, { type: 'array', items: itemSchema }] };
    },
  },
});

export default () => ({ id: 'stream', preprocessors: { oas3: { 'in-plain-words': inPlainWords } } });
