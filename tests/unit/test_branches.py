"""The tree of a conversation: its paths, its forks and its leaves, against a model that stores every parent."""

from hypothesis import given
from hypothesis import strategies as st

from app.chat.branches import ROOT, Branches, last, page

_TURNS = st.lists(st.tuples(st.sampled_from(["after the newest", "after", "edits", "regenerates"]), st.integers(0, 30)))


def _grown(turns: list[tuple[str, int]]) -> tuple[Branches, dict[int, int]]:
    """A tree that grew so, and the parent of each message."""
    parents = {0: ROOT, 1: 0}
    follows: dict[int, int] = {}
    newest = 1
    for way, choice in turns:
        replies = sorted(position for position in parents if position % 2)
        reply = replies[choice % len(replies)]
        asked = parents[reply]
        if way == "regenerates":
            parents[newest + 2] = follows[newest + 2] = asked
        else:
            before = {"after the newest": newest, "after": reply, "edits": parents[asked]}[way]
            parents |= {newest + 1: before, newest + 2: newest + 1}
            if before != newest:
                follows[newest + 1] = before
        newest += 2
    return Branches(newest, follows), parents


def _line(parents: dict[int, int], leaf: int) -> list[int]:
    line: list[int] = []
    while leaf != ROOT:
        line.insert(0, leaf)
        leaf = parents[leaf]
    return line


@given(_TURNS)
def test_the_path_to_each_message_is_that_of_its_parents(turns: list[tuple[str, int]]) -> None:
    """From the first message to it, and positions only grow on the way."""
    tree, parents = _grown(turns)
    for position in parents:
        assert [each for run in tree.path(position) for each in run] == _line(parents, position)


@given(_TURNS)
def test_a_leaf_is_the_newest_message_below(turns: list[tuple[str, int]]) -> None:
    """Of all whose path goes through that message."""
    tree, parents = _grown(turns)
    for position in parents:
        below = [leaf for leaf in parents if position in _line(parents, leaf)]
        assert tree.leaf(position) == max(below)


@given(_TURNS)
def test_siblings_have_the_same_parent(turns: list[tuple[str, int]]) -> None:
    """All that do, and none that is not there."""
    tree, parents = _grown(turns)
    for position, parent in parents.items():
        assert tree.siblings(position) == sorted(each for each in parents if parents[each] == parent)


@given(turns=_TURNS, count=st.integers(0, 40), cursor=st.none() | st.integers(0, 60), newest=st.booleans())
def test_a_page_is_a_part_of_the_path(
    turns: list[tuple[str, int]], count: int, cursor: int | None, *, newest: bool
) -> None:
    """In either order, from any cursor on, whether or not that is on the path."""
    tree, parents = _grown(turns)
    line = _line(parents, tree.newest)
    ordered = line[::-1] if newest else line
    behind = [each for each in ordered if cursor is None or (each <= cursor if newest else each >= cursor)]
    assert page(tree.path(tree.newest), cursor, count, newest_first=newest) == behind[:count]
    assert last(tree.path(tree.newest), count) == (line[-count:] if count else [])


def test_an_empty_conversation_has_no_path() -> None:
    """As one whose messages are not there yet."""
    assert Branches(ROOT).path(ROOT) == []
