from __future__ import annotations

import numpy as np
import pytest

from lager_lite.stats.grades import annotator_grades, best_cut, grade_agreement, krippendorff_alpha, weighted_kappa


def test_grades_by_hand():
    found = grade_agreement(np.array([1.4, 2.5, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 3.0]), [1.0, 2.0, 3.0])
    # 2.5 is nearest to 2 and 3, and counts as 3; people are the rows.
    assert found.confusion == ((1, 0, 0), (0, 0, 1), (0, 1, 1))
    assert (found.exact, found.within_one, found.binary) == (0.5, 1.0, None)
    # Squared distance 2 in 4; by chance rows (1, 1, 2) and columns (1, 1, 2) over 4 give 22 / 4 = 5.5.
    assert found.kappa == pytest.approx(1 - 2 / 5.5)


def test_alpha_of_krippendorffs_own_example():
    # Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), part C: interval alpha 0.849 of 4 observers.
    nan = np.nan
    table = [
        [1, 1, nan, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
        [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [nan, 5, 5, 5], [nan, nan, 1, 1], [nan, nan, 3, nan],
    ]  # fmt: skip
    assert krippendorff_alpha(np.array(table, dtype=float)) == pytest.approx(0.849, abs=5e-4)
    found = annotator_grades([[1, 2], [3, 5], [2]], [1, 2, 3, 4, 5])
    assert found.within_one == 0.5
    assert annotator_grades([[1], [2]], [1, 2]) is None


def test_raters_without_variance_have_no_kappa():
    assert weighted_kappa(np.array([[4, 0], [0, 0]]), np.array([0.0, 1.0])) is None


def test_the_cut_is_chosen_on_the_other_folds():
    assert best_cut(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, False, True, True])) == 2.5
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.1, 0.2, 0.3, 0.4])
    human = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    found = grade_agreement(scores, human, [0.0, 1.0], part=np.repeat([0, 1], 4)).binary
    # Fold 1 teaches a cut of 0.25, and so does fold 0: the last item is called good and is not.
    assert found.cut == pytest.approx(0.25)
    assert (found.threshold, found.tpr, found.tnr, found.f1) == (0.5, 1.0, 0.8, pytest.approx(6 / 7))
