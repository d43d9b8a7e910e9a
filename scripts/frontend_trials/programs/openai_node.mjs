// OpenAI's SDK for JavaScript.
import OpenAI from "openai";

const [baseURL, trial] = process.argv.slice(2);
const text = "Hello  there,\n\nmy \u2028 world! \u65e5\u672c [DONE]";
const messages = {
  whole: text,
  stream: text,
  early: "/simulate status=503\n",
  late: "/simulate fail_after=2 pace_ms=20\none two three",
  lost: "/simulate pace_ms=20\none two three four five six",
  stop: "/simulate pace_ms=20 repeat=1000\none two three ",
};
const client = new OpenAI({ baseURL, apiKey: "any" });
const asked = { model: "any", messages: [{ role: "user", content: messages[trial] }] };
const said = { text: "", error: "" };
try {
  if (trial === "whole" || trial === "early") {
    said.text = (await client.chat.completions.create(asked)).choices[0].message.content;
  } else {
    const stream = await client.chat.completions.create({ ...asked, stream: true });
    for await (const chunk of stream) {
      said.text += chunk.choices[0].delta.content ?? "";
      if (trial === "stop" && said.text) break;
    }
    if (trial === "stop") {
      stream.controller.abort();
      await new Promise((done) => setTimeout(done, 3000));
    }
  }
} catch (error) {
  said.error = error.constructor.name;
}
console.log(JSON.stringify(said));
process.exit(0);
