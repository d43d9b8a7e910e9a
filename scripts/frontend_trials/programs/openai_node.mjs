// OpenAI's SDK for JavaScript.
import OpenAI from "openai";

const [baseURL, trial, message] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "any" });
const asked = { model: "any", messages: [{ role: "user", content: message }] };
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
