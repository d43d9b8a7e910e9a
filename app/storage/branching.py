"""Finds the path of messages through a conversation: the chosen one, or the one to a reply."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, and_, func, select, true
from sqlalchemy.engine import RowMapping

from app.chat.access import Principal
from app.chat.branches import ROOT, Branches, last
from app.chat.errors import ConversationBusy, ConversationNotFound, ReplyElsewhere, ReplyNotFound
from app.chat.history import Said, remembered
from app.chat.requests import Behind, Beside, Place, Where
from app.chat.stored import Fork
from app.storage.schema import BEGINS_BRANCH, conversations, messages

_A_TURN = 2
"""A message and its reply."""
_AT_ONCE = 500
"""Positions in one statement: a database has a bound on its parameters."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A conversation with its branches."""

    row: RowMapping
    """Of the conversation."""
    branches: Branches

    @property
    def leaf(self) -> int:
        """The last message of the chosen branch: a message chooses its branch when it is stored."""
        newest = self.branches.newest
        return self.row["chosen_leaf"] if self.row["chosen_newest"] == newest else newest

    def path(self, connection: Connection, reply_id: str | None = None) -> list[range]:
        """The chosen branch, or the one with this reply and the newest messages behind it.

        Raises `ReplyNotFound`.
        """
        if reply_id is None:
            return self.branches.path(self.leaf)
        return self.branches.path(self.branches.leaf(self.position(connection, reply_id)))

    def choice(self, connection: Connection, reply_id: str) -> dict[str, int]:
        """What to store to choose the branch with this reply. Raises `ReplyNotFound`."""
        leaf = self.branches.leaf(self.position(connection, reply_id))
        return {"chosen_leaf": leaf, "chosen_newest": self.branches.newest}

    def forks(self, connection: Connection, positions: Sequence[int]) -> dict[int, Fork]:
        """Which of the messages at these positions begin one of several branches."""
        if not self.branches.follows:
            return {}
        siblings = {position: self.branches.siblings(position) for position in positions}
        siblings = {position: found for position, found in siblings.items() if len(found) > 1}
        replies: dict[int, int] = {}
        for found in siblings.values():
            replies |= self.branches.newest_replies(found)
        ids = self._replies(connection, {*replies.values()})
        try:
            return {
                position: Fork(found.index(position), tuple(ids[replies[sibling]] for sibling in found))
                for position, found in siblings.items()
            }
        except KeyError:  # deleted since the first statement
            raise ConversationNotFound from None

    def _replies(self, connection: Connection, positions: set[int]) -> dict[int, str]:
        query = select(messages.c.position, messages.c.reply_id).where(messages.c.conversation_id == self.row["id"])
        ids: dict[int, str] = {}
        ordered = sorted(positions)
        for start in range(0, len(ordered), _AT_ONCE):
            rows = connection.execute(query.where(at(ordered[start : start + _AT_ONCE])))
            ids.update((row.position, row.reply_id) for row in rows)
        return ids

    def position(self, connection: Connection, reply_id: str) -> int:
        """Raises `ReplyNotFound`."""
        is_it = and_(messages.c.reply_id == reply_id, messages.c.conversation_id == self.row["id"])
        position: int | None = connection.scalar(select(messages.c.position).where(is_it))
        if position is None:
            raise ReplyNotFound
        return position


def is_of(conversation_id: str, principal: Principal | None) -> ColumnElement[bool]:
    """That it is this conversation, and the principal's; whose ever it is, for operators."""
    theirs = true() if principal is None else conversations.c.principal == principal.name
    return and_(conversations.c.id == conversation_id, theirs)


def at(positions: Sequence[int]) -> ColumnElement[bool]:
    """That a message is at one of these positions; a range, if they are one."""
    low, high = (min(positions), max(positions)) if positions else (0, -1)
    if high - low + 1 == len(positions):
        return messages.c.position.between(low, high)
    return messages.c.position.in_(positions)


def tree(connection: Connection, conversation_id: str, principal: Principal | None) -> Tree:
    """Raises `ConversationNotFound`."""
    in_it = messages.c.conversation_id == conversation_id
    newest = select(func.max(messages.c.position)).where(in_it).scalar_subquery()
    query = select(conversations, newest.label("newest")).where(is_of(conversation_id, principal))
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise ConversationNotFound
    starts = connection.execute(select(messages.c.position, messages.c.follows).where(in_it, BEGINS_BRANCH))
    branches = Branches(
        ROOT if row["newest"] is None else row["newest"], {start.position: start.follows for start in starts}
    )
    return Tree(row, branches)


def place(connection: Connection, where: Where, limit: int, characters: int) -> Place:
    """See `app.chat.ports.Store`."""
    conversation_id, position = where.conversation_id, None
    if where.beside is not None:
        conversation_id, position = _found(connection, where, where.beside)
    assert conversation_id is not None  # noqa: S101 - else there is nothing to continue
    in_it = messages.c.conversation_id == conversation_id
    a_branch = select(messages.c.position).where(in_it, BEGINS_BRANCH).limit(1).scalar_subquery()
    newest_first = (
        select(messages, a_branch.label("a_branch"))
        .join(conversations)
        .where(in_it, is_of(conversation_id, where.principal))
        .order_by(messages.c.position.desc())
    )
    rows = connection.execute(newest_first.limit(max(limit, 1))).all()
    if not rows:
        raise ConversationNotFound
    if rows[0].state == "running":
        raise ConversationBusy(rows[0].reply_id)
    turn = Place(conversation_id, rows[0].position + 1)
    is_last = where.behind is None or where.behind.reply_id == rows[0].reply_id
    if position is not None or rows[0].a_branch is not None or not is_last:  # else the path are these rows
        known = tree(connection, conversation_id, where.principal)
        there = None if where.behind is None else _behind(connection, known, turn, where.behind)
        turn, before = there or _turn(connection, known, turn, position, where.beside)
        positions = last(known.branches.path(before), limit)
        found = connection.execute(select(messages).where(in_it, at(positions))).all() if positions else ()
        rows = sorted(found, key=lambda row: row.position, reverse=True)
    said: list[Said] = []
    room = characters
    for row in rows[:limit]:
        room -= len(row.text)
        if room < 0:
            break
        said.insert(0, Said(row.role, row.text, row.finish_reason, row.error_code))
    return replace(turn, history=remembered(said))


def _turn(
    connection: Connection, known: Tree, turn: Place, position: int | None, beside: Beside | None
) -> tuple[Place, int]:
    """The place of a `turn`, in a conversation with branches or beside a reply; and the message that it follows."""
    branches = known.branches
    if beside is None or position is None:
        leaf = known.leaf
        return (turn if leaf == branches.newest else replace(turn, follows=leaf)), leaf
    asked = branches.parent(position)
    before = branches.parent(asked)
    if beside.way == "edits":
        return replace(turn, follows=before), before
    in_it = messages.c.conversation_id == turn.conversation_id
    message = connection.scalar(select(messages.c.text).where(in_it, messages.c.position == asked))
    if message is None:  # deleted since the first statement
        raise ConversationNotFound
    if beside.way == "regenerates":
        return replace(turn, answers=asked, message=message), before
    is_own = asked == position - 1
    return replace(
        turn,
        position=position - 1,
        follows=branches.follows.get(asked) if is_own else None,
        answers=None if is_own else asked,
        message=message,
    ), before


def _behind(connection: Connection, known: Tree, turn: Place, behind: Behind) -> tuple[Place, int] | None:
    """As `_turn`, behind a reply; `None` if the chosen branch goes on."""
    try:
        before = ROOT if behind.reply_id is None else known.position(connection, behind.reply_id)
    except ReplyNotFound:
        return None
    there = at(known.branches.children(before))
    in_it = messages.c.conversation_id == turn.conversation_id
    the_same = select(func.max(messages.c.position)).where(in_it, there, messages.c.text == behind.message)
    asked: int | None = connection.scalar(the_same)
    if behind.if_alone and (asked is None or not _is_one_turn(known)):
        return None
    if asked is not None:
        return replace(turn, answers=asked, message=behind.message), before
    return (turn if before == known.branches.newest else replace(turn, follows=before)), before


def _is_one_turn(known: Tree) -> bool:
    return sum(map(len, known.branches.path(known.leaf))) <= _A_TURN


def _found(connection: Connection, where: Where, beside: Beside) -> tuple[str, int]:
    """The conversation of the reply, and its position there."""
    query = select(messages.c.conversation_id, messages.c.position).join(conversations)
    theirs = query.where(messages.c.reply_id == beside.reply_id, conversations.c.principal == where.principal.name)
    row = connection.execute(theirs).one_or_none()
    if row is None or where.conversation_id not in {None, row.conversation_id}:
        raise ReplyElsewhere if beside.way == "retries" else ReplyNotFound
    return row.conversation_id, row.position
