// Asks with the client that openapi-generator makes for fetch, and reads its raw responses with eventsource-parser.

import { ChatApi, Configuration, ConversationsApi, OperationsApi, type Problem, ResponseError } from './index';
import { type Asked, doAll, type Is, read, tell, tellProblem } from './telling';

const ask = async ({ operation, url, key, message, conversation_id, reply_id, cursor }: Asked): Promise<void> => {
  const configuration = new Configuration({ basePath: url, accessToken: key ?? undefined });
  const chat = new ChatApi(configuration);
  const conversations = new ConversationsApi(configuration);
  const operations = new OperationsApi(configuration);
  const conversationId = conversation_id ?? '';
  const streamed = async ({ raw }: { raw: Response }): Promise<void> => {
    if (raw.body) await read(raw.body);
  };
  switch (operation) {
    case 'getHealth':
      return tell({ result: (await operations.getHealth()).message });
    case 'getReadiness':
      return tell({ result: (await operations.getReadiness()).message });
    case 'listConversations': {
      const page = await conversations.listConversations();
      return tell({ result: page.conversations.map((each) => each.conversationId) });
    }
    case 'getConversation': {
      const conversation = await conversations.getConversation({ conversationId });
      return tell({ result: conversation.messages.map((each) => each.text) });
    }
    case 'deleteConversation':
      return conversations.deleteConversation({ conversationId });
    case 'cancelReply':
      return chat.cancelReply({ replyId: reply_id });
    case 'getReply':
      return tell({ result: (await chat.getReply({ replyId: reply_id })).text });
    case 'createReply':
      return tell({ result: (await chat.createReply({ chatRequest: { userMessage: message } })).text });
    case 'streamChat': {
      const chatRequest = { userMessage: message, conversationId: conversation_id };
      return streamed(await chat.streamChatRaw({ chatRequest, lastEventID: cursor }));
    }
    case 'streamReply':
      return streamed(await chat.streamReplyRaw({ replyId: reply_id, lastEventID: cursor }));
    default:
      throw new Error(operation);
  }
};

void doAll(async (asked) => {
  try {
    await ask(asked);
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    const problem = await error.response.json(); // ProblemFromJSON makes the contract's type of it
    const typed: Is<typeof problem, Problem> = false;
    tellProblem(error.response.status, problem.type, typed);
  }
});
