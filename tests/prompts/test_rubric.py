"""Rubrics: the shipped ones are complete, and a wrong file is told everything at once."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from lager_lite.cli import main
from lager_lite.errors import PromptError
from lager_lite.judging.judge import Judge
from lager_lite.prompts.chat import PLAIN
from lager_lite.prompts.render import render
from lager_lite.prompts.rubric import covered_labels, rubric_hash, with_scale
from lager_lite.prompts.rubric_file import KEY_TYPES, list_rubrics, load_rubric, make_rubric
from lager_lite.records import Item

NAMED = [
    "default",
    "helpfulness",
    "correctness",
    "coherence",
    "fluency",
    "relevance",
    "informativeness",
    "faithfulness",
    "harmlessness",
    "select-answer-accuracy",
    "select-logical-consistency",
    "select-relevance",
    "select-fluency-and-clarity",
    "select-length-appropriateness",
    "select-diversity",
    "select-instruction-difficulty",
    "emotion-intensity",
    "emotion-eq-bench",
    "answerability",
]
KEYS = (
    "the keys of a rubric are name, criterion, scale, descriptions, system, template, lead, order, require, "
    "fields, section, about, ties; name and criterion are needed"
)


def test_every_promised_rubric_ships():
    assert set(NAMED) <= set(list_rubrics())


@pytest.mark.parametrize("name", [n for n in list_rubrics() if n != "item-rubric"])
def test_a_shipped_rubric_describes_each_score_once(name):
    rubric = load_rubric(name)
    described = [label for key, _ in rubric.descriptions for label in covered_labels(rubric.scale, key)]
    assert described == list(rubric.scale.labels)
    assert rubric.name == name and rubric.about


def test_shipped_rubrics_differ_in_what_they_ask():
    rubrics = [load_rubric(name) for name in list_rubrics()]
    assert len({r.criterion for r in rubrics}) == len(rubrics) == len({rubric_hash(r) for r in rubrics})


def test_scales_of_the_uses_in_the_paper():
    scales = {name: load_rubric(name).scale.labels for name in NAMED}
    assert all(scales[n] == tuple("123456789") for n in NAMED if n.startswith("select-"))
    assert scales["emotion-intensity"] == tuple("123456789")
    assert scales["emotion-eq-bench"] == tuple("0123456789")
    assert load_rubric("emotion-eq-bench").scale.values[-1] == 10
    assert scales["answerability"] == tuple("12345")


@pytest.mark.parametrize("name", list_rubrics())
def test_a_shipped_rubric_renders_an_item_that_has_its_fields(name):
    rubric = load_rubric(name)
    item = Item("1", {field: f"<{field} text>" for field in rubric.required})
    segments = render(rubric, item, PLAIN).segments
    assert {s.text for s in segments if not s.trusted} == {f"<{field} text>" for field in rubric.required}
    assert "{" not in "".join(s.text for s in segments if s.trusted)


def test_rubrics_on_one_item_share_everything_up_to_the_criterion():
    item = Item("1", {"source": "S", "instruction": "I", "response": "R"})
    texts = [
        render(load_rubric(n), item, PLAIN).text for n in ("default", "fluency", "faithfulness", "select-diversity")
    ]
    heads = {t.partition("### Criterion\n")[0] for t in texts}
    assert heads == {
        "Read the following, then grade it.\n\n### Source text\nS\n\n### Instruction\nI\n\n### Response\nR\n\n"
    }


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(PromptError) as caught:
        load_rubric("helpfullness")
    assert caught.value.message == "there is no rubric 'helpfullness'"
    assert caught.value.hint == f"use a TOML file, or one of: {', '.join(list_rubrics())}"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PromptError) as caught:
        load_rubric(tmp_path / "no.toml")
    assert caught.value.message == f"{tmp_path}/no.toml: cannot read the rubric: No such file or directory"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "scael = '1-5'\nlead = 3\n",
            "unknown key 'scael'; missing key 'criterion'; key 'lead' is of the wrong kind (int)",
        ),
        (
            "criterion = 'c'\nscale = '5-1'\norder = 'last'",
            "order is 'last', not one of item-first, rubric-first; scale: cannot read the scale '5-1'",
        ),
        ("criterion = 'c'\nscale = 5", "key 'scale' is of the wrong kind (int)"),
        (
            "criterion = 'c'\nrequire = ['sauce']",
            "require: unknown field 'sauce' (one of source, instruction, reference, response)",
        ),
        (
            "criterion = 'c {x}'\ntemplate = '{respnse}'",
            "template: unknown slot {respnse} (declare a field with fields = [...]); criterion: unknown slot {x} (declare a field with fields = [...]); template: the slot {criterion} is missing",
        ),
        (
            "criterion = 'c'\n[descriptions]\n7 = 'x'\n'1-2' = 'a'\n2 = 'b'",
            "descriptions: '7' is not a label of the scale 1-5; descriptions: '2' describes a score twice",
        ),
        ("criterion = ' '\n", "criterion is empty"),
        (
            "criterion = 'c'\n[[section]]\nfield = 'source'\nextra = 1",
            "section 1: unknown key 'extra'; section 1: missing key 'title'",
        ),
    ],
)
def test_everything_wrong_in_a_file_is_said_at_once(tmp_path, text, problems):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(PromptError) as caught:
        load_rubric(path)
    assert caught.value.message == f"{path}: {problems}"
    assert caught.value.hint == KEYS


def test_a_file_that_is_not_toml_or_not_text_is_said_to_be_so(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("criterion = \n")
    with pytest.raises(PromptError, match=r"mine\.toml: not TOML: .*line 1"):
        load_rubric(path)
    path.write_bytes(b"criterion = '\xff'")
    with pytest.raises(PromptError) as caught:
        load_rubric(path)
    assert caught.value.message == f"{path}: not UTF-8 at byte 13"


def test_a_rubric_of_ones_own_takes_its_name_from_the_file(tmp_path):
    path = tmp_path / "brevity.toml"
    path.write_bytes(b"\xef\xbb\xbfcriterion = 'Is it short?'\r\nscale = ['no', 'yes']\r\n")
    rubric = load_rubric(path)
    assert (rubric.name, rubric.criterion, rubric.scale.labels) == ("brevity", "Is it short?", ("no", "yes"))


def test_two_arguments_make_a_rubric():
    rubric = make_rubric("brevity", "Is it short?")
    assert (rubric.scale.labels, rubric.required, rubric.lead) == (tuple("12345"), ("response",), "Score: ")


def test_the_hash_follows_what_reaches_a_prompt_and_nothing_else():
    one = make_rubric("a", "Is it short?", descriptions={"1": "no"})
    assert rubric_hash(one) == rubric_hash(make_rubric("b", "Is it short?", descriptions={"1": "no"}))
    others = [
        make_rubric("a", "Is it long?", descriptions={"1": "no"}),
        make_rubric("a", "Is it short?", descriptions={"1": "nope"}),
        make_rubric("a", "Is it short?", "1-4", descriptions={"1": "no"}),
        make_rubric("a", "Is it short?", descriptions={"1": "no"}, lead="Grade: "),
        make_rubric("a", "Is it short?", descriptions={"1": "no"}, order="rubric-first"),
        make_rubric("a", "Is it short?", descriptions={"1": "no"}, require=("source",)),
    ]
    assert len({rubric_hash(r) for r in (one, *others)}) == 7
    assert len(rubric_hash(one)) == 32


def test_another_scale_takes_the_descriptions_along_where_the_number_of_scores_agrees():
    rubric = make_rubric("a", "c", descriptions={"1-2": "low", "3": "mid", "4-5": "high"})
    assert with_scale(rubric, "0-4").descriptions == (("0-1", "low"), ("2", "mid"), ("3-4", "high"))
    assert with_scale(rubric, "1-9").descriptions == ()
    assert with_scale(rubric, "1-5") is rubric


# --- given together, and begun ---------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1])
def test_all_shipped_rubrics_can_be_given_at_once_and_score_as_each_does_alone(tiny_model, order):
    names = list_rubrics()[::order]
    fields = {field for name in names for field in load_rubric(name).required}
    item = Item("1", {field: f"some {field}" for field in (*fields, "source", "reference")})
    with Judge(tiny_model, rubric=list(names)) as judge:
        together = {j.rubric: j for j in judge.score([item])}
    assert list(together) == list(names) and not any(j.error for j in together.values())
    for name in names[::5]:
        with Judge(tiny_model, rubric=name) as judge:
            (alone,) = judge.score([item])
        assert together[name].score == pytest.approx(alone.score, rel=1e-4)  # flash attention, another batch


def test_a_new_rubric_is_valid_and_so_is_every_key_that_can_be_switched_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["rubrics", "new", "brevity"])
    assert done.exit_code == 0 and done.stdout == "" and "brevity.toml written" in done.stderr
    text = (tmp_path / "brevity.toml").read_text()
    rubric = load_rubric("brevity.toml")
    described = [label for key, _ in rubric.descriptions for label in covered_labels(rubric.scale, key)]
    assert (rubric.name, described) == ("brevity", list("12345"))
    render(rubric, Item("1", {"response": "R"}), PLAIN)
    lines = text.splitlines()
    tables = lines.index("#[[section]]")
    keys = [n for n, line in enumerate(lines) if line[:1] == "#" and line[1:2].isalpha()]
    single = [[n] for n in keys if n < tables]
    assert len(single) == 7
    for chosen in [*single, range(tables, len(lines))]:
        (tmp_path / "on.toml").write_text("\n".join(line[1:] if n in chosen else line for n, line in enumerate(lines)))
        assert rubric_hash(load_rubric("on.toml")) != rubric_hash(rubric) or lines[chosen[0]].startswith(
            ("#fields", "#ties")
        )
    for key in KEY_TYPES:
        assert any(line.lstrip("#[").startswith((f"{key} =", f"{key}]")) for line in lines), key


def test_a_new_rubric_overwrites_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text("precious")

    def new(*arguments):
        done = CliRunner().invoke(main, ["rubrics", "new", *arguments])
        assert done.exit_code == 1
        return done.stderr

    assert new("mine").startswith("Error: mine.toml already exists and was left unchanged\nTry: ")
    assert (tmp_path / "mine.toml").read_text() == "precious"
    assert "'../up' is not a name for a rubric" in new("../up")
    assert "cannot write: No such file or directory" in new("a", "-o", "no/a.toml")
    assert "must end in .toml" in new("a", "-o", "a.txt")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.toml"]
