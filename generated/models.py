# Written by scripts/generate from openapi.yaml. Do not edit.

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import MISSING, AwareDatetime, BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType


class Usage(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    prompt_tokens: Annotated[
        int,
        Field(description="What the model was given, the conversation's history included.", ge=0, le=9007199254740991),
    ]
    completion_tokens: Annotated[
        int, Field(description="What the model has said, its reasoning included.", ge=0, le=9007199254740991)
    ]


class Reply(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    reply_id: Annotated[
        str,
        Field(description="Names a reply.", examples=["5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"], pattern="^[0-9a-f]{32}$"),
    ]
    conversation_id: Annotated[
        str,
        Field(
            description="Names a conversation. In a request, the one to go on with; without it, a new one begins.",
            pattern="^[0-9a-f]{32}$",
        ),
    ]
    text: Annotated[str, Field(description="The whole text; what all words give when they are concatenated.")]
    finish_reason: Annotated[
        Literal["stop", "length", "content_filter", "cancelled"],
        Field(
            description="Why a reply ended: `stop` (the bot had said all), `length` (a bound on the reply's length was reached),\n`content_filter` (a filter of the model's ended it), `cancelled` (somebody stopped it, or nobody was left to\nread it).\n"
        ),
    ]
    usage: Usage | MISSING = MISSING


class WordEvent(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    event: Literal["message"] = "message"
    id: Annotated[
        str,
        Field(
            description="`<reply_id>:<n>`, where n counts the words of the reply from 1 without gaps. Only words have one on the wire. To\na parser that does as the SSE standard says, the terminal event, which has none, has the one of the last word.\n",
            pattern="^[0-9a-f]{32}:[1-9][0-9]{0,9}$",
        ),
    ]
    data: Annotated[
        str,
        Field(
            description="The word with all the white space that follows it.",
            min_length=1,
            pattern="^[^\\u0000\\u0009-\\u000D\\u001C-\\u0020\\u0085\\u00A0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000\\uFEFF]",
        ),
    ]


class DoneEvent(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    event: Literal["done"] = "done"
    id: Annotated[
        str | MISSING,
        Field(
            description="`<reply_id>:<n>`, where n counts the words of the reply from 1 without gaps. Only words have one on the wire. To\na parser that does as the SSE standard says, the terminal event, which has none, has the one of the last word.\n",
            pattern="^[0-9a-f]{32}:[1-9][0-9]{0,9}$",
        ),
    ] = MISSING
    data: Annotated[
        str,
        Field(
            description="The finished reply, as JSON.",
            json_schema_extra={
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": "#/components/schemas/Reply"},
            },
        ),
    ]


class FailedEvent(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    event: Literal["failed"] = "failed"
    id: Annotated[
        str | MISSING,
        Field(
            description="`<reply_id>:<n>`, where n counts the words of the reply from 1 without gaps. Only words have one on the wire. To\na parser that does as the SSE standard says, the terminal event, which has none, has the one of the last word.\n",
            pattern="^[0-9a-f]{32}:[1-9][0-9]{0,9}$",
        ),
    ] = MISSING
    data: Annotated[
        str,
        Field(
            description="What went wrong, as JSON.",
            json_schema_extra={
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": "#/components/schemas/Problem"},
            },
        ),
    ]


ReplyStream = TypeAliasType(
    "ReplyStream",
    Annotated[
        list[Annotated[WordEvent | DoneEvent | FailedEvent, Field(discriminator="event")]],
        Field(
            description="A whole stream: words, and then exactly one `done` or `failed`. (That the terminal event is the last one is more\nthan JSON Schema can say; the contract's tests do.)\n"
        ),
    ],
)


class ConversationSummary(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    conversation_id: Annotated[
        str,
        Field(
            description="Names a conversation. In a request, the one to go on with; without it, a new one begins.",
            pattern="^[0-9a-f]{32}$",
        ),
    ]
    title: Annotated[str, Field(description="The beginning of the first message.", max_length=80)]
    created_at: Annotated[AwareDatetime, Field(description="When it began.")]
    updated_at: Annotated[AwareDatetime, Field(description="When the last message was sent.")]


class ConversationPage(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    conversations: Annotated[
        list[ConversationSummary], Field(description="The conversations on this page.", max_length=100)
    ]
    next_cursor: Annotated[str | MISSING, Field(description="What gets the next page; absent on the last one.")] = (
        MISSING
    )


class Message(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    role: Annotated[Literal["user", "assistant"], Field(description="Who speaks.")]
    text: Annotated[
        str, Field(description="What was said; of a reply that has not ended well, what had been said until then.")
    ]
    created_at: Annotated[AwareDatetime, Field(description="When the user's message was sent.")]
    reply_id: Annotated[
        str | MISSING,
        Field(description="Names a reply.", examples=["5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"], pattern="^[0-9a-f]{32}$"),
    ] = MISSING
    state: Annotated[
        Literal["running", "completed", "cancelled", "failed", "interrupted"] | MISSING,
        Field(
            description="Where the reply stands: `running`, or how it ended; `interrupted` by a crash of the server.\n"
        ),
    ] = MISSING
    finish_reason: Annotated[
        Literal["stop", "length", "content_filter", "cancelled"] | MISSING,
        Field(
            description="Why a reply ended: `stop` (the bot had said all), `length` (a bound on the reply's length was reached),\n`content_filter` (a filter of the model's ended it), `cancelled` (somebody stopped it, or nobody was left to\nread it).\n"
        ),
    ] = MISSING
    usage: Usage | MISSING = MISSING


class Health(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    status: Literal["success"] = "success"
    message: Literal["The server is up and running."] = "The server is up and running."


class Readiness(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    status: Literal["success"] = "success"
    message: Literal["The server takes new replies."] = "The server takes new replies."


class FieldError(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    pointer: Annotated[str, Field(description="Where, as a JSON Pointer (RFC 6901). Empty for the body as a whole.")]
    detail: Annotated[str, Field(description="What is wrong there.")]


class ChatRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    user_message: Annotated[
        str,
        Field(
            description="What the user says. Some character of it is not white space, and none is NUL.\n",
            examples=["hello"],
            max_length=16000,
            min_length=1,
            pattern="^[\\u0009-\\u000D\\u001C-\\u0020\\u0085\\u00A0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000\\uFEFF]*[^\\u0000\\u0009-\\u000D\\u001C-\\u0020\\u0085\\u00A0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000\\uFEFF][^\\u0000]*$",
        ),
    ]
    conversation_id: Annotated[
        str | MISSING,
        Field(
            description="Names a conversation. In a request, the one to go on with; without it, a new one begins.",
            pattern="^[0-9a-f]{32}$",
        ),
    ] = MISSING


class Conversation(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    conversation_id: Annotated[
        str,
        Field(
            description="Names a conversation. In a request, the one to go on with; without it, a new one begins.",
            pattern="^[0-9a-f]{32}$",
        ),
    ]
    title: Annotated[str, Field(description="The beginning of the first message.", max_length=80)]
    created_at: Annotated[AwareDatetime, Field(description="When it began.")]
    updated_at: Annotated[AwareDatetime, Field(description="When the last message was sent.")]
    messages: Annotated[list[Message], Field(description="The messages on this page.", max_length=100)]
    next_cursor: Annotated[str | MISSING, Field(description="What gets the next page; absent on the last one.")] = (
        MISSING
    )


class Problem(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
    )
    type: Annotated[
        str,
        Field(
            description="Names the kind of problem; the same for every occurrence. Branch on this.",
            examples=["urn:problem:invalid-body"],
            pattern="^urn:problem:[a-z]+(-[a-z]+)*$",
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
