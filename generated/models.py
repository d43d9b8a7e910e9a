# Written by scripts/generate from openapi.yaml. Do not edit.

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import MISSING, BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

Metrics = TypeAliasType(
    "Metrics", Annotated[str, Field(description="A line for each value, in a format of Prometheus.")]
)


class Feedback(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    rating: Annotated[Literal["up", "down"], Field(description="Whether the reply was good (`up`) or bad (`down`).")]
    note: Annotated[str | MISSING, Field(description="Why.")] = MISSING


ReplyId = TypeAliasType(
    "ReplyId",
    Annotated[
        str,
        Field(
            description="The id of a reply, 32 hexadecimal digits.",
            examples=["5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"],
            pattern="^[0-9a-f]{32}$",
        ),
    ],
)


class Usage(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    prompt_tokens: Annotated[
        int,
        Field(description="The tokens of the prompt, including the conversation's history.", ge=0, le=9007199254740991),
    ]
    completion_tokens: Annotated[
        int, Field(description="The tokens of the reply, including the model's reasoning.", ge=0, le=9007199254740991)
    ]


class WordEvent(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    event: Literal["message"] | MISSING = MISSING
    id: Annotated[
        str,
        Field(
            description="`<reply_id>:<n>`, where n numbers the words of the reply from 1 without gaps. On the wire only words have an id.\nA parser that follows the SSE standard gives the terminal event, which has none, the id of the last word.\n",
            pattern="^[0-9a-f]{32}:[1-9][0-9]{0,9}$",
        ),
    ]
    data: Annotated[
        str,
        Field(
            description="The word, including all white space that follows it.",
            min_length=1,
            pattern="^[^\\u0000\\u0009-\\u000D\\u001C-\\u0020\\u0085\\u00A0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000\\uFEFF]",
        ),
    ]


class DoneEvent(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    event: Literal["done"] = "done"
    id: Annotated[
        str | MISSING,
        Field(
            description="`<reply_id>:<n>`, where n numbers the words of the reply from 1 without gaps. On the wire only words have an id.\nA parser that follows the SSE standard gives the terminal event, which has none, the id of the last word.\n",
            pattern="^[0-9a-f]{32}:[1-9][0-9]{0,9}$",
        ),
    ] = MISSING
    data: Annotated[
        str,
        Field(
            description="The finished reply, as JSON on one line.",
            json_schema_extra={
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": "#/components/schemas/Reply"},
            },
        ),
    ]


class FailedEvent(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    event: Literal["failed"] = "failed"
    id: Annotated[
        str | MISSING,
        Field(
            description="`<reply_id>:<n>`, where n numbers the words of the reply from 1 without gaps. On the wire only words have an id.\nA parser that follows the SSE standard gives the terminal event, which has none, the id of the last word.\n",
            pattern="^[0-9a-f]{32}:[1-9][0-9]{0,9}$",
        ),
    ] = MISSING
    data: Annotated[
        str,
        Field(
            description="What went wrong, as JSON on one line.",
            json_schema_extra={
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": "#/components/schemas/Problem"},
            },
        ),
    ]


class OtherEvent(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    event: Annotated[str, Field(description="A name that this version does not have.")]
    id: Annotated[str | MISSING, Field(description="An id that this version does not have.")] = MISSING
    data: Annotated[str | MISSING, Field(description="Anything.")] = MISSING


ReplyStream = TypeAliasType(
    "ReplyStream",
    Annotated[
        list[WordEvent | DoneEvent | FailedEvent | OtherEvent],
        Field(
            description="A whole stream: words, and then exactly one `done` or `failed`. (JSON Schema cannot say that the terminal event is\nthe last one; the contract's tests check it.)\n"
        ),
    ],
)


class ExcerptMatch(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    start: Annotated[int, Field(description="The place of its first character.", ge=0, le=159)]
    end: Annotated[int, Field(description="The place after its last character.", ge=1, le=160)]


class Branches(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    index: Annotated[int, Field(description="Which of the branches this message begins, from 0.", ge=0, le=999999999)]
    reply_ids: Annotated[
        list[ReplyId],
        Field(
            description="An id for each branch, in the order in which they were begun. If a user's message begins it, it is that of the\nreply to the message that the newest message of the branch follows.\n",
            min_length=2,
        ),
    ]


class ServiceLimits(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    message_characters: Annotated[
        int, Field(description="The longest message, in Unicode code points.", ge=1, le=9007199254740991)
    ]
    reply_characters: Annotated[
        int, Field(description="The longest reply, in Unicode code points.", ge=1, le=9007199254740991)
    ]


class Health(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    status: Literal["success"] = "success"
    message: Literal["The server is up and running."] = "The server is up and running."


class Readiness(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    status: Literal["success"] = "success"
    message: Literal["The server takes new replies."] = "The server takes new replies."


ProblemType1 = TypeAliasType(
    "ProblemType1",
    Annotated[
        str,
        Field(
            description="The kind of problem. Branch on it, and treat a type that you do not know by its `status` and `retryable`: later\nversions may add types.\n",
            examples=["urn:problem:invalid-body"],
            pattern="^urn:problem:[a-z]+(-[a-z]+)*$",
        ),
    ],
)


class FieldError(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    pointer: Annotated[str, Field(description="The place as a JSON Pointer (RFC 6901). Empty for the body as a whole.")]
    detail: Annotated[str, Field(description="What is wrong there.")]


AgUiText = TypeAliasType("AgUiText", Annotated[str, Field(description="A text.", pattern="^[^\\u0000]*$")])


class AgUiPart(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Annotated[str, Field(description="What kind of part it is.")]
    text: Annotated[str | MISSING, Field(description="A text.", pattern="^[^\\u0000]*$")] = MISSING


class AgUiReplyIds(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    reply_id: Annotated[
        str,
        Field(
            description="The id of a reply, 32 hexadecimal digits.",
            examples=["5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"],
            pattern="^[0-9a-f]{32}$",
        ),
    ]
    conversation_id: Annotated[
        str, Field(description="The id of a conversation, 32 hexadecimal digits.", pattern="^[0-9a-f]{32}$")
    ]


class AgUiTextContent(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Literal["TEXT_MESSAGE_CONTENT"] = "TEXT_MESSAGE_CONTENT"
    message_id: Annotated[
        str,
        Field(
            alias="messageId",
            description="The id of a reply, 32 hexadecimal digits.",
            examples=["5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"],
            pattern="^[0-9a-f]{32}$",
        ),
    ]
    delta: Annotated[str, Field(description="The text.", min_length=1)]


class AgUiReplyEnd(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    finish_reason: Annotated[
        Literal["stop", "length", "content_filter", "cancelled", "abandoned"] | str,
        Field(
            description="Why a reply ended: `stop` (the bot was done), `length` (a limit on the reply's length was reached),\n`content_filter` (a filter of the model ended it), `cancelled` (somebody cancelled it), `abandoned` (nobody read\nit any more). Later versions may add reasons.\n"
        ),
    ]


class AgUiOutcome(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Annotated[
        Literal["success", "cancelled"], Field(description="`cancelled` is a reply that was cancelled or abandoned.")
    ]


class AgUiUsage(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    input_tokens: Annotated[
        int,
        Field(
            alias="inputTokens", description="Tokens of the messages that the bot received.", ge=0, le=9007199254740991
        ),
    ]
    output_tokens: Annotated[
        int, Field(alias="outputTokens", description="Tokens of the reply.", ge=0, le=9007199254740991)
    ]
    total_tokens: Annotated[int, Field(alias="totalTokens", description="The sum of both.", ge=0, le=9007199254740991)]


class AgUiStreamEvent(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    event: Literal["message"] | MISSING = MISSING
    id: Annotated[
        str | MISSING,
        Field(
            description="Where the event is in the run: `<reply_id>:start` is `RUN_STARTED`, `<reply_id>:0` is `TEXT_MESSAGE_START`,\n`<reply_id>:<n>` is the `TEXT_MESSAGE_CONTENT` whose last word is the nth one, and `<reply_id>:<n>:end` is the\n`TEXT_MESSAGE_END` of a reply with n words. `RUN_FINISHED` and `RUN_ERROR` have none: nothing follows them. The id\nis sent before the data.\n",
            pattern="^[0-9a-f]{32}:(start|(0|[1-9][0-9]{0,9})(:end)?)$",
        ),
    ] = MISSING
    data: Annotated[
        str,
        Field(
            description="The event.",
            json_schema_extra={
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": "#/components/schemas/AgUiEvent"},
            },
            pattern='^\\{"type":"',
        ),
    ]


AgUiStream = TypeAliasType(
    "AgUiStream",
    Annotated[
        list[AgUiStreamEvent],
        Field(
            description="A whole stream: events, and exactly one of them is `RUN_FINISHED` or `RUN_ERROR`. (JSON Schema cannot say that it is\nthe last one; the contract's tests check it.)\n"
        ),
    ],
)


class UiPart(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Annotated[str, Field(description="What kind of part it is.")]
    text: Annotated[str | MISSING, Field(description="The text of a part of type `text`.", pattern="^[^\\u0000]*$")] = (
        MISSING
    )


class UiMetadata(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    reply_id: Annotated[
        str,
        Field(
            description="The id of a reply, 32 hexadecimal digits.",
            examples=["5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"],
            pattern="^[0-9a-f]{32}$",
        ),
    ]
    conversation_id: Annotated[
        str, Field(description="The id of a conversation, 32 hexadecimal digits.", pattern="^[0-9a-f]{32}$")
    ]
    finish_reason: Annotated[
        Literal["stop", "length", "content_filter", "cancelled", "abandoned"] | str | MISSING,
        Field(
            description="Why a reply ended: `stop` (the bot was done), `length` (a limit on the reply's length was reached),\n`content_filter` (a filter of the model ended it), `cancelled` (somebody cancelled it), `abandoned` (nobody read\nit any more). Later versions may add reasons.\n"
        ),
    ] = MISSING
    usage: Usage | MISSING = MISSING


class UiStartChunk(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Literal["start"] = "start"
    message_id: Annotated[
        str,
        Field(
            alias="messageId",
            description="The id of a reply, 32 hexadecimal digits.",
            examples=["5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"],
            pattern="^[0-9a-f]{32}$",
        ),
    ]
    message_metadata: Annotated[UiMetadata, Field(alias="messageMetadata")]


class UiFinishChunk(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Literal["finish"] = "finish"
    finish_reason: Annotated[
        Literal["stop", "length", "content-filter", "other"],
        Field(
            alias="finishReason",
            description="Why it ended, in the AI SDK's words. `other` is a reply that was cancelled or abandoned.",
        ),
    ]
    message_metadata: Annotated[UiMetadata, Field(alias="messageMetadata")]


class UiErrorChunk(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Literal["error"] = "error"
    error_text: Annotated[str, Field(alias="errorText", description="What happened, and what to do next.")]


class UiChunkEvent(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    event: Literal["message"] | MISSING = MISSING
    data: Annotated[
        str,
        Field(
            description="The chunk.",
            json_schema_extra={
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": "#/components/schemas/UiChunk"},
            },
            pattern='^\\{"type":',
        ),
    ]


class UiDoneEvent(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    event: Literal["message"] | MISSING = MISSING
    data: Literal["[DONE]"] = "[DONE]"


UiMessageStream = TypeAliasType(
    "UiMessageStream",
    Annotated[
        list[UiChunkEvent | UiDoneEvent],
        Field(
            description="A whole stream: chunks, and then exactly one `[DONE]`. (JSON Schema cannot say that it is the last event; the\ncontract's tests check it.)\n"
        ),
    ],
)


Stop = TypeAliasType(
    "Stop",
    Annotated[
        str,
        Field(description="The reply ends before the first of these texts. Empty ones are ignored.", max_length=1000),
    ],
)


Stop1Item = TypeAliasType("Stop1Item", Annotated[str, Field(max_length=1000)])


Stop1 = TypeAliasType(
    "Stop1",
    Annotated[
        list[Stop1Item],
        Field(description="The reply ends before the first of these texts. Empty ones are ignored.", max_length=4),
    ],
)


class ChatCompletionStreamOptions(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    include_usage: Annotated[
        bool | MISSING | None,
        Field(description="Whether the stream ends with the tokens that the reply has cost, if the bot counts them."),
    ] = MISSING


class ChatCompletionFormat(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Literal["text"] = "text"


Content = TypeAliasType("Content", Annotated[str, Field(description="The text.", pattern="^[^\\u0000]*$")])


class ChatCompletionTextPart(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Literal["text"] = "text"
    text: Annotated[str, Field(description="The text.", pattern="^[^\\u0000]*$")]


class CompletionUsage(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    prompt_tokens: Annotated[int, Field(description="The tokens of the prompt.", ge=0, le=9007199254740991)]
    completion_tokens: Annotated[int, Field(description="The tokens of the reply.", ge=0, le=9007199254740991)]
    total_tokens: Annotated[int, Field(description="Their sum.", ge=0, le=18014398509481982)]


class ChatCompletionReply(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    role: Literal["assistant"] = "assistant"
    content: Annotated[str, Field(description="The text.")]


class ChatCompletionDelta(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    role: Literal["assistant"] | MISSING = MISSING
    content: Annotated[str | MISSING, Field(description="Text.")] = MISSING


class ChatCompletionChunkEvent(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    event: Literal["message"] | MISSING = MISSING
    data: Annotated[
        str,
        Field(
            description="The chunk.",
            json_schema_extra={
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": "#/components/schemas/ChatCompletionChunk"},
            },
            pattern='^\\{"id":',
        ),
    ]


class ChatCompletionErrorEvent(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    event: Literal["message"] | MISSING = MISSING
    data: Annotated[
        str,
        Field(
            description="What went wrong, as JSON on one line.",
            json_schema_extra={
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": "#/components/schemas/OpenAIErrorResponse"},
            },
            pattern='^\\{"error":',
        ),
    ]


class ChatCompletionDoneEvent(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    event: Literal["message"] | MISSING = MISSING
    data: Literal["[DONE]"] = "[DONE]"


ChatCompletionStream = TypeAliasType(
    "ChatCompletionStream",
    Annotated[
        list[ChatCompletionChunkEvent | ChatCompletionErrorEvent | ChatCompletionDoneEvent],
        Field(
            description="A whole stream: chunks, and then exactly one `[DONE]` or error. (JSON Schema cannot say that it is the last one; the\ncontract's tests check it.)\n"
        ),
    ],
)


class Model(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    id: Annotated[str, Field(description="The model's id.")]
    object: Literal["model"] = "model"
    created: Annotated[int, Field(description="When it was created, in seconds since 1970.", ge=0, le=9007199254740991)]
    owned_by: Annotated[str, Field(description="Who serves it.")]


class OpenAIError(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    message: Annotated[str, Field(description="What happened, and what to do next.")]
    type: Annotated[
        str,
        Field(
            description="OpenAI's kind of error: `invalid_request_error`, `authentication_error`, `permission_error`, `rate_limit_error` or\n`server_error`.\n"
        ),
    ]
    param: Annotated[str | None, Field(description="The field that is wrong, if it is one.")]
    code: Annotated[str, Field(description="A problem's type, without `urn:problem:`.", pattern="^[a-z]+(-[a-z]+)*$")]


class ChatRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    user_message: Annotated[
        str | MISSING,
        Field(
            description="The message: 1 to 16,000 characters, at least one of them not white space, none of them NUL. Required unless\n`regenerates` is there.\n",
            examples=["hello"],
            max_length=16000,
            min_length=1,
            pattern="^[\\u0009-\\u000D\\u001C-\\u0020\\u0085\\u00A0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000\\uFEFF]*[^\\u0000\\u0009-\\u000D\\u001C-\\u0020\\u0085\\u00A0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000\\uFEFF][^\\u0000]*$",
        ),
    ] = MISSING
    conversation_id: Annotated[
        str | MISSING,
        Field(
            description='The id of a conversation, or its alias: a name that the client chose (see "Aliases"), 1 to 128 characters out of\n`A-Z a-z 0-9 _ . : @ ~ -`, the first one a letter, a digit or `_`. With a message: the conversation to continue. An\nalias that no conversation has starts one with this alias; leave it out to start one without.\n',
            examples=["c41d0b7e9a2f4d8ab6e3f50c7d219e84", "trip-to-lisbon"],
            pattern="^[A-Za-z0-9_][A-Za-z0-9_.:@~-]{0,127}$",
        ),
    ] = MISSING
    edits: Annotated[
        str | MISSING,
        Field(
            description="The id of a reply. The message that it answers is edited: `user_message` begins a branch beside that message.\n`conversation_id` can be left out.\n",
            examples=["5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"],
            pattern="^[0-9a-f]{32}$",
        ),
    ] = MISSING
    regenerates: Annotated[
        str | MISSING,
        Field(
            description="The id of a reply, which may have failed. The message that it answers is answered anew, on a branch beside that\nreply. `conversation_id` can be left out; `user_message` and `edits` must be.\n",
            examples=["5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"],
            pattern="^[0-9a-f]{32}$",
        ),
    ] = MISSING
    on_disconnect: Annotated[
        Literal["cancel", "continue"],
        Field(
            description="What happens when nobody reads the reply any more: `cancel`, the default, stops generating after the resume\nwindow; `continue` generates it to its end, for as long as the operator allows.\n"
        ),
    ] = "cancel"
    on_busy: Annotated[
        Literal["refuse", "cancel"],
        Field(
            description="What happens while a reply is running in the conversation: `refuse`, the default, answers 409\n`conversation-busy`; `cancel` cancels that reply, and answers this message after what it has said so far.\n"
        ),
    ] = "refuse"


class NewFeedback(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    rating: Annotated[Literal["up", "down"], Field(description="Whether the reply was good (`up`) or bad (`down`).")]
    note: Annotated[
        str | MISSING,
        Field(
            description="Why, in 1 to 2,000 characters, none of them NUL.",
            max_length=2000,
            min_length=1,
            pattern="^[^\\u0000]*$",
        ),
    ] = MISSING


class ConversationUpdate(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    title: Annotated[
        str | MISSING,
        Field(
            description="The title: 1 to 80 characters, at least one of them not white space, none of them NUL. White space is trimmed,\nand becomes one space between words.\n",
            examples=["Small talk"],
            max_length=80,
            min_length=1,
            pattern="^[\\u0009-\\u000D\\u001C-\\u0020\\u0085\\u00A0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000\\uFEFF]*[^\\u0000\\u0009-\\u000D\\u001C-\\u0020\\u0085\\u00A0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000\\uFEFF][^\\u0000]*$",
        ),
    ] = MISSING
    branch: Annotated[
        str | MISSING,
        Field(
            description="The id of a reply of the conversation. The branch with it is chosen, up to the newest message behind it.\n",
            examples=["5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"],
            pattern="^[0-9a-f]{32}$",
        ),
    ] = MISSING


class Excerpt(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    text: Annotated[
        str,
        Field(
            description="Plain text on one line, without Markdown's marks, and with an ellipsis where the message goes on.\n",
            max_length=160,
            min_length=1,
        ),
    ]
    matches: Annotated[
        list[ExcerptMatch],
        Field(description="Where the words are in `text`, in order; they do not overlap.", max_length=80, min_length=1),
    ]


class Message(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    role: Annotated[Literal["user", "assistant"], Field(description="Who wrote it.")]
    text: Annotated[str, Field(description="The text. For a reply that did not complete, the text up to its end.")]
    created_at: Annotated[
        str,
        Field(
            description="When the user's message was sent; the same time for its reply.",
            pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
        ),
    ]
    reply_id: Annotated[
        str | MISSING,
        Field(
            description="The id of a reply, 32 hexadecimal digits.",
            examples=["5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"],
            pattern="^[0-9a-f]{32}$",
        ),
    ] = MISSING
    state: Annotated[
        Literal["running", "completed", "cancelled", "failed", "interrupted"] | MISSING,
        Field(
            description="`running`; or how the reply ended: `completed`, `cancelled` (before its end), `failed`, or `interrupted` by a\ncrash of the server.\n"
        ),
    ] = MISSING
    words: Annotated[
        int | MISSING,
        Field(
            description="The number of words of the reply so far, which is the number in the id of the last one.",
            ge=0,
            le=9999999999,
        ),
    ] = MISSING
    finish_reason: Annotated[
        Literal["stop", "length", "content_filter", "cancelled", "abandoned"] | str | MISSING,
        Field(
            description="Why a reply ended: `stop` (the bot was done), `length` (a limit on the reply's length was reached),\n`content_filter` (a filter of the model ended it), `cancelled` (somebody cancelled it), `abandoned` (nobody read\nit any more). Later versions may add reasons.\n"
        ),
    ] = MISSING
    usage: Usage | MISSING = MISSING
    branches: Branches | MISSING = MISSING
    feedback: Feedback | MISSING = MISSING


class ExportedMessage(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    number: Annotated[
        int,
        Field(
            description="Its number in the conversation, from 0. Numbers grow, and may have gaps.", ge=0, le=999999999
        ),
    ]
    follows: Annotated[
        int | MISSING,
        Field(description="The number of the message before it. Absent if there is none.", ge=0, le=999999999),
    ] = MISSING
    is_chosen: Annotated[bool, Field(description="Whether it is on the chosen branch.")]
    message: Message


class Service(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    name: Annotated[str, Field(description="What the operator calls the service.")]
    version: Annotated[str, Field(description="The version of this contract that the service has.")]
    bot: Annotated[str, Field(description="The bot that replies.")]
    model: Annotated[
        str | MISSING, Field(description="The model behind the bot. Absent if there is none, or if it is not known.")
    ] = MISSING
    suggestions: Annotated[list[str], Field(description="Messages to begin a conversation with.", max_length=20)]
    titles: Annotated[
        Literal["message", "bot"] | str | MISSING,
        Field(
            description="Where the title of a new conversation comes from: `message` is the beginning of its first message, which\nwith `bot` the bot replaces soon after its first reply. Later versions may add values.\n"
        ),
    ] = MISSING
    limits: ServiceLimits


class Problem(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Annotated[
        Literal[
            "urn:problem:malformed-body",
            "urn:problem:malformed-request",
            "urn:problem:malformed-cursor",
            "urn:problem:malformed-idempotency-key",
            "urn:problem:malformed-page",
            "urn:problem:unknown-parameter",
            "urn:problem:malformed-page-cursor",
            "urn:problem:malformed-run",
            "urn:problem:unsupported-parameter",
            "urn:problem:credentials-missing",
            "urn:problem:invalid-token",
            "urn:problem:access-ended",
            "urn:problem:cross-site",
            "urn:problem:path-not-found",
            "urn:problem:reply-not-found",
            "urn:problem:run-not-found",
            "urn:problem:conversation-not-found",
            "urn:problem:method-not-allowed",
            "urn:problem:stream-only",
            "urn:problem:json-only",
            "urn:problem:body-too-slow",
            "urn:problem:conversation-busy",
            "urn:problem:idempotency-key-reused",
            "urn:problem:cursor-of-another-reply",
            "urn:problem:cursor-ahead",
            "urn:problem:cursor-expired",
            "urn:problem:body-too-large",
            "urn:problem:target-too-long",
            "urn:problem:unsupported-media-type",
            "urn:problem:host-not-allowed",
            "urn:problem:invalid-body",
            "urn:problem:message-refused",
            "urn:problem:bot-rate-limited",
            "urn:problem:rate-limited",
            "urn:problem:stream-limit-reached",
            "urn:problem:word-limit-reached",
            "urn:problem:head-too-large",
            "urn:problem:internal",
            "urn:problem:reply-interrupted",
            "urn:problem:transfer-coding-not-implemented",
            "urn:problem:bot-failed",
            "urn:problem:bot-misconfigured",
            "urn:problem:bot-said-nothing",
            "urn:problem:draining",
            "urn:problem:bot-unavailable",
            "urn:problem:bot-busy",
            "urn:problem:too-many-streams",
            "urn:problem:storage-unavailable",
            "urn:problem:access-unavailable",
            "urn:problem:reply-elsewhere",
            "urn:problem:bot-timeout",
            "urn:problem:http-version-not-supported",
        ]
        | ProblemType1,
        Field(
            description="The kind of problem. Branch on it, and treat a type that you do not know by its `status` and `retryable`: later\nversions may add types.\n",
            examples=["urn:problem:invalid-body"],
        ),
    ]
    title: Annotated[str, Field(description="The kind of problem in words.")]
    status: Annotated[
        int,
        Field(description="The HTTP status, or what it would have been if the stream had not begun.", ge=400, le=599),
    ]
    detail: Annotated[str, Field(description="What happened, and what to do next.")]
    retryable: Annotated[bool, Field(description="Whether the same request may succeed later.")]
    errors: Annotated[
        list[FieldError] | MISSING, Field(description="Each place of the body that breaks the contract.", max_length=20)
    ] = MISSING
    words: Annotated[
        int | MISSING,
        Field(
            description="The number of words that the reply had when it failed. Absent if no reply was started.",
            ge=0,
            le=9999999999,
        ),
    ] = MISSING
    usage: Usage | MISSING = MISSING


class AgUiMessage(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    id: Annotated[
        str | MISSING | None,
        Field(
            description="The message's id. A reply's is the `messageId` that `TEXT_MESSAGE_START` had.", max_length=1000
        ),
    ] = MISSING
    role: Annotated[str, Field(description="Who wrote it, `user` or `assistant` for instance.")]
    content: Annotated[
        AgUiText | list[AgUiPart] | dict[str, Any] | MISSING | None,
        Field(description="What was said. Only that of the user's last message is used."),
    ] = MISSING


class AgUiRunStarted(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Literal["RUN_STARTED"] = "RUN_STARTED"
    thread_id: Annotated[str, Field(alias="threadId", description="The request's.")]
    run_id: Annotated[str, Field(alias="runId", description="The request's.")]
    protocol_version: Annotated[
        str, Field(alias="protocolVersion", description="The version of the protocol.", pattern="^1\\.[0-9]+$")
    ]
    timestamp: Annotated[
        int, Field(description="When the reply began, in milliseconds since 1970, UTC.", ge=0, le=9007199254740991)
    ]


class AgUiTextStart(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Literal["TEXT_MESSAGE_START"] = "TEXT_MESSAGE_START"
    message_id: Annotated[
        str,
        Field(
            alias="messageId",
            description="The id of a reply, 32 hexadecimal digits.",
            examples=["5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"],
            pattern="^[0-9a-f]{32}$",
        ),
    ]
    role: Literal["assistant"] = "assistant"
    metadata: AgUiReplyIds


class AgUiTextEnd(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Literal["TEXT_MESSAGE_END"] = "TEXT_MESSAGE_END"
    message_id: Annotated[
        str,
        Field(
            alias="messageId",
            description="The id of a reply, 32 hexadecimal digits.",
            examples=["5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"],
            pattern="^[0-9a-f]{32}$",
        ),
    ]
    metadata: AgUiReplyEnd


class UiMessage(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    id: Annotated[
        str | MISSING, Field(description="The message's id. A reply's is the one that `start` had.", max_length=1000)
    ] = MISSING
    role: Annotated[Literal["system", "user", "assistant"], Field(description="Who wrote it.")]
    parts: Annotated[list[UiPart], Field(description="What it consists of.")]


class UiTextStartChunk(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Literal["text-start"] = "text-start"
    id: Annotated[Literal["text"], Field(description="The id of the text within the message.")] = "text"


class UiTextDeltaChunk(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Literal["text-delta"] = "text-delta"
    id: Annotated[Literal["text"], Field(description="The id of the text within the message.")] = "text"
    delta: Annotated[str, Field(description="The text.", min_length=1)]


class UiTextEndChunk(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Literal["text-end"] = "text-end"
    id: Annotated[Literal["text"], Field(description="The id of the text within the message.")] = "text"


UiChunk = TypeAliasType(
    "UiChunk",
    Annotated[
        UiStartChunk | UiTextStartChunk | UiTextDeltaChunk | UiTextEndChunk | UiFinishChunk | UiErrorChunk,
        Field(description="A chunk of a UI message stream."),
    ],
)


class ChatCompletionMessage(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    role: Annotated[
        Literal["system", "developer", "user", "assistant"],
        Field(description="Who wrote it. `system` and `developer` messages are instructions."),
    ]
    content: Annotated[Content | list[ChatCompletionTextPart] | MISSING | None, Field(description="The text.")] = (
        MISSING
    )


class ChatCompletionChoice(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    index: Literal[0] = 0
    message: ChatCompletionReply
    finish_reason: Annotated[
        Literal["stop", "length", "content_filter"] | str,
        Field(
            description="Why the reply ended: `stop`, `length` (a limit was reached), `content_filter` (a filter of the model ended it). Later\nversions may add reasons.\n"
        ),
    ]


class ChatCompletionChunkChoice(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    index: Literal[0] = 0
    delta: ChatCompletionDelta
    finish_reason: Literal["stop", "length", "content_filter"] | str | None


class ModelList(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    object: Literal["list"] = "list"
    data: Annotated[list[Model], Field(description="One model.", max_length=100)]


class OpenAIErrorResponse(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    error: OpenAIError


class Reply(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    reply_id: Annotated[
        str,
        Field(
            description="The id of a reply, 32 hexadecimal digits.",
            examples=["5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"],
            pattern="^[0-9a-f]{32}$",
        ),
    ]
    conversation_id: Annotated[
        str, Field(description="The id of a conversation, 32 hexadecimal digits.", pattern="^[0-9a-f]{32}$")
    ]
    state: Annotated[
        Literal["running", "completed", "cancelled", "failed", "interrupted"],
        Field(
            description="`running`; or how the reply ended: `completed`, `cancelled` (before its end), `failed`, or `interrupted` by a\ncrash of the server.\n"
        ),
    ]
    text: Annotated[str, Field(description="The text so far, which is the `data` of all words concatenated.")]
    words: Annotated[
        int,
        Field(
            description="The number of words of the reply so far, which is the number in the id of the last one.",
            ge=0,
            le=9999999999,
        ),
    ]
    finish_reason: Annotated[
        Literal["stop", "length", "content_filter", "cancelled", "abandoned"] | str | MISSING,
        Field(
            description="Why a reply ended: `stop` (the bot was done), `length` (a limit on the reply's length was reached),\n`content_filter` (a filter of the model ended it), `cancelled` (somebody cancelled it), `abandoned` (nobody read\nit any more). Later versions may add reasons.\n"
        ),
    ] = MISSING
    usage: Usage | MISSING = MISSING
    omitted_messages: Annotated[
        int | MISSING,
        Field(
            description="How many of the conversation's earlier messages the bot did not see, because they did not fit into its\ncontext. Absent if it saw all that it was meant to see.\n",
            ge=1,
            le=9999999999,
        ),
    ] = MISSING
    problem: Problem | MISSING = MISSING


class ConversationSummary(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    conversation_id: Annotated[
        str, Field(description="The id of a conversation, 32 hexadecimal digits.", pattern="^[0-9a-f]{32}$")
    ]
    alias: Annotated[
        str | MISSING,
        Field(
            description="The alias that the conversation was started with. Absent if it was started without.",
            pattern="^[A-Za-z0-9_][A-Za-z0-9_.:@~-]{0,127}$",
        ),
    ] = MISSING
    title: Annotated[
        str,
        Field(
            description="What the conversation is called: as it was renamed, or else the beginning of the first message, or what the bot\nhas made of that; on one line and without Markdown's marks.\n",
            max_length=80,
        ),
    ]
    created_at: Annotated[
        str,
        Field(
            description="When the conversation began.",
            pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
        ),
    ]
    updated_at: Annotated[
        str,
        Field(
            description="When the last message was sent.",
            pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
        ),
    ]
    excerpt: Annotated[
        Excerpt | MISSING,
        Field(
            description="Only with `search`. Absent if the words are only in the title, or so far back that the server does not look.\n"
        ),
    ] = MISSING


class ConversationPage(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    conversations: Annotated[
        list[ConversationSummary], Field(description="The conversations on this page.", max_length=100)
    ]
    next_cursor: Annotated[
        str | MISSING,
        Field(
            description="The cursor of the next page. Absent on the last page.", pattern="^[0-9]{1,13}-[0-9a-f]{32}$"
        ),
    ] = MISSING


class Conversation(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    conversation_id: Annotated[
        str, Field(description="The id of a conversation, 32 hexadecimal digits.", pattern="^[0-9a-f]{32}$")
    ]
    alias: Annotated[
        str | MISSING,
        Field(
            description="The alias that the conversation was started with. Absent if it was started without.",
            pattern="^[A-Za-z0-9_][A-Za-z0-9_.:@~-]{0,127}$",
        ),
    ] = MISSING
    title: Annotated[
        str,
        Field(
            description="What the conversation is called: as it was renamed, or else the beginning of the first message, or what the bot\nhas made of that; on one line and without Markdown's marks.\n",
            max_length=80,
        ),
    ]
    created_at: Annotated[
        str,
        Field(
            description="When the conversation began.",
            pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
        ),
    ]
    updated_at: Annotated[
        str,
        Field(
            description="When the last message was sent.",
            pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
        ),
    ]
    messages: Annotated[
        list[Message], Field(description="The messages on this page, in the order that was asked for.", max_length=100)
    ]
    next_cursor: Annotated[
        str | MISSING,
        Field(
            description="The cursor of the next page, in the same order. Absent on the last page.",
            pattern="^(0|[1-9][0-9]{0,8})$",
        ),
    ] = MISSING


class ConversationExport(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    conversation_id: Annotated[
        str, Field(description="The id of a conversation, 32 hexadecimal digits.", pattern="^[0-9a-f]{32}$")
    ]
    alias: Annotated[
        str | MISSING,
        Field(
            description="The alias that the conversation was started with. Absent if it was started without.",
            pattern="^[A-Za-z0-9_][A-Za-z0-9_.:@~-]{0,127}$",
        ),
    ] = MISSING
    title: Annotated[
        str,
        Field(
            description="What the conversation is called: as it was renamed, or else the beginning of the first message, or what the bot\nhas made of that; on one line and without Markdown's marks.\n",
            max_length=80,
        ),
    ]
    created_at: Annotated[
        str,
        Field(
            description="When the conversation began.",
            pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
        ),
    ]
    updated_at: Annotated[
        str,
        Field(
            description="When the last message was sent.",
            pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
        ),
    ]
    messages: Annotated[
        list[ExportedMessage], Field(description="The messages of all branches, in the order in which they were sent.")
    ]


class AgUiRunRequest(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    thread_id: Annotated[
        str,
        Field(
            alias="threadId",
            description='The id of a conversation, or its alias: a name that the client chose (see "Aliases"), 1 to 128 characters out of\n`A-Z a-z 0-9 _ . : @ ~ -`, the first one a letter, a digit or `_`. With a message: the conversation to continue. An\nalias that no conversation has starts one with this alias; leave it out to start one without.\n',
            examples=["c41d0b7e9a2f4d8ab6e3f50c7d219e84", "trip-to-lisbon"],
            pattern="^[A-Za-z0-9_][A-Za-z0-9_.:@~-]{0,127}$",
        ),
    ]
    run_id: Annotated[
        str,
        Field(
            alias="runId",
            description="The client's id for this run. A request with the same one in the same thread repeats this one.",
            max_length=1000,
            min_length=1,
        ),
    ]
    messages: Annotated[
        list[AgUiMessage],
        Field(
            description="The messages that the client shows. The last one of the user's that has text is answered; it is bounded as\n`user_message` of `streamChat`.\n",
            min_length=1,
        ),
    ]
    resume: Annotated[
        list[Any] | MISSING | None,
        Field(description="Answers to interrupts, of which the service has none.", max_length=0),
    ] = MISSING
    protocol_version: Annotated[Any | MISSING, Field(alias="protocolVersion", description="Ignored.")] = MISSING
    tools: Annotated[Any | MISSING, Field(description="Ignored, as the bot calls none.")] = MISSING
    context: Annotated[Any | MISSING, Field(description="Ignored.")] = MISSING
    state: Annotated[Any | MISSING, Field(description="Ignored; the client's stays as it is.")] = MISSING
    forwarded_props: Annotated[Any | MISSING, Field(alias="forwardedProps", description="Ignored.")] = MISSING


class AgUiRunFinished(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Literal["RUN_FINISHED"] = "RUN_FINISHED"
    thread_id: Annotated[str, Field(alias="threadId", description="The request's.")]
    run_id: Annotated[str, Field(alias="runId", description="The request's.")]
    outcome: AgUiOutcome
    usage: Annotated[
        list[AgUiUsage] | MISSING,
        Field(
            description="What the reply has cost. Absent if the bot does not count tokens.", max_length=1, min_length=1
        ),
    ] = MISSING


class AgUiRunError(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    type: Literal["RUN_ERROR"] = "RUN_ERROR"
    message: Annotated[str, Field(description="What happened, and what to do next.")]
    code: Annotated[str, Field(description="A problem's type, without `urn:problem:`.", pattern="^[a-z]+(-[a-z]+)*$")]
    usage: Annotated[
        list[AgUiUsage] | MISSING,
        Field(
            description="What the reply has cost. Absent if the bot does not count tokens.", max_length=1, min_length=1
        ),
    ] = MISSING


AgUiEvent = TypeAliasType(
    "AgUiEvent",
    Annotated[
        AgUiRunStarted | AgUiTextStart | AgUiTextContent | AgUiTextEnd | AgUiRunFinished | AgUiRunError,
        Field(description="An event of AG-UI."),
    ],
)


class UiChatRequest(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    id: Annotated[
        str,
        Field(
            description='The id of a conversation, or its alias: a name that the client chose (see "Aliases"), 1 to 128 characters out of\n`A-Z a-z 0-9 _ . : @ ~ -`, the first one a letter, a digit or `_`. With a message: the conversation to continue. An\nalias that no conversation has starts one with this alias; leave it out to start one without.\n',
            examples=["c41d0b7e9a2f4d8ab6e3f50c7d219e84", "trip-to-lisbon"],
            pattern="^[A-Za-z0-9_][A-Za-z0-9_.:@~-]{0,127}$",
        ),
    ]
    messages: Annotated[
        list[UiMessage],
        Field(
            description="The messages that the client shows. The last one of the user's that has text is answered; it is bounded as\n`user_message` of `streamChat`.\n",
            min_length=1,
        ),
    ]
    trigger: Annotated[
        Literal["submit-message", "regenerate-message"] | MISSING | None,
        Field(description="Why the client asks. Without it, the same as `submit-message`."),
    ] = MISSING
    message_id: Annotated[
        str | MISSING | None, Field(alias="messageId", description="The message that is edited or answered anew.")
    ] = MISSING


class ChatCompletionRequest(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    model: Annotated[str | MISSING | None, Field(description="Ignored; the operator chooses the model.")] = MISSING
    messages: Annotated[
        list[ChatCompletionMessage],
        Field(description="The conversation, oldest message first. At least one message is a user's.", min_length=1),
    ]
    stream: Annotated[bool | MISSING | None, Field(description="Whether to stream the reply.")] = MISSING
    stream_options: Annotated[
        ChatCompletionStreamOptions | MISSING | None, Field(description="Options of the stream.")
    ] = MISSING
    max_tokens: Annotated[
        int | MISSING | None, Field(description="Limit on the tokens of the reply.", ge=1, le=1000000000)
    ] = MISSING
    max_completion_tokens: Annotated[
        int | MISSING | None, Field(description="The same by its newer name.", ge=1, le=1000000000)
    ] = MISSING
    temperature: Annotated[float | MISSING | None, Field(description="Sampling temperature.", ge=0.0, le=2.0)] = MISSING
    stop: Annotated[
        Stop | Stop1 | MISSING | None,
        Field(description="The reply ends before the first of these texts. Empty ones are ignored."),
    ] = MISSING
    n: Annotated[int | MISSING | None, Field(description="The number of choices, which is 1.", ge=1, le=1)] = MISSING
    logprobs: Annotated[Literal[False] | MISSING | None, Field(description="Not supported.")] = MISSING
    tool_choice: Annotated[
        Literal["auto", "none"] | MISSING | None, Field(description="Whether a tool may be called. None is.")
    ] = MISSING
    function_call: Annotated[Literal["auto", "none"] | MISSING | None, Field(description="As `tool_choice`.")] = MISSING
    response_format: Annotated[
        ChatCompletionFormat | MISSING | None, Field(description="Text, and no other format.")
    ] = MISSING
    audio: Annotated[MISSING | None, Field(description="Not supported.")] = MISSING
    web_search_options: Annotated[MISSING | None, Field(description="Not supported.")] = MISSING


class ChatCompletion(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    id: Annotated[str, Field(description="The id of a completion.", pattern="^chatcmpl-[0-9a-f]{32}$")]
    object: Literal["chat.completion"] = "chat.completion"
    created: Annotated[int, Field(description="When it was created, in seconds since 1970.", ge=0, le=9007199254740991)]
    model: Annotated[str, Field(description="The model's id.")]
    choices: Annotated[list[ChatCompletionChoice], Field(description="One reply.", max_length=1, min_length=1)]
    usage: CompletionUsage | MISSING = MISSING


class ChatCompletionChunk(BaseModel):
    model_config = ConfigDict(
        validate_by_name=True,
    )
    id: Annotated[str, Field(description="The id of a completion.", pattern="^chatcmpl-[0-9a-f]{32}$")]
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: Annotated[int, Field(description="When it was created, in seconds since 1970.", ge=0, le=9007199254740991)]
    model: Annotated[str, Field(description="The model's id.")]
    choices: Annotated[
        list[ChatCompletionChunkChoice],
        Field(description="One part of the reply, or none beside the usage.", max_length=1),
    ]
    usage: CompletionUsage | MISSING = MISSING
