// A plugin for Redocly: puts a contract that streams so that its validator of examples understands it.
//
// It holds an example against `schema` and forgets `itemSchema`; and it knows discriminators, but not OpenAPI 3.2's
// `defaultMapping`, and so refuses each word of a stream for having no `event`. A discriminator only helps to choose:
// what is valid, `oneOf` says.
const inPlainWords = () => ({
  MediaType: {
    enter: (mediaType) => {
      const { schema, itemSchema } = mediaType;
      if (itemSchema) mediaType.schema = { allOf: [schema ?? {}, { type: 'array', items: itemSchema }] };
    },
  },
  Schema: {
    enter: (schema) => {
      if (schema.discriminator?.defaultMapping) delete schema.discriminator;
    },
  },
});

export default () => ({ id: 'stream', preprocessors: { oas3: { 'in-plain-words': inPlainWords } } });
