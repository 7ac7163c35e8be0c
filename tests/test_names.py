"""How the package names things: verbs first, no possessives, variables that name their content.

The shares are those of well-kept packages of the same kind; a share is better than a ban, since
clarity wins where a rule and clarity disagree.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

from tests.locations import REPOSITORY_ROOT

PACKAGE = REPOSITORY_ROOT / "archive_colorizer"

VERBS = frozenset(
    """
    accept acquire add adjust adopt age align allocate answer append apply arrange ask assemble
    assert assign attach average begin blend block blur borrow build calculate call cancel capture
    carry cast chain change check choose clamp classify clean clear clip close collect colorize
    combine compare complete compose compress compute connect constrain convert copy correct count
    cover create crop cut decide decode decompress deliver derive describe detach detect determine
    discard discover dispatch display divide download drain draw drive drop dump embed emit encode
    end enlarge ensure enter escape estimate evaluate examine exchange exclude execute exit expand
    explain export extend extract fail fetch fill filter find finish fit flag flatten flip flush
    fold follow forget format forward free freeze gather generate get give go group grow guard guess
    halve handle hash hold identify ignore import include index infer initialize insert inspect
    install interpolate invert is issue iterate join keep kill label launch leave limit link list
    listen load locate lock log look loop make map mark mask match measure merge migrate mirror
    mix move multiply name narrow need
    normalize note notify number observe obtain open order pack pad
    paint parse pass paste patch pause peek pick pin place plan play point poll pop populate
    predict prefix preload prepare preserve preview print probe process produce propagate protect
    publish pull push put query quote raise rank rate read rebuild receive record recover reduce
    refresh refuse register reject release reload remember remove rename render renew reopen
    repair repeat replace report require rescue resample reserve reset reshape resize resolve
    respond restamp restart restore resume retire retry return reuse reverse rewrite rotate round
    route run sample save scale scan schedule score search seek select send separate serialize
    serve set settle shape share sharpen shift shorten show shrink shut sign simplify skip slice
    smooth sniff solve sort spawn split spread stack stage stain stamp start stop store stream
    strip submit subtract suggest sum summarize suppress swap sweep switch sync take tally tarnish
    tell terminate test tidy track train transfer transform translate transpose trim truncate try
    turn undo unfold unlink unlock unpack unpickle unwrap update upgrade upload upsample use
    validate verify visit wait walk warn watch weigh widen wipe wrap write yield zip
    can has may must needs should was will
    """.split()
)
"""A word that English has as a verb may join; a noun may not."""

IRREGULAR_PARTICIPLES = frozenset(
    "drawn found given gone held kept known laid left lost made meant read seen sent shown taken "
    "told written".split()
)

VAGUE_NAMES = frozenset(
    "begun each found given it known made one others own place said seen taken there told "
    "what".split()
)

NO_FUNCTION_NAMES = frozenset({"property", "overload", "setter", "cached_property"})
"""Decorators of what is read as a noun or stands for another function."""


@cache
def trees() -> dict[str, ast.Module]:
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def functions() -> Iterator[tuple[str, list[str]]]:
    """Where each function is, and the words of its name."""
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("__"):
                continue
            decorators = {
                getattr(mark, "attr", getattr(mark, "id", "")) for mark in node.decorator_list
            }
            if not decorators & NO_FUNCTION_NAMES:
                yield f"{module}:{node.lineno} {node.name}", node.name.strip("_").split("_")


def bindings() -> Iterator[tuple[str, str]]:
    """Where each variable and parameter is bound, and its name."""
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield f"{module}:{node.lineno} {node.id}", node.id
            elif isinstance(node, ast.arg):
                yield f"{module}:{node.lineno} {node.arg}", node.arg


def assert_rare(offenders: Sequence[str], total: int, percent: float) -> None:
    share = 100 * len(offenders) / total
    assert share <= percent, f"{share:.1f} % of {total}, at most {percent} %: {offenders[:60]}"


def test_functions_begin_with_a_verb():
    nouns = [where for where, words in functions() if words[0] not in VERBS]
    assert_rare(nouns, len(list(functions())), 40)


def test_no_function_is_named_for_what_it_belongs_to():
    possessive = [where for where, words in functions() if words[-1] == "of"]
    assert_rare(possessive, len(list(functions())), 0.3)


def test_functions_do_not_begin_with_a_participle():
    participles = [
        where
        for where, words in functions()
        if words[0] in IRREGULAR_PARTICIPLES - VERBS
        or (words[0].endswith("ed") and len(words[0]) > 3 and words[0] not in VERBS)
    ]
    assert_rare(participles, len(list(functions())), 2.5)


def test_variables_name_their_content():
    vague = [where for where, name in bindings() if name in VAGUE_NAMES]
    assert_rare(vague, len(list(bindings())), 0.3)


def test_one_concept_has_one_class():
    classes = Counter(
        node.name
        for tree in trees().values()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert not [name for name, count in classes.items() if count > 1]
