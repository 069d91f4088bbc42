"""Tables laid out for the eye: what merged cells, totals, notes and units leave in a CSV is never judged as an item."""

from __future__ import annotations

import pytest

from lager_lite.data import check_file, read_items
from lager_lite.errors import DataError

MERGED = "question,model,answer,rating\nQ1,a,A boat.,2\n,b,Wet land.,5\nQ2,a,A tree.,1\n,b,Peat.,4\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MERGED, ":3: question: empty in 2 of 4 rows, below rows that have it"),
        ("article,summary\nThe mill burnt.,It burnt.\n,A mill.\n,In May.\n", ":3: article: empty in 2 of 3 rows"),
        ("question,context,answer\nQ,One.,R\nQ,,S\nP,Two.,T\n", ":3: context: empty in 1 of 3 rows"),
        ("question,context,answer\n" + "".join(f"Q{n},{'' if n % 2 else 'C'},R\n" for n in range(6)), ":3: context: "),
        ("id,question,answer,rating\n1,Q,R,2\n2,P,S,5\n,,Average,3.5\n", ":4: seems to sum up the rows above"),
        ("question,answer,rating\nQ,R,2\nP,S,5\nTotal,2 answers,7\n", ":4: seems to sum up"),
        ("answer,rating\nBoat.,2\nOak.,4\nSource: internal survey,\n", ":4: seems to be a note below the table"),
        ("question,answer,rating\n(text),(text),\nQ,R,2\n", ":2: seems to say what the columns hold"),
        ("id,question,answer,rating\n,text,text,1-5\n1,Q,R,2\n", ":2: seems to say what the columns hold"),
    ],
)
def test_a_table_for_the_eye_is_refused_with_the_line(tmp_path, text, said):
    path = tmp_path / "in.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_items(path)
    assert caught.value.message.startswith(f"{path}{said}") and caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "question,context,answer\nQ1,One.,R\nQ2,,S\nQ3,,T\nQ4,Two.,U\nQ5,,V\n",
        "instruction,input,output\nName a tree.,,Oak.\nAdd.,1 2,3\nName a bird.,,Wren.\n",
        "question,answer,level\nQ,R,easy\nP,Average,mean\n",
        "question,reference,answer\nQ1,R,A\nQ2,,B\nQ3,R,C\nQ4,,D\nQ5,R,E\nQ6,,F\n",
        "question,answer,rating\nQ,R,2\nP,S,\n",
        "question,answer,rating\nQ,R,2\nP,,\n",
    ],
)
def test_fields_that_some_rows_lack_are_no_merged_cells(tmp_path, text):
    path = tmp_path / "in.csv"
    path.write_text(text)
    assert check_file(path).understood.items == text.count("\n") - 1


def test_rows_that_are_judged_alone_are_always_counted(tmp_path, invoke):
    path = tmp_path / "in.csv"
    path.write_text(MERGED)
    assert len(read_items(path, ignore=["question"]).items) == 4
    path.write_text("question,answer\n" + "".join(f"{'Q' * (n != 3)},R{n}\n" for n in range(9)))
    said = "1 of 9 items without an instruction and a source, which the others have: these responses are judged alone"
    assert said in read_items(path).understood.warnings
