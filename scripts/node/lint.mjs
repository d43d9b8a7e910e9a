// A plugin for Redocly: rewrites streams in the contract so that its validator of examples checks them.
//
// It validates an example with `schema` and ignores `itemSchema`.
const inPlainWords = () => ({
  MediaType: {
    enter: (mediaType) => {
      const { schema, itemSchema } = mediaType;
      if (itemSchema) mediaType.schema = { allOf: [schema ?? {}, { type: 'array', items: itemSchema }] };
    },
  },
});

export default () => ({ id: 'stream', preprocessors: { oas3: { 'in-plain-words': inPlainWords } } });
